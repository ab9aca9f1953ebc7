"""What came of a run of a cluster, real or simulated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from pmmc_check.runtime.history import Asked, Linearizability


@dataclass
class RunResult:
    """Times are in seconds: `seconds` from the first request to the last answer. `states` are what each replica holds in the end, `leaders`
    those that a reconfiguration has led to."""

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

    @property
    def answered(self) -> int:
        """How many operations have a result."""
        return sum(each.result is not None for each in self.history)

    @property
    def replicas_agree(self) -> bool:
        """Whether all replicas hold the same."""
        return len(set(self.states.values())) <= 1

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
