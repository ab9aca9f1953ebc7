"""`validate --format json`: one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pmmc_check import __version__
from pmmc_check.validation.verdict import TraceVerdict, worst


def as_object(verdicts: Sequence[TraceVerdict]) -> dict[str, Any]:
    """`verdict` and `traces`, each with `file`, `verdict`, `events`, `violations`, `failure` or null, and more; `version` is the tool's."""
    traces = [{key: value for key, value in asdict(each).items() if key != "coverage"} for each in verdicts]
    return {"verdict": worst(list(verdicts)), "traces": traces, "version": __version__}
