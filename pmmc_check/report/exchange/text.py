"""Text that has to stay in its place."""

from __future__ import annotations


def one_line(text: str) -> str:
    """`text` in one line, single blanks between its words; a character that cannot be printed is a blank."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
