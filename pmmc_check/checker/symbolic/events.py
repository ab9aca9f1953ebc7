"""Events as integer tables: which functions each is a product of, and what these map values to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.symbolic import nodes
from pmmc_check.checker.tables import Growing


class Stopped(Exception):
    """Something has stopped the machine before it was done; it can go on later."""


class Events:
    """All events that are known, and the entries of their functions.

    A function is a number: even for a closed one, odd for an open one (see `symbolic.machine`). Values are numbers, too;
    one value belongs to one level.
    """

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self.event = Growing(np.int32, levels + 3, 64)
        self.ranges: NDArray[np.int32] = np.zeros((1 << 12, 2), np.int32)
        self.keys: NDArray[np.uint64] = np.zeros(1 << 12, np.uint64)
        self.values = Growing(np.int32)
        self.own_first: NDArray[np.int64] = np.full(1024, nodes.UNEXPLORED, np.int64)
        self.own = Growing(np.int32, 2)
        self.shared: NDArray[np.int32] = np.zeros((levels + 1, 16), np.int32)
        self.place: NDArray[np.int32] = np.zeros(1024, np.int32)
        self._entries = 0

    @property
    def bytes(self) -> int:
        """Memory of all tables."""
        return sum(int(each.nbytes) for each in self.arrays())

    def arrays(self) -> tuple[Any, ...]:
        """What the machine reads, in the order in which it takes them; valid until something is added."""
        return (
            self.event.data, self.keys, self.ranges, self.values.data, self.place, self.own_first, self.own.data, self.shared,
        )  # fmt: skip

    def add(self, functions: dict[int, int], relabels: bool = False) -> int:
        """A new event, with the function for each level that it concerns. One that `relabels` is no step: its images are not closed."""
        row = np.full(self.levels + 3, -1, np.int32)
        row[0] = min(functions)
        row[self.levels + 2] = relabels
        for level, function in functions.items():
            row[1 + level] = function
        self.event.append(row)
        return self.event.size - 1

    def share(self, level: int, event: int) -> None:
        """From now on `event` is fired from every value of `level`, the highest that it concerns."""
        count = int(self.shared[level, 0])
        if count + 1 == self.shared.shape[1]:
            self.shared = np.concatenate([self.shared, np.zeros_like(self.shared)], axis=1)
        self.shared[level, 1 + count] = event
        self.shared[level, 0] = count + 1

    def give(self, value: int, event: int) -> None:
        """From now on `event` is fired from `value`, a value of the highest level that it concerns."""
        self.widen(value)
        self.own.append((event, self.own_first[value] if self.own_first[value] >= 0 else -1))
        self.own_first[value] = self.own.size - 1

    def explored(self, value: int) -> None:
        """All events of which `value` takes the first part are there."""
        self.widen(value)
        self.own_first[value] = max(self.own_first[value], -1)

    def enter(self, function: int, value: int, values: Iterable[int]) -> None:
        """The entry of a function at `value`."""
        first = self.values.size
        for each in values:
            self.widen(each)
            self.values.append(each)
        self._entries += 1
        if 2 * self._entries > len(self.keys):
            self._grow()
        self._insert((function << 32 | value) + 1, (first, self.values.size - first))

    def widen(self, value: int) -> None:
        """Makes room for a value."""
        while value >= len(self.place):
            self.place = np.concatenate([self.place, np.zeros_like(self.place)])
            self.own_first = np.concatenate([self.own_first, np.full_like(self.own_first, nodes.UNEXPLORED)])

    def _grow(self) -> None:
        keys, ranges = self.keys, self.ranges
        self.keys, self.ranges = np.zeros(2 * len(keys), np.uint64), np.zeros((2 * len(keys), 2), np.int32)
        for slot in np.flatnonzero(keys).tolist():
            self._insert(int(keys[slot]), ranges[slot].tolist())

    def _insert(self, key: int, found: Sequence[int]) -> None:
        mask = len(self.keys) - 1
        slot = ((key * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 20) & mask
        while self.keys[slot] != 0:
            slot = (slot + 1) & mask
        self.keys[slot] = key
        self.ranges[slot] = found
