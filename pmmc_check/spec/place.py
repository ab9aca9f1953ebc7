"""Where something stands in a spec, and errors that show it."""

from __future__ import annotations

from typing import NamedTuple

from pmmc_check.errors import PmmcError


class TextPlace(NamedTuple):
    """Line and column count from 1; `text` is the whole line. `source` is a file's path, or an option."""

    source: str
    line: int
    column: int
    text: str


_SHOWN_MAX = 160
"""So much of a line is shown."""


def _around(at: int, line: str) -> tuple[str, int]:
    """The part of a line around a place, and the place in it."""
    if len(line) <= _SHOWN_MAX:
        return line, at
    first = max(0, min(at - _SHOWN_MAX // 2, len(line) - _SHOWN_MAX))
    before, after = "..." if first else "", "..." if first + _SHOWN_MAX < len(line) else ""
    return f"{before}{line[first : first + _SHOWN_MAX]}{after}", at - first + len(before)


class SpecError(PmmcError):
    """A spec that cannot be used: says where, what is wrong, and what to do."""

    in_lines = True

    def __init__(self, place: TextPlace, problem: str) -> None:
        shown, at = _around(place.column - 1, "".join(each if each.isprintable() else " " for each in place.text))
        context = f"\n    {shown}\n    {' ' * at}^" if shown.strip() else ""
        super().__init__(f"{place.source}:{place.line}:{place.column}: {problem}{context}")
        self.place, self.problem = place, problem
