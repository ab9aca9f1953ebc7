"""The texts that clients and replicas exchange: which may be operations, and how the key-value store's are made of any texts."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from pmmc_check.protocol.values import Command

NO_VALUE = "-"
"""The result of looking for a key that is not there."""

OPERATION_BYTES_MAX = 2**20
"""Of an operation, or of a result, in UTF-8: several of them must fit into a frame, with all that is around them."""

MARK = "<again>"
"""What a marker begins with, and no operation of a user. A trace shows it as it is, and is read as fast as without."""

_MARKER = re.compile(rf"{MARK}([1-9][0-9]{{0,17}}) ([1-9][0-9]{{0,17}}) ", re.ASCII)


def why_no_text(text: object) -> str:
    """Why `text` cannot be sent, as a clause; empty if it can."""
    if not isinstance(text, str):
        return f"expected a text (str), got {type(text).__name__}"
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        return f"expected a text that can be written in UTF-8: character {error.start + 1} is half of a surrogate pair"
    return f"too long: {size:,} bytes, at most {OPERATION_BYTES_MAX:,}" if size > OPERATION_BYTES_MAX else ""


def why_no_operation(text: object) -> str:
    """The same of an operation, which clients must be able to number."""
    if why := why_no_text(text):
        return why
    assert isinstance(text, str)
    if not text.strip():
        return "expected the text of an operation, such as 'add 5' or 'get colour'; got an empty one"
    return "an operation must not begin with <again>, which clients put before what they ask again" if text.startswith(MARK) else ""


def beginning_of(text: str) -> str:
    """A text, or its beginning, for a message."""
    return text if len(text) <= 100 else f"{text[:100]}..."


class MarkedOperation(NamedTuple):
    """An operation with the number under which its client asked first; all lower than `lowest` are answered."""

    number: int
    lowest: int
    operation: str


def marked(asked: MarkedOperation) -> str:
    """The operation, with its marker."""
    return f"{MARK}{asked.number} {asked.lowest} {asked.operation}"


def without_marker(command: Command) -> MarkedOperation:
    """What a command asks for. What is no marker is a part of the operation."""
    text = str(command.operation)
    if text.startswith(MARK) and (found := _MARKER.match(text)):
        number, lowest = map(int, found.groups())
        if lowest <= number <= command.cid:
            return MarkedOperation(number, lowest, text[found.end() :])
    return MarkedOperation(command.cid, 0, text)


def word_of(text: str) -> str:
    """Any text as one word of an operation, never `-`."""
    return "%" if not text else "%2D" if text == NO_VALUE else quote(text, safe="/:@!$&'()*+,;=~-._")


def text_of(word: str) -> str:
    """The inverse of `word_of`."""
    return "" if word == "%" else unquote(word)
