"""Runs for other tools, as texts."""

from __future__ import annotations

from typing import Literal

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.report.exchange import NotExpressible
from pmmc_check.report.exchange.formats import FORMATS
from pmmc_check.report.runs.run import Run

RunFormatKey = Literal["itf", "shiviz", "mermaid", "plantuml"]
"""The formats of docs/exchange.md."""


def exported(run: Run, format: str) -> str:
    """The run in a format.

    Raises:
        UsageError: there is no such format, or it has no way to say something; the text says what to do.
    """
    known = {each.key: each for each in FORMATS}
    if format not in known:
        raise UsageError(f"format={format!r}: expected one of {', '.join(known)}{did_you_mean(format, known)}")
    try:
        return known[format].write(run)
    except NotExpressible as error:
        raise UsageError(f"format={format!r}: {error}") from None
