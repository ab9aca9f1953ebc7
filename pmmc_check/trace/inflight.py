"""What is on its way in a replayed run, under the trace's network assumptions.

Without order: the set of messages sent (with duplication), or how many copies are left of each (without). With order: a queue for each
pair. `take` asks whether a message can be received now; messages appear when their send is replayed, so False means "not yet".

Taking is greedy and never wrong: copies are identical; in a queue the earliest match leaves the most behind it. A receive that does not say
who sent it may take anybody's copy. Where named and unnamed receives compete for copies, or order is kept and the sender unnamed,
greed could go wrong: `Ambiguous` is raised and the trace is judged by search.
"""

from __future__ import annotations

from collections import deque

from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import ProcessId
from pmmc_check.trace.events import Event


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
        """One copy more."""
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
        """One copy less."""
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
    """No order is kept between any two messages."""

    def __init__(self, duplicates: bool) -> None:
        self.duplicates = duplicates
        self.copies: dict[tuple[ProcessId, Message], Copies] = {}

    def put(self, sender: ProcessId, to: ProcessId, message: Message, event: Event) -> None:
        """One copy more."""
        new = Copies(sender, event)
        copies = self.copies.setdefault((to, message), new)
        if copies is not new:
            copies.add(sender)
            copies.sent_at = event

    def take(self, sender: ProcessId | None, to: ProcessId, message: Message) -> bool:
        """Receives one copy if there is one, of `sender` if named."""
        if self.duplicates:
            copies = self.copies.get((to, message))
            return copies is not None and (sender is None or copies.of(sender) > 0)
        key = (to, message)
        copies = self.copies.pop(key, None)
        if copies is None:
            return False
        if copies.left == 1 and copies.senders is None and (sender is None or sender == copies.sender):
            return True
        self.copies[key] = copies
        if sender is not None and not copies.of(sender):
            return False
        copies.take(sender)
        if copies.left == 0:
            del self.copies[key]
        return True

    drop = take

    def to(self, to: ProcessId) -> list[tuple[Message, Event | None]]:
        """All that is in flight to one process: for explanations only, it scans."""
        return [(message, copies.sent_at) for (end, message), copies in self.copies.items() if end == to]


class Ordered:
    """Each pair's messages arrive in the order in which they were sent; loss makes gaps, duplication repeats."""

    def __init__(self, duplicates: bool, loses: bool) -> None:
        self.duplicates, self.loses = duplicates, loses
        self.queues: dict[tuple[ProcessId, ProcessId], deque[tuple[Message, Event]]] = {}
        self.last: dict[tuple[ProcessId, ProcessId], Message] = {}

    def put(self, sender: ProcessId, to: ProcessId, message: Message, event: Event) -> None:
        """At the end of the pair's queue."""
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


InFlight = Unordered | Ordered


def in_flight(duplicates: bool, loses: bool, ordered: bool) -> InFlight:
    """For a trace's network assumptions."""
    return Ordered(duplicates, loses) if ordered else Unordered(duplicates)
