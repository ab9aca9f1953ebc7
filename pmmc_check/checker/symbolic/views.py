"""The system whose values are the views of `checker.tables`: a level for each process, an event for each thing that a step may send."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from pmmc_check.checker.kernel import REFUSED
from pmmc_check.checker.symbolic.events import Events, Stopped
from pmmc_check.checker.tables import Tables, ViewId
from pmmc_check.protocol.values import FAULTS

Pattern = tuple[tuple[int, int], ...]
"""What a step does to others: (process, bundle)."""
_RECEIVE, _MOVE = 1, 3
"""Two open functions for each bundle: what a view becomes, and the same without the views that it does not change."""


class TableStep(NamedTuple):
    """A step of the tables from a view; when it `stays`, it is none where no recipient's view changes."""

    number: int
    view: ViewId
    stays: bool


class Sending(NamedTuple):
    """All steps of one process that send the same: `function` is what they do to the process's own view, `fired` the events that make
    them up. `counted` is one event with the same functions, of which one may ask how many states it is possible in."""

    function: int
    fired: tuple[int, ...]
    counted: int


class ViewSystem:
    """Steps of views as events.

    `order` lists the processes, that of the highest level first. All steps of one process that send the same are one
    event; its own part is a closed function from views to views, and each recipient's is an open one, `receive`.
    `steps` lists the steps by the event in which they are counted, `broken` the views from which a process by itself breaks an invariant.

    A step that halts is none where no recipient's view changes. That is no product of functions, but a union: for each
    recipient the event that must change it.
    """

    def __init__(self, tables: Tables, order: Sequence[int], events: Events) -> None:
        self.tables = tables
        self.order = tuple(order)
        self.events = events
        self.level = {process: len(order) - place for place, process in enumerate(order)}
        self.steps: dict[int, list[TableStep]] = defaultdict(list)
        self.broken: list[ViewId] = []
        self._sendings: dict[tuple[int, Pattern, bool], Sending] = {}
        self._senders: dict[int, tuple[int, Pattern]] = {}
        self._received: set[tuple[ViewId, int]] = set()

    def explore(self, value: ViewId) -> None:
        """Makes the events of the steps of a view.

        Raises:
            Stopped: from here the process by itself breaks an invariant.
        """
        tables = self.tables
        tables.fill_view(value)
        if tables.broken.data[value]:
            self.broken.append(value)
            raise Stopped
        process = int(tables.owner.data[value])
        after: dict[Sending, dict[ViewId, None]] = defaultdict(dict)
        for step in range(*tables.step_range.data[value].tolist()):
            view, halts = int(tables.step_view.data[step]), bool(tables.step_halts.data[step])
            sending = self._sending(process, self._pattern(step), halts)
            after[sending][view] = None
            self.steps[sending.counted].append(TableStep(step, value, view == value or halts))
        for sending, views in after.items():
            self.events.enter(sending.function, value, views)
            if self._is_top(process, self._senders[sending.counted][1]):
                for event in sending.fired:
                    self.events.give(value, event)

    def apply(self, function: int, value: ViewId) -> None:
        """What a view is after a bundle has reached it."""
        bundle = function >> 2
        if (value, bundle) in self._received:
            return
        self._received.add((value, bundle))
        view = self.tables.receive(value, bundle)
        after = () if view == REFUSED else (view,)
        self.events.enter(4 * bundle + _RECEIVE, value, after)
        self.events.enter(4 * bundle + _MOVE, value, [each for each in after if each != value])

    def level_of(self, event: int) -> int:
        """The level of the process that acts."""
        return self.level[self._senders[event][0]]

    def may_refuse(self, event: int) -> bool:
        """Whether a recipient may refuse: only the budget of faults does."""
        processes = self.tables.model.processes
        return any(processes[to].role == FAULTS for to, _ in self._senders[event][1])

    def _pattern(self, step: int) -> Pattern:
        items = range(*self.tables.step_items.data[step].tolist())
        return tuple((int(self.tables.item_process.data[item]), int(self.tables.item_bundle.data[item])) for item in items)

    def _is_top(self, process: int, pattern: Pattern) -> bool:
        return all(self.level[to] < self.level[process] for to, _ in pattern)

    def _sending(self, process: int, pattern: Pattern, halts: bool) -> Sending:
        key = (process, pattern, halts)
        if key not in self._sendings:
            function = 2 * self.events.event.size
            counted = self._event(process, pattern, function)
            self._senders[counted] = (process, pattern)
            fired = tuple(self._event(process, pattern, function, to) for to, _ in pattern) if halts else (counted,)
            if not self._is_top(process, pattern):
                for event in fired:
                    self.events.share(max(self.level[each] for each in (process, *dict(pattern))), event)
            self._sendings[key] = Sending(function, fired, counted)
        return self._sendings[key]

    def _event(self, process: int, pattern: Pattern, function: int, must_move: int = -1) -> int:
        receive = {self.level[to]: 4 * bundle + (_MOVE if to == must_move else _RECEIVE) for to, bundle in pattern}
        return self.events.add({self.level[process]: function, **receive})
