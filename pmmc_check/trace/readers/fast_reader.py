"""The fast reading of DSL events: splits where the grammar would, and leaves everything unusual to Lark.

The contract with the grammar is one-sided and tested: for any line, `FastReader.event` returns either None ("ask
Lark") or exactly the event that Lark would return. It returns None for comments, escapes in strings, parentheses, doubled blanks,
unknown names, wrong fields: for all that is broken, so diagnostics have one source.

Traces repeat themselves: a broadcast is received by several processes in the same words. What the words after process
and verb mean is memoised by their text; for receives of acceptors and replicas the memo is shared by all processes of
the role, because what they mean does not depend on who receives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from pmmc_check.protocol.values import ACCEPTOR, CLIENT, REPLICA, ProcessId
from pmmc_check.trace.errors import Unfit
from pmmc_check.trace.events import PERFORM, RECEIVE, SEND, Event, Perform, RecordedItem
from pmmc_check.trace.fields import FIELDS, SET_FIELDS
from pmmc_check.trace.readers.event_builder import EventBuilder
from pmmc_check.trace.readers.frequent_events import SHAPES, Compose, EventComposer
from pmmc_check.trace.values import MEMO_SIZE, WORD

_OPTIONS = {RECEIVE: ("to", "from"), SEND: ("from", "to")}
_SHARED = {(ACCEPTOR, RECEIVE), (REPLICA, RECEIVE), (REPLICA, SEND), (CLIENT, SEND)}
_UNUSUAL = frozenset("#(\t\r")
_PLAIN_STRING = re.compile(r'"[^"\\\x00-\x1f]*"')
"""A string that says what it shows. What else a string may be is left to the grammar."""

_HIDDEN = str.maketrans(" ,#(|=", "\x00\x01\x02\x03\x04\x05")
_SHOWN = str.maketrans("\x00\x01\x02\x03\x04\x05", " ,#(|=")
"""Within strings these signs stand for themselves: they are out of the way while a line is taken apart."""
_SHORT = 200
"""Characters of texts that are remembered."""


class Meaning(NamedTuple):
    """What the words of an event mean, who logs it aside."""

    process: ProcessId | None
    """The scout or commander that takes it; None when it is the log's owner."""
    message: Any
    peers: tuple[ProcessId, ...] | None
    post: tuple[tuple[str, Any], ...] | None


Otherwise = Callable[[int, str], RecordedItem | None]


class FastReader:
    """Reads event lines of one file. `otherwise` is asked, in `item`, for what only the grammar can tell."""

    def __init__(self, event_builder: EventBuilder, file: str, otherwise: Otherwise = lambda number, text: None) -> None:
        self.event_builder = event_builder
        self.file, self._otherwise = file, otherwise
        self._composer = EventComposer(event_builder, file, _text_of)
        self._composers: dict[tuple[str, str, str], Compose] = {}
        self._tables: dict[tuple[str, str], tuple[ProcessId, dict[str, Meaning]]] = {}
        self._shared: dict[tuple[str, str, str], dict[str, Meaning]] = {}

    def items(self, numbered: Iterable[tuple[int, str]]) -> Iterator[RecordedItem]:
        """What all lines are; nothing for empty ones."""
        composers = self._composers
        for number, text in numbered:
            try:
                log, action, kind, *words = (_without_signs_in_strings(text) if '"' in text else text).split(" ")
                quick = composers[log, action, kind](words, number, None)
            except (KeyError, ValueError, Unfit):
                item = self.item(number, text)
                if item is not None:
                    yield item
            else:
                yield quick

    def item(self, number: int, text: str) -> RecordedItem | None:
        """What a line is; None for an empty one."""
        return self.event(number, text) or self._otherwise(number, text)

    def event(self, number: int, text: str) -> Event | Perform | None:
        """The event of a line, or None when only the grammar can tell."""
        if '"' in text:
            text = _without_signs_in_strings(text)
        try:
            log, action, kind, *words = text.split(" ")
            return self._composers[log, action, kind](words, number, None)
        except (KeyError, ValueError, Unfit):
            return self._event(text, number)

    def _event(self, text: str, number: int) -> Event | Perform | None:
        """As `event`, for words not met before, and for events with a time, an id or a recorded state."""
        parts = text.split(" ", 2)
        if len(parts) == 3 and parts[1] == PERFORM:
            return self._perform(parts[0], parts[2], number)
        if len(parts) < 3 or parts[1] not in (RECEIVE, SEND):
            return None
        log, action, rest = parts
        known = self._tables.get((log, action)) or self._first(log, action)
        if known is None:
            return None
        owner, table = known
        self._learn(log, owner, action, rest.partition(" ")[0])
        words, bar, post = rest.partition(" | ")
        words, _, time = words.partition(" t=")
        words, _, name = words.partition(" id=")
        if (time and not WORD.fullmatch(time)) or (name and not WORD.fullmatch(name)) or words.endswith(" "):
            return None
        key = words + bar + post
        meaning = table.get(key)
        if meaning is None:
            meaning = self._meaning(words, post if bar else None, owner, action)
            if meaning is None or rest.count(" t=") + rest.count(" id=") != bool(time) + bool(name):
                return None
            if len(table) >= MEMO_SIZE:
                table.clear()
            table[key] = meaning
        process, message, peers, state = meaning
        return Event(log, process or owner, action, message, peers, self.file, number, time or None, state, name or None)

    def _perform(self, log: str, rest: str, number: int) -> Perform | None:
        """What a replica performed, in the usual words; None when only the grammar can tell."""
        words, _, time = rest.partition(" t=")
        words, _, name = words.partition(" id=")
        slot, _, command = words.partition(" ")
        if not _UNUSUAL.isdisjoint(rest) or " " in command or (time and not WORD.fullmatch(time)) or (name and not WORD.fullmatch(name)):
            return None
        try:
            raw = {"s": _text_of("s", slot), "c": _text_of("c", command), "time": time or None, "id": name or None}
            return self.event_builder.perform(log, raw, None, self.file, number)
        except (KeyError, Unfit):
            return None

    def _learn(self, log: str, owner: ProcessId, action: str, kind: str) -> None:
        """The next event of this log, action and kind may be one that is quickly put together."""
        names = self.event_builder.values.names
        frequent = kind in FIELDS and (owner.role, action, kind) in SHAPES and (log, action, kind) not in self._composers
        if frequent and log in names.process_of and names.header.contract(names.name_of[owner]).records(kind):
            self._composers[log, action, kind] = self._composer.composer(log, owner, action, kind)

    def _first(self, log: str, action: str) -> tuple[ProcessId, dict[str, Meaning]] | None:
        """The first event of a log and verb: checks the owner, makes its table."""
        event_builder = self.event_builder
        names = event_builder.values.names
        try:
            owner = event_builder.owner(log)
            contract = names.header.contract(names.log_of(owner))
        except Unfit:
            return None
        if not contract.kinds or (log not in names.process_of and "." not in log):
            return None
        table: dict[str, Meaning] = {}
        if (owner.role, action) in _SHARED:
            table = self._shared.setdefault((owner.role, action, str(contract)), table)
        if "." not in log:
            self._tables[log, action] = owner, table
        return owner, table

    def _meaning(self, words: str, post: str | None, owner: ProcessId, action: str) -> Meaning | None:
        if not _UNUSUAL.isdisjoint(words) or not _UNUSUAL.isdisjoint(post or ""):
            return None
        kind, *fields = words.split(" ")
        raw = _fields(kind, fields, action)
        if raw is None:
            return None
        recorded = None if post is None else _post(post)
        if post is not None and recorded is None:
            return None
        try:
            event = self.event_builder.event(self._name(owner), action, kind, raw, recorded, None, self.file, 0)
        except Unfit:
            return None
        return Meaning(None if event.process == owner else event.process, event.message, event.peers, event.post)

    def _name(self, owner: ProcessId) -> str:
        return self.event_builder.values.show_process(owner)


def _without_signs_in_strings(text: str) -> str:
    """The line with other signs in place of those in strings that a line is taken apart by."""
    if not text.isprintable():
        return "#"  # nothing that is read fast
    return _PLAIN_STRING.sub(lambda string: _translated(string[0], True), text)


@lru_cache(MEMO_SIZE)
def _short_translated(text: str, hide: bool) -> str:
    return text.translate(_HIDDEN if hide else _SHOWN)


def _translated(text: str, hide: bool) -> str:
    """Hides or shows signs; remembers short texts, which a trace has again and again."""
    return _short_translated(text, hide) if len(text) <= _SHORT else text.translate(_HIDDEN if hide else _SHOWN)


def _as_written(text: str) -> str:
    """A value as it stands in the line."""
    return _translated(text, False) if '"' in text else text


def _text_of(key: str, word: str) -> str:
    """What follows `key=`. Raises KeyError."""
    name, _, text = word.partition("=")
    if name != key or not text or not _UNUSUAL.isdisjoint(text):
        raise KeyError(word)
    return _as_written(text)


def _fields(kind: str, words: list[str], action: str) -> dict[str, Any] | None:
    """The fields of a message, in the grammar's order; None when they are not."""
    expected = FIELDS.get(kind)
    if expected is None:
        return None
    raw: dict[str, Any] = {}
    position, count = 0, len(words)
    for key in expected:
        name, equals, value = words[position].partition("=") if position < count else ("", "", "")
        if name != key or not equals:
            if key == "a":
                continue
            return None
        is_set = key in SET_FIELDS and value != "?"
        members = _set(value) if is_set else None
        if not value or (is_set and members is None) or (key == "pvalues" and members and members[0]):
            return None
        raw[key] = _as_written(value) if members is None else members
        position += 1
    for key in _OPTIONS[action]:
        if position < count and words[position].startswith(key + "="):
            raw[key] = _as_written(words[position][len(key) + 1 :])
            if not raw[key]:
                return None
            position += 1
    return raw if position == count else None


def _set(text: str) -> tuple[bool, list[str]] | None:
    delta = text.startswith("+")
    body = text[1:] if delta else text
    if not (body.startswith("{") and body.endswith("}")):
        return None
    members = body[1:-1].split(",") if body != "{}" else []
    return delta, [*map(_as_written, members)] if '"' in body else members


def _post(text: str) -> dict[str, Any] | None:
    post: dict[str, Any] = {}
    for word in text.split(" "):
        key, _, value = word.partition("=")
        if key in post or not value:
            return None
        if key == "accepted":
            members = _set(value)
            if members is None or members[0]:
                return None
            post[key] = members
        elif key == "active" and value not in ("yes", "no"):
            return None
        else:
            post[key] = _as_written(value)
    return post
