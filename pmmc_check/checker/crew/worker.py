"""One worker of a crew: the visited states that it owns, and the part of a level that it expands. It knows no role, and no invariant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import kernel, looking_up
from pmmc_check.checker.crew.arrays import News, TableCopies
from pmmc_check.checker.crew.kernels import build, take_in
from pmmc_check.checker.crew.levels import OfLevel, write_level, written_levels
from pmmc_check.checker.endless import Fingerprints
from pmmc_check.checker.fingerprints import state_fingerprints
from pmmc_check.checker.memory import resident_bytes
from pmmc_check.checker.store import Entry, Store
from pmmc_check.checker.workspace import BATCH_CHUNKS, CHUNK_STATES, RECENT_PLACES, Vectors, candidates_of, narrowed, widened

OWNER_BITS = 16
_MISSES_MAX = 4096
_CANDIDATES_FIRST = 64 * CHUNK_STATES


class Offered(NamedTuple):
    """States that may be new, in the order in which they were found, and what is to be stored of each."""

    fingerprints: Fingerprints
    origins: Fingerprints


class FoundByChunk(NamedTuple):
    """What complete chunks have found: for each candidate its number among the states of the part, the step, its level, and its owner."""

    candidates: Offered
    parents: NDArray[np.int64]
    steps: NDArray[np.int32]
    levels: NDArray[np.int64]
    owners: NDArray[np.int64]


class UnknownFacts(NamedTuple):
    """Combinations of facts that are not known: for each batch, slot and digest the state with the least fingerprint that shows it."""

    batch: NDArray[np.int64]
    slot: NDArray[np.int64]
    digest: Fingerprints
    fingerprint: Fingerprints
    vectors: Vectors

    def listed(self) -> list[tuple[int, int, int, int, list[int]]]:
        """A row for each."""
        return list(zip(*(each.tolist() for each in self), strict=True))

    def rows(self, rows: NDArray[np.int64]) -> UnknownFacts:
        """Some of them."""
        return UnknownFacts(self.batch[rows], self.slot[rows], self.digest[rows], self.fingerprint[rows], self.vectors[rows])


class BrokenInChunk(NamedTuple):
    """The first state of a chunk in which a process breaks something by itself, as `kernel.expand` gives it; `view` is the process's."""

    fingerprint: int
    process: int
    view: int
    deliveries: int


class PartDone(NamedTuple):
    """What the head needs to know of a part that was expanded."""

    steps: int
    unknown: UnknownFacts
    broken: list[BrokenInChunk]
    met: NDArray[np.int64]
    taken: NDArray[np.int64]


class Missing(NamedTuple):
    """What a chunk lacks: (view, bundle) for each entry, in the order of the kernel."""

    chunk: int
    misses: NDArray[np.int32]


class SegmentKey(NamedTuple):
    """States that wait: those of a level that were found at another, in one part of it, by one worker."""

    level: int
    found_at: int
    wave: int
    finder: int


class SegmentPart(NamedTuple):
    """Rows of a segment, of the worker that has it."""

    worker: int
    key: SegmentKey
    first: int
    last: int


def owners_of(fingerprints: Fingerprints, workers: int) -> NDArray[np.int64]:
    """Who owns each: the last bits of fingerprints, in as many ranges as there are workers."""
    last = fingerprints & np.uint64((1 << OWNER_BITS) - 1)
    return ((last * np.uint64(workers)) >> np.uint64(OWNER_BITS)).astype(np.int64)


class Held(NamedTuple):
    """How many states a worker owns, the bytes in which it keeps them, and all its memory."""

    states: int
    store_bytes: int
    memory_bytes: int


class CrewWorker:
    """CrewWorker `number` of `workers`."""

    def __init__(self, number: int, workers: int) -> None:
        self.number = number
        self.workers = workers
        self.copies = TableCopies()
        self.store = Store()
        self.waiting: dict[SegmentKey, NDArray[np.integer]] = {}
        self._candidates_max = _CANDIDATES_FIRST
        self._new: list[Offered] = []

    def learn(self, news: News) -> None:
        """Takes in what the head has filled."""
        self.copies.learn(news)

    def begin(self, key: SegmentKey, vectors: Vectors, first: int | None) -> None:
        """Puts states where they wait; `first` is the fingerprint of the initial state, if this is its owner."""
        if len(vectors):
            self.waiting[key] = narrowed(vectors)
        if first is not None:
            self.store.add_first(first)
            self._new.append(Offered(np.array([first], np.uint64), np.array([self.store.find(first).predecessor_prefix | 1], np.uint64)))

    # a part of a level

    def gather(self, level: int, first_chunk: int, pieces: Sequence[SegmentPart], *brought: NDArray[np.integer]) -> None:
        """Puts together the states of its part of a level: its own `pieces` and those that were `brought`, in order. `first_chunk` is the
        number of the part's first chunk in the level."""
        others = iter(brought)
        parts = [self.give(each) if each.worker == self.number else next(others) for each in pieces]
        self._level, self._first_chunk = level, first_chunk
        self._vectors = np.concatenate([widened(each) for each in parts]) if parts else np.zeros((0, 0), np.int32)
        chunks = -(-len(self._vectors) // CHUNK_STATES)
        self._parents: Fingerprints = np.zeros(len(self._vectors), np.uint64)
        self._counters: NDArray[np.int64] = np.zeros((chunks, kernel.COUNTERS), np.int64)
        self._found: dict[int, FoundByChunk] = {}
        self._unknown: dict[int, UnknownFacts] = {}
        self._taken: NDArray[np.int64] = np.zeros(0, np.int64)

    def give(self, piece: SegmentPart) -> NDArray[np.integer]:
        """Rows of a segment that waits here."""
        return self.waiting[piece.key][piece.first : piece.last]

    def expand(self, chunks: Sequence[int] | None = None) -> list[Missing]:
        """Expands chunks, by their numbers in the level, or all; returns what is missing of those that could not be completed."""
        numbers = range(len(self._counters)) if chunks is None else [each - self._first_chunk for each in chunks]
        missing = []
        tables = self.copies.tables()
        if len(self._taken) < len(tables.step_view):
            self._taken = np.concatenate([self._taken, np.zeros(len(tables.step_view) - len(self._taken), np.int64)])
        for number in numbers:
            misses = self._expand_chunk(number, tables)
            if len(misses):
                missing.append(Missing(self._first_chunk + number, misses))
        return missing

    def _expand_chunk(self, number: int, tables: kernel.StepTables) -> NDArray[np.int32]:
        first = number * CHUNK_STATES
        last = min(first + CHUNK_STATES, len(self._vectors))
        counters = self._counters[number]
        misses = np.empty((_MISSES_MAX, 2), np.int32)
        nothing = np.empty(0, np.int32)
        unknown = np.empty((CHUNK_STATES * (tables.observed.shape[1] + 1), 2), np.int32)
        while True:
            found = candidates_of(self._candidates_max)
            kernel.expand(
                tables,
                self.copies.known,
                self._vectors,
                first,
                last,
                self._parents,
                found,
                nothing,
                misses,
                unknown,
                counters,
                False,
                False,
            )
            if counters[kernel.MISS_COUNT]:
                return misses[: counters[kernel.MISS_COUNT]].copy()
            if not counters[kernel.OVERFLOW]:
                break
            self._candidates_max *= 2
        self._unknown[number] = self._least(unknown[: counters[kernel.UNKNOWN_COUNT]], tables)
        self._found[number] = self._sorted(found, int(counters[kernel.CANDIDATE_COUNT]), tables)
        return misses[:0]

    def _least(self, unknown: NDArray[np.int32], tables: kernel.StepTables) -> UnknownFacts:
        """Of states that show the same combination in one batch, the one with the least fingerprint."""
        state, slot = unknown[:, 0].astype(np.int64), unknown[:, 1].astype(np.int64)
        digest = np.zeros(len(state), np.uint64)
        for process in range(self._vectors.shape[1]):
            digest += tables.observed[self._vectors[state, process], slot]
        batch = (self._first_chunk + state // CHUNK_STATES) // BATCH_CHUNKS
        return _least_of(UnknownFacts(batch, slot, digest, self._parents[state], self._vectors[state]))

    def _sorted(self, found: kernel.Candidates, count: int, tables: kernel.StepTables) -> FoundByChunk:
        recent: NDArray[np.uint64] = np.zeros((RECENT_PLACES, 2), np.uint64)
        offsets: NDArray[np.int64] = np.zeros(looking_up.PARTITIONS + 1, np.int64)
        kept = candidates_of(count)
        kernel.partition(count, found, recent, self._level, self._taken, kept, offsets)
        fingerprints, parents, steps, weights = (each[: offsets[-1]].copy() for each in kept)
        levels = self._level + weights.astype(np.int64)
        origins = (self._parents[parents] & ~np.uint64(looking_up.LEVEL_MASK)) | levels.astype(np.uint64)
        return FoundByChunk(Offered(fingerprints, origins), parents.astype(np.int64), steps, levels, owners_of(fingerprints, self.workers))

    def done(self) -> PartDone:
        """What has come of the part, whose chunks are all complete."""
        numbers = range(len(self._counters))
        broken = []
        for number in numbers:
            state, process, deliveries = self._counters[number, kernel.BROKEN_STATE :].tolist()
            if deliveries < kernel.NOT_BROKEN:
                broken.append(BrokenInChunk(int(self._parents[state]), process, int(self._vectors[state, process]), deliveries))
        unknown = [self._unknown[number] for number in numbers]
        self._all = _joined([self._found[number] for number in numbers])
        return PartDone(
            int(self._counters[:, kernel.STEP_COUNT].sum()),
            _least_of(UnknownFacts(*(np.concatenate(parts) for parts in zip(*unknown, strict=True)))) if unknown else _NOTHING_UNKNOWN,
            broken,
            np.bincount(self._vectors.ravel(), minlength=self.copies.views),
            self._taken,
        )

    # which of the candidates are new

    def candidates(self) -> list[Offered]:
        """What was found, for each owner."""
        rows = [np.flatnonzero(self._all.owners == each) for each in range(self.workers)]
        return [Offered(self._all.candidates.fingerprints[each], self._all.candidates.origins[each]) for each in rows]

    def take_in(self, level: int, *parts: Offered) -> list[tuple[NDArray[np.bool_], NDArray[np.int64]]]:
        """Of candidates from each worker, in the workers' order: which are new, and how many states of later levels are stale thereby."""
        return [self._taken_in(level, each) for each in parts]

    def _taken_in(self, level: int, part: Offered) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        is_new: NDArray[np.bool_] = np.zeros(len(part.fingerprints), np.bool_)
        stale: NDArray[np.int64] = np.zeros(kernel.WEIGHTS, np.int64)
        numbers = part.fingerprints >> np.uint64(64 - looking_up.PARTITION_BITS)
        for number in np.unique(numbers).tolist():
            rows = np.flatnonzero(numbers == number)
            progress: NDArray[np.int64] = np.array([0, self.store.used[number]])
            while take_in(self.store.partitions[number], rows, *part, level, is_new, stale, progress) == kernel.TABLE_FULL:
                self.store.used[number] = int(progress[1])
                self.store.grow(number)
            self.store.used[number] = int(progress[1])
        self._new.append(Offered(part.fingerprints[is_new], part.origins[is_new]))
        return is_new, stale

    def build(
        self, wave: int, *answers: tuple[NDArray[np.bool_], NDArray[np.int64]]
    ) -> tuple[list[tuple[SegmentKey, int]], NDArray[np.int64]]:
        """Builds the states that are new by the answers of their owners; they wait here. Returns their segments with how many they are, and
        how many states are stale, by level from this one on."""
        found = self._all
        is_new: NDArray[np.bool_] = np.zeros(len(found.owners), np.bool_)
        for owner, (answer, _) in enumerate(answers):
            is_new[found.owners == owner] = answer
        rows = np.flatnonzero(is_new)
        rows = rows[np.argsort(found.parents[rows], kind="stable")]
        vectors = np.empty((len(rows), self._vectors.shape[1]), np.int32)
        build(self.copies.tables(), self._vectors, found.parents[rows], found.steps[rows], vectors)
        segments = []
        for level in np.unique(found.levels[rows]).tolist():
            key = SegmentKey(level, self._level, wave, self.number)
            block = vectors[found.levels[rows] == level]
            self.waiting[key] = narrowed(block)
            segments.append((key, len(block)))
        self._forget_part()
        return segments, np.sum([stale for _, stale in answers], axis=0)

    def _forget_part(self) -> None:
        self._vectors = np.zeros((0, 0), np.int32)
        self._found, self._unknown = {}, {}
        self._all = _joined([])

    # which of the states that wait are still where they belong

    def waiting_fingerprints(self, level: int) -> list[Fingerprints]:
        """Those of all states that wait at a level, for each owner."""
        self._settling = [key for key in self.waiting if key.level == level]
        self._theirs = self._fingerprints(level)
        return [self._theirs[owners_of(self._theirs, self.workers) == each] for each in range(self.workers)]

    def levels(self, *fingerprints: Fingerprints) -> list[NDArray[np.int64]]:
        """The levels of states that it owns."""
        return [self.store.levels(each) for each in fingerprints]

    def settle(self, level: int, *answers: NDArray[np.int64]) -> list[tuple[SegmentKey, int]]:
        """Lets go of states that have moved to a lower level; returns what is left."""
        levels = np.zeros(len(self._theirs), np.int64)
        owners = owners_of(self._theirs, self.workers)
        for owner, answer in enumerate(answers):
            levels[owners == owner] = answer
        left, first = [], 0
        for key in self._settling:
            block = self.waiting[key]
            self.waiting[key] = block[levels[first : first + len(block)] == level]
            first += len(block)
            left.append((key, len(self.waiting[key])))
        return left

    def _fingerprints(self, level: int) -> Fingerprints:
        tables, parts = self.copies.tables(), []
        for key in self._settling:
            parts.append(np.zeros(len(self.waiting[key]), np.uint64))
            state_fingerprints(widened(self.waiting[key]), tables.fingerprints, parts[-1])
        return np.concatenate([np.zeros(0, np.uint64), *parts])

    # between levels

    def drop(self, level: int) -> Held:
        """Forgets the states of a level, which have been expanded; returns what it holds now."""
        self.waiting = {key: block for key, block in self.waiting.items() if key.level != level}
        return Held(self.store.states, self.store.bytes, resident_bytes())

    def write(self, folder: str, level: int) -> int:
        """Writes down what the level has brought; returns its bytes.

        Raises:
            OSError: it cannot be written.
        """
        new = (
            Offered(*(np.concatenate([np.zeros(0, np.uint64), *parts]) for parts in zip(*self._new, strict=True)))
            if self._new
            else _NOTHING
        )
        self._new = []
        waiting = {key: block for key, block in self.waiting.items() if key.found_at == level}
        return write_level(Path(folder), level, OfLevel(self.number, *new, waiting))

    def restore(self, folder: str, level: int) -> None:
        """Takes from what was written up to `level` what belongs to it now.

        Raises:
            DamagedCheckpoint: something is not what was written.
            OSError: it cannot be read.
        """
        for brought in written_levels(Path(folder), level):
            mine = owners_of(brought.fingerprints, self.workers) == self.number
            self._taken_in(0, Offered(brought.fingerprints[mine], brought.origins[mine]))
            if brought.worker % self.workers == self.number:
                self.waiting |= {SegmentKey(*key): block for key, block in brought.waiting.items() if key[0] > level}
        self._new = []

    def find(self, fingerprint: int, prefix: bool) -> Entry | None:
        """What is stored of a state; None where this is not its owner. Of a `prefix` the last bits are not known."""
        return self.store.look_for(fingerprint, prefix=prefix)


def _least_of(unknown: UnknownFacts) -> UnknownFacts:
    ordered = unknown.rows(np.lexsort((unknown.fingerprint, unknown.digest, unknown.slot, unknown.batch)))
    same = [each[1:] == each[:-1] for each in (ordered.batch, ordered.slot, ordered.digest)]
    return ordered.rows(np.flatnonzero(np.concatenate([np.ones(min(1, len(ordered.batch)), np.bool_), ~(same[0] & same[1] & same[2])])))


def _joined(parts: Sequence[FoundByChunk]) -> FoundByChunk:
    if not parts:
        nothing = np.zeros(0, np.int64)
        empty = np.zeros(0, np.uint64)
        return FoundByChunk(Offered(empty, empty), nothing, nothing.astype(np.int32), nothing, nothing)
    candidates = Offered(*(np.concatenate(each) for each in zip(*(part.candidates for part in parts), strict=True)))
    return FoundByChunk(candidates, *(np.concatenate(each) for each in zip(*(part[1:] for part in parts), strict=True)))


_NOTHING = Offered(np.zeros(0, np.uint64), np.zeros(0, np.uint64))
_NOTHING_UNKNOWN = UnknownFacts(*(np.zeros(0, np.int64),) * 2, *(np.zeros(0, np.uint64),) * 2, np.zeros((0, 0), np.int32))
