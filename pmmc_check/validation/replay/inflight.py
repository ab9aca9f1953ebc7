"""What is on its way in a replayed run, under the trace's network assumptions.

Without order this is all messages ever sent (with duplication), or the number of copies left of each (without). With order it is a queue
for each pair. `take` asks whether a message can be received now; messages appear when their send is replayed, so False means "not yet".

Taking is greedy, and that is right because copies are identical, and in a queue the earliest match leaves the most behind it. A receive
that does not name its sender may take anybody's copy. Where named and unnamed receives compete for copies, or order is kept and the
sender is not named, the greedy choice could be wrong: then `Ambiguous` is raised, and the search judges the trace.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import islice
from typing import Any

from pmmc_check.protocol.messages import Decision, Message, P2a, P2b, Propose, Request, Response
from pmmc_check.protocol.values import ProcessId
from pmmc_check.trace.events import UNKNOWN, Event
from pmmc_check.trace.matching import undetermined
from pmmc_check.validation.compact_sets import RECENT, Archive, Ledger, Once


class Ambiguous(Exception):
    """Replay without search cannot tell which of several runs the log means."""


class Copies:
    """What is in flight of one message to one process."""

    __slots__ = ("left", "named", "sender", "senders", "sent_at", "unnamed")

    def __init__(self, sender: ProcessId, event: Event) -> None:
        self.left = 1
        self.sender = sender
        self.senders: dict[ProcessId, int] | None = None
        """Copies by sender, once there is more than one; else all are of `sender`."""
        self.named = self.unnamed = False
        self.sent_at = event

    def add(self, sender: ProcessId) -> None:
        """Adds a copy that `sender` sent."""
        if self.senders is None and sender != self.sender:
            self.senders = {self.sender: self.left}
        if self.senders is not None:
            self.senders[sender] = self.senders.get(sender, 0) + 1
        self.left += 1

    def of(self, sender: ProcessId) -> int:
        """How many are left that `sender` sent."""
        if self.senders is None:
            return self.left if sender == self.sender else 0
        return self.senders.get(sender, 0)

    def take(self, sender: ProcessId | None) -> None:
        """Uses up a copy, of `sender` if named.

        Raises:
            Ambiguous: receives that name their sender compete for copies with some that do not.
        """
        if sender is None:
            self.unnamed = True
        else:
            self.named = True
            if self.senders is not None:
                self.senders[sender] -= 1
        if self.named and self.unnamed and self.senders is not None:
            raise Ambiguous("some receives of one message name their sender and others do not")
        self.left -= 1


class Unordered:
    """No order is kept between any two messages, and none is doubled."""

    def __init__(self) -> None:
        self.copies: dict[tuple[ProcessId, Message], tuple[ProcessId, Event] | Copies] = {}
        """A message's sender and send, or more than one of them."""

    def put(self, sender: ProcessId, to: ProcessId, message: Message, event: Event) -> None:
        """Adds a copy."""
        alone = (sender, event)
        found = self.copies.setdefault((to, message), alone)
        if found is not alone:
            self.copies[to, message] = copies = found if isinstance(found, Copies) else Copies(*found)
            copies.add(sender)
            copies.sent_at = event

    def take(self, sender: ProcessId | None, to: ProcessId, message: Message) -> bool:
        """Receives one copy if there is one, of `sender` if named."""
        key = (to, message)
        found = self.copies.pop(key, None)
        if found is None:
            return False
        if not isinstance(found, Copies):
            if sender is None or sender == found[0]:
                return True
            self.copies[key] = found
            return False
        self.copies[key] = found
        if sender is not None and not found.of(sender):
            return False
        found.take(sender)
        if found.left == 0:
            del self.copies[key]
        return True

    drop = take

    def to(self, to: ProcessId) -> list[tuple[Message, Event | None]]:
        """All that is in flight to one process: for explanations, and for receives that leave a field out; it scans."""
        return [
            (message, found.sent_at if isinstance(found, Copies) else found[1])
            for (end, message), found in self.copies.items()
            if end == to
        ]


class EverSent:
    """All that was ever sent: where messages may be doubled, each of them may arrive at any time, any number of times.

    What was sent long ago takes a bit or two (`compact_sets.py`), filed by recipient, and by recipient and sender.
    """

    def __init__(self) -> None:
        self.recent: dict[tuple[ProcessId, Message], dict[ProcessId, Event]] = {}
        self.filed = False
        """Whether `to` no longer knows all: some of it is filed."""
        self.rare: dict[tuple[ProcessId, Message], dict[ProcessId, Event]] = {}
        self.about_slots = Archive(Ledger())
        self.proposes: dict[ProcessId, Archive] = {}
        """By sender: replicas propose different commands for one slot."""
        self.numbered = Once()
        self.results: dict[tuple[ProcessId, int], object] = {}
        """Of responses, by client and cid: replicas agree on them."""

    def put(self, sender: ProcessId, to: ProcessId, message: Message, event: Event) -> None:
        """The message may arrive from now on."""
        self.recent.setdefault((to, message), {})[sender] = event
        if len(self.recent) > 2 * RECENT:
            for key in list(islice(self.recent, RECENT)):
                self._file(*key, self.recent.pop(key))
            self.filed = True

    def _file(self, to: ProcessId, message: Message, senders: dict[ProcessId, Event]) -> None:
        for sender in senders:
            if isinstance(message, Propose):
                self.proposes.setdefault(sender, Archive(Ledger())).add(to, message.slot, message.command)
            elif isinstance(message, P2a | Decision):
                for family in ((message.kind, to), (message.kind, to, _without_slot(sender))):
                    self.about_slots.add(family, message.slot, message.command)
            elif isinstance(message, P2b):
                self.numbered.add((_without_slot(to), message), to.slot)
            elif isinstance(message, Request):
                self.numbered.add((to, message.command._replace(cid=0)), message.command.cid)
            elif isinstance(message, Response) and self.results.setdefault((to, message.cid), message.result) == message.result:
                self.numbered.add((to, sender), message.cid)
            else:
                self.rare.setdefault((to, message), {}).update(senders)

    def take(self, sender: ProcessId | None, to: ProcessId, message: Message) -> bool:
        """Whether it was sent, by `sender` if named."""
        for known in (self.recent, self.rare):
            senders = known.get((to, message))
            if senders is not None and (sender is None or sender in senders):
                return True
        if undetermined(message):
            return False  # what is filed is found by what it says
        if isinstance(message, Propose):
            senders_filed = self.proposes if sender is None else (sender,)
            return any(self.proposes[each].has(to, message.slot, message.command) for each in senders_filed if each in self.proposes)
        if isinstance(message, P2a | Decision):
            family = (message.kind, to) if sender is None else (message.kind, to, _without_slot(sender))
            return self.about_slots.has(family, message.slot, message.command)
        if isinstance(message, P2b):
            return self.numbered.seen((_without_slot(to), message), to.slot)
        if isinstance(message, Response):
            known_result = (to, message.cid) in self.results and self.results[to, message.cid] == message.result
            return known_result and (sender is None or self.numbered.seen((to, sender), message.cid))
        return isinstance(message, Request) and self.numbered.seen((to, message.command._replace(cid=0)), message.command.cid)

    drop = take

    def filed_like(self, to: ProcessId, pattern: Any) -> list[Message] | None:
        """What `to` does not know, of that which a receive with unrecorded fields may be; None where that cannot be told."""
        if isinstance(pattern, P2a | Decision) and pattern.slot is not UNKNOWN:
            commands = self.about_slots.commands((pattern.kind, to), pattern.slot)
            return [replace(pattern, command=command) for command in commands] if pattern.command is UNKNOWN else []
        return None if isinstance(pattern, P2a | Decision | Propose | P2b | Request | Response) else []

    def to(self, to: ProcessId) -> list[tuple[Message, Event | None]]:
        """What was sent to one process lately: for explanations, and for receives that leave a field out."""
        known = (*self.recent.items(), *self.rare.items())
        return [(message, next(iter(senders.values()))) for (end, message), senders in known if end == to]


def _without_slot(process: ProcessId) -> ProcessId:
    """The commanders of one ballot are filed together: their messages say the slot."""
    return process._replace(slot=0)


class Ordered:
    """Each pair's messages arrive in the order in which they were sent; loss makes gaps, duplication repeats."""

    def __init__(self, duplicates: bool, loses: bool) -> None:
        self.duplicates, self.loses = duplicates, loses
        self.queues: dict[tuple[ProcessId, ProcessId], deque[tuple[Message, Event]]] = {}
        self.last: dict[tuple[ProcessId, ProcessId], Message] = {}

    def put(self, sender: ProcessId, to: ProcessId, message: Message, event: Event) -> None:
        """The message goes to the end of the pair's queue."""
        self.queues.setdefault((sender, to), deque()).append((message, event))

    def take(self, sender: ProcessId | None, to: ProcessId, message: Message) -> bool:
        """Receives the next message, after a gap where messages may be lost, or again where they may be doubled."""
        if sender is None:
            raise Ambiguous("a receive does not name its sender (from=) on a network that keeps order")
        pair = (sender, to)
        if self.duplicates and self.last.get(pair) == message:
            return True
        queue = self.queues.get(pair)
        if not queue:
            return False
        if queue[0][0] != message and not (self.loses and any(each == message for each, _ in queue)):
            return False
        while queue.popleft()[0] != message:
            pass
        if not queue:
            del self.queues[pair]
        if self.duplicates:
            self.last[pair] = message
        return True

    def drop(self, sender: ProcessId | None, to: ProcessId, message: Message) -> bool:
        """Takes one copy out of the middle."""
        if sender is None:
            raise Ambiguous("a drop does not name its sender (from=) on a network that keeps order")
        queue = self.queues.get((sender, to))
        for index, (each, _) in enumerate(queue or ()):
            if each == message and queue is not None:
                del queue[index]
                return True
        return False

    def to(self, to: ProcessId) -> list[tuple[Message, Event | None]]:
        """All that is in flight to one process, each pair's next first."""
        return [(message, event) for (_, end), queue in self.queues.items() if end == to for message, event in queue]


InFlight = Unordered | EverSent | Ordered


def in_flight(duplicates: bool, loses: bool, ordered: bool) -> InFlight:
    """The network that a trace assumes."""
    if ordered:
        return Ordered(duplicates, loses)
    return EverSent() if duplicates else Unordered()
