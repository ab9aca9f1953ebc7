"""What came of a run of a cluster, real or simulated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from pmmc_check.protocol.values import ProcessId
from pmmc_check.runtime.history import Asked, Linearizability


@dataclass(frozen=True)
class Reconfiguration:
    """`wanted` are the leaders that were asked for, `has` the names of those that each replica has for its next slot."""

    wanted: tuple[ProcessId, ...]
    has: Mapping[str, tuple[str, ...]]

    @property
    def late(self) -> list[str]:
        """The replicas that do not have them."""
        return [name for name, found in self.has.items() if found != tuple(map(str, self.wanted))]

    @property
    def leaders(self) -> tuple[str, ...]:
        """Those that it has led to: none unless all replicas have them."""
        return tuple(map(str, self.wanted)) if not self.late else ()

    @property
    def errors(self) -> list[str]:
        """What is wrong with it, in words."""
        return [f"{name}: does not have the leaders of the reconfiguration" for name in self.late]


NOT_RECONFIGURED = Reconfiguration((), {})
"""Of a run that was not to be."""


@dataclass
class RunResult:
    """Times are in seconds: `seconds` from the first request to the last answer. `states` are what each replica holds in the end, after
    `performed` slots; `leaders` those that a reconfiguration has led to."""

    asked: int
    history: list[Asked]
    states: dict[str, str]
    counts: Counter[str]
    seconds: float
    faults: Counter[str]
    linearizability: Linearizability
    errors: list[str] = field(default_factory=list)
    decided: int = 0
    leaders: tuple[str, ...] = ()
    performed: dict[str, int] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        """How many operations have a result."""
        return sum(each.result is not None for each in self.history)

    @property
    def replicas_agree(self) -> bool:
        """Whether all replicas that have performed as many slots hold the same: one that is behind, when a run is ended early, does not
        differ."""
        return len({(self.performed.get(name), state) for name, state in self.states.items()}) <= max(1, len(self._ends))

    @property
    def _ends(self) -> set[int | None]:
        return {self.performed.get(name) for name in self.states}

    @property
    def failures(self) -> list[str]:
        """What is wrong with it, in words; its trace is judged elsewhere."""
        found = list(self.errors)
        if not self.asked:
            found.append("nothing was asked, so nothing was checked")
        if self.answered < self.asked:
            found.append(f"{self.asked - self.answered} of {self.asked} requests were not answered")
        if not self.replicas_agree:
            found.append("replicas differ: " + "; ".join(f"{name} holds {state}" for name, state in self.states.items()))
        elif len(self._ends) > 1:
            behind = ", ".join(f"{name} {self.performed.get(name, 0):,}" for name in self.states)
            found.append(f"replicas have not performed equally many slots: {behind}")
        if self.linearizability.holds is False:
            shown = "; ".join(map(str, self.linearizability.stuck[:10]))
            found.append(f"the history is not linearizable: no order of these operations explains their results: {shown}")
        return found

    def latency(self, share: float) -> float:
        """So many of the answers, as a share of all, came within this time in seconds."""
        return percentile([each.returned - each.called for each in self.history if each.result is not None], share)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: the smallest of the values that at least this share of them does not exceed; 0 when there are none."""
    ordered = sorted(values)
    rank = ceil(round(share * len(ordered), 6))  # 0.07 of 100 is not quite 7
    return ordered[max(rank, 1) - 1] if ordered else 0.0
