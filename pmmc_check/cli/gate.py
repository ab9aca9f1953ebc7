"""`pmmc-check gate`: all specs and traces of a project, compared with what is expected of them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from pmmc_check.api.machine import cores
from pmmc_check.cli.failures import EXIT_INCONCLUSIVE
from pmmc_check.cli.outputs import OutputFile, print_results
from pmmc_check.cli.progress import progress_line
from pmmc_check.cli.terminal import layout
from pmmc_check.errors import UsageError
from pmmc_check.gating.checks import Check, CheckLimits, CheckResult, gate_exit_code
from pmmc_check.gating.configuration import CONFIGURATION, GateConfiguration, read_configuration
from pmmc_check.gating.discovery import checks_of
from pmmc_check.gating.inputs import input_digest
from pmmc_check.gating.remembered import RememberedOutcomes
from pmmc_check.gating.schedule import outcomes
from pmmc_check.gating.selection import affected, share
from pmmc_check.report.gate_github import step_summary, workflow_commands
from pmmc_check.report.gate_json import gate_as_json
from pmmc_check.report.gate_junit import gate_as_junit
from pmmc_check.report.gate_sarif import gate_as_sarif
from pmmc_check.report.gate_text import gate_line, gate_table

_EPILOG = f"""\
examples:
  pmmc-check gate                            what {CONFIGURATION} in this folder lists
  pmmc-check gate specs traces --junit out.xml
                                             all specs and traces in two folders
  pmmc-check gate --changed-since origin/main --format github
                                             what a pull request can affect, with annotations
  pmmc-check gate --shard 2/4                the second quarter, for a matrix of machines

exit codes: 0 all as expected; 1 one is not; 2 usage or bad input; 3 one is inconclusive (and not allowed to be), or a signal stopped it
"""

Content = Callable[[Sequence[CheckResult], bool], str]


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
    how.add_argument(
        "--jobs", type=int, default=0, metavar="N", help="checks at the same time (default: one for each core, as memory allows)"
    )
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
    out.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="colours: auto (default) on a terminal")
    out.add_argument("--quiet", action="store_true", help="no progress line")


def run(arguments: argparse.Namespace) -> int:
    """Runs the checks; the exit code says whether all are as expected."""
    checks = _chosen(arguments)
    with ExitStack() as stack:
        files = [(stack.enter_context(OutputFile(f"--{option}", name)), content) for option, name, content in _files(arguments)]
        results, interrupted = _results(checks, arguments)
        try:
            _report(results, interrupted, arguments)
        finally:
            for file, content in files:
                file.write(content(results, interrupted))
                file.commit()
    return EXIT_INCONCLUSIVE if interrupted else gate_exit_code(results)


def _chosen(arguments: argparse.Namespace) -> list[Check]:
    """Raises `UsageError` where there is nothing to check at all."""
    if arguments.jobs < 0:
        raise UsageError("--jobs: must be at least 1")
    configuration = _configuration(arguments)
    limits = configuration.limits
    given = CheckLimits(
        limits.seconds if arguments.time_limit is None else arguments.time_limit,
        limits.mebibytes if arguments.memory_limit is None else arguments.memory_limit,
    )
    if not 0 < given.seconds < float("inf") or given.mebibytes < 1:
        raise UsageError("--time-limit and --memory-limit: must be positive")
    checks = checks_of(arguments.paths, configuration, given)
    if not checks:
        named = configuration.file or f"a file {CONFIGURATION}"
        raise UsageError(f"nothing to check: give specs, traces or directories, or list checks in {named}")
    if arguments.changed_since is not None:
        checks = affected(checks, arguments.changed_since, configuration.file)
    return checks if arguments.shard is None else share(checks, arguments.shard)


def _configuration(arguments: argparse.Namespace) -> GateConfiguration:
    if arguments.config is None and not os.path.exists(CONFIGURATION):
        return GateConfiguration()
    return read_configuration(Path(arguments.config or CONFIGURATION))


def _files(arguments: argparse.Namespace) -> list[tuple[str, str, Content]]:
    """The option, the name and the content of each file to write."""
    contents: dict[str, Content] = {
        "junit": lambda results, interrupted: gate_as_junit(results),
        "json": lambda results, interrupted: f"{json.dumps(gate_as_json(results, interrupted), indent=1)}\n",
        "sarif": lambda results, interrupted: f"{json.dumps(gate_as_sarif(results, interrupted), indent=1)}\n",
    }
    files = [
        (option, getattr(arguments, option), content) for option, content in contents.items() if getattr(arguments, option) is not None
    ]
    plain = [os.path.realpath(name) for _, name, _ in files if os.path.isfile(name) or not os.path.exists(name)]
    if len(set(plain)) < len(plain):
        raise UsageError("--junit, --json and --sarif: two of them name the same file; give each a file of its own")
    return files


def _results(checks: Sequence[Check], arguments: argparse.Namespace) -> tuple[list[CheckResult], bool]:
    """The result of each check, in the order of `checks`, and whether they were interrupted; then some are missing."""
    from pmmc_check.cli.check_process import check_command

    results: dict[int, CheckResult] = {}
    numbers = {id(each): number for number, each in enumerate(checks)}

    def ended(result: CheckResult) -> None:
        results[numbers[id(result.check)]] = result
        _say(result, len(results), len(checks), arguments)

    remembered = None if arguments.no_cache else RememberedOutcomes()
    fingerprints: dict[int, str | None] = {}
    interrupted = False
    try:
        for each in checks:
            known = None
            if remembered is not None:
                fingerprints[id(each)] = input_digest(each)
                known = remembered.find(fingerprints[id(each)])
            if known is not None:
                ended(CheckResult(each, known, remembered=True))
        left = [each for number, each in enumerate(checks) if number not in results]
        with progress_line(arguments.quiet) as report:
            for check, outcome in outcomes(
                left, check_command(), arguments.jobs or cores(), cores(), lambda check: report(f"running {check.name}")
            ):
                if remembered is not None and input_digest(check) == fingerprints[id(check)]:  # it was not changed meanwhile
                    remembered.keep(fingerprints[id(check)], outcome)
                ended(CheckResult(check, outcome))
        if remembered is not None and left:
            remembered.tidy()
    except KeyboardInterrupt:
        interrupted = True
    return [results[number] for number in sorted(results)], interrupted


def _say(result: CheckResult, number: int, total: int, arguments: argparse.Namespace) -> None:
    if arguments.format != "json":
        print_results(gate_line(result, number, total))
    if arguments.format == "github":
        print_results(*workflow_commands(result))


def _report(results: Sequence[CheckResult], interrupted: bool, arguments: argparse.Namespace) -> None:
    if arguments.format == "json":
        print_results(json.dumps(gate_as_json(results, interrupted)))
        return
    print_results("", gate_table(results, layout(sys.stdout, arguments.color)).removesuffix("\n"))
    if interrupted:
        print_results("interrupted: the checks that are not listed were not finished")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if arguments.format == "github" and summary:
        before = Path(summary).read_text(encoding="utf-8", errors="replace") if os.path.isfile(summary) else ""
        with OutputFile("GITHUB_STEP_SUMMARY", summary) as file:
            file.write(before + step_summary(results))
