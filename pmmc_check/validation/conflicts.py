"""Which recorded facts contradict each other where a relation between processes is broken: the fewest that show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from pmmc_check.properties.observe import DECIDED, P2A_SENT, PVALUE_ACCEPTED, Fact
from pmmc_check.properties.quorums import SPEAK_OF_QUORUMS, Quorums
from pmmc_check.protocol.values import BOTTOM, ProcessId
from pmmc_check.trace.events import Event

ShownFact = tuple[Fact, ProcessId, Event]
"""A fact about one slot, whose it is, and the first event that shows it."""

_VERBS = {DECIDED: "decided", P2A_SENT: "sent in p2a", PVALUE_ACCEPTED: "accepted"}
_CITED = 5


def conflict(invariant: str, known: Sequence[ShownFact], quorums: Quorums, show: Callable[[Any], str]) -> tuple[list[Event], str]:
    """The events that show what breaks `invariant`, and a sentence: two facts, or one against a quorum's acceptances.

    `known` are the facts that it observes; they must break it.
    """
    ordered = sorted(known, key=lambda each: (each[0].kind, each[0].ballot, show(each[0].command), each[1]))
    if invariant in SPEAK_OF_QUORUMS:
        return _against_a_quorum(ordered, PVALUE_ACCEPTED if invariant == "A5" else P2A_SENT, quorums, show)
    for _, group in groupby(ordered, key=lambda each: (each[0].kind, each[0].ballot)):
        first, *others = group
        for other in others:
            if other[0].command != first[0].command:
                return [first[2], other[2]], f"{_said(first[0], show)}; {_said(other[0], show)}"
    raise ValueError(f"{invariant} is not broken by these facts")


def _against_a_quorum(ordered: Sequence[ShownFact], kind: str, quorums: Quorums, show: Callable[[Any], str]) -> tuple[list[Event], str]:
    for fact, group in groupby((each for each in ordered if each[0].kind == PVALUE_ACCEPTED), key=lambda each: each[0]):
        members = {owner: event for _, owner, event in group}
        later = [each for each in ordered if each[0].kind == kind and each[0].ballot > fact.ballot and each[0].command != fact.command]
        if later and quorums.include(fact.ballot, fact.slot, members.keys()):
            who = ", ".join(map(show, list(members)[:_CITED])) + (f" and {len(members) - _CITED} more" if len(members) > _CITED else "")
            chosen = f"{show(fact.command)} was accepted under {show(fact.ballot)} by a quorum, {who}"
            return [later[0][2], *list(members.values())[:_CITED]], f"{_said(later[0][0], show)}, though {chosen}"
    raise ValueError("no quorum's acceptances are contradicted by these facts")


def _said(fact: Fact, show: Callable[[Any], str]) -> str:
    return f"{show(fact.command)} {_VERBS[fact.kind]}{'' if fact.ballot == BOTTOM else f' under {show(fact.ballot)}'}"
