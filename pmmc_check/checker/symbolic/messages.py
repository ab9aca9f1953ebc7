"""The system with a level for each process's state and a level for each message: a view is never put together.

With a level for each view, a process that collects messages has as many values as there are sets of them. Here a message on its way is
a value of a level of its own: present or absent where the network duplicates, a count where it does not, and a queue for each sender
where it keeps order (`Network.part`). A delivery is still a product: what the acting process's state becomes, the part that gives the
message up, and a part or a state for each thing that is sent.

Which messages there will be is not known beforehand, so their levels are sparse, and made when a message is first sent. Whether
a process in some state can be given some message is found out by a *probe*, an event that changes nothing: only when it comes upon a
reachable state of both is the role asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from pmmc_check.checker.counterexample import Move
from pmmc_check.checker.local_steps import NO_MESSAGES, History, LocalOutcome, LocalSteps, MessageId, StateId
from pmmc_check.checker.result import Action
from pmmc_check.checker.symbolic.collect import POSSIBLE, STAYS
from pmmc_check.checker.symbolic.events import FULL, SAME, Events, Stopped
from pmmc_check.checker.symbolic.layout import FOR_ANYTHING, FOR_SOMETHING, MOVES, RELABELS
from pmmc_check.checker.symbolic.measure import Measure, ValueCounts
from pmmc_check.checker.symbolic.notes import Breaking, Notes, Way
from pmmc_check.checker.symbolic.placing import Placing
from pmmc_check.checker.symbolic.restrictions import Delivering, Restrictions
from pmmc_check.checker.tables import Path, PathDelivery
from pmmc_check.model.faults import Drop
from pmmc_check.model.network import Inbox
from pmmc_check.properties.checks import Violated
from pmmc_check.properties.observe import Fact, observe
from pmmc_check.protocol.messages import Instant
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import FAULTS, REPLICA, ProcessId

PUT, TAKE, TEST, HAPPEN = range(4)
"""What a step does on another level: a message is sent, delivered or lost, must be deliverable, or takes effect at once."""


class Operation(NamedTuple):
    """One of these, of a message and whom it is from; None where the network does not tell."""

    what: int
    message: MessageId
    sender: ProcessId | None


class LocalValue(NamedTuple):
    """What a value of a process's own level is."""

    process: int
    state: StateId
    history: History


class PartValue(NamedTuple):
    """What a value of a message's level is."""

    level: int
    inbox: Inbox


class Possible(NamedTuple):
    """`value` can take a step of kind `action`; it may be none, where it changes nothing else (`stays`)."""

    value: int
    action: Action
    stays: bool


class ProcessEvent(NamedTuple):
    """The steps of one process that do the same to all others: `own` is what they do to its own state, `others` the rest by level."""

    process: int
    number: int
    own: int
    others: dict[int, int]


class MessageSystem:
    """Single deliveries as events. `order` lists the processes, that of the highest level first.

    `possible` lists, for each event, which values can take it; `probes` are the events that look out for more. What breaks an
    invariant stops the exploration, unless there are `notes` for it."""

    def __init__(self, locals_: LocalSteps, order: Sequence[int], events: Events, notes: Notes | None = None) -> None:
        self.locals = locals_
        self.model = locals_.model
        self.network = self.model.network
        self.events = events
        self.level = {process: events.add_level(place) for place, process in enumerate(reversed(order), 1)}
        self.values: list[LocalValue | PartValue] = []
        self.notes = notes
        self.broken: list[Violated] = []
        self.probes: list[int] = []
        self.possible: dict[int, list[Possible]] = defaultdict(list)
        self.known: dict[int, ProcessEvent] = {}
        self._restrictions = Restrictions(events) if events.closes and self.network.keeps_delivered else None
        self._placing = Placing(self.model, events, self.level)
        self._numbers: dict[LocalValue | PartValue, int] = {}
        self._parts: dict[tuple[int, Hashable], int] = {}
        self._process_of: dict[int, int] = {level: process for process, level in self.level.items()}
        self._functions: dict[tuple[int, tuple[Operation, ...]], int] = {}
        self._operations: dict[int, tuple[Operation, ...]] = {}
        self._probes: dict[int, tuple[int, int, Operation]] = {}
        self._probed: set[tuple[int, int, MessageId]] = set()
        self._events: dict[tuple[int, tuple[tuple[int, int], ...]], ProcessEvent] = {}

    @property
    def violated(self) -> Violated | None:
        """What a process by itself breaks, where that has stopped the exploration."""
        return self.broken[0] if self.broken else None

    def initial(self) -> dict[int, int]:
        """The value of each level in the initial state; levels that are left out are absent."""
        found: dict[int, int] = {}
        inboxes: dict[int, Inbox] = {}
        for process, view in enumerate(self.model.initial()):
            self.locals.history({message for message, _ in self.network.contents(view.inbox)})  # numbers them by content
            state = LocalValue(process, self.locals.state_id(process, view.state), self.locals.history(view.history))
            found[self.level[process]] = self._number(state)
            if self._restrictions:
                self._restrictions.enters_freely(found[self.level[process]])
        for to, sender, message in self.model.sent_at_first():
            if not isinstance(message, Instant):
                number = self.locals.message_id(message)
                level = self._sent(self.model.index[to], sender, number)
                inboxes[level] = self.network.put(inboxes.get(level, self.network.empty), sender, number)
        return found | {level: self._number(PartValue(level, inbox)) for level, inbox in inboxes.items()}

    def explore(self, value: int) -> None:
        """Makes the events of what may befall a process in a state without a message.

        Raises:
            Stopped: the state breaks an invariant.
        """
        process, state, _ = self._local(value)
        if violated := self.locals.violated(state):
            self._broken(violated, value, {}, None)
        identity = self.model.processes[process]
        for fault in self.model.fault_steps(identity, self.locals.states[state][1]):
            self._step(value, [self.locals.message_id(fault)], None, {})

    def apply(self, function: int, value: int) -> None:
        """Makes the entry of an open function.

        Raises:
            Stopped: a step breaks an invariant.
        """
        if function in self._probes:
            process, level, given = self._probes[function]
            for outer in self._restrictions.outward(value) if self._restrictions else ():
                if self.events.entry(function, outer) is None:
                    self.apply(function, outer)
            self.events.enter(function, value, ())
            self._delivered(process, level, value, given)
        else:
            self.events.enter(function, value, self._after(value, self._operations[function]))

    def facts(self, level: int, value: int) -> tuple[ProcessId, frozenset[Fact]]:
        """What invariants observe of a value, and of which process."""
        process = self._process_of[level]
        identity = self.model.processes[process]
        content = self.values[value]
        if isinstance(content, LocalValue):
            return identity, self.locals.facts(content.state, NO_MESSAGES, content.history)
        if identity.role != REPLICA:
            return identity, frozenset()
        messages = [self.locals.messages[message] for message, _ in self.network.contents(content.inbox)]
        facts = observe(identity, Lifecycle.EXITED, messages, ())  # not what is held: at an end nothing is on its way
        return identity, frozenset(fact for fact in facts if fact.kind in self.locals.checks.observed_kinds)

    def ends(self, level: int, value: int) -> bool:
        """Whether no step is one of a part with this value, where nothing crashes: all but messages on their way."""
        return isinstance(self.values[value], LocalValue) or value == self.events.absent(level)

    def local_state(self, value: int) -> Any:
        """The state of a process with this value; None for what is no process's."""
        content = self.values[value]
        return self.locals.states[content.state][1] if isinstance(content, LocalValue) else None

    def fired(self) -> list[int]:
        """The events that are steps."""
        return list(self.known)

    def work(self) -> int:
        """How many counts `taken` makes."""
        return len(self.possible)

    def taken(self, measure: Measure, watch: Callable[[], None]) -> tuple[Counter[Action], Counter[Action]]:
        """In how many states each kind of step can be taken; a step that changes nothing is none. `watch` is called now and then, and
        may raise."""
        counts: Counter[Action] = Counter()
        given: dict[tuple[int, tuple[tuple[int, int], ...]], ValueCounts] = {}
        for number, (event, possible) in enumerate(self.possible.items()):
            if number % 16 == 15:
                watch()
            process, _, _, others = self.known[event]
            level = self.level[process]
            asked = {at: function for at, function in others.items() if self._limits(at, function)}
            key = (level, tuple(asked.items()))
            if key not in given:
                given[key] = measure.states_with(level, asked, POSSIBLE)
            can = given[key]
            stays = measure.states_with(level, others, STAYS) if any(each.stays for each in possible) else None
            for each in possible:
                counts[each.action] += can.of(each.value) - (stays.of(each.value) if stays is not None and each.stays else 0)
        return +counts, Counter()

    def _limits(self, level: int, function: int) -> bool:
        """Whether a function can have no value: where something is taken, or the budget of faults is asked."""
        return any(
            each.what in (TAKE, TEST) or self.model.processes[self._process_of[level]].role == FAULTS for each in self._operations[function]
        )

    def _local(self, value: int) -> LocalValue:
        content = self.values[value]
        assert isinstance(content, LocalValue)
        return content

    def _number(self, content: LocalValue | PartValue) -> int:
        if content not in self._numbers:
            self._numbers[content] = len(self.values)
            self.events.widen(len(self.values))
            self.values.append(content)
        return self._numbers[content]

    def _broken(self, violated: Violated, value: int, take: dict[int, list[Operation]], last: Path | None) -> None:
        if self.notes is None:
            self.broken.append(violated)
            raise Stopped
        process = self._local(value).process
        parts = [(number, each.level) for number, each in enumerate(self.values) if isinstance(each, PartValue)]
        where = {level: [part for part, at in parts if at == level and self._after(part, given)] for level, given in take.items()}
        self.notes.breaking.append(Breaking({self.level[process]: [value], **where}, Move(process, last) if last else None))

    def _sent(self, process: int, sender: ProcessId, message: MessageId) -> int:
        """The level of the part of a process's inbox where a message goes, made with the first that goes there."""
        key = (process, self._placing.part(sender, message))
        if key not in self._parts:
            level = self.events.levels + 1
            absent = self._number(PartValue(level, self.network.empty))
            made = self.events.add_level(self._placing.place(process, sender, self.locals.messages[message], level), absent)
            assert made == level
            self._parts[key] = level
            self._process_of[level] = process
        level = self._parts[key]
        self._probe(process, PartValue(level, self.network.put(self.network.empty, sender, message)), message)
        return level

    def _probe(self, process: int, sent: PartValue, message: MessageId) -> None:
        """From now on it is looked out for states in which `message` can be delivered to `process`; `sent` is this message alone."""
        level = sent.level
        if (process, level, message) in self._probed:
            return
        self._probed.add((process, level, message))
        function = self.events.function(is_open=True)
        sender = next(self.network.deliverable(sent.inbox)).sender
        test = Operation(TAKE if self.network.keeps_delivered else TEST, message, sender)
        self._probes[function] = (process, level, test)
        if self.network.keeps_delivered:  # the machine need not ask for these entries: see `layout.FOR_ANYTHING`
            for value in (self.events.absent(level), self._number(sent)):
                self.apply(self._function(level, [test]), value)
        own = self.level[process]
        together = {own: function, level: self._function(level, [test])}
        self.probes.append(self.events.event(together, MOVES if self.network.keeps_delivered else RELABELS))
        self.events.share(own, self.probes[-1])

    def _function(self, level: int, operations: Sequence[Operation]) -> int:
        key = (level, tuple(operations))
        if key not in self._functions:
            self._functions[key] = self.events.function(is_open=True)
            self._operations[self._functions[key]] = key[1]
            if operations[0].what in (TAKE, TEST):
                alone = self.network.keeps_delivered and all(each.what == TAKE for each in operations)
                self.events.asks[self._functions[key]] = FOR_ANYTHING if alone else FOR_SOMETHING
        return self._functions[key]

    def _after(self, value: int, operations: Sequence[Operation]) -> list[int]:
        """What a value is after these operations; nothing where one is not possible."""
        content = self.values[value]
        for each in operations:
            changed = self._happened(content, each) if isinstance(content, LocalValue) else self._moved(content, each)
            if changed is None:
                return []
            content = changed
        after = self._number(content)
        if self._restrictions and isinstance(content, LocalValue):
            self._restrictions.enters_freely(after)
        return [after]

    def _happened(self, before: LocalValue, given: Operation) -> LocalValue | None:
        assert given.sender is not None
        happened = self.locals.happened(before.process, before.state, given.message, self.model.index[given.sender])
        return None if happened is None else LocalValue(before.process, happened[0], before.history | happened[1])

    def _moved(self, part: PartValue, given: Operation) -> PartValue | None:
        if given.what == PUT:
            assert given.sender is not None
            return part._replace(inbox=self.network.put(part.inbox, given.sender, given.message))
        for message, rest, sender in self.network.deliverable(part.inbox):
            if (message, sender) == (given.message, given.sender):
                return part if given.what == TEST else part._replace(inbox=rest)
        return None

    def _delivered(self, process: int, level: int, value: int, given: Operation) -> None:
        """Makes the events of giving a process in some state a message, or of losing it."""
        state = self.locals.states[self._local(value).state][1]
        happens = [] if isinstance(state, Crashed) else [given.message]
        if self.network.may_lose:
            happens.append(self.locals.message_id(Drop(self.locals.messages[given.message])))
        self._step(value, happens, given.sender, {level: [given._replace(what=TAKE)]})

    def _step(self, value: int, happens: Iterable[MessageId], sender: ProcessId | None, take: dict[int, list[Operation]]) -> None:
        """Makes the events of all outcomes of what may happen to a process in some state, each of which takes the same."""
        process, state, history = self._local(value)
        after: dict[int, dict[int, None]] = defaultdict(dict)
        for message in happens:
            for outcome in self.locals.outcomes(state, message):
                path = Path((PathDelivery(message, outcome.choice, sender),))
                if outcome.violated:
                    self._broken(outcome.violated, value, take, path)
                moved = self._number(LocalValue(process, outcome.state, history | outcome.recorded))
                unchanged = moved == value and (self.network.keeps_delivered or not take)
                if unchanged and not outcome.bundles and not outcome.to_itself:
                    continue
                number = self._event(process, self._others(process, outcome, take)).number
                after[number][moved] = None
                action = Action(self.model.processes[process].role, self.locals.messages[message].kind)
                self.possible[number].append(Possible(value, action, unchanged))
                if self.notes:
                    self.notes.ways[process, moved].append(Way(number, value, path))
        for number, values in after.items():
            self._fire(self.known[number], value, tuple(values), take)

    def _fire(self, event: ProcessEvent, before: int, after: tuple[int, ...], take: Collection[int]) -> None:
        """From now on an event leads from a value to others."""
        own = self.level[event.process]
        others = tuple((level, function) for level, function in event.others.items() if level not in take)
        if self._restrictions:
            for value in after:
                if take and not others:
                    self._restrictions.enters_by_restriction(before, value)
                else:
                    self._restrictions.enters_freely(value)
            if (
                take
                and all(self.events.height(level) > max(map(self.events.height, take)) for level, _ in others)
                and self._home(event) == own
            ):
                for level in take:
                    self._restrictions.add(Delivering(own, before, after, others), level, event.others[level])
                return
        self.events.enter(event.own, before, after)
        if self._home(event) == own:
            self.events.give(before, event.number)

    def _others(self, process: int, outcome: LocalOutcome, take: dict[int, list[Operation]]) -> dict[int, list[Operation]]:
        """What an outcome does on each level but the process's own."""
        others = {level: list(operations) for level, operations in take.items()}
        bundles = [(to, self.locals.bundles[bundle]) for to, bundle in outcome.bundles]
        for to, items in sorted([*bundles, *([(process, outcome.to_itself)] if outcome.to_itself else [])]):
            for sender, message in items:
                identity = self.model.processes[sender]
                if isinstance(self.locals.messages[message], Instant):
                    others.setdefault(self.level[to], []).append(Operation(HAPPEN, message, identity))
                    continue
                others.setdefault(self._sent(to, identity, message), []).append(Operation(PUT, message, identity))
        return others

    def _event(self, process: int, others: dict[int, list[Operation]]) -> ProcessEvent:
        functions = {level: self._function(level, operations) for level, operations in others.items()}
        key = (process, tuple(functions.items()))
        if key not in self._events:
            own = self.events.function(is_open=False)
            home = max(self._full_above(level) for level in (self.level[process], *functions))
            together = {self.level[process]: own, **functions}
            full = self.events.ascending[home]
            together.setdefault(full, SAME)
            event = ProcessEvent(process, self.events.event(together), own, functions)
            self._events[key] = self.known[event.number] = event
            if full != self.level[process]:
                self.events.share(full, event.number)
        return self._events[key]

    def _home(self, event: ProcessEvent) -> int:
        return int(self.events.part.data[event.number, 0])

    def _full_above(self, level: int) -> int:
        """The height of the lowest full level that is no lower than `level`."""
        height = self.events.height(level)
        while self.events.absent(self.events.ascending[height]) != FULL:
            height += 1
        return height
