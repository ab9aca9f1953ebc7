"""Projections: what of a local state, a message or a process is left when one looks at one slot only, and calls things by other names.

A projection is made of four parts, each of which may be absent:

- one slot is kept and becomes slot 1: pvalues, proposals, decisions and commanders of other slots disappear;
- commands are mapped, several to one if need be;
- ballots are mapped, one to one and in order, and with them scouts, commanders and the leader who owns the ballot;
- all replicas become the first.

It works on values of any shape that a state or message may have. Where a value is about nothing that is left, it is `GONE`: it leaves
the sets and sequences that it is in, and becomes None where a field or a tuple must hold something. Numbers stay as they are, slots held
as bare numbers included: what depends on them differs after projection, so a premise fails rather than passing by mistake.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pmmc_check.protocol.messages import Decision, P2a, Propose
from pmmc_check.protocol.role import Send
from pmmc_check.protocol.values import (
    COMMANDER,
    LEADER,
    REPLICA,
    SCOUT,
    Ballot,
    Command,
    ProcessId,
    PValue,
    SlotCommand,
)


class _Gone(Enum):
    GONE = "gone"


GONE = _Gone.GONE
"""In the place of what a projection leaves nothing of."""


@dataclass(frozen=True)
class Projection:
    """One projection. `slot` None keeps all slots; an atom that a mapping does not name stays."""

    slot: int | None = None
    commands: Mapping[Command, Command] = field(default_factory=dict)
    ballots: Mapping[Ballot, Ballot] = field(default_factory=dict)
    one_replica: bool = False
    _known: dict[tuple[type, Hashable], Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def renames_leaders(self) -> bool:
        """Whether leaders have other names after projection: one for each of their ballots."""
        return bool(self.ballots)

    def of(self, value: Any) -> Any:
        """What is left of `value`."""
        key = (type(value), value)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._image(value)
        return known[0]

    def leader(self, leader: ProcessId, ballot: Ballot | None) -> ProcessId:
        """What a leader is called while it uses `ballot`."""
        renamed = self.ballots.get(ballot) if ballot else None
        return ProcessId(LEADER, renamed.leader) if renamed else leader

    def sends(self, sends: tuple[Send, ...], own: Ballot | None = None) -> frozenset[Send]:
        """What is left of what a process sends; `own` is the ballot that it uses, where it uses one."""
        left = set()
        for to, message in sends:
            recipient = self.leader(to, own) if to.role == LEADER else self.of(to)
            image = self.of(message)
            if GONE not in (recipient, image):
                left.add(Send(recipient, image))
        return frozenset(left)

    def _image(self, value: Any) -> tuple[Any]:
        """In a tuple of one, so that None and GONE can be looked up like all else."""
        if isinstance(value, Ballot):
            return (self.ballots.get(value, value),)
        if isinstance(value, Command):
            return (self.commands.get(value, value),)
        if isinstance(value, ProcessId):
            return (self._process(value),)
        if isinstance(value, PValue | SlotCommand | Propose | P2a | Decision) and self.slot is not None:
            if value.slot != self.slot:
                return (GONE,)
            moved = value._replace(slot=1) if isinstance(value, tuple) else dataclasses.replace(value, slot=1)
            return (self._parts(moved),)
        return (self._parts(value),)

    def _process(self, process: ProcessId) -> Any:
        if process.role == REPLICA and self.one_replica:
            return process._replace(number=1)
        if process.role == COMMANDER and self.slot is not None:
            if process.slot != self.slot:
                return GONE
            process = process._replace(slot=1)
        if process.role in (SCOUT, COMMANDER) and self.ballots:
            ballot = self.ballots.get(process.ballot, process.ballot)
            return process._replace(number=ballot.leader, round=ballot.round)
        return process

    def _parts(self, value: Any) -> Any:
        if isinstance(value, frozenset):
            return frozenset(image for image in map(self.of, value) if image is not GONE)
        if isinstance(value, tuple):
            images = [self.of(part) for part in value]
            if not hasattr(value, "_fields"):
                return tuple(image for image in images if image is not GONE)
            make: Any = type(value)
            return make(*(None if image is GONE else image for image in images))
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            changed = {each.name: self.of(getattr(value, each.name)) for each in dataclasses.fields(value)}
            return type(value)(**{name: None if image is GONE else image for name, image in changed.items()})
        return value
