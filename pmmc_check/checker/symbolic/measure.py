"""What a diagram says: how many vectors its set has, and how many of them have a value, as exact integers of any size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.symbolic import collect
from pmmc_check.checker.symbolic.diagrams import Diagrams
from pmmc_check.checker.symbolic.layout import COUNT, HEIGHT, LEVEL, NO_VECTOR, UNIT

Counts = NDArray[np.int64]
"""One row a node (or value): a whole number as limbs of `collect.LIMB_BITS` bits, least first."""


class Measure:
    """Counts in the set of `root`, the only one that the diagrams still hold (see `Diagrams.collect`); no level is added meanwhile."""

    def __init__(self, diagrams: Diagrams, root: int) -> None:
        self.diagrams = diagrams
        self.root = root
        levels, count = diagrams.events.level.data, diagrams.rows
        heights = levels[diagrams.node[:count, LEVEL], HEIGHT]
        self._rising = np.argsort(heights, kind="stable").astype(np.int64)
        self._rising = self._rising[diagrams.node[self._rising, COUNT] > 0] if root != NO_VECTOR else self._rising[:0]
        self._first = np.searchsorted(heights[self._rising], np.arange(diagrams.events.levels + 2))
        roughly = np.zeros(count)
        roughly[UNIT] = 1.0
        collect.estimate(diagrams.node, diagrams.edge, self._rising, roughly)
        self._limbs = 2 + int(np.log2(max(1.0, roughly[root]))) // collect.LIMB_BITS
        self._free = np.full(len(levels), -1, np.int64)
        self._open = np.zeros(diagrams.events.levels + 1, np.int64)
        self.below, self.above = self._zeros(count), self._zeros(count)
        self.below[UNIT, 0] = self.above[root, 0] = 1
        self._count_below((1, diagrams.events.levels), self._free, 0, self._open, self.below)
        self._count_above(self._free, 0, self._open, self.above)
        self._scratch_below, self._scratch_above = self._zeros(count), self._zeros(count)

    @property
    def states(self) -> int:
        """How many vectors there are."""
        return _integer(self.below[self.root])

    def values(self, level: int) -> list[int]:
        """The values that edges have at a level."""
        seen: NDArray[np.uint8] = np.zeros(len(self.diagrams.events.place), np.uint8)
        collect.note_values(self.diagrams.node, self.diagrams.edge, self._at(level), seen)
        found: list[int] = np.flatnonzero(seen).tolist()
        return found

    def states_with(self, level: int, restricted: Mapping[int, int] | None = None, which: int = collect.POSSIBLE) -> ValueCounts:
        """For each value at `level`, a full one: how many vectors have it there, and at each other level that `restricted` gives a function
        for, a value that this does not change (STAYS), or one that it can be applied to (POSSIBLE)."""
        restricted = restricted or {}
        events = self.diagrams.events
        functions, barred = self._free.copy(), np.zeros(len(self._open), np.int64)
        for other, function in restricted.items():
            functions[other] = function
            absent = events.absent(other)
            if absent >= 0 and not self._counts_here(function, which, absent):
                barred[events.height(other) :] += 1
        height, heights = events.height(level), [events.height(other) for other in restricted]
        from_height, below, above = min([height, *heights]), self.below, self.above
        if from_height < height:
            below = self._scratch_below
            self._count_below((from_height, height - 1), functions, which, barred, below)
        if max([height, *heights]) > height:
            above = self._scratch_above
            above[:] = 0
            above[self.root, 0] = 1
            self._count_above(functions, which, barred, above)
        totals = self._zeros(len(events.place))
        collect.count_by_value(
            self.diagrams.node, self.diagrams.edge, events.level.data, self._at(level),
            from_height, above, self.below, below, barred, totals,
        )  # fmt: skip
        return ValueCounts(totals)

    def _counts_here(self, function: int, which: int, value: int) -> bool:
        tables = self.diagrams.events
        return bool(collect.counts_here(function, which, value, tables.keys, tables.ranges, tables.values.data))

    def _at(self, level: int) -> NDArray[np.int64]:
        height = self.diagrams.events.height(level)
        return self._rising[self._first[height] : self._first[height + 1]]

    def _count_below(self, heights: tuple[int, int], functions: Counts, which: int, barred: Counts, counts: Counts) -> None:
        tables, diagrams = self.diagrams.events, self.diagrams
        lowest, highest = heights
        collect.count_below(
            diagrams.node, diagrams.edge, tables.level.data, self._rising[self._first[lowest] : self._first[highest + 1]],
            lowest, self.below, counts, functions, which, barred, tables.keys, tables.ranges, tables.values.data,
        )  # fmt: skip

    def _count_above(self, functions: Counts, which: int, barred: Counts, counts: Counts) -> None:
        tables, diagrams = self.diagrams.events, self.diagrams
        collect.count_above(
            diagrams.node, diagrams.edge, tables.level.data, self._rising,
            counts, functions, which, barred, tables.keys, tables.ranges, tables.values.data,
        )  # fmt: skip

    def _zeros(self, rows: int) -> Counts:
        return np.zeros((rows, self._limbs), np.int64)


class ValueCounts:
    """A number of vectors for each value."""

    def __init__(self, totals: Counts) -> None:
        self._totals = totals

    def of(self, value: int) -> int:
        """How many vectors have it."""
        return _integer(self._totals[value]) if value < len(self._totals) else 0


def _integer(limbs: Iterable[int]) -> int:
    return sum(int(limb) << (collect.LIMB_BITS * place) for place, limb in enumerate(limbs))
