"""`pmmc-check convert`: traces from the DSL to JSON Lines and back."""

from __future__ import annotations

import argparse
from pathlib import Path

from pmmc_check.cli.outputs import OutputFile, write_results
from pmmc_check.errors import UsageError
from pmmc_check.trace.convert import WRITERS, converted, format_of
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.sources import sources

_EPILOG = """\
examples:
  pmmc-check convert run.pmmc run.jsonl       to JSON Lines
  pmmc-check convert run.jsonl.gz - --to dsl  to the DSL, on stdout
  pmmc-check convert logs/ run.pmmc           a trace in parts to one file
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    parser.add_argument("source", metavar="FILE|DIR", help="a trace in either format, plain or gzip")
    parser.add_argument(
        "target", metavar="TARGET", help="what to write; its name says the format (.jsonl, else DSL; .gz compresses); - is stdout"
    )
    parser.add_argument("--to", choices=tuple(WRITERS), help="the format, whatever the name says")


def run(arguments: argparse.Namespace) -> int:
    """Converts one trace."""
    found = sources([arguments.source])
    if len(found) != 1:
        raise UsageError(f"{arguments.source}: {len(found)} traces; convert one at a time")
    trace = open_trace(found[0].path, found[0].parts)
    target = Path(arguments.target)
    if arguments.target == "-":
        write_results(f"{line}\n" for line in converted(trace, arguments.to or format_of(target)))
        return 0
    if target.exists() and any(target.samefile(each) for each in (found[0].parts or (found[0].path,))):
        raise UsageError(f"{target}: is the trace that is read; write to another file")
    with OutputFile("", arguments.target) as output:
        for line in converted(trace, arguments.to or format_of(target)):
            output.write(f"{line}\n")
    return 0
