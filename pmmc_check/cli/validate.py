"""`pmmc-check validate`: are recorded traces legal runs of PMMC?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from pmmc_check.api.judging import judged
from pmmc_check.api.machine import cores
from pmmc_check.api.roles import roles_from
from pmmc_check.api.validating import (
    SEARCH_EVENTS,
    SEARCH_SECONDS,
    SEARCH_STATES,
    Validation,
    judge_options,
    recordable,
    with_memory,
    with_roles,
)
from pmmc_check.cli.branch_coverage import CoverageReport, check_coverage, configure_coverage
from pmmc_check.cli.exports import ExportFiles, configure_export
from pmmc_check.cli.follow import check_follow, configure_follow, follow
from pmmc_check.cli.outputs import OutputFile, check_apart, print_results, prints_to_stderr
from pmmc_check.cli.pages import PageFile, configure_html
from pmmc_check.cli.programs import configure_deadline
from pmmc_check.cli.progress import progress_line
from pmmc_check.errors import UsageError
from pmmc_check.report.trace_json import as_object
from pmmc_check.report.trace_junit import as_xml
from pmmc_check.report.trace_text import explanation, summary
from pmmc_check.trace.sources import Source, sources
from pmmc_check.users_code import exits_refused
from pmmc_check.validation.judge import JudgeOptions
from pmmc_check.validation.verdict import TraceVerdict, worst
from pmmc_check.verdicts import ACCEPTED, BAD_INPUT, INCONCLUSIVE, REJECTED

if TYPE_CHECKING:
    from pmmc_check.protocol import Protocol
    from pmmc_check.report.runs.run import Run

EXITS = {ACCEPTED: 0, REJECTED: 1, BAD_INPUT: 2, INCONCLUSIVE: 3}

_EPILOG = """\
examples:
  pmmc-check validate run.pmmc
      one trace
  pmmc-check validate logs/ --junit out.xml
      all traces of a directory, for continuous integration
  pmmc-check validate run.jsonl.gz --format json
      one object on stdout, for scripts
  pmmc-check validate run.pmmc --export run.mmd --export run.shiviz
      the run as a Mermaid diagram, and for ShiViz (docs/exchange.md)
  pmmc-check validate run.pmmc --variant raise-on-accept \\
    --variant ignore-lower-p2b
      an implementation with these fixes
  pmmc-check validate --follow logs/ --fail-fast
      while the cluster runs; exits at the first rejection

exit codes: 0 accepted, 1 rejected, 2 usage or bad input, 3 inconclusive;
            of several traces the worst counts (2, then 1, then 3);
            3 also where all are accepted, and coverage is under --fail-under
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "paths", nargs="+", metavar="FILE|DIR", help="traces in the DSL or JSON Lines, plain or gzip; directories are searched"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json prints one object on stdout (default text)")
    parser.add_argument("--junit", metavar="FILE", help="also write JUnit XML")
    parser.add_argument("--explain", metavar="FILE", help="also write whole explanations")
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="traces judged at the same time; a single one whose logs are files of their own is replayed by so many (default: the cores)",
    )
    parser.add_argument(
        "--search-states",
        type=int,
        default=SEARCH_STATES,
        metavar="N",
        help="give up the search of a partial log here (default %(default)s)",
    )
    parser.add_argument(
        "--search-seconds", type=float, default=SEARCH_SECONDS, metavar="S", help="or after this time (default %(default)s)"
    )
    parser.add_argument(
        "--search-events",
        type=int,
        default=SEARCH_EVENTS,
        metavar="N",
        help="longer partial logs are not searched (default %(default)s)",
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME",
        help=f"judge by a changed protocol, such as raise-on-accept; may be repeated. One of {', '.join(recordable())}",
    )
    configure_html(parser, "the runs, those that are rejected first,")
    configure_export(parser, "the run, if the trace is one alone,")
    parser.add_argument("--protocol", metavar="MODULE:OBJECT|exec:COMMAND", help="judge by roles of your own in place of the paper's")
    configure_deadline(parser)
    parser.add_argument(
        "--max-memory", type=int, metavar="MIB", help="memory that judging one trace may take (default: its share of what is free)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, and no explanations on stdout")
    configure_coverage(parser)
    configure_follow(parser)


def run(arguments: argparse.Namespace) -> int:
    """Judges all traces; the worst verdict is the exit code."""
    if arguments.jobs is not None and arguments.jobs < 1:
        raise UsageError("--jobs: must be at least 1")
    check_apart(
        [
            ("--junit", arguments.junit),
            ("--explain", arguments.explain),
            ("--html", arguments.html),
            ("--coverage-file", arguments.coverage_file),
            *(("--export", name) for name in arguments.export),
        ]
    )
    check_coverage(arguments)
    check_follow(arguments)
    if arguments.follow:
        return EXITS[follow(arguments).verdict]
    found = sources(arguments.paths)
    if arguments.export and len(found) != 1:
        raise UsageError(f"--export {arguments.export[0]}: it writes one run, and there are {len(found)} traces; give one of them")
    jobs = 1 if arguments.protocol else arguments.jobs or cores()
    options = judge_options(arguments.variant, arguments.search_states, arguments.search_seconds, arguments.search_events)
    options = replace(with_memory(options, arguments.max_memory, min(jobs, len(found))), coverage=arguments.coverage)
    with ExitStack() as stack:
        if arguments.protocol:
            stack.enter_context(prints_to_stderr())
            stack.enter_context(exits_refused())
            options = with_roles(options, roles_from(arguments.protocol), [arguments.protocol])
        files = [
            (stack.enter_context(OutputFile(option, name)), content)
            for option, name, content in (("--junit", arguments.junit, as_xml), ("--explain", arguments.explain, _explanations))
            if name is not None
        ]
        exports = stack.enter_context(ExportFiles("validate", arguments.export))
        page = stack.enter_context(PageFile(arguments.html))
        coverage = CoverageReport(arguments, stack)
        listed, interrupted = _verdicts(found, options, jobs, arguments.quiet)
        if not interrupted:
            coverage.add(listed)
        try:
            _report(listed, arguments, coverage)
        finally:
            exports.write(None if interrupted else _run_maker(found[0], listed[0], options.protocol))
            for file, content in files:
                file.write(content(listed))
                file.commit()
            validation = Validation(tuple(listed), tuple(found), options.protocol)
            page.write_page(lambda: validation.page(_page_title(arguments.paths)))
    verdict = worst(listed)
    return EXITS[INCONCLUSIVE] if interrupted or (verdict == ACCEPTED and coverage.too_low) else EXITS[verdict]


def _page_title(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"validate: {len(paths)} paths"


def _run_maker(source: Source, verdict: TraceVerdict, protocol: Protocol | None) -> Callable[[], Run] | None:
    """What makes the run of a trace; None of one that cannot be read."""
    if verdict.verdict == BAD_INPUT:
        return None

    def make() -> Run:
        from pmmc_check.report.runs.of_trace import run_of_trace

        return run_of_trace(source, verdict, protocol)

    return make


def _verdicts(found: Sequence[Source], options: JudgeOptions, jobs: int, quiet: bool) -> tuple[list[TraceVerdict], bool]:
    """A verdict on each trace, and whether they were interrupted."""
    verdicts: dict[Source, TraceVerdict] = {}
    interrupted = False
    with progress_line(quiet) as report:
        try:
            for source, verdict in judged(found, options, jobs, report):
                verdicts[source] = verdict
        except KeyboardInterrupt:
            interrupted = True
    reason = "interrupted before it was judged"
    return [verdicts.get(source) or TraceVerdict(str(source.path), INCONCLUSIVE, reason=reason) for source in found], interrupted


def _report(verdicts: list[TraceVerdict], arguments: argparse.Namespace, coverage: CoverageReport) -> None:
    if arguments.format == "json":
        print_results(json.dumps(as_object(verdicts) | coverage.fields()))
        return
    for each in verdicts:
        print_results(summary(each))
        if each.verdict == BAD_INPUT:
            for line in explanation(each):
                print(line, file=sys.stderr)
        elif not arguments.quiet:
            print_results(*explanation(each))
    if len(verdicts) > 1:
        counts = [f"{sum(each.verdict == verdict for each in verdicts)} {verdict}" for verdict in EXITS]
        print_results(f"{len(verdicts)} traces: {', '.join(counts)}")
    coverage.show()


def _explanations(verdicts: list[TraceVerdict]) -> str:
    return "".join(f"{line}\n" for each in verdicts for line in (summary(each), *explanation(each, whole=True)))
