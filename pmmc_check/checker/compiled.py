"""The compiled search: levels of a breadth-first search over view numbers, expanded and stored by kernels.

A level holds the states that are that many deliveries from the initial state, plus one. Steps may stand for several
deliveries (deferral), so a new state goes to the level it belongs to, and a state reached again by fewer deliveries
moves to the lower level, as in Dijkstra's algorithm with buckets; the entry that it leaves behind is dropped when its
level comes up.

Results do not depend on the number of threads: a level is cut into chunks of fixed size, candidates are inserted
partition by partition in chunk order, and only the work on different chunks, then on different partitions, is shared
out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import kernel
from pmmc_check.checker.boundary import Boundary
from pmmc_check.checker.checkpoints import kept_search
from pmmc_check.checker.claims import Claims
from pmmc_check.checker.commuting import Commuting, MessagesReceived
from pmmc_check.checker.counterexample import Suspect, rebuild, rebuild_endless, rebuild_fair
from pmmc_check.checker.coverage import exercised, put_off_in_states, taken_from
from pmmc_check.checker.delayed.places import DiskFull
from pmmc_check.checker.endless import OpenStates
from pmmc_check.checker.facts import KnownFacts
from pmmc_check.checker.fairness import fair_run
from pmmc_check.checker.local_steps import LocalSteps
from pmmc_check.checker.memory import peak_memory_bytes, resident_bytes
from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import Action, Control, Result, ResumedFrom, Snapshot, Violation, constraints_of
from pmmc_check.checker.store import LEVEL_MAX
from pmmc_check.checker.symmetry import renamings
from pmmc_check.checker.tables import Tables
from pmmc_check.checker.visited import VisitedStates
from pmmc_check.checker.workspace import CHUNK_STATES, Batch, NewStates, Vectors, Worker, by_level
from pmmc_check.model.content import Digest
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks, Violated
from pmmc_check.properties.invariants import Invariant
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.users_code import Interrupted
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED

_OUTPUT_STATES = 1 << 14
_REPORT_SECONDS = 0.25


class CompiledSearch:
    """Explores `model` to the end, to a violation, or to a limit.

    Steps are taken alone only where `received` is given, which is what is known before of the messages that processes receive: see
    `checker.commuting_search`, which is what to use."""

    def __init__(
        self,
        model: Model,
        invariants: Sequence[Invariant],
        control: Control,
        reductions: Reductions,
        threads: int = 1,
        *,
        trust_claims: bool = False,
        constraints: Sequence[WrittenInvariant] = (),
        disk: Path | None = None,
        received: MessagesReceived | None = None,
    ) -> None:
        self.control = control
        self.reductions = reductions = replace(reductions, commuting=received is not None)
        self.threads = threads
        self.checks = Checks(model, invariants, constraints)
        self.model = model = self.checks.model
        digest = Digest(renamings(model.system) if reductions.symmetry else ({},))
        self.claims = Claims(model, reductions, symmetric=reductions.symmetry, trusted=trust_claims)
        self.locals = LocalSteps(model, self.checks, self.claims, digest)
        self.tables = Tables(self.locals, reductions, model.config.slots)
        self.commuting = None if received is None else Commuting(self.tables, received)
        self.known = KnownFacts(self.checks, self.tables)
        self._boundary = Boundary(self.checks, self.tables, self.known) if constraints else None
        self.outside_states = 0
        self.visited = VisitedStates(self.tables, resident_bytes, disk, may_delay=self.checks.progress is None)
        self.steps_not_deeper = 0
        self.open_states = OpenStates(self.tables, self.checks) if self.checks.progress else None
        self._free: list[Worker] = []
        self.suspects: list[Suspect] = []
        self.distinct_states = 0
        self.generated_states = 1
        self.depth = 0
        self.level_sizes: Counter[int] = Counter()
        self._met: NDArray[np.int64] = np.zeros(0, np.int64)
        self._reported_at = 0.0
        self._candidates_max = 64 * CHUNK_STATES
        self.seconds_before = 0.0
        self.taken_before: Counter[Action] = Counter()
        self.put_off_before: Counter[Action] = Counter()
        self._resumed: ResumedFrom | None = None
        self._checkpoints = kept_search(control, model, self.checks, reductions, {"engine": "compiled", "trust claims": trust_claims})

    def run(self) -> Result:
        """Searches until there is an answer or a limit is reached."""
        self._allocate()
        if at_once := self.checks.of_state(self.model.initial()):
            self.visited.close()
            return self._result(Violation(*at_once, self.model.initial(), ()), None)
        initial = np.array([self.tables.state_of(self.model.initial())], np.int32)
        if self.commuting:
            self.commuting.begin(initial[0].tolist())
        with closing(self.visited), ThreadPoolExecutor(self.threads) as pool:
            self._map: Callable[..., Iterable[Any]] = pool.map if self.threads > 1 else map
            try:
                limit = self._begin(initial) or self._explore()
            except Interrupted as stopped:  # what was found before still counts
                limit = str(stopped)
            except DiskFull as full:
                limit = f"disk: {full}"
            return self._result(self._violation(limit), limit)

    def _violation(self, limit: str | None) -> Violation | None:
        """The counterexample, if there is one."""
        if self.suspects:
            found = rebuild(min(self.suspects), self.tables, self.visited.ancestry, self.checks)
            return replace(found, shortest=limit is None)
        if limit is None and self.open_states and self.steps_not_deeper:
            return self._endless_run(self.open_states)
        return None

    def _begin(self, initial: Vectors) -> str | None:
        """Puts the search at its beginning, or where its newest checkpoint was written; returns the limit that stopped it."""
        if self._checkpoints:
            from pmmc_check.checker.checkpoints.of_search import SearchFacts, restore_search  # noqa: PLC0415  # most searches are not kept

            if found := self._checkpoints.newest(SearchFacts):
                self._resumed = found[0].resumed()
                return restore_search(self, *found, lambda: self._watched(self.depth, 0))
        self.visited.begin(initial)
        return None

    def _keep(self, limit: str = "") -> str:
        """Writes a checkpoint, if the search is kept: the search must be between two batches. Returns the `limit` that stops it."""
        if self._checkpoints:
            from pmmc_check.checker.checkpoints.of_search import saved_search  # noqa: PLC0415  # most searches are not kept

            self._checkpoints.write(saved_search(self))
        return limit

    def _endless_run(self, open_states: OpenStates) -> Violation | None:
        """A run that never ends, though something is left to decide on it; for FairProgress one that is fair."""
        if self.checks.progress and self.checks.progress.fair:
            fair = fair_run(open_states.noted(), self.tables, self.visited.store)
            return rebuild_fair(*fair, self.tables, self.visited.store, self.checks) if fair else None
        cycle = open_states.cycle(self.visited.store)
        return rebuild_endless(cycle, self.tables, self.visited.store, self.checks) if cycle else None

    def _explore(self) -> str | None:
        """Level after level; returns the limit that stopped it."""
        visited, limits = self.visited, self.control.limits
        while (level := visited.frontier.level) is not None:
            if self.suspects and min(self.suspects).level <= level:
                return None
            visited.settle(level)
            while len(vectors := visited.frontier.batch(level)):
                if self.depth and limits.depth_max is not None and level > limits.depth_max:
                    return self._keep(f"depth {limits.depth_max} (--max-depth) was reached; deeper states exist")
                if level > LEVEL_MAX:
                    return f"depth {LEVEL_MAX} was reached, the deepest that the engine can hold"
                if limit := self._limit_reached(level):
                    return self._keep(limit)
                if self._checkpoints and self._checkpoints.due:
                    self._keep()
                self.depth = level
                states_left = self._states_left()
                if states_left is not None and states_left < len(vectors):
                    self._keep()  # whoever goes on begins with the whole batch
                    self._explore_batch(self._within(vectors[:states_left], level), level)
                    return self._limit_reached(level)
                self._explore_batch(self._within(vectors, level), level)
                visited.frontier.drop(level, len(vectors))
        return None

    def _states_left(self) -> int | None:
        """How many more states may be expanded."""
        states_max = self.control.limits.states_max
        return None if states_max is None else max(0, states_max - self.distinct_states)

    def seconds(self) -> float:
        """How long it has taken, with the time before the checkpoint from which it went on."""
        return self.seconds_before + self.control.seconds()

    def _within(self, vectors: Vectors, level: int) -> Vectors:
        """Those states that lie within the constraints; the others are checked and counted here."""
        if self._boundary is None:
            return vectors
        within = self._boundary.within(vectors)
        outside = vectors[~within]
        if len(outside):
            fingerprints = self.visited.fingerprints(outside)
            for broken, rows in self._boundary.broken(outside):
                self.suspects.append(Suspect(level, self._order(broken), int(fingerprints[rows].min())))
            self.outside_states += len(outside)
            self.distinct_states += len(outside)
        return vectors[within]

    def _explore_batch(self, vectors: Vectors, level: int) -> None:
        """Expands up to `BATCH_CHUNKS` chunks, then inserts what they found."""
        starts = list(range(0, len(vectors), CHUNK_STATES))
        pending = list(range(len(starts)))
        if self.open_states:
            self.open_states.begin(vectors)
        while pending:
            self._arrays = self.tables.arrays()
            list(self._map(self._expand_chunk, [(vectors, level, chunk) for chunk in pending]))
            self._widen_if_needed(pending)
            pending = self._fill_misses(pending)
            if self.commuting:
                self.commuting.decide(self._taken)
        self._check_facts(vectors, level, len(starts))
        self._note_broken(vectors, level, len(starts))
        tasks = [(vectors, level, len(starts), which) for which in range(kernel.PARTITIONS)]
        added: list[NewStates] = []
        for new, stale in self._map(self._insert_partition, tasks):
            added.extend(new)
            for later in (1 + np.flatnonzero(stale[1:])).tolist():
                self.visited.frontier.stale[level + later] += int(stale[later])
            self.steps_not_deeper += int(stale[0])
        for at, new_states in by_level(added):
            self.visited.add(at, new_states, self.batch.parents[new_states.parents])
        self._count_views(vectors)
        self.distinct_states += len(vectors)
        self.level_sizes[level] += len(vectors)
        self.generated_states += int(self.batch.counters[: len(starts), kernel.STEP_COUNT].sum())

    def _expand_chunk(self, task: tuple[Vectors, int, int]) -> None:
        vectors, level, chunk = task
        tables, batch = self.tables, self.batch
        worker = self._free.pop()
        counters = batch.counters[chunk]
        first = chunk * CHUNK_STATES
        kernel.expand(
            self._arrays,
            self.known.digests,
            vectors,
            first,
            min(first + CHUNK_STATES, len(vectors)),
            batch.parents,
            worker.found,
            batch.misses[chunk],
            batch.unknown[chunk],
            counters,
            self.checks.progress is not None,
        )
        if not counters[kernel.MISS_COUNT] and not counters[kernel.OVERFLOW]:
            if self.open_states:
                chunk_states = slice(first, min(first + CHUNK_STATES, len(vectors)))
                self.open_states.add(chunk_states, batch.parents, worker.found, int(counters[kernel.CANDIDATE_COUNT]))
            worker.widen(len(tables.step_view.data))
            worker.recent.fill(0)  # per chunk: what another chunk found first would depend on the threads
            kernel.partition(
                counters[kernel.CANDIDATE_COUNT],
                worker.found,
                tables.step_weight.data,
                worker.recent,
                level,
                worker.taken,
                kernel.Candidates(*(array[chunk] for array in batch.candidates)),
                batch.offsets[chunk],
            )
        self._free.append(worker)

    def _fill_misses(self, chunks: list[int]) -> list[int]:
        """Fills what the given chunks missed; returns those that must be expanded again."""
        incomplete = []
        for chunk in chunks:
            counters = self.batch.counters[chunk]
            count = int(counters[kernel.MISS_COUNT])
            for view, bundle in dict.fromkeys(map(tuple, self.batch.misses[chunk, :count].tolist())):
                if bundle < 0:
                    self.tables.fill_view(view)
                else:
                    self.tables.fill_receive(view, bundle)
            if count or counters[kernel.OVERFLOW]:
                incomplete.append(chunk)
        return incomplete

    def _check_facts(self, vectors: Vectors, level: int, chunks: int) -> None:
        """Evaluates the invariants on combinations of facts that are met for the first time."""
        for chunk in range(chunks):
            for state, slot in self.batch.unknown[chunk, : self.batch.counters[chunk, kernel.UNKNOWN_COUNT]].tolist():
                vector = vectors[state].tolist()
                if broken := self.known.evaluate(vector, slot) if slot >= 0 else self._end(vector):
                    self.suspects.append(Suspect(level, self._order(broken), int(self.batch.parents[state])))

    def _end(self, vector: list[int]) -> Violated | None:
        """What is broken by a run that ends in `vector`."""
        return self.checks.of_end(self.tables.local_states(vector), self.tables.all_facts(vector))

    def _note_broken(self, vectors: Vectors, level: int, chunks: int) -> None:
        """Notes the states from which a process by itself breaks an invariant: the first such state of each chunk is enough."""
        for chunk in range(chunks):
            state, process, deliveries = self.batch.counters[chunk, kernel.BROKEN_STATE :].tolist()
            if deliveries < kernel.NOT_BROKEN:
                view = int(vectors[state, process])
                broken = self.tables.broken_by[view].violated
                self.suspects.append(Suspect(level + deliveries, self._order(broken), int(self.batch.parents[state]), process))

    def _order(self, violated: Violated) -> int:
        return [each.name for each in self.checks.invariants].index(violated.invariant)

    def _insert_partition(self, task: tuple[Vectors, int, int, int]) -> tuple[list[NewStates], NDArray[np.int64]]:
        """Inserts the candidates of one partition; returns the new states, and how many entries of later levels became stale."""
        vectors, level, chunks, which = task
        batch, store = self.batch, self.visited.store
        offsets = batch.offsets[:chunks]
        candidates = int((offsets[:, which + 1] - offsets[:, which]).sum())
        stale: NDArray[np.int64] = np.zeros(kernel.WEIGHTS, np.int64)
        added: list[NewStates] = []
        progress: NDArray[np.int64] = np.array([0, 0, store.used[which], 0])
        while candidates:
            room = min(candidates, _OUTPUT_STATES)
            new = NewStates.room(room, vectors.shape[1])
            status = kernel.insert(
                self._arrays,
                store.partitions[which],
                which,
                level,
                batch.candidates,
                offsets,
                vectors,
                batch.parents,
                *new,
                stale,
                progress,
            )
            added.append(new.first(int(progress[3])))
            store.used[which] = int(progress[2])
            if status == kernel.DONE:
                break
            if status == kernel.TABLE_FULL:
                store.grow(which)
        return added, stale

    def _limit_reached(self, level: int) -> str | None:
        """Makes room where memory is short, and looks at the limits."""
        return self._watched(level, self.visited.relieve(level, self.control.limits.memory_bytes_max))

    def _watched(self, level: int, memory_bytes: int) -> str | None:
        """Reports progress now and then; returns the limit that was reached."""
        if self.control.seconds() - self._reported_at >= _REPORT_SECONDS:
            self._reported_at = self.control.seconds()
            self.control.report(Snapshot(level, self.distinct_states, self.generated_states, self.visited.frontier.states, memory_bytes))
        return self.control.limit_reached(self.distinct_states, memory_bytes)

    def _allocate(self) -> None:
        self.batch = Batch.allocated(self._candidates_max, self.tables.observed.data.shape[1])
        taken = [worker.taken for worker in self._free]
        self._free = [Worker(self._candidates_max) for _ in range(self.threads)]
        for worker, counted in zip(self._free, taken, strict=False):
            worker.taken = counted

    def _widen_if_needed(self, chunks: list[int]) -> None:
        """Doubles the room for candidates when a chunk had too many."""
        if any(self.batch.counters[chunk, kernel.OVERFLOW] for chunk in chunks):
            self._candidates_max *= 2
            narrow = self.batch
            self._allocate()
            self.batch.take_over(narrow)

    def _result(self, violation: Violation | None, limit: str | None) -> Result:
        verdict = VIOLATED if violation else INCONCLUSIVE if limit else HOLDS
        put_off = self.actions_put_off()
        order = len(self.locals.digest.renamings)
        pairs = self.distinct_states * (self.distinct_states - 1) / 2
        return Result(
            verdict=verdict,
            config=self.model.config,
            engine="compiled",
            reductions=self.reductions.names,
            distinct_states=self.distinct_states,
            generated_states=self.generated_states,
            depth=max(self.depth, min(self.suspects).level) if self.suspects else self.depth,
            seconds=self.seconds(),
            peak_memory_bytes=peak_memory_bytes(),
            collision_probability=min(1.0, pairs / 2**64),
            invariants=tuple(each.name for each in self.checks.invariants),
            coverage=self.actions_taken() + put_off,
            unneeded=frozenset(Action(role, kind) for role, kind in self.claims.left_out),
            violation=violation,
            limit=limit,
            bytes_per_state=self.visited.bytes_per_state,
            symmetry_order=order,
            claims=self.claims.report(),
            exercised=exercised(self.checks, put_off, self.claims),
            level_sizes=tuple(self.level_sizes[level] for level in range(1, max(self.level_sizes, default=0) + 1)),
            constraints=constraints_of(self.checks),
            outside_states=self.outside_states,
            disk=self.visited.disk_used(),
            checkpoints=self._checkpoints.used(self._resumed) if self._checkpoints else None,
        )

    def actions_taken(self) -> Counter[Action]:
        """How often each kind of step was taken, internal ones excepted."""
        return self.taken_before + taken_from(self.tables, self._taken())

    def actions_put_off(self) -> Counter[Action]:
        """The internal deliveries that were possible in the states expanded so far."""
        return self.put_off_before + put_off_in_states(self.tables, dict(enumerate(self._met.tolist())))

    def _count_views(self, vectors: Vectors) -> None:
        """How often each view occurs in the states that were expanded."""
        counted = np.bincount(vectors.ravel(), minlength=len(self._met))
        counted[: len(self._met)] += self._met
        self._met = counted

    def _taken(self) -> NDArray[np.int64]:
        """How often each step was taken, by all threads."""
        taken = np.zeros(self.tables.step_view.size, np.int64)
        for worker in self._free:
            counted = worker.taken[: len(taken)]
            taken[: len(counted)] += counted
        return taken
