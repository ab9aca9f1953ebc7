"""Random walks: for configurations that are too large to be checked to the end. They find faults, and never prove anything.

A walk starts at the initial state and takes one of the possible steps at random until there is none, or a bound is reached; then the next
begins. Walks go over the same tables as the compiled search, under the same reductions but symmetry (they only shorten the way to what
can be observed), so a step costs a few look-ups. The same seed takes the same walks, on every machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import walk_kernel
from pmmc_check.checker.checkpoints import kept_search
from pmmc_check.checker.claims import Claims
from pmmc_check.checker.counterexample import Move, executed
from pmmc_check.checker.coverage import exercised, put_off_in_moves, put_off_when_met, taken_from
from pmmc_check.checker.facts import KnownFacts
from pmmc_check.checker.local_steps import LocalSteps
from pmmc_check.checker.memory import peak_memory_bytes, resident_bytes
from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import Action, Control, Result, ResumedFrom, Snapshot, Violation, Walks
from pmmc_check.checker.shorten import shortened
from pmmc_check.checker.tables import Tables
from pmmc_check.model.content import Digest, text_digest
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import Invariant
from pmmc_check.users_code import Interrupted
from pmmc_check.verdicts import INCONCLUSIVE, VIOLATED

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
        trust_claims: bool = False,
    ) -> None:
        self.control = control
        self.seed = seed
        self.steps_max = steps_max
        self.reductions = replace(reductions, symmetry=False)
        self.checks = Checks(model, invariants)
        self.model = model = self.checks.model
        self.claims = Claims(model, self.reductions, symmetric=reductions.symmetry, trusted=trust_claims)
        self.locals = LocalSteps(model, self.checks, self.claims, Digest())
        self.tables = Tables(self.locals, self.reductions, model.config.slots)
        self.known = KnownFacts(self.checks, self.tables)
        self.seen: set[int] = set()
        self.steps_taken = 0
        self.walks = 0
        self.deliveries = 0
        self.depth = 1
        self.seconds_before = 0.0
        self.taken_before: Counter[Action] = Counter()
        self.put_off_before: Counter[Action] = Counter()
        self._resumed: ResumedFrom | None = None
        how = {"engine": "walks", "seed": seed, "steps": steps_max, "trust claims": trust_claims}
        self._checkpoints = kept_search(control, model, self.checks, reductions, how)
        self._memory_bytes = 0
        self._initial = self.tables.state_of(model.initial())
        self._arrays = self.tables.arrays()
        processes = len(self._initial)
        self._walk = walk_kernel.Walk(
            vector=np.zeros(processes, np.int32),
            after=np.zeros(processes, np.int32),
            met=np.zeros(steps_max + 1, np.uint64),
            moves=np.zeros((steps_max, 2), np.int32),
            taken=np.zeros(1024, np.int64),
            random=np.array([text_digest(f"seed {seed}")], np.uint64),
            place=np.zeros(3, np.int64),
        )

    def run(self) -> Result:
        """Takes one walk after another until there is an answer or a limit is reached."""
        try:
            if limit := self._resume():
                return self._result(None, limit)
        except Interrupted as stopped:
            return self._result(None, str(stopped))
        while True:
            if limit := self._limit_reached():
                self._keep()
                return self._result(None, limit)
            if self._checkpoints and self._checkpoints.due:
                self._keep()
            try:
                broken, last = self._walked()
            except Interrupted as stopped:
                return self._result(None, str(stopped))
            steps = int(self._walk.place[walk_kernel.STEPS])
            taken = self._walk.moves[:steps]
            depth = 1 + int(self.tables.step_weight.data[taken[:, 1]].sum()) + sum(len(move.path.deliveries) for move in last)
            self.seen.update(self._walk.met[: steps + 1].tolist())
            self.walks, self.steps_taken, self.deliveries = self.walks + 1, self.steps_taken + steps, self.deliveries + depth
            self.depth = max(self.depth, depth)
            if broken:
                moves = [Move(process, self.tables.paths[step]) for process, step in taken.tolist()]
                return self._result(self._shown([*moves, *last]), None)

    def _resume(self) -> str | None:
        """Goes on where the newest checkpoint was written, if there is one; returns the limit that stopped it."""
        if self._checkpoints:
            from pmmc_check.checker.checkpoints.of_walks import WalkFacts, restore_walks  # noqa: PLC0415  # most searches are not kept

            if found := self._checkpoints.newest(WalkFacts):
                self._resumed = found[0].resumed()
                limit = restore_walks(self, *found, self._limit_reached)
                self._use_tables()
                return limit
        return None

    def _keep(self) -> None:
        """Writes a checkpoint, if the walks are kept."""
        if self._checkpoints:
            from pmmc_check.checker.checkpoints.of_walks import saved_walks  # noqa: PLC0415  # most searches are not kept

            self._checkpoints.write(saved_walks(self))

    @property
    def random(self) -> NDArray[np.uint64]:
        """The state of the random numbers: one number, in place."""
        state: NDArray[np.uint64] = self._walk.random
        return state

    def seconds(self) -> float:
        """How long they have taken, with the time before the checkpoint from which they went on."""
        return self.seconds_before + self.control.seconds()

    def actions_taken(self) -> Counter[Action]:
        """How often each kind of step was taken, internal ones excepted."""
        return self.taken_before + taken_from(self.tables, self._walk.taken)

    def actions_put_off(self) -> Counter[Action]:
        """The internal deliveries of all moves."""
        return self.put_off_before + put_off_in_moves(self.tables, self._walk.taken)

    def _walked(self) -> tuple[bool, list[Move]]:
        """One walk: whether it has broken something, and the move by which a process has by itself."""
        walk, tables = self._walk, self.tables
        walk.vector[:] = self._initial
        walk.place[walk_kernel.STEPS] = 0
        while True:
            status = walk_kernel.walk(self._arrays, self.known.digests, walk)
            detail, bundle = walk.place[walk_kernel.DETAIL :].tolist()
            if status == walk_kernel.MISSED:
                self._fill(detail, bundle)
                walk = self._walk
            elif status == walk_kernel.BROKEN:
                return True, [Move(detail, tables.broken_by[int(walk.vector[detail])].path)]
            elif status != walk_kernel.UNJUDGED:
                return status == walk_kernel.ENDED and self._ends_badly(walk.vector.tolist()), []
            elif self.known.evaluate(walk.vector.tolist(), detail) is not None:
                return True, []

    def _fill(self, view: int, bundle: int) -> None:
        """Makes a missing table entry, and room for counting the new steps."""
        if bundle >= 0:
            self.tables.fill_receive(view, bundle)
        else:
            self.tables.fill_view(view)
        self._use_tables()

    def _use_tables(self) -> None:
        self._arrays = self.tables.arrays()
        missing = self.tables.step_view.size - len(self._walk.taken)
        if missing > 0:
            self._walk = self._walk._replace(taken=np.concatenate([self._walk.taken, np.zeros(missing + 1024, np.int64)]))

    def _ends_badly(self, vector: Vector) -> bool:
        if not self.checks.progress:
            return False
        return self.checks.of_end(self.tables.local_states(vector), self.tables.all_facts(vector)) is not None

    def _shown(self, moves: list[Move]) -> Violation:
        """The walk as deliveries of the unreduced model, shortened."""
        return replace(shortened(executed(moves, self.tables.locals, self.checks), self.model, self.checks), shortest=False)

    def _limit_reached(self) -> str | None:
        """Looks at the limits; at memory, and to report progress, only now and then."""
        if self.walks % _LOOK_EVERY_WALKS == 0:
            self._memory_bytes = resident_bytes()
            self.control.report(Snapshot(self.depth, len(self.seen), self.steps_taken, 0, self._memory_bytes))
        return self.control.limit_reached(len(self.seen), self._memory_bytes)

    def _result(self, violation: Violation | None, limit: str | None) -> Result:
        put_off = self.actions_put_off() + put_off_when_met(self.tables)
        return Result(
            verdict=VIOLATED if violation else INCONCLUSIVE,
            config=self.model.config,
            engine="compiled",
            reductions=self.reductions.names,
            distinct_states=len(self.seen),
            generated_states=1 + self.steps_taken,
            depth=self.depth,
            seconds=self.seconds(),
            peak_memory_bytes=peak_memory_bytes(),
            collision_probability=0.0,
            invariants=tuple(each.name for each in self.checks.invariants),
            coverage=self.actions_taken() + put_off,
            unneeded=frozenset(Action(role, kind) for role, kind in self.claims.left_out),
            violation=violation,
            limit=None if violation else f"random walks do not check everything; {limit}",
            claims=self.claims.report(),
            exercised=exercised(self.checks, put_off, self.claims),
            walks=Walks(self.walks, self.seed, self.steps_max, self.deliveries / max(1, self.walks)),
            checkpoints=self._checkpoints.used(self._resumed) if self._checkpoints else None,
        )
