"""What verbs share that take `--protocol exec:COMMAND`."""

from __future__ import annotations

from typing import Any

from pmmc_check.cli.numbers import positive_seconds


def configure_deadline(parser: Any) -> None:
    """Declares the time that a program may take for an answer; `cli.main` heeds it."""
    parser.add_argument(
        "--step-deadline",
        type=positive_seconds(86_400, ", at most a day"),
        metavar="SECONDS",
        help="a program of --protocol exec: must answer within so long (default: 10)",
    )
