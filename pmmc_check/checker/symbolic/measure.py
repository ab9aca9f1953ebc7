"""What a diagram says: how many vectors its set has, and how often each step is taken from them, as exact integers of any size."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.symbolic import collect
from pmmc_check.checker.symbolic.diagrams import Diagrams
from pmmc_check.checker.symbolic.events import Stopped
from pmmc_check.checker.symbolic.nodes import LEVEL, NO_VECTOR, UNIT
from pmmc_check.checker.symbolic.views import ViewSystem

Counts = NDArray[np.int64]
"""One row a node (or value): a whole number as limbs of `collect.LIMB_BITS` bits, least first."""


class Measure:
    """Counts in the set of `root`, the only one that the diagrams still hold (see `Diagrams.collect`)."""

    def __init__(self, diagrams: Diagrams, root: int) -> None:
        self.diagrams = diagrams
        self.root = root
        self.top = diagrams.levels if root != NO_VECTOR else 0
        node, count = diagrams.node, diagrams.nodes
        self.levels = [np.flatnonzero(node[:count, LEVEL] == level).astype(np.int64) for level in range(self.top + 1)]
        bits = sum(len(self.values(level)).bit_length() for level in range(1, self.top + 1))
        self._limbs = 2 + bits // collect.LIMB_BITS
        self.below, self.above = self._zeros(count), self._zeros(count)
        self.below[UNIT, 0] = self.above[root, 0] = 1
        for level in range(1, self.top + 1):
            self._count_below(level, self.below, self.below)
        for level in range(self.top, 1, -1):
            self._count_above(level, self.above, self.above)
        self._scratch_below, self._scratch_above = self._zeros(count), self._zeros(count)

    @property
    def states(self) -> int:
        """How many vectors there are."""
        return _integer(self.below[self.root])

    def values(self, level: int) -> list[int]:
        """The values that occur at a level."""
        seen: NDArray[np.uint8] = np.zeros(len(self.diagrams.events.place), np.uint8)
        collect.note_values(self.diagrams.node, self.diagrams.edge, self.levels[level], seen)
        found: list[int] = np.flatnonzero(seen).tolist()
        return found

    def states_with(self, level: int, values: Iterable[int]) -> dict[int, int]:
        """How many vectors have each of `values` at `level`."""
        totals = self._by_value(level, self.above, self.below)
        return {value: _integer(totals[value]) for value in values}

    def steps_taken(self, system: ViewSystem) -> dict[int, int]:
        """How many states take each step of the tables. One that changes nothing is none, and one that somebody refuses cannot be taken.

        Raises:
            Stopped: a limit was reached.
        """
        marginals = {level: self._by_value(level, self.above, self.below) for level in range(1, self.top + 1)}
        taken: dict[int, int] = {}
        for number, (event, steps) in enumerate(system.steps.items()):
            if number % 16 == 15 and self.diagrams.watch(0):
                raise Stopped
            level = system.level_of(event)
            possible = self._with(event, level, collect.POSSIBLE) if system.may_refuse(event) else marginals[level]
            stays = self._with(event, level, collect.STAYS) if any(each.stays for each in steps) else None
            for each in steps:
                taken[each.number] = _integer(possible[each.view])
                if stays is not None and each.stays:
                    taken[each.number] -= _integer(stays[each.view])
        return taken

    def _with(self, event: int, level: int, which: int) -> Counts:
        """For each value at `level`: how many vectors have it there, and at each recipient's level a value that does not
        change (STAYS), or one that does not refuse (POSSIBLE)."""
        row = self.diagrams.events.event.data[event]
        functions = {each: int(row[1 + each]) for each in range(1, self.top + 1) if row[1 + each] >= 0 and each != level}
        below, above = self.below, self.above
        for each in range(min([level, *functions]), level):
            self._count_below(each, below, self._scratch_below, functions.get(each, -1), which)
            below = self._scratch_below
        for each in range(max([level, *functions]), level, -1):
            self._count_above(each, above, self._scratch_above, functions.get(each, -1), which)
            above = self._scratch_above
        return self._by_value(level, above, below)

    def _count_below(self, level: int, children: Counts, counts: Counts, function: int = -1, which: int = 0) -> None:
        tables, diagrams = self.diagrams.events, self.diagrams
        collect.count_below(
            diagrams.node, diagrams.edge, self.levels[level], children, counts,
            function, which, tables.keys, tables.ranges, tables.values.data,
        )  # fmt: skip

    def _count_above(self, level: int, parents: Counts, counts: Counts, function: int = -1, which: int = 0) -> None:
        tables, diagrams = self.diagrams.events, self.diagrams
        counts[self.levels[level - 1]] = 0
        collect.count_above(
            diagrams.node, diagrams.edge, self.levels[level], self.levels[level - 1], parents, counts,
            function, which, tables.keys, tables.ranges, tables.values.data,
        )  # fmt: skip

    def _by_value(self, level: int, above: Counts, below: Counts) -> Counts:
        totals = self._zeros(len(self.diagrams.events.place))
        collect.count_by_value(self.diagrams.node, self.diagrams.edge, self.levels[level], above, below, totals)
        return totals

    def _zeros(self, rows: int) -> Counts:
        return np.zeros((rows, self._limbs), np.int64)


def _integer(limbs: Iterable[int]) -> int:
    return sum(int(limb) << (collect.LIMB_BITS * place) for place, limb in enumerate(limbs))
