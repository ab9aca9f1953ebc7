"""Deliveries that change nothing but the recipient, and what that saves, where delivered messages stay.

Such a delivery leads to those states in which the message is on its way, so it restricts a set; most images are made for that.

Several messages may do the same to a process in some state: any answer with another ballot ends a commander. Then one event asks for
one of them (`Events.event`, `either`), instead of one event for each.

If all ways into a value restrict, from values that restrict another one, the states with it are among those that the other one had:
whoever waits for two answers and has one is where it could be without. We say that the value is *within* the other. What leads from
both to the same, by the same message, need not be fired from the inner one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from pmmc_check.checker.symbolic.events import Events


class Delivering(NamedTuple):
    """What some deliveries to a process with the value `before` have in common: the values that it may have afterwards, and the
    functions of other levels, those of the messages left out."""

    level: int
    before: int
    after: tuple[int, ...]
    others: tuple[tuple[int, int], ...]


class Restrictions:
    """Gives values their events. Every way into a value is told: by `add`, or by `enters_freely`."""

    def __init__(self, events: Events) -> None:
        self.events = events
        self._outer: dict[int, int | None] = {}
        self._messages: dict[Delivering, dict[int, int]] = defaultdict(dict)
        self._given: dict[Delivering, int] = {}
        self._spared: dict[int, list[tuple[Delivering, int, int]]] = defaultdict(list)
        self._functions: dict[tuple[int, tuple[int, ...]], int] = {}
        self._entered: set[tuple[int, int]] = set()

    def outward(self, value: int) -> Iterator[int]:
        """The values that a value is within, the nearest first."""
        while (outer := self._outer.get(value)) is not None:
            yield outer
            value = outer

    def enters_freely(self, value: int) -> None:
        """A value is met that need not be within any other."""
        self._move(value, None)

    def enters_by_restriction(self, before: int, value: int) -> None:
        """A delivery that does nothing else leads from one value to another."""
        if value not in self._outer:
            self._outer[value] = before
        elif before != value:
            around = {before, *self.outward(before)}
            self._move(value, next((each for each in self.outward(value) if each in around), None))

    def add(self, change: Delivering, message: int, function: int) -> None:
        """From now on `change` happens where level `message` is not absent; `function` takes it from there."""
        if message in self._messages[change]:
            return
        if any(message in self._messages.get(change._replace(before=outer), ()) for outer in self.outward(change.before)):
            self._spared[change.before].append((change, message, function))
            return
        self._messages[change][message] = function
        if change in self._given:
            self.events.retire(self._given[change])
        key = (change.level, change.after)
        own = self._functions[key] = self._functions.get(key) or self.events.function(is_open=False)
        if (own, change.before) not in self._entered:
            self._entered.add((own, change.before))
            self.events.enter(own, change.before, change.after)
        event = self.events.event({change.level: own, **dict(change.others)}, either=self._messages[change])
        self._given[change] = self.events.give(change.before, event)

    def _move(self, value: int, outer: int | None) -> None:
        """A value is no longer within those that it was, but `outer` and further ones: what was spared may have to be fired."""
        before, self._outer[value] = self._outer.get(value), outer
        if before == outer:
            return
        for inner in [each for each in self._spared if each == value or value in self.outward(each)]:
            for spared in self._spared.pop(inner):
                self.add(*spared)
