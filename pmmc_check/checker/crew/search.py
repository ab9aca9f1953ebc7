"""The head of a crew: the compiled search, whose states are elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.counterexample import Suspect
from pmmc_check.checker.crew.arrays import NOTHING_FILLED, FilledSoFar, FillLog
from pmmc_check.checker.crew.crews import Crew, WorkerLost, exchange
from pmmc_check.checker.crew.levels import forget_levels
from pmmc_check.checker.crew.worker import Held, Missing, PartDone, Piece, SegmentKey, owners_of
from pmmc_check.checker.facts import KnownFacts
from pmmc_check.checker.memory import resident_bytes
from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import Control, CrewUsed, Result, Snapshot
from pmmc_check.checker.store import LEVEL_MAX, Entry, Store
from pmmc_check.checker.workspace import BATCH_CHUNKS, CHUNK_STATES
from pmmc_check.errors import PmmcError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import Invariant

LOSSES_MAX = 5
"""After so many losses in one level the search gives up."""
WAVE_CHUNKS = 8 * BATCH_CHUNKS
"""So many chunks of a level a worker expands before what was found is shared out: 262,144 states."""


class Segment(NamedTuple):
    """States that wait at a worker."""

    worker: int
    key: SegmentKey
    states: int


class Progressed(NamedTuple):
    """What the head knows at the end of a level, and goes back to when a worker dies. `segments` are in the order of their states."""

    level: int
    distinct_states: int
    generated_states: int
    depth: int
    level_sizes: dict[int, int]
    met: NDArray[np.int64]
    taken: NDArray[np.int64]
    suspects: list[Suspect]
    segments: dict[int, list[Segment]]
    stale: dict[int, int]
    known: NDArray[np.uint64]


class StatesElsewhere(Store):
    """The visited states, as whoever rebuilds a run asks for them: each owner is asked."""

    def __init__(self, crew: Crew, recover: Callable[[WorkerLost], None]) -> None:
        super().__init__()
        self._crew = crew
        self._recover = recover
        self.held: Sequence[Held] = ()

    @property
    def states(self) -> int:
        """How many all workers own."""
        return sum(each.states for each in self.held)

    @property
    def bytes(self) -> int:
        """The memory of all tables."""
        return sum(each.store_bytes for each in self.held)

    def add_first(self, fingerprint: int) -> None:
        """Left to the owner."""

    def find(self, fingerprint: int) -> Entry:
        """The entry of a visited state."""
        return self._found(fingerprint, prefix=False)

    def find_prefix(self, prefix: int) -> Entry:
        """The entry of the state whose fingerprint begins with the 48 bits of `prefix`."""
        return self._found(prefix, prefix=True)

    def _found(self, fingerprint: int, *, prefix: bool) -> Entry:
        while True:
            try:
                answers = self._crew.answers([self._crew.ask(each, "find", fingerprint, prefix) for each in range(self._crew.workers)])
                break
            except WorkerLost as lost:
                self._recover(lost)
        entry: Entry = next(each for each in answers if each is not None)
        return entry


class CrewSearch(CompiledSearch):
    """A compiled search whose states are kept, and expanded, by the workers of a crew, which is made when the search begins. Where the crew
    has no folder to write in, the search ends when a worker dies."""

    crew: Crew
    elsewhere: StatesElsewhere

    def __init__(
        self,
        model: Model,
        invariants: Sequence[Invariant],
        control: Control,
        reductions: Reductions,
        make_crew: Callable[[], Crew],
        *,
        trust_claims: bool = False,
    ) -> None:
        super().__init__(model, invariants, control, reductions, 1, trust_claims=trust_claims)
        assert self.checks.progress is None, "the graph of what is left to decide is not shared out"
        self._make_crew = make_crew
        self.replaced = 0
        self.segments: dict[int, list[Segment]] = {}
        self.stale: dict[int, int] = {}
        self._filled = FillLog(self.tables)
        self._steps_taken: NDArray[np.int64] = np.zeros(0, np.int64)
        self._told: list[tuple[FilledSoFar, int]] = []

    def run(self) -> Result:
        """Searches until there is an answer or a limit is reached."""
        self.crew = self._make_crew()
        try:
            self.store = self.elsewhere = StatesElsewhere(self.crew, self._recover)
            result = super().run()
            used = CrewUsed(self.crew.workers, self.replaced)
        finally:
            self.crew.close()
        return replace(result, peak_memory_bytes=result.peak_memory_bytes + self._memory_elsewhere(), crew=used)

    def _explore(self) -> str | None:
        """Level after level; returns the limit that stopped it."""
        self._done, losses, lost = self._started(), 0, False
        while (level := min(self.segments, default=None)) is not None:
            limit, ended = self._ends_before(level)
            if ended:
                return limit
            try:
                if lost or (self.crew.folder and self.crew.wanted() != self.crew.workers):
                    self._go_back(self._done)
                    lost = False
                    continue
                if limit := self._level(level):
                    return limit
                self._done, losses = self._written(level), 0
            except WorkerLost as error:
                losses, lost = losses + 1, True
                self.replaced += 1
                if self.crew.folder is None or losses > LOSSES_MAX:
                    return f"{error}, and with it what it had found"
        return None

    def _ends_before(self, level: int) -> tuple[str | None, bool]:
        """Whether `level` is not expanded, because a violation is no deeper, or because of a limit."""
        depth_max = self.control.limits.depth_max
        if self.suspects and min(self.suspects).level <= level:
            return None, True
        if self.depth and depth_max is not None and level > depth_max:
            return f"depth {depth_max} (--max-depth) was reached; deeper states exist", True
        if level > LEVEL_MAX:
            return f"depth {LEVEL_MAX} was reached, the deepest that the engine can hold", True
        return None, False

    # beginning, and beginning again

    def _started(self) -> Progressed:
        """The crew has the initial state."""
        initial = self.frontier.batch(1)
        fingerprint = int(self._fingerprints(initial)[0])
        workers = self._crew_of(self.crew.wanted())
        key = SegmentKey(1, 0, 0, 0)
        owner = int(owners_of(np.array([fingerprint], np.uint64), workers)[0])
        asked = [self.crew.ask(each, "begin", key, initial[: each == 0], fingerprint if each == owner else None) for each in range(workers)]
        self.crew.answers(asked)
        self.segments = {1: [Segment(0, key, 1)]}
        return self._written(0)

    def _crew_of(self, workers: int) -> int:
        self.crew.start(workers)
        self._told = [(NOTHING_FILLED, 0)] * workers
        self._tell()
        return workers

    def _written(self, level: int) -> Progressed:
        """Has the workers write down what the level has brought them."""
        if self.crew.folder is not None:
            self.crew.answers([self.crew.ask(each, "write", str(self.crew.folder), level) for each in range(self.crew.workers)])
        segments = {at: list(each) for at, each in self.segments.items()}
        return Progressed(
            level,
            self.distinct_states,
            self.generated_states,
            self.depth,
            dict(self.level_sizes),
            self._met.copy(),
            self._steps_taken.copy(),
            list(self.suspects),
            segments,
            dict(self.stale),
            self.known.known(),
        )

    def _recover(self, lost: WorkerLost) -> None:
        """Has a crew again whose states can be asked for, after the last level.

        Raises:
            PmmcError: there is nothing to take them from.
        """
        self.replaced += 1
        if self.crew.folder is None or self.replaced > LOSSES_MAX:
            raise PmmcError(f"{lost} before the run to the violation was put together; begin again") from lost
        suspects = self.suspects
        self._go_back(self._done)
        self.suspects = suspects

    def _go_back(self, done: Progressed) -> None:
        """To the end of a level that all have written, with as many workers as there should be now."""
        assert self.crew.folder is not None, "without a folder nobody goes back"
        forget_levels(self.crew.folder, done.level)
        self.distinct_states, self.generated_states, self.depth = done.distinct_states, done.generated_states, done.depth
        self.level_sizes.clear()
        self.level_sizes.update(done.level_sizes)
        self._met, self._steps_taken, self.suspects = done.met.copy(), done.taken.copy(), list(done.suspects)
        known, observed = KnownFacts(self.checks, self.tables), self.known.observed
        known.know(done.known)
        known.observed = observed
        self.known = known
        workers = self._crew_of(self.crew.wanted())
        self.crew.answers([self.crew.ask(each, "restore", str(self.crew.folder), done.level) for each in range(workers)])
        self.segments = {
            level: [each._replace(worker=each.key.finder % workers) for each in segments] for level, segments in done.segments.items()
        }
        self.stale = dict(done.stale)

    # a level

    def _level(self, level: int) -> str | None:
        """Expands a level; returns the limit that stopped it."""
        if self.stale.pop(level, 0):
            settled = exchange(self.crew, ("waiting_fingerprints", level), ("levels",), ("settle", level))
            remaining = {key: states for of_worker in settled for key, states in of_worker}
            self.segments[level] = [each._replace(states=remaining[each.key]) for each in self.segments[level]]
        waiting, left = sum(each.states for each in self.segments[level]), self._states_left()
        states = waiting if left is None else min(waiting, left)
        for first in range(0, max(1, states), WAVE_CHUNKS * CHUNK_STATES * self.crew.workers):
            if limit := self._limit_reached(level):
                return limit
            self.depth = level
            self._wave(level, first, min(states, first + WAVE_CHUNKS * CHUNK_STATES * self.crew.workers))
        if states < waiting:
            return self._limit_reached(level)
        del self.segments[level]
        self.elsewhere.held = self.crew.answers([self.crew.ask(each, "drop", level) for each in range(self.crew.workers)])
        return None

    def _wave(self, level: int, first: int, last: int) -> None:
        """Expands some states of a level, each worker as many chunks as the others."""
        everyone = range(self.crew.workers)
        share = CHUNK_STATES * -(-(last - first) // (CHUNK_STATES * len(everyone)))
        for each in everyone:
            begin = min(last, first + each * share)
            pieces = list(self._pieces(level, begin, min(last, begin + share)))
            brought = [self.crew.ask(piece.worker, "give", piece) for piece in pieces if piece.worker != each]
            self.crew.ask(each, "gather", level, begin // CHUNK_STATES, pieces, *brought)
        self._tell()
        self._complete(self.crew.answers([self.crew.ask(each, "expand") for each in everyone]))
        self._tell()
        done: list[PartDone] = self.crew.answers([self.crew.ask(each, "done") for each in everyone])
        self._judge(level, done)
        built = exchange(self.crew, ("candidates",), ("take_in", level), ("build", first))
        for each, (segments, stale) in enumerate(built):
            for key, states in segments:
                self.segments.setdefault(key.level, []).append(Segment(each, key, states))
            for later in (1 + np.flatnonzero(stale[1:])).tolist():
                self.stale[level + later] = self.stale.get(level + later, 0) + int(stale[later])
        self.distinct_states += last - first
        self.level_sizes[level] += last - first

    def _pieces(self, level: int, first: int, last: int) -> Iterator[Piece]:
        """Where states number `first` to `last` of a level wait."""
        before = 0
        for worker, key, states in self.segments[level]:
            begin, end = max(first, before), min(last, before + states)
            if begin < end:
                yield Piece(worker, key, begin - before, end - before)
            before += states

    def _complete(self, found: list[list[Missing]]) -> None:
        """Fills what chunks lack, batch after batch in the order of the level: as one process would, so that entries get the same
        numbers."""
        missing = {each.chunk: (worker, each) for worker, of_worker in enumerate(found) for each in of_worker}
        filled = False
        while missing:
            batch = min(missing) // BATCH_CHUNKS
            if filled:  # what lacked entries may lack fewer now
                self._tell()
                of_batch = [(chunk, missing.pop(chunk)[0]) for chunk in sorted(missing) if chunk // BATCH_CHUNKS == batch]
                everyone = sorted({worker for _, worker in of_batch})
                asked = [self.crew.ask(each, "expand", [chunk for chunk, worker in of_batch if worker == each]) for each in everyone]
                for worker, again in zip(everyone, self.crew.answers(asked), strict=True):
                    missing |= {each.chunk: (worker, each) for each in again}
            for chunk in sorted(each for each in missing if each // BATCH_CHUNKS == batch):
                for view, bundle in dict.fromkeys(map(tuple, missing[chunk][1].misses.tolist())):
                    self._filled.fill(view, bundle)
                filled = True

    def _judge(self, level: int, done: list[PartDone]) -> None:
        """Evaluates the invariants on combinations of facts that are met for the first time, and counts."""
        unknown = [
            row
            for each in done
            for row in zip(each.unknown.batch.tolist(), each.unknown.slot.tolist(), each.unknown.digest.tolist(),
                           each.unknown.fingerprint.tolist(), each.unknown.vectors.tolist(), strict=True)
        ]  # fmt: skip
        for batch in sorted({row[0] for row in unknown}):
            fresh = [row for row in unknown if row[0] == batch and not self.known.knows(row[2])]
            for _, slot, _, fingerprint, vector in fresh:
                if broken := self.known.evaluate(vector, slot):
                    self.suspects.append(Suspect(level, self._order(broken), fingerprint))
        for each in done:
            for first in each.broken:
                violated = self.tables.broken_by[first.view].violated
                self.suspects.append(Suspect(level + first.deliveries, self._order(violated), first.fingerprint, first.process))
            self.generated_states += each.steps
            self._met = _added(self._met, each.met)
            self._steps_taken = _added(self._steps_taken, each.taken[: self.tables.step_view.size])

    def _tell(self) -> None:
        """Sends each worker what has been filled, and which facts have become known, since it was told last."""
        moment = self._filled.moment()
        known = len(self.known.known())
        news = {}
        for each, told in enumerate(self._told):
            if told != (moment, known):
                if told not in news:
                    news[told] = self.crew.share(self._filled.since(told[0], self.known.digests.copy()))
                self.crew.ask(each, "learn", news[told])
                self._told[each] = (moment, known)

    def _limit_reached(self, level: int) -> str | None:
        """Looks at the limits, and reports progress."""
        memory_bytes = resident_bytes() + self._memory_elsewhere()
        waiting = sum(each.states for segments in self.segments.values() for each in segments)
        self.control.report(Snapshot(level, self.distinct_states, self.generated_states, waiting, memory_bytes))
        return self.control.limit_reached(self.distinct_states, memory_bytes)

    def _memory_elsewhere(self) -> int:
        """What workers need of this machine's memory; of other machines, what the largest of them needs more than this process."""
        if not self.crew.elsewhere:
            return 0
        needed = [each.memory_bytes for each in self.elsewhere.held]
        return sum(needed) if self.crew.shares_memory else max(0, max(needed, default=0) - resident_bytes())

    def _taken(self) -> NDArray[np.int64]:
        """How often each step was taken, by all workers."""
        return _added(np.zeros(self.tables.step_view.size, np.int64), self._steps_taken)


def _added(counts: NDArray[np.int64], more: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of two arrays of counts, each of which ends where nothing more was counted."""
    added = np.zeros(max(len(counts), len(more)), np.int64)
    added[: len(counts)] += counts
    added[: len(more)] += more
    return added
