"""The trace of a simulated run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.simulated_world import SimulatedWorld
from pmmc_check.trace.events import ALL, Header


def trace_of(roster: Roster, world: SimulatedWorld) -> tuple[Header, dict[str, list[str]]]:
    """The header, and the lines of each log.

    A replica that has lost decisions with the power goes on as another one, in a log of its own: R1-2 after R1. What either of them
    proposes is received from R1, so there the sender is left out."""
    names = world.setting.names.name_of
    logs = {names[me]: log.lines if not log.earlier else log.earlier[0] for me, log in world.logs.items()}
    again = {names[me]: [*log.earlier[1:], log.lines] for me, log in world.logs.items() if log.earlier}
    header = roster.header()
    if not again:
        return header, logs
    told = re.compile(rf"(\S+ < propose .*?) from=(?:{'|'.join(again)})(?= |$)")
    logs = {name: [told.sub(r"\1", line) for line in lines] for name, lines in logs.items()}
    more = dict(_others(again))
    return replace(header, replicas=(*header.replicas, *more), logs={**header.logs, **dict.fromkeys(more, ALL)}), logs | more


def _others(again: dict[str, list[list[str]]]) -> Iterator[tuple[str, list[str]]]:
    for name, lives in again.items():
        for number, lines in enumerate(lives, 2):
            yield f"{name}-{number}", [line.replace(name, f"{name}-{number}", 1) for line in lines]
