"""What validation answers: one `TraceVerdict` for each trace, as plain data that reports print."""

from __future__ import annotations

from dataclasses import dataclass

from pmmc_check.verdicts import ACCEPTED, BAD_INPUT, INCONCLUSIVE, REJECTED

SEVERITY = (ACCEPTED, INCONCLUSIVE, REJECTED, BAD_INPUT)
"""From best to worst: several traces together are as bad as the worst of them."""


@dataclass(frozen=True)
class Place:
    """An event as a report cites it."""

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class CitedViolation:
    """An invariant that recorded facts break."""

    invariant: str
    statement: str
    how: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Failure:
    """Why no legal run matches: the event at which that shows, and what a reader needs to see the reason.

    `nearest` are sends that nearly match, with the fields that differ; `enabled` is what the process could have done
    instead; `past` are the events that led there, cut to what concerns the failing event. `cycle` are logs that wait for each
    other, where that is the reason.
    """

    at: Place
    rule: str
    expected: str
    observed: str
    state: str = ""
    nearest: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    past: tuple[Place, ...] = ()
    cycle: tuple[str, ...] = ()


@dataclass(frozen=True)
class BranchCounts:
    """How often a run takes each branch of the protocol (`protocol/branches.py`), by name; only what complete logs show is counted.

    `reconfigures` and `has_noop` say whether runs like this one may have the branches that need that.
    """

    steps: tuple[tuple[str, int], ...]
    reconfigures: bool
    has_noop: bool
    partial: bool
    """Whether some processes have no complete log."""


@dataclass(frozen=True)
class TraceVerdict:
    """The verdict on one trace. `reason` says why it is inconclusive or cannot be read; `method` how it was judged.

    `notes` are remarks on the trace that hold whatever the verdict. `legal_run` says that a run was found that shows exactly these
    logs; under a variant it may break invariants, and is rejected all the same.
    """

    file: str
    verdict: str
    events: int = 0
    violations: tuple[CitedViolation, ...] = ()
    failure: Failure | None = None
    reason: str | None = None
    method: str = "replay"
    seconds: float = 0.0
    states: int = 0
    notes: tuple[str, ...] = ()
    legal_run: bool = False
    coverage: BranchCounts | None = None
    """What an accepted run has reached, if that was asked for."""


def worst(verdicts: list[TraceVerdict]) -> str:
    """The worst of some verdicts: the verdict on all traces together."""
    return max((each.verdict for each in verdicts), key=SEVERITY.index, default=BAD_INPUT)
