"""What a gate checks, and what came out: plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pmmc_check.verdicts import ACCEPTED, BAD_INPUT, HOLDS, INCONCLUSIVE, REJECTED, VIOLATED
from pmmc_check.words import counted

SPEC, TRACE, SEARCH = "spec", "trace", "search"
"""The kinds of checks: a spec file, a recorded trace, and options of `explore` in pmmc-check.toml."""

CRASHED = "crashed"
"""The process of a check ended without a verdict."""

EXPECTABLE = (HOLDS, VIOLATED, ACCEPTED, REJECTED, INCONCLUSIVE, BAD_INPUT)
"""The verdicts that a check may be expected to have."""

AS_EXPECTED, ALLOWED, UNDECIDED, UNEXPECTED, UNUSABLE = "ok", "ok (inconclusive, allowed)", "inconclusive", "NOT AS EXPECTED", "BAD INPUT"
"""How a check ended, from best to worst."""

STATUSES = (AS_EXPECTED, ALLOWED, UNDECIDED, UNEXPECTED, UNUSABLE)
_EXITS = {AS_EXPECTED: 0, ALLOWED: 0, UNDECIDED: 3, UNEXPECTED: 1, UNUSABLE: 2}


@dataclass(frozen=True)
class CheckLimits:
    """Wall-clock seconds, and MiB of memory of a check's process and all that it starts."""

    seconds: float = 600.0
    mebibytes: int = 2048


DEFAULT_LIMITS = CheckLimits()


@dataclass(frozen=True)
class Check:
    """One thing to check.

    `arguments` are those of pmmc-check, run in `folder`. `files` are what the check reads: its spec, its trace, the files of a trace in
    parts. `expected` is a verdict; `states` is the exact number of distinct states, if that is expected too. `line` is the place in `file`
    to which a reader is sent, `property_lines` where a spec writes its invariants and witnesses.
    """

    name: str
    kind: str
    arguments: tuple[str, ...]
    folder: Path
    files: tuple[Path, ...]
    expected: str
    file: str
    line: int = 1
    states: int | None = None
    limits: CheckLimits = DEFAULT_LIMITS
    allow_inconclusive: bool = False
    property_lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class GateFinding:
    """A place that shows why a verdict is what it is."""

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class CheckOutcome:
    """What the process of a check found. `seconds` and `peak_bytes` are those of the process, and of an answer that is remembered those of
    the process that found it."""

    verdict: str
    reason: str = ""
    states: int | None = None
    findings: tuple[GateFinding, ...] = ()
    seconds: float = 0.0
    peak_bytes: int = 0


@dataclass(frozen=True)
class CheckResult:
    """A check with its outcome; `remembered`: nothing was executed, since nothing has changed."""

    check: Check
    outcome: CheckOutcome
    remembered: bool = False

    @property
    def expected(self) -> str:
        """The verdict that was expected."""
        return self.check.expected

    @property
    def status(self) -> str:
        """One of `STATUSES`."""
        verdict = self.outcome.verdict
        if verdict == self.expected:
            return AS_EXPECTED if self.difference is None else UNEXPECTED
        if verdict == INCONCLUSIVE:
            return ALLOWED if self.check.allow_inconclusive else UNDECIDED
        return UNUSABLE if verdict == BAD_INPUT else UNEXPECTED

    @property
    def difference(self) -> str | None:
        """What differs although the verdict is as expected; None where nothing does."""
        states = self.check.states
        if states is not None and self.outcome.states != states:
            return f"{counted(states, 'state')} expected, {self.outcome.states} found"
        return None

    @property
    def good(self) -> bool:
        """Whether it lets the gate pass."""
        return _EXITS[self.status] == 0

    @property
    def sentence(self) -> str:
        """What happened, in one line."""
        told = f"{self.outcome.verdict}, expected {self.expected}" if self.outcome.verdict != self.expected else self.outcome.verdict
        return ": ".join(filter(None, (told, self.difference or self.outcome.reason)))

    @property
    def findings(self) -> tuple[GateFinding, ...]:
        """The places to look at: those of the outcome, else that of the check itself."""
        return self.outcome.findings or (GateFinding(self.check.file, self.check.line, ""),)


def gate_exit_code(results: Iterable[CheckResult]) -> int:
    """0 where all are as expected; else 2 with bad input, 1 with an unexpected verdict, 3 where some are only inconclusive."""
    return _EXITS[max((each.status for each in results), key=STATUSES.index, default=AS_EXPECTED)]
