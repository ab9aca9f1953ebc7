"""The frontier of a search that finds duplicates late.

New states are put down as they come, with their fingerprints and those of their predecessors; among them may be states that were there
before. Only when a level comes up it is **settled**: its fingerprints are sorted, of equal ones the first stays, and of those none that was
expanded at a lower level (they are the sorted runs). What stays is what a search that knew all visited states would have put down, in the
same order: there, too, the first to reach a state at its lowest level is its predecessor, and what stands at a higher level is dropped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import frontier
from pmmc_check.checker.delayed.places import Strip, StripPlace
from pmmc_check.checker.delayed.runs import Keys, Origins, SortedRuns
from pmmc_check.checker.packing import Packed, Packing
from pmmc_check.checker.workspace import Vectors

_SETTLING_BYTES = 48
"""So many bytes a state it takes to settle a level."""


class Block(NamedTuple):
    """States as they were put down: for each its vector, its fingerprint, and the first 32 bits of its predecessor's."""

    vectors: Vectors
    keys: Keys
    origins: Origins


class _Blocks:
    """The blocks of one level. Of a settled one `kept` says, for each block, which states have stayed."""

    def __init__(self, place: StripPlace) -> None:
        self.strip: Strip = place.strip()
        self.widths: list[NDArray[np.uint8]] = []
        self.sizes: list[int] = []
        self.kept: NDArray[np.bool_] | None = None

    def append(self, packed: Packed, keys: Keys, origins: Origins) -> None:
        for each in (packed.rows, keys, origins):
            self.strip.append(each)
        self.widths.append(packed.widths)
        self.sizes.append(len(keys))

    def packed(self, number: int) -> Packed:
        return Packed(self.strip.read(3 * number), self.widths[number])

    def keys(self, number: int) -> Keys:
        return self.strip.read(3 * number + 1)

    def origins(self, number: int) -> Origins:
        return self.strip.read(3 * number + 2)

    def begins(self) -> list[int]:
        """Before which number of states each block begins."""
        return [0, *np.cumsum(self.sizes).tolist()[:-1]]


class DelayedFrontier:
    """What `checker.frontier.Frontier` is, for states that may have been there before. `room` is what settling a level may take, in bytes.

    `settled` is the level whose states are known to be new."""

    def __init__(self, packing: Packing, place: StripPlace, runs: SortedRuns, room: int) -> None:
        self._packing = packing
        self._place = place
        self.room = room
        self.runs = runs
        self.settled = 0
        self.stale: dict[int, int] = defaultdict(int)
        """As that of `Frontier`; here nobody asks."""
        self._levels: dict[int, _Blocks] = {}
        self._next_block = 0
        self._ready: list[Vectors] = []

    @property
    def level(self) -> int | None:
        """The lowest level at which states wait; None when there are none."""
        return min(self._levels, default=None)

    @property
    def states(self) -> int:
        """How many wait, those included that will turn out to have been there before."""
        waiting = sum(sum(blocks.sizes[self._next_block if level == self.settled else 0 :]) for level, blocks in self._levels.items())
        return waiting + sum(map(len, self._ready))

    def put(self, level: int, block: Block) -> None:
        """Puts states behind those that wait at `level`."""
        if level not in self._levels:
            self._levels[level] = _Blocks(self._place)
        self._levels[level].append(self._packing.pack(block.vectors), block.keys, block.origins)

    def put_settled(self, level: int, vectors: Vectors) -> None:
        """States of a level that is being expanded, which are in the sorted runs already."""
        self.settled = level
        self._ready.append(vectors)
        if level not in self._levels:
            self._levels[level] = _Blocks(self._place)

    def settle(self, level: int, current: Callable[[Vectors], NDArray[np.bool_]]) -> None:
        """Takes out the states of a level that were there before, and adds the others to the sorted runs."""
        if level == self.settled:
            return
        blocks = self._levels[level]
        states = sum(blocks.sizes)
        blocks.kept = np.zeros(states, np.bool_)
        for lower, upper in self.runs.cuts(1 + states * _SETTLING_BYTES // self.room):
            keys, origins, numbers = self._between(blocks, lower, upper)
            order = np.argsort(keys, kind="stable")
            keys = keys[order]
            first = np.ones(len(keys), np.bool_)
            first[1:] = keys[1:] != keys[:-1]
            order = order[first]
            new = self.runs.add_new(keys[first], origins[order])
            blocks.kept[numbers[order[new]]] = True
        self.settled, self._next_block, self._ready = level, 0, []
        if not blocks.kept.any():
            self._forget(level)

    def batch(self, level: int) -> Vectors:
        """The first states of a settled level, as many as a batch has; they stay here until they are dropped."""
        blocks = self._levels.get(level)
        while blocks and sum(map(len, self._ready)) < frontier.BATCH_STATES and self._next_block < len(blocks.sizes):
            begin = sum(blocks.sizes[: self._next_block])
            assert blocks.kept is not None, "a level is settled before it is expanded"
            kept = blocks.kept[begin : begin + blocks.sizes[self._next_block]]
            self._ready.append(self._packing.unpack(blocks.packed(self._next_block).chosen(kept)))
            self._next_block += 1
        if not self._ready:
            return np.zeros((0, 0), np.int32)
        self._ready = [np.concatenate(self._ready)]
        return self._ready[0][: frontier.BATCH_STATES]

    def drop(self, level: int, states: int) -> None:
        """Forgets the first states of a level, which were in the last batch; and the level, when none is left."""
        self._ready = [np.concatenate(self._ready)[states:]]
        if not len(self.batch(level)):
            self._forget(level)

    def waiting(self) -> Iterator[tuple[int, Block]]:
        """All that wait at levels that are not settled, by level, block by block."""
        for level, blocks in sorted(self._levels.items()):
            if level != self.settled:
                for number in range(len(blocks.sizes)):
                    vectors = self._packing.unpack(blocks.packed(number))
                    yield level, Block(vectors, blocks.keys(number), blocks.origins(number))

    def waiting_settled(self) -> Iterator[Vectors]:
        """What is left of the level that is being expanded."""
        yield from self._ready
        blocks = self._levels.get(self.settled)
        if blocks is not None and blocks.kept is not None:
            for number, begin in list(enumerate(blocks.begins()))[self._next_block :]:
                yield self._packing.unpack(blocks.packed(number).chosen(blocks.kept[begin : begin + blocks.sizes[number]]))

    def _between(self, blocks: _Blocks, lower: int, upper: int) -> tuple[Keys, Origins, NDArray[np.int64]]:
        """The fingerprints from `lower` to below `upper`, with their origins, and the number of each in the level."""
        parts = []
        for number, begin in enumerate(blocks.begins() if blocks.sizes else ()):
            keys = blocks.keys(number)
            here = np.flatnonzero((keys >= np.uint64(lower)) & (keys <= np.uint64(upper - 1)))
            parts.append((keys[here], blocks.origins(number)[here], here + begin))
        keys, origins, numbers = (np.concatenate(each) for each in zip(*parts, strict=True))
        return keys, origins, numbers

    def _forget(self, level: int) -> None:
        self._levels.pop(level).strip.remove()
        self._ready = []
