"""Errors in a trace: where it is, what is wrong, what was expected and what to do. `str` makes the text, only when it is needed."""

from __future__ import annotations

from collections.abc import Iterable

from pmmc_check.errors import PmmcError

_SHOWN_WIDTH, _SHOWN_AT_ONCE = 100, 20


class TraceError(PmmcError):
    """A trace that cannot be read. `column` counts characters from 1; 0 when the line as a whole is meant."""

    in_lines = True

    def __init__(self, file: str, line: int, column: int, problem: str, text: str = "") -> None:
        super().__init__(problem)
        self.file, self.line, self.column, self.problem, self.text = file, line, column, problem, text

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.problem}{self._context()}"

    def _context(self) -> str:
        """The line with a caret under the column, cut to a readable width."""
        if not self.text or not self.column:
            return ""
        start = max(0, self.column - 1 - _SHOWN_WIDTH // 2)
        shown = "".join(each if each.isprintable() else "·" for each in self.text[start : start + _SHOWN_WIDTH])
        return f"\n    {shown}\n    {' ' * (self.column - 1 - start)}^"


class TraceErrors(TraceError):
    """Several in one file, told together in the order of their lines."""

    def __init__(self, errors: Iterable[TraceError]) -> None:
        self.errors = sorted({str(each): each for each in errors}.values(), key=lambda each: (each.line, each.column))
        first = self.errors[0]
        super().__init__(first.file, first.line, first.column, first.problem, first.text)

    def __str__(self) -> str:
        rest = len(self.errors) - _SHOWN_AT_ONCE
        return "\n".join([*map(str, self.errors[:_SHOWN_AT_ONCE]), *([f"and {rest} more"] if rest > 0 else [])])


class Unfit(Exception):
    """A value that cannot be what it should be; the reader that knows the place turns it into a `TraceError`."""

    def __init__(self, problem: str, key: str = "") -> None:
        super().__init__(problem)
        self.problem, self.key = problem, key
