"""Reads JSON Lines: the content of the DSL with one object on each line. The schema is `trace/trace.schema.json`.

The header is the first object (`{"pmmc-trace": 1, ...}`), and every other object is an event. Fields have the names and value texts of the
DSL; null stands for a value that was not recorded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NoReturn

import orjson

from pmmc_check.trace.errors import TraceError, Unfit
from pmmc_check.trace.events import (
    COMPLETE,
    CRASH,
    DROP,
    END,
    MIDDLE,
    NONE,
    PARTIAL,
    PERFORM,
    RECEIVE,
    ROLE_FIELDS,
    SEND,
    Comment,
    Event,
    Perform,
    RecordedItem,
)
from pmmc_check.trace.fields import ACTION_OF_VERB, FIELDS, NUMBER_FIELDS, SET_FIELDS
from pmmc_check.trace.header import CONFIGURATIONS, IGNORE, NUMBER_SETTINGS, WORD_SETTINGS, HeaderBuilder
from pmmc_check.trace.readers.event_builder import EventBuilder
from pmmc_check.trace.readers.frequent_events import SHAPES, Compose, EventComposer
from pmmc_check.trace.values import MEMO_SIZE, WORD, show_word

_WITH_MESSAGE = (RECEIVE, SEND, DROP)
_COMMON = ("at", "do", "id", "t", "note", "post")
_OF_PERFORM = ("at", "do", "s", "c", "id", "t", "note")
_POST_TYPES: dict[str, type] = {"ballot": str, "accepted": list, "slot_in": int, "slot_out": int, "active": bool}


def loads(file: str, number: int, text: str) -> dict[str, Any]:
    """The object of one line.

    Raises:
        TraceError: the line is no JSON object.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise TraceError(file, number, error.colno, f"no JSON: {error.msg}; expected one object a line", text) from None
    if not isinstance(value, dict):
        raise TraceError(file, number, 1, f"expected an object {{...}}, found {_name(value)}", text)
    if text.count('":') != len(value) + sum(len(each) for each in value.values() if isinstance(each, dict)):
        _check_keys(file, number, text)
    return value


def _check_keys(file: str, number: int, text: str) -> None:
    """Each key comes once: which of two values is meant, nobody can know."""

    def checked(pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise TraceError(file, number, text.rfind(f'"{key}"') + 1, f"{key!r} is set twice; leave one", text)

    try:
        json.loads(text, object_pairs_hook=checked)
    except RecursionError:
        raise TraceError(file, number, 1, "objects or lists are nested too deeply; an event has at most two levels", text) from None


def comment_text(file: str, number: int, fields: dict[str, Any]) -> str:
    """The text of a comment object.

    Raises:
        TraceError: it is none.
    """
    comment = fields["#"]
    if len(fields) > 1 or not isinstance(comment, str) or not (comment + " ").isprintable():
        raise TraceError(file, number, 1, 'a comment is {"#": "printable text"} and nothing else')
    return comment.strip()


class JsonReader:
    """Reads event objects of one file."""

    def __init__(self, event_builder: EventBuilder, file: str) -> None:
        self.event_builder = event_builder
        self.file = file
        self._ignored = event_builder.values.names.header.ignore
        self._composer = EventComposer(event_builder, file, _plain)
        self._shapes: dict[Any, tuple[Compose, Callable[[dict[str, Any]], Any], str | None]] = {}
        """By process, verb, kind and number of keys: how to compose the event, from which words, which of them is a number.

        No two shapes of a kind have equally many fields; and where all of a shape's are there, there are no others.
        """

    def item(self, number: int, text: str) -> RecordedItem | None:
        """The event, or comment, of a line; None if it is blank. Raises `TraceError`."""
        try:
            fields = orjson.loads(text)
            if text.count('":') != len(fields):
                return self._slow(text, number)
            for key in self._ignored:
                fields.pop(key, None)
            time = fields.pop("t") if "t" in fields else None
            compose, words, numeric = self._shapes[fields["at"], fields["do"], fields["msg"], len(fields)]
            if (numeric is None or type(fields[numeric]) is int) and (time is None or (type(time) is str and WORD.fullmatch(time))):
                return compose(words(fields), number, time)
        except (ValueError, KeyError, TypeError, AttributeError, Unfit):
            pass
        return self._slow(text, number)

    def _slow(self, text: str, number: int) -> RecordedItem | None:
        if not text or text.isspace():
            return None
        fields = loads(self.file, number, text)
        for key in self._ignored:
            fields.pop(key, None)
        if "#" in fields:
            return Comment(comment_text(self.file, number, fields))
        try:
            if fields.get("do") == PERFORM:
                return self._perform(fields, number)
            event = self._event(fields, number)
        except Unfit as unfit:
            name = unfit.key.removeprefix("| ")
            column = text.find(f'"{name}"') + 1 if name else 1
            raise TraceError(self.file, number, max(column, 1), unfit.problem, text) from None
        self._learn(fields, event)
        return event

    def _learn(self, fields: dict[str, Any], event: Event) -> None:
        """The next event with these keys, process and kind may be one that is quickly put together."""
        fields.pop("t", None)
        if event.message is None or "." in event.log or event.id is not None or event.note is not None or event.post is not None:
            return
        kind, owner = event.message.kind, self.event_builder.owner(event.log)
        for shape in SHAPES.get((owner.role, event.action, kind), ()):
            keys = shape.split()
            if set(fields) == {"at", "do", "msg", *keys} and len(self._shapes) < MEMO_SIZE:
                compose = self._composer.composer(event.log, owner, event.action, kind)
                numeric = next((key for key in keys if key in NUMBER_FIELDS), None)
                self._shapes[event.log, fields["do"], kind, len(fields)] = compose, _getter(keys), numeric

    def _perform(self, fields: dict[str, Any], number: int) -> Perform:
        """What a replica performed."""
        if not isinstance(log := fields.get("at"), str):
            raise Unfit('"at" must name the replica whose log this is, such as "at": "R1"', "at")
        for key in fields:
            if key not in _OF_PERFORM:
                raise Unfit(f"{key!r} is no field of {PERFORM}; expected {', '.join(_OF_PERFORM)}", key)
        for key in ("s", "c"):
            if key not in fields:
                raise Unfit(f"{PERFORM} needs {key!r}", "do")
        raw = {key: _text(key, fields[key]) for key in ("s", "c")} | _tags(fields)
        return self.event_builder.perform(log, raw, _note(fields.get("note")), self.file, number)

    def _event(self, fields: dict[str, Any], number: int) -> Event:
        log, verb = fields.get("at"), fields.get("do")
        if not isinstance(log, str):
            raise Unfit('"at" must name the process whose log this is, such as "at": "A1"', "at")
        if verb not in ACTION_OF_VERB:
            raise Unfit(f'"do" must be one of {", ".join((*ACTION_OF_VERB, PERFORM))}', "do")
        action = ACTION_OF_VERB[verb]
        kind = fields.get("msg")
        if (action in _WITH_MESSAGE) != (kind is not None):
            raise Unfit(f'{verb} {"needs" if action in _WITH_MESSAGE else "has no"} "msg"', "msg")
        if kind is not None and (not isinstance(kind, str) or kind not in FIELDS):
            raise Unfit(f'"msg" must be one of {", ".join(FIELDS)}', "msg")
        own = {key: value for key, value in fields.items() if key not in _COMMON and key != "msg"}
        _check_fields(kind, own)
        raw: dict[str, Any] = {key: _text(key, value) for key, value in own.items()}
        raw |= _tags(fields)
        note = _note(fields.get("note"))
        if "post" in fields and action in (DROP, CRASH, END):
            raise Unfit(f"{verb} has no recorded state", "post")
        post = _post(fields["post"]) if "post" in fields else None
        return self.event_builder.event(log, action, kind, raw, post, note, self.file, number)


def _check_fields(kind: str | None, raw: dict[str, Any]) -> None:
    expected = (*FIELDS[kind], "to", "from") if kind is not None else ()
    for key in raw:
        if key not in expected:
            known = ", ".join(expected) or "none"
            raise Unfit(f"{key!r} is no field of {kind or 'this event'}; expected {known}; or list it in the header's ignore", key)
    for key in FIELDS[kind] if kind is not None else ():
        if key not in raw and key != "a":
            raise Unfit(f"{kind} needs {key!r}; write null if it was not recorded", "msg")


def _tags(fields: dict[str, Any]) -> dict[str, str]:
    tags = {}
    if (name := fields.get("id")) is not None:
        if not isinstance(name, str) or not name.isprintable():
            raise Unfit('"id" must be a printable string', "id")
        tags["id"] = name
    if (time := fields.get("t")) is not None:
        text = time if isinstance(time, str) else repr(time) if type(time) in (int, float) else ""
        if not WORD.fullmatch(text):
            raise Unfit('"t" must be a number, or a word of letters, digits, _ . + -', "t")
        tags["time"] = text
    return tags


def _text(key: str, value: Any) -> Any:
    """A field as the DSL writes it."""
    if value is None:
        return "?"
    if key in SET_FIELDS:
        delta = key == "accepted" and isinstance(value, dict) and list(value) == ["added"]
        members = value["added"] if delta else value
        if not isinstance(members, list) or not all(isinstance(each, str) for each in members):
            raise Unfit(f'{key!r} must be a list of pvalues such as ["0.L1/3/C1:7"]{_OR_ADDED if key == "accepted" else ""}', key)
        return delta, members
    if key in NUMBER_FIELDS:
        if type(value) is not int or value < 0:
            raise Unfit(f"{key!r} must be a whole number, not below 0", key)
        return str(value)
    if key == "to" and isinstance(value, list):
        if not value or not all(isinstance(each, str) for each in value):
            raise Unfit('"to" must be a name, a list of names, or "*"', key)
        return ",".join(value)
    if key == "result" and type(value) in (int, float):
        return show_word(orjson.dumps(value).decode())
    if not isinstance(value, str) or not value or value == "?":
        raise Unfit(f"{key!r} must be a text (null if it was not recorded)", key)
    return show_word(value) if key == "result" else value


_OR_ADDED = ', or {"added": [...]}'


def _post(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unfit('"post" must be an object', "post")
    post: dict[str, Any] = {}
    for key, each in value.items():
        if key not in _POST_TYPES or type(each) is not _POST_TYPES[key]:
            raise Unfit(f'"post" may have {", ".join(f"{k} ({t.__name__})" for k, t in _POST_TYPES.items())}', "post")
        if key == "accepted":
            post[key] = _text("pvalues", each)
        else:
            post[key] = ("yes" if each else "no") if key == "active" else str(each)
    return post


def _plain(key: str, value: Any) -> str:
    """A field's text, if it is of the type that it should have. Raises KeyError."""
    if key in NUMBER_FIELDS:
        if type(value) is int and value >= 0:
            return str(value)
    elif type(value) is str:
        return value
    raise KeyError(value)


def _getter(keys: Sequence[str]) -> Callable[[dict[str, Any]], Any]:
    """The values of some keys, as a tuple."""
    if len(keys) == 1:
        return lambda fields: (fields[keys[0]],)
    return itemgetter(*keys)


def _note(note: Any) -> str | None:
    if note is not None and (not isinstance(note, str) or not (note + " ").isprintable()):
        raise Unfit('"note" must be a printable string', "note")
    return note.strip() if note else None


def take_settings(builder: HeaderBuilder, fields: dict[str, Any]) -> None:
    """Takes the settings of a header object. Raises `Unfit`."""
    for key, value in fields.items():
        if key == "meta":
            _meta(builder, value)
        elif key not in ("pmmc-trace", "part", "logs"):
            builder.set(key, _setting(key, value))
    logs = fields.get("logs", {})
    if not isinstance(logs, dict):
        _wrong("logs", 'an object, such as {"A1": "complete"}')
    for name, contract in logs.items():
        if isinstance(contract, list):
            builder.log((name,), PARTIAL, tuple(_strings("logs", contract)))
        elif contract in (COMPLETE, MIDDLE, NONE):
            builder.log((name,), contract)
        else:
            _wrong("logs", 'for each process "complete", "complete from=middle", "none" or a list of message kinds')


def header_error(file: str, number: int, text: str, unfit: Unfit) -> TraceError:
    """The error, placed at the setting of a header object that it names; a note is a key of the object `meta`."""
    setting, _, note = unfit.key.partition(".")
    start = text.find(f'"{setting}"') if setting else 0
    column = text.find(f'"{note}"', start) if note else start
    return TraceError(file, number, max(column, 0) + 1, unfit.problem, text)


def _setting(key: str, value: Any) -> Any:
    """The value of a setting, as the header builder takes it."""
    if key in ROLE_FIELDS or key in ("network", IGNORE):
        return tuple(_strings(key, value))
    if key in NUMBER_SETTINGS:
        return value if type(value) is int else _wrong(key, "a number")
    if key in WORD_SETTINGS:
        return value if isinstance(value, str) else _wrong(key, " or ".join(WORD_SETTINGS[key]))
    if key == CONFIGURATIONS:
        return tuple(map(_configuration, value)) if isinstance(value, list) else _wrong(key, "a list of objects")
    known = ", ".join((*ROLE_FIELDS, *NUMBER_SETTINGS, "network", CONFIGURATIONS, IGNORE, *WORD_SETTINGS, "meta", "logs"))
    raise Unfit(f"{key!r} is no setting; expected {known}", key)


def _configuration(value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not isinstance(value, dict) or set(value) != {"leaders", "acceptors"}:
        _wrong(CONFIGURATIONS, 'a list of objects such as {"leaders": ["L1"], "acceptors": ["A1"]}')
    leaders, acceptors = (tuple(_strings(CONFIGURATIONS, value[key])) for key in ("leaders", "acceptors"))
    return leaders, acceptors


def _meta(builder: HeaderBuilder, value: Any) -> None:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        _wrong("meta", "an object of strings")
    for key, each in value.items():
        builder.set_meta(key, each)


def _strings(key: str, value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        _wrong(key, "a list of strings")
    strings: list[str] = value
    return strings


def _wrong(key: str, expected: str) -> NoReturn:
    raise Unfit(f"{key!r} must be {expected}", key)


def _name(value: Any) -> str:
    return {list: "a list", str: "a string", bool: "a truth value", type(None): "null"}.get(type(value), "a number")
