"""Which combinations of observed facts have been evaluated: relation invariants are called once for each distinct one.

The kernel adds up the digests of what each process shows about a slot and looks the sum up here. A sum does not
depend on the order of the processes, so with symmetry, where a process counts by its role, one evaluation serves all
renamings of acceptors and replicas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.kernel import FACTS_SHIFT
from pmmc_check.properties.checks import Checks, Violated
from pmmc_check.properties.observe import Fact, Observed

if TYPE_CHECKING:
    from pmmc_check.checker.deliveries import LocalDeliveries
    from pmmc_check.checker.tables import Tables


class KnownFacts:
    """An open-addressing set of digests that the kernel reads, and the evaluation of those that it lacks.

    `observed` holds the reachable combinations themselves, by digest: what a test compares between reductions.
    """

    def __init__(self, checks: Checks, tables: Tables | LocalDeliveries) -> None:
        self.checks = checks
        self.tables = tables
        self.digests: NDArray[np.uint64] = np.zeros(1 << 12, np.uint64)
        self.observed: dict[int, Observed] = {}
        self._verdicts: dict[int, Violated | None] = {}
        self._known: set[int] = set()
        self._shown: dict[int, frozenset[Fact]] = {}

    def evaluate(self, vector: Sequence[int], slot: int) -> Violated | None:
        """What the facts about slot number `slot` (from 0), or those in the column for all at once, break in the state `vector`."""
        digest = sum(self.tables.observed.data[vector, slot].tolist()) & 0xFFFFFFFFFFFFFFFF
        if digest not in self._verdicts:
            about = 0 if slot == self.tables.at_once else slot + 1
            self.observed[digest] = self._observed(vector, about)
            self._verdicts[digest] = self.checks.of_facts(self.observed[digest], about)
            self._remember(digest)
        return self._verdicts[digest]

    def knows(self, digest: int) -> bool:
        """Whether this combination has been evaluated."""
        return digest in self._known

    def known(self) -> NDArray[np.uint64]:
        """The digests of all that were evaluated, in no order."""
        return np.array(list(self._known), np.uint64)

    def know(self, digests: NDArray[np.uint64]) -> None:
        """Takes these for evaluated: an earlier part of the search has seen to them."""
        for digest in digests.tolist():
            self._remember(digest)

    def _observed(self, vector: Sequence[int], slot: int) -> Observed:
        observed: Observed = {}
        column = slot - 1 if slot else self.tables.at_once
        shown = self.tables.observed.data[vector, column].tolist()
        for process, view, digest in zip(self.tables.model.processes, vector, shown, strict=True):
            if digest:
                facts = self._shown.get(digest)
                if facts is None:
                    all_facts = self.tables.facts(view)
                    facts = frozenset(fact for fact in all_facts if fact.slot == slot) if slot else self.checks.seen_at_once(all_facts)
                    self._shown[digest] = facts
                observed[process] = facts
        return observed

    def _remember(self, digest: int) -> None:
        if digest in self._known:
            return
        self._known.add(digest)
        if 2 * len(self._known) > len(self.digests):
            self.digests = np.zeros(2 * len(self.digests), np.uint64)
            for known in self._known:
                self._insert(known)
        else:
            self._insert(digest)

    def _insert(self, digest: int) -> None:
        mask = len(self.digests) - 1
        place = (digest >> FACTS_SHIFT) & mask
        while self.digests[place] != 0:
            place = (place + 1) & mask
        self.digests[place] = digest
