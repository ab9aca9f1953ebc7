"""Levels and events as integer tables: how high each level is, which functions each event is a product of, and what these map values to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.growing import Growing
from pmmc_check.checker.symbolic import layout, nodes

FULL = -1
"""In the place of a level's absent value: it has none."""
SAME = 1
"""The function that leaves every value as it is."""
_FIRST_FUNCTION = 2


class Stopped(Exception):
    """Something has stopped the machine before it was done; it can go on later."""


class Events:
    """All levels and events that are known, and the entries of the events' functions.

    A function is a number: even for a closed one, odd for an open one (see `symbolic.machine`). Values are numbers, too;
    one value belongs to one level. The lowest level, 0, is that of the one node without edges. `ascending` lists the levels
    by height; levels that fire events are full ones, and made before all others. `asks` says of functions of sparse levels that they map
    the absent value to nothing (`layout.FOR_SOMETHING`), and, if FOR_ANYTHING, each other value to itself; no event then makes such a level
    absent again. Unless `closes`, no image is closed: each is one step.
    """

    def __init__(self, *, closes: bool = True) -> None:
        self.closes = closes
        self.ascending: list[int] = [0]
        self.level = Growing(np.int64, 2, 64)
        self.level.append((0, FULL))
        self.part = Growing(np.int32, layout.PART_COLUMNS, 64)
        self.ranges: NDArray[np.int32] = np.zeros((1 << 12, 2), np.int32)
        self.keys: NDArray[np.uint64] = np.zeros(1 << 12, np.uint64)
        self.values = Growing(np.int32)
        self.own_first: NDArray[np.int64] = np.full(1024, layout.UNEXPLORED, np.int64)
        self.own = Growing(np.int32, 2)
        self.shared: NDArray[np.int32] = np.zeros((64, 16), np.int32)
        self.place: NDArray[np.int32] = np.zeros(1024, np.int32)
        self.asks: dict[int, int] = {}
        self._entries = 0
        self._functions = _FIRST_FUNCTION
        self._parts: dict[tuple[int, ...], int] = {}

    @property
    def levels(self) -> int:
        """How many levels there are, 0 not counted."""
        return self.level.size - 1

    @property
    def bytes(self) -> int:
        """Memory of all tables."""
        return sum(int(each.nbytes) for each in self.arrays())

    def arrays(self) -> tuple[Any, ...]:
        """What the machine reads, in the order in which it takes them; valid until something is added."""
        return (
            self.part.data, self.level.data, self.keys, self.ranges, self.values.data,
            self.place, self.own_first, self.own.data, self.shared,
        )  # fmt: skip

    def add_level(self, place: int, absent: int = FULL) -> int:
        """A new level, which becomes number `place` of `ascending`; with an absent value it is a sparse one."""
        if absent != FULL:
            self.widen(absent)
        self.level.append((place, absent))
        level = self.level.size - 1
        while absent == FULL and level >= len(self.shared):
            self.shared = np.concatenate([self.shared, np.zeros_like(self.shared)])
        self.ascending.insert(place, level)
        self.level.data[self.ascending[place:], layout.HEIGHT] = np.arange(place, len(self.ascending))
        return level

    def height(self, level: int) -> int:
        """How many levels are below."""
        return int(self.level.data[level, layout.HEIGHT])

    def absent(self, level: int) -> int:
        """The value at a sparse level that an edge passes by; `FULL` for a full one."""
        return int(self.level.data[level, layout.ABSENT])

    def function(self, is_open: bool) -> int:
        """A new function."""
        self._functions += 2
        return self._functions + is_open

    def event(self, functions: Mapping[int, int], effect: int = layout.MOVES, either: Mapping[int, int] = MappingProxyType({})) -> int:
        """The event with the given function for each level that it concerns. It MOVES, RELABELS or PROJECTS.

        `either` gives sparse levels below all others functions that ask FOR_ANYTHING: one of them must not be absent."""
        rest, restricts = self._either(either), True
        for level in sorted(functions, key=self.height):
            restricts = restricts and self.asks.get(functions[level]) == layout.FOR_ANYTHING
            rest = self._part(level, functions[level], rest, self._effect(effect, restricts))
        return rest

    def _effect(self, wanted: int, restricts: bool) -> int:
        if wanted != layout.MOVES or not self.closes:
            return max(wanted, layout.RELABELS)
        return layout.RESTRICTS if restricts else layout.MOVES

    def _either(self, functions: Mapping[int, int]) -> int:
        """The first of the parts that ask for one of these levels, the highest first."""
        last = -1
        for level in sorted(functions, key=self.height):
            effect = self._effect(layout.MOVES, restricts=True)
            if last < 0:
                last = self._part(level, functions[level], -1, effect)
            else:
                last = self._numbered((level, -1, last, effect, layout.EITHER, level))
        return last

    def functions(self, event: int) -> dict[int, int]:
        """The function for each level that an event concerns."""
        found: dict[int, int] = {}
        while event >= 0:
            level, function, event, *_ = self.part.data[event].tolist()
            found[level] = function
        return found

    def share(self, level: int, event: int) -> None:
        """From now on `event` is fired from every value of `level`, the highest that it concerns, a full one."""
        count = int(self.shared[level, 0])
        if count + 1 == self.shared.shape[1]:
            self.shared = np.concatenate([self.shared, np.zeros_like(self.shared)], axis=1)
        self.shared[level, 1 + count] = event
        self.shared[level, 0] = count + 1

    def give(self, value: int, event: int) -> int:
        """From now on `event` is fired from `value`, a value of the highest level that it concerns; the number is for `retire`."""
        self.widen(value)
        self.own.append((event, self.own_first[value] if self.own_first[value] >= 0 else -1))
        given = self.own.size - 1
        self.own_first[value] = given
        return given

    def retire(self, given: int) -> None:
        """No longer fires what was given to a value; not while it is fired."""
        self.own.data[given, 0] = -1

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

    def entry(self, function: int, value: int) -> list[int] | None:
        """The values of a function at `value`; None where there is no entry."""
        at = int(nodes.entry_at(self.keys, function, value))
        if at < 0:
            return None
        first, count = self.ranges[at].tolist()
        found: list[int] = self.values.data[first : first + count].tolist()
        return found

    def widen(self, value: int) -> None:
        """Makes room for a value."""
        while value >= len(self.place):
            self.place = np.concatenate([self.place, np.zeros_like(self.place)])
            self.own_first = np.concatenate([self.own_first, np.full_like(self.own_first, layout.UNEXPLORED)])

    def _part(self, level: int, function: int, rest: int, effect: int) -> int:
        asks, asked = self.asks.get(function, layout.FOR_NOTHING), level
        if rest >= 0:
            asks = min(asks, layout.FOR_SOMETHING)
            if asks == layout.FOR_NOTHING:
                asks, asked = self.part.data[rest, layout.ASKS :].tolist()
                if asks == layout.EITHER:
                    asks, asked = layout.FOR_ONE_OF, rest
                elif asks == layout.FOR_ANYTHING:
                    asks = layout.FOR_SOMETHING
        return self._numbered((level, function, rest, effect, asks, asked))

    def _numbered(self, key: tuple[int, ...]) -> int:
        if key not in self._parts:
            self._parts[key] = self.part.size
            self.part.append(key)
        return self._parts[key]

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
