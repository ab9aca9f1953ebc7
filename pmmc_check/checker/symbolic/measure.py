"""What a diagram says: how many vectors its set has, and how many of them have a value, as exact integers of any size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.symbolic import collect
from pmmc_check.checker.symbolic.diagrams import Diagrams
from pmmc_check.checker.symbolic.layout import COUNT, FIRST, FOR_ANYTHING, HEIGHT, LEVEL, UNIT

_FIRST_NODE = UNIT + 1
Counts = NDArray[np.int64]
"""One row a node (or value): a whole number as limbs of `collect.LIMB_BITS` bits, least first."""


class Measure:
    """Counts in the set of `root`, the only one that the diagrams still hold (see `Diagrams.collect`); no level is added meanwhile."""

    def __init__(self, diagrams: Diagrams, root: int) -> None:
        self.diagrams = diagrams
        levels = diagrams.events.level.data
        self._node, self._edge, self.root = _by_height(diagrams, root)
        heights = levels[self._node[:, LEVEL], HEIGHT]
        self._first = np.searchsorted(heights[_FIRST_NODE:], np.arange(diagrams.events.levels + 2)) + _FIRST_NODE
        roughly = np.zeros(len(self._node))
        roughly[UNIT] = 1.0
        collect.estimate(self._node, self._edge, _FIRST_NODE, roughly)
        self._limbs = 2 + int(np.log2(max(1.0, roughly[self.root]))) // collect.LIMB_BITS
        self._free = np.full(len(levels), -1, np.int64)
        self._open = np.zeros(diagrams.events.levels + 1, np.int64)
        self.below, self.above = self._zeros(len(self._node)), self._zeros(len(self._node))
        self.below[UNIT, 0] = self.above[self.root, 0] = 1
        self._count_below((1, diagrams.events.levels), self._free, 0, self._open, self.below)
        self._count_above(self._free, 0, self._open, self.above)
        self._scratch_below, self._scratch_above = self._zeros(len(self._node)), self._zeros(len(self._node))

    @property
    def states(self) -> int:
        """How many vectors there are."""
        return _integer(self.below[self.root])

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
            if which == collect.POSSIBLE and [events.asks.get(each) for each in restricted.values()] == [FOR_ANYTHING]:
                self._count_having(next(iter(restricted)), height, below)
            else:
                self._count_below((from_height, height - 1), functions, which, barred, below)
        if max([height, *heights]) > height:
            above = self._scratch_above
            above[:] = 0
            above[self.root, 0] = 1
            self._count_above(functions, which, barred, above)
        totals = self._zeros(len(events.place))
        collect.count_by_value(
            self._node, self._edge, events.level.data, *self._at(level), from_height, above, self.below, below, barred, totals,
        )  # fmt: skip
        return ValueCounts(totals)

    def _counts_here(self, function: int, which: int, value: int) -> bool:
        tables = self.diagrams.events
        return bool(collect.counts_here(function, which, value, tables.keys, tables.ranges, tables.values.data))

    def _at(self, level: int) -> tuple[int, int]:
        height = self.diagrams.events.height(level)
        return self._first[height], self._first[height + 1]

    def _count_having(self, level: int, height: int, counts: Counts) -> None:
        """Of nodes below `height`, how many of their vectors are not absent at a sparse level."""
        first, last = self._first[self.diagrams.events.height(level)], self._first[height]
        collect.count_having(
            self._node, self._edge, self.diagrams.sets, first, last, level, self.diagrams.events.absent(level), self.below, counts
        )

    def _count_below(self, heights: tuple[int, int], functions: Counts, which: int, barred: Counts, counts: Counts) -> None:
        tables, (lowest, highest) = self.diagrams.events, heights
        collect.count_below(
            self._node, self._edge, tables.level.data, self._first[lowest], self._first[highest + 1],
            lowest, self.below, counts, functions, which, barred, tables.keys, tables.ranges, tables.values.data,
        )  # fmt: skip

    def _count_above(self, functions: Counts, which: int, barred: Counts, counts: Counts) -> None:
        tables = self.diagrams.events
        collect.count_above(
            self._node, self._edge, tables.level.data, _FIRST_NODE, counts, functions, which, barred, tables.keys, tables.ranges,
            tables.values.data,
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


def _by_height(diagrams: Diagrams, root: int) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """Nodes and edges as in `diagrams`, and `root`, but the nodes numbered by height: so counting goes through memory from end to end."""
    node = diagrams.node[: diagrams.rows]
    heights = diagrams.events.level.data[node[:, LEVEL], HEIGHT]
    rising = np.argsort(heights, kind="stable")
    rising = np.concatenate([np.arange(_FIRST_NODE), rising[node[rising, COUNT] > 0]])
    number: NDArray[np.int32] = np.zeros(len(node), np.int32)
    number[rising] = np.arange(len(rising))
    node = node[rising]
    first = np.cumsum(node[:, COUNT]) - node[:, COUNT]
    edge = diagrams.edge[np.repeat(node[:, FIRST] - first, node[:, COUNT]) + np.arange(int(node[:, COUNT].sum()))]
    edge[:, 1] = number[edge[:, 1]]
    node[:, FIRST] = first
    return node, edge, int(number[root])
