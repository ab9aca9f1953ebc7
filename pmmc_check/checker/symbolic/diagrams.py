"""Decision diagrams and the machine that works on them: all arrays, how they grow, and what is asked of the system on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.symbolic import collect, machine, nodes
from pmmc_check.checker.symbolic.events import FULL, SAME, Events, Stopped
from pmmc_check.checker.symbolic.nodes import NO_VECTOR, UNIT

NODES_FIRST, EDGES_PER_NODE = 1 << 16, 4
UNIONS_PER_NODE, IMAGES_PER_NODE = 8, 16
"""Room in the caches. With a quarter of it images are made 15 times over."""
_CACHE_MAX = 1 << 24
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
    operation is given up, and only `unfinished` may follow. Node numbers
    change when garbage is collected: only those in `kept` are followed.
    """

    def __init__(self, events: Events, system: Questioned, watch: Callable[[int], bool]) -> None:
        self.events = events
        self.system = system
        self.watch = watch
        self.kept: Ints = np.zeros(0, np.int64)
        self.peak_nodes = 0
        self.collections = 0
        self.regs: Ints = np.zeros(16, np.int64)
        self.frames: Ints = np.zeros((64, nodes.FRAME_COLUMNS), np.int64)
        self.arena: Ints = np.zeros((1 << 12, 5), np.int64)
        self.node: NDArray[np.int32] = np.zeros((NODES_FIRST, 4), np.int32)
        self.edge: NDArray[np.int32] = np.zeros((NODES_FIRST * EDGES_PER_NODE, 2), np.int32)
        self.unique: NDArray[np.int32] = np.zeros(2 * NODES_FIRST, np.int32)
        self.unions: NDArray[np.int32] = np.zeros((UNIONS_PER_NODE * NODES_FIRST, 3), np.int32)
        self.images: NDArray[np.int32] = np.zeros((IMAGES_PER_NODE * NODES_FIRST, 3), np.int32)
        self.node[:, nodes.CLOSED] = -1
        for constant in (NO_VECTOR, UNIT):
            self.node[constant, nodes.CLOSED] = constant
        self.regs[nodes.NODES] = UNIT + 1

    @property
    def nodes(self) -> int:
        """How many nodes there are, garbage included."""
        return int(self.regs[nodes.NODES])

    @property
    def edges_in_use(self) -> int:
        """How many edges all nodes have."""
        return int(self.regs[nodes.EDGES])

    @property
    def bytes(self) -> int:
        """Memory of all arrays."""
        arrays = (self.frames, self.arena, self.node, self.edge, self.unique, self.unions, self.images)
        return sum(each.nbytes for each in arrays) + self.events.bytes

    def made(self, level: int, edges: Sequence[tuple[int, int]]) -> int:
        """The node with these edges (value, child)."""
        self._room_in_arena(len(edges))
        base, count = int(self.regs[nodes.ARENA_TOP]), len(edges)
        for row, (value, child) in enumerate(sorted(edges), base):
            self.arena[row] = value, child, -1, -1, 0
        self.regs[nodes.ARENA_TOP] = base + count  # so that children are followed when garbage is collected
        try:
            while (made := self._made_of(level, base, count)) < 0:
                self._more_nodes()
        finally:
            self.regs[nodes.ARENA_TOP] = base
        children = self.arena[base : base + count, nodes.CHILD]
        if self.events.absent(level) != FULL and np.array_equal(self.node[children, nodes.CLOSED], children):
            self.node[made, nodes.CLOSED] = made
        return made

    def _made_of(self, level: int, base: int, count: int) -> int:
        levels = self.events.level.data
        return int(nodes.make(self.regs, self.node, self.edge, self.unique, self.arena, levels, level, base, count))

    def closed(self, a: int) -> int:
        """The least set that holds `a`, whose children are closed, and is closed under all events of its level and below.

        Raises:
            Stopped: `watch` said so.
        """
        self._room_for_frames()
        self._room_in_arena(int(self.node[a, nodes.COUNT]))
        machine.begin_closure(self.regs, self.frames, self.arena, self.node, self.edge, self.events.place, a)
        return self._run()

    def image(self, a: int, event: int) -> int:
        """The image of `a` under an event.

        Raises:
            Stopped: `watch` said so.
        """
        known = int(nodes.known_image(self.images, a, event))
        if known >= 0:
            return known
        self._room_for_frames()
        nodes.push_image(self.regs, self.frames, self.node, self.events.level.data, self.events.part.data, a, event)
        return self._run()

    def union(self, a: int, b: int) -> int:
        """The union of two sets.

        Raises:
            Stopped: `watch` said so.
        """
        known = int(nodes.known_union(self.unions, a, b))
        if known >= 0:
            return known
        self._room_for_frames()
        nodes.push_union(self.regs, self.frames, self.node, self.events.level.data, a, b)
        return self._run()

    def unfinished(self, initial: Mapping[int, int]) -> int:
        """The set that an operation `closed`, which was given up, had found, with the `initial` value of each level above its own. The
        machine can then be used again; limits no longer stop it."""
        frame, a, height = self.frames[0], UNIT, 0
        closing = self.regs[nodes.DEPTH] and frame[nodes.OP] == nodes.FIX
        first, size, level = int(frame[nodes.BASE]), int(frame[nodes.SIZE]), int(frame[nodes.AT_LEVEL])
        self.give_up()
        if closing:
            edges = self.arena[first : first + size].copy()
            found = list(zip(edges[:, nodes.VALUE].tolist(), self.collect(edges[:, nodes.CHILD].tolist()), strict=True))
            a, height = self.made(level, found), self.events.height(level)
        return self.collect([self._below(a, {level: value for level, value in initial.items() if self.events.height(level) > height})])[0]

    def give_up(self) -> None:
        """Makes the machine forget what it was doing; it can then be used again, and limits no longer stop it."""
        self.watch = lambda more_bytes: False
        self.regs[nodes.DEPTH] = self.regs[nodes.ARENA_TOP] = 0
        self.regs[nodes.RESULT] = NO_VECTOR

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
        return int(self.node[a, nodes.LEVEL])

    def values(self) -> dict[int, list[int]]:
        """The values that edges have, by level, ascending."""
        levels = np.repeat(self.node[: self.nodes, nodes.LEVEL], self.node[: self.nodes, nodes.COUNT]).astype(np.int64)
        found: dict[int, list[int]] = {}
        for key in np.unique(levels << 32 | self.edge[: self.edges_in_use, 0]).tolist():
            found.setdefault(key >> 32, []).append(key & 0xFFFFFFFF)
        return found

    def edges(self, a: int) -> list[tuple[int, int]]:
        """The edges of a node: value and child."""
        first, count = self.node[a, : nodes.COUNT + 1].tolist()
        return [(value, child) for value, child in self.edge[first : first + count].tolist()]

    def collect(self, kept: Sequence[int]) -> list[int]:
        """Drops everything but the nodes of and below `kept`, and returns their new numbers."""
        self.kept = np.array(kept, np.int64)
        self._collect()
        return [int(each) for each in self.kept]

    def _run(self) -> int:
        events, registers = self.events, self.regs
        while True:
            if registers[nodes.FUEL] <= 0:
                registers[nodes.FUEL] = FUEL_FULL
            machine.run(
                registers, self.frames, self.arena, self.node, self.edge, self.unique, self.unions, self.images, *events.arrays()
            )  # fmt: skip
            status = int(registers[nodes.STATUS])
            if status == nodes.FINISHED:
                self.peak_nodes = max(self.peak_nodes, self.nodes)
                return int(registers[nodes.RESULT])
            if status == nodes.ASK:
                self._answer(int(registers[nodes.ASK_FUNCTION]), int(registers[nodes.ASK_VALUE]))
            elif status == nodes.ARENA_FULL:
                self._room_in_arena(len(events.place))
            elif status != nodes.TICK:
                self._more_nodes()
            if status == nodes.TICK and self.watch(0):
                raise Stopped

    def _answer(self, function: int, value: int) -> None:
        if function < 0:
            self.system.explore(value)
            self.events.explored(value)
        elif function == SAME:
            self.events.enter(function, value, (value,))
        else:
            self.system.apply(function, value)
        self._room_for_frames()

    def _room_for_frames(self) -> None:
        while 3 * self.events.levels + 8 > len(self.frames):
            self.frames = np.concatenate([self.frames, np.zeros_like(self.frames)])

    def _room_in_arena(self, rows: int) -> None:
        while len(self.arena) - int(self.regs[nodes.ARENA_TOP]) < rows + 1:
            self.arena = np.concatenate([self.arena, np.zeros_like(self.arena)])

    def _more_nodes(self) -> None:
        """Collects garbage; where most nodes are in use makes room for as many again."""
        if max(len(self.node), len(self.edge)) > _ROWS_MAX:
            raise Stopped("memory: the decision diagram has more nodes or edges than the engine can number; take a smaller configuration")
        self.peak_nodes = max(self.peak_nodes, self.nodes)
        self._collect()
        if self.nodes > _LIVE_MAX * len(self.node):
            self._afford(4 * self.node.nbytes + sum(3 * 4 * places for places in _places(2 * len(self.node))))
            wider: NDArray[np.int32] = np.full((2 * len(self.node), 4), -1, np.int32)
            wider[: len(self.node)] = self.node
            self.node = wider
            self._renew_tables(np.arange(self.nodes, dtype=np.int32))
        wanted = int(self.regs[nodes.ASK_VALUE])
        while int(self.regs[nodes.EDGES]) + wanted > _LIVE_MAX * len(self.edge):
            self._afford(self.edge.nbytes)
            self.edge = np.concatenate([self.edge, np.zeros_like(self.edge)])

    def _afford(self, more_bytes: int) -> None:
        if self.watch(more_bytes):
            raise Stopped

    def _collect(self) -> None:
        self.collections += 1
        number: NDArray[np.int32] = np.full(self.nodes, -1, np.int32)
        waiting: NDArray[np.int32] = np.empty(self.nodes + 1, np.int32)
        collect.reach_all(self.regs, self.frames, self.arena, self.node, self.edge, self.kept, number, waiting)
        collect.compact(self.regs, self.node, self.edge, number)
        collect.renumber_machine(self.regs, self.frames, self.arena, self.kept, number)
        self._renew_tables(number)

    def _renew_tables(self, number: NDArray[np.int32]) -> None:
        self.unique = np.zeros(2 * len(self.node), np.int32)
        collect.fill_unique(self.node, self.edge, self.unique, self.nodes)
        unions, images = _places(len(self.node))
        self.unions = _renewed(self.unions, unions, number, b_is_node=True)
        self.images = _renewed(self.images, images, number, b_is_node=False)


def _places(nodes_max: int) -> tuple[int, int]:
    """How many results of unions and of images are kept beside so many nodes."""
    return min(_CACHE_MAX, UNIONS_PER_NODE * nodes_max), min(2 * _CACHE_MAX, IMAGES_PER_NODE * nodes_max)


def _renewed(cache: NDArray[np.int32], places: int, number: NDArray[np.int32], b_is_node: bool) -> NDArray[np.int32]:
    new: NDArray[Any] = np.zeros((places, 3), np.int32)
    collect.renew_cache(cache, new, number, b_is_node)
    return new
