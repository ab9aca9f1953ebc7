"""`gate`: many checks, each in a process of its own, compared with what is expected of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Self

from pmmc_check.api.failure import CheckFailed
from pmmc_check.api.gate_page import gate_page
from pmmc_check.api.machine import cores
from pmmc_check.errors import UsageError
from pmmc_check.gating.checks import DEFAULT_LIMITS, Check, CheckLimits, CheckResult, gate_exit_code
from pmmc_check.gating.configuration import CONFIGURATION, GateConfiguration, read_configuration
from pmmc_check.gating.discovery import checks_of
from pmmc_check.gating.inputs import input_digest
from pmmc_check.gating.remembered import RememberedOutcomes
from pmmc_check.gating.schedule import outcomes
from pmmc_check.gating.selection import affected, share, share_named
from pmmc_check.report.gate_github import step_summary
from pmmc_check.report.gate_json import gate_as_json, gate_verdict
from pmmc_check.report.gate_junit import gate_as_junit
from pmmc_check.report.gate_sarif import gate_as_sarif
from pmmc_check.report.gate_text import gate_counts, gate_table
from pmmc_check.report.layout import Layout
from pmmc_check.report.notebook import TableOfHtml, summary_html


@dataclass(frozen=True)
class GateReport:
    """What `gate` found, in the order of the checks; those that an interruption left out are missing."""

    checks: tuple[CheckResult, ...]
    interrupted: bool = False

    @property
    def verdict(self) -> str:
        """`as expected`, `not as expected`, `bad input` or `inconclusive`: the worst of all checks."""
        return gate_verdict(self.checks, self.interrupted)

    @property
    def passed(self) -> bool:
        """Whether every check is as expected, or inconclusive where that is allowed."""
        return not self.interrupted and gate_exit_code(self.checks) == 0

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that stop the gate."""
        return tuple(each for each in self.checks if not each.good)

    def to_json(self) -> dict[str, Any]:
        """The object that `gate --format json` prints, as dictionaries and lists."""
        return gate_as_json(self.checks, self.interrupted)

    def to_sarif(self) -> dict[str, Any]:
        """SARIF 2.1.0, as dictionaries and lists; paths are relative to the current folder."""
        return gate_as_sarif(self.checks, self.interrupted)

    def junit(self) -> str:
        """JUnit XML."""
        return gate_as_junit(self.checks)

    def markdown(self) -> str:
        """A table of all checks in Markdown, for a summary."""
        return step_summary(self.checks)

    def text(self, width: int = 120) -> str:
        """The table that `gate` prints."""
        return gate_table(self.checks, Layout(width))

    def explanation(self) -> str:
        """How many checks ended how, and a line for each that stops the gate."""
        return "\n".join([gate_counts(self.checks), *(f"{each.status}: {each.check.name}: {each.sentence}" for each in self.failures)])

    def assert_passed(self) -> Self:
        """For tests; returns itself.

        Raises:
            CheckFailed: an AssertionError: a check is not as expected; the text is the explanation.
        """
        if not self.passed:
            raise CheckFailed(self.explanation())
        return self

    def page(self) -> str:
        """One HTML page with a table of all checks and the runs of those that are not as expected, which are executed once more for it."""
        return gate_page(self.checks)

    def _repr_html_(self) -> str:
        heads = ("check", "expected", "verdict", "states", "seconds", "")
        rows = [
            (
                each.check.name,
                each.expected,
                each.outcome.verdict,
                "" if each.outcome.states is None else f"{each.outcome.states:,}",
                f"{each.outcome.seconds:.1f}",
                each.status,
            )
            for each in self.checks
        ]
        return summary_html(self.verdict, self.explanation(), [TableOfHtml("checks", heads, rows, open=True)], self.text())


@dataclass(frozen=True)
class GateOptions:
    """The options of `gate`, named as on the command line; `time_limit` in seconds and `memory_limit` in MiB, of a check that has none of
    its own. `remember`: outcomes of unchanged checks are taken from earlier runs, and kept for later ones."""

    paths: Sequence[str] = ()
    config: str | None = None
    changed_since: str | None = None
    shard: str | None = None
    jobs: int | None = None
    time_limit: float | None = None
    memory_limit: int | None = None
    remember: bool = True


def gate(
    *paths: str | PathLike[str],
    config: str | PathLike[str] | None = None,
    changed_since: str | None = None,
    shard: str | None = None,
    jobs: int | None = None,
    time_limit: float | None = None,
    memory_limit: int | None = None,
    remember: bool = True,
    progress: Callable[[CheckResult, int, int], None] | None = None,
) -> GateReport:
    """Runs specs and traces (files and folders; without any, what `pmmc-check.toml` lists) and compares their verdicts with the expected
    ones; the options are the command's (docs/gate.md).

    `progress` is called when a check has ended: with its result, with how many have ended, and with how many there are. What it raises
    ends all checks and is passed on.

    Raises:
        UsageError: there is nothing to check, or an option, a path or the configuration is wrong.
    """
    named = None if config is None else fspath(config)
    options = GateOptions([fspath(each) for each in paths], named, changed_since, shard, jobs, time_limit, memory_limit, remember)
    checks = chosen_checks(options)
    found: dict[int, CheckResult] = {}
    with closing(results_of_checks(checks, options)) as results:
        for number, result in results:
            found[number] = result
            if progress:
                progress(result, len(found), len(checks))
    return GateReport(tuple(found[number] for number in sorted(found)))


def chosen_checks(options: GateOptions) -> list[Check]:
    """The checks that the options ask for; none where a change affects none.

    Raises:
        UsageError: there is nothing to check at all, or an option, a path or the configuration is wrong.
    """
    if options.jobs is not None and options.jobs < 1:
        raise UsageError("--jobs: must be at least 1")
    part, parts = (1, 1) if options.shard is None else share_named(options.shard)
    _limits(options, DEFAULT_LIMITS)  # a wrong option is named before a wrong file
    configuration = _configuration(options)
    given = _limits(options, configuration.limits)
    checks = checks_of(options.paths, configuration, given)
    if not checks:
        named = configuration.file or f"a file {CONFIGURATION}"
        raise UsageError(f"nothing to check: give specs, traces or directories, or list checks in {named}")
    if options.changed_since is not None:
        checks = affected(checks, options.changed_since, configuration.file)
    return share(checks, part, parts)


def _limits(options: GateOptions, default: CheckLimits) -> CheckLimits:
    given = CheckLimits(
        default.seconds if options.time_limit is None else options.time_limit,
        default.mebibytes if options.memory_limit is None else options.memory_limit,
    )
    if not 0 < given.seconds < float("inf") or given.mebibytes < 1:
        raise UsageError("--time-limit and --memory-limit: must be positive")
    return given


def _configuration(options: GateOptions) -> GateConfiguration:
    if options.config is None and not os.path.exists(CONFIGURATION):
        return GateConfiguration()
    return read_configuration(Path(options.config or CONFIGURATION))


def results_of_checks(
    checks: Sequence[Check], options: GateOptions, started: Callable[[Check], None] = lambda check: None
) -> Generator[tuple[int, CheckResult], None, None]:
    """Each check's number and result, as it ends; those that are remembered first. When it is closed, no process is left behind."""
    remembered = RememberedOutcomes() if options.remember else None
    digests = [input_digest(each) if remembered else None for each in checks]
    left = dict(enumerate(checks))
    for number, check in enumerate(checks):
        known = remembered.find(digests[number]) if remembered else None
        if known is not None:
            del left[number]
            yield number, CheckResult(check, known, remembered=True)
    numbers = list(left)
    with closing(outcomes(list(left.values()), options.jobs or cores(), cores(), started)) as ended:
        for position, outcome in ended:
            number = numbers[position]
            if remembered and input_digest(checks[number]) == digests[number]:  # it was not changed meanwhile
                remembered.keep(digests[number], outcome)
            yield number, CheckResult(checks[number], outcome)
    if remembered and left:
        remembered.tidy()
