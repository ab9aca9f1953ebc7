"""What `convert --dry-run` says of logs and a mapping."""

from __future__ import annotations

from collections.abc import Iterator

from pmmc_check.errors import did_you_mean
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.importing.importer import Importer, RuleCount
from pmmc_check.words import counted

_WIDTH = 120


def import_lines(importer: Importer, logs: int) -> Iterator[str]:
    """The counts of each rule, then the first lines that nobody matched, and those that make no event, each with file and line."""
    report = importer.report
    yield f"{counted(logs, 'log')}, {counted(report.lines, 'line')}, {counted(report.events, 'event')}"
    rows = [("rule", "in line", "lines", "events", "")]
    rows += [(each.rule.name, str(each.rule.line), f"{each.lines:,}", f"{each.events:,}", _remark(each, importer)) for each in report.rules]
    rows.append(("(no rule)", "", f"{report.unmatched:,}", "0", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for name, line, *rest in rows:
        numbers = "  ".join(cell.rjust(width) for cell, width in zip((line, *rest[:2]), widths[1:], strict=True))
        yield f"  {name:{widths[0]}}  {numbers}  {rest[2]}".rstrip()
    yield from _listed("lines that no rule matched", report.unmatched, report.first_unmatched)
    yield from _listed("lines that make no event", report.wrong, report.first_wrong)


def _remark(count: RuleCount, importer: Importer) -> str:
    remarks = ["dropped"] if count.rule.drops else []
    remarks += [f"{count.repeated:,} repetitions left out"] if count.repeated else []
    remarks += [f"{count.unanswered:,} receives left out that nothing followed"] if count.unanswered else []
    if not count.lines:
        keys = [
            each.path for each in count.rule.when if each.path.partition(".")[0] not in importer.keys and each.path not in importer.keys
        ]
        missing = f": no line has {keys[0]}{did_you_mean(keys[0], importer.keys)}" if keys else ""
        remarks.append(f"never{missing}")
    return ", ".join(remarks)


def _listed(what: str, count: int, first: list[TraceError]) -> Iterator[str]:
    if not count:
        return
    shown = "" if count == len(first) else f" (the first {len(first)} of {count:,})"
    yield f"{what}{shown}:"
    for error in first:
        yield f"  {error.file}:{error.line}: {error.problem}"
        yield f"      {error.text[:_WIDTH]}{'...' if len(error.text) > _WIDTH else ''}"
