"""Random walks: for configurations that are too large to be checked to the end. They find faults, and never prove anything.

A walk starts at the initial state and takes one of the possible steps at random until there is none, or a bound is reached; then the next
begins. Walks go over the same tables as the compiled search, under the same reductions but symmetry (they only shorten the way to what
can be observed), so a step costs a few look-ups. The same seed takes the same walks, on every machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pmmc_check.checker.compilation import announce_compilation
from pmmc_check.checker.counterexample import Move, executed
from pmmc_check.checker.facts import KnownFacts
from pmmc_check.checker.local import Locals
from pmmc_check.checker.memory import peak_memory_bytes, resident_bytes
from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import INCONCLUSIVE, VIOLATED, Action, Control, Progress, Result, Violation, Walks
from pmmc_check.checker.shorten import shortened
from pmmc_check.checker.tables import Tables
from pmmc_check.model.content import Digest
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import Invariant

STEPS_MAX = 200
_LOOK_EVERY_WALKS = 50

Vector = list[int]


class RandomWalks:
    """Walks through `model` until an invariant is broken or a limit is reached. `steps_max` bounds a walk's steps."""

    def __init__(
        self,
        model: Model,
        invariants: Sequence[Invariant],
        control: Control,
        reductions: Reductions,
        *,
        seed: int = 1,
        steps_max: int = STEPS_MAX,
    ) -> None:
        announce_compilation()
        self.model = model
        self.control = control
        self.seed = seed
        self.steps_max = steps_max
        self.reductions = replace(reductions, symmetry=False)
        self.checks = Checks(model, invariants)
        self.locals = Locals(model, self.checks, self.reductions, Digest())
        self.tables = Tables(self.locals, self.reductions, model.config.slots)
        self.known = KnownFacts(self.checks, self.tables)
        self.seen: set[int] = set()
        self.coverage: Counter[Action] = Counter()
        self.depths: list[int] = []
        self.steps_taken = 0
        self._fingerprints: list[int] = []
        self._observed: list[tuple[int, ...]] = []
        self._sums_checked: set[tuple[int, int]] = set()

    def run(self) -> Result:
        """Walk after walk."""
        random = Random(self.seed)
        initial = self.tables.state_of(self.model.initial())
        while True:
            if len(self.depths) % _LOOK_EVERY_WALKS == 0 and (limit := self._limit_reached()):
                return self._result(None, limit)
            moves, broken = self._walk(list(initial), random)
            self.depths.append(1 + sum(len(move.path.deliveries) for move in moves))
            if broken:
                return self._result(self._shown(moves), None)

    def _walk(self, vector: Vector, random: Random) -> tuple[list[Move], bool]:
        """One walk, and whether it has broken something."""
        moves: list[Move] = []
        while True:
            self.seen.add(self._fingerprint(vector))
            if self._breaks(vector, moves):
                return moves, True
            move = self._random_move(vector, random) if len(moves) < self.steps_max else None
            if move is None:
                ended = len(moves) < self.steps_max
                return moves, bool(ended and self.checks.progress and self._ends_badly(vector))
            moves.append(move)
            self.steps_taken += 1
            for delivery in move.path.deliveries:
                self.coverage[Action(self.model.processes[move.process].role, self.locals.messages[delivery.message].kind)] += 1

    def _random_move(self, vector: Vector, random: Random) -> Move | None:
        """Takes a step that changes something, changing `vector`; None when there is none. Each step is as likely as another."""
        tables = self.tables
        steps: list[tuple[int, int]] = []
        for process, view in enumerate(vector):
            tables.fill_view(view)
            first, last = tables.step_range.data[view].tolist()
            steps.extend((process, step) for step in range(first, last))
        while steps:
            chosen = random.randrange(len(steps))
            steps[chosen], steps[-1] = steps[-1], steps[chosen]
            process, step = steps.pop()
            after = self._after(vector, process, step)
            if after is not None:
                vector[:] = after
                return Move(process, tables.paths[step])
        return None

    def _after(self, vector: Vector, process: int, step: int) -> Vector | None:
        """The state after a step; None when it is refused, or changes nothing."""
        after = self.tables.taken(vector, process, step)
        if after is None:
            return None
        moved = any(after[to] != vector[to] for to in range(len(vector)) if to != process)
        unchanged = after[process] == vector[process] or bool(self.tables.step_halts.data[step])
        return None if unchanged and not moved else after

    def _breaks(self, vector: Vector, moves: list[Move]) -> bool:
        """Whether a process by itself, or the combination of facts, breaks an invariant; the move to a local violation is added."""
        for process, view in enumerate(vector):
            self.tables.fill_view(view)
            if self.tables.broken.data[view]:
                moves.append(Move(process, self.tables.broken_by[view].path))
                return True
        observed = self._observations(vector)
        return any(self._fact_breaks(vector, slot, total) for slot, total in enumerate(observed) if total)

    def _fact_breaks(self, vector: Vector, slot: int, total: int) -> bool:
        if (slot, total) in self._sums_checked:
            return False
        self._sums_checked.add((slot, total))
        return self.known.evaluate(vector, slot) is not None

    def _ends_badly(self, vector: Vector) -> bool:
        return self.checks.of_end(self.tables.local_states(vector), self.tables.all_facts(vector)) is not None

    def _observations(self, vector: Vector) -> list[int]:
        """The digest of what all processes show, slot by slot."""
        for view in range(len(self._observed), len(self.tables.views)):
            self._observed.append(tuple(self.tables.observed.data[view].tolist()))
        return [sum(each) & 0xFFFFFFFFFFFFFFFF for each in zip(*(self._observed[view] for view in vector), strict=True)]

    def _fingerprint(self, vector: Vector) -> int:
        for view in range(len(self._fingerprints), len(self.tables.views)):
            self._fingerprints.append(int(self.tables.fingerprints.data[view, 0]))
        total = 0
        for view in vector:
            total ^= self._fingerprints[view]
        return total

    def _shown(self, moves: list[Move]) -> Violation:
        """The walk as deliveries of the unreduced model, shortened."""
        return shortened(executed(moves, self.tables, self.checks), self.model, self.checks)

    def _limit_reached(self) -> str | None:
        memory_bytes = resident_bytes()
        depth = max(self.depths, default=1)
        self.control.report(Progress(depth, len(self.seen), self.steps_taken, 0, memory_bytes))
        return self.control.limit_reached(len(self.seen), memory_bytes)

    def _result(self, violation: Violation | None, limit: str | None) -> Result:
        depths = self.depths or [1]
        return Result(
            verdict=VIOLATED if violation else INCONCLUSIVE,
            config=self.model.config,
            engine="compiled",
            reductions=self.reductions.names,
            distinct_states=len(self.seen),
            generated_states=1 + self.steps_taken,
            depth=max(depths),
            seconds=self.control.seconds(),
            peak_memory_bytes=peak_memory_bytes(),
            collision_probability=0.0,
            invariants=tuple(each.name for each in self.checks.invariants),
            coverage=dict(self.coverage),
            unneeded=frozenset(Action(role, kind) for role, kind in self.locals.dropped),
            violation=violation,
            limit=None if violation else f"random walks do not check everything; {limit}",
            walks=Walks(len(self.depths), self.seed, self.steps_max, sum(depths) / len(depths)),
        )
