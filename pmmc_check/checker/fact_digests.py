"""Digests of what one process shows about each slot: what compiled loops add up, to know a combination of facts again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmmc_check.model.content import Digest
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.observe import Fact
from pmmc_check.protocol.values import ProcessId


class FactDigests:
    """Rows of digests, one column a slot, 0 where nothing is shown; and one more column, where an invariant is asked of all slots at once.

    `by_role`: a process counts by its role only, since invariants do not tell acceptors apart. (With symmetry it has to.)
    """

    def __init__(self, checks: Checks, slots: int, *, by_role: bool) -> None:
        self._checks = checks
        self._slots = slots
        self._by_role = by_role
        self._content = Digest()
        self._known: dict[tuple[ProcessId, frozenset[Fact]], NDArray[np.uint64]] = {}

    def of(self, process: ProcessId, facts: frozenset[Fact]) -> NDArray[np.uint64]:
        """The row of a process that shows these facts."""
        row = self._known.get((process, facts))
        if row is None:
            row = self._known[process, facts] = self._computed(process, facts)
        return row

    def _computed(self, process: ProcessId, facts: frozenset[Fact]) -> NDArray[np.uint64]:
        row = np.zeros(self._slots + self._checks.at_once, np.uint64)
        who: Any = process.role if self._by_role else process
        for slot in {fact.slot for fact in facts}:
            if 1 <= slot <= self._slots:
                row[slot - 1] = self._content.order((who, frozenset(fact for fact in facts if fact.slot == slot)))
        if self._checks.at_once and (everything := self._checks.seen_at_once(facts)):
            row[self._slots] = self._content.order(("at once", process, everything))
        return row
