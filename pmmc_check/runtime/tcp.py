"""Nodes over TCP or TLS: one connection for each direction between two nodes, made when it is needed, and made again when it is lost.
Clients that come from anywhere are answered on the connection on which they ask.

What cannot be sent now is dropped, as the protocol's network may. Nothing that comes in can do more than be counted as bad.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random

from pmmc_check.protocol.values import ProcessId, host_of
from pmmc_check.runtime.inward import UNSENT_BYTES_MAX, Inward
from pmmc_check.runtime.security import tls_reason
from pmmc_check.runtime.signals import Part
from pmmc_check.runtime.surroundings import Envelope
from pmmc_check.runtime.wire import (
    FRAME_BYTES_MAX,
    WHOLE_BYTES_MAX,
    Framing,
    encode,
    encode_body,
    encode_message,
    is_hosted,
)

Address = tuple[str, int]
_BODY_BYTES_MAX = FRAME_BYTES_MAX - 1000
"""Room is left for what a frame has besides."""
_PART_BYTES = 2**20
_BATCH_BYTES = 2**18
"""A frame of several messages is no longer than this."""
_RECONNECT_SECONDS = 0.1
_GOOD_SECONDS = 1.0
"""Whoever takes nothing from us hangs up sooner."""
_SILENT_SECONDS = 10.0
_CLIENTS_MAX = 10_000


@dataclass(frozen=True)
class Disturbance:
    """What goes wrong on purpose on the way out of a node. Rates are probabilities a message; `delay` is the longest, in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.0
    deaf_to: frozenset[ProcessId] = frozenset()
    """Nodes that nothing is sent to: a partition, in one direction."""


def web_address(at: Address) -> str:
    """How a browser, or curl, names it."""
    host, port = at
    return f"http://{host_in_url(host)}:{port}/"


def host_in_url(host: str) -> str:
    """A host's name or number, as it is in a URL."""
    return f"[{host}]" if ":" in host else host


class LoopClock:
    """The event loop's time, which is the machine's monotonic clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.offset = 0.0
        """By so much it has jumped, on purpose."""

    def now(self) -> float:
        """Seconds of the monotonic clock, which all processes of a machine share."""
        return time.monotonic() + self.offset

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """By the event loop."""
        if seconds <= 0:
            self._loop.call_soon(call)
        else:
            self._loop.call_later(seconds, call)


class _Link:
    """The connection to one peer; `hears` makes what takes that which comes back on it, and `distrusts` is told why TLS failed."""

    def __init__(
        self, address: Address, context: ssl.SSLContext | None, hears: Callable[[], asyncio.Protocol], distrusts: Callable[[str], None]
    ) -> None:
        self.address, self.context, self.hears, self.distrusts = address, context, hears, distrusts
        self.transport: asyncio.WriteTransport | None = None
        self.waiting: list[bytes] = []
        self.task: asyncio.Task[None] | None = None
        self.closed = self.was_good = False

    def write(self, data: bytes) -> bool:
        """Sends or keeps it; False when there is no room, so that it is lost."""
        transport = self.transport
        if transport is not None and not transport.is_closing():
            if transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
                return False
            transport.write(data)
            return True
        if sum(map(len, self.waiting)) > UNSENT_BYTES_MAX // 16:
            return False
        self.waiting.append(data)
        if self.task is None or self.task.done():
            self.task = asyncio.get_running_loop().create_task(self._connect())
        return True

    async def _connect(self) -> None:
        while not self.closed:
            try:
                async with asyncio.timeout(_SILENT_SECONDS):
                    made, _ = await asyncio.get_running_loop().create_connection(self.hears, *self.address, ssl=self.context)
            except (OSError, ValueError) as error:  # a timeout is the first, a host that is no name the second
                if isinstance(error, ssl.SSLError):
                    self.distrusts(f"{':'.join(map(str, self.address))} speaks no TLS that we trust ({tls_reason(error)})")
                self.waiting.clear()
                await asyncio.sleep(_RECONNECT_SECONDS)
                continue
            self.transport = made
            asyncio.get_running_loop().call_later(_GOOD_SECONDS, self._look_at, made)
            _give_up_when_silent(made)
            made.write(b"".join(self.waiting))
            self.waiting.clear()
            return

    def _look_at(self, made: asyncio.WriteTransport) -> None:
        self.was_good = self.was_good or not made.is_closing()

    def is_turned_away(self) -> bool:
        """Whether the peer has hung up at once, each time, and nothing is on the way to it."""
        hung_up = self.transport is not None and self.transport.is_closing()
        return hung_up and not self.was_good and not self.waiting

    def close(self) -> None:
        """Closes the connection."""
        self.closed = True
        if self.task is not None:
            self.task.cancel()
        if self.transport is not None:
            self.transport.close()


def _give_up_when_silent(made: asyncio.BaseTransport) -> None:
    """A machine that is cut off sends no word of it: without this a connection to it would wait for many minutes before another is made."""
    found: socket.socket | None = made.get_extra_info("socket")
    if found is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError):  # it may be closed already
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_SILENT_SECONDS * 1000))


class TcpTransport:
    """Sends to where each recipient runs. `me` is the node that sends; `context` what it connects with."""

    def __init__(self, me: ProcessId, framing: Framing, rng: Random, context: ssl.SSLContext | None = None) -> None:
        self.me, self.framing, self.rng, self.context = me, framing, rng, context
        self.counts: Counter[str] = Counter()
        self.disturbance = Disturbance()
        self.hears: Callable[[], asyncio.Protocol] = asyncio.Protocol
        self._links: dict[ProcessId, _Link] = {}
        self._back: OrderedDict[ProcessId, Inward] = OrderedDict()

    def know(self, peers: Mapping[ProcessId, Address]) -> None:
        """Where nodes are; a node that has come back may be somewhere else."""
        for peer, address in peers.items():
            known = self._links.get(peer)
            if known is None or known.address != address:
                if known is not None:
                    known.close()
                self._links[peer] = _Link(address, self.context, self.hears, self._distrusts)

    def is_turned_away(self, peer: ProcessId) -> bool:
        """Whether `peer` has hung up at once, each time, and nothing is on the way to it: so it has taken nothing."""
        return self._links[peer].is_turned_away()

    def _distrusts(self, why: str) -> None:
        self.framing.refuse(why)

    def answer_on(self, client: ProcessId, connection: Inward) -> None:
        """A client that nobody has said the address of is answered where it asked last."""
        if client not in self._links:
            self._back[client] = connection
            self._back.move_to_end(client)
            if len(self._back) > _CLIENTS_MAX:
                self._back.popitem(last=False)

    def send(self, envelopes: Sequence[Envelope]) -> None:
        """All for one peer in one frame, unless they are very long; what is longer than a frame comes in parts. What goes to many is
        encoded once."""
        for_peer: defaultdict[ProcessId, list[bytes]] = defaultdict(list)
        sent: tuple[object, ProcessId | None] = (None, None)
        encoded = b""
        for envelope in envelopes:
            sender, to, content = envelope
            if content is not sent[0] or sender != sent[1] or is_hosted(to):
                encoded = encode_message(envelope)
                sent = (None if is_hosted(to) else content), sender
            if len(encoded) > WHOLE_BYTES_MAX - 1000:  # whoever gets it would only hang up
                self.counts["too large to send"] += 1
            else:
                for_peer[host_of(to)].append(encoded)
        undisturbed = self.disturbance == Disturbance()
        for peer, listed in for_peer.items():
            if undisturbed:
                for batch in _batches(listed):
                    self._write(peer, batch)
            else:
                self._disturbed(peer, listed)

    def _write(self, peer: ProcessId, encoded: list[bytes]) -> None:
        link = self._links.get(peer)
        data = self._framed(peer, encode_body(peer, encoded))
        if not (link.write(data) if link is not None else peer in self._back and self._back[peer].answer(data)):
            self.counts["unsent"] += len(encoded)

    def _framed(self, peer: ProcessId, body: bytes) -> bytes:
        if len(body) <= _BODY_BYTES_MAX:
            return self.framing.frame(body)
        parts = range(0, len(body), _PART_BYTES)
        made = (Part(each == 0, each == parts[-1], body[each : each + _PART_BYTES]) for each in parts)
        return b"".join(self.framing.frame(encode(Envelope(self.me, peer, each))) for each in made)

    def _disturbed(self, peer: ProcessId, encoded: list[bytes]) -> None:
        """What happens to a message does not happen to all that would be in its frame."""
        wrong, rng = self.disturbance, self.rng
        if peer in wrong.deaf_to:
            self.counts["lost on purpose"] += len(encoded)
            return
        for each in encoded:
            if rng.random() < wrong.loss:
                self.counts["lost on purpose"] += 1
                continue
            for _ in range(2 if rng.random() < wrong.duplication else 1):
                asyncio.get_running_loop().call_later(rng.random() * wrong.delay, partial(self._write, peer, [each]))

    def close(self) -> None:
        """Closes all connections."""
        for link in self._links.values():
            link.close()


def _batches(encoded: list[bytes]) -> Iterator[list[bytes]]:
    """What goes into one frame each."""
    batch: list[bytes] = []
    length = 0
    for each in encoded:
        if batch and length + len(each) > _BATCH_BYTES:
            yield batch
            batch, length = [], 0
        batch.append(each)
        length += len(each)
    if batch:
        yield batch
