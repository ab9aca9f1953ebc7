"""What a network means: how an inbox takes in a message and gives it up (convention 5 of the protocol page).

An inbox holds all that is on the way to one process, so a network is local to each recipient. Messages are opaque
here: the model puts `Message` objects in, the compiled search small integers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import ProcessId

Inbox = Any
"""Immutable and hashable; its form is the network's own affair."""


class Network:
    """One network. `explanation` says what it allows, in a user's words."""

    name: str
    explanation: str
    may_withhold: bool
    """Whether a message may stay undelivered for ever without holding up others (what the halting reduction needs)."""
    keeps_delivered: bool
    """Whether an inbox still shows a message after its delivery."""

    empty: Inbox

    def put(self, inbox: Inbox, sender: ProcessId, message: Any) -> Inbox:
        """The inbox after `message` from `sender` was sent to its owner."""
        raise NotImplementedError

    def deliverable(self, inbox: Inbox) -> Iterator[tuple[Any, Inbox]]:
        """Each message that may be delivered now, with the inbox that remains."""
        raise NotImplementedError

    def contents(self, inbox: Inbox) -> Iterator[tuple[Any, Hashable]]:
        """Each message in the inbox once, with what distinguishes its place there (a count, a position)."""
        raise NotImplementedError

    def without(self, inbox: Inbox, useless: Callable[[Any], bool]) -> Inbox:
        """The inbox without the messages that are `useless`."""
        raise NotImplementedError


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

    def deliverable(self, inbox: frozenset[Any]) -> Iterator[tuple[Any, Inbox]]:
        """Every message, which stays."""
        return ((message, inbox) for message in inbox)

    def contents(self, inbox: frozenset[Any]) -> Iterator[tuple[Any, Hashable]]:
        """A set has no places."""
        return ((message, 1) for message in inbox)

    def without(self, inbox: frozenset[Any], useless: Callable[[Any], bool]) -> Inbox:
        """The subset."""
        dropped = {message for message in inbox if useless(message)}
        return inbox - dropped if dropped else inbox


class Reliable(Network):
    """A multiset of messages in flight, as a set of (message, count)."""

    name = "reliable"
    explanation = "every message is delivered at most once, none is lost or doubled, in any order"
    may_withhold = True
    keeps_delivered = False
    empty: Inbox = frozenset()

    def put(self, inbox: frozenset[tuple[Any, int]], sender: ProcessId, message: Any) -> Inbox:
        """One more of `message`."""
        for entry in inbox:
            if entry[0] == message:
                return (inbox - {entry}) | {(message, entry[1] + 1)}
        return inbox | {(message, 1)}

    def deliverable(self, inbox: frozenset[tuple[Any, int]]) -> Iterator[tuple[Any, Inbox]]:
        """Every message; one of it is taken out."""
        for message, count in inbox:
            rest = inbox - {(message, count)}
            yield message, rest | {(message, count - 1)} if count > 1 else rest

    def contents(self, inbox: frozenset[tuple[Any, int]]) -> Iterator[tuple[Any, Hashable]]:
        """Each message with its count."""
        return iter(inbox)

    def without(self, inbox: frozenset[tuple[Any, int]], useless: Callable[[Any], bool]) -> Inbox:
        """All copies go."""
        dropped = {entry for entry in inbox if useless(entry[0])}
        return inbox - dropped if dropped else inbox


NETWORKS: dict[str, Network] = {network.name: network for network in (Duplicating(), Reliable())}


def network_named(name: str) -> Network:
    """The network called `name`.

    Raises:
        UsageError: there is none.
    """
    if name not in NETWORKS:
        raise UsageError(f"--network {name}: no such network; choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name]
