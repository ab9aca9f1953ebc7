"""State constraints in the compiled search: which states lie within them, and what is checked of those that do not.

A state outside a constraint is reached, counted and checked, but no step is taken from it, as in TLC. Why the reductions keep the verdict:

inert, halting
    What they leave out changes nothing that a constraint reads (one that can tell that a process has stopped switches halting off), so a
    run and the same run without it are within the constraint alike.
deferral
    What a constraint reads is part of a process's facts, and a step that changes facts is never put off. So a step that is put off leads
    from within the constraint to within it, wherever in the run it is taken. What such a step may break is found in the state before the
    visible step that leads outside: the process that takes it has the same view there.
symmetry
    A constraint that names an acceptor, a replica or a command switches it off; any other has the same value in a renamed state."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.facts import KnownFacts
from pmmc_check.checker.tables import Tables
from pmmc_check.checker.workspace import Vectors
from pmmc_check.properties.checks import Checks, Violated


class Boundary:
    """Judges each distinct combination of what constraints read once, and recognises it by a sum of digests, one for each view."""

    def __init__(self, checks: Checks, tables: Tables, known: KnownFacts) -> None:
        self._checks = checks
        self._tables = tables
        self._known = known
        self._judged: dict[int, bool] = {}

    def within(self, vectors: Vectors) -> NDArray[np.bool_]:
        """Which of some states lie within the constraints."""
        sums = _sums(self._tables.bounded.data, vectors)
        distinct, first, which = np.unique(sums, return_index=True, return_inverse=True)
        judged = [self._judge(key, vectors[row].tolist()) for key, row in zip(distinct.tolist(), first, strict=True)]
        return np.array(judged, np.bool_)[which]

    def broken(self, vectors: Vectors) -> Iterator[tuple[Violated, NDArray[np.int64]]]:
        """What is broken in states that are not expanded, and in which of them: their numbers in `vectors`."""
        for column in range(self._tables.observed.data.shape[1]):
            sums = _sums(self._tables.observed.data[:, column], vectors)
            distinct, first = np.unique(sums, return_index=True)
            for key, row in zip(distinct.tolist(), first, strict=True):
                if key and (violated := self._known.evaluate(vectors[row].tolist(), column)):
                    yield violated, np.flatnonzero(sums == np.uint64(key))
        for view in np.unique(vectors).tolist():
            if violated := self._tables.locals.violated(self._tables.views[view].state):
                yield violated, np.flatnonzero((vectors == view).any(axis=1))

    def _judge(self, key: int, vector: list[int]) -> bool:
        if key not in self._judged:
            facts = zip(self._tables.model.processes, map(self._tables.facts, vector), strict=True)
            self._judged[key] = self._checks.within_constraints(dict(facts))
        return self._judged[key]


def _sums(digests: NDArray[np.uint64], vectors: Vectors) -> NDArray[np.uint64]:
    sums: NDArray[np.uint64] = np.zeros(len(vectors), np.uint64)
    for column in vectors.T:
        sums += digests[column]
    return sums
