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


def any_whole_number(text: str) -> int:
    """Any whole number, for argparse."""
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"expected a whole number, got {text!r}") from None


def probability(text: str) -> float:
    """A probability that is no certainty, for argparse."""
    try:
        found = float(text)
    except ValueError:
        raise ArgumentTypeError(f"expected a probability, such as 0.2, got {text!r}") from None
    if not 0 <= found < 1:
        raise ArgumentTypeError(f"must be at least 0 and below 1, got {text}")
    return found


def number_from_one(text: str) -> int:
    """A whole number from 1, for argparse."""
    try:
        count = int(text)
    except ValueError:
        raise ArgumentTypeError(f"expected a whole number from 1, got {text!r}") from None
    if count < 1:
        raise ArgumentTypeError(f"must be at least 1, got {count}")
    return count


def positive_minutes(text: str) -> float:
    """A positive number of minutes, for argparse."""
    try:
        minutes = float(text)
    except ValueError:
        raise ArgumentTypeError(f"expected a number of minutes, got {text!r}") from None
    if not 0 < minutes < float("inf"):
        raise ArgumentTypeError(f"must be a positive number of minutes, got {text}")
    return minutes


def positive_seconds(below: float = float("inf"), bound: str = "") -> Callable[[str], float]:
    """Reads a positive number of seconds, for argparse; `bound` says that there is one, such as ", at most a day"."""

    def read(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            raise ArgumentTypeError(f"expected a number of seconds, got {text!r}") from None
        if not 0 < seconds < below:
            raise ArgumentTypeError(f"must be a positive number of seconds{bound}, got {text}")
        return seconds

    return read
