"""What A5 and C2 call a quorum: whatever the commanders of a ballot take for one.

A command is chosen when a quorum of phase 2 has accepted it under one ballot. Which acceptors are a quorum is said by the commander
(`Commander.is_quorum`): of the paper's roles, as many as the configuration asks for. A commander of somebody else's may have quorums of
its own, and may decide by others than it says. Then A5 and C2 would report faults that are none. So it is not believed: before a
search every commander is let collect acceptances, one by one and in every order, and must decide exactly when it calls those who have
accepted a quorum. Where it does not, A5 and C2 are not checked, and a note says why. (Agreement is checked in any case.)"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence, Set
from itertools import combinations
from typing import Any, TypeVar

from pmmc_check.errors import ProtocolError
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.messages import Decision, P2a, P2b, Start
from pmmc_check.protocol.role import Lifecycle, Outcome, Role, System
from pmmc_check.protocol.values import COMMANDER, Ballot, ProcessId, commander_id

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
        """Whether `acceptors` are, or contain, a quorum of the commander of `ballot` and `slot`.

        Raises:
            ProtocolError: the commander cannot say.
        """
        return _is_quorum(self._commander(commander_id(ballot, slot), self._system), frozenset(acceptors))


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
    """The sets of acceptors with the last of whose acceptances a commander decides; they are its quorums, of which it needs no more.

    Raises:
        _Otherwise: it calls other sets a quorum, or does not say.
    """
    role, acceptors = model.roles[process], model.system.acceptors_of(process.number)
    if not hasattr(role, "is_quorum"):
        raise _Otherwise("does not say which acceptors are a quorum; define its is_quorum(acceptors)")
    if len(acceptors) > ACCEPTORS_MAX:
        raise _Otherwise(f"may have quorums of its own, and {len(acceptors)} acceptors are too many to try")
    begun = model.started(process, Start(model.system.commands[0]))
    ballot = next((message.ballot for _, message in begun.sends if isinstance(message, P2a)), None)
    if ballot is None:
        raise _Otherwise("sends no p2a when it is created")
    deciding, seen = set(), {(frozenset[ProcessId](), begun.state)}
    pending: list[tuple[Acceptors, Any]] = list(seen)
    if _decides(role, begun, frozenset()):
        return {frozenset()}
    while pending:
        before, state = pending.pop()
        for acceptor in (each for each in acceptors if each not in before):
            accepted = before | {acceptor}
            for outcome in model.outcomes(process, state, P2b(acceptor, ballot)):
                if _decides(role, outcome, accepted):
                    deciding.add(accepted)
                elif not isinstance(outcome.state, Lifecycle) and (accepted, outcome.state) not in seen:
                    seen.add((accepted, outcome.state))
                    pending.append((accepted, outcome.state))
    return deciding


def _decides(role: Role, outcome: Outcome, accepted: Acceptors) -> bool:
    """Whether the commander decides once `accepted` have accepted, which must be what it says."""
    decides = any(isinstance(message, Decision) for _, message in outcome.sends)
    if decides != _is_quorum(role, accepted):
        who = " and ".join(map(str, sorted(accepted))) or "nobody"
        if decides:
            raise _Otherwise(f"decides when {who} accepted, which its is_quorum does not call a quorum")
        raise _Otherwise(f"does not decide when {who} accepted, which its is_quorum calls a quorum")
    return decides


def _is_quorum(role: Any, acceptors: Acceptors) -> bool:
    try:
        return bool(role.is_quorum(acceptors))
    except Exception as error:
        name = f"{type(role).__name__}.is_quorum of {role.me}"
        raise ProtocolError(f"{name} raised {type(error).__name__}: {error} (called with {sorted(map(str, acceptors))})") from error


def _listed(quorums: set[Acceptors], model: Model) -> str:
    """`any 3 of 3 acceptors` where they are all of one size; else each of them."""
    sizes = {len(each) for each in quorums}
    if not quorums:
        return "it has none, and never decides"
    every = _every(next(iter(sizes)), model) if len(sizes) == 1 else None
    if quorums == every:
        return f"any {next(iter(sizes))} of {model.config.acceptors} acceptors"
    return ", ".join("{" + ", ".join(map(str, members)) + "}" for members in sorted(sorted(each) for each in quorums))


def _every(size: int, model: Model) -> set[Acceptors]:
    """All sets of so many acceptors of one configuration."""
    groups: Iterator[tuple[ProcessId, ...]] = (each.acceptors for each in model.system.configurations)
    return {frozenset(chosen) for group in groups for chosen in combinations(group, size)}
