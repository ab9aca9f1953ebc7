"""`--slots any`: the premises, the one-slot system, the replica's part, and, where one of these finds a violation, a run that confirms it.

The parts follow each other, and each can end the whole: a premise that fails (an error), a violation, a limit. A violation in the one-slot
system is no run of the protocol yet, since the environment does more there than replicas and other slots would. So an
ordinary search is asked for one; what it finds is what is shown. If it finds none the answer is inconclusive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pmmc_check.checker.any_slots.one_slot import OF_ONE_REPLICA, OF_ONE_SLOT, Scope
from pmmc_check.checker.any_slots.own import OwnInvariant
from pmmc_check.checker.any_slots.premises import PremiseFailed, PremisesReport, check_premises
from pmmc_check.checker.any_slots.replica_part import REPLICA_INVARIANTS, ReplicaResult, ReplicaViolation, check_replica
from pmmc_check.checker.any_slots.surroundings import ReplicaBounds
from pmmc_check.checker.reductions import Reductions, applicable
from pmmc_check.checker.result import Control, Result, Search
from pmmc_check.config import Config
from pmmc_check.errors import UsageError
from pmmc_check.model.faults import Restart
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import Invariant, RelationInvariant
from pmmc_check.properties.quorums import judgeable
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.messages import Decision, P1a, P2a, Propose, Request
from pmmc_check.protocol.values import COMMANDER, LEADER, REPLICA, SCOUT, Reconfigure
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED

CONFIRM_SECONDS_MAX = 60.0
"""Each ordinary search for a run that confirms a violation gives up after this time."""

T = TypeVar("T")
MakeSearch = Callable[[Model, Sequence[Invariant], Reductions, Control], Search]
"""Makes an exhaustive search."""
Invariants = Callable[[Model], Sequence[Invariant]]
"""What is asked of a model."""


@dataclass(frozen=True)
class Confirmation:
    """The ordinary searches for a run of a violation: what was searched, and the result that has one, with its model and notes."""

    tried: tuple[Config, ...]
    shown: tuple[Result, Model, list[str]] | None


@dataclass(frozen=True)
class AnySlotsResult:
    """What was checked for every number of slots, and how it went.

    A part that was not reached is None. `seconds` are those of each part, by its field's name. `notes` are about reductions that are off,
    and about quorums that are not the configuration's.
    """

    verdict: str
    scope: Scope
    invariants: tuple[str, ...]
    premises: PremisesReport
    one_slot: Result
    replica: ReplicaResult | None
    confirmation: Confirmation | None
    seconds: Mapping[str, float]
    limit: str | None
    notes: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    """Those of the invariants that the user wrote; all of them speak of one slot."""


def split(invariants: Iterable[Invariant]) -> tuple[list[Invariant], list[Invariant]]:
    """The invariants of one slot, and those of one replica. Validity is both; whatever is read off the facts about one slot is the former.

    Raises:
        UsageError: one is neither, so it is not covered for every number of slots.
    """
    chosen = list(invariants)
    of_slot = [each for each in chosen if each.name in OF_ONE_SLOT or isinstance(each, RelationInvariant)]
    of_replica = [each for each in chosen if each.name in REPLICA_INVARIANTS]
    for each in chosen:
        if each not in of_slot and each not in of_replica:
            raise UsageError(
                f"--invariant {each.name}: --slots any covers what speaks of one slot ({', '.join(OF_ONE_SLOT)}) or of one replica "
                f"({', '.join(OF_ONE_REPLICA)}); check {each.name} in an ordinary search, with a number of slots"
            )
    return of_slot, of_replica


class AnySlotsSearch:
    """Checks `invariants`, and the user's `own`, of `protocol` for every number of slots within `scope`."""

    def __init__(
        self,
        scope: Scope,
        protocol: Protocol,
        invariants: Sequence[Invariant],
        *,
        own: Sequence[OwnInvariant] = (),
        control: Control,
        reductions: Reductions,
        make_search: MakeSearch,
        bounds: ReplicaBounds | None = None,
    ) -> None:
        self.scope = scope
        self.protocol = protocol
        self.invariants = invariants
        self.of_slot, self.of_replica = split(invariants)
        self.own = own
        self.control = control
        self.reductions = reductions
        self.make_search = make_search
        self.bounds = bounds or ReplicaBounds()
        self._seconds: dict[str, float] = {}

    def run(self) -> AnySlotsResult:
        """All parts, one after the other.

        Raises:
            PremiseFailed: one slot does not stand for all of these roles, or a replica sends what the environment does not.
            ProtocolError: a role breaks its contract.
            UsageError: none of the invariants can be judged.
            PmmcError: one of the user's does not speak of one slot.
        """
        model = self.scope.one_slot(self.protocol)
        own = [each.in_one_slot(model, self.scope.ballotwise) for each in self.own]
        self.of_slot, of_quorums = judgeable(model, self.of_slot)
        if not (self.of_slot or self.of_replica or own):
            raise UsageError(f"--invariant {self.invariants[0].name}: {of_quorums[0]}")
        premises = self._timed("premises", lambda: check_premises(self.scope, self.protocol))
        found, notes = self._timed("one_slot", lambda: self._search(model, [*self.of_slot, *own]))
        names = tuple(each.name for each in (*(one for one in self.invariants if one in (*self.of_slot, *self.of_replica)), *own))
        written = tuple(each.name for each in own)
        known = AnySlotsResult(
            INCONCLUSIVE, self.scope, names, premises, found, None, None, {}, found.limit, (*notes, *of_quorums), written
        )
        if found.violation is not None:
            named = [slot for each in self.own for slot in each.slots_named(model)]
            return self._confirmed(known, _larger(self.scope, found, max(named, default=1)), self._of_slot_in)
        if found.limit is not None:
            return replace(known, seconds=self._seconds)
        part = self._timed("replica", lambda: check_replica(self.protocol, self.control, self.bounds, self.of_replica))
        known = replace(known, replica=part, limit=part.limit)
        if part.foreign_send is not None:
            raise PremiseFailed(
                f"--slots any: the premise “replicas only propose” does not hold: {part.foreign_send.how}; "
                f"bound the slots, for example --slots 2"
            )
        if part.violation is not None:
            return self._confirmed(known, _of_replica(part.violation), lambda _: self.of_replica)
        return replace(known, verdict=INCONCLUSIVE if part.limit else HOLDS, seconds=self._seconds)

    def _of_slot_in(self, model: Model) -> Sequence[Invariant]:
        """The invariants of one slot, as an ordinary configuration is asked for them."""
        return [*self.of_slot, *(each.in_configuration(model) for each in self.own)]

    def _search(self, model: Model, invariants: Sequence[Invariant]) -> tuple[Result, list[str]]:
        """One search, and a note for each reduction that is off."""
        usable, notes = applicable(self.reductions, model, invariants)
        result = self.make_search(model, invariants, usable, self.control).run()
        model.check_still_pure()
        return result, notes

    def _timed(self, part: str, work: Callable[[], T]) -> T:
        began = self.control.seconds()
        done = work()
        self._seconds[part] = self.control.seconds() - began
        return done

    def _confirmed(self, known: AnySlotsResult, configs: Iterable[Config], invariants: Invariants) -> AnySlotsResult:
        """A violation that no ordinary search shows may be one of the over-approximation only."""
        confirmation = self._timed("confirmation", lambda: self._searched(configs, invariants))
        known = replace(known, confirmation=confirmation, seconds=self._seconds)
        if confirmation.shown is not None:
            return replace(known, verdict=VIOLATED, limit=None)
        return replace(known, limit="only in the over-approximation: no ordinary search has shown a run that breaks the invariant")

    def _searched(self, configs: Iterable[Config], invariants: Invariants) -> Confirmation:
        """Searches one ordinary configuration after the other."""
        tried, limits = [], self.control.limits
        for config in configs:
            until = self.control.seconds() + CONFIRM_SECONDS_MAX
            self.control.limits = replace(limits, seconds_max=min(until, limits.seconds_max or until))
            model = Model(config, self.protocol)
            result, notes = self._search(model, invariants(model))
            self.control.limits = limits
            tried.append(config)
            if result.violation is not None:
                return Confirmation(tuple(tried), (result, model, notes))
            if self.control.stop:
                break
        return Confirmation(tuple(tried), None)


def _larger(scope: Scope, found: Result, slots_min: int) -> Iterator[Config]:
    """Ordinary configurations that may show what the one-slot system did: one slot, then two, but at least `slots_min`, with two replicas.

    Where each ballot was a leader of its own, there are as many leaders as ballots were used; if that is not enough, as many as there were.
    """
    counts = {"replicas": 2, "commands": 2}
    leaders: list[dict[str, int]] = [{}]
    if scope.ballots is not None:
        leaders = [{"leaders": count, "rounds": 1} for count in sorted({len(_ballots_used(found)), scope.ballots})]
    for slots in sorted({max(1, slots_min), max(2, slots_min)}):
        for each in leaders:
            yield replace(scope.config, **counts, **each, slots=slots, window=slots)  # type: ignore[arg-type]  # all of them are numbers


def _ballots_used(found: Result) -> set[int]:
    """The ballots, by their leaders' numbers, of scouts and commanders that acted or were answered."""
    assert found.violation is not None
    used = set()
    for process, message, _ in (each.step for each in found.violation.trace):
        if process.role in (LEADER, SCOUT, COMMANDER):
            used.add(process.number)
        elif isinstance(message, P1a | P2a):
            used.add(message.ballot.leader)
    return used or {1}


def _of_replica(found: ReplicaViolation) -> Iterator[Config]:
    """Ordinary configurations that may show what a replica did: one acceptor and one leader decide for it, in as many slots."""
    decided = [(step.message.slot, step.message.command) for step in found.run if isinstance(step.message, Decision)]
    sends = [send.message for step in found.run for send in step.outcome.sends]
    proposed = [(each.slot, each.command) for each in sends if isinstance(each, Propose)]
    asked = [step.message.command for step in found.run if isinstance(step.message, Request)]
    commands = {*asked, *(command for _, command in (*decided, *proposed))}
    slots = max((slot for slot, _ in (*decided, *proposed)), default=1)
    changes = sum(isinstance(each.operation, Reconfigure) for each in commands)
    restarts = any(isinstance(step.message, Restart) for step in found.run)
    crashes = {"crashes": 1, "restarts": 1, "faulty": (REPLICA,)} if restarts else {}
    for replicas in (1, 2):
        yield Config(
            acceptors=1,
            leaders=1,
            replicas=replicas,
            slots=max(slots, found.window + 1 if changes else 1),
            window=found.window,
            commands=max(1, len(commands) - changes),
            reconfigurations=changes,
            **crashes,  # type: ignore[arg-type]  # each name has its own type
        )
