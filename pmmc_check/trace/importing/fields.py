"""From the templates of a mapping to functions that make the fields of events."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from pmmc_check.errors import did_you_mean
from pmmc_check.trace.errors import TraceError, Unfit
from pmmc_check.trace.events import CRASH, DROP, END, PERFORM, RECEIVE, RESTART, SEND
from pmmc_check.trace.fields import ACTION_OF_VERB, FIELDS, POST_FIELDS, SET_FIELDS
from pmmc_check.trace.importing.rewriting import Rewriting
from pmmc_check.trace.importing.rules import EventPattern, Maker, RawField, each_member
from pmmc_check.trace.importing.templates import NOT_THERE, Fields, Filled, list_getter, template
from pmmc_check.trace.importing.toml_places import TomlPath
from pmmc_check.trace.values import show_word

_TAGS = ("t", "id")
_ACTIONS = {**ACTION_OF_VERB, PERFORM: PERFORM}
_OF_PERFORM = ("s", "c")
_OF_COMMAND = ("client", "number", "operation", "reconfigure")
_POST = tuple(dict.fromkeys(key for keys in POST_FIELDS.values() for key in keys))
_ALL = ("at", "do", "msg", *dict.fromkeys(key for keys in FIELDS.values() for key in keys), "to", "from", *_TAGS, "post")
_NO_WORD = re.compile(r"[^A-Za-z0-9_.+-]")
_SET_EXAMPLE = (
    '{ each = "path of the list", b = "{ballot}", s = "{slot}", c = "{cmd}" }; or [], which is empty; or "?" where it was not recorded'
)
_YES = {"true": "yes", "yes": "yes", "1": "yes", "false": "no", "no": "no", "0": "no"}


Made = TypeVar("Made")


class MappingPlaces(Protocol):
    """What tells where a mapping says something, and checks values there."""

    def error(self, path: TomlPath, problem: str) -> TraceError:
        """That something is wrong there."""

    def note(self, path: TomlPath, problem: str) -> None:
        """Something is wrong there; it is told with what else is."""

    def tried(self, make: Callable[[], Made], otherwise: Made) -> Made:
        """What `make` returns; where it raises, that is noted, and `otherwise` stands for it."""

    def only(self, path: TomlPath, table: dict[str, Any], known: Sequence[str]) -> None:
        """Notes the keys of a table that are none of the known ones."""

    def table(self, path: TomlPath, value: Any) -> dict[str, Any]:
        """A table."""

    def text(self, path: TomlPath, value: Any) -> str:
        """A text."""

    def truth(self, path: TomlPath, value: Any) -> bool:
        """True or false."""

    def word(self, path: TomlPath, value: Any, known: Sequence[str]) -> str:
        """One of some words."""

    def pattern(self, path: TomlPath, value: Any) -> re.Pattern[str]:
        """A regular expression."""

    def line(self, path: TomlPath) -> int:
        """Where something is said."""


Inherited = Sequence[tuple[TomlPath, dict[str, Any]]]
"""Tables whose fields an event has unless it states its own, the nearest first."""


class FieldMakers:
    """Compiles the events of one mapping. All methods raise `TraceError`."""

    def __init__(self, places: MappingPlaces) -> None:
        self.places = places

    def check_defaults(self, defaults: dict[str, Any]) -> None:
        """That [defaults] has fields of events only."""
        self.places.only(("defaults",), defaults, tuple(key for key in _ALL if key not in ("do", "msg")))

    def check_shared(self, path: TomlPath, shared: dict[str, Any]) -> None:
        """That what all events of a rule share are fields of events."""
        self.places.only(path, shared, ("name", "when", "match", "once", "needs_answer", "for_each", "emit", *_ALL))

    def event(self, path: TomlPath, given: Any, inherited: Inherited) -> EventPattern:
        """One event of a rule."""
        own = self.places.table(path, given)
        where = {key: (*path, key) for key in own}
        table = dict(own)
        for above, fields in inherited:
            for key, value in fields.items():
                if key not in table:
                    table[key], where[key] = value, (*above, key)
        action = _ACTIONS[self.places.word(where.get("do", path), table.get("do", ""), tuple(_ACTIONS))]
        kind = self._kind(path, where, table, action)
        allowed = self._allowed(action, kind)
        for key in own:
            if key not in allowed:
                of = kind or table["do"]
                self.places.note(
                    (*path, key), f"{key} is no field of {of}{did_you_mean(key, allowed)}; expected some of {', '.join(allowed)}"
                )
        if "at" not in table:
            self.places.note(path, 'at is missing: the process whose log this is, such as at = "{node}"')
        for key in _OF_PERFORM if action == PERFORM else FIELDS.get(kind or "", ()):
            if key not in table and key != "a":
                self.places.note(path, f'{kind or action} needs {key}; add {key} = "{{...}}", or {key} = "?" where it was not recorded')
        order = (*_FIELDS, *(("from", "to") if action == SEND else ("to", "from")), *_TAGS)  # as the DSL writes them
        present = [key for key in order if key in table and key in allowed]
        made = tuple((_NAMES.get(key, key), self._tried_field(where[key], key, table[key])) for key in present)
        post: tuple[tuple[str, Maker], ...] = ()
        if "post" in table and "post" in allowed:
            post = self.places.tried(lambda: self._post(where["post"], table["post"]), ())
        at = self.places.tried(lambda: self._template(where["at"], table["at"]), _nothing) if "at" in table else _nothing
        return EventPattern(action, kind, at, made, post, self.places.line(path))

    def _kind(self, path: TomlPath, where: dict[str, TomlPath], table: dict[str, Any], action: str) -> str | None:
        if action in (CRASH, RESTART, END, PERFORM):
            if "msg" in table:
                raise self.places.error(where["msg"], f"{table['do']} has no msg; leave it out")
            return None
        if "msg" not in table:
            raise self.places.error(path, f"{table['do']} needs msg, one of {', '.join(FIELDS)}")
        return self.places.word(where["msg"], table["msg"], tuple(FIELDS))

    def _allowed(self, action: str, kind: str | None) -> tuple[str, ...]:
        if action == PERFORM:
            return ("at", "do", *_OF_PERFORM, *_TAGS)
        post = () if action in (DROP, CRASH, END) else ("post",)
        ends = ("to", "from") if action in (RECEIVE, SEND, DROP) else ()
        return ("at", "do", "msg", *FIELDS.get(kind or "", ()), *ends, *_TAGS, *post)

    # ---- fields ----

    def _tried_field(self, path: TomlPath, key: str, value: Any) -> Maker:
        """As `field`; what is wrong in it is noted."""
        return self.places.tried(lambda: self.field(path, key, value), _left_out)

    def field(self, path: TomlPath, key: str, value: Any) -> Maker:
        """What makes one field."""
        if key in SET_FIELDS:
            return self._set(path, value)
        if key in ("to", "from") and isinstance(value, dict):
            return self._spawned(path, value)
        if key in ("to", "from"):
            return self._ends(path, value)
        if key == "c":
            return self._command(path, value)
        fill = self._template(path, value)
        return _converted(fill, _CONVERSIONS[key])

    def _template(self, path: TomlPath, value: Any) -> Filled:
        text = self.places.text(path, value)
        try:
            return template(text)
        except Unfit as unfit:
            raise self.places.error(path, unfit.problem) from None

    def _ends(self, path: TomlPath, value: Any) -> Maker:
        """A process, or several: a list, or names with commas."""
        fill = self._template(path, value)

        def make(fields: Fields, rewriting: Rewriting) -> RawField:
            text = fill(fields)
            if text is None or text in ("*", "?"):
                return text
            if text[:1] == "[":
                text = text.strip("[]").replace('"', "")
            return ",".join([rewriting.process(each.strip()) for each in text.split(",")]) if "," in text else rewriting.process(text)

        return make

    def _spawned(self, path: TomlPath, value: dict[str, Any]) -> Maker:
        """A scout by its ballot, or a commander by ballot and slot."""
        self.places.only(path, value, ("b", "s"))
        if "b" not in value:
            raise self.places.error(path, "b is missing: a scout is named by b, a commander by b and s")
        ballot = self._template((*path, "b"), value["b"])
        slot = self._template((*path, "s"), value["s"]) if "s" in value else None

        def make(fields: Fields, rewriting: Rewriting) -> RawField:
            ballot_text, slot_text = ballot(fields), None if slot is None else slot(fields)
            if ballot_text is None:
                return None
            shown = rewriting.ballot(ballot_text)
            return shown if slot_text is None else f"{shown}/{rewriting.slot(slot_text)}"

        return make

    def _command(self, path: TomlPath, value: Any) -> Maker:
        if not isinstance(value, dict):
            return _converted(self._template(path, value), lambda rewriting, text: rewriting.command(text))
        self.places.only(path, value, _OF_COMMAND)
        for key in ("client", "number"):
            if key not in value:
                raise self.places.error(path, f'{key} is missing: c = {{ client = "...", number = "...", operation = "..." }}')
        parts = {key: self._template((*path, key), each) for key, each in value.items() if key in _OF_COMMAND}
        client, number = parts["client"], parts["number"]
        operation, change = parts.get("operation", _nothing), parts.get("reconfigure", _nothing)

        def make(fields: Fields, rewriting: Rewriting) -> RawField:
            who, which = client(fields) or "", number(fields) or ""
            leaders = change(fields)
            if leaders:
                return rewriting.reconfiguration(who, which, leaders)
            return rewriting.command_of(who, which, operation(fields))

        return make

    def _set(self, path: TomlPath, value: Any) -> Maker:
        """A set of pvalues: the members of a list, each with ballot, slot and command."""
        if value == "?":
            return lambda fields, rewriting: "?"
        if value == []:
            return lambda fields, rewriting: (False, [])
        if not isinstance(value, dict):
            raise self.places.error(path, f"{path[-1]}: expected a table such as {_SET_EXAMPLE}")
        table = self.places.table(path, value)
        self.places.only(path, table, ("each", "b", "s", "c", "match", "delta"))
        for key in ("each", "b", "s", "c"):
            if key not in table:
                raise self.places.error(
                    path, f'{key} is missing: {{ each = "path of the list", b = "{{...}}", s = "{{...}}", c = "{{...}}" }}'
                )
        get = list_getter(self.places.text((*path, "each"), table["each"]), "each")
        parts = [self.field((*path, key), key, table[key]) for key in ("b", "s", "c")]
        pattern = self.places.pattern((*path, "match"), table["match"]) if "match" in table else None
        delta = self.places.truth((*path, "delta"), table.get("delta", False))

        def make(fields: Fields, rewriting: Rewriting) -> RawField:
            members = get(fields)
            if members is NOT_THERE:
                return delta, []
            filled = ([part({**fields, **each}, rewriting) for part in parts] for each in each_member(members, pattern))
            return delta, ["/".join([str(part) for part in each]) for each in filled]

        return make

    def _post(self, path: TomlPath, value: Any) -> tuple[tuple[str, Maker], ...]:
        table = self.places.table(path, value)
        self.places.only(path, table, _POST)
        return tuple((key, self._post_field((*path, key), key, each)) for key, each in table.items() if key in _POST)

    def _post_field(self, path: TomlPath, key: str, value: Any) -> Maker:
        if key == "accepted":
            return self._set(path, value)
        return _converted(self._template(path, value), _CONVERSIONS[key])


_nothing: Filled = lambda fields: None  # noqa: E731  (with its type, which is wider than that of a function)
_left_out: Maker = lambda fields, rewriting: None  # noqa: E731


def _converted(fill: Filled, convert: Callable[[Rewriting, str], str]) -> Maker:
    def make(fields: Fields, rewriting: Rewriting) -> RawField:
        text = fill(fields)
        return text if text is None or text == "?" else convert(rewriting, text)

    return make


def _truth(rewriting: Rewriting, text: str) -> str:
    try:
        return _YES[text.lower()]
    except KeyError:
        raise Unfit(f"{text!r} is neither true nor false") from None


_CONVERSIONS: dict[str, Callable[[Rewriting, str], str]] = {
    "b": lambda rewriting, text: rewriting.ballot(text),
    "s": lambda rewriting, text: rewriting.slot(text),
    "a": lambda rewriting, text: rewriting.process(text),
    "cid": lambda rewriting, text: text,
    "result": lambda rewriting, text: show_word(text),
    "t": lambda rewriting, text: _NO_WORD.sub("-", text),
    "id": lambda rewriting, text: text,
    "ballot": lambda rewriting, text: rewriting.ballot(text),
    "slot_in": lambda rewriting, text: rewriting.slot(text),
    "slot_out": lambda rewriting, text: rewriting.slot(text),
    "active": _truth,
}
_FIELDS = ("a", "b", "s", "c", "accepted", "pvalues", "cid", "result")
_NAMES = {"t": "time"}
