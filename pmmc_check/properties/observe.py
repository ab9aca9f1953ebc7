"""What invariants may observe of a process: facts, read off its view.

A fact is about one slot. Invariants that relate processes are evaluated slot by slot, once for each distinct
combination of observed facts, so everything here must change only when such a fact does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from pmmc_check.protocol.messages import (
    Addressed,
    Adopted,
    Decision,
    Message,
    P1a,
    P1b,
    P2a,
    P2b,
    Preempted,
    Propose,
    Request,
    Response,
)
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import ACCEPTOR, BOTTOM, REPLICA, Ballot, Command, ProcessId

PVALUE_ACCEPTED, P2A_SENT, DECIDED, HELD = "accepted", "p2a sent", "decided", "held"
VARIABLES = "variables"
RUNNING = "running"
"""Among the variables that one may ask of a process: that it has a state. No role has one of this name."""

_MESSAGES: tuple[type[Message], ...] = (Request, Propose, P1a, P1b, P2a, P2b, Adopted, Preempted, Decision, Response)
SENT: dict[str, type[Message]] = {f"{each.kind} sent": each for each in _MESSAGES}
"""The kinds of facts that say that a message was ever sent, with its class. Histories keep those that are observed."""


def messages_in(kinds: Collection[str]) -> list[type[Message]]:
    """The messages whose sending some of `kinds` are about: a model must record these where such facts are asked for."""
    return [each for kind, each in SENT.items() if kind in kinds]


class Fact(NamedTuple):
    """`kind` holds for `command` in `slot` (0 where it is about none), under `ballot` where ballots matter.

    Of messages sent, other than p2a, the message itself stands in the place of the command."""

    kind: str
    slot: int
    ballot: Ballot
    command: Command


Observed = dict[ProcessId, frozenset[Fact]]
"""The facts about one slot, or about all where an invariant asks for all at once, of each process that has any."""


def state_fact(state: Any, variables: Iterable[str]) -> Fact:
    """The values of `variables`, as a fact about no slot, with pairs of name and value in the place of its command.

    Of a process that is down they are those it went down with; one that has exited has none."""
    if isinstance(state, Crashed):
        state = state.state
    values: Any = () if isinstance(state, Lifecycle) else tuple((name, name == RUNNING or getattr(state, name)) for name in variables)
    return Fact(VARIABLES, 0, BOTTOM, values)


def sent_facts(history: Iterable[Message], kinds: Collection[str]) -> Iterator[Fact]:
    """Of messages that were sent, those of `kinds` other than p2a."""
    for each in history:
        kind = sent_kind(each)
        if kind in kinds and kind != P2A_SENT:
            yield Fact(kind, 0, BOTTOM, each)  # type: ignore[arg-type]  # see `Fact`


def sent_kind(kept: Message) -> str:
    """The kind of fact that a message in a history shows; a variant's message is one of the kind that it changes."""
    message = kept.message if isinstance(kept, Addressed) else kept
    return next(kind for kind, each in SENT.items() if isinstance(message, each))


OF_STATES = frozenset({PVALUE_ACCEPTED, DECIDED})
"""The kinds of facts that are read off states."""


def observe(
    process: ProcessId, state: Any, inbox: Iterable[Message], history: Iterable[Message], kinds: Collection[str] = OF_STATES
) -> frozenset[Fact]:
    """All facts that a view shows, also of a process that is down; of those kinds that are read off states, and of messages sent other
    than p2a and decisions, only `kinds`.

    Only a replica's inbox is looked at: a decision counts from the moment it is sent."""
    if isinstance(state, Crashed):
        state = state.state
    facts = {Fact(P2A_SENT, each.slot, each.ballot, each.command) for each in history if isinstance(each, P2a)}
    facts.update(Fact(DECIDED, each.slot, BOTTOM, each.command) for each in history if isinstance(each, Decision))
    facts.update(sent_facts(history, kinds))
    if process.role == REPLICA:
        facts.update(Fact(DECIDED, each.slot, BOTTOM, each.command) for each in inbox if isinstance(each, Decision))
    if not isinstance(state, Lifecycle):
        if process.role == ACCEPTOR and PVALUE_ACCEPTED in kinds:
            ever = getattr(state, "ever", state.accepted)  # the ghost variable of acceptors that forget on purpose
            facts.update(Fact(PVALUE_ACCEPTED, slot, ballot, command) for ballot, slot, command in ever)
        if process.role == REPLICA and DECIDED in kinds:
            facts.update(Fact(DECIDED, slot, BOTTOM, command) for slot, command in state.decisions)
    return frozenset(facts)


def held(process: ProcessId, state: Any, inbox: Iterable[Message]) -> frozenset[Fact]:
    """The commands that a replica may still propose, or has proposed and would take back; a request on its way to it counts.

    Only Progress asks for them. They are about no slot, so no combination of facts is evaluated for their sake."""
    if process.role != REPLICA:
        return frozenset()
    commands = {*state.requests, *(command for _, command in state.proposals)}
    commands.update(each.command for each in inbox if isinstance(each, Request))
    return frozenset(Fact(HELD, 0, BOTTOM, command) for command in commands)


def by_slot(facts: Observed) -> dict[int, Observed]:
    """The same facts, sorted by slot."""
    slots: dict[int, Observed] = {}
    for process, all_facts in facts.items():
        for slot in {fact.slot for fact in all_facts}:
            slots.setdefault(slot, {})[process] = frozenset(fact for fact in all_facts if fact.slot == slot)
    return slots
