"""What a trace with gaps mentions, and how far unrecorded steps may go beyond that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pmmc_check.protocol.messages import Request, Response
from pmmc_check.protocol.values import CLIENT, COMMANDER, NOOP, SCOUT, Ballot, Command, ProcessId, Reconfigure
from pmmc_check.trace.events import CRASH, DROP, END, RESTART, UNKNOWN, Event, Header
from pmmc_check.trace.values import NUMBER_MAX
from pmmc_check.validation.promises import Promises
from pmmc_check.validation.search.steps import by_content


class Reach(NamedTuple):
    """Ballots and slots that unrecorded steps may reach: one more than the trace speaks of."""

    rounds: int
    slots: int


def orderly(log: Sequence[Event]) -> int:
    """How many events of a log come before the first that it may not have: any after its end, after a crash any but a restart or drops."""
    crashed = False
    for position, event in enumerate(log):
        if (crashed and event.action not in (RESTART, DROP)) or (position and log[position - 1].action == END):
            return position
        crashed = event.action == CRASH or (crashed and event.action != RESTART)
    return len(log)


def commands_in(events: Sequence[Event]) -> tuple[Command, ...]:
    """Every request that a trace mentions. A response stands for the plain command that it answers, unless another is known."""
    known: set[Command] = set()
    answered: set[tuple[ProcessId, int]] = set()
    for event in events:
        message: Any = event.message
        command = getattr(message, "command", UNKNOWN)
        if command is not UNKNOWN:
            known.add(command)
        for pvalue in (*_pvalues(message, "accepted"), *_pvalues(message, "pvalues"), *_recorded(event)):
            known.add(pvalue.command)
        if isinstance(message, Response) and message.cid is not UNKNOWN and event.peers is not None:
            client = event.process if event.process.role == CLIENT else event.peers[0]
            answered.add((client, message.cid))
    known.discard(NOOP)  # which nobody requests
    named = {(command.client, command.cid) for command in known}
    known |= {Command(client, cid, "") for client, cid in answered - named}
    return tuple(sorted(known, key=by_content))


def ballots_in(events: Sequence[Event]) -> tuple[Ballot, ...]:
    """Every ballot that a trace mentions in a message or as that of a scout or commander, in order."""
    found = {event.process.ballot for event in events if event.process.role in (SCOUT, COMMANDER)}
    for event in events:
        ballot = getattr(event.message, "ballot", UNKNOWN)
        if ballot is not UNKNOWN:
            found.add(ballot)
    return tuple(sorted(found))


def unspoken(promises: Promises, events: Sequence[Event]) -> Iterator[tuple[Command, ...]]:
    """Requests that no event names though somebody may have sent them: none, then plain ones, then reconfigurations too.

    Plain ones are interchangeable, so one for each slot within reach is enough. Reconfigurations change nothing in the first WINDOW slots.
    """
    yield ()
    header, names = promises.header, promises.names
    processes = [names.process_of[name] for name in header.clients or ()]
    unsaid = [event.process for event in events if event.message == Request(UNKNOWN)]
    sending = [each for each in processes if each in unsaid or not promises.records(each, "request")]
    client = ProcessId(CLIENT, 10**6) if header.clients is None else next(iter(sending), None)
    received = all(promises.records(names.process_of[replica], "request") for replica in header.replicas)
    if client is None or (received and not unsaid):
        return
    reach = reach_of(events, header).slots + 1
    plain = tuple(Command(client, NUMBER_MAX + 1 + number, "") for number in range(reach))
    yield plain
    if header.configurations and min(reach, header.slots or reach) > header.window:
        sets = [tuple(names.process_of[name] for name in each.leaders) for each in header.configurations]
        yield plain + tuple(Command(client, 2 * NUMBER_MAX + number, Reconfigure(each)) for number, each in enumerate(sets))


def reach_of(events: Sequence[Event], header: Header) -> Reach:
    """One more than the highest round and slot in the trace, unless the header has bounds."""
    rounds, slots = [0], [1]
    for event in events:
        message: Any = event.message
        for ballot in (getattr(message, "ballot", UNKNOWN), event.process, *(pvalue.ballot for pvalue in _pvalues(message, "accepted"))):
            if ballot is not UNKNOWN and ballot is not None:
                rounds.append(ballot.round)
        slot = getattr(message, "slot", UNKNOWN)
        slots += [slot] if slot is not UNKNOWN else []
        slots += [value - 1 for key, value in event.post or () if key in ("slot_in", "slot_out")]
    responses = len({(event.log, message.cid) for event in events if isinstance(message := event.message, Response)})
    return Reach(max(rounds) + 1, max(*slots, responses) + 1)


def _pvalues(message: Any, name: str) -> Iterable[Any]:
    found = getattr(message, name, UNKNOWN)
    return () if found is UNKNOWN else found


def _recorded(event: Event) -> Iterable[Any]:
    return next((value for key, value in event.post or () if key == "accepted"), ())
