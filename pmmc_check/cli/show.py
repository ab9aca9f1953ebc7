"""`pmmc-check show`: a recorded run, event by event, in an order in which it can have happened."""

from __future__ import annotations

import argparse

from pmmc_check.api.validating import SEARCH_EVENTS, SEARCH_SECONDS, SEARCH_STATES, Validation, judge_options, recordable
from pmmc_check.cli.exports import ExportFiles, configure_export
from pmmc_check.cli.outputs import check_apart, print_results, write_results
from pmmc_check.cli.pages import PageFile, configure_html
from pmmc_check.cli.progress import progress_line
from pmmc_check.cli.validate import EXITS
from pmmc_check.errors import UsageError
from pmmc_check.report.event_lines import event_lines
from pmmc_check.report.runs.of_trace import run_of_trace
from pmmc_check.report.trace_text import explanation, summary
from pmmc_check.trace.sources import sources
from pmmc_check.validation.judge import judge
from pmmc_check.verdicts import BAD_INPUT

_EPILOG = """\
examples:
  pmmc-check show run.pmmc
      each event with what it changes, then the verdict
  pmmc-check show run.pmmc --html run.html
      to look at, and step through, in a browser
  pmmc-check show run.pmmc --export run.mmd
      as a Mermaid diagram; also for ShiViz, PlantUML, and as ITF
      (docs/exchange.md)

exit codes: those of validate, since what is shown is judged
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    parser.add_argument("trace", metavar="FILE|DIR", help="a trace, or the folder of a trace in parts")
    configure_html(parser, "the run")
    configure_export(parser, "the run")
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME",
        help=f"judge by a changed protocol, such as raise-on-accept; may be repeated. One of {', '.join(recordable())}",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress line")


def run(arguments: argparse.Namespace) -> int:
    """Shows one trace; the exit code is its verdict's."""
    found = sources([arguments.trace])
    if len(found) != 1:
        raise UsageError(f"{arguments.trace}: {len(found)} traces; show one at a time")
    options = judge_options(arguments.variant, SEARCH_STATES, SEARCH_SECONDS, SEARCH_EVENTS)
    check_apart([("--html", arguments.html), *(("--export", name) for name in arguments.export)])
    with PageFile(arguments.html) as page, ExportFiles("show", arguments.export) as exports:
        with progress_line(arguments.quiet) as report:
            verdict = judge(found[0], options, report)
        if verdict.verdict == BAD_INPUT:
            error = UsageError(verdict.reason or "cannot be read")
            error.in_lines = True
            raise error
        if arguments.html is None and not arguments.export:
            write_results(f"{line}\n" for line in event_lines(run_of_trace(found[0], verdict, options.protocol)))
            print_results("")
        print_results(summary(verdict), *explanation(verdict))
        exports.write(lambda: run_of_trace(found[0], verdict, options.protocol))
        validation = Validation((verdict,), tuple(found), options.protocol)
        page.write_page(lambda: validation.page(arguments.trace))
    return EXITS[verdict.verdict]
