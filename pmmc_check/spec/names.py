"""What an expression may name: the system's sets and members, what has happened, the roles' states. Names are protocol.md's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pmmc_check.properties.observe import DECIDED, P2A_SENT, PVALUE_ACCEPTED, RUNNING
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import ACCEPTOR, BOTTOM, COMMANDER, LEADER, REPLICA, SCOUT, Ballot
from pmmc_check.spec.terms import Term
from pmmc_check.spec.types import (
    A_DECISION,
    A_LEADER,
    A_PVALUE,
    A_REPLICA,
    AN_ACCEPTOR,
    BALLOT,
    BOOLEAN,
    COMMAND,
    NUMBER,
    Type,
    record_of,
    sequence_of,
    set_of,
)

INDICES: dict[str, dict[str, Type]] = {
    ACCEPTOR: {"name": AN_ACCEPTOR},
    LEADER: {"name": A_LEADER},
    REPLICA: {"name": A_REPLICA},
    SCOUT: {"ballot": BALLOT},
    COMMANDER: {"ballot": BALLOT, "slot": NUMBER},
}
"""The roles whose states expressions read, with what stands in brackets for one process."""

EVERYBODY = object()
"""In the place of a value: all acceptors that the process uses."""
WITHOUT_VALUE = object()
"""In the place of a value: there is none."""


@dataclass(frozen=True)
class Readable:
    """A variable of a role: its type, and what it is taken for of a process that does not run."""

    type: Type
    without_state: Any


STATE: dict[str, dict[str, Readable]] = {
    ACCEPTOR: {"ballot": Readable(BALLOT, BOTTOM), "accepted": Readable(set_of(A_PVALUE), frozenset())},
    LEADER: {
        "ballot": Readable(BALLOT, BOTTOM),
        "active": Readable(BOOLEAN, False),
        "proposals": Readable(set_of(A_DECISION), frozenset()),
    },
    REPLICA: {
        "slot_in": Readable(NUMBER, 1),
        "slot_out": Readable(NUMBER, 1),
        "requests": Readable(set_of(COMMAND), frozenset()),
        "proposals": Readable(set_of(A_DECISION), frozenset()),
        "decisions": Readable(set_of(A_DECISION), frozenset()),
        "leaders": Readable(set_of(A_LEADER), frozenset()),
        "application": Readable(sequence_of(COMMAND), ()),
    },
    SCOUT: {
        RUNNING: Readable(BOOLEAN, False),
        "waitfor": Readable(set_of(AN_ACCEPTOR), EVERYBODY),
        "pvalues": Readable(set_of(A_PVALUE), frozenset()),
    },
    COMMANDER: {
        RUNNING: Readable(BOOLEAN, False),
        "waitfor": Readable(set_of(AN_ACCEPTOR), EVERYBODY),
        "command": Readable(COMMAND, WITHOUT_VALUE),
    },
}
"""The paper's variables, by role. `application` is the paper's `state`: here the sequence of performed commands. `running` is none of the
paper's: whether a scout or commander was created and has not exited."""

MESSAGE_TYPES: dict[str, Type] = {
    "request": record_of(command=COMMAND),
    "propose": A_DECISION,
    "p1a": record_of(ballot=BALLOT),
    "p1b": record_of(acceptor=AN_ACCEPTOR, ballot=BALLOT, accepted=set_of(A_PVALUE), to=BALLOT),
    "p2a": A_PVALUE,
    "p2b": record_of(acceptor=AN_ACCEPTOR, ballot=BALLOT, to=record_of(ballot=BALLOT, slot=NUMBER)),
    "adopted": record_of(ballot=BALLOT, pvalues=set_of(A_PVALUE)),
    "preempted": record_of(ballot=BALLOT, to=A_LEADER),
    "decision": A_DECISION,
    "response": record_of(cid=NUMBER, result=NUMBER, command=COMMAND),
}
"""The messages, under the protocol page's names of them and of their fields.

Where a message goes to one process that its fields do not name, `to` is what names it; a response has the command that it answers,
since each client counts its commands from 1."""

FACT_SETS = {"decided": (DECIDED, A_DECISION), **{kind: (f"{kind} sent", type_) for kind, type_ in MESSAGE_TYPES.items()}}
"""What has ever happened, as sets of records: what is decided, and the messages of each kind that were ever sent."""

FACT_OPERATORS: dict[str, tuple[str, tuple[Type, ...]]] = {
    "Decided": (DECIDED, (NUMBER, COMMAND)),
    "SentP2a": (P2A_SENT, (BALLOT, NUMBER, COMMAND)),
    "Accepted": (PVALUE_ACCEPTED, (AN_ACCEPTOR, BALLOT, NUMBER, COMMAND)),
}
"""The same, asked of one value: whether it has happened. Expressions that ask so about one slot cost a search the least."""

QUORUM_OPERATORS = ("IsQuorum1", "IsQuorum2")
OPERATORS = {
    **{name: len(types) for name, (_, types) in FACT_OPERATORS.items()},
    **dict.fromkeys(QUORUM_OPERATORS, 1),
    "Cardinality": 1,
    "Len": 1,
}
"""The operators that every spec has, with how many arguments each takes."""


def constants(system: System) -> dict[str, Term]:
    """The names that stand for fixed values in `system`; their terms have the name in `names`, as numbers have not."""
    ballots = frozenset(Ballot(r, leader.number) for r in range(system.rounds or 0) for leader in system.leaders)
    sets = {
        "Acceptors": (AN_ACCEPTOR, system.acceptors),
        "Leaders": (A_LEADER, system.leaders),
        "Replicas": (A_REPLICA, system.replicas),
        "Commands": (COMMAND, system.commands),
        "Slots": (NUMBER, range(1, (system.slots or 0) + 1)),
        "Ballots": (BALLOT, ballots),
        "BOOLEAN": (BOOLEAN, (False, True)),
    }
    named: dict[str, Term] = {
        name: Term("constant", set_of(type_), value=frozenset(members), text=name, names=(name,)) for name, (type_, members) in sets.items()
    }
    single = {
        "WINDOW": (NUMBER, system.window),
        "TRUE": (BOOLEAN, True),
        "FALSE": (BOOLEAN, False),
        "BOTTOM": (BALLOT, BOTTOM),
        "⊥": (BALLOT, BOTTOM),
    }
    named |= {name: Term("constant", type_, value=value, text=name, names=(name,)) for name, (type_, value) in single.items()}
    members = [(type_, each) for type_, all_ in (sets[name] for name in ("Acceptors", "Leaders", "Replicas", "Commands")) for each in all_]
    named |= {str(each): Term("constant", type_, value=each, text=str(each), names=(str(each),)) for type_, each in members}
    return named


def tells_apart(term: Term) -> str | None:
    """What in a term tells interchangeable processes or commands apart: a name, or a choice. None: nothing does."""
    for each in term.all_parts():
        if each.kind == "constant" and each.type in (AN_ACCEPTOR, A_REPLICA, COMMAND):
            return f"names {each.text}"
        if each.kind == "choose":
            return "uses CHOOSE"
    return None
