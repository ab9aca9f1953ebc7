"""What is in flight at a point of the oracle's runs, on a network as a header has it.

It is a plain dictionary, which only `put` changes: without order from (sender, recipient, packet) to the number of copies, with order from
(sender, recipient) to a queue. Where order is kept and messages are doubled, a queue begins with what came out of it last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pmmc_check.protocol.values import ProcessId
from pmmc_check.trace.events import Header
from tests.validation.oracle import Last

Packets = dict[Any, Any]
Taken = Iterator[tuple[ProcessId, Any, Packets]]
"""Sender, packet, and what is in flight after it."""


class OracleNetwork:
    """The rules of one header."""

    def __init__(self, header: Header) -> None:
        self.header = header

    def put(self, packets: Packets, sender: ProcessId, to: ProcessId, packet: Any) -> None:
        """One packet more."""
        if self.header.ordered:
            packets[sender, to] = (*packets.get((sender, to), ()), packet)
        else:
            packets[sender, to, packet] = 1 if self.header.duplicates else packets.get((sender, to, packet), 0) + 1

    def arriving(self, packets: Packets, me: ProcessId) -> Taken:
        """All that may reach `me` now."""
        for key, value in packets.items():
            if key[1] != me:
                continue
            if not self.header.ordered:
                left = value if self.header.duplicates else value - 1
                yield key[0], key[2], {k: left if k == key else v for k, v in packets.items() if k != key or left}
                continue
            queue = [each for each in value if not isinstance(each, Last)]
            yield from ((key[0], again.packet, packets) for again in value if isinstance(again, Last))
            for index, packet in enumerate(queue if self.header.loses else queue[:1]):
                rest = (*((Last(packet),) if self.header.duplicates else ()), *queue[index + 1 :])
                yield key[0], packet, {**packets, key: rest}

    def losing(self, packets: Packets, me: ProcessId) -> Taken:
        """All on its way to `me` that may get lost; what is before it in a queue stays."""
        if not self.header.ordered:
            yield from self.arriving(packets, me)
            return
        for key, value in packets.items():
            for packet in value if key[1] == me else ():
                if not isinstance(packet, Last):
                    at = value.index(packet)
                    yield key[0], packet, {**packets, key: (*value[:at], *value[at + 1 :])}
