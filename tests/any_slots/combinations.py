"""Every reachable combination of local states, gathered while a search runs, and what a projection leaves of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from helpers import Control, Limits, Model, reductions_named
from numpy.typing import NDArray

from pmmc_check.checker.any_slots.projection import GONE, Projection
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.protocol import ProcessId
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, LEADER, SCOUT
from pmmc_check.verdicts import HOLDS

Combination = frozenset[tuple[ProcessId, Any]]
"""The local state of each process that takes part."""
OF_A_SLOT = (ACCEPTOR, SCOUT, COMMANDER, LEADER)


class Gathering(CompiledSearch):
    """A search that remembers which local states it has met together."""

    rows: NDArray[np.int32] | None = None

    def _explore_batch(self, vectors: NDArray[np.int32], level: int) -> None:
        states = np.array([view.state for view in self.tables.views], np.int32)
        met = _distinct(states[vectors[:, self.columns]])
        self.rows = met if self.rows is None else _distinct(np.concatenate([self.rows, met]))
        super()._explore_batch(vectors, level)

    @property
    def columns(self) -> list[int]:
        return [i for i, process in enumerate(self.model.processes) if process.role in OF_A_SLOT]


def _distinct(rows: NDArray[np.int32]) -> NDArray[np.int32]:
    packed = np.ascontiguousarray(rows).view([("", rows.dtype)] * rows.shape[1])
    return np.unique(packed).view(rows.dtype).reshape(-1, rows.shape[1])


def combinations(model: Model, reduce: str = "none", seconds: float | None = None) -> list[dict[ProcessId, Any]] | None:
    """All combinations of local states of acceptors, scouts, commanders and leaders; None when the search does not end in time."""
    search = Gathering(model, (), Control(Limits(seconds_max=seconds)), reductions_named(reduce), 2)
    if search.run().verdict != HOLDS:
        return None
    assert search.rows is not None
    processes = [model.processes[i] for i in search.columns]
    states = search.locals.states
    return [{process: states[number][1] for process, number in zip(processes, row, strict=True)} for row in search.rows.tolist()]


def projected(met: list[dict[ProcessId, Any]], projection: Projection) -> set[Combination]:
    """What is left of each combination. Where ballots are mapped, of each leader only what it is in its present ballot."""
    return {_projected(each, projection) for each in met}


def _projected(combination: dict[ProcessId, Any], projection: Projection) -> Combination:
    left = []
    for process, state in combination.items():
        image = projection.of(process)
        if process.role == LEADER and projection.renames_leaders:
            if isinstance(state, Lifecycle | Crashed):
                continue
            image = projection.leader(process, state.ballot)
        if image is not GONE and not (projection.renames_leaders and state is Lifecycle.NOT_STARTED):
            left.append((image, projection.of(state)))
    return frozenset(left)


def missing(larger: set[Combination], smaller: list[dict[ProcessId, Any]]) -> Iterator[Combination]:
    """Those of `larger` that `smaller` has not: each is compared in the processes that it names."""
    by_processes: dict[frozenset[ProcessId], set[Combination]] = {}
    for each in larger:
        processes = frozenset(process for process, _ in each)
        if processes not in by_processes:
            by_processes[processes] = {frozenset((process, one[process]) for process in processes) for one in smaller}
        if each not in by_processes[processes]:
            yield each
