"""What a node needs from the world: a clock, a network, a disk and a log. Real ones and simulated ones run the same node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Protocol

from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import Ballot, ProcessId, PValue, SlotCommand
from pmmc_check.runtime.signals import Signal

Record = PValue | SlotCommand
"""What outlives a crash besides a ballot: a pvalue that an acceptor has accepted, a decision that a replica has learned."""


class Envelope(NamedTuple):
    """One message, or one signal between drivers, on its way."""

    sender: ProcessId
    to: ProcessId
    content: Message | Signal


class Stored(NamedTuple):
    """What a node finds on its disk. `mark` is how long its log was when this was written. Of slots up to `forgotten` there are no records;
    a replica has a `snapshot` instead."""

    ballot: Ballot | None
    records: Sequence[Record]
    mark: int
    forgotten: int = 0
    snapshot: bytes | None = None


class Commit(NamedTuple):
    """What a node writes before it answers. `promises`: somebody relies on this, or on what was written before it, whatever happens to the
    machine: the disk is waited for. Else it need only outlive the process. Records of slots up to `forgotten` go, unless that is None; a
    replica has a `snapshot` instead."""

    ballot: Ballot | None
    records: Sequence[Record]
    mark: int
    forgotten: int | None = None
    snapshot: bytes | None = None
    promises: bool = True


class Clock(Protocol):
    """Time in seconds; it may jump, so that only durations of `after` can be relied on."""

    def now(self) -> float:
        """Seconds since some moment."""

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Calls `call` once, so many seconds from now; never within this call."""


class Transport(Protocol):
    """Sends at most once, in any order, or never: nodes expect no more than the protocol's network gives."""

    def send(self, envelopes: Sequence[Envelope]) -> None:
        """Sends each to where its recipient runs."""


class Storage(Protocol):
    """The disk of one node."""

    def load(self) -> Stored | None:
        """What was committed; None before the first commit."""

    def commit(self, change: Commit, done: Callable[[], None]) -> None:
        """Writes all of `change` or nothing of it, then calls `done`, now or later. There is one commit at a time."""


class Recorder(Protocol):
    """The log of one node, as docs/trace-format.md has it. `records`: whether anybody will read it."""

    records: bool

    def open(self, mark: int) -> None:
        """Begins, or goes on after a crash: what follows `mark` never left the node and is cut off."""

    def write(self, lines: Sequence[str]) -> int:
        """Appends lines; returns the mark after them."""


@dataclass(frozen=True)
class NodeSurroundings:
    """All that a node may touch besides its own state."""

    clock: Clock
    transport: Transport
    storage: Storage
    recorder: Recorder
    rng: Random


@dataclass(frozen=True)
class Timing:
    """Durations in seconds. They change how fast a cluster goes on, never what it decides.

    `tick`: how often a node looks at what is overdue. `retransmit`: an answer is late after so long; twice that when it
    was asked for again, and so on up to `retransmit_max`. `heartbeat`: how often a leader
    says that it is alive.
    `patience`: how long a silent leader is trusted at first, and `patience_max` at last. `gossip`: how often replicas compare how far
    they are.
    `renumber`: after so long a client asks again under a new number.
    """

    tick: float = 0.02
    retransmit: float = 0.1
    retransmit_max: float = 1.0
    heartbeat: float = 0.05
    patience: float = 0.3
    patience_max: float = 8.0
    gossip: float = 0.25
    renumber: float = 4.0
