"""What drivers tell each other. No role ever sees a signal: signals decide when messages of the protocol are sent again, and when a
leader gives way."""

from __future__ import annotations

from dataclasses import dataclass

from pmmc_check.protocol.values import Ballot, SlotCommand


@dataclass(frozen=True, slots=True)
class Signal:
    """Base of all signals."""


@dataclass(frozen=True, slots=True)
class Heartbeat(Signal):
    """leader → leaders: it lives, reaches a quorum of acceptors, and leads or tries to with `ballot`."""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Probe(Signal):
    """leader → acceptors: are you there?"""


@dataclass(frozen=True, slots=True)
class Alive(Signal):
    """acceptor → leader: yes."""


@dataclass(frozen=True, slots=True)
class Lacking(Signal):
    """replica → replicas and leaders: it has every decision below `slot`, and wants those from there on."""

    slot: int


@dataclass(frozen=True, slots=True)
class Passed(Signal):
    """replica → replica that lacks what others have forgotten: a snapshot, and the decisions that are kept besides."""

    snapshot: bytes
    decisions: tuple[SlotCommand, ...]


@dataclass(frozen=True, slots=True)
class Part(Signal):
    """transport → transport: a part of what is longer than a frame. The parts of one body follow each other; the first one `begins` it,
    and with the one that `ends` it is whole."""

    begins: bool
    ends: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Forgotten(Signal):
    """replica → client: its session is known no more; what it asks is not performed. Nor would it be in new sessions under numbers up to
    `number`."""

    number: int


@dataclass(frozen=True, slots=True)
class Order(Signal):
    """`ctl` → node: what to do. `token` is what the node gave to this connection, so that nobody can repeat an order; without it the
    order asks for one."""

    word: str
    token: str


@dataclass(frozen=True, slots=True)
class OrderAnswer(Signal):
    """node → `ctl`: the token of this connection, or the answer to an order, as JSON."""

    token: str
    text: str
