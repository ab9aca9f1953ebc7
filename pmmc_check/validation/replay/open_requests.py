"""Leaves the paper's one free choice to the log: which request a replica proposes.

`propose()` picks **any** request for a slot. How many it picks, and for which slots, does not depend on which ones, and nothing else in the
step depends on it either, because picking comes last. So a replica's step is run once with requests that give out stand-ins, and the
propose events of the log say afterwards what each stand-in is. There is no branching, however many requests wait, and no look-ahead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from pmmc_check.protocol.replica import ReplicaState
from pmmc_check.protocol.role import replace
from pmmc_check.protocol.values import Command, SlotCommand
from pmmc_check.trace.events import stand_in


class OpenRequests:
    """Requests of which `taken` are proposed, though the log has not said yet which.

    Versions share one table, as those of `in_place.GrowingPValues` do, so a step costs what it changes. Only the newest version may be
    used: a replay has one outcome for each step and never goes back.
    """

    __slots__ = ("_table", "serial", "taken")

    def __init__(self, table: dict[Command, None], taken: int = 0, serial: int = 1) -> None:
        self._table, self.taken, self.serial = table, taken, serial

    def __len__(self) -> int:
        return len(self._table) - self.taken

    def __contains__(self, command: object) -> bool:
        return command in self._table

    def __iter__(self) -> Iterator[Command]:
        """One stand-in, in the place of any of the requests."""
        if len(self):
            yield stand_in(self.serial)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OpenRequests):
            return NotImplemented
        return (self._table, self.taken, self.serial) == (other._table, other.taken, other.serial)

    def __hash__(self) -> int:
        return hash((frozenset(self._table), self.taken, self.serial))

    def __or__(self, others: Iterable[Command]) -> OpenRequests:
        for command in others:
            self._table[command] = None
        return self

    def __sub__(self, others: Iterable[Command]) -> OpenRequests:
        """Only what was given out is ever taken."""
        return OpenRequests(self._table, self.taken + 1, self.serial + 1)

    def without(self, command: Command) -> OpenRequests:
        """One of the taken requests is `command`."""
        del self._table[command]
        return OpenRequests(self._table, self.taken - 1, self.serial)

    def members(self) -> Collection[Command]:
        """All requests in order of arrival, the taken ones too while it is open which they are."""
        return self._table.keys()


def resolved(state: ReplicaState, proposal: SlotCommand, command: Command) -> ReplicaState | None:
    """The state once the log says that the stand-in in `proposal` is `command`; None if that was no request."""
    requests: Any = state.requests
    if command not in requests:
        return None
    proposals = state.proposals - {proposal} | {SlotCommand(proposal.slot, command)}
    return replace(state, requests=requests.without(command), proposals=proposals)
