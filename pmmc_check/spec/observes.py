"""What an expression observes, derived from it: so that a search looks no closer than it must.

Three forms, from the cheapest to the dearest:

- `\\A x \\in Replicas : P` (or Acceptors), where P reads the variables of x and nothing else: checked on each local state, by itself;
- `\\A s \\in Slots : P`, where P asks for facts of slot s only (`Decided(s, c)`, `Accepted(a, b, s, c)`, `SentP2a(b, s, c)`): checked
  once for each combination of facts about one slot;
- everything else, sets of messages among it: checked once for each combination of all that it reads.

Messages that were ever sent are read from histories: each process remembers what it has sent of the kinds that are read and can make a
difference (`Model.recording`, `spec.relevant`), as commanders remember their p2a in any case. On the duplicating network a history tells
more than the inboxes of others where several processes send alike: propose, preempted, decision, response. Then more states are told apart.

Why the reductions keep the verdict
-----------------------------------
symmetry: all names but those of single acceptors, replicas and commands stand for sets that every renaming maps to themselves, and CHOOSE
    apart no construct prefers one member to another; so an expression without these has the same value in a state and in its renamed
    image. With one of them symmetry is off.
deferral: what is read of a process is part of its facts, and a step that changes facts is never put off. One that sends what
    is remembered changes facts, wherever the message goes.
halting: leaves out steps that only stop a process. Acceptors and replicas of the paper and its variants never stop by a message, and a
    crash changes nothing that is read of them. Leaders, scouts and commanders do, so an expression that reads these switches halting off,
    as does one that reads a role handed in by a user. It leaves out messages, too, which such steps would send: those of kinds that are
    read it does not (`checker.claims` takes no claim that names one).
inert: a message without effect changes no variable and no fact. Facts about messages are kept from their sending on, and by their
    senders, wherever the message goes."""

from __future__ import annotations

from dataclasses import dataclass

from pmmc_check.properties.observe import PVALUE_ACCEPTED
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import ACCEPTOR, REPLICA
from pmmc_check.spec.names import tells_apart
from pmmc_check.spec.terms import Term


@dataclass(frozen=True)
class Reads:
    """What a term reads: kinds of facts, variables as (role, name); and what reductions must know of it."""

    facts: frozenset[str]
    variables: frozenset[tuple[str, str]]
    tells_apart: str | None
    sees_stops: bool


def reads_of(term: Term, protocol: Protocol) -> Reads:
    """What `term` reads."""
    every = list(term.all_parts())
    variables = frozenset(each.value for each in every if each.kind == "state")
    return Reads(
        frozenset(each.value for each in every if each.kind in ("fact", "facts")),
        variables,
        tells_apart(term),
        any(not never_stops(role, protocol) for role, _ in variables),
    )


def about_one_slot(term: Term, system: System) -> bool:
    """Whether `term` is the same as: for every slot, its body, which asks only for facts of this slot."""
    if term.kind != "forall" or not _is_constant(term.parts[0], frozenset(range(1, (system.slots or 0) + 1))):
        return False
    body = list(term.parts[1].all_parts())
    facts = [each for each in body if each.kind == "fact"]
    rebound = any(each.kind in _BINDING and each.value == term.value for each in body)
    only_facts = not rebound and not any(each.kind in ("facts", "state") for each in body)
    return only_facts and bool(facts) and all(_is_variable(each.parts[_SLOT_AT.get(each.value, -2)], term.value) for each in facts)


def about_one_process(term: Term, system: System, protocol: Protocol) -> str | None:
    """The role of processes of which `term` says: of each, its body, which reads only this process; None where it is otherwise."""
    if term.kind != "forall":
        return None
    body = list(term.parts[1].all_parts())
    if any(each.kind in ("facts", "fact") for each in body) or any(each.kind in _BINDING and each.value == term.value for each in body):
        return None
    read = [each for each in body if each.kind == "state"]
    for role, all_of_it in ((ACCEPTOR, system.acceptors), (REPLICA, system.replicas)):
        own = read and all(each.value[0] == role and _is_variable(each.parts[0], term.value) for each in read)
        if own and _is_constant(term.parts[0], frozenset(all_of_it)) and never_stops(role, protocol):
            return role
    return None


_SLOT_AT = {PVALUE_ACCEPTED: 2}
_BINDING = ("forall", "exists", "filter", "collect", "choose", "let")


def _is_constant(term: Term, value: object) -> bool:
    return term.kind == "constant" and bool(term.value == value)


def _is_variable(term: Term, number: int) -> bool:
    return term.kind == "variable" and term.value == number


def never_stops(role: str, protocol: Protocol) -> bool:
    """Whether a process of `role` never exits: of acceptors and replicas that are our own."""
    return role in (ACCEPTOR, REPLICA) and protocol[role].__module__.startswith("pmmc_check.protocol.")
