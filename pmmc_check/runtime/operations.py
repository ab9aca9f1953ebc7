"""The texts that clients and replicas exchange: which may be operations, and how the key-value store's are made of any texts."""

from __future__ import annotations

from urllib.parse import quote, unquote

NO_VALUE = "-"
"""The result of looking for a key that is not there."""

OPERATION_BYTES_MAX = 2**20
"""Of an operation, or of a result, in UTF-8: several of them must fit into a frame, with all that is around them."""

_AGAIN = "again"


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
    return f"an operation must not begin with '{_AGAIN} ', which clients put before what they ask again" if _is_again(text) else ""


def shortened(text: str) -> str:
    """A text, or its beginning, for a message."""
    return text if len(text) <= 100 else f"{text[:100]}..."


def _is_again(text: str) -> bool:
    return text.startswith(f"{_AGAIN} ")


def asked_again(number: int, operation: str) -> str:
    """The operation that asks for the result of number `number`."""
    return f"{_AGAIN} {number} {operation}"


def number_asked_again(text: str) -> tuple[int, str] | None:
    """The inverse; None of any other operation."""
    if _is_again(text):
        _, number, operation = [*text.split(" ", 2), "", ""][:3]
        if number.isdecimal():
            return int(number), operation
    return None


def word_of(text: str) -> str:
    """Any text as one word of an operation, never `-`."""
    return "%" if not text else "%2D" if text == NO_VALUE else quote(text, safe="/:@!$&'()*+,;=~-._")


def text_of(word: str) -> str:
    """The inverse of `word_of`."""
    return "" if word == "%" else unquote(word)
