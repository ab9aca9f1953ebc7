"""Where the level of a message goes: the size of a diagram depends on it by orders of magnitude."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import fields
from typing import Any

from pmmc_check.checker.symbolic.events import Events
from pmmc_check.model.model import Model
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import BOTTOM, Ballot, ProcessId


class Placing:
    """Each process's level is followed by those of the messages that it, or a process above it, exchanges with it.

    So a message is always below its recipient. Within a block those that the process sends come first, with the highest ballots and the
    largest sets at the top: what an acceptor has accepted grows, so each message that was sent bounds those that can have been sent
    before. Messages that differ in their recipient only are neighbours.
    """

    def __init__(self, model: Model, events: Events, level: Mapping[int, int]) -> None:
        self.model = model
        self.events = events
        self.level = level
        self._blocks: dict[int, list[tuple[Any, int]]] = defaultdict(list)

    def part(self, sender: ProcessId, message: int) -> Hashable:
        """Which messages to a process share a level: those that are part of the same where the network keeps order, else none."""
        return message if self.model.network.may_withhold else self.model.network.part(sender, message)

    def place(self, process: int, sender: ProcessId | None, message: Message, level: int) -> int:
        """The place in `Events.ascending` for a new level, of a message to `process`."""
        heads = [self.level[process]]
        if sender is not None:
            heads.append(self.level[self.model.index[sender]])
        head = min(heads, key=self.events.height)
        block = self._blocks[head]
        key = (head != self.level[process], _ballot(message), _size(message), self.model.content.order(message), process, level)
        at = bisect_left(block, (key, level))
        below = self.events.height(head) - len(block)
        block.insert(at, (key, level))
        return below + at


def _ballot(message: Message) -> Ballot:
    """The ballot that a message tells, if it tells one."""
    told = getattr(message, "ballot", BOTTOM)
    return told if isinstance(told, Ballot) else BOTTOM


def _size(value: Any) -> int:
    """How many elements all sets in a message have."""
    if isinstance(value, frozenset):
        return len(value)
    if isinstance(value, Message):
        return sum(_size(getattr(value, field.name)) for field in fields(value))
    return 0
