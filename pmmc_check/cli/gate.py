"""`pmmc-check gate`: all specs and traces of a project, compared with what is expected of them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import fields
from pathlib import Path

from pmmc_check.api.gate_page import gate_page
from pmmc_check.api.gatekeeping import GateOptions, GateReport, chosen_checks, results_of_checks
from pmmc_check.cli.failures import EXIT_INCONCLUSIVE
from pmmc_check.cli.outputs import OutputFile, print_results
from pmmc_check.cli.pages import configure_html
from pmmc_check.cli.progress import progress_line
from pmmc_check.cli.terminal import layout
from pmmc_check.errors import UsageError
from pmmc_check.gating.checks import Check, CheckResult, gate_exit_code
from pmmc_check.gating.configuration import CONFIGURATION
from pmmc_check.report.gate_github import workflow_commands
from pmmc_check.report.gate_text import gate_line, gate_table

_EPILOG = f"""\
examples:
  pmmc-check gate
      what {CONFIGURATION} in this folder lists
  pmmc-check gate specs traces --junit out.xml
      all specs and traces in two folders
  pmmc-check gate --changed-since origin/main --format github
      what a pull request can affect, with annotations
  pmmc-check gate --shard 2/4
      the second quarter, for a matrix of machines

exit codes: 0 all as expected; 1 one is not; 2 usage or bad input;
            3 one is inconclusive, and not allowed to be, or a signal stopped it
"""

Content = Callable[[GateReport], str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "paths", nargs="*", metavar="FILE|DIR", help=f"specs and traces; directories are searched (default: {CONFIGURATION})"
    )
    parser.add_argument("--config", metavar="FILE", help=f"what to check and what to expect (default: {CONFIGURATION}, if there is one)")
    choice = parser.add_argument_group("which checks")
    choice.add_argument("--changed-since", metavar="REV", help="only what a change since this git revision can affect")
    choice.add_argument("--shard", metavar="I/N", help="only part I of N")
    how = parser.add_argument_group("how")
    how.add_argument("--jobs", type=int, metavar="N", help="checks at the same time (default: one for each core, as memory allows)")
    how.add_argument("--time-limit", type=float, metavar="SECONDS", help="of each check that has none of its own (default: 600)")
    how.add_argument("--memory-limit", type=int, metavar="MIB", help="likewise (default: 2048)")
    how.add_argument("--no-cache", action="store_true", help="execute all checks, and remember none")
    out = parser.add_argument_group("output")
    out.add_argument(
        "--format", choices=("text", "json", "github"), default="text", help="text (default), one JSON object, or text for GitHub"
    )
    out.add_argument("--junit", metavar="FILE", help="also write JUnit XML")
    out.add_argument("--json", metavar="FILE", help="also write the JSON object")
    out.add_argument("--sarif", metavar="FILE", help="also write SARIF 2.1.0")
    configure_html(out, "a table of all checks, with the runs of those that are not as expected,")
    out.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="colours: auto (default) on a terminal")
    out.add_argument("--quiet", action="store_true", help="no progress line")


def run(arguments: argparse.Namespace) -> int:
    """Runs the checks; the exit code says whether all are as expected."""
    options = _options(arguments)
    named = _files(arguments)
    checks = chosen_checks(options)
    with ExitStack() as stack:
        files = [(stack.enter_context(OutputFile(f"--{option}", name)), content) for option, name, content in named]
        report = _passed(checks, options, arguments)
        try:
            _print(report, arguments)
        finally:
            for file, content in files:
                file.write(content(report))
                file.commit()
    return EXIT_INCONCLUSIVE if report.interrupted else gate_exit_code(report.checks)


def _options(arguments: argparse.Namespace) -> GateOptions:
    given = {each.name: getattr(arguments, each.name) for each in fields(GateOptions) if hasattr(arguments, each.name)}
    return GateOptions(**given, remember=not arguments.no_cache)


def _files(arguments: argparse.Namespace) -> list[tuple[str, str, Content]]:
    """The option, the name and the content of each file to write."""
    contents: dict[str, Content] = {
        "junit": GateReport.junit,
        "json": lambda report: f"{json.dumps(report.to_json(), indent=1)}\n",
        "sarif": lambda report: f"{json.dumps(report.to_sarif(), indent=1)}\n",
        "html": lambda report: gate_page(report.checks),
    }
    files = [
        (option, getattr(arguments, option), content) for option, content in contents.items() if getattr(arguments, option) is not None
    ]
    plain = [os.path.realpath(name) for _, name, _ in files if os.path.isfile(name) or not os.path.exists(name)]
    if len(set(plain)) < len(plain):
        raise UsageError("--junit, --json, --sarif and --html: two of them name the same file; give each a file of its own")
    return files


def _passed(checks: Sequence[Check], options: GateOptions, arguments: argparse.Namespace) -> GateReport:
    """Runs the checks and tells of each when it ends. Ctrl-C gives what is known so far."""
    found: dict[int, CheckResult] = {}
    interrupted = False
    with progress_line(arguments.quiet) as tell:
        try:
            with closing(results_of_checks(checks, options, lambda check: tell(f"running {check.name}"))) as results:
                for number, result in results:
                    found[number] = result
                    _say(result, len(found), len(checks), arguments)
        except KeyboardInterrupt:
            interrupted = True
    return GateReport(tuple(found[number] for number in sorted(found)), interrupted)


def _say(result: CheckResult, number: int, total: int, arguments: argparse.Namespace) -> None:
    if arguments.format != "json":
        print_results(gate_line(result, number, total))
    if arguments.format == "github":
        print_results(*workflow_commands(result))


def _print(report: GateReport, arguments: argparse.Namespace) -> None:
    if arguments.format == "json":
        print_results(json.dumps(report.to_json()))
        return
    print_results(gate_table(report.checks, layout(sys.stdout, arguments.color)).removesuffix("\n"))
    if report.interrupted:
        print_results("interrupted: the checks that are not listed were not finished")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if arguments.format == "github" and summary:
        before = Path(summary).read_text(encoding="utf-8", errors="replace") if os.path.isfile(summary) else ""
        with OutputFile("GITHUB_STEP_SUMMARY", summary) as file:
            file.write(before + report.markdown())
