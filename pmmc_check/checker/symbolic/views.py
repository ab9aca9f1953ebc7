"""The system whose values are the views of `checker.tables`: a level for each process, an event for each thing that a step may send."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pmmc_check.checker.chains import REFUSED
from pmmc_check.checker.counterexample import Move
from pmmc_check.checker.coverage import put_off_in_states, taken_from
from pmmc_check.checker.result import Action
from pmmc_check.checker.symbolic.collect import POSSIBLE, STAYS
from pmmc_check.checker.symbolic.events import Events, Stopped
from pmmc_check.checker.symbolic.measure import Measure
from pmmc_check.checker.symbolic.notes import Breaking, Notes, Way
from pmmc_check.checker.tables import Tables, ViewId
from pmmc_check.properties.checks import Violated
from pmmc_check.properties.observe import Fact
from pmmc_check.protocol.values import FAULTS, ProcessId

Pattern = tuple[tuple[int, int], ...]
"""What a step does to others: (process, bundle)."""


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
    `steps` lists the steps by the event in which they are counted, `broken` the views from which a process by itself breaks an
    invariant. That stops the exploration, unless there are `notes` for it.

    A step that halts is none where no recipient's view changes. That is no product of functions, but a union: for each
    recipient the event that must change it.
    """

    def __init__(self, tables: Tables, order: Sequence[int], events: Events, notes: Notes | None = None) -> None:
        self.tables = tables
        self.locals = tables.locals
        self.order = tuple(order)
        self.events = events
        self.level = {process: events.add_level(place) for place, process in enumerate(reversed(order), 1)}
        self.steps: dict[int, list[TableStep]] = defaultdict(list)
        self.notes = notes
        self.broken: list[ViewId] = []
        self.probes: list[int] = []
        self._sendings: dict[tuple[int, Pattern, bool], Sending] = {}
        self._senders: dict[int, tuple[int, Pattern]] = {}
        self._receiving: dict[int, tuple[int, int]] = {}
        self._bundles: dict[int, int] = {}

    def explore(self, value: ViewId) -> None:
        """Makes the events of the steps of a view.

        Raises:
            Stopped: from here the process by itself breaks an invariant.
        """
        tables = self.tables
        tables.fill_view(value)
        if tables.broken.data[value]:
            self._break(value)
        process = int(tables.owner.data[value])
        after: dict[Sending, dict[ViewId, None]] = defaultdict(dict)
        for step in range(*tables.step_range.data[value].tolist()):
            view, halts = int(tables.step_view.data[step]), bool(tables.step_halts.data[step])
            sending = self._sending(process, self._pattern(step), halts)
            after[sending][view] = None
            self.steps[sending.counted].append(TableStep(step, value, view == value or halts))
            if self.notes:
                self.notes.ways[process, view].append(Way(sending.counted, value, tables.paths[step]))
        for sending, views in after.items():
            self.events.enter(sending.function, value, views)
            if self._is_top(process, self._senders[sending.counted][1]):
                for event in sending.fired:
                    self.events.give(value, event)

    def apply(self, function: int, value: ViewId) -> None:
        """What a view is after a bundle has reached it."""
        bundle = self._bundles[function]
        view = self.tables.receive(value, bundle)
        receive, move = self._receiving[bundle]
        if self.events.entry(receive, value) is None:
            self.events.enter(receive, value, () if view == REFUSED else (view,))
            self.events.enter(move, value, () if view in (REFUSED, value) else (view,))

    @property
    def violated(self) -> Violated | None:
        """What a process by itself breaks, where that has stopped the exploration."""
        return self.tables.broken_by[self.broken[0]].violated if self.broken else None

    def initial(self) -> dict[int, int]:
        """The value of each level in the initial state."""
        vector = self.tables.state_of(self.tables.model.initial())
        return {self.level[process]: view for process, view in enumerate(vector)}

    def facts(self, level: int, value: ViewId) -> tuple[ProcessId, frozenset[Fact]]:
        """What invariants observe of a view, and whose it is."""
        return self.tables.model.processes[self.order[-level]], self.tables.facts(value)

    def ends(self, level: int, value: ViewId) -> bool:
        """Whether no step is taken from a view, one that has been explored."""
        first, last = self.tables.step_range.data[value].tolist()
        return bool(first == last)

    def local_state(self, value: ViewId) -> Any:
        """The state of a process with this view."""
        return self.locals.states[self.tables.views[value].state][1]

    def fired(self) -> list[int]:
        """The events that are steps."""
        return list(self.steps)

    def work(self) -> int:
        """How many counts `taken` makes."""
        return len(self.steps)

    def taken(self, measure: Measure, watch: Callable[[], None]) -> tuple[Counter[Action], Counter[Action]]:
        """In how many states each kind of step can be taken, and how many deliveries are put off. A step that changes nothing is none,
        and one that somebody refuses cannot be taken. `watch` is called now and then, and may raise."""
        tables = self.tables
        taken: Any = np.zeros(tables.step_view.size, object)
        marginals = {process: measure.states_with(level) for process, level in self.level.items()}
        for number, (event, steps) in enumerate(self.steps.items()):
            if number % 16 == 15:
                watch()
            process, pattern = self._senders[event]
            others = {level: function for level, function in self.events.functions(event).items() if level != self.level[process]}
            may_refuse = any(tables.model.processes[to].role == FAULTS for to, _ in pattern)
            possible = measure.states_with(self.level[process], others, POSSIBLE) if may_refuse else marginals[process]
            stays = measure.states_with(self.level[process], others, STAYS) if any(each.stays for each in steps) else None
            for each in steps:
                taken[each.number] = possible.of(each.view) - (stays.of(each.view) if stays is not None and each.stays else 0)
        views = {view: marginals[int(tables.owner.data[view])].of(view) for view in tables.put_off}
        return taken_from(tables, taken), put_off_in_states(tables, views)

    def _break(self, view: ViewId) -> None:
        if self.notes is None:
            self.broken.append(view)
            raise Stopped
        process, path = int(self.tables.owner.data[view]), self.tables.broken_by[view].path
        self.notes.breaking.append(Breaking({self.level[process]: [view]}, Move(process, path) if path.deliveries else None))

    def _pattern(self, step: int) -> Pattern:
        items = range(*self.tables.step_items.data[step].tolist())
        return tuple((int(self.tables.item_process.data[item]), int(self.tables.item_bundle.data[item])) for item in items)

    def _is_top(self, process: int, pattern: Pattern) -> bool:
        return all(self.level[to] < self.level[process] for to, _ in pattern)

    def _sending(self, process: int, pattern: Pattern, halts: bool) -> Sending:
        key = (process, pattern, halts)
        if key not in self._sendings:
            function = self.events.function(is_open=False)
            counted = self._event(process, pattern, function)
            self._senders[counted] = (process, pattern)
            fired = tuple(self._event(process, pattern, function, to) for to, _ in pattern) if halts else (counted,)
            if not self._is_top(process, pattern):
                for event in fired:
                    self.events.share(max(self.level[each] for each in (process, *dict(pattern))), event)
            self._sendings[key] = Sending(function, fired, counted)
        return self._sendings[key]

    def _event(self, process: int, pattern: Pattern, function: int, must_move: int = -1) -> int:
        receive = {self.level[to]: self._receive(bundle)[to == must_move] for to, bundle in pattern}
        return self.events.event({self.level[process]: function, **receive})

    def _receive(self, bundle: int) -> tuple[int, int]:
        """Two open functions: what a view becomes, and the same without the views that the bundle does not change."""
        if bundle not in self._receiving:
            self._receiving[bundle] = (self.events.function(is_open=True), self.events.function(is_open=True))
            self._bundles.update(dict.fromkeys(self._receiving[bundle], bundle))
        return self._receiving[bundle]
