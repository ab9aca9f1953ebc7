"""Random walks: for configurations that are too large to be checked to the end. They find faults, and never prove anything.

A walk starts at the initial state and takes one of the possible deliveries at random until there is none, or a bound is reached; then the
next begins. There are no reductions, so no claim of a role is needed: a walk goes one way only, so it gains nothing where others are left
out, and a delivery costs a few look-ups. Many walks go on at once, but count in their order, each with random numbers of its own: the
same seed takes the same walks, on every machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import walk_tables as tables
from pmmc_check.checker.checkpoints import kept_search
from pmmc_check.checker.claims import Claims
from pmmc_check.checker.counterexample import Move, executed
from pmmc_check.checker.coverage import unsent
from pmmc_check.checker.deliveries import LocalDeliveries, MissingEntry, ShownMessages
from pmmc_check.checker.facts import KnownFacts
from pmmc_check.checker.local_steps import LocalSteps
from pmmc_check.checker.memory import peak_memory_bytes, resident_bytes
from pmmc_check.checker.met_states import MetStates
from pmmc_check.checker.reductions import reductions_named
from pmmc_check.checker.result import Action, Control, Exercised, Result, ResumedFrom, Snapshot, Violation, Walks
from pmmc_check.checker.shorten import shortened
from pmmc_check.checker.tables import Path, PathDelivery
from pmmc_check.checker.walk_kernel import walk_on
from pmmc_check.model.content import Digest, text_digest
from pmmc_check.model.faults import Drop
from pmmc_check.model.model import Model
from pmmc_check.model.network import Fifo
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import Invariant
from pmmc_check.users_code import Interrupted
from pmmc_check.verdicts import INCONCLUSIVE, VIOLATED

STEPS_MAX = 500
_LOOK_EVERY_WALKS = 50
_ENTRIES_MIN, _ENTRIES_MAX = 100_000, 2_000_000
"""How many entries tables may have before they are emptied, about a kilobyte each: the latter; or as many as there are when half of the
memory is used that may be, but no fewer than the former."""
_TOGETHER = 64
"""So many walks go on at once."""


class EndedWalk(NamedTuple):
    """A walk from its beginning to its end: the fingerprints that it has met, one more than its moves; these, as (process, message,
    choice, sender, outcome); whether it has broken something."""

    met: NDArray[np.uint64]
    moves: NDArray[np.int32]
    broken: bool


class RandomWalks:
    """Walks through `model` until an invariant is broken or a limit is reached. `steps_max` bounds a walk's steps."""

    def __init__(
        self, model: Model, invariants: Sequence[Invariant], control: Control, *, seed: int = 1, steps_max: int = STEPS_MAX
    ) -> None:
        self.control = control
        self.seed = seed
        self.steps_max = steps_max
        self.reductions = reductions_named("none")
        self.checks = Checks(model, invariants)
        self.model = model = self.checks.model
        self.claims = Claims(model, self.reductions, symmetric=False)
        self.met = MetStates()
        self.steps_taken = 0
        self.walks = 0
        self.depth = 1
        self.seconds_before = 0.0
        self.happened = WhatHappened()
        self._resumed: ResumedFrom | None = None
        how = {"engine": "walks", "seed": seed, "steps": steps_max}
        self._checkpoints = kept_search(control, model, self.checks, self.reductions, how)
        self._memory_bytes = 0
        self._entries_max = _ENTRIES_MAX
        self._emptied_at = 0
        self._know_nothing()
        self._inbox_max = 2 * max(map(len, self._start.inboxes)) + 32
        self._walkers = self._room()

    def _know_nothing(self) -> None:
        """Begins with empty tables. Walks do not depend on what they hold."""
        self.locals = LocalSteps(self.model, self.checks, self.claims, Digest())
        self.deliveries = LocalDeliveries(self.locals, self.model.config.slots)
        self.known = KnownFacts(self.checks, self.deliveries)
        self._counted: NDArray[np.int64] = np.zeros((0, len(self.model.processes)), np.int64)
        self._start = self._initial()

    def run(self) -> Result:
        """Takes one walk after another until there is an answer or a limit is reached."""
        self._resume()
        walks = self.ended()
        while True:
            if limit := self._limit_reached():
                self._keep()
                return self._result(None, limit)
            if self._checkpoints and self._checkpoints.due:
                self._keep()
            try:
                if self.deliveries.entries > self._entries_max and self.walks - self._emptied_at >= _TOGETHER:
                    self._forget()
                    walks = self.ended()
                walk = next(walks)
            except Interrupted as stopped:
                return self._result(None, str(stopped))
            if walk is not None:
                self._account(walk)
                if walk.broken:
                    return self._result(self._violation(walk), None)

    def ended(self) -> Iterator[EndedWalk | None]:
        """The walks that are not counted yet, in order, without end; None now and then, while none has ended."""
        ended: dict[int, EndedWalk] = {}
        expected = self.walks
        numbers, statuses = list(range(expected, expected + _TOGETHER)), np.zeros(_TOGETHER, np.int64)
        for row, number in enumerate(numbers):
            self._begin(row, number)
        while True:
            walk_on(self.deliveries.arrays(), self.known.digests, self._walkers, statuses)
            stopped = statuses.tolist()
            statuses.fill(tables.GOES_ON)
            for row, (status, place) in enumerate(zip(stopped, self._walkers.place.tolist(), strict=True)):
                walk = self._dealt_with(row, status, place)
                if walk is not None:
                    ended[numbers[row]] = walk
                    numbers[row] = 1 + max(numbers)
                    self._begin(row, numbers[row])
            if tables.NO_ROOM in stopped:
                self._widen()
            if expected not in ended:
                yield None
            while expected in ended:
                yield ended.pop(expected)
                expected += 1

    def _resume(self) -> None:
        """Goes on where the newest checkpoint was written, if there is one."""
        if self._checkpoints:
            from pmmc_check.checker.checkpoints.of_walks import WalkFacts, restore_walks  # noqa: PLC0415  # most searches are not kept

            if found := self._checkpoints.newest(WalkFacts):
                self._resumed = found[0].resumed()
                restore_walks(self, *found)

    def _keep(self) -> None:
        """Writes a checkpoint, if the walks are kept."""
        if self._checkpoints:
            from pmmc_check.checker.checkpoints.of_walks import saved_walks  # noqa: PLC0415  # most searches are not kept

            self._checkpoints.write(saved_walks(self))

    def seconds(self) -> float:
        """How long they have taken, with the time before the checkpoint from which they went on."""
        return self.seconds_before + self.control.seconds()

    def _forget(self) -> None:
        """Lets all go that tables hold, so that long walks do not need ever more memory; what they have shown is kept."""
        self.happened.unsent = frozenset(self.unsent())
        self.happened.taken = self.coverage()
        self.model.forget_steps()
        self._emptied_at = self.walks  # those that go on begin anew, so some must have come to their end in between
        self._know_nothing()

    def _dealt_with(self, row: int, status: int, place: list[int]) -> EndedWalk | None:
        """Does what a walk has stopped for, and returns it where that is its end."""
        walkers = self._walkers
        steps = place[tables.STEPS]
        broken = status == tables.BROKEN
        if status == tables.NO_ENTRY:
            self.deliveries.learn(MissingEntry(*place[tables.DETAIL :]))
            return None
        if status == tables.NO_ROOM:
            return None
        if status == tables.UNJUDGED:
            broken = self.known.evaluate(walkers.look[row].tolist(), place[tables.DETAIL]) is not None
            if not broken:
                return None
        if status == tables.ENDED:
            broken = self._ends_badly(row)
        return EndedWalk(walkers.met[row, : steps + 1].copy(), walkers.moves[row, :steps].copy(), broken)

    def _initial(self) -> _Start:
        network, locals_ = self.model.network, self.locals
        states, shown, inboxes = [], [], []
        for process, view in enumerate(self.model.initial()):
            placed = sorted(network.contents(view.inbox), key=lambda each: (str(each[1]), self.model.content.order(each[0])))
            inbox: list[tuple[int, int]] = []
            for message, place in placed:
                sender = self.model.index[place[0]] if isinstance(network, Fifo) else -1  # type: ignore[index]
                copies = 1 if isinstance(network, Fifo) else int(place)  # type: ignore[call-overload]
                inbox += [(locals_.message_id(message), sender)] * copies
            states.append(locals_.state_id(process, view.state))
            seen = frozenset(message for message, _ in inbox if self.deliveries.is_shown(process, message))
            shown.append(self.deliveries.shown_id(ShownMessages(seen, locals_.history(view.history))))
            inboxes.append(inbox)
        return _Start(states, shown, inboxes)

    def _room(self) -> tables.Walkers:
        shape, columns = (_TOGETHER, len(self.model.processes)), self.deliveries.columns

        def numbers(*more: int) -> NDArray[np.int32]:
            return np.zeros((*shape, *more), np.int32)

        return tables.Walkers(
            state=numbers(),
            shown=numbers(),
            count=numbers(),
            state_after=numbers(),
            shown_after=numbers(),
            count_after=numbers(),
            look=numbers(),
            inbox=numbers(self._inbox_max, 2),
            idle=np.zeros((*shape, 1 + self._inbox_max), np.uint8),
            idles=numbers(),
            own=np.zeros(shape, np.uint64),
            sums=np.zeros((_TOGETHER, 1 + 2 * columns), np.uint64),
            met=np.zeros((_TOGETHER, self.steps_max + 1), np.uint64),
            moves=np.zeros((_TOGETHER, self.steps_max, 5), np.int32),
            random=np.zeros((_TOGETHER, 1), np.uint64),
            place=np.zeros((_TOGETHER, 6), np.int64),
        )

    def _widen(self) -> None:
        """Makes twice the room in every inbox."""
        inbox, idle = self._walkers.inbox, self._walkers.idle
        self._inbox_max = 2 * inbox.shape[2]
        more = np.zeros_like(idle[:, :, 1:])
        self._walkers = self._walkers._replace(
            inbox=np.concatenate([inbox, np.zeros_like(inbox)], axis=2), idle=np.concatenate([idle, more], axis=2)
        )

    def _begin(self, row: int, number: int) -> None:
        """Puts the walk of this number at the initial state."""
        walkers, start = self._walkers, self._start
        walkers.state[row], walkers.shown[row], walkers.look[row] = start.states, start.shown, -1
        walkers.idle[row], walkers.idles[row], walkers.own[row], walkers.sums[row], walkers.place[row] = 0, 0, 0, 0, 0
        walkers.random[row] = text_digest(f"walk {number} of seed {self.seed}")
        for process, inbox in enumerate(start.inboxes):
            walkers.count[row, process] = len(inbox)
            if inbox:
                walkers.inbox[row, process, : len(inbox)] = inbox

    def _account(self, walk: EndedWalk) -> None:
        steps = len(walk.moves)
        self.met.add(walk.met)
        if len(self._counted) < self.deliveries.messages:
            more = np.zeros((2 * self.deliveries.messages - len(self._counted), self._counted.shape[1]), np.int64)
            self._counted = np.concatenate([self._counted, more])
        tables.count_moves(self._counted, walk.moves)
        self.walks += 1
        self.steps_taken += steps
        self.depth = max(self.depth, 1 + steps)
        for outcome in self.deliveries.telling.keys() & set(walk.moves[:, 4].tolist()):
            decides, commands = self.deliveries.telling[outcome]
            self.happened.decided = self.happened.decided or decides
            self.happened.commands.update(commands)

    def _ends_badly(self, row: int) -> bool:
        if not self.checks.progress:
            return False
        states = {self.model.processes[process]: state for process, state in map(self.locals.states.__getitem__, self._walkers.state[row])}
        facts = frozenset().union(*map(self.deliveries.facts, self._walkers.look[row].tolist()))
        return self.checks.of_end(states, facts) is not None

    def _violation(self, walk: EndedWalk) -> Violation:
        """The walk as deliveries of the model, shortened."""
        moves = []
        for process, message, choice, sender, _ in walk.moves.tolist():
            origin = self.model.processes[sender] if isinstance(self.model.network, Fifo) and sender >= 0 else None
            if choice == tables.LOST:
                delivery = PathDelivery(self.locals.message_id(Drop(self.locals.messages[message])), 0, origin)
            else:
                delivery = PathDelivery(message, choice, origin)
            moves.append(Move(process, Path((delivery,))))
        return replace(shortened(executed(moves, self.locals, self.checks), self.model, self.checks), shortest=False)

    def _limit_reached(self) -> str | None:
        """Looks at the limits; at memory, and to report progress, only now and then."""
        if self.walks % _LOOK_EVERY_WALKS == 0:
            self._memory_bytes = resident_bytes()
            self.control.report(Snapshot(self.depth, self.met.count, self.steps_taken, 0, self._memory_bytes))
            may_use = self.control.limits.memory_bytes_max
            if may_use and 2 * self._memory_bytes > may_use:
                self._entries_max = min(self._entries_max, max(_ENTRIES_MIN, self.deliveries.entries))
        return self.control.limit_reached(self.met.count, self._memory_bytes)

    def coverage(self) -> Counter[Action]:
        """How often each kind of delivery was taken."""
        counts = Counter(self.happened.taken)
        for message, process in zip(*np.nonzero(self._counted), strict=True):
            action = Action(self.model.processes[process].role, self.locals.messages[message].kind)
            counts[action] += int(self._counted[message, process])
        return counts

    def unchanged(self) -> frozenset[str]:
        """The roles of which those that were handed in have not differed from the paper's."""
        still = frozenset(self.model.deviations.comparing)
        return still if self.happened.unchanged is None else still & self.happened.unchanged

    def _result(self, violation: Violation | None, limit: str | None) -> Result:
        return Result(
            verdict=VIOLATED if violation else INCONCLUSIVE,
            config=self.model.config,
            engine="compiled",
            reductions=self.reductions.names,
            distinct_states=self.met.count,
            generated_states=1 + self.steps_taken,
            depth=self.depth,
            seconds=self.seconds(),
            peak_memory_bytes=peak_memory_bytes(),
            collision_probability=0.0,
            invariants=tuple(each.name for each in self.checks.invariants),
            coverage=(coverage := self.coverage()),
            unneeded=frozenset(),
            violation=violation,
            limit=None if violation else f"random walks do not check everything; {limit}",
            claims=self.claims.report(),
            exercised=self._exercised(frozenset(coverage)),
            walks=Walks(self.walks, self.seed, self.steps_max, 1 + self.steps_taken / max(1, self.walks), self.met.rarity > 0),
            checkpoints=self._checkpoints.used(self._resumed) if self._checkpoints else None,
        )

    def unsent(self) -> tuple[tuple[str, str], ...]:
        """Messages that an invariant reads and nobody has sent, as `Exercised` has them."""
        now, before = unsent(self.checks, self.locals.messages), self.happened.unsent
        return now if before is None else tuple(each for each in now if each in before)

    def _exercised(self, offered: frozenset[Action]) -> Exercised:
        commands = {*map(str, self.model.system.commands), *self.happened.commands}
        names = tuple((self.model.protocol[role].__name__, role) for role in sorted(self.unchanged()))
        return Exercised(self.happened.decided, len(commands), {}, offered, names, self.unsent())


@dataclass
class WhatHappened:
    """What has happened on walks so far: whether a command was decided, commands beside the clients' that commanders were created with, as
    texts; and before the checkpoint from which they went on: deliveries, roles that had not differed from the paper's, and messages that
    had not been sent."""

    decided: bool = False
    commands: set[str] = field(default_factory=set)
    taken: Counter[Action] = field(default_factory=Counter)
    unchanged: frozenset[str] | None = None
    unsent: frozenset[tuple[str, str]] | None = None


class _Start(NamedTuple):
    """The initial state: by process its local state, what is shown, and what is in its inbox as (message, sender)."""

    states: list[int]
    shown: list[int]
    inboxes: list[list[tuple[int, int]]]
