"""Which written invariants speak of one slot, so that one slot in the worst environment (`--slots any`) stands for every slot.

A run of a system of any size, seen through a projection of checker/any_slots, is a run of the one-slot system: slot `s` becomes slot 1,
commands are called c1 or c2, used ballots keep their order, acceptors stay what they are. So an invariant may be checked there if,
whenever it is false in a state, it is also false in what one of these projections leaves of that state. Let it be
`\\A s \\in Slots : B`, and false; this names a slot, and values for the variables that B binds in front with `\\A`. What is left keeps

- facts about `s`, and nothing of other slots. So B asks only for facts of one slot, by the operators `Decided`, `SentP2a` and
  `Accepted`, and does nothing else with its number. `decided`, `p2a`, `acceptor[a].accepted` and `leader[l].proposals` hold all slots;
- acceptors and their ballots, as they are: B may say of these what it likes;
- nothing that is shown of scouts, commanders and other messages (it may well be the same), so B reads none;
- no replicas: B reads none, and depends neither on how many there are, nor on WINDOW;
- commands, told apart as c1 and "any other". Quantified in front, one command can be called c1: then every fact about it is kept, and no
  other fact becomes one about it. A second one may differ from it, but is "any other": a fact about it is kept, but one about a third
  may be taken for it. So of two commands, the facts about one must all be such that their being true helps to make B false (as what
  stands before `=>`). Two commands at most; none by name; none quantified elsewhere, since `\\E c` ranges over all of them;
- ballots in use, in their order, where each is a leader of its own (`--ballots`). So B only compares ballots, and a variable that
  ranges over Ballots must not matter where its ballot is one that nobody uses (see `unused`). With `--leaders` and `--rounds`, ballots
  and leaders are as they are, and so are the variables of leaders that are no sets of slots.

Everything else in B is made of what is kept, one to one; so it has the same value before and after. What is not shown to be so is
refused, with the part that it hangs on. The converse need not hold: what is false in the one-slot system, an ordinary search confirms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple, NoReturn

from pmmc_check.properties.observe import DECIDED, P2A_SENT
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, LEADER, SCOUT
from pmmc_check.spec.terms import Term
from pmmc_check.spec.types import A_LEADER, A_REPLICA, BALLOT, COMMAND, NUMBER, set_of
from pmmc_check.spec.unused import ignores_unused

_KEPT_OF_LEADERS = ("ballot", "active")
_BALLOTWISE = "with --ballots each ballot is a leader of its own; give --leaders and --rounds instead"
_TEXT_MAX = 60


class NotOfOneSlot(Exception):
    """Why an invariant cannot be checked for every number of slots: its text is the second half of a sentence."""


class _FactUse(NamedTuple):
    """A fact that is asked for: of which slot (the variable's number, or a text that is its number), about which command (the variable's
    number), and whether its being true can only help to break the invariant."""

    slot: int | str
    slot_text: str
    command: int
    breaks: bool


class _Mention(NamedTuple):
    """A command is compared, or is in a set."""

    command: int


_Use = _FactUse | _Mention
_Bound = Mapping[int, str]
"""Variables that are bound in front: slots and commands, by their numbers."""
_SLOT, _COMMAND = "slot", "command"
_BINDING = ("forall", "exists", "filter", "collect")


def in_one_slot(term: Term, ballotwise: bool) -> Term:
    """`term` as it is asked of the one-slot system: a slot that it names is slot 1 there. `ballotwise`: each ballot is a leader of its own.

    Raises:
        NotOfOneSlot: it is not shown to speak of one slot.
    """
    for part in term.all_parts():
        _refuse_unkept(part)
    _Reading(ballotwise).check(term, {}, ())
    return _moved(term)


def slots_named(term: Term) -> frozenset[int]:
    """The slots that facts in it name by their numbers."""
    slots = (_slot_of(each) for each in term.all_parts() if each.kind == "fact")
    return frozenset(slot.value for slot in slots if slot.kind == "constant")


def _moved(term: Term) -> Term:
    parts = tuple(map(_moved, term.parts))
    if term.kind == "fact" and (slot := _slot_of(term)).kind == "constant":
        at = term.parts.index(slot)
        parts = (*parts[:at], replace(slot, value=1), *parts[at + 1 :])
    return replace(term, parts=parts)


def _slot_of(fact: Term) -> Term:
    return fact.parts[-2]


def _refuse_unkept(term: Term) -> None:
    """What no projection is shown to keep."""
    if term.kind == "facts" and term.value not in (DECIDED, P2A_SENT):
        _no(term, "is a set of messages, of which only p2a and decisions are shown to be kept; ask for SentP2a(b, s, c) or Decided(s, c)")
    if term.kind == "state" and term.value[0] in (SCOUT, COMMANDER):
        _no(term, f"reads a {term.value[0]}, of which nothing is shown to be kept")


class _Reading:
    """Reads a term from its front inwards."""

    def __init__(self, ballotwise: bool) -> None:
        self.ballotwise = ballotwise

    def check(self, term: Term, bound: _Bound, uses: tuple[_Use, ...]) -> None:
        """Goes inwards as long as what is false of the whole is false of one part; `uses` is what was read on the way."""
        if term.kind == "forall":
            kind = {set_of(NUMBER): _SLOT, set_of(COMMAND): _COMMAND}.get(term.parts[0].type) if _is_name(term.parts[0]) else None
            if kind is None:
                uses = (*uses, *self._domain(term, bound))
            self.check(term.parts[1], {**_without(bound, term.value), **({term.value: kind} if kind else {})}, uses)
        elif term.kind == "and":
            for part in term.parts:
                self.check(part, bound, uses)
        elif term.kind == "operation" and term.value == "=>":
            self.check(term.parts[1], bound, (*uses, *self.read(term.parts[0], bound, 1)))
        elif term.kind == "let":
            self.check(term.parts[1], _without(bound, term.value), (*uses, *self.read(term.parts[0], bound, 0)))
        else:
            _check_uses((*uses, *self.read(term, bound, -1)), term)

    def read(self, term: Term, bound: _Bound, sign: int) -> Iterator[_Use]:
        """What a part reads. `sign`: 1 where its truth helps to break the invariant, -1 where its falsehood does, 0 where both may."""
        if term.kind == "fact":
            yield from self._fact(term, bound, sign)
            return
        self._refuse(term)
        if term.kind in _BINDING:
            yield from self._domain(term, bound)
            yield from self.read(term.parts[1], _without(bound, term.value), sign if term.kind != "collect" else 0)
        elif term.kind == "variable":
            if bound.get(term.value) == _SLOT:
                _no(term, "calculates with the number of a slot")
            if bound.get(term.value) == _COMMAND:
                yield _Mention(term.value)
        else:
            for part, its_sign in zip(term.parts, _signs(term, sign), strict=True):
                yield from self.read(part, bound, its_sign)

    def _domain(self, term: Term, bound: _Bound) -> Iterator[_Use]:
        """The set that a variable ranges over."""
        members = term.parts[0]
        if members.type == set_of(COMMAND):
            _no(term, r"ranges over commands elsewhere than in front, where it is written \A c \in Commands : ...")
        if _is_name(members) and members.type == set_of(BALLOT):
            if self.ballotwise and not ignores_unused(term):
                _no(term, f"may depend on ballots that nobody uses; ask that a fact about {term.names[0]} be true")
            return
        yield from self.read(members, bound, 0)

    def _fact(self, term: Term, bound: _Bound, sign: int) -> Iterator[_Use]:
        *others, slot, command = term.parts
        for each in others:
            yield from self.read(each, bound, 0)
        if not (command.kind == "variable" and bound.get(command.value) == _COMMAND):
            named = command.kind == "constant"
            _no(
                term,
                f"names the command {command.text}" if named else r"is about a command that is not bound in front by \A c \in Commands",
            )
        if slot.kind == "variable" and bound.get(slot.value) == _SLOT:
            yield _FactUse(slot.value, slot.text, command.value, sign > 0)
        elif slot.kind == "constant" and not slot.names:
            yield _FactUse(str(slot.value), str(slot.value), command.value, sign > 0)
        else:
            _no(term, r"is about a slot that is neither a number nor bound in front by \A s \in Slots")

    def _refuse(self, term: Term) -> None:
        """What no part may be."""
        if term.kind == "facts":
            name, instead = ("decided", "Decided(s, c)") if term.value == DECIDED else ("p2a", "SentP2a(b, s, c)")
            _no(term, f"reads {name}, which holds all slots; ask for {instead}")
        if term.kind == "choose":
            _no(term, "chooses one of several")
        if term.kind == "state":
            self._refuse_state(term)
        if term.kind == "ballot part" and self.ballotwise:
            _no(
                term, f"reads .{term.value} of a ballot, but with --ballots each ballot is a leader of its own; give --leaders and --rounds"
            )
        if term.kind == "constant" and term.names:
            self._refuse_name(term)

    def _refuse_state(self, term: Term) -> None:
        role, name = term.value
        if role == ACCEPTOR and name == "ballot":
            return
        if role == LEADER and name in _KEPT_OF_LEADERS:
            if self.ballotwise:
                _no(term, f"reads a leader, but {_BALLOTWISE}")
        elif role == ACCEPTOR:
            _no(term, "holds all slots; ask for Accepted(a, b, s, c)")
        elif role == LEADER:
            _no(term, "holds all slots")
        else:
            _no(term, "reads a replica, and the one-slot system has none")

    def _refuse_name(self, term: Term) -> None:
        members = term.type.parts[0] if term.type.parts else term.type
        if term.type == COMMAND:
            _no(term, "names a command")
        if members in (COMMAND, A_REPLICA, NUMBER):
            _no(term, "is another one in each of the configurations that are covered")
        if members == A_LEADER and self.ballotwise:
            _no(term, f"speaks of leaders, but {_BALLOTWISE}")
        if members == BALLOT and term.type.parts and self.ballotwise:
            _no(term, "is another set in each of the configurations that are covered")


def _signs(term: Term, sign: int) -> list[int]:
    """The sign of each part of a term."""
    if term.kind in ("and", "or", "quorum"):
        return [sign] * len(term.parts)
    if term.kind == "not":
        return [-sign]
    if term.kind == "operation" and term.value == "=>":
        return [-sign, sign]
    if term.kind == "if":
        return [0, sign, sign]
    return [0, sign] if term.kind == "let" else [0] * len(term.parts)


def _check_uses(uses: tuple[_Use, ...], term: Term) -> None:
    """What was read together can be told from what is left of a state."""
    facts = [each for each in uses if isinstance(each, _FactUse)]
    slots = {each.slot: each.slot_text for each in facts}
    if len(slots) > 1:
        raise NotOfOneSlot(f"it relates slots {' and '.join(sorted(slots.values()))}")
    commands = {each.command for each in uses}
    exact = {each.command for each in facts if not each.breaks}
    if len(commands) > 2:
        raise NotOfOneSlot(f"it relates {len(commands)} commands, and two stand for any number only where two are related")
    if len(commands) == 2 and len(exact) == 2:
        _no(term, "asks of two commands that something has not happened, and one of them stands for all others")


def _without(bound: _Bound, number: int) -> _Bound:
    """Where another variable of this number is bound."""
    return {each: kind for each, kind in bound.items() if each != number}


def _is_name(term: Term) -> bool:
    return term.kind == "constant" and bool(term.names)


def _no(term: Term, reason: str) -> NoReturn:
    text = term.text if len(term.text) <= _TEXT_MAX else term.text[: _TEXT_MAX - 3] + "..."
    raise NotOfOneSlot(f"{text} {reason}" if text else f"it {reason}")
