"""Numbers that options take."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable


def number_of(what: str) -> Callable[[str], float]:
    """Reads a number, for argparse; `what` says of what, and from where to where."""

    def read(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is no number; expected a number of {what}") from None

    return read
