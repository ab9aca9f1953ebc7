"""The compiled search whose states are elsewhere: it counts, and judges what workers report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.counterexample import Suspect
from pmmc_check.checker.crew.crews import Crew, WorkerLost
from pmmc_check.checker.crew.head import CrewHead, Whereabouts
from pmmc_check.checker.crew.worker import PartDone
from pmmc_check.checker.facts import KnownFacts
from pmmc_check.checker.memory import resident_bytes
from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import Control, CrewUsed, Result, Snapshot
from pmmc_check.checker.store import LEVEL_MAX, Entry, Store
from pmmc_check.errors import PmmcError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import Invariant

LOSSES_MAX = 5
"""After so many losses in one level the search gives up."""


class Progressed(NamedTuple):
    """What the search knows at the end of a level, and goes back to when a worker dies."""

    where: Whereabouts
    distinct_states: int
    generated_states: int
    depth: int
    level_sizes: dict[int, int]
    met: NDArray[np.int64]
    taken: NDArray[np.int64]
    suspects: list[Suspect]
    known: NDArray[np.uint64]


class StatesElsewhere(Store):
    """The visited states, as whoever rebuilds a run asks for them. `restored` has the crew made again when a worker has died."""

    def __init__(self, head: CrewHead, restored: Callable[[WorkerLost], None]) -> None:
        super().__init__()
        self._head = head
        self._restored = restored

    @property
    def states(self) -> int:
        """How many all workers own."""
        return sum(each.states for each in self._head.held)

    @property
    def bytes(self) -> int:
        """The memory of all tables."""
        return sum(each.store_bytes for each in self._head.held)

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
                return self._head.find(fingerprint, prefix=prefix)
            except WorkerLost as lost:
                self._restored(lost)


class CrewSearch(CompiledSearch):
    """A compiled search whose states are kept, and expanded, by the workers of a crew, which is made when the search begins. Where the crew
    has no folder to write in, the search ends when a worker dies."""

    head: CrewHead

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
        self._replaced = 0
        self.steps_taken: NDArray[np.int64] = np.zeros(0, np.int64)

    def run(self) -> Result:
        """Searches until there is an answer or a limit is reached.

        Raises:
            PmmcError: a worker dies while the run to a violation is put together, and there is nothing to take its states from.
        """
        crew = self._make_crew()
        try:
            self.head = CrewHead(crew, self.tables, lambda: self.known.digests)

            def restored(lost: WorkerLost) -> None:
                self._replaced += 1
                if crew.folder is None or self._replaced > LOSSES_MAX:
                    raise PmmcError(f"{lost} before the run to the violation was put together; begin again") from lost
                self.head.restore(self._done.where)

            self.visited.store = StatesElsewhere(self.head, restored)
            result = super().run()
            used = CrewUsed(crew.workers, self._replaced)
        finally:
            crew.close()
        return replace(result, peak_memory_bytes=result.peak_memory_bytes + self.head.memory_bytes, crew=used)

    def _explore(self) -> str | None:
        """Level after level; returns the limit that stopped it."""
        head, crew = self.head, self.head.crew
        initial = self.visited.frontier.batch(1)
        head.begin(initial, int(self.visited.fingerprints(initial)[0]))
        self._done, losses, lost = progressed(self, head.finish(0)), 0, False
        while (level := head.level) is not None:
            limit, ended = ends_before(level, self)
            if ended:
                return limit
            try:
                if lost or (crew.folder and crew.wanted() != crew.workers):
                    head.restore(self._done.where)
                    self._put_back(self._done)
                    lost = False
                    continue
                if limit := self._level(level):
                    return limit
                self._done, losses = progressed(self, head.finish(level)), 0
            except WorkerLost as error:
                losses, lost = losses + 1, True
                self._replaced += 1
                if crew.folder is None or losses > LOSSES_MAX:
                    return f"{error}, and with it what it had found"
        return None

    def _level(self, level: int) -> str | None:
        """Expands a level; returns the limit that stopped it."""
        head = self.head
        head.settle(level)
        waiting, left = head.waiting(level), self._states_left()
        states = waiting if left is None else min(waiting, left)
        for first in range(0, max(1, states), head.wave_states):
            if limit := self._limit_reached(level):
                return limit
            self.depth = level
            last = min(states, first + head.wave_states)
            self._judge(level, head.expand(level, first, last))
            head.share_out(level, first)
            self.distinct_states += last - first
            self.level_sizes[level] += last - first
        return self._limit_reached(level) if states < waiting else None

    def _judge(self, level: int, done: list[PartDone]) -> None:
        """Evaluates the invariants on combinations of facts that are met for the first time, and counts."""
        unknown = [row for each in done for row in each.unknown.listed()]
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
            self._met = added(self._met, each.met)
            self.steps_taken = added(self.steps_taken, each.taken[: self.tables.step_view.size])

    def _put_back(self, done: Progressed) -> None:
        """Counts, and knows, what it did at the end of a level."""
        self.distinct_states, self.generated_states, self.depth = done.distinct_states, done.generated_states, done.depth
        self.level_sizes.clear()
        self.level_sizes.update(done.level_sizes)
        self._met, self.steps_taken, self.suspects = done.met, done.taken, list(done.suspects)
        known, observed = KnownFacts(self.checks, self.tables), self.known.observed
        known.know(done.known)
        known.observed = observed
        self.known = known

    def _limit_reached(self, level: int) -> str | None:
        """Looks at the limits, and reports progress."""
        memory_bytes = resident_bytes() + self.head.memory_bytes
        self.control.report(Snapshot(level, self.distinct_states, self.generated_states, self.head.waiting(), memory_bytes))
        return self.control.limit_reached(self.distinct_states, memory_bytes)

    def _taken(self) -> NDArray[np.int64]:
        """How often each step was taken, by all workers."""
        return added(np.zeros(self.tables.step_view.size, np.int64), self.steps_taken)


def progressed(search: CrewSearch, where: Whereabouts) -> Progressed:
    """What a search knows at the end of a level."""
    return Progressed(
        where,
        search.distinct_states,
        search.generated_states,
        search.depth,
        dict(search.level_sizes),
        search._met,
        search.steps_taken,
        list(search.suspects),
        search.known.known(),
    )


def ends_before(level: int, search: CompiledSearch) -> tuple[str | None, bool]:
    """Whether `level` is not expanded, because a violation is no deeper, or because of a limit, which is told."""
    depth_max = search.control.limits.depth_max
    if search.suspects and min(search.suspects).level <= level:
        return None, True
    if search.depth and depth_max is not None and level > depth_max:
        return f"depth {depth_max} (--max-depth) was reached; deeper states exist", True
    if level > LEVEL_MAX:
        return f"depth {LEVEL_MAX} was reached, the deepest that the engine can hold", True
    return None, False


def added(counts: NDArray[np.int64], more: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of two arrays of counts, each of which ends where nothing more was counted."""
    total: NDArray[np.int64] = np.zeros(max(len(counts), len(more)), np.int64)
    total[: len(counts)] += counts
    total[: len(more)] += more
    return total
