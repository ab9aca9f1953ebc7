"""Views and their steps as integer tables: what the compiled kernel looks up.

A view (local state, inbox, history) is interned to an integer; a global state is one such integer for each process.
The kernel meets a view or a (view, bundle) pair that has no entry yet, reports it, and `fill_view` or `fill_receive`
computes the entry once. Tables only grow.

    owner[v]            the process (its number) that v is a view of
    step_range[v]       the steps of view v in the step arrays; -1: not filled yet
    step_view[s]        the acting process's view after step s
    step_items[s]       the range of (process, bundle) that reach other processes
    step_weight[s]      how many deliveries the step stands for (deferral makes it more than one)
    step_halts[s]       the step's own effect is only that the process exits
    step_alone[s]       whether the step may be taken alone (`checker.commuting`): `NOT_ALONE`, `ALONE`, or which process must have exited
    has_alone[v]        whether some step of v may be, or that is not decided yet
    exited[v]           whether v is the view of a process that has exited
    fingerprints[v, g]  the digest of view v's image under renaming g
    observed[v, slot]   a digest of what invariants observe of v about the slot; 0 when nothing. One more column, where an
                        invariant is asked of all slots at once, for all that it observes
    bounded[v]          a digest of what state constraints read of v
    broken[v]           1 + the deliveries after which v, by internal steps, breaks an invariant of its own; 0 when it never does

With deferral, filling a view walks all local states that its internal steps lead to (breadth first, so weights are
least), and its steps are the visible steps of all of them. Why that loses nothing is told in `checker.reductions`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import chains, kernel
from pmmc_check.checker.fact_digests import FactDigests
from pmmc_check.checker.growing import Growing
from pmmc_check.checker.local_steps import NO_MESSAGES, BundleId, History, LocalOutcome, LocalSteps, MessageId, StateId
from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import Action
from pmmc_check.checker.view_digests import ViewDigests
from pmmc_check.model.content import Digest
from pmmc_check.model.faults import Drop, only_stops
from pmmc_check.model.model import State
from pmmc_check.model.network import Deliverable, Inbox
from pmmc_check.properties.checks import Violated
from pmmc_check.properties.observe import Fact
from pmmc_check.protocol.messages import Instant
from pmmc_check.protocol.values import ProcessId

ViewId = int
NOT_FILLED = -1
EMPTY_KEY = 0
INTERNAL_VIEWS_MAX = 1000
"""How many local views deferral looks through for the steps of one view: with many slots and commands a leader that has
yet to take in its proposals has exponentially many."""


class LocalView(NamedTuple):
    """A view in local numbers: as `model.View`, with messages as integers."""

    state: StateId
    inbox: Inbox
    history: History


class PathDelivery(NamedTuple):
    """A message, the choice among its outcomes, and its sender where the network tells senders apart."""

    message: MessageId
    choice: int
    sender: ProcessId | None


class Path(NamedTuple):
    """The deliveries that a step stands for."""

    deliveries: tuple[PathDelivery, ...]

    def then(self, message: MessageId, choice: int, sender: ProcessId | None) -> Path:
        """The same history with one more step at its end."""
        return Path((*self.deliveries, PathDelivery(message, choice, sender)))


class StepKey(NamedTuple):
    """What distinguishes the steps of a view. Without deferral every delivery is a step of its own."""

    view: ViewId
    bundles: tuple[tuple[int, BundleId], ...]
    halts: bool
    delivered: Path


class LocalViolation(NamedTuple):
    """`path` leads from a view to a local state or step that breaks an invariant."""

    path: Path
    violated: Violated


class ViewSteps(NamedTuple):
    """The steps of a view, each with a shortest path, a shortest local violation, and the internal deliveries that were put off."""

    steps: dict[StepKey, Path]
    violation: LocalViolation | None
    put_off: Counter[Action]


class Tables:
    """All tables of one search."""

    def __init__(self, locals_: LocalSteps, reductions: Reductions, slots: int) -> None:
        self.locals = locals_
        self.model = locals_.model
        self.reductions = reductions
        self.slots = slots
        self._identity = Digest()
        self.views: list[LocalView] = []
        self._view_ids: dict[LocalView, ViewId] = {}
        self.paths: list[Path] = []
        self.broken_by: dict[ViewId, LocalViolation] = {}
        self.put_off: dict[ViewId, Counter[Action]] = {}
        self.fingerprints = ViewDigests(locals_)
        self.at_once = slots if locals_.checks.at_once else None
        """The column of `observed` for what is asked of all slots at once."""
        self.observed = Growing(np.uint64, slots + locals_.checks.at_once)
        self.bounded = Growing(np.uint64)
        self.step_range = Growing(np.int32, 2)
        self.owner = Growing(np.int32)
        self.broken = Growing(np.uint8)
        self.step_view = Growing(np.int32)
        self.step_items = Growing(np.int32, 2)
        self.step_weight = Growing(np.uint8)
        self.step_halts = Growing(np.uint8)
        self.step_alone = Growing(np.int16)
        self.has_alone = Growing(np.uint8)
        self.exited = Growing(np.uint8)
        self.undecided: list[ViewId] = []
        """Views of which it has yet to be decided which steps may be taken alone."""
        self.item_process = Growing(np.int32)
        self.item_bundle = Growing(np.int32)
        self.receive_keys: NDArray[np.uint64] = np.zeros(1 << 12, np.uint64)
        self.receive_views: NDArray[np.int32] = np.zeros(1 << 12, np.int32)
        self._received: dict[tuple[ViewId, BundleId], ViewId] = {}
        self.filled: list[tuple[ViewId, BundleId]] = []
        """Every entry that was filled for the kernel, in order: a view and a bundle that reaches it, or -1 for the view's steps."""
        self._judged: dict[StateId, tuple[set[MessageId], set[MessageId]]] = {}
        self._shown = FactDigests(locals_.checks, slots, by_role=reductions.symmetry)

    def arrays(self) -> kernel.StepTables:
        """What the kernel reads; valid until the next entry is filled."""
        growing = {name: getattr(self, name).data for name in kernel.StepTables._fields if not name.startswith("receive")}
        return kernel.StepTables(**growing, receive_keys=self.receive_keys, receive_views=self.receive_views)

    def state_of(self, state: State) -> list[ViewId]:
        """The vector of a global state of the model."""
        network, vector = self.model.network, []
        for process, view in enumerate(state):
            self.locals.history({message for message, _ in network.contents(view.inbox)})  # numbers them in the order of their content
            inbox = network.mapped(view.inbox, self.locals.message_id)
            vector.append(self.view_id(self.locals.state_id(process, view.state), inbox, self.locals.history(view.history)))
        return vector

    def view_id(self, state: StateId, inbox: Inbox, history: History) -> ViewId:
        """The number of a view, after what can no longer matter has left it."""
        return self._numbered(LocalView(state, self._useful(state, inbox), history))

    def _numbered(self, view: LocalView) -> ViewId:
        """The number of a view in which everything can still matter."""
        number = self._view_ids.get(view)
        if number is None:
            number = self._view_ids[view] = len(self.views)
            self.views.append(view)
            self.fingerprints.append(*view)
            self.observed.append(self._observed(view))
            self.bounded.append(self._bounded(view))
            self.step_range.append((NOT_FILLED, NOT_FILLED))
            self.owner.append(self.locals.states[view.state][0])
            self.broken.append(0)
            self.has_alone.append(self.reductions.commuting)
            self.exited.append(self.locals.exited[view.state])
        return number

    def receive(self, view: ViewId, bundle: BundleId) -> ViewId:
        """The view after a bundle of items has reached it; `REFUSED` when it refuses one of them."""
        key = (view, bundle)
        known = self._received.get(key)
        if known is None:
            state, inbox, history = self.views[view]
            process = self.locals.states[state][0]
            for sender, message in self.locals.bundles[bundle]:
                if isinstance(self.locals.messages[message], Instant):
                    happened = self.locals.happened(process, state, message, sender)
                    if happened is None:
                        self._received[key] = chains.REFUSED
                        return chains.REFUSED
                    state, sent = happened
                    history |= sent
                elif self.locals.keeps(state, message):
                    inbox = self.model.network.put(inbox, self.model.processes[sender], message)
            known = self._received[key] = self.view_id(state, inbox, history)
        return known

    def facts(self, view: ViewId) -> frozenset[Fact]:
        """What the invariants observe of a view."""
        return self._facts(self.views[view])

    def all_facts(self, vector: Iterable[ViewId]) -> frozenset[Fact]:
        """What the invariants observe of all processes together."""
        return frozenset().union(*map(self.facts, vector))

    def local_states(self, vector: Iterable[ViewId]) -> dict[ProcessId, Any]:
        """Each process's local state."""
        states = (self.locals.states[self.views[view].state] for view in vector)
        return {self.model.processes[process]: state for process, state in states}

    def taken(self, vector: Sequence[ViewId], process: int, step: int) -> list[ViewId] | None:
        """The state after `process` has taken its step number `step`; None when somebody refuses it."""
        after = list(vector)
        after[process] = int(self.step_view.data[step])
        first, last = self.step_items.data[step].tolist()
        for item in range(first, last):
            to = int(self.item_process.data[item])
            after[to] = self.receive(vector[to], int(self.item_bundle.data[item]))
        return None if chains.REFUSED in after else after

    def followed(self, vector: list[ViewId], weight: int) -> tuple[list[tuple[int, int]], list[ViewId]]:
        """The chain of steps that are taken alone from a state to which `weight` deliveries have led, each with its process, and the state
        at its end; as `chains.follow_chain` does it."""
        chain: list[tuple[int, int]] = []
        while self.reductions.commuting and (taken := self._taken_alone(vector)):
            process, step, after = taken
            weight += int(self.step_weight.data[step])
            if weight > chains.CHAIN_WEIGHT_MAX:
                break
            chain.append((process, step))
            vector = after
        return chain, vector

    def _taken_alone(self, vector: list[ViewId]) -> tuple[int, int, list[ViewId]] | None:
        for process, view in enumerate(vector):
            for step in range(*self.step_range.data[view].tolist()):
                condition = int(self.step_alone.data[step])
                if condition == chains.ALONE or (condition >= 0 and self.exited.data[vector[condition]]):
                    after = self.taken(vector, process, step)
                    others = after and [*after[:process], view, *after[process + 1 :]] != vector
                    if after and (others or (after != vector and not self.step_halts.data[step])):
                        return process, step, after
        return None

    def bundles_of(self, step: int) -> list[tuple[int, BundleId]]:
        """What a step makes reach other processes, each by its number."""
        first, last = self.step_items.data[step].tolist()
        return list(zip(self.item_process.data[first:last].tolist(), self.item_bundle.data[first:last].tolist(), strict=True))

    def acting(self, taken: NDArray[np.int64]) -> Counter[ViewId]:
        """The views that steps belong to, step s having been taken `taken[s]` times."""
        ranges = self.step_range.data[: self.step_range.size]
        filled = np.flatnonzero(ranges[:, 0] != NOT_FILLED)
        return Counter({int(view): int(taken[slice(*ranges[view])].sum()) for view in filled})

    def fill_receive(self, view: ViewId, bundle: BundleId) -> None:
        """Makes the table entry for `receive(view, bundle)`."""
        if 2 * (len(self._received) + 1) > len(self.receive_keys):
            self._grow_receive()
        if (view, bundle) not in self._received:
            self.filled.append((view, bundle))
            self._insert_receive(view, bundle, self.receive(view, bundle))

    def fill_view(self, view: ViewId) -> None:
        """Makes the table entries for the steps of `view`."""
        if self.step_range.data[view, 0] != NOT_FILLED:
            return
        self.filled.append((view, -1))
        first = self.step_view.size
        steps, violation, put_off = self._steps(self.views[view])
        if put_off:
            self.put_off[view] = put_off
        for (after, bundles, halts, _), path in steps.items():
            self._append_step(after, bundles, path, halts)
        if violation is not None:
            self.broken_by[view] = violation
            self.broken.data[view] = 1 + len(violation.path.deliveries)
        self.step_range.data[view] = (first, self.step_view.size)
        if self.reductions.commuting:
            self.undecided.append(view)

    def _append_step(self, after: ViewId, bundles: tuple[tuple[int, BundleId], ...], path: Path, halts: bool) -> None:
        items_first = self.item_process.size
        for process, bundle in bundles:
            self.item_process.append(process)
            self.item_bundle.append(bundle)
        self.step_view.append(after)
        self.step_items.append((items_first, self.item_process.size))
        self.step_weight.append(len(path.deliveries))
        self.step_halts.append(halts)
        self.step_alone.append(chains.NOT_ALONE)
        self.paths.append(path)

    def _steps(self, start: LocalView) -> ViewSteps:
        """The steps of a view. Where internal steps lead to too many local views, they are steps like any other: putting a
        step off is allowed, never demanded."""
        return (self._walked(start, deferral=True) if self.reductions.deferral else None) or self._walked(start, deferral=False)

    @overload
    def _walked(self, start: LocalView, deferral: Literal[False]) -> ViewSteps: ...

    @overload
    def _walked(self, start: LocalView, deferral: Literal[True]) -> ViewSteps | None: ...

    def _walked(self, start: LocalView, deferral: bool) -> ViewSteps | None:
        """The visible steps of all local views that internal steps lead to; None when these are too many."""
        steps: dict[StepKey, Path] = {}
        violations: list[LocalViolation] = []
        put_off: Counter[MessageId] = Counter()
        exited, nothing = self.locals.exited, Path(())
        role = self.model.processes[self.locals.states[start.state][0]].role
        facts = self._facts(start)
        reached: dict[LocalView, Path] = {start: Path(())}
        pending = [start]
        while pending:
            if len(reached) > INTERNAL_VIEWS_MAX:
                return None
            following: list[LocalView] = []
            for view in pending:
                path = reached[view]
                if violated := self.locals.violated(view.state):
                    violations.append(LocalViolation(path, violated))
                for message, sender, outcome, after in self._deliveries(view):
                    if outcome.violated:
                        violations.append(LocalViolation(path.then(message, outcome.choice, sender), outcome.violated))
                    if after == view and not outcome.bundles:
                        continue
                    unobserved = self._facts(after) == facts
                    exits = unobserved and exited[after.state] and not exited[view.state]
                    if exits and self.reductions.halting and not outcome.bundles:
                        self.locals.claims.lets_go(role, self.locals.messages[message].kind)
                        continue
                    if deferral and unobserved and not outcome.bundles:
                        put_off[message] += 1
                        if after not in reached:
                            reached[after] = path.then(message, outcome.choice, sender)
                            following.append(after)
                    else:
                        onward = path.then(message, outcome.choice, sender)
                        delivered = nothing if deferral else onward
                        halts = exits and self.reductions.halting
                        steps.setdefault(StepKey(self._numbered(after), outcome.bundles, halts, delivered), onward)
            pending = following
        return ViewSteps(steps, min(violations, key=lambda each: len(each.path.deliveries), default=None), self._by_kind(role, put_off))

    def _by_kind(self, role: str, deliveries: Counter[MessageId]) -> Counter[Action]:
        counts: Counter[Action] = Counter()
        for message, count in deliveries.items():
            counts[Action(role, self.locals.messages[message].kind)] += count
        return counts

    def _enabled(self, view: LocalView) -> Iterator[Deliverable]:
        """What may happen to a view: the same as `Model.deliveries`, without what the halting reduction leaves out."""
        process, state = self.locals.states[view.state]
        identity, messages = self.model.processes[process], self.locals.messages
        yield from self.model.deliverable(state, view.inbox)
        if not self.reductions.halting:
            for lost, rest, sender in self.model.network.losses(view.inbox):
                yield Deliverable(self.locals.message_id(Drop(messages[lost])), rest, sender)
        for fault in self.model.fault_steps(identity, state):
            if self.reductions.halting and only_stops(self.model.system, identity, fault):
                self.locals.claims.lets_go(identity.role, fault.kind)
            else:
                yield Deliverable(self.locals.message_id(fault), view.inbox)

    def _deliveries(self, view: LocalView) -> Iterator[tuple[MessageId, ProcessId | None, LocalOutcome, LocalView]]:
        """Every delivery to a view; items that a process sends to itself are in the view after."""
        state, _, history = view
        for message, rest, sender in self._enabled(view):
            for outcome in self.locals.outcomes(state, message):
                inbox = rest
                for origin, sent in outcome.to_itself:
                    inbox = self.model.network.put(inbox, self.model.processes[origin], sent)
                if outcome.state != state or inbox is not rest:  # else all that is left mattered before
                    inbox = self._useful(outcome.state, inbox)
                yield message, sender, outcome, LocalView(outcome.state, inbox, history | outcome.recorded if outcome.recorded else history)

    def _useful(self, state: StateId, inbox: Inbox) -> Inbox:
        """The inbox without what can no longer matter in `state`. Its messages are known in two sets, compared whole."""
        network = self.model.network
        matter, useless = self._judged.setdefault(state, (set(), set()))
        messages = network.messages(inbox)
        if matter.issuperset(messages):
            return inbox
        for message in messages:
            if message not in matter and message not in useless:
                (matter if self.locals.keeps(state, message) else useless).add(message)
        return inbox if useless.isdisjoint(messages) else network.without(inbox, useless)

    def _facts(self, view: LocalView) -> frozenset[Fact]:
        state, inbox, history = view
        return self.locals.facts(state, self.model.network.messages(inbox) if self.locals.shows_inbox[state] else NO_MESSAGES, history)

    def _observed(self, view: LocalView) -> NDArray[np.uint64]:
        """One digest for each slot."""
        facts = self._facts(view)
        return self._shown.of(self.model.processes[self.locals.states[view.state][0]], facts)

    def _bounded(self, view: LocalView) -> int:
        checks = self.locals.checks
        if not checks.constraints:
            return 0
        facts = checks.seen_by_constraints(self._facts(view))
        process = self.model.processes[self.locals.states[view.state][0]]
        return int(self._identity.of(("bounded", process, facts))[0])

    def _insert_receive(self, view: ViewId, bundle: BundleId, after: ViewId) -> None:
        keys = self.receive_keys.data  # whose elements are Python's numbers, which is several times as fast
        mask = len(keys) - 1
        slot = receive_slot(view, bundle) & mask
        while keys[slot] != EMPTY_KEY:
            slot = (slot + 1) & mask
        keys[slot] = (view << 32 | bundle) + 1
        self.receive_views[slot] = after

    def _grow_receive(self) -> None:
        capacity = 2 * len(self.receive_keys)
        self.receive_keys = np.zeros(capacity, np.uint64)
        self.receive_views = np.zeros(capacity, np.int32)
        for (view, bundle), after in self._received.items():
            self._insert_receive(view, bundle, after)


def receive_slot(view: int, bundle: int) -> int:
    """Where the search for a (view, bundle) entry begins, before masking; the kernel computes the same."""
    return (view * chains.VIEW_FACTOR + bundle * chains.BUNDLE_FACTOR) >> chains.RECEIVE_SHIFT
