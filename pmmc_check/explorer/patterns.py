"""Messages as people write them: `p2a(0.L1, 1, c1) to A1`, `p2a A1`, `p2a(0.L1) -> A1`. What is left out may be anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from pmmc_check.errors import did_you_mean
from pmmc_check.explorer.session import CannotStep
from pmmc_check.model.model import Model
from pmmc_check.protocol.messages import Message, show
from pmmc_check.protocol.values import ProcessId
from pmmc_check.trace.events import KINDS
from pmmc_check.trace.fields import RECIPIENT

_FORM = re.compile(r"\s*(?P<kind>\w+)\s*(?:\((?P<fields>.*?)\))?\s*(?:(?:->|→|\bto\b)?\s*(?P<to>[A-Za-z]\S*))?\s*$")
_ANY = ("", "_", "?")


@dataclass(frozen=True)
class MessagePattern:
    """A kind of message, texts of some of its fields in their order (empty: any), and the process that receives it."""

    kind: str
    fields: tuple[str, ...] = ()
    to: ProcessId | None = None

    def matches(self, message: Message, to: ProcessId) -> bool:
        """Whether `message`, on its way to `to`, is meant."""
        if message.kind != self.kind or self.to not in (None, to):
            return False
        texts = field_texts(message)
        return len(self.fields) <= len(texts) and all(
            want in _ANY or _plain(want) == _plain(is_) for want, is_ in zip(self.fields, texts, strict=False)
        )

    def __str__(self) -> str:
        listed = f"({', '.join(self.fields)})" if self.fields else ""
        return f"{self.kind}{listed}" + (f" → {self.to}" if self.to else "")


def field_texts(message: Message) -> list[str]:
    """The fields of a message as the paper writes them."""
    return [show(getattr(message, each.name)) for each in fields(message)]


def pattern_from(text: str, model: Model) -> MessagePattern:
    """The pattern that `text` means.

    Raises:
        CannotStep: there is no such message or process, or the process never receives it.
    """
    text = text.strip()
    form = _FORM.fullmatch(_scouts_as_words(text))
    if form is None:
        raise CannotStep(f"{text[:60]!r} is no message; write p2a(0.L1, 1, c1) to A1, or less: p2a to A1, p2a(0.L1)")
    kind = form["kind"].lower()
    if kind not in KINDS:
        raise CannotStep(f"there is no message {form['kind']}{did_you_mean(kind, KINDS)}; there are {', '.join(KINDS)}")
    to = process_named(form["to"], model) if form["to"] else None
    if to is not None and to.role != RECIPIENT[kind]:
        raise CannotStep(f"{to} is {_a(to.role)}, and {kind} goes to {RECIPIENT[kind]}s")
    return MessagePattern(kind, tuple(_split(form["fields"])) if form["fields"] else (), to)


def _scouts_as_words(text: str) -> str:
    """`scout(0.L1)` and `commander(0.L1, 1)` without spaces, so that each is one word."""
    return re.sub(r"\b(scout|commander)\s*\(([^)]*)\)", lambda found: f"{found[1]}({found[2].replace(' ', '')})", text)


def _split(text: str) -> Iterator[str]:
    """At commas outside of brackets."""
    depth, part = 0, ""
    for sign in text:
        depth += (sign in "({") - (sign in ")}")
        if sign == "," and depth == 0:
            yield part.strip()
            part = ""
        else:
            part += sign
    yield part.strip()


def _plain(text: str) -> str:
    return text.replace(" ", "").replace("_|_", "⊥").lower()


def process_named(text: str, model: Model) -> ProcessId:
    """The process called `text`.

    Raises:
        CannotStep: there is none.
    """
    found = {_plain(str(each)): each for each in model.processes}.get(_plain(text.strip()))
    if found is None:
        known = [str(each) for each in model.processes if each in model.roles and each.role != "faults"]
        listed = ", ".join(each for each in known if "(" not in each)
        hint = did_you_mean(text, known)
        raise CannotStep(f"there is no process {text.strip()[:40]}{hint}; there are {listed}, scout(b), commander(b,s)")
    return found


def _a(role: str) -> str:
    return f"an {role}" if role == "acceptor" else f"a {role}"


def ballot_in(text: str) -> tuple[int, int] | None:
    """Round and leader of a ballot's text."""
    found = re.fullmatch(r"(\d+)\.L(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def value_of(pattern: MessagePattern, position: int) -> Any:
    """The text of a field, None where it is left open."""
    text = pattern.fields[position] if position < len(pattern.fields) else ""
    return None if text in _ANY else text
