"""The working memory of the compiled search: batches of chunks, what a thread needs, and blocks of new states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import kernel, looking_up

CHUNK_STATES = 1024
BATCH_CHUNKS = 32
RECENT_PLACES = 1 << 13
_MISSES_MAX = 4096
_TRAIL = 4
"""So many steps of chains there is room for at first, for each candidate."""
_NARROW_MAX = 1 << 16

Vectors = NDArray[np.int32]
"""One row a state, one view number a process."""


class Batch(NamedTuple):
    """Working memory for one batch of chunks, reused for all.

    Shapes: parents (states of the batch), candidates (chunks, candidates), offsets (chunks, partitions + 1), counters (chunks, counters),
    misses and unknown (chunks, entries, 2).
    """

    parents: NDArray[np.uint64]
    candidates: kernel.Candidates
    offsets: NDArray[np.int64]
    counters: NDArray[np.int64]
    misses: NDArray[np.int32]
    unknown: NDArray[np.int32]

    @classmethod
    def allocated(cls, candidates_max: int, slots: int) -> Batch:
        """Room for `candidates_max` candidates a chunk."""
        return cls(
            parents=np.zeros(BATCH_CHUNKS * CHUNK_STATES, np.uint64),
            candidates=candidates_of((BATCH_CHUNKS, candidates_max)),
            offsets=np.zeros((BATCH_CHUNKS, looking_up.PARTITIONS + 1), np.int64),
            counters=np.zeros((BATCH_CHUNKS, kernel.COUNTERS), np.int64),
            misses=np.empty((BATCH_CHUNKS, _MISSES_MAX, 2), np.int32),
            unknown=np.empty((BATCH_CHUNKS, CHUNK_STATES * (slots + 1), 2), np.int32),
        )

    def take_over(self, narrow: Batch) -> None:
        """Copies all that is in a batch with room for fewer candidates."""
        for wide, kept in zip(self.candidates, narrow.candidates, strict=True):
            wide[:, : kept.shape[1]] = kept
        for name in ("parents", "offsets", "counters", "misses", "unknown"):
            getattr(self, name)[:] = getattr(narrow, name)


class NewStates(NamedTuple):
    """States that were not visited before: their vectors, the level they belong to, the number of their parent in the batch, and their
    fingerprints."""

    vectors: Vectors
    levels: NDArray[np.int64]
    parents: NDArray[np.int64]
    fingerprints: NDArray[np.uint64]

    @classmethod
    def room(cls, states: int, processes: int) -> NewStates:
        """For so many, not filled."""
        vectors = np.empty((states, processes), np.int32)
        return cls(vectors, np.empty(states, np.int64), np.empty(states, np.int64), np.empty(states, np.uint64))

    @classmethod
    def joined(cls, parts: list[NewStates]) -> NewStates:
        """Some, one behind the other."""
        return cls(*map(np.concatenate, zip(*parts, strict=True)))

    def first(self, count: int) -> NewStates:
        """The first `count` of them."""
        return self.chosen(slice(count))

    def chosen(self, which: NDArray[Any] | slice) -> NewStates:
        """Those that `which` selects, by mask, by number or by slice."""
        return NewStates(self.vectors[which], self.levels[which], self.parents[which], self.fingerprints[which])


class Worker:
    """Working memory of one thread. `taken` counts how often it has taken each step in a state that was expanded, `followed` how often
    in a chain behind one."""

    def __init__(self, candidates_max: int) -> None:
        self.found = candidates_of(candidates_max)
        self.trail: NDArray[np.int32] = np.empty(_TRAIL * candidates_max, np.int32)
        self.recent: NDArray[np.uint64] = np.zeros((RECENT_PLACES, 2), np.uint64)
        self.taken: NDArray[np.int64] = np.zeros(1024, np.int64)
        self.followed: NDArray[np.int64] = np.zeros(1024, np.int64)

    def widen(self, steps: int) -> None:
        """Makes room for counting `steps` steps."""
        if len(self.taken) < steps:
            wider = np.zeros(steps - len(self.taken), np.int64)
            self.taken, self.followed = np.concatenate([self.taken, wider]), np.concatenate([self.followed, wider])


def candidates_of(shape: int | tuple[int, int]) -> kernel.Candidates:
    """Room for candidates, of the given shape."""
    return kernel.Candidates(np.empty(shape, np.uint64), np.empty(shape, np.int32), np.empty(shape, np.int32), np.empty(shape, np.uint8))


def summed(counted: list[NDArray[np.int64]], length: int) -> NDArray[np.int64]:
    """The sum of what threads have counted, as far as that was asked for."""
    total = np.zeros(length, np.int64)
    for each in counted:
        total[: len(each)] += each[:length]
    return total


def by_level(added: list[NewStates]) -> Iterator[tuple[int, NewStates]]:
    """New states level by level, in the order of their parents: states that have steps in common stay together, so that
    a chunk finds most of its repeated successors by itself, and looks up the same table entries again and again."""
    if not any(len(each.levels) for each in added):
        return
    new = NewStates.joined(added)
    new = new.chosen(np.argsort(new.parents, kind="stable"))
    lowest, highest = int(new.levels.min()), int(new.levels.max())
    if lowest == highest:
        yield lowest, new
        return
    for level in range(lowest, highest + 1):
        here = new.levels == level
        if here.any():
            yield level, new.chosen(here)


def narrowed(vectors: NDArray[np.integer]) -> NDArray[np.integer]:
    """The same numbers of views in 16 bits each, where they fit."""
    if vectors.dtype == np.int32 and (not len(vectors) or int(vectors.max()) < _NARROW_MAX):
        return vectors.astype(np.uint16)
    return vectors


def widened(block: NDArray[np.integer]) -> Vectors:
    """The form that kernels take, in memory of its own."""
    return block.astype(np.int32)
