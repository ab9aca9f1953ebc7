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


class SpecError(PmmcError):
    """A spec that cannot be used: says where, what is wrong, and what to do."""

    in_lines = True

    def __init__(self, place: TextPlace, problem: str) -> None:
        shown = "".join(each if each.isprintable() else " " for each in place.text)
        context = f"\n    {shown}\n    {' ' * (place.column - 1)}^" if shown.strip() else ""
        super().__init__(f"{place.source}:{place.line}:{place.column}: {problem}{context}")
        self.place, self.problem = place, problem
