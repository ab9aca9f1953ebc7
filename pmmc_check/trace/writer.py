"""Writes traces: headers and events as lines of the DSL or of JSON Lines. It is the inverse of the readers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from pmmc_check.protocol.messages import Message
from pmmc_check.trace.events import (
    NETWORK_FLAGS,
    PARTIAL,
    PERFORM,
    ROLE_FIELDS,
    SEND,
    UNKNOWN,
    VERSION,
    Comment,
    Delta,
    Event,
    Header,
    Perform,
    RecordedItem,
)
from pmmc_check.trace.fields import ACTION_OF_VERB, ATTRIBUTE, FIELDS, FROM_IS_NEEDED, NAMES_ITS_SENDER, TO_IS_NEEDED
from pmmc_check.trace.header import CONFIGURATIONS, IGNORE, NUMBER_SETTINGS
from pmmc_check.trace.values import Values, show_word

_SELDOM = (
    ("restarts", "logged"),
    ("ballots", "next"),
    ("proposals", "eager"),
    ("decisions", "single"),
    ("answers", "heeded"),
    ("sends", "once"),
)
"""Settings that are written only where they are not as usual."""

_OPTIONAL = tuple(key for key in NUMBER_SETTINGS if key != "window")

_NAMED = {kind: tuple((key, ATTRIBUTE[key]) for key in keys) for kind, keys in FIELDS.items()}
_NAMED_BY_OTHERS = {kind: tuple(each for each in named if each[0] != "a") for kind, named in _NAMED.items()}
"""By kind, the fields that a line has, and the attributes that they show: all, or without what the sender is called."""

_VERBS = {action: verb for verb, action in ACTION_OF_VERB.items()}


class DslWriter:
    """Lines of the DSL for one trace."""

    def __init__(self, values: Values) -> None:
        self.values = values

    def header(self, header: Header) -> Iterator[str]:
        """The magic line, the configuration, the contracts."""
        yield f"pmmc-trace {VERSION}"
        settings = [f"{key}={','.join(names)}" for key in ROLE_FIELDS if (names := getattr(header, key))]
        settings.append(f"window={header.window}")
        settings.append("network=" + ",".join(flag for flag in NETWORK_FLAGS if flag in header.network))
        settings += [f"{key}={getattr(header, key)}" for key in _OPTIONAL if getattr(header, key) is not None]
        if header.configurations:
            listed = ",".join(f"{{{','.join(each.leaders)};{','.join(each.acceptors)}}}" for each in header.configurations)
            settings.append(f"{CONFIGURATIONS}={listed}")
        settings += [f"{IGNORE}={','.join(map(show_word, header.ignore))}"] if header.ignore else []
        settings += [f"{key}={getattr(header, key)}" for key in ("requests", "application")]
        settings += [f"{key}={getattr(header, key)}" for key, usual in _SELDOM if getattr(header, key) != usual]
        settings += [f"meta.{key}={show_word(value)}" for key, value in header.meta]
        yield "config " + " ".join(settings)
        grouped: dict[str, list[str]] = {}
        for name, contract in header.logs.items():
            grouped.setdefault(str(contract), []).append(name)
        for contract_text, names in grouped.items():
            yield f"log {','.join(names)} {contract_text}"

    def item(self, item: RecordedItem) -> str:
        """The line of an event or a comment."""
        if isinstance(item, Comment):
            return f"# {item.text}".rstrip()
        if isinstance(item, Perform):
            performed = [item.log, PERFORM, f"s={item.slot}", f"c={self.values.show(item.command)}"]
            return " ".join([*performed, *_tags(item), *([f"# {item.note}"] if item.note is not None else [])])
        words = [item.log, item.action]
        if item.message is not None:
            words.append(self.message(item.message, item))
            words += [f"{key}={value}" for key, value in ends(self.values, item, item.message)]
        words += _tags(item)
        if item.post is not None:
            words += ["|", *(f"{key}={self.values.show(value)}" for key, value in item.post)]
        if item.note is not None:
            words.append(f"# {item.note}")
        return " ".join(words)

    def message(self, message: Message, event: Event | None = None) -> str:
        """The message with its fields; an acceptor's own name is left out where it sends."""
        kind, show = message.kind, self.values.show
        named = _NAMED_BY_OTHERS if event is not None and event.action == SEND else _NAMED
        return " ".join([kind, *[f"{key}={show(getattr(message, attribute))}" for key, attribute in named[kind]]])


class JsonWriter:
    """Lines of JSON for one trace."""

    def __init__(self, values: Values) -> None:
        self.values = values

    def header(self, header: Header) -> Iterator[str]:
        """The object of the header, as one line."""
        fields: dict[str, Any] = {"pmmc-trace": VERSION}
        fields |= {key: list(getattr(header, key)) for key in ROLE_FIELDS if getattr(header, key)}
        fields["window"] = header.window
        fields["network"] = [flag for flag in NETWORK_FLAGS if flag in header.network]
        fields |= {key: getattr(header, key) for key in _OPTIONAL if getattr(header, key) is not None}
        if header.configurations:
            fields[CONFIGURATIONS] = [{key: list(names) for key, names in each._asdict().items()} for each in header.configurations]
        fields |= {IGNORE: list(header.ignore)} if header.ignore else {}
        fields |= {"requests": header.requests, "application": header.application}
        fields |= {key: getattr(header, key) for key, usual in _SELDOM if getattr(header, key) != usual}
        if header.meta:
            fields["meta"] = dict(header.meta)
        fields["logs"] = {
            name: str(contract).split(" ", 1)[1].split(",") if contract.form == PARTIAL else contract.form
            for name, contract in header.logs.items()
        }
        yield _line(fields)

    def item(self, item: RecordedItem) -> str:
        """The object of an event or a comment, as a line."""
        if isinstance(item, Comment):
            return _line({"#": item.text})
        if isinstance(item, Perform):
            performed = {"at": item.log, "do": PERFORM, "s": item.slot, "c": self._value(item.command)}
            return _line(performed | self._notes(item))
        fields: dict[str, Any] = {"at": item.log, "do": _VERBS[item.action]}
        message = item.message
        if message is not None:
            fields["msg"] = message.kind
            for key in FIELDS[message.kind]:
                if not (key == "a" and item.action == SEND):
                    fields[key] = self._value(getattr(message, ATTRIBUTE[key]))
            for key, text in ends(self.values, item, message):
                fields[key] = text.split(",") if key == "to" and "," in text else None if text == "?" else text
        fields |= self._notes(item)
        if item.post is not None:
            fields["post"] = {key: self._value(value) for key, value in item.post}
        return _line(fields)

    def _notes(self, item: Event | Perform) -> dict[str, str]:
        return {key: value for key, value in (("id", item.id), ("t", item.time), ("note", item.note)) if value is not None}

    def _value(self, value: Any) -> Any:
        if value is UNKNOWN:
            return None
        if isinstance(value, frozenset):
            members = self.values.show_set(value)
            return {"added": members} if isinstance(value, Delta) else members
        return value if isinstance(value, bool | int | str) else self.values.show(value)


def _tags(item: Event | Perform) -> Iterator[str]:
    if item.id is not None:
        yield f"id={show_word(item.id)}"
    if item.time is not None:
        yield f"t={item.time}"


def ends(values: Values, event: Event, message: Message) -> Iterator[tuple[str, str]]:
    """The `from` and `to` that an event must state because the message does not."""
    kind, own_log = message.kind, event.log == values.show_process(event.process)
    if event.action != SEND:
        if kind in TO_IS_NEEDED and not own_log:
            yield "to", values.show_process(event.process)
        if (kind not in NAMES_ITS_SENDER and event.peers is not None) or (
            kind in NAMES_ITS_SENDER and event.peers is not None and _has_unknown(message)
        ):
            yield "from", values.show_process(event.peers[0])
        return
    if kind in FROM_IS_NEEDED and not own_log:
        yield "from", values.show_process(event.process)
    if event.peers is not None:
        yield "to", ",".join(map(values.show_process, event.peers))


def _has_unknown(message: Message) -> bool:
    return any(getattr(message, ATTRIBUTE[key]) is UNKNOWN for key in FIELDS[message.kind])


def _line(fields: dict[str, Any]) -> str:
    return orjson.dumps(fields).decode()
