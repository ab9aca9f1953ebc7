"""What a network means: how an inbox takes in a message and gives it up (convention 5 of the protocol page).

An inbox holds all that is on the way to one process, so a network is local to each recipient. Messages are opaque
here: the model puts `Message` objects in, the compiled search small integers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Set
from typing import Any, NamedTuple

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.protocol.values import ProcessId

Inbox = Any
"""Immutable and hashable; its form is the network's own affair."""


class Deliverable(NamedTuple):
    """A message that may be delivered now, and the inbox that remains; `sender` where the network tells senders apart."""

    message: Any
    rest: Inbox
    sender: ProcessId | None = None


class Network:
    """One network. `explanation` says what it allows, in a user's words."""

    name: str
    explanation: str
    may_withhold: bool
    """Whether a message may stay undelivered for ever without holding up others (what the halting reduction needs)."""
    may_lose: bool = False
    """Whether a step may lose a message."""
    keeps_delivered: bool
    """Whether an inbox still shows a message after its delivery."""

    empty: Inbox

    def put(self, inbox: Inbox, sender: ProcessId, message: Any) -> Inbox:
        """The inbox after `message` from `sender` was sent to its owner."""
        raise NotImplementedError

    def deliverable(self, inbox: Inbox) -> Iterator[Deliverable]:
        """Each message that may be delivered now."""
        raise NotImplementedError

    def losses(self, inbox: Inbox) -> Iterator[Deliverable]:
        """Each message that the network may lose now, in a step of its own; none on most networks."""
        return iter(())

    def ahead_of(self, inbox: Inbox, message: Any, sender: ProcessId | None) -> list[Any]:
        """The messages that must be delivered before `message` from `sender` can be."""
        return []

    def mapped(self, inbox: Inbox, change: Callable[[Any], Any]) -> Inbox:
        """The inbox with `change(message)` in the place of each message; `change` is one to one."""
        raise NotImplementedError

    def contents(self, inbox: Inbox) -> Iterator[tuple[Any, Hashable]]:
        """Each message in the inbox once, with what distinguishes its place there (a count, a position)."""
        raise NotImplementedError

    def messages(self, inbox: Inbox) -> frozenset[Any]:
        """The messages in the inbox."""
        return frozenset([message for message, _ in self.contents(inbox)])

    def without(self, inbox: Inbox, useless: Set[Any]) -> Inbox:
        """The inbox without the messages that are `useless`."""
        raise NotImplementedError

    def part(self, sender: ProcessId, message: Hashable) -> Hashable:
        """To which part of an inbox a message belongs. What a network does to one part never depends on the others."""
        return message

    def parts(self, inbox: Inbox) -> dict[Hashable, Inbox]:
        """The parts that are not empty, each an inbox by itself."""
        return {entry[0]: frozenset({entry}) for entry in inbox}


class Duplicating(Network):
    """The set of all messages ever sent."""

    name = "duplicating"
    explanation = "every message may be delivered at any time, any number of times, or never (loss, duplication, reordering)"
    may_withhold = True
    keeps_delivered = True
    empty: Inbox = frozenset()

    def put(self, inbox: frozenset[Any], sender: ProcessId, message: Any) -> Inbox:
        """Adds to the set."""
        return inbox if message in inbox else inbox | {message}

    def deliverable(self, inbox: frozenset[Any]) -> Iterator[Deliverable]:
        """Every message, which stays."""
        return (Deliverable(message, inbox) for message in inbox)

    def mapped(self, inbox: frozenset[Any], change: Callable[[Any], Any]) -> Inbox:
        """Applies `change` to every message."""
        return frozenset(map(change, inbox))

    def contents(self, inbox: frozenset[Any]) -> Iterator[tuple[Any, Hashable]]:
        """The messages; places mean nothing in a set."""
        return ((message, 1) for message in inbox)

    def parts(self, inbox: frozenset[Any]) -> dict[Hashable, Inbox]:
        """A part for each message."""
        return {message: frozenset({message}) for message in inbox}

    def messages(self, inbox: frozenset[Any]) -> frozenset[Any]:
        """The inbox is what is in it."""
        return inbox

    def without(self, inbox: frozenset[Any], useless: Set[Any]) -> Inbox:
        """The subset that remains."""
        return inbox if inbox.isdisjoint(useless) else inbox - useless


class Reliable(Network):
    """A multiset of messages in flight, as a set of (message, count)."""

    name = "reliable"
    explanation = "every message is delivered at most once, none is lost or doubled, in any order"
    may_withhold = True
    keeps_delivered = False
    empty: Inbox = frozenset()

    def put(self, inbox: frozenset[tuple[Any, int]], sender: ProcessId, message: Any) -> Inbox:
        """Adds one copy of `message`."""
        for entry in inbox:
            if entry[0] == message:
                return (inbox - {entry}) | {(message, entry[1] + 1)}
        return inbox | {(message, 1)}

    def deliverable(self, inbox: frozenset[tuple[Any, int]]) -> Iterator[Deliverable]:
        """Every message; one of it is taken out."""
        for message, count in inbox:
            rest = inbox - {(message, count)}
            yield Deliverable(message, rest | {(message, count - 1)} if count > 1 else rest)

    def mapped(self, inbox: frozenset[tuple[Any, int]], change: Callable[[Any], Any]) -> Inbox:
        """Applies `change` to every message; the counts stay."""
        return frozenset((change(message), count) for message, count in inbox)

    def contents(self, inbox: frozenset[tuple[Any, int]]) -> Iterator[tuple[Any, Hashable]]:
        """Each message with its count."""
        return iter(inbox)

    def without(self, inbox: frozenset[tuple[Any, int]], useless: Set[Any]) -> Inbox:
        """All copies of these messages go."""
        dropped = {entry for entry in inbox if entry[0] in useless}
        return inbox - dropped if dropped else inbox


class Lossy(Reliable):
    """A multiset that may also lose one message in a step."""

    name = "lossy"
    may_lose = True
    explanation = "every message is delivered at most once, in any order, and may be lost"

    def losses(self, inbox: frozenset[tuple[Any, int]]) -> Iterator[Deliverable]:
        """The network may lose any message."""
        return self.deliverable(inbox)


class Fifo(Network):
    """A queue for each sender, as a set of (sender, messages); only the first of a queue can be delivered."""

    name = "fifo"
    explanation = "every message is delivered at most once, none is lost, in the order in which one process sent them to another"
    may_withhold = False
    keeps_delivered = False
    empty: Inbox = frozenset()

    def put(self, inbox: frozenset[tuple[ProcessId, tuple[Any, ...]]], sender: ProcessId, message: Any) -> Inbox:
        """Behind what `sender` sent before."""
        for entry in inbox:
            if entry[0] == sender:
                return (inbox - {entry}) | {(sender, (*entry[1], message))}
        return inbox | {(sender, (message,))}

    def deliverable(self, inbox: frozenset[tuple[ProcessId, tuple[Any, ...]]]) -> Iterator[Deliverable]:
        """The first of each queue, sender by sender."""
        for sender, queue in sorted(inbox, key=lambda entry: entry[0]):
            rest = inbox - {(sender, queue)}
            yield Deliverable(queue[0], rest | {(sender, queue[1:])} if len(queue) > 1 else rest, sender)

    def ahead_of(self, inbox: frozenset[tuple[ProcessId, tuple[Any, ...]]], message: Any, sender: ProcessId | None) -> list[Any]:
        """What is before it in its queue."""
        queue = dict(inbox)[sender]  # type: ignore[index]
        return list(queue[: queue.index(message)])

    def part(self, sender: ProcessId, message: Hashable) -> Hashable:
        """One for each sender."""
        return sender

    def contents(self, inbox: frozenset[tuple[ProcessId, tuple[Any, ...]]]) -> Iterator[tuple[Any, Hashable]]:
        """Each message with its sender and its position in the queue."""
        return ((message, (sender, position)) for sender, queue in inbox for position, message in enumerate(queue))

    def mapped(self, inbox: frozenset[tuple[ProcessId, tuple[Any, ...]]], change: Callable[[Any], Any]) -> Inbox:
        """Applies `change` to senders and messages; the order stays."""
        return frozenset((sender, tuple(map(change, queue))) for sender, queue in inbox)

    def without(self, inbox: frozenset[tuple[ProcessId, tuple[Any, ...]]], useless: Set[Any]) -> Inbox:
        """Also from the middle of a queue: delivering a message without effect can hold up others, but never for good."""
        kept = ((sender, tuple(message for message in queue if message not in useless)) for sender, queue in inbox)
        return frozenset(entry for entry in kept if entry[1])


NETWORKS: dict[str, Network] = {network.name: network for network in (Duplicating(), Reliable(), Lossy(), Fifo())}


def network_named(name: str) -> Network:
    """The network called `name`.

    Raises:
        UsageError: there is none.
    """
    if name not in NETWORKS:
        raise UsageError(f"--network {name}: no such network{did_you_mean(name, NETWORKS)}; choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name]
