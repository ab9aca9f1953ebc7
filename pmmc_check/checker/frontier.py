"""The states that wait to be expanded, level by level, in the order in which they were found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.packing import Packed, Packing
from pmmc_check.checker.workspace import BATCH_CHUNKS, CHUNK_STATES, Vectors

BATCH_STATES = CHUNK_STATES * BATCH_CHUNKS


class Frontier:
    """Blocks of states by level. Of the lowest level they are taken batch by batch; the others grow meanwhile.

    `stale` counts, by level, the states that have moved to a lower level since they were put here.
    """

    def __init__(self, packing: Packing) -> None:
        self._packing = packing
        self._blocks: dict[int, list[Packed]] = defaultdict(list)
        self.stale: dict[int, int] = defaultdict(int)

    @property
    def level(self) -> int | None:
        """The lowest level at which states wait; None when there are none."""
        return min(self._blocks, default=None)

    @property
    def states(self) -> int:
        """How many wait."""
        return sum(len(block.rows) for blocks in self._blocks.values() for block in blocks)

    def put(self, level: int, vectors: Vectors) -> None:
        """Puts states behind those that wait at `level`."""
        self._blocks[level].append(self._packing.pack(vectors))

    def settle(self, level: int, current: Callable[[Vectors], NDArray[np.bool_]]) -> None:
        """Takes out the stale states of a level that is about to be expanded: those that are not `current`."""
        if self.stale.pop(level, 0):
            blocks = [block.chosen(current(self._packing.unpack(block))) for block in self._blocks.pop(level)]
            if blocks := [block for block in blocks if len(block.rows)]:
                self._blocks[level] = blocks

    def batch(self, level: int) -> Vectors:
        """The first states of a level, as many as a batch has; they stay here until they are dropped. When none are left it is empty."""
        parts: list[Vectors] = []
        left = BATCH_STATES
        for block in self._blocks.get(level, ()):
            parts.append(self._packing.unpack(block.chosen(slice(left))))
            left -= len(parts[-1])
            if not left:
                break
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.int32)

    def drop(self, level: int, states: int) -> None:
        """Forgets the first states of a level, which were in the last batch; and the level, when none is left."""
        blocks = self._blocks[level]
        gone = 0
        while states and states >= len(blocks[gone].rows):
            states -= len(blocks[gone].rows)
            gone += 1
        del blocks[:gone]
        if states:
            blocks[0] = blocks[0].chosen(slice(states, None))
        if not blocks:
            del self._blocks[level]

    def waiting(self) -> Iterator[tuple[int, Vectors]]:
        """All that wait, by level, block by block."""
        for level, blocks in sorted(self._blocks.items()):
            yield from ((level, self._packing.unpack(block)) for block in blocks)

    def taken_out(self) -> Iterator[tuple[int, Vectors]]:
        """The same; what was given is no longer here."""
        for level, blocks in sorted(self._blocks.items()):
            while blocks:
                yield level, self._packing.unpack(blocks.pop(0))
        self._blocks.clear()
