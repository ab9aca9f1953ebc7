"""Nodes over TCP: one connection for each direction between two nodes, made when it is needed, and made again when it is lost.

What cannot be sent now is dropped, as the protocol's network may. Nothing that comes in can do more than be counted as bad.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from pmmc_check.protocol.values import ProcessId, host_of
from pmmc_check.runtime.surroundings import Envelope
from pmmc_check.runtime.wire import Foreign, Framing, decode, encode

Address = tuple[str, int]
_UNSENT_BYTES_MAX = 4 * 2**20
_RECONNECT_SECONDS = 0.1


@dataclass(frozen=True)
class Disturbance:
    """What goes wrong on purpose on the way out of a node. Rates are probabilities a message; `delay` is the longest, in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.0
    deaf_to: frozenset[ProcessId] = frozenset()
    """Nodes that nothing is sent to: a partition, in one direction."""


class LoopClock:
    """The event loop's time, which is the machine's monotonic clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        """Seconds of the monotonic clock, which all processes of a machine share."""
        return time.monotonic()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """By the event loop."""
        if seconds <= 0:
            self._loop.call_soon(call)
        else:
            self._loop.call_later(seconds, call)


class Inward(asyncio.Protocol):
    """What one peer sends."""

    def __init__(self, framing: Framing, take: Callable[[Envelope], None], counts: Counter[str]) -> None:
        self.framing, self.take, self.counts = framing, take, counts
        self._buffer = bytearray()
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer, or anybody else, has connected."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Takes whole frames; a stream that is not made of frames is closed."""
        self._buffer += data
        try:
            for body in self.framing.bodies(self._buffer):
                self._one(body)
        except Foreign:
            self.counts["bad frames"] += 1
            self._buffer.clear()
            if self._transport is not None:
                self._transport.close()

    def _one(self, body: bytes) -> None:
        try:
            envelope = decode(body)
        except Foreign:
            self.counts["bad frames"] += 1
        else:
            self.take(envelope)


class _Link:
    """The connection to one peer."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.transport: asyncio.WriteTransport | None = None
        self.waiting: list[bytes] = []
        self.task: asyncio.Task[None] | None = None
        self.closed = False

    def write(self, data: bytes) -> bool:
        """Sends or keeps it; False when there is no room, so that it is lost."""
        transport = self.transport
        if transport is not None and not transport.is_closing():
            if transport.get_write_buffer_size() > _UNSENT_BYTES_MAX:
                return False
            transport.write(data)
            return True
        if sum(map(len, self.waiting)) > _UNSENT_BYTES_MAX // 16:
            return False
        self.waiting.append(data)
        if self.task is None or self.task.done():
            self.task = asyncio.get_running_loop().create_task(self._connect())
        return True

    async def _connect(self) -> None:
        while not self.closed:
            try:
                made, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, *self.address)
            except OSError:
                self.waiting.clear()
                await asyncio.sleep(_RECONNECT_SECONDS)
                continue
            self.transport = made
            made.write(b"".join(self.waiting))
            self.waiting.clear()
            return

    def close(self) -> None:
        """Closes the connection."""
        self.closed = True
        if self.task is not None:
            self.task.cancel()
        if self.transport is not None:
            self.transport.close()


class TcpTransport:
    """Sends to where each recipient runs. `me` is the node that sends."""

    def __init__(self, me: ProcessId, framing: Framing, rng: Random) -> None:
        self.me, self.framing, self.rng = me, framing, rng
        self.counts: Counter[str] = Counter()
        self.disturbance = Disturbance()
        self._links: dict[ProcessId, _Link] = {}

    def know(self, peers: Mapping[ProcessId, Address]) -> None:
        """Where nodes are; a node that has come back may be somewhere else."""
        for peer, address in peers.items():
            known = self._links.get(peer)
            if known is None or known.address != address:
                if known is not None:
                    known.close()
                self._links[peer] = _Link(address)

    def send(self, envelopes: Sequence[Envelope]) -> None:
        """All for one peer in one write."""
        frames: defaultdict[ProcessId, list[bytes]] = defaultdict(list)
        bodies: dict[Envelope, bytes] = {}
        for envelope in envelopes:
            body = bodies.get(envelope)
            if body is None:
                body = bodies[envelope] = self.framing.frame(encode(envelope))
            frames[host_of(envelope.to)].append(body)
        for peer, listed in frames.items():
            if self.disturbance == Disturbance():
                self._write(peer, listed)
            else:
                self._disturbed(peer, listed)

    def _write(self, peer: ProcessId, frames: list[bytes]) -> None:
        link = self._links.get(peer)
        if link is None or not link.write(b"".join(frames)):
            self.counts["unsent"] += len(frames)

    def _disturbed(self, peer: ProcessId, frames: list[bytes]) -> None:
        wrong, rng = self.disturbance, self.rng
        if peer in wrong.deaf_to:
            self.counts["lost on purpose"] += len(frames)
            return
        for frame in frames:
            if rng.random() < wrong.loss:
                self.counts["lost on purpose"] += 1
                continue
            for _ in range(2 if rng.random() < wrong.duplication else 1):
                asyncio.get_running_loop().call_later(rng.random() * wrong.delay, partial(self._write, peer, [frame]))

    def close(self) -> None:
        """Closes all connections."""
        for link in self._links.values():
            link.close()
