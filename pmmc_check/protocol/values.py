"""The values of PMMC (section 2 of the paper): process identities, ballots, commands and pvalues.

All are tuples: immutable, hashable, equal by value, and ordered where the paper orders them. They print as
the paper, or a trace, writes them: `A1`, `0.L1`, `c1`, `(0.L1, 1, c1)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

CLIENT, REPLICA, LEADER, ACCEPTOR, SCOUT, COMMANDER = "client", "replica", "leader", "acceptor", "scout", "commander"
FAULTS = "faults"
"""No role of the protocol: the model's own process, which holds the budget of crashes and restarts."""
ROLES = (CLIENT, REPLICA, LEADER, SCOUT, COMMANDER, ACCEPTOR)
"""The six roles, in the order in which reports list them."""

_LETTER = {CLIENT: "C", REPLICA: "R", LEADER: "L", ACCEPTOR: "A", FAULTS: "F"}


class Ballot(NamedTuple):
    """A ballot number `(round, leader)`, ordered lexicographically. `leader` is the leader's number, from 1."""

    round: int
    leader: int

    def __str__(self) -> str:
        return "⊥" if self.round < 0 else f"{self.round}.L{self.leader}"


BOTTOM = Ballot(-1, 0)
"""⊥, below every ballot."""


class ProcessId(NamedTuple):
    """Names one process.

    `number` counts from 1 within the role; for a scout or commander it is the number of its leader, and `round`
    (and `slot`) complete the ballot that identifies it.
    """

    role: str
    number: int
    round: int = 0
    slot: int = 0

    @property
    def ballot(self) -> Ballot:
        """The ballot of a scout or commander."""
        return Ballot(self.round, self.number)

    def __str__(self) -> str:
        if self.role == SCOUT:
            return f"scout({self.ballot})"
        if self.role == COMMANDER:
            return f"commander({self.ballot},{self.slot})"
        return f"{_LETTER[self.role]}{self.number}"


new_tuple: Any = tuple.__new__
"""Makes a named tuple of all its fields, without what its own constructor does in Python; for what is made for every step."""


def scout_id(ballot: Ballot) -> ProcessId:
    """The scout of `ballot`: there is at most one."""
    scout: ProcessId = new_tuple(ProcessId, (SCOUT, ballot.leader, ballot.round, 0))
    return scout


def commander_id(ballot: Ballot, slot: int) -> ProcessId:
    """The commander of `(ballot, slot)`: there is at most one."""
    commander: ProcessId = new_tuple(ProcessId, (COMMANDER, ballot.leader, ballot.round, slot))
    return commander


def leader_id(ballot: Ballot) -> ProcessId:
    """The leader that owns `ballot`."""
    return ProcessId(LEADER, ballot.leader)


def host_of(process: ProcessId) -> ProcessId:
    """Where a process runs: a scout and a commander with the leader that created it, every other by itself."""
    return ProcessId(LEADER, process.number) if process.role in (SCOUT, COMMANDER) else process


class Reconfigure(NamedTuple):
    """The operation of a command that replaces the leaders, WINDOW slots later (section 2.1 of the paper).

    Each leader belongs to one set of acceptors, so the acceptors change with the leaders. It sorts behind all other operations.
    """

    leaders: tuple[ProcessId, ...]

    def __lt__(self, other: object) -> bool:
        return isinstance(other, Reconfigure) and self.leaders < other.leaders

    def __gt__(self, other: object) -> bool:
        return isinstance(other, str) or (isinstance(other, Reconfigure) and self.leaders > other.leaders)

    def __str__(self) -> str:
        return "reconfigure(" + ",".join(map(str, self.leaders)) + ")"


class Command(NamedTuple):
    """A command `(client, cid, operation)`; `cid` is the client's own number for it."""

    client: ProcessId
    cid: int
    operation: str | Reconfigure

    @property
    def is_internal(self) -> bool:
        """Whether it is about the protocol itself, so that no application performs it: a reconfiguration, or the no-op."""
        return isinstance(self.operation, Reconfigure) or self == NOOP

    def __str__(self) -> str:
        if self == NOOP:
            return "noop"
        return f"c{self.client.number}" if self.cid == 1 else f"c{self.client.number}:{self.cid}"


NOBODY = ProcessId(CLIENT, 0)
"""The client of a command that no client has requested."""

NOOP = Command(NOBODY, 0, "")
"""The no-op: what a leader may propose for a slot without anybody's request. It may be decided in many slots, and is never performed."""


class SlotCommand(NamedTuple):
    """A command in a slot: an element of the paper's `proposals` and `decisions`."""

    slot: int
    command: Command

    def __str__(self) -> str:
        return f"({self.slot}, {self.command})"


class PValue(NamedTuple):
    """`(ballot, slot, command)`: what an acceptor accepts."""

    ballot: Ballot
    slot: int
    command: Command

    def __str__(self) -> str:
        return f"({self.ballot}, {self.slot}, {self.command})"


Proposals = frozenset[SlotCommand]


def majority(total: int) -> int:
    """The least number that is more than half of `total`."""
    return total // 2 + 1


def pmax(pvalues: Iterable[PValue]) -> tuple[Proposals, ...]:
    """The paper's `pmax`: for every slot the command of the pvalue with the highest ballot.

    Invariant A4 makes the result unique. Where a faulty role breaks A4 the paper leaves the choice open, so every
    choice is returned.
    """
    best: dict[int, tuple[Ballot, frozenset[Command]]] = {}
    for ballot, slot, command in pvalues:
        highest, commands = best.get(slot, (BOTTOM, frozenset()))
        if ballot > highest:
            best[slot] = (ballot, frozenset({command}))
        elif ballot == highest:
            best[slot] = (ballot, commands | {command})
    choices: tuple[Proposals, ...] = (frozenset(),)
    for slot, (_, commands) in best.items():
        choices = tuple(chosen | {SlotCommand(slot, command)} for chosen in choices for command in commands)
    return choices


def update(old: Proposals, new: Proposals) -> Proposals:
    """The paper's `old ◁ new`: `new`, completed by the entries of `old` whose slot `new` lacks."""
    taken = {slot for slot, _ in new}
    return new | {entry for entry in old if entry.slot not in taken}
