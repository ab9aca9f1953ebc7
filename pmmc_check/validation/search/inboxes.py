"""Inboxes for the search: what is on its way to one process, as immutable values with their senders.

They mean what the networks of the model mean, in all combinations. `UnorderedInboxes` are sets or multisets. `PairwiseInboxes` keep the
order between each pair of processes; with loss, messages may be skipped, and with duplication the last one may come again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from pmmc_check.protocol.values import ProcessId
from pmmc_check.trace.events import Header

Packet = tuple[ProcessId, Any, Any]
"""Sender, message, and for a p1b what it adds to the acceptor's previous p1b."""


Fits = Callable[[Packet], bool]
"""Which packets are looked for."""


class Inboxes(Protocol):
    """What the search needs of a network."""

    empty: Any

    def put(self, inbox: Any, sender: ProcessId, message: Any) -> Any:
        """The inbox after a packet was sent to it."""

    def deliverable(self, inbox: Any, fits: Fits) -> Iterator[tuple[Any, Any]]:
        """Each packet that fits and may be delivered, with the inbox that remains."""


class UnorderedInboxes:
    """An inbox is a set of (packet, copies); with duplication the number does not matter and stays 1."""

    empty: Any = frozenset()

    def __init__(self, duplicates: bool) -> None:
        self.duplicates = duplicates

    def put(self, inbox: frozenset[Any], sender: ProcessId, message: Any) -> Any:
        """Adds one copy of the packet."""
        for entry in inbox:
            if entry[0] == message:
                return inbox if self.duplicates else (inbox - {entry}) | {(message, entry[1] + 1)}
        return inbox | {(message, 1)}

    def deliverable(self, inbox: frozenset[Any], fits: Fits) -> Iterator[tuple[Any, Any]]:
        """Any of them; a copy is used up unless the network duplicates."""
        for entry in inbox:
            packet, copies = entry
            if not fits(packet):
                continue
            if self.duplicates:
                yield packet, inbox
            else:
                rest = inbox - {entry}
                yield packet, rest | {(packet, copies - 1)} if copies > 1 else rest


class PairwiseInboxes:
    """An inbox is a set of (sender, queue, last delivered)."""

    empty: Any = frozenset()

    def __init__(self, loses: bool, duplicates: bool) -> None:
        self.loses, self.duplicates = loses, duplicates

    def put(self, inbox: frozenset[Any], sender: ProcessId, message: Any) -> Any:
        """The packet goes to the end of the sender's queue."""
        for entry in inbox:
            if entry[0] == sender:
                return (inbox - {entry}) | {(sender, (*entry[1], message), entry[2])}
        return inbox | {(sender, (message,), None)}

    def deliverable(self, inbox: frozenset[Any], fits: Fits) -> Iterator[tuple[Any, Any]]:
        """The heads of all queues, what is behind them if messages may be lost, and the last again if doubled."""
        for entry in inbox:
            sender, queue, last = entry
            rest = inbox - {entry}
            if self.duplicates and last is not None and fits(last):
                yield last, inbox
            for index in range(len(queue) if self.loses else min(1, len(queue))):
                if not fits(queue[index]):
                    continue
                after = (sender, queue[index + 1 :], queue[index] if self.duplicates else None)
                yield queue[index], rest | {after} if after[1] or after[2] is not None else rest


def inboxes(header: Header) -> Inboxes:
    """The inboxes of the network that a trace assumes."""
    if header.ordered:
        return PairwiseInboxes(header.loses, header.duplicates)
    return UnorderedInboxes(header.duplicates)
