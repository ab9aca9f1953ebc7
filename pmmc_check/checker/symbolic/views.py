"""The system whose values are the views of `checker.tables`: a level for each process, an event for each thing that a step may send."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pmmc_check.checker.symbolic.events import Events
from pmmc_check.checker.tables import REFUSED, Tables, ViewId

Pattern = tuple[tuple[int, int], ...]
"""What a step does to others: (process, bundle)."""


class ViewSystem:
    """Steps of views as events.

    `order` lists the processes, that of the highest level first. All steps of one process that send the same are one
    event; its own part is a closed function from views to views, and each recipient's is an open one, `receive`.
    """

    def __init__(self, tables: Tables, order: Sequence[int], events: Events) -> None:
        self.tables = tables
        self.order = tuple(order)
        self.events = events
        self.level = {process: len(order) - place for place, process in enumerate(order)}
        self.senders: dict[int, tuple[int, Pattern]] = {}
        self._known: dict[tuple[int, Pattern], int] = {}
        self._applied: set[tuple[int, int]] = set()

    def explore(self, value: ViewId) -> None:
        """Makes the events of the steps of a view."""
        tables = self.tables
        tables.fill_view(value)
        process = int(tables.owner.data[value])
        after: dict[Pattern, dict[ViewId, None]] = defaultdict(dict)
        for step in range(*tables.step_range.data[value].tolist()):
            after[self.pattern(step)][int(tables.step_view.data[step])] = None
        for pattern, views in after.items():
            event = self._event(process, pattern)
            self.events.enter(2 * event, value, views)
            if self._is_top(process, pattern):
                self.events.give(value, event)

    def apply(self, function: int, value: ViewId) -> None:
        """What a view is after a bundle has reached it."""
        received = self.tables.receive(value, function >> 1)
        self.events.enter(function, value, () if received == REFUSED else (received,))

    def pattern(self, step: int) -> Pattern:
        """What a step sends."""
        items = range(*self.tables.step_items.data[step].tolist())
        return tuple((int(self.tables.item_process.data[item]), int(self.tables.item_bundle.data[item])) for item in items)

    def _is_top(self, process: int, pattern: Pattern) -> bool:
        return all(self.level[to] < self.level[process] for to, _ in pattern)

    def _event(self, process: int, pattern: Pattern) -> int:
        key = (process, pattern)
        event = self._known.get(key)
        if event is None:
            number = self.events.event.size
            functions = {self.level[process]: 2 * number, **{self.level[to]: 2 * bundle + 1 for to, bundle in pattern}}
            event = self._known[key] = self.events.add(functions)
            self.senders[event] = key
            if not self._is_top(process, pattern):
                self.events.share(max(functions), event)
        return event
