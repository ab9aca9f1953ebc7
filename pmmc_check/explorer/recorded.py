"""A recorded run as something to step through: its header becomes a configuration, with bounds taken from its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pmmc_check.config import Config
from pmmc_check.errors import UsageError
from pmmc_check.model.network import Duplicating, Fifo, Lossy, Reliable
from pmmc_check.protocol.role import Configuration, Faults, System
from pmmc_check.protocol.values import CLIENT, NOOP, Ballot, Command, ProcessId
from pmmc_check.trace.events import CRASH, RESTART, UNKNOWN, Event, Header, Names, Perform, is_chosen
from pmmc_check.trace.system import system_of

RECORDED_EVENTS_MAX = 5_000
"""Longer traces are refused: nobody steps through them, and every step keeps a state."""
RECORDED_PROCESSES_MAX = 2_000
_ROUNDS_AHEAD = 2
"""So many rounds more than were seen can be begun when one goes on from a recorded run."""


@dataclass(frozen=True)
class RecordedConfig(Config):
    """A configuration that has the clients and commands of a recorded run."""

    recorded: System = field(kw_only=True)

    def system(self) -> System:
        """As it was recorded."""
        return self.recorded

    def _check_size(self) -> None:
        if self.process_count > RECORDED_PROCESSES_MAX:
            raise UsageError(
                f"this run has {self.process_count:,} processes, its commanders included, and at most {RECORDED_PROCESSES_MAX:,} can be "
                f"stepped through; cut the trace, or lower --slots or --rounds"
            )


def recorded_config(header: Header, names: Names, events: Iterable[Event | Perform], given: Mapping[str, int | None]) -> RecordedConfig:
    """The configuration of a trace. `given` are bounds that the user asks for (`slots`, `rounds`, `crashes`, `restarts`).

    Raises:
        UsageError: it is too large.
    """
    seen = _Seen()
    for event in events:
        if isinstance(event, Event):
            seen.add(event)
        else:
            seen.slot = max(seen.slot, event.slot)
            seen.commands |= {event.command} - {UNKNOWN, NOOP}
    slots = given.get("slots") or header.slots or max(seen.slot, len(seen.commands), 1)
    rounds = given.get("rounds") or header.rounds or seen.round + 1 + _ROUNDS_AHEAD
    crashes, restarts = (given.get(name) or count for name, count in (("crashes", seen.crashes), ("restarts", seen.restarts)))
    replicas, leaders, acceptors = (
        tuple(names.process_of[name] for name in members) for members in (header.replicas, header.leaders, header.acceptors)
    )
    counts: dict[str, Any] = {"replicas": len(replicas), "leaders": len(leaders), "acceptors": len(acceptors)}
    counts |= {"slots": slots, "rounds": rounds, "window": header.window, "crashes": crashes, "restarts": restarts}
    commands = tuple(sorted(seen.commands))
    clients = tuple(sorted({each.client for each in commands} | {each for each in names.name_of if each.role == CLIENT}))
    plain = Config(**{**counts, "slots": 1, "rounds": 1})
    system = System(
        clients=clients,
        replicas=replicas,
        leaders=leaders,
        acceptors=acceptors,
        commands=commands,
        window=header.window,
        slots=slots,
        rounds=rounds,
        configurations=system_of(header, names).configurations or (Configuration(leaders, acceptors),),
        faults=Faults(crashes, restarts, frozenset(plain.faulty)),
        quorum1=header.quorum1,
        quorum2=header.quorum2,
    )
    return RecordedConfig(
        **counts,
        commands=max(1, len(commands)),
        network=_network(header, crashes=seen.crashes > 0),
        quorum1=header.quorum1 or 0,
        quorum2=header.quorum2 or 0,
        recorded=system,
    )


def _network(header: Header, crashes: bool) -> str:
    """The model's network that can do all that the recorded one can.

    A crash may cut a step short. In the model the messages that were never sent are never delivered instead, and would hold up others."""
    if header.duplicates:
        return Duplicating.name
    if header.loses:
        return Lossy.name
    return Fifo.name if header.ordered and not crashes else Reliable.name


class _Seen:
    """What the events name."""

    def __init__(self) -> None:
        self.commands: set[Command] = set()
        self.slot = self.round = self.crashes = self.restarts = 0

    def add(self, event: Event) -> None:
        """Takes an event into account."""
        self.crashes += event.action == CRASH
        self.restarts += event.action == RESTART
        for each in _values(event):
            if isinstance(each, Command) and each != NOOP and is_chosen(each):
                self.commands.add(each)
            elif isinstance(each, Ballot):
                self.round = max(self.round, each.round)
            elif isinstance(each, ProcessId):
                self.slot, self.round = max(self.slot, each.slot), max(self.round, each.round)
        slot = getattr(event.message, "slot", None)
        if isinstance(slot, int):
            self.slot = max(self.slot, slot)


def _values(event: Event) -> Iterator[Any]:
    """All ballots, commands and processes that an event names."""
    yield event.process
    message = event.message
    fields = [getattr(message, name) for name in message.__dataclass_fields__] if message is not None else []
    for value in [*fields, *(value for _, value in event.post or ())]:
        if isinstance(value, frozenset):
            for pvalue in value:
                yield from pvalue
                yield ProcessId("", 0, 0, pvalue.slot)
        else:
            yield value
