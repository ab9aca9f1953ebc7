"""Leaves the paper's one free choice to the log: which request a replica proposes.

`propose()` picks **any** request for a slot. How many it picks and for which slots does not depend on which ones, and nothing else in the
step depends on it either, because picking comes last. So a replica's step is run once with requests that give out stand-ins, and the
log's propose events say afterwards what each stand-in is: no branching, however many requests wait, and no look-ahead in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from pmmc_check.protocol.replica import ReplicaState
from pmmc_check.protocol.values import CLIENT, Command, ProcessId, SlotCommand

_NOBODY = ProcessId(CLIENT, 0)


def is_chosen(command: Command) -> bool:
    """Whether this is a command and no stand-in."""
    return command.client.number != 0


class OpenRequests(frozenset[Command]):
    """Requests of which `taken` are proposed, though the log has not said yet which."""

    taken: int
    serial: int

    def __new__(cls, items: Iterable[Command] = (), taken: int = 0, serial: int = 0) -> OpenRequests:
        """`serial` keeps stand-ins apart."""
        self = super().__new__(cls, items)
        self.taken, self.serial = taken, serial
        return self

    def __len__(self) -> int:
        return frozenset.__len__(self) - self.taken

    def __iter__(self) -> Iterator[Command]:
        """One stand-in, in the place of any of the requests."""
        if len(self):
            yield Command(_NOBODY, self.serial, "")

    def __or__(self, others: Iterable[Any]) -> OpenRequests:
        added = [command for command in others if command not in self]
        if not added:
            return self
        return OpenRequests((*frozenset.__iter__(self), *added), self.taken, self.serial)

    def __sub__(self, others: Iterable[Any]) -> OpenRequests:
        """Only what was given out is ever taken."""
        return OpenRequests(frozenset.__iter__(self), self.taken + 1, self.serial + 1)

    def members(self) -> frozenset[Command]:
        """All requests, the taken ones too while it is open which they are."""
        return frozenset(frozenset.__iter__(self))


def chosen(state: ReplicaState, slot: int, command: Command) -> ReplicaState | None:
    """The state once the log says that the stand-in for `slot` is `command`; None if that was no request."""
    requests = state.requests
    assert isinstance(requests, OpenRequests), "replay gives replicas open requests"
    if command not in requests:
        return None
    left = OpenRequests(requests.members() - {command}, requests.taken - 1, requests.serial)
    entries = frozenset(entry for entry in state.proposals if entry.slot != slot)
    return replace(state, requests=left, proposals=entries | {SlotCommand(slot, command)})
