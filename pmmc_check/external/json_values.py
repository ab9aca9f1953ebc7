"""States and messages as JSON, and back.

A state is JSON of the role's own shape. A text in it that is a name, ballot, command, pvalue or command in a slot becomes that value,
wherever it stands, so that symmetry and the reports see it. An array keeps its order, but for those
that the paper or the server calls sets.
The fields that invariants read (`STATE_FIELDS`) must be what the paper's are."""

from __future__ import annotations

import dataclasses
import keyword
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, NamedTuple

import orjson

from pmmc_check.errors import did_you_mean
from pmmc_check.external.texts import (
    ReadsText,
    ballot_text_in,
    command_in,
    name_in,
    process_in,
    pvalue_in,
    slot_command_in,
    step_text,
    value_in,
)
from pmmc_check.protocol import messages
from pmmc_check.protocol.acceptor import AcceptorState
from pmmc_check.protocol.commander import CommanderState
from pmmc_check.protocol.leader import LeaderState
from pmmc_check.protocol.messages import Message, Start
from pmmc_check.protocol.replica import ReplicaState
from pmmc_check.protocol.role import Lifecycle, Outcome, Send
from pmmc_check.protocol.scout import ScoutState
from pmmc_check.protocol.values import (
    ACCEPTOR,
    COMMANDER,
    LEADER,
    REPLICA,
    SCOUT,
    Ballot,
    Command,
    ProcessId,
    PValue,
    SlotCommand,
)
from pmmc_check.trace.errors import Unfit
from pmmc_check.trace.fields import ATTRIBUTE, FIELDS

NESTED_MAX = 64
"""How deeply a state may be nested."""
_VALUES = (ProcessId, Ballot, Command, PValue, SlotCommand)
_KINDS: dict[str, type[Message]] = {each.kind: each for each in Message.__subclasses__() if each.kind in FIELDS}


class JsonMember(NamedTuple):
    """A key of a JSON object, and its value."""

    key: Any
    value: Any


class JsonObject(NamedTuple):
    """A JSON object within a state; its members have no order."""

    members: frozenset[JsonMember]

    def __str__(self) -> str:
        return "{" + ", ".join(sorted(f"{each.key}: {messages.show(each.value)}" for each in self.members)) + "}"


# ---- the fields of states that the paper has, too ----


def _texts(reads: ReadsText, what: str) -> Callable[[str, Any], Any]:
    def read(where: str, given: Any) -> Any:
        if not isinstance(given, str):
            raise Unfit(f"{where}: expected {what}, found {_shortened(given)}")
        return _at(where, reads, given)

    return read


def _list_of(reads: ReadsText, what: str, kind: Callable[[Any], Any]) -> Callable[[str, Any], Any]:
    one = _texts(reads, what)

    def read(where: str, given: Any) -> Any:
        if not isinstance(given, list):
            raise Unfit(f"{where}: expected a list, each {what}, found {_shortened(given)}")
        return kind([one(where, each) for each in given])

    return read


def _of_type(kind: type, what: str) -> Callable[[str, Any], Any]:
    def read(where: str, given: Any) -> Any:
        if type(given) is not kind:
            raise Unfit(f"{where}: expected {what}, found {_shortened(given)}")
        return given

    return read


_BALLOT = _texts(ballot_text_in, "a ballot such as 0.L1")
_NAME = _texts(name_in, "a name such as A1")
_COMMAND = _texts(command_in, "a command such as C1:1:op1")
_NUMBER = _of_type(int, "a whole number")
_PVALUES = _list_of(pvalue_in, "a pvalue such as 0.L1/1/C1:1:op1", frozenset)
_SLOT_COMMANDS = _list_of(slot_command_in, "a command in a slot such as 1/C1:1:op1", frozenset)
_NAMES = _list_of(name_in, "a name such as A1", frozenset)

STATE_FIELDS: dict[str, dict[str, Callable[[str, Any], Any]]] = {
    ACCEPTOR: {"ballot": _BALLOT, "accepted": _PVALUES},
    LEADER: {"ballot": _BALLOT, "active": _of_type(bool, "true or false"), "proposals": _SLOT_COMMANDS},
    REPLICA: {
        "leaders": _list_of(name_in, "a name such as L1", tuple),
        "application": lambda where, given: _decoded(given, frozenset(), 0),
        "slot_in": _NUMBER,
        "slot_out": _NUMBER,
        "requests": _list_of(command_in, "a command such as C1:1:op1", frozenset),
        "proposals": _SLOT_COMMANDS,
        "decisions": _SLOT_COMMANDS,
    },
    SCOUT: {"waitfor": _NAMES, "pvalues": _PVALUES},
    COMMANDER: {"command": _COMMAND, "waitfor": _NAMES},
}
"""How the fields of the paper's states are read, by role, in the paper's order."""

PAPERS_STATE: dict[str, type] = {
    ACCEPTOR: AcceptorState,
    LEADER: LeaderState,
    REPLICA: ReplicaState,
    SCOUT: ScoutState,
    COMMANDER: CommanderState,
}
"""The class of the paper's states, by role."""

_MESSAGE_FIELDS: dict[str, Callable[[str, Any], Any]] = {
    "c": _COMMAND,
    "s": _NUMBER,
    "b": _BALLOT,
    "a": _NAME,
    "accepted": _PVALUES,
    "pvalues": _PVALUES,
    "cid": _NUMBER,
    "result": lambda where, given: _decoded(given, frozenset(), 0),
}


# ---- writing ----


def as_json(value: Any) -> Any:
    """A state, or any value of one, as JSON. Sets are sorted, so that the text is the same on every run.

    Raises:
        Unfit: it is nothing that JSON can say.
    """
    if isinstance(value, _VALUES):
        return step_text(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, JsonObject):
        return {str(as_json(key)): as_json(each) for key, each in sorted(value.members, key=str)}
    if isinstance(value, frozenset):
        return sorted(map(as_json, value), key=orjson.dumps)
    if isinstance(value, tuple):
        return [as_json(each) for each in value]
    if dataclasses.is_dataclass(value):
        fields = {each.name: as_json(getattr(value, each.name)) for each in dataclasses.fields(value)}
        return fields.pop(_WHOLE) if _WHOLE in fields else {**fields, **fields.pop(_OTHERS, {})}
    raise Unfit(f"{value!r} of type {type(value).__name__} cannot be written as JSON")


def message_as_json(message: Message) -> dict[str, Any]:
    """A message: its kind as `msg`, and its fields as the trace format names them.

    Raises:
        Unfit: it is of a kind that the paper does not have.
    """
    if message.kind not in FIELDS:
        raise Unfit(f"{message} is no message of the paper's, and a program is only sent those; leave out the --variant that has it")
    return {"msg": message.kind} | {field: as_json(getattr(message, ATTRIBUTE[field])) for field in FIELDS[message.kind]}


# ---- reading ----


def state_in(role: str, given: Any, sets: frozenset[str]) -> Any:
    """The state that JSON says; the arrays called by `sets` have no order.

    Raises:
        Unfit: it is nested too deeply, has numbers that are not whole, or a field that invariants read is not what it must be.
    """
    if not isinstance(given, dict):
        return _state_class(role, (_WHOLE,))(_decoded(given, sets, 0))
    own = STATE_FIELDS.get(role, {})
    plain = {name: value for name, value in given.items() if name in own or _may_be_a_field(name)}
    others = {name: value for name, value in given.items() if name not in plain}
    names = (*(name for name in own if name in plain), *sorted(set(plain) - set(own)))
    values = [
        own[name](f"state.{name}", given[name]) if name in own else _decoded(given[name], sets, 0, as_set=name in sets) for name in names
    ]
    if others:
        names, values = (*names, _OTHERS), [*values, _decoded(others, sets, 0)]
    return _state_class(role, names)(*values)


def outcome_in(me: ProcessId, given: Any, sets: frozenset[str]) -> Outcome:
    """One outcome of `me`: `state`, or `exited`, and what it `sends`.

    Raises:
        Unfit: it is none.
    """
    _only("an outcome", given, ("state", "exited", "sends"))
    exited = given.get("exited", False)
    if not isinstance(exited, bool) or exited == ("state" in given):
        raise Unfit('an outcome has either a state, or "exited": true')
    state = Lifecycle.EXITED if exited else state_in(me.role, given["state"], sets)
    if "sends" not in given:
        raise Unfit('sends is missing: write "sends": [] where nothing is sent')
    sends = given["sends"]
    if not isinstance(sends, list):
        raise Unfit(f"sends: expected a list of messages, found {_shortened(sends)}")
    return Outcome(state, tuple(each for send in sends for each in _sends_in(me, send)))


def _sends_in(me: ProcessId, given: Any) -> list[Send]:
    if not isinstance(given, dict) or "msg" not in given or "to" not in given:
        raise Unfit(f'expected a message that is sent, such as {{"to": "0.L1", "msg": "p2b", "b": "0.L1"}}, found {_shortened(given)}')
    names = given["to"] if isinstance(given["to"], list) else [given["to"]]
    message = message_in(me, {key: value for key, value in given.items() if key != "to"})
    return [Send(_texts(process_in, "a process such as A1")("to", name), message) for name in names]


def message_in(me: ProcessId, given: Mapping[str, Any]) -> Message:
    """A message that `me` sends, or receives; an acceptor need not say who it is.

    Raises:
        Unfit: it is none.
    """
    kind = given["msg"]
    if kind == Start.kind:
        _only("start", given, ("msg", "c"))
        return Start(_COMMAND("c", given["c"]) if "c" in given else None)
    if not isinstance(kind, str) or kind not in FIELDS:
        raise Unfit(f"there is no message {_shortened(kind)}{did_you_mean(str(kind), FIELDS)}; expected one of {', '.join(FIELDS)}, start")
    _only(kind, given, ("msg", *FIELDS[kind]))
    found: dict[str, Any] = {}
    for field in FIELDS[kind]:
        if field in given:
            found[ATTRIBUTE[field]] = _MESSAGE_FIELDS[field](f"{kind}: {field}", given[field])
        elif field == "a" and me.role == ACCEPTOR:
            found[ATTRIBUTE[field]] = me
        else:
            raise Unfit(f"{kind}: {field} is missing; it has {', '.join(FIELDS[kind])}")
    return _KINDS[kind](**found)


_WHOLE, _OTHERS = "value", "other_members"


@cache
def _state_class(role: str, names: tuple[str, ...]) -> type:
    """The class of states with these fields: the paper's, or derived from it, where it has all of the paper's fields."""
    papers = PAPERS_STATE.get(role)
    needed = tuple(STATE_FIELDS.get(role, ()))
    if papers is None or names[: len(needed)] != needed:
        return dataclasses.make_dataclass(f"{role.capitalize()}State", names, bases=(_OwnState,), frozen=True)
    if names == needed:
        return papers
    more = [(name, Any, None) for name in names[len(needed) :]]
    return dataclasses.make_dataclass(papers.__name__, more, bases=(papers,), frozen=True)


class _OwnState:
    """A state that lacks fields of the paper's."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(f"the state has no field {name!r}")


def _may_be_a_field(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_") and name not in (_WHOLE, _OTHERS)


def _decoded(given: Any, sets: frozenset[str], depth: int, *, as_set: bool = False) -> Any:
    if depth > NESTED_MAX:
        raise Unfit(f"a state is nested more than {NESTED_MAX} deep")
    if isinstance(given, str):
        return value_in(given)
    if isinstance(given, float):
        raise Unfit(f"{given!r}: the numbers of a state are whole")
    if isinstance(given, list):
        parts = [_decoded(each, sets, depth + 1) for each in given]
        return frozenset(parts) if as_set else tuple(parts)
    if isinstance(given, dict):
        members = ((key, _decoded(each, sets, depth + 1, as_set=key in sets)) for key, each in given.items())
        return JsonObject(frozenset(JsonMember(value_in(key), value) for key, value in members))
    return given


def _only(what: str, given: Any, known: Collection[str]) -> None:
    if not isinstance(given, dict):
        raise Unfit(f"expected {what}, an object with {', '.join(known)}; found {_shortened(given)}")
    for key in given:
        if key not in known:
            raise Unfit(f"{what} has no {key!r}{did_you_mean(key, known)}; expected some of {', '.join(known)}")


def _at(where: str, reads: ReadsText, text: str) -> Any:
    try:
        return reads(text)
    except Unfit as unfit:
        raise Unfit(f"{where}: {unfit.problem}") from None


def _shortened(given: Any) -> str:
    text = orjson.dumps(given).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."
