"""Words that several reports share."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """`1 slot`, `2 slots`."""
    return f"{count} {noun}{'s' if count != 1 else ''}"
