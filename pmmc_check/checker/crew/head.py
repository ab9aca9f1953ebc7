"""What the head of a crew says to it, and where the states are. It counts nothing and judges nothing: that is `crew.search`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.crew.arrays import NOTHING_FILLED, FilledSoFar, FillLog
from pmmc_check.checker.crew.crews import Crew, exchange
from pmmc_check.checker.crew.levels import forget_levels
from pmmc_check.checker.crew.worker import Held, Missing, PartDone, SegmentKey, SegmentPart, owners_of
from pmmc_check.checker.memory import resident_bytes
from pmmc_check.checker.store import Entry
from pmmc_check.checker.tables import Tables
from pmmc_check.checker.workspace import BATCH_CHUNKS, CHUNK_STATES, Vectors

WAVE_CHUNKS = 8 * BATCH_CHUNKS
"""So many chunks of a level a worker expands before what was found is shared out: 262,144 states."""


class Segment(NamedTuple):
    """States that wait at a worker."""

    worker: int
    key: SegmentKey
    states: int


class Whereabouts(NamedTuple):
    """Where the states were at the end of a level: the segments of each level, in the order of their states, and how many are stale."""

    level: int
    segments: dict[int, list[Segment]]
    stale: dict[int, int]


class CrewHead:
    """Talks to a crew that has begun. `known` gives the digests of the combinations of facts that are known now."""

    def __init__(self, crew: Crew, tables: Tables, known: Callable[[], NDArray[np.uint64]]) -> None:
        self.crew = crew
        self.held: list[Held] = []
        self._known = known
        self._filled = FillLog(tables)
        self._segments: dict[int, list[Segment]] = {}
        self._stale: dict[int, int] = {}
        self._told: list[tuple[FilledSoFar, int]] = []

    def begin(self, initial: Vectors, fingerprint: int) -> None:
        """Makes the crew, and gives it the initial state."""
        workers = self._made()
        key = SegmentKey(1, 0, 0, 0)
        owner = int(owners_of(np.array([fingerprint], np.uint64), workers)[0])
        asked = [self.crew.ask(each, "begin", key, initial[: each == 0], fingerprint if each == owner else None) for each in range(workers)]
        self.crew.answers(asked)
        self._segments = {1: [Segment(0, key, 1)]}

    @property
    def level(self) -> int | None:
        """The lowest level at which states wait; None when there are none."""
        return min(self._segments, default=None)

    def waiting(self, level: int | None = None) -> int:
        """How many states wait, at a level or at all."""
        levels = self._segments if level is None else [level]
        return sum(each.states for at in levels for each in self._segments[at])

    @property
    def wave_states(self) -> int:
        """How many states of a level are expanded at once."""
        return WAVE_CHUNKS * CHUNK_STATES * self.crew.workers

    @property
    def memory_bytes(self) -> int:
        """What workers need of this machine's memory; of other machines, what the largest of them needs more than this process."""
        if not self.crew.elsewhere:
            return 0
        needed = [each.memory_bytes for each in self.held]
        return sum(needed) if self.crew.shares_memory else max(0, max(needed, default=0) - resident_bytes())

    def settle(self, level: int) -> None:
        """Lets go of states that have moved to a lower level since they were put here."""
        if self._stale.pop(level, 0):
            settled = exchange(self.crew, ("waiting_fingerprints", level), ("levels",), ("settle", level))
            remaining = {key: states for of_worker in settled for key, states in of_worker}
            self._segments[level] = [each._replace(states=remaining[each.key]) for each in self._segments[level]]

    def expand(self, level: int, first: int, last: int) -> list[PartDone]:
        """Expands states of a level, each worker as many chunks as the others; returns what they report, in the order of the states."""
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
        return self.crew.answers([self.crew.ask(each, "done") for each in everyone])

    def share_out(self, level: int, wave: int) -> None:
        """Has the owners say which of the states that were found are new; these wait from now on."""
        built = exchange(self.crew, ("candidates",), ("take_in", level), ("build", wave))
        for each, (segments, stale) in enumerate(built):
            for key, states in segments:
                self._segments.setdefault(key.level, []).append(Segment(each, key, states))
            for later in (1 + np.flatnonzero(stale[1:])).tolist():
                self._stale[level + later] = self._stale.get(level + later, 0) + int(stale[later])

    def finish(self, level: int) -> Whereabouts:
        """A level has been expanded: nobody needs its states any more, and what it has brought is written down."""
        self._segments.pop(level, None)
        self.held = self.crew.answers([self.crew.ask(each, "drop", level) for each in range(self.crew.workers)])
        if self.crew.folder is not None:
            self.crew.answers([self.crew.ask(each, "write", str(self.crew.folder), level) for each in range(self.crew.workers)])
        return Whereabouts(level, {at: list(each) for at, each in self._segments.items()}, dict(self._stale))

    def restore(self, then: Whereabouts) -> None:
        """Makes the crew again, as it was at the end of a level, with as many workers as there should be now."""
        assert self.crew.folder is not None, "without a folder nobody goes back"
        forget_levels(self.crew.folder, then.level)
        workers = self._made()
        self.crew.answers([self.crew.ask(each, "restore", str(self.crew.folder), then.level) for each in range(workers)])
        self._segments = {
            level: [each._replace(worker=each.key.finder % workers) for each in segments] for level, segments in then.segments.items()
        }
        self._stale = dict(then.stale)

    def find(self, fingerprint: int, *, prefix: bool) -> Entry:
        """The entry of a visited state, whose owner has it; of a `prefix` nobody knows who that is."""
        answers = self.crew.answers([self.crew.ask(each, "find", fingerprint, prefix) for each in range(self.crew.workers)])
        entry: Entry = next(each for each in answers if each is not None)
        return entry

    def _made(self) -> int:
        workers = self.crew.wanted()
        self.crew.start(workers)
        self._told = [(NOTHING_FILLED, 0)] * workers
        self._tell()
        return workers

    def _pieces(self, level: int, first: int, last: int) -> Iterator[SegmentPart]:
        """Where states number `first` to `last` of a level wait."""
        before = 0
        for worker, key, states in self._segments[level]:
            begin, end = max(first, before), min(last, before + states)
            if begin < end:
                yield SegmentPart(worker, key, begin - before, end - before)
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

    def _tell(self) -> None:
        """Sends each worker what has been filled, and which facts have become known, since it was told last."""
        moment, known = self._filled.moment(), self._known()
        facts = int(np.count_nonzero(known))
        news = {}
        for each, told in enumerate(self._told):
            if told != (moment, facts):
                if told not in news:
                    news[told] = self.crew.share(self._filled.since(told[0], known.copy()))
                self.crew.ask(each, "learn", news[told])
                self._told[each] = (moment, facts)
