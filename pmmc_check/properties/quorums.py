"""What A5 and C2 call a quorum.

A command is chosen when a quorum of phase 2 has accepted it under one ballot. That is as many acceptors as the configuration says,
unless the commander has quorums of its own and states them: by a method `is_quorum(acceptors)` other than the paper's. Neither is
believed. A commander that counts otherwise would make A5 and C2 report faults that are none. So before a search every commander is let
collect acceptances, one by one and in every order, and must decide exactly when those who have accepted are a quorum. Where it does not,
A5 and C2 are not checked, and a note says why. (Agreement is checked in any case.)"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence, Set
from itertools import combinations
from typing import Any, TypeVar

from pmmc_check.model.calls import made, shown
from pmmc_check.protocol import PMMC, Commander, Protocol
from pmmc_check.protocol.messages import Decision, P2a, P2b, Start
from pmmc_check.protocol.role import Lifecycle, Outcome, Role, System
from pmmc_check.protocol.values import COMMANDER, Ballot, ProcessId, commander_id
from pmmc_check.users_code import users_code
from pmmc_check.words import counted

if typing.TYPE_CHECKING:  # judging traces needs the invariants, and neither a model nor the numpy that comes with it
    from pmmc_check.model.model import Model

SPEAK_OF_QUORUMS = frozenset({"A5", "C2"})
"""The invariants that ask for quorums."""

ACCEPTORS_MAX = 10
"""Of more acceptors there are too many sets to let a commander meet them all."""

Acceptors = frozenset[ProcessId]


class Quorums:
    """The quorums of phase 2 in one system."""

    def __init__(self, protocol: Protocol, system: System) -> None:
        self._commander = protocol[COMMANDER]
        self._system = system

    def include(self, ballot: Ballot, slot: int, acceptors: Set[ProcessId]) -> bool:
        """Whether `acceptors` are, or contain, a quorum for `ballot` and `slot`.

        Raises:
            ProtocolError: the commander's `is_quorum` raised.
        """
        if not _states_quorums(self._commander):
            return len(acceptors) >= self._system.quorum2_of(len(self._system.acceptors_of(ballot.leader)))
        process, asked = commander_id(ballot, slot), frozenset(acceptors)
        role: Any = made(self._commander, process, self._system)
        with users_code(f"{self._commander.__name__}.is_quorum of {process}", lambda: f" (called with {shown((asked,))})"):
            return bool(role.is_quorum(asked))


class Named(typing.Protocol):
    """What has a name, such as an invariant."""

    @property
    def name(self) -> str:
        """By which a user asks for it."""


Judged = TypeVar("Judged", bound=Named)


def judgeable(model: Model, invariants: Sequence[Judged]) -> tuple[list[Judged], list[str]]:
    """Those of `invariants` that can be judged of `model`, and a sentence where quorums are not those of the configuration.

    Raises:
        ProtocolError: a commander broke the contract of roles when it was asked.
    """
    if model.protocol[COMMANDER] in PMMC.values() or not any(each.name in SPEAK_OF_QUORUMS for each in invariants):
        return list(invariants), []
    role = model.protocol[COMMANDER].__name__
    found: set[Acceptors] = set()
    for process in (each for each in model.processes if each.role == COMMANDER):
        try:
            found |= _deciding(model, process)
        except _Otherwise as otherwise:
            others = [each for each in invariants if each.name not in SPEAK_OF_QUORUMS]
            return others, [f"A5 and C2 cannot be judged, and are not checked: {role} {otherwise}"]
    if found == _every(model.config.quorums[1], model):
        return list(invariants), []
    return list(invariants), [f"A5 and C2 go by the quorums of {role}: {_listed(found, model)}"]


class _Otherwise(Exception):
    """A commander does not decide by what it calls quorums; the text says how, as a predicate."""


def _deciding(model: Model, process: ProcessId) -> set[Acceptors]:
    """The sets of acceptors with the last of whose acceptances a commander decides: its least quorums.

    Raises:
        _Otherwise: others are quorums.
    """
    acceptors = model.system.acceptors_of(process.number)
    if len(acceptors) > ACCEPTORS_MAX:
        raise _Otherwise(f"may have quorums of its own, and {len(acceptors)} acceptors are too many to try")
    begun = model.started(process, Start(model.system.commands[0]))
    ballot = next((message.ballot for _, message in begun.sends if isinstance(message, P2a)), None)
    if ballot is None:
        raise _Otherwise("sends no p2a when it is created")
    deciding: set[Acceptors] = set()
    pending: list[tuple[Acceptors, Any]] = [(frozenset(), begun.state)]
    reached = set(pending)
    if _decides(model, process, begun, frozenset()):
        return {frozenset()}
    for before, state in pending:  # grows meanwhile: smaller sets come first
        for acceptor in (each for each in acceptors if each not in before):
            accepted = before | {acceptor}
            for outcome in model.outcomes(process, state, P2b(acceptor, ballot)):
                if _decides(model, process, outcome, accepted):
                    deciding.add(accepted)
                elif not isinstance(outcome.state, Lifecycle) and (accepted, outcome.state) not in reached:
                    reached.add((accepted, outcome.state))
                    pending.append((accepted, outcome.state))
    return deciding


def _decides(model: Model, process: ProcessId, outcome: Outcome, accepted: Acceptors) -> bool:
    """Whether the commander decides in a step after which `accepted` have accepted."""
    decides = any(isinstance(message, Decision) for _, message in outcome.sends)
    if decides != Quorums(model.protocol, model.system).include(process.ballot, process.slot, accepted):
        who = " and ".join(map(str, sorted(accepted))) or "nobody"
        does, is_one = ("decides", "no quorum") if decides else ("does not decide", "a quorum")
        whose = (
            "by its is_quorum"
            if _states_quorums(model.protocol[COMMANDER])
            else "of this configuration; to have others, define is_quorum(acceptors)"
        )
        raise _Otherwise(f"{does} when {who} accepted, {is_one} {whose}")
    return decides


def _states_quorums(commander: type[Role]) -> bool:
    return getattr(commander, "is_quorum", Commander.is_quorum) is not Commander.is_quorum


def _listed(quorums: set[Acceptors], model: Model) -> str:
    """`any 3 of 3 acceptors` where they are all of one size; else each of them."""
    sizes = {len(each) for each in quorums}
    if not quorums:
        return "it has none, and never decides"
    every = _every(next(iter(sizes)), model) if len(sizes) == 1 else None
    if quorums == every:
        return f"any {next(iter(sizes))} of {counted(model.config.acceptors, 'acceptor')}"
    return ", ".join("{" + ", ".join(map(str, members)) + "}" for members in sorted(sorted(each) for each in quorums))


def _every(size: int, model: Model) -> set[Acceptors]:
    """All sets of so many acceptors of one configuration."""
    groups: Iterator[tuple[ProcessId, ...]] = (each.acceptors for each in model.system.configurations)
    return {frozenset(chosen) for group in groups for chosen in combinations(group, size)}
