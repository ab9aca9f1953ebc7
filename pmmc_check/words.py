"""Words that several reports and messages share."""

from __future__ import annotations


def counted(count: float, noun: str) -> str:
    """`1 slot`, `2 slots`, `1,128 steps`, `0.5 seconds`."""
    return f"{count:{',' if isinstance(count, int) else 'g'}} {noun}{'s' if count != 1 else ''}"
