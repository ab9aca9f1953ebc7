"""`pmmc-check convert`: traces from the DSL to JSON Lines and back, and other people's logs to traces."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pmmc_check.cli.failures import EXIT_HOLDS, EXIT_USAGE, say
from pmmc_check.cli.outputs import OutputFile, make_folder, print_results, write_results
from pmmc_check.errors import UsageError
from pmmc_check.trace.convert import WRITERS, converted, format_of
from pmmc_check.trace.readers.reader import DSL, open_trace
from pmmc_check.trace.sources import sources

_EPILOG = """\
examples:
  pmmc-check convert run.pmmc run.jsonl
      to JSON Lines
  pmmc-check convert run.jsonl.gz - --to dsl
      to the DSL, on stdout
  pmmc-check convert logs/ run.pmmc
      a trace in parts to one file
  pmmc-check convert --map slog.toml --dry-run logs/*.log
      what a mapping makes of other people's logs
  pmmc-check convert --map slog.toml logs/*.log trace/
      a trace of them, with a part for each log

docs/import.md tells how to write a mapping.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    parser.add_argument("source", metavar="SOURCE", nargs="+", help="a trace in either format, a file or a folder; with --map, the logs")
    parser.add_argument(
        "target",
        metavar="TARGET",
        nargs="?",
        help="what to write; its name says the format (.jsonl, else DSL; .gz compresses); - is stdout; with --map also a folder: DIR/",
    )
    parser.add_argument("--to", choices=tuple(WRITERS), help="the format, whatever the name says")
    parser.add_argument("--map", metavar="FILE.toml", help="what the lines of other people's logs mean")
    parser.add_argument("--dry-run", action="store_true", help="with --map: write nothing, tell what each rule matched and what nobody did")
    parser.add_argument("--no-origins", action="store_true", help="with --map: events have no id= that names the line of the log")


def run(arguments: argparse.Namespace) -> int:
    """Converts one trace, or imports logs."""
    paths: list[str] = [*arguments.source, *([arguments.target] if arguments.target is not None else [])]
    if arguments.map is not None:
        return _import(arguments, paths)
    for option in ("dry_run", "no_origins"):
        if getattr(arguments, option):
            raise UsageError(f"--{option.replace('_', '-')} is about logs that a mapping reads; add --map FILE.toml")
    if len(paths) != 2:
        found = "one path" if len(paths) == 1 else f"{len(paths)} paths"
        raise UsageError(f"expected a trace and a target, found {found}; other people's logs need --map FILE.toml")
    return _convert(paths[0], paths[1], arguments.to)


def _convert(source: str, name: str, to: str | None) -> int:
    found = sources([source])
    if len(found) != 1:
        raise UsageError(f"{source}: {len(found)} traces; convert one at a time")
    trace = open_trace(found[0].path, found[0].parts)
    target = Path(name)
    if name != "-" and target.exists() and any(target.samefile(each) for each in (found[0].parts or (found[0].path,))):
        raise UsageError(f"{target}: is the trace that is read; write to another file")
    _write(name, converted(trace, to or format_of(target)))
    return EXIT_HOLDS


def _write(name: str, lines: Iterator[str]) -> None:
    """To a file, or to stdout."""
    if name == "-":
        write_results(f"{line}\n" for line in lines)
        return
    with OutputFile("", name) as output:
        for line in lines:
            output.write(f"{line}\n")


def _write_folder(folder: Path, parts: Sequence[tuple[str, Iterator[str]]]) -> None:
    """To files of a folder: all of them, or none if something cannot be read."""
    with TemporaryDirectory(prefix="pmmc-check-") as made:
        for name, lines in parts:
            _write(str(Path(made) / name), lines)
        make_folder("", folder)
        for name, _ in parts:
            with (Path(made) / name).open(encoding="utf-8", newline="\n") as whole:
                _write(str(folder / name), (line.removesuffix("\n") for line in whole))


def _import(arguments: argparse.Namespace, paths: Sequence[str]) -> int:
    """Imports logs, or tells what would come of it."""
    from pmmc_check.report.import_text import import_lines
    from pmmc_check.trace.importing.conversion import imported_as_one, imported_header, imported_part
    from pmmc_check.trace.importing.importer import Importer
    from pmmc_check.trace.importing.mapping import read_mapping

    mapping = read_mapping(Path(arguments.map))
    importer = Importer(mapping, strict=not arguments.dry_run, origins=not arguments.no_origins)
    if arguments.dry_run:
        logs = _logs(paths)
        for log in logs:
            for _ in importer.events(log):
                pass
        print_results(*import_lines(importer, len(logs)))
        return EXIT_HOLDS if importer.report.events and not importer.report.wrong else EXIT_USAGE
    if len(paths) < 2:
        raise UsageError("expected logs, then a target: a file, a folder (DIR/) or - for stdout; or --dry-run, which writes nothing")
    *texts, name = paths
    logs, target = _logs(texts), Path(name)
    if name.endswith("/") or target.is_dir():
        to = arguments.to or DSL
        suffix = {"dsl": "pmmc"}.get(to, to)
        parts = [(f"config.{suffix}", imported_header(importer, to))]
        parts += [(f"{part}.{suffix}", imported_part(importer, log, to)) for log, part in zip(logs, _part_names(logs), strict=True)]
        _write_folder(target, parts)
    else:
        if target.exists() and any(target.samefile(log) for log in logs):
            raise UsageError(f"{name}: is a log that is read; write to another file")
        _write(name, imported_as_one(importer, logs, arguments.to or format_of(target)))
    return _told(importer.report.events, importer.report.unmatched)


def _told(events: int, unmatched: int) -> int:
    """Says what was left out."""
    if not events:
        raise UsageError("no line of these logs is an event; --dry-run instead of a target tells what each rule matched")
    if unmatched:
        lines, them = ("line matches", "it") if unmatched == 1 else ("lines match", "them")
        say("convert", f"{unmatched:,} {lines} no rule, so no event was made of {them}; --dry-run shows {them}")
    return EXIT_HOLDS


def _logs(texts: Sequence[str]) -> list[Path]:
    """The logs; a folder stands for the files in it."""
    found: list[Path] = []
    for text in texts:
        path = Path(text)
        if not path.exists():
            raise UsageError(f"{text}: no such file or directory")
        inside = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"{text}: no files in this folder")
        found += inside
    return found


def _part_names(logs: Sequence[Path]) -> Iterator[str]:
    """A name for each log's part, its own as far as it can be."""
    taken = {"config"}
    for log in logs:
        stem = log.name.partition(".")[0] or "log"
        name = next(each for each in (stem, *(f"{stem}-{number}" for number in range(2, len(logs) + 2))) if each not in taken)
        taken.add(name)
        yield name
