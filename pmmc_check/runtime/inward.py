"""What comes in at a node: frames, what is longer than a frame in parts, and how much of all that may wait until it is whole.

Nothing that comes in can do more than be counted as bad.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable

from pmmc_check.protocol.values import ProcessId
from pmmc_check.runtime.signals import Part
from pmmc_check.runtime.surroundings import Envelope
from pmmc_check.runtime.wire import WHOLE_BYTES_MAX, Foreign, Framing, OtherSettings, decode

UNSENT_BYTES_MAX = 4 * 2**20
"""So much may wait to be sent on one connection."""
CONNECTIONS_MAX = 512
STRANGERS_BYTES_MAX = 64 * 2**20
"""So much may all hold together that have not sent one good frame."""
_STRANGER_SECONDS = 10.0


class Connections:
    """Those that came in at one node, and the parts of what is not whole yet. `is_node`: whose parts are taken."""

    def __init__(self, is_node: Callable[[ProcessId], bool]) -> None:
        self.came_in: set[Inward] = set()
        self._is_node = is_node
        self._parts: dict[ProcessId, tuple[Inward, bytearray]] = {}

    def bound_strangers(self) -> None:
        """Hangs up on those that hold the most, until all strangers together hold no more than they may: nobody who is of the cluster is
        kept out by many who send a little less than too much."""
        held = {each: each.stranger_bytes for each in self.came_in}
        total = sum(held.values())
        while total > STRANGERS_BYTES_MAX:
            most = max(held, key=held.__getitem__)
            total -= held.pop(most)
            most.refuse(f"more than {STRANGERS_BYTES_MAX:,} bytes of frames that do not end")

    def put_together(self, sender: ProcessId, part: Part, connection: Inward) -> list[Envelope]:
        """What the parts of one sender say, when the last one is here. There is one such thing a sender, the one that has begun last.

        Raises:
            Foreign: it is no part of anything, or there is nobody who may send one, or what they say is not known here.
        """
        if not self._is_node(sender):
            raise Foreign("parts of who is no node")
        if part.begins:
            self._parts[sender] = connection, bytearray()
        begun_on, held = self._parts.get(sender, (None, bytearray()))
        if begun_on is not connection:
            raise Foreign("a part of nothing")
        if len(held) + len(part.data) > WHOLE_BYTES_MAX:
            del self._parts[sender]
            raise Foreign("parts of too much")
        held += part.data
        if not part.ends:
            return []
        del self._parts[sender]
        return decode(bytes(held))

    def forget(self, connection: Inward) -> None:
        """It is gone, and so is what has come on it and is not whole."""
        self.came_in.discard(connection)
        for sender in [sender for sender, (begun_on, _) in self._parts.items() if begun_on is connection]:
            del self._parts[sender]


class Inward(asyncio.Protocol):
    """What one peer sends. `known`: we have turned to it; a frame of this cluster makes it known, too. `token` is what its orders must
    carry."""

    def __init__(
        self,
        framing: Framing,
        take: Callable[[list[Envelope], Inward], None],
        counts: Counter[str],
        connections: Connections,
        known: bool = False,
    ) -> None:
        self.framing, self.take, self.counts = framing, take, counts
        self.token = secrets.token_hex(16)
        self._buffer = bytearray()
        self._transport: asyncio.WriteTransport | None = None
        self._connections = connections
        self._known = known

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer, or anybody else, has connected; whoever says nothing that we understand is not waited for, and of those that came in
        there may only be so many."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        if self._known:
            return
        asyncio.get_running_loop().call_later(_STRANGER_SECONDS, self._enough)
        self._connections.came_in.add(self)
        if len(self._connections.came_in) > CONNECTIONS_MAX:
            self.counts["refused connections"] += 1
            self.close()

    def _enough(self) -> None:
        if not self._known and self._transport is not None:
            self._transport.abort()

    @property
    def stranger_bytes(self) -> int:
        """How much it holds that has come from somebody who has not sent one good frame."""
        return 0 if self._known else len(self._buffer)

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone."""
        self._transport = None
        self._buffer.clear()
        self._connections.forget(self)

    def data_received(self, data: bytes) -> None:
        """Takes whole frames; a stream that is not made of frames is closed."""
        self._buffer += data
        try:
            for body in self.framing.bodies(self._buffer):
                self._known = True
                self._one(body)
        except Foreign as error:
            if self._transport is not None and isinstance(error, OtherSettings):
                self.answer(self.framing.frame(self.framing.introduction))  # it is one of us, and may know what we have
                self._transport.close()
            self.refuse(str(error))
        if not self._known:
            self._connections.bound_strangers()

    def refuse(self, why: str) -> None:
        """Counts it as bad, and hangs up; what it is answered goes out before."""
        self.counts["bad frames"] += 1
        self.framing.refuse(why)
        self._buffer.clear()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.abort()

    def _one(self, body: bytes) -> None:
        try:
            envelopes = decode(body)
            if envelopes and isinstance(envelopes[0].content, Part):
                envelopes = self._connections.put_together(envelopes[0].sender, envelopes[0].content, self)
        except Foreign:
            self.counts["bad frames"] += 1
        else:
            self.take(envelopes, self)

    def answer(self, data: bytes) -> bool:
        """Sends frames back to the peer; False when it is gone or does not read."""
        transport = self._transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            return False
        transport.write(data)
        return True

    def close(self) -> None:
        """Closes the connection when what was sent on it is out."""
        if self._transport is not None:
            self._transport.close()
