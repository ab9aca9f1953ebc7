"""`validate --format json`: one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pmmc_check import __version__
from pmmc_check.validation.verdict import TraceVerdict, worst


def as_object(verdicts: Sequence[TraceVerdict]) -> dict[str, Any]:
    """`verdict` and `traces`, each with `file`, `verdict`, `events`, `violations`, `failure` or null, and more; `version` is the tool's."""
    return {"verdict": worst(list(verdicts)), "traces": [asdict(each) for each in verdicts], "version": __version__}
