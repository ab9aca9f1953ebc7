"""What verbs share that take `--protocol exec:COMMAND`."""

from __future__ import annotations

import argparse
from typing import Any


def configure_deadline(parser: Any) -> None:
    """Declares the time that a program may take for an answer; `cli.main` heeds it."""
    parser.add_argument(
        "--step-deadline", type=_deadline, metavar="SECONDS", help="a program of --protocol exec: must answer within so long (default: 10)"
    )


def _deadline(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, got {text!r}") from None
    if not 0 < seconds < 86_400:
        raise argparse.ArgumentTypeError(f"must be a positive number of seconds, at most a day, got {text}")
    return seconds
