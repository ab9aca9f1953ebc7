"""The states that wait to be expanded, level by level, in the order in which they were found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.workspace import BATCH_CHUNKS, CHUNK_STATES, Vectors

BATCH_STATES = CHUNK_STATES * BATCH_CHUNKS
_NARROW_MAX = 1 << 16


class Frontier:
    """Blocks of states by level. Of the lowest level they are taken batch by batch; the others grow meanwhile.

    `stale` counts, by level, the states that have moved to a lower level since they were put here.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, list[NDArray[np.integer]]] = defaultdict(list)
        self.stale: dict[int, int] = defaultdict(int)

    @property
    def level(self) -> int | None:
        """The lowest level at which states wait; None when there are none."""
        return min(self._blocks, default=None)

    @property
    def states(self) -> int:
        """How many wait."""
        return sum(len(block) for blocks in self._blocks.values() for block in blocks)

    def add(self, level: int, vectors: NDArray[np.integer]) -> None:
        """Puts states behind those that wait at `level`."""
        self._blocks[level].append(narrowed(vectors))

    def settle(self, level: int, current: Callable[[Vectors], NDArray[np.bool_]]) -> None:
        """Takes out the stale states of a level that is about to be expanded: those that are not `current`."""
        if self.stale.pop(level, 0):
            blocks = [block[current(widened(block))] for block in self._blocks.pop(level)]
            for block in filter(len, blocks):
                self.add(level, block)

    def batch(self, level: int) -> Vectors:
        """The first states of a level, as many as a batch has; they stay here until they are dropped. When none are left it is empty."""
        blocks = self._blocks.get(level, [])
        joined = 0
        states = 0
        while joined < len(blocks) and states < BATCH_STATES:
            states += len(blocks[joined])
            joined += 1
        if joined > 1:
            blocks[:joined] = [np.concatenate(blocks[:joined])]
        return widened(blocks[0][:BATCH_STATES]) if blocks else np.zeros((0, 0), np.int32)

    def drop(self, level: int, states: int) -> None:
        """Forgets the first states of a level, which were in the last batch; and the level, when none is left."""
        blocks = self._blocks[level]
        rest = blocks[0][states:].copy()
        blocks[:1] = [rest] if len(rest) else []
        if not blocks:
            del self._blocks[level]

    def levels(self) -> Iterator[tuple[int, NDArray[np.integer]]]:
        """All that wait, level by level, each as one array."""
        for level, blocks in sorted(self._blocks.items()):
            yield level, np.concatenate(blocks)


def narrowed(vectors: NDArray[np.integer]) -> NDArray[np.integer]:
    """The same numbers of views in 16 bits each, where they fit."""
    if vectors.dtype == np.int32 and (not len(vectors) or int(vectors.max()) < _NARROW_MAX):
        return vectors.astype(np.uint16)
    return vectors


def widened(block: NDArray[np.integer]) -> Vectors:
    """The form that kernels take, in memory of its own."""
    return block.astype(np.int32)
