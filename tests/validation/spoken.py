"""What the events of a trace speak of: bounds for what may have happened without one."""

from __future__ import annotations

from typing import Any

from pmmc_check.protocol.messages import Response
from pmmc_check.protocol.values import CLIENT, Command
from pmmc_check.trace.events import UNKNOWN, Event


def pvalues_in(event: Event) -> list[Any]:
    message: Any = event.message
    sets = [getattr(message, "accepted", ()), getattr(message, "pvalues", ()), dict(event.post or ()).get("accepted", ())]
    return [pvalue for each in sets if each is not UNKNOWN for pvalue in each]


def spoken_of(events: list[Event]) -> tuple[Command, ...]:
    """The commands in the events; a response stands for a command that nothing else names."""
    known: dict[Command, None] = {}
    for event in events:
        command = getattr(event.message, "command", UNKNOWN)
        known |= dict.fromkeys([] if command is UNKNOWN else [command]) | dict.fromkeys(each.command for each in pvalues_in(event))
    named = {(command.client, command.cid) for command in known}
    for event in events:
        message = event.message
        if isinstance(message, Response) and message.cid is not UNKNOWN:
            client = event.process if event.process.role == CLIENT else event.peers[0] if event.peers else None
            if client is not None and (client, message.cid) not in named:
                known[Command(client, message.cid, "")] = None
    return tuple(known)


def reach(events: list[Event]) -> tuple[int, int]:
    """The highest round and the highest slot in the events."""
    rounds, slots = [0], [1]
    for event in events:
        message: Any = event.message
        ballots = [getattr(message, "ballot", UNKNOWN), dict(event.post or ()).get("ballot", UNKNOWN)]
        ballots += [each.ballot for each in pvalues_in(event)]
        rounds += [event.process.round, *(each.round for each in ballots if each is not UNKNOWN)]
        slot = getattr(message, "slot", UNKNOWN)
        slots += [event.process.slot, *([] if slot is UNKNOWN else [slot]), *(each.slot for each in pvalues_in(event))]
        slots += [value - 1 for key, value in event.post or () if key.startswith("slot")]
    responses = {(event.log, event.message.cid) for event in events if isinstance(event.message, Response)}
    return max(rounds), max(*slots, len(responses))
