"""Replicas that propose when they like: `propose()` is a step of its own, as the header's `proposals=lazy` says.

What such a replica proposes, and when, its log tells; a proposal must be of a request that waits, for the next slot without a decision, in
the window, and goes to the leaders of that slot. A command that has lost its slot waits again, and is proposed again at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from pmmc_check.protocol.role import Outcome, replace
from pmmc_check.protocol.values import Command
from pmmc_check.validation.lazy_replica import LazyReplica
from pmmc_check.validation.replay.in_place import InPlaceReplica


class RequestsInHand:
    """Requests that wait, in a set that changes in place; where `copies` count, one that comes twice waits twice."""

    __slots__ = ("_counts", "copies")

    def __init__(self, copies: bool) -> None:
        self._counts: dict[Command, int] = {}
        self.copies = copies

    def __len__(self) -> int:
        return len(self._counts)

    def __contains__(self, command: object) -> bool:
        return command in self._counts

    def __iter__(self) -> Iterator[Command]:
        return iter(self._counts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RequestsInHand):
            return NotImplemented
        return self._counts == other._counts

    def __hash__(self) -> int:
        return hash(frozenset(self._counts.items()))

    def __or__(self, others: Iterable[Command]) -> RequestsInHand:
        for command in others:
            self._counts[command] = self._counts.get(command, 0) + 1 if self.copies else 1
        return self

    def __sub__(self, others: Iterable[Command]) -> RequestsInHand:
        for command in others:
            if self._counts.get(command, 0) > 1:
                self._counts[command] -= 1
            else:
                self._counts.pop(command, None)
        return self

    def members(self) -> Collection[Command]:
        """All of them, in order of arrival."""
        return self._counts.keys()


class InPlaceLateReplica(LazyReplica, InPlaceReplica):
    """The lazy replica with growing sets: its log says when it proposes what."""

    copies = False
    """Whether copies of one request are proposed each."""

    def start(self, command: Command | None = None) -> Outcome:
        """Starts as the replica does."""
        state, sends = super().start(command)
        requests: Any = RequestsInHand(self.copies)
        return Outcome(replace(state, requests=requests), sends)


class InPlaceListReplica(InPlaceLateReplica):
    """The same, where copies of a request that waits are proposed each."""

    copies = True
