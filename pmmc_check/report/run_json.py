"""`run --format json`: one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pmmc_check import __version__
from pmmc_check.report.run_text import verdict_of
from pmmc_check.runtime.results import RunResult
from pmmc_check.trace.events import KINDS
from pmmc_check.validation.verdict import TraceVerdict

_MESSAGES = {f"{done} {kind}" for done in ("sent", "received") for kind in KINDS}


def run_object(result: RunResult, trace: TraceVerdict | None, seed: int, kept: bool = True, seeded: Sequence[str] = ()) -> dict[str, Any]:
    """`verdict`, how fast it was, what was sent, what went wrong; times are in seconds. `kept`: the trace is there to be read; `seeded` are
    faults that were switched on."""
    told = asdict(trace) if trace is not None else None
    if told is not None and not kept:
        told["file"] = None
    return {
        "verdict": verdict_of(result, trace),
        "seed": seed,
        "asked": result.asked,
        "answered": result.answered,
        "seconds": result.seconds,
        "requests_per_second": result.answered / result.seconds if result.seconds else 0.0,
        "latency": {f"p{round(share * 100)}": result.latency(share) for share in (0.5, 0.9, 0.99)},
        "slots_decided": result.decided,
        "messages": {kind: result.counts[f"sent {kind}"] for kind in sorted(KINDS) if result.counts[f"sent {kind}"]},
        "counts": {name: count for name, count in sorted(result.counts.items()) if name not in _MESSAGES},
        "replicas": result.states,
        "faults": dict(result.faults),
        "linearizable": result.linearizability.holds,
        "failures": result.failures,
        "leaders": list(result.leaders),
        "seeded_faults": list(seeded),
        "trace": told,
        "version": __version__,
    }
