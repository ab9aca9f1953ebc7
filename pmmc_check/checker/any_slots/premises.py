"""The premises under which the one-slot system stands for every slot of every run, checked on every local step of small systems.

A premise is a set of projections that steps must commute with (`simulation`):

slotwise            look at slot 1 only, or at slot 2 only: all but replicas do in it what they would do if it were the only one
opaque commands     call one command c1 and all others c2: nobody but a replica compares commands, so two stand for any number
replicas alike      call all replicas R1
ballotwise          call the ballots 0.L1, 0.L2, ... in their order, each the only ballot of a leader of its own (with `--ballots` only)
all at once         all of these together: this is what the argument needs, step by step; the others say which part of it fails

They are checked, not proved: on systems of two slots, two or three commands, two leaders with two rounds, two replicas. A
role that treats slot 17 or the tenth round in a way of its own is not found out by them. (No finite check can; see docs/any-slots.md.)"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pmmc_check.checker.any_slots.concrete import Concrete, concrete_systems
from pmmc_check.checker.any_slots.environment import Crowded, ballots_of, in_environment
from pmmc_check.checker.any_slots.one_slot import Scope
from pmmc_check.checker.any_slots.projection import Projection
from pmmc_check.checker.any_slots.simulation import Comparison
from pmmc_check.errors import ProtocolError
from pmmc_check.model.model import Model
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.messages import Message, Start
from pmmc_check.protocol.role import Outcome, System
from pmmc_check.protocol.values import COMMANDER, LEADER, Ballot, Command, ProcessId


class PremiseFailed(ProtocolError):
    """A premise does not hold of these roles, so one slot does not stand for all: the text has a witness, and what to do instead."""


@dataclass(frozen=True)
class PremiseResult:
    """A premise that holds: how many steps were compared, and of them how many needed the weaker form."""

    name: str
    statement: str
    steps: int
    weaker: int = 0


class Premise(NamedTuple):
    """A premise: its projections of a system, and what to bound instead where it fails."""

    name: str
    statement: str
    projections: Callable[[System], Iterable[Projection]]
    remedy: str


@dataclass(frozen=True)
class PremisesReport:
    """All premises hold; `complete` says that the concrete systems were searched to their ends."""

    results: tuple[PremiseResult, ...]
    systems: int
    local_steps: int
    complete: bool


def _slots(system: System) -> Iterator[Projection]:
    return (Projection(slot=slot) for slot in range(1, (system.slots or 1) + 1))


def _commands(system: System) -> Iterator[Projection]:
    return (Projection(commands=each) for each in _command_maps(system))


def _command_maps(system: System) -> Iterator[Mapping[Command, Command]]:
    """One command is called c1, all others c2."""
    first, *others = system.commands
    for chosen in system.commands:
        yield {each: first if each == chosen else others[0] for each in system.commands}


def _ballots(system: System) -> Iterator[Projection]:
    yield Projection(ballots=_ballot_map(system))


def _ballot_map(system: System) -> dict[Ballot, Ballot]:
    return {ballot: Ballot(0, number) for number, ballot in enumerate(ballots_of(system, Crowded.outsiders), 1)}


def _replicas(system: System) -> Iterator[Projection]:
    if len(system.replicas) > 1:
        yield Projection(one_replica=True)


def _together(ballotwise: bool) -> Callable[[System], Iterator[Projection]]:
    def projections(system: System) -> Iterator[Projection]:
        ballots = _ballot_map(system) if ballotwise else {}
        for slot in range(1, (system.slots or 1) + 1):
            for commands in _command_maps(system):
                yield Projection(slot, commands, ballots, one_replica=True)

    return projections


SLOTWISE = Premise(
    "slotwise",
    "acceptors, scouts, commanders and leaders treat each slot as if it were the only one",
    _slots,
    "slots are not independent: bound them, for example --slots 2",
)
OPAQUE = Premise(
    "opaque commands",
    "only replicas compare commands, so two commands stand for any number",
    _commands,
    "commands are not opaque: bound them and the slots, for example --slots 2 --commands 2",
)
ALIKE = Premise(
    "replicas alike",
    "nobody tells replicas apart, so one stands for any number",
    _replicas,
    "replicas are not alike: bound them and the slots, for example --slots 1 --replicas 2",
)
BALLOTWISE = Premise(
    "ballotwise",
    "ballots are only compared, and a leader enters one with nothing but proposals, so each ballot is a leader of its own",
    _ballots,
    "a leader's ballots are not independent: bound leaders and rounds instead, for example --slots any --leaders 2 --rounds 2",
)


def check_premises(scope: Scope, protocol: Protocol) -> PremisesReport:
    """Checks all premises that `scope` needs.

    Raises:
        PremiseFailed: one does not hold.
        ProtocolError: a role breaks its contract.
    """
    needed = [SLOTWISE, OPAQUE, ALIKE, *([BALLOTWISE] if scope.ballotwise else [])]
    everything = Premise(
        "all at once",
        "every step is, after projection, a step of the one-slot system or none",
        _together(scope.ballotwise),
        "bound the slots, for example --slots 2",
    )
    systems = list(concrete_systems(scope.config, protocol))
    results = [_checked(premise, systems, protocol) for premise in (*needed, everything)]
    if not scope.ballotwise and any(each.weaker for each in results):
        _check_announced(systems)
    local_steps = sum(len(each.steps) + len(each.creations) for each in systems)
    return PremisesReport(tuple(results), len(systems), local_steps, all(each.complete for each in systems))


def _checked(premise: Premise, systems: Sequence[Concrete], protocol: Protocol) -> PremiseResult:
    steps = weaker = 0
    for system in systems:
        target: Model | None = None
        for projection in premise.projections(system.model.system):
            target = target or _target(system.model, projection, protocol)  # all projections of a premise lead to the same system
            comparison = Comparison(projection, target)
            for creation in system.creations:
                _refuse_if(premise, comparison.of_creation(creation))
            for step in system.steps:
                _refuse_if(premise, comparison.of_step(step))
            steps += len(system.creations) + len(system.steps)
            weaker += comparison.raised
    return PremiseResult(premise.name, premise.statement, steps, weaker)


def _refuse_if(premise: Premise, reason: str | None) -> None:
    if reason is not None:
        raise PremiseFailed(f"--slots any: the premise “{premise.name}” does not hold: {reason}; {premise.remedy}")


def _target(model: Model, projection: Projection, protocol: Protocol) -> Model:
    """The system that a projection leads to."""
    counts: dict[str, int] = {}
    if projection.slot is not None:
        counts |= {"slots": 1, "window": 1}
    if projection.one_replica:
        counts |= {"replicas": 1}
    if projection.ballots:
        counts |= {"leaders": len(projection.ballots), "rounds": 1}
    return in_environment(replace(model.config, **counts), protocol)  # type: ignore[arg-type]  # all of them are numbers


def _check_announced(systems: Iterable[Concrete]) -> None:
    """The weaker form of “slotwise” needs that a commander exists only in a ballot whose scout has begun: each leader enters a ballot by
    creating its scout, and creates commanders only of the ballot that it is in."""
    for system in systems:
        for creation in system.creations:
            if creation.process.role == LEADER:
                _refuse_if(SLOTWISE, _unannounced(creation.process, None, creation.message, creation.outcome))
        for process, state, message, outcomes in system.steps:
            if process.role == LEADER:
                for outcome in outcomes:
                    _refuse_if(SLOTWISE, _unannounced(process, getattr(state, "ballot", None), message, outcome))


def _unannounced(process: ProcessId, before: Ballot | None, message: Message, outcome: Outcome) -> str | None:
    after = getattr(outcome.state, "ballot", before)
    created = [each.to for each in outcome.sends if isinstance(each.message, Start)]
    entered = after != before and all(each.ballot != after or each.role == COMMANDER for each in created)
    if entered or any(each.role == COMMANDER and each.ballot != after for each in created):
        return f"{process} receives {message} and uses ballot {after} or one before it without having created its scout"
    return None
