"""What one may choose to see of a global state, by name: states that look the same are one node of a quotient graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.model.model import Model, State
from pmmc_check.properties.observe import DECIDED, PVALUE_ACCEPTED, observe
from pmmc_check.properties.quorums import Quorums
from pmmc_check.protocol.messages import show, sorted_texts
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, LEADER, REPLICA, SCOUT, ProcessId, PValue, SlotCommand

Seen = Callable[[Model, State], str]


@dataclass(frozen=True)
class Observable:
    """Something to see of a state: `see` says it in one line, the same for states in which it is the same."""

    name: str
    meaning: str
    see: Seen


def observables_named(names: Iterable[str]) -> tuple[Observable, ...]:
    """The observables called `names`, each once.

    Raises:
        UsageError: there is none of that name.
    """
    found = []
    for name in dict.fromkeys(names):
        if name not in OBSERVABLES:
            raise UsageError(
                f"--observe {name}: there is nothing of that name to see{did_you_mean(name, OBSERVABLES)}; choose from {_LIST}"
            )
        found.append(OBSERVABLES[name])
    return tuple(found)


def _of_roles(roles: Sequence[str], fields: Sequence[str]) -> Seen:
    """These variables of each process of these roles: of one that is down, those it went down with."""

    def see(model: Model, state: State) -> str:
        return "  ".join(f"{process} {_variables(local, fields)}" for process, local in _locals(model, state, roles))

    return see


def _variables(local: Any, fields: Sequence[str]) -> str:
    if isinstance(local, Crashed):
        return f"{_variables(local.state, fields)} (down)"
    if isinstance(local, Lifecycle):
        return str(local)
    return ", ".join(show(getattr(local, name, "-")) for name in fields)


def _locals(model: Model, state: State, roles: Sequence[str]) -> Iterator[tuple[ProcessId, Any]]:
    return ((process, state[index].state) for process, index in model.index.items() if process.role in roles)


def _leaders(model: Model, state: State) -> str:
    """Ballot and activity; a leader without a state has retired."""
    return "  ".join(f"{process} {_leader(local)}" for process, local in _locals(model, state, (LEADER,)))


def _leader(local: Any) -> str:
    if isinstance(local, Crashed):
        return "down"
    if isinstance(local, Lifecycle):
        return "retired"
    return f"{show(getattr(local, 'ballot', '-'))} {'active' if getattr(local, 'active', False) else 'passive'}"


def _threads(role: str) -> Seen:
    """Which scouts, or commanders, are running, and which have exited."""

    def see(model: Model, state: State) -> str:
        known = [(process, local) for process, local in _locals(model, state, (role,)) if local is not Lifecycle.NOT_STARTED]
        return "  ".join(f"{process}{' exited' if isinstance(local, Lifecycle) else ''}" for process, local in known) or "none"

    return see


def _facts(model: Model, state: State, kind: str) -> Iterator[tuple[ProcessId, Any]]:
    """The facts of one kind that the views show, with the process that shows each."""
    for process, view in zip(model.processes, state, strict=True):
        inbox = [message for message, _ in model.network.contents(view.inbox)]
        yield from ((process, each) for each in observe(process, view.state, inbox, view.history) if each.kind == kind)


def _decided(model: Model, state: State) -> str:
    return _set(SlotCommand(fact.slot, fact.command) for _, fact in _facts(model, state, DECIDED))


def _chosen(model: Model, state: State) -> str:
    accepted: dict[PValue, set[ProcessId]] = {}
    for acceptor, fact in _facts(model, state, PVALUE_ACCEPTED):
        accepted.setdefault(PValue(fact.ballot, fact.slot, fact.command), set()).add(acceptor)
    quorums = Quorums(model.protocol, model.system)
    return _set(pvalue for pvalue, acceptors in accepted.items() if quorums.include(pvalue.ballot, pvalue.slot, acceptors))


def _messages(model: Model, state: State) -> str:
    """What may still be delivered to processes that take notice: to one that has exited nothing matters any more."""
    found = []
    for process, view in zip(model.processes, state, strict=True):
        if view.state is not Lifecycle.EXITED:
            for message, place in model.network.contents(view.inbox):
                found.append(f"{message} → {process}" + (f" ×{place}" if isinstance(place, int) and place > 1 else ""))
    return ", ".join(sorted(found)) or "none"


def _down(model: Model, state: State) -> str:
    return _set(process for process, view in zip(model.processes, state, strict=True) if isinstance(view.state, Crashed))


def _set(members: Iterable[Any]) -> str:
    return "{" + ", ".join(sorted_texts(frozenset(members))) + "}"


OBSERVABLES = {
    each.name: each
    for each in (
        Observable("decided", "which command is decided in which slot, as soon as a commander has said so", _decided),
        Observable("chosen", "the pvalues that a quorum of acceptors has accepted", _chosen),
        Observable("decisions", "the decisions that each replica has heard of", _of_roles((REPLICA,), ("decisions",))),
        Observable("performed", "what each replica has performed", _of_roles((REPLICA,), ("application",))),
        Observable("slots", "each replica's slot_in and slot_out", _of_roles((REPLICA,), ("slot_in", "slot_out"))),
        Observable("requests", "the requests that each replica still has to propose", _of_roles((REPLICA,), ("requests",))),
        Observable("proposals", "the proposals of each replica and leader", _of_roles((REPLICA, LEADER), ("proposals",))),
        Observable("configuration", "the leaders that each replica proposes to", _of_roles((REPLICA,), ("leaders",))),
        Observable("leaders", "each leader's ballot, and whether it is active, passive, retired or down", _leaders),
        Observable("ballots", "the ballot of each acceptor", _of_roles((ACCEPTOR,), ("ballot",))),
        Observable("accepted", "the pvalues that each acceptor has accepted", _of_roles((ACCEPTOR,), ("accepted",))),
        Observable("scouts", "the scouts that were created, and which of them have exited", _threads(SCOUT)),
        Observable("commanders", "the commanders that were created, and which of them have exited", _threads(COMMANDER)),
        Observable("answers", "whose answers each scout and commander still waits for", _of_roles((SCOUT, COMMANDER), ("waitfor",))),
        Observable("messages", "the messages that may be delivered", _messages),
        Observable("down", "the processes that have crashed and not restarted", _down),
    )
}
"""All observables by name, in the order in which they are listed."""

_LIST = ", ".join(OBSERVABLES)
