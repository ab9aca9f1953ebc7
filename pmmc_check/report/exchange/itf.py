"""Runs in the Informal Trace Format, which the viewers of TLA+ and Quint open."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from itf_py import State, Trace, trace_to_json

from pmmc_check import __version__
from pmmc_check.protocol.values import ROLES, ProcessId
from pmmc_check.report.exchange import NotExpressible
from pmmc_check.report.runs.run import FieldValue, Run, RunEvent

RECORDS_MAX = 200_000
"""So many states of processes are written at most: about 50 MB."""


def run_as_itf(run: Run) -> str:
    """One state for each event: a map from names to states for each role, the messages on their way, and what has just happened. After the
    last state of a run that never ends comes that with the number `loop`.

    Raises:
        NotExpressible: the run is too long.
    """
    records = len(run.events) * len(run.processes)
    if records > RECORDS_MAX:
        raise NotExpressible(
            f"ITF has every state in full: {len(run.events):,} events of {len(run.processes):,} processes are {records:,} records, and at "
            f"most {RECORDS_MAX:,} are written"
        )
    roles = [role for role in ROLES if any(each.id.role == role for each in run.processes)]
    names = {role: {each.id: each.name for each in run.processes if each.id.role == role} for role in roles}
    states = [
        State({"index": event.index}, {"event": _event(event, run), "undelivered": waiting, **_by_role(names, now)})
        for event, now, waiting in zip(run.events, run.states(), _undelivered(run), strict=True)
    ]
    meta = {"format": "ITF", "description": run.title, "source": f"pmmc-check {__version__}", **dict(run.facts)}
    trace = Trace(meta, [], ["event", "undelivered", *(f"{role}s" for role in roles)], states, run.loop or None)
    return json.dumps(_without_nothing(trace_to_json(trace)), ensure_ascii=False, indent=1) + "\n"


def _without_nothing(trace: dict[str, Any]) -> dict[str, Any]:
    """Without a loop that is none: viewers take null for a state."""
    return {name: value for name, value in trace.items() if value is not None}


def _event(event: RunEvent, run: Run) -> SimpleNamespace:
    """What has happened, and to whom: nobody at the start."""
    return SimpleNamespace(
        index=event.index,
        kind=str(event.kind),
        process="" if event.process is None else run.names.get(event.process, str(event.process)),
        label=event.label,
        marks=frozenset(map(str, event.marks)),
        inferred=event.inferred,
    )


def _by_role(names: Mapping[str, Mapping[ProcessId, str]], now: Mapping[ProcessId, Mapping[str, FieldValue]]) -> dict[str, Any]:
    """The processes that exist; one that does not exist yet has no fields."""
    return {
        f"{role}s": {name: _record(now[process]) for process, name in members.items() if now[process]} for role, members in names.items()
    }


def _record(fields: Mapping[str, FieldValue]) -> SimpleNamespace:
    """A name that begins with an underscore is none in TLA+ tools."""
    values = {name: value if isinstance(value, str) else frozenset(value) for name, value in fields.items()}
    return SimpleNamespace(**{f"x{name}" if name.startswith("_") else name: value for name, value in values.items()})


def _undelivered(run: Run) -> Iterator[frozenset[str]]:
    """After each event, the messages that were sent, and neither arrived nor were lost so far."""
    waiting: dict[int, str] = {}
    for event in run.events:
        if event.message is not None:
            waiting.pop(event.message, None)
        for number in event.sends:
            message = run.messages[number]
            waiting[number] = f"{message.text} → {run.names.get(message.to, message.to)}"
        yield frozenset(waiting.values())
