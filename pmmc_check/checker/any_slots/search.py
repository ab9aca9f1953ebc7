"""`--slots any`: the premises, the one-slot system, the replica's part, and, where one of these finds a violation, a run that confirms it.

The parts follow each other, and each can end the whole: a premise that fails (an error), a violation, a limit. A violation in the one-slot
system is no run of the protocol yet, since the environment does more there than replicas and other slots would. So an
ordinary search is asked for one; what it finds is what is shown. If it finds none the answer is inconclusive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pmmc_check.checker.any_slots.one_slot import OF_ONE_REPLICA, OF_ONE_SLOT, Scope, one_slot
from pmmc_check.checker.any_slots.premises import PremiseFailed, PremisesReport, check_premises
from pmmc_check.checker.any_slots.replica_part import ReplicaBounds, ReplicaResult, ReplicaViolation, check_replica
from pmmc_check.checker.reductions import Reductions, applicable
from pmmc_check.checker.result import Control, Result
from pmmc_check.config import Config
from pmmc_check.errors import UsageError
from pmmc_check.model.faults import Restart
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import Invariant
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.messages import Decision, Propose, Request
from pmmc_check.protocol.values import COMMANDER, LEADER, REPLICA, SCOUT, Reconfigure
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED

CONFIRM_SECONDS_MAX = 60.0
"""Each ordinary search for a run that confirms a violation gives up after this time."""

Engine = Callable[[Model, Sequence[Invariant], Reductions, Control], Result]
"""An exhaustive search."""


@dataclass(frozen=True)
class Confirmation:
    """The ordinary searches for a run of a violation: the configurations that were searched, and the result that has one."""

    tried: tuple[Config, ...]
    found: Result | None
    model: Model | None


@dataclass(frozen=True)
class AnySlotsResult:
    """What was checked for every number of slots, and how it went. A part that was not come to is None."""

    verdict: str
    scope: Scope
    invariants: tuple[str, ...]
    premises: PremisesReport
    one_slot: Result
    replica: ReplicaResult | None
    confirmation: Confirmation | None
    seconds: float
    limit: str | None
    notes: tuple[str, ...] = ()


def split(invariants: Iterable[Invariant]) -> tuple[list[Invariant], list[Invariant]]:
    """The invariants of one slot, and those of one replica.

    Raises:
        UsageError: one is neither, so it is not covered for every number of slots.
    """
    slot_part, replica_part = [], []
    for each in invariants:
        if each.name in OF_ONE_SLOT:
            slot_part.append(each)
        elif each.name in OF_ONE_REPLICA:
            replica_part.append(each)
        else:
            raise UsageError(
                f"--invariant {each.name}: --slots any covers what speaks of one slot ({', '.join(OF_ONE_SLOT)}) or of one replica "
                f"({', '.join(OF_ONE_REPLICA)}); check {each.name} in an ordinary search, with a number of slots"
            )
    return slot_part, replica_part


def check_any_slots(
    scope: Scope,
    protocol: Protocol,
    invariants: Sequence[Invariant],
    control: Control,
    reductions: Reductions,
    engine: Engine,
    bounds: ReplicaBounds | None = None,
) -> AnySlotsResult:
    """Checks `invariants` for every number of slots within `scope`.

    Raises:
        PremiseFailed: one slot does not stand for all of these roles; or a replica sends what the environment does not.
        ProtocolError: a role breaks its contract.
        UsageError: an invariant speaks neither of one slot nor of one replica.
    """
    of_slot, of_replica = split(invariants)
    premises = check_premises(scope, protocol, control.seconds)
    slot_model = one_slot(scope.one_slot_config(), protocol)
    usable, notes = applicable(reductions, slot_model, of_slot)

    def ended(
        verdict: str,
        limit: str | None,
        slot_part: Result,
        replica_part: ReplicaResult | None = None,
        confirmation: Confirmation | None = None,
    ) -> AnySlotsResult:
        names = tuple(each.name for each in invariants)
        seconds = control.seconds()
        return AnySlotsResult(verdict, scope, names, premises, slot_part, replica_part, confirmation, seconds, limit, tuple(notes))

    slot_part = engine(slot_model, of_slot, usable, control)
    if slot_part.violation is not None:
        tried = _larger(scope, slot_part)
        confirmation = _confirmed(tried, protocol, of_slot, control, reductions, engine)
        return ended(*_judged(confirmation), slot_part, None, confirmation)
    if slot_part.limit is not None:
        return ended(INCONCLUSIVE, slot_part.limit, slot_part)
    replica_part = check_replica(protocol, control, bounds or ReplicaBounds(), of_replica)
    if replica_part.foreign_send is not None:
        raise PremiseFailed(
            f"--slots any: the premise “replicas only propose” does not hold: {replica_part.foreign_send.how}; "
            f"bound the slots, for example --slots 2"
        )
    if replica_part.violation is not None:
        tried = _of_replica(replica_part.violation)
        confirmation = _confirmed(tried, protocol, of_replica, control, reductions, engine)
        return ended(*_judged(confirmation), slot_part, replica_part, confirmation)
    return ended(INCONCLUSIVE if replica_part.limit else HOLDS, replica_part.limit, slot_part, replica_part)


def _judged(confirmation: Confirmation) -> tuple[str, str | None]:
    """A violation that no ordinary search shows may be one of the over-approximation only."""
    if confirmation.found is not None:
        return VIOLATED, None
    return INCONCLUSIVE, "only in the over-approximation: no ordinary search has shown a run that breaks the invariant"


def _confirmed(
    configs: Iterable[Config],
    protocol: Protocol,
    invariants: Sequence[Invariant],
    control: Control,
    reductions: Reductions,
    engine: Engine,
) -> Confirmation:
    """Searches one ordinary configuration after the other."""
    tried = []
    limits = control.limits
    for config in configs:
        until = control.seconds() + CONFIRM_SECONDS_MAX
        control.limits = replace(limits, seconds_max=until if limits.seconds_max is None else min(until, limits.seconds_max))
        model = Model(config, protocol)
        result = engine(model, invariants, applicable(reductions, model, invariants)[0], control)
        control.limits = limits
        tried.append(config)
        if result.violation is not None:
            return Confirmation(tuple(tried), result, model)
        if control.stop:
            break
    return Confirmation(tuple(tried), None, None)


def _larger(scope: Scope, found: Result) -> Iterator[Config]:
    """Ordinary configurations that may show what the one-slot system did: one slot, then two, with two replicas.

    Where each ballot was a leader of its own, there are as many leaders as took part.
    """
    assert found.violation is not None
    counts = {"replicas": 2, "commands": 2}
    if scope.ballotwise:
        acting = {each.step.process.number for each in found.violation.trace if each.step.process.role in (LEADER, SCOUT, COMMANDER)}
        counts |= {"leaders": max(1, len(acting)), "rounds": 1}
    for slots in (1, 2):
        yield replace(scope.config, **counts, slots=slots, window=slots)  # type: ignore[arg-type]  # all of them are numbers


def _of_replica(found: ReplicaViolation) -> Iterator[Config]:
    """Ordinary configurations that may show what a replica did: one acceptor and one leader decide for it, in as many slots as its run has."""
    decided = [step.message for step in found.run if isinstance(step.message, Decision)]
    sent = [send.message for step in found.run for send in step.outcome.sends if isinstance(send.message, Propose)]
    asked = [step.message.command for step in found.run if isinstance(step.message, Request)]
    commands = {*asked, *(each.command for each in (*decided, *sent))}
    slots = max((each.slot for each in (*decided, *sent)), default=1)
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
