"""Harmless habits of implementations, that the header states: each is read as the legal run of PMMC that it means.

A message that is received later, or never, is one that is still on its way. So the events of each log are put into the order in which
PMMC's own processes would have had them, before they are replayed or searched:

- `proposals=lazy`: a replica takes requests and proposes them later. Each is received right before it is proposed.
- `requests=list`: copies of a request that waits are kept, and proposed each. A copy is received after the one before it is proposed.
- `decisions=batched`: a replica takes several decisions before it acts on any. Those that it knows come first, then the highest slot, so
  that nothing can be performed before the last of them, and all sends are of one step.
- `answers=ignored`: scouts and commanders may ignore answers with another ballot. Such an answer is received where preempted follows,
  else never.
- `sends=repeated`: p1a, p2a, decision and propose are sent again until they are answered. A repetition is left out: on a network that
  duplicates, one send can be received any number of times.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.values import REPLICA, Command, ProcessId
from pmmc_check.trace.events import CRASH, DROP, RECEIVE, RESTART, SEND, UNKNOWN, Event, Header
from pmmc_check.validation.compact_sets import Bits, Ledger, Once

LAZY, LIST = "lazy", "list"
_REPEATED = frozenset({"p1a", "p2a", "decision", "propose"})


def as_legal_runs(streams: Iterator[Iterator[Event]], header: Header, late: bool = False) -> Iterator[Iterator[Event]]:
    """The streams of a trace with the habits of its header read as what they mean; `late`: for a replay that proposes when the log does."""
    habits = [make for setting, make in _HABITS.items() if setting in _stated(header) and not (late and setting in _LATE)]
    habits += [_in_order_of_slots] if late else []
    for stream in streams:
        events = iter(stream)
        for make in habits:
            events = make(events, header)
        yield events


def proposes_late(header: Header, protocol: Protocol) -> bool:
    """Whether replicas are replayed that propose when their logs say so: those of the paper that are lazy."""
    return header.proposals == LAZY and protocol[REPLICA] is PMMC[REPLICA]


def _stated(header: Header) -> set[tuple[str, str]]:
    return {(key, getattr(header, key)) for key in ("proposals", "requests", "decisions", "answers", "sends")}


def _batched(events: Iterator[Event], header: Header) -> Iterator[Event]:
    """Decisions that one replica receives in a row: those that it knows, which change nothing, then the highest slot first."""
    held: dict[str, list[Event]] = {}
    learned: dict[ProcessId, Bits] = {}
    for event in events:
        message: Any = event.message
        if event.action == RECEIVE and event.process.role == REPLICA and message.kind == "decision" and message.slot is not UNKNOWN:
            held.setdefault(event.log, []).append(event)
            if event.post is not None:
                yield from _reordered(held.pop(event.log), learned)
            continue
        if event.action != DROP:
            yield from _reordered(held.pop(event.log, []), learned)
        yield event
    for batch in held.values():
        yield from _reordered(batch, learned)


def _reordered(batch: list[Event], learned: dict[ProcessId, Bits]) -> Iterator[Event]:
    """The state that the last of them recorded is that after all of them."""
    if not batch:
        return
    known = learned.setdefault(batch[0].process, Bits())
    *first, last = sorted(batch, key=lambda event: (event.message.slot not in known, -event.message.slot))  # type: ignore[union-attr]  # decisions
    yield from (event._replace(post=None) for event in first)
    yield last._replace(post=batch[-1].post)
    for event in batch:
        known.add(event.message.slot)  # type: ignore[union-attr]  # decisions


class _Requests:
    """The requests that one replica has taken and not proposed, its proposals for slots of which it knows no decision, and its window."""

    def __init__(self, header: Header, learned: Bits) -> None:
        self.header = header
        self.waiting: set[Command] = set()
        """Received, and not yet proposed."""
        self.held: dict[Command, list[Event]] = {}
        """Taken, to be received later."""
        self.proposed: dict[int, Command] = {}
        self.lost: set[Command] = set()
        """Proposed for slots that others got: PMMC proposes them again by itself."""
        self.learned = learned
        self.slot_in = self.slot_out = 1
        self.step: list[Event] = []
        """The receive at hand and what it makes the replica send."""
        self.needed: list[tuple[Event, list[Event]]] = []
        """The requests that belong to that step, each with its proposal."""
        self.was_closed = False
        """Whether the window was full before this step: then requests waited for it."""

    def add(self, event: Event) -> Iterator[Event]:
        """Takes an event of this replica; gives those of the step before, once that is over."""
        message: Any = event.message
        if event.action != SEND:
            yield from self.finish()
            self.was_closed = self._is_closed()
        if message is None or UNKNOWN in (getattr(message, "command", 0), getattr(message, "slot", 0)):
            self.step.append(event)
        elif message.kind == "request":
            self.step += [event] if self._takes(event) else []
        elif message.kind != "propose" or not self._waits(event, message.slot, message.command):
            self.step.append(event)
            if message.kind == "decision":
                self._decide(message.slot, message.command)

    def finish(self) -> Iterator[Event]:
        """The step at hand: requests come before it where they waited for the window, else after its other sends."""
        proposals = [each for _, sends in self.needed for each in sends]
        if self.was_closed:
            yield from (request for request, _ in self.needed)
            yield from self.step
            yield from proposals
        else:
            yield from self.step
            for request, sends in self.needed:
                yield request
                yield from sends
        self.step, self.needed = [], []

    def _takes(self, event: Event) -> bool:
        """Whether a request is received at once."""
        command: Command = event.message.command  # type: ignore[union-attr]  # of a request
        waits = command in self.waiting or command in self.held
        if waits and self.header.requests != LIST:
            return command in self.waiting  # a copy of one that waits changes nothing
        if self.header.proposals != LAZY and not waits:
            self.waiting.add(command)
            return True
        self.held.setdefault(command, []).append(event._replace(post=None))
        return False

    def _waits(self, event: Event, slot: int, command: Command) -> bool:
        """Whether a proposal, for one leader or more, needs a request that is held."""
        if self.proposed.get(slot) == command:
            for request, sends in self.needed:
                if request.message.command == command and sends[0].message == event.message:  # type: ignore[union-attr]  # a request
                    sends.append(event)
                    return True
            return False
        self.proposed[slot] = command
        self.slot_in = max(self.slot_in, slot + 1)
        if command in self.waiting or command in self.lost or command not in self.held:
            self.waiting.discard(command)
            self.lost.discard(command)
            return False
        self.needed.append((self.held[command].pop(0), [event]))
        if not self.held[command]:
            del self.held[command]
        return True

    def _decide(self, slot: int, command: Command) -> None:
        mine = self.proposed.pop(slot, command)
        if mine != command:
            self.lost.add(mine)
        self.learned.add(slot)
        while self.slot_out in self.learned:
            self.slot_out += 1

    def _is_closed(self) -> bool:
        while self.slot_in in self.learned:
            self.slot_in += 1
        return self.slot_in >= self.slot_out + self.header.window


def _later(events: Iterator[Event], header: Header) -> Iterator[Event]:
    """Requests right before they are proposed: all, or copies only."""
    replicas: dict[ProcessId, _Requests] = {}
    for event in events:
        if event.process.role != REPLICA or event.action == DROP:
            yield event
            continue
        known = replicas.get(event.process)
        if known is None:
            known = replicas[event.process] = _Requests(header, Bits())
        yield from known.add(event)
        if event.action in (CRASH, RESTART):
            yield from known.finish()
            replicas[event.process] = _Requests(header, known.learned)
    for each in replicas.values():
        yield from each.finish()


def _in_order_of_slots(events: Iterator[Event], header: Header) -> Iterator[Event]:
    """Proposals that a replica sends between two receives: a step's sends may be logged in any order."""
    held: dict[str, list[Event]] = {}
    for event in events:
        message: Any = event.message
        if event.action == SEND and message.kind == "propose" and message.slot is not UNKNOWN:
            held.setdefault(event.log, []).append(event)
            continue
        if event.action != SEND and event.log in held:
            yield from sorted(held.pop(event.log), key=_slot)
        yield event
    for proposals in held.values():
        yield from sorted(proposals, key=_slot)


def _slot(event: Event) -> int:
    slot: int = event.message.slot  # type: ignore[union-attr]  # of a propose
    return slot


_NEEDED = frozenset({"request", "propose", "decision"})
"""What the log of a replica must show, so that one can tell from it when a request was proposed first."""


def may_propose_later(streams: Iterator[Iterator[Event]], header: Header) -> bool:
    """Whether a replica with such a habit lost a slot, or its log says too little of what it proposes: then rewritten events do not stand
    for all that it may have done, since it is left open when it proposes what."""
    if header.proposals != LAZY and header.requests != LIST:
        return False
    kinds = [header.contract(name).kinds for name in header.replicas]
    if any(each and not each >= _NEEDED for each in kinds):
        return True
    proposed: dict[tuple[ProcessId, int], Command] = {}
    for stream in streams:
        for event in stream:
            message: Any = event.message
            if event.process.role != REPLICA or message is None or event.action == DROP:
                continue
            if UNKNOWN in (getattr(message, "slot", 0), getattr(message, "command", 0)):
                return True
            if message.kind == "propose":
                proposed[event.process, message.slot] = message.command
            elif message.kind == "decision" and proposed.pop((event.process, message.slot), message.command) != message.command:
                return True
    return False


def _ignoring(events: Iterator[Event], header: Header) -> Iterator[Event]:
    """Answers with another ballot, where preempted follows."""
    held: dict[ProcessId, Event] = {}
    for event in events:
        message: Any = event.message
        before = held.pop(event.process, None)
        if before is not None and event.action == SEND and message.kind == "preempted":
            yield before
        other = event.action == RECEIVE and message.kind in ("p1b", "p2b") and UNKNOWN is not message.ballot != event.process.ballot
        if other and header.contract(event.log).records("preempted"):
            held[event.process] = event
        else:
            yield event


def _once(events: Iterator[Event], header: Header) -> Iterator[Event]:
    """Sends without their repetitions."""
    senders: dict[ProcessId, _Sent] = {}
    for event in events:
        message: Any = event.message
        if event.action == RESTART:
            senders.pop(event.process, None)
        if event.action == SEND and message.kind in _REPEATED:
            told = UNKNOWN not in (getattr(message, "slot", 0), getattr(message, "command", 0))
            if told and senders.setdefault(event.process._replace(slot=0), _Sent()).has(event, message):
                continue
        yield event


class _Sent:
    """What a process has sent: a leader's commanders of one ballot are one here."""

    def __init__(self) -> None:
        self.to = Once()
        self.commands: dict[str, Ledger] = {}

    def has(self, event: Event, message: Any) -> bool:
        """Whether this very message was sent before to all to whom it goes now."""
        kind, slot = message.kind, getattr(message, "slot", 0)
        same = kind == "p1a" or self.commands.setdefault(kind, Ledger()).file(slot, message.command)
        peers = event.peers if event.peers is not None else (None,)
        before = self.to.seen((kind, None), slot) or all(self.to.seen((kind, peer), slot) for peer in peers)
        for peer in peers:
            self.to.add((kind, peer), slot)
        return same and before


_LATE = (("proposals", LAZY), ("requests", LIST))
_HABITS = {
    ("sends", "repeated"): _once,
    ("answers", "ignored"): _ignoring,
    ("proposals", LAZY): _later,
    ("requests", LIST): lambda events, header: events if header.proposals == LAZY else _later(events, header),
    ("decisions", "batched"): _batched,
}
