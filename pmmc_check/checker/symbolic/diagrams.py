"""Decision diagrams and the machine that works on them: all arrays, how they grow, and what is asked of the system on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.symbolic import collect, layout, level_sets, machine, nodes
from pmmc_check.checker.symbolic.events import FULL, SAME, Events, Stopped
from pmmc_check.checker.symbolic.layout import NO_VECTOR, UNIT

NODES_FIRST, EDGES_PER_NODE = 1 << 16, 4
_LINES_MAX = 1 << 24
"""A gigabyte, of results of images."""
_SETS_FIRST = 1 << 10
_LIVE_MAX = 0.25
_ROWS_MAX = 1 << 29
FUEL_FULL = 1 << 17

Ints = NDArray[np.int64]


class Questioned(Protocol):
    """What a search asks of the system whose states the diagrams hold."""

    def explore(self, value: int) -> None:
        """Makes the events of which `value` takes the first part."""

    def apply(self, function: int, value: int) -> None:
        """Makes the entry of an open function."""


class Diagrams:
    """All nodes, and the operations on them.

    `watch` is called now and then, with the bytes that are about to be taken in addition; when it returns True the
    operation is given up, and only `unfinished` may follow. When garbage is collected, the nodes in `kept` and below stay.
    """

    def __init__(self, events: Events, system: Questioned, watch: Callable[[int], bool]) -> None:
        self.events = events
        self.system = system
        self.watch = watch
        self.kept: Ints = np.zeros(0, np.int64)
        self.peak_nodes = 0
        self.collections = 0
        self.regs: Ints = np.zeros(16, np.int64)
        self.frames: Ints = np.zeros((64, layout.FRAME_COLUMNS), np.int64)
        self.arena: Ints = np.zeros((1 << 12, 5), np.int64)
        self.node: NDArray[np.int32] = np.zeros((NODES_FIRST, layout.NODE_COLUMNS), np.int32)
        self.edge: NDArray[np.int32] = np.zeros((NODES_FIRST * EDGES_PER_NODE, 2), np.int32)
        self.unique: NDArray[np.int32] = np.zeros(2 * NODES_FIRST, np.int32)
        self.unions, self.images = (_cache(lines) for lines in _lines(NODES_FIRST))
        self.sets: NDArray[np.uint64] = np.zeros((_SETS_FIRST, 1), np.uint64)
        self.set_index: NDArray[np.int32] = np.zeros(2 * _SETS_FIRST, np.int32)
        self.node[:, layout.CLOSED] = -1
        for constant in (NO_VECTOR, UNIT):
            self.node[constant, layout.CLOSED] = constant
        self.regs[layout.NODES] = self.regs[layout.IN_USE] = UNIT + 1
        self.regs[layout.SETS] = level_sets.NO_LEVEL + 1

    @property
    def nodes(self) -> int:
        """How many nodes there are, garbage included."""
        return int(self.regs[layout.IN_USE])

    @property
    def rows(self) -> int:
        """The row after that of the last node; there may be free ones before it, without edges."""
        return int(self.regs[layout.NODES])

    @property
    def edges_in_use(self) -> int:
        """How many edges all nodes have."""
        return int(self.regs[layout.EDGES])

    @property
    def bytes(self) -> int:
        """Memory of all arrays."""
        arrays = (self.frames, self.arena, self.node, self.edge, self.unique, self.sets, self.set_index, self.unions, self.images)
        return sum(each.nbytes for each in arrays) + self.events.bytes

    def made(self, level: int, edges: Sequence[tuple[int, int]]) -> int:
        """The node with these edges (value, child)."""
        self._room_for_levels()
        self._room_in_arena(len(edges))
        base, count = int(self.regs[layout.ARENA_TOP]), len(edges)
        for row, (value, child) in enumerate(sorted(edges), base):
            self.arena[row] = value, child, -1, -1, 0
        self.regs[layout.ARENA_TOP] = base + count  # so that children are followed when garbage is collected
        try:
            while (made := self._made_of(level, base, count)) < 0:
                self._more_room()
        finally:
            self.regs[layout.ARENA_TOP] = base
        children = self.arena[base : base + count, layout.CHILD]
        if self.events.absent(level) != FULL and np.array_equal(self.node[children, layout.CLOSED], children):
            self.node[made, layout.CLOSED] = made
        return made

    def _made_of(self, level: int, base: int, count: int) -> int:
        made = nodes.make(
            self.regs, self.node, self.edge, self.unique, self.sets, self.set_index,
            self.arena, self.events.level.data, level, base, count,
        )  # fmt: skip
        return int(made)

    def closed(self, a: int) -> int:
        """The least set that holds `a`, whose children are closed, and is closed under all events of its level and below.

        Raises:
            Stopped: `watch` said so.
        """
        self._room_for_levels()
        self._room_in_arena(int(self.node[a, layout.COUNT]))
        machine.begin_closure(self.regs, self.frames, self.arena, self.node, self.edge, self.events.place, a)
        return self._run()

    def image(self, a: int, event: int) -> int:
        """The image of `a` under an event.

        Raises:
            Stopped: `watch` said so.
        """
        known = int(nodes.known_image(self.images, self.node, self.events.level.data, self.events.part.data, self.sets, a, event))
        if known >= 0:
            return known
        self._room_for_levels()
        nodes.push_image(self.regs, self.frames, self.node, self.events.level.data, self.events.part.data, self.sets, a, event)
        return self._run()

    def union(self, a: int, b: int) -> int:
        """The union of two sets.

        Raises:
            Stopped: `watch` said so.
        """
        known = int(nodes.known_union(self.unions, a, b))
        if known >= 0:
            return known
        self._room_for_levels()
        nodes.push_union(self.regs, self.frames, self.node, self.events.level.data, a, b)
        return self._run()

    def unfinished(self, initial: Mapping[int, int]) -> int:
        """The set that an operation `closed`, which was given up, had found, with the `initial` value of each level above its own. The
        machine can then be used again; limits no longer stop it."""
        frame, a, height = self.frames[0], UNIT, 0
        closing = self.regs[layout.DEPTH] and frame[layout.OP] == layout.FIX
        first, size, level = int(frame[layout.BASE]), int(frame[layout.SIZE]), int(frame[layout.AT_LEVEL])
        self.give_up()
        if closing:
            edges = self.arena[first : first + size].copy()
            found = list(zip(edges[:, layout.VALUE].tolist(), self.collect(edges[:, layout.CHILD].tolist()), strict=True))
            a, height = self.made(level, found), self.events.height(level)
        return self.collect([self._below(a, {level: value for level, value in initial.items() if self.events.height(level) > height})])[0]

    def give_up(self) -> None:
        """Makes the machine forget what it was doing; it can then be used again, and limits no longer stop it."""
        self.watch = lambda more_bytes: False
        self.regs[layout.DEPTH] = self.regs[layout.ARENA_TOP] = 0
        self.regs[layout.RESULT] = NO_VECTOR

    def vector(self, values: Mapping[int, int]) -> int:
        """The set of the one vector with these values; sparse levels may be left out."""
        return self._below(UNIT, values)

    def _below(self, a: int, values: Mapping[int, int]) -> int:
        """The vectors of `a` with these values of levels above."""
        for level in sorted(values, key=self.events.height):
            a = self.made(level, [(values[level], a)])
        return a

    def level(self, a: int) -> int:
        """The level of a node."""
        return int(self.node[a, layout.LEVEL])

    def values(self) -> dict[int, list[int]]:
        """The values that edges have, by level, ascending."""
        rows = self.node[: self.rows]
        rows = rows[np.argsort(rows[:, layout.FIRST], kind="stable")]  # in the order of their edges
        levels = np.repeat(rows[:, layout.LEVEL], rows[:, layout.COUNT]).astype(np.int64)
        found: dict[int, list[int]] = {}
        for key in np.unique(levels << 32 | self.edge[: self.edges_in_use, 0]).tolist():
            found.setdefault(key >> 32, []).append(key & 0xFFFFFFFF)
        return found

    def edges(self, a: int) -> list[tuple[int, int]]:
        """The edges of a node: value and child."""
        first, count = self.node[a, : layout.COUNT + 1].tolist()
        return [(value, child) for value, child in self.edge[first : first + count].tolist()]

    def collect(self, kept: Sequence[int]) -> list[int]:
        """Drops everything but the nodes of and below `kept`."""
        self.kept = np.array(kept, np.int64)
        self._collect()
        return list(kept)

    def _run(self) -> int:
        events, registers = self.events, self.regs
        while True:
            if registers[layout.FUEL] <= 0:
                registers[layout.FUEL] = FUEL_FULL
            machine.run(
                registers, self.frames, self.arena, self.node, self.edge, self.unique, self.sets, self.set_index,
                self.unions, self.images, *events.arrays(),
            )  # fmt: skip
            status = int(registers[layout.STATUS])
            if status == layout.FINISHED:
                self.peak_nodes = max(self.peak_nodes, self.nodes)
                return int(registers[layout.RESULT])
            if status == layout.ASK:
                self._answer(int(registers[layout.ASK_FUNCTION]), int(registers[layout.ASK_VALUE]))
            elif status == layout.ARENA_FULL:
                self._room_in_arena(len(events.place))
            elif status != layout.TICK:
                self._more_room()
            if status == layout.TICK and self.watch(0):
                raise Stopped

    def _answer(self, function: int, value: int) -> None:
        if function < 0:
            self.system.explore(value)
            self.events.explored(value)
        elif function == SAME:
            self.events.enter(function, value, (value,))
        else:
            self.system.apply(function, value)
        self._room_for_levels()

    def _room_for_levels(self) -> None:
        while 3 * self.events.levels + 8 > len(self.frames):
            self.frames = np.concatenate([self.frames, np.zeros_like(self.frames)])
        while self.events.levels >= 64 * self.sets.shape[1]:
            self.sets = np.concatenate([self.sets, np.zeros_like(self.sets)], axis=1)
            self._renew_sets(len(self.sets))

    def _room_in_arena(self, rows: int) -> None:
        while len(self.arena) - int(self.regs[layout.ARENA_TOP]) < rows + 1:
            self.arena = np.concatenate([self.arena, np.zeros_like(self.arena)])

    def _more_room(self) -> None:
        if self.regs[layout.STATUS] == layout.SETS_FULL:
            self._more_sets()
        else:
            self._more_nodes()

    def _more_nodes(self) -> None:
        """Collects garbage; where most rows are in use makes room for as many again."""
        if max(len(self.node), len(self.edge)) > _ROWS_MAX:
            raise Stopped("memory: the decision diagram has more nodes or edges than the engine can number; take a smaller configuration")
        self.peak_nodes = max(self.peak_nodes, self.nodes)
        self._afford(self.edge.nbytes)
        self._collect()
        if self.nodes > _LIVE_MAX * len(self.node):
            self._afford(2 * self.node.nbytes + sum(4 * layout.LINE * lines for lines in _lines(2 * len(self.node))))
            self.node = np.concatenate([self.node, np.zeros_like(self.node)])
            self.unique = np.zeros(2 * len(self.node), np.int32)
            collect.fill_unique(self.node, self.edge, self.unique, self.rows)
            self.unions, self.images = (
                _widened(cache, lines) for cache, lines in zip((self.unions, self.images), _lines(len(self.node)), strict=True)
            )
        wanted = int(self.regs[layout.ASK_VALUE])
        while self.edges_in_use + wanted > _LIVE_MAX * len(self.edge):
            self._afford(self.edge.nbytes)
            self.edge = np.concatenate([self.edge, np.zeros_like(self.edge)])

    def _afford(self, more_bytes: int) -> None:
        if self.watch(more_bytes):
            raise Stopped

    def _collect(self) -> None:
        self.collections += 1
        live: NDArray[np.bool_] = np.zeros(self.rows, np.bool_)
        waiting: NDArray[np.int32] = np.empty(self.rows + 1, np.int32)
        collect.reach_all(self.regs, self.frames, self.arena, self.node, self.edge, self.kept, live, waiting)
        edge = np.empty_like(self.edge)
        collect.sweep(self.regs, self.node, self.edge, edge, self.arena, live)
        self.edge = edge
        self.unique[:] = NO_VECTOR
        collect.fill_unique(self.node, self.edge, self.unique, self.rows)
        collect.forget_dead(self.unions, live, True)
        collect.forget_dead(self.images, live, False)

    def _more_sets(self) -> None:
        """Drops the sets that no node has; where that are few makes room for as many again."""
        self._renew_sets(len(self.sets))
        if 2 * int(self.regs[layout.SETS]) > len(self.sets):
            self._afford(2 * self.sets.nbytes)
            self._renew_sets(2 * len(self.sets))

    def _renew_sets(self, rows: int) -> None:
        number: NDArray[np.int32] = np.full(len(self.sets), -1, np.int32)
        number[level_sets.NO_LEVEL] = level_sets.NO_LEVEL
        old, self.sets = self.sets, np.zeros((rows, self.sets.shape[1]), np.uint64)
        self.set_index = np.zeros(2 * rows, np.int32)
        level_sets.renew_sets(self.regs, self.node, self.rows, old, self.sets, self.set_index, number)


def _lines(nodes_max: int) -> tuple[int, int]:
    """How many lines, of five results each, the caches of unions and of images have beside room for so many nodes."""
    return min(_LINES_MAX, nodes_max) // 2, min(_LINES_MAX, nodes_max)


def _cache(lines: int) -> NDArray[np.int32]:
    return np.zeros((lines, layout.LINE), np.int32)


def _widened(cache: NDArray[np.int32], lines: int) -> NDArray[np.int32]:
    if lines == len(cache):
        return cache
    new = _cache(lines)
    collect.copy_cache(cache, new)
    return new
