"""The model: a protocol on a network is a transition system. This is the one place that says what a step is.

A global state is one view for each process. A **view** is all that a process can see or will see: its local state,
its inbox, and (a history variable in the sense of TLA+) those of its own past messages that invariants speak of and
the rest of the state may forget. A step delivers one message to one process; everything that follows from it, the
creation of scouts and commanders included, belongs to that step (conventions 1 and 6 of the protocol page)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from copy import copy
from itertools import islice
from typing import Any, NamedTuple

from pmmc_check.config import Config
from pmmc_check.errors import FailedStep, ProtocolError, UsageError
from pmmc_check.model.calls import called, made, name_of, shown, shown_outcomes, with_evidence
from pmmc_check.model.content import Digest
from pmmc_check.model.deviations import Deviations
from pmmc_check.model.faults import FAULTS_ID, Drop, FaultBudget, FaultStep, Restart, Spend, fault_outcome, fault_steps, spent
from pmmc_check.model.network import Deliverable, Inbox, Network, network_named
from pmmc_check.model.sent_messages import SentMessages, always_kept
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.messages import Instant, Message, Start, Stop
from pmmc_check.protocol.role import AskedAhead, Crashed, Lifecycle, Outcome, Role, Send, System
from pmmc_check.protocol.values import COMMANDER, FAULTS, ROLES, SCOUT, Ballot, ProcessId, commander_id, scout_id
from pmmc_check.users_code import users_code

_AHEAD = 32
"""So many questions are sent to a program before the first answer is read."""


class View(NamedTuple):
    """What one process is and has yet to see."""

    state: Any
    inbox: Inbox
    history: frozenset[Message] = frozenset()


State = tuple[View, ...]
"""One view for each of `Model.processes`, in their order."""


class Item(NamedTuple):
    """Something that reaches a process: a message on the network, or its creation."""

    to: ProcessId
    sender: ProcessId
    message: Message


class Delivery(NamedTuple):
    """One possible step of one process: its view after, and what it does to the others."""

    message: Message
    outcome: Outcome
    view: View
    sender: ProcessId | None = None


class Step(NamedTuple):
    """What happened: `message` was delivered to `process`, with this outcome; or a fault step befell it."""

    process: ProcessId
    message: Message
    outcome: Outcome


class Model:
    """PMMC, or a variant of it, in one configuration."""

    def __init__(self, config: Config, protocol: Protocol = PMMC) -> None:
        self.config = config
        self.protocol: Protocol = {**protocol, FAULTS: FaultBudget} if config.crashes else protocol
        self.system = config.system()
        self.network: Network = network_named(config.network)
        self.processes = _processes(config, self.system)
        self.index = {process: i for i, process in enumerate(self.processes)}
        self.roles = {process: made(self.protocol[process.role], process, self.system) for process in self.processes}
        self.kept = SentMessages(always_kept(config))
        self.content = Digest()
        self.deviations = Deviations(self.roles, self.system)
        self._papers = {process: role for process, role in self.roles.items() if type(role) is PMMC.get(process.role)}
        self._asked_ahead = {process: role for process, role in self.roles.items() if isinstance(role, AskedAhead)}
        self._started: dict[tuple[ProcessId, Start], Outcome] = {}
        self._outcomes: dict[tuple[ProcessId, Hashable, Message], tuple[Outcome, ...]] = {}
        self.failing_ends_runs = False
        """Whether a step that fails is a step, after which its process does nothing. Else it ends the search, without a verdict."""
        self.failed_steps: dict[tuple[Any, ...], FailedStep] = {}
        """Why steps have failed, by the process and what its role was called with."""
        self._check_restarts()

    def recording(self, kinds: Iterable[type[Message]], matters: Callable[[Message], bool] | None = None) -> Model:
        """The same model, whose histories keep what is sent of `kinds`, too: there one reads what was ever sent. With `matters`, only what
        matters of it, as a history would keep it.

        It has these and no others, whatever this one records; what was asked of roles is known to both."""
        kept = self.kept.asked_of(kinds, matters)
        if kept == self.kept:
            return self
        other = copy(self)
        other.kept = kept
        return other

    def initial(self) -> State:
        """Every leader has its round-0 scout, every request is in flight (convention 2)."""
        views = [View(Lifecycle.NOT_STARTED, self.network.empty) for _ in self.processes]
        for process in self._first():
            begun = self.started(process, Start())
            views[self.index[process]] = View(begun.state, self.network.empty, self.recorded(begun.sends))
        state = self.apply(tuple(views), self.sent_at_first())
        assert state is not None, "no fault step is taken to reach the initial state"
        return state

    def sent_at_first(self) -> list[Item]:
        """What reaches processes before the first step."""
        return [item for process in self._first() for item in self.items(process, self.started(process, Start()).sends)]

    def steps(self, state: State) -> Iterator[tuple[Step, State]]:
        """Every transition from `state`; a delivery that changes nothing is none."""
        for index, process in enumerate(self.processes):
            for delivery in self.deliveries(process, state[index]):
                after = self.taken(state, index, delivery)
                if after is not None and after != state:
                    yield Step(process, delivery.message, delivery.outcome), after

    def deliveries(self, process: ProcessId, view: View) -> Iterator[Delivery]:
        """Each deliverable message, and each fault step, with each of its outcomes, in an order that depends on content only."""
        lost = ((Drop(each.message), each.rest, each.sender) for each in self.network.losses(view.inbox))
        faults = ((each, view.inbox, None) for each in self.fault_steps(process, view.state))
        found = [*self.deliverable(view.state, view.inbox), *lost, *faults]
        for message, inbox, sender in sorted(found, key=lambda each: self.content.order(each[0])):
            for outcome in self.outcomes(process, view.state, message):
                history = view.history | self.recorded(outcome.sends)
                yield Delivery(message, outcome, View(outcome.state, inbox, history), sender)

    def deliverable(self, state: Any, inbox: Inbox) -> Iterator[Deliverable]:
        """What the network may deliver to a process in `state`: nothing while it is down."""
        return iter(()) if isinstance(state, Crashed) else self.network.deliverable(inbox)

    def fault_steps(self, process: ProcessId, state: Any) -> tuple[FaultStep, ...]:
        """What may befall a process in `state`, as far as the budget goes."""
        return fault_steps(self.system, process, state)

    def taken(self, state: State, index: int, delivery: Delivery) -> State | None:
        """The global state after the process number `index` has taken `delivery`; None when the fault budget refuses it."""
        views = (*state[:index], delivery.view, *state[index + 1 :])
        return self.apply(views, self.items(self.processes[index], delivery.outcome.sends))

    def apply(self, state: State, items: Iterable[Item]) -> State | None:
        """The state after all `items` have reached their processes; None when the fault budget refuses one."""
        views = list(state)
        for item in items:
            index = self.index[item.to]
            view = self.receive(views[index], item)
            if view is None:
                return None
            views[index] = view
        return tuple(views)

    def receive(self, view: View, item: Item) -> View | None:
        """What an item does to the view of the process that it reaches; None when that refuses it."""
        if not isinstance(item.message, Instant):
            return view._replace(inbox=self.network.put(view.inbox, item.sender, item.message))
        outcome = self.happened(item.to, view.state, item.message)
        return None if outcome is None else View(outcome.state, view.inbox, view.history | self.recorded(outcome.sends))

    def happened(self, process: ProcessId, state: Any, event: Instant) -> Outcome | None:
        """What an instant message does to a process in `state`; None when it refuses, and with it the whole step."""
        if isinstance(event, Start):
            return self.started(process, event)
        if isinstance(event, Stop):
            return Outcome(state if isinstance(state, Lifecycle) else Lifecycle.EXITED)
        budget = spent(state, event) if isinstance(event, Spend) else state
        return None if budget is None else Outcome(budget)

    def items(self, sender: ProcessId, sends: Iterable[Send]) -> tuple[Item, ...]:
        """All that `sends` make reach other processes: what a created process sends at once is part of it."""
        items: list[Item] = []
        for to, message in sends:
            items.append(Item(to, sender, message))
            if isinstance(message, Start):
                items.extend(self.items(to, self.started(to, message).sends))
        return tuple(items)

    def _first(self) -> list[ProcessId]:
        """The processes that are there from the beginning."""
        return [process for process in self.processes if process.role not in (SCOUT, COMMANDER)]

    def started(self, process: ProcessId, start: Start) -> Outcome:
        """The creation of `process`; memoised and checked as `outcomes` is."""
        key = (process, start)
        if key not in self._started:
            self._started[key] = self._asked_twice(process, "start", (start.command,))[0]
        return self._started[key]

    def outcomes(self, process: ProcessId, state: Any, message: Message) -> tuple[Outcome, ...]:
        """The role's step, asked for once (memoised: it is pure, which the first call checks by asking twice; the paper's own roles are
        known to be).

        Raises:
            ProtocolError: the step raised, answered twice differently, or returned what is no outcome.
        """
        if isinstance(message, FaultStep):
            restarted = self._asked_twice(process, "restart", (state.state,))[0] if isinstance(message, Restart) else None
            return (fault_outcome(self.roles[process], state, message, self.processes, restarted),)
        if isinstance(state, Lifecycle):
            return (Outcome(state),)
        key = (process, state, message)
        known = self._outcomes.get(key)
        if known is None:
            known = self._outcomes[key] = self._of_paper(process, state, message) or self._asked_twice(process, "step", (state, message))
        return known

    def asked(self, process: ProcessId, state: Any, message: Message) -> tuple[Outcome, ...]:
        """The role's step, asked for once and not remembered: for checking claims on steps that the search itself does not take.

        Raises:
            ProtocolError: the step raised, or returned what is no outcome.
        """
        if isinstance(message, FaultStep) or isinstance(state, Lifecycle):
            return self.outcomes(process, state, message)
        if paper := self._of_paper(process, state, message):
            return paper
        outcomes = self._called(process, "step", (state, message))
        self.deviations.note(process, "step", (state, message), outcomes)
        return outcomes

    def answers(self, process: ProcessId, state: Any, message: Message, expected: Sequence[tuple[Outcome, ...]]) -> bool:
        """Whether the role's step gives exactly one of these tuples of outcomes: a quick way of asking where the answer is known."""
        if paper := self._of_paper(process, state, message):
            return paper in expected
        role = self.roles[process]
        if process.role in self.deviations.comparing:
            return self.asked(process, state, message) in expected
        try:
            with users_code(name_of(type(role).__name__, "step", process)):
                return tuple(islice(role.step(state, message), 1 + max(map(len, expected)))) in expected
        except ProtocolError:
            return self.asked(process, state, message) in expected

    def is_paper(self, process: ProcessId) -> bool:
        """Whether the paper's own role plays this process."""
        return process in self._papers

    def _of_paper(self, process: ProcessId, state: Any, message: Message) -> tuple[Outcome, ...] | None:
        """The step of one of the paper's own roles, without the guard that code of the user needs; None where the role is another, or
        cannot deal with what others have sent it: then the guarded call says what is wrong."""
        role = self._papers.get(process)
        if role is None:
            return None
        try:
            outcomes = tuple(role.step(state, message))
            for _, sends in outcomes:
                for to, _ in sends:
                    if to not in self.index:
                        return None
            return outcomes if len(outcomes) == 1 else tuple(sorted(set(outcomes), key=self.content.order))
        except Exception:
            return None

    def known_steps(self) -> Iterator[tuple[ProcessId, Any, Message, tuple[Outcome, ...]]]:
        """Every step that a role has been asked for so far: (process, state, message, outcomes)."""
        return ((*key, outcomes) for key, outcomes in self._outcomes.items())

    def known_creations(self) -> Iterator[tuple[ProcessId, Start, Outcome]]:
        """Every creation of a process that a role has been asked for so far."""
        return ((*key, outcome) for key, outcome in self._started.items())

    def check_still_pure(self) -> None:
        """Asks once more for every step of a role that is not the paper's: a step that keeps variables of its own may
        have answered alike twice and differently later.

        Raises:
            ProtocolError: some answer is now another.
        """
        asked = [(key, known) for key, known in self._outcomes.items() if key[0] not in self._papers]
        for first in range(0, len(asked), _AHEAD):
            some = asked[first : first + _AHEAD]
            for (process, state, message), _ in some:
                if ahead := self._asked_ahead.get(process):
                    ahead.expect("step", (state, message), 1)
            for (process, state, message), known in some:
                self._compare(process, "step", (state, message), known)

    def _asked_twice(self, process: ProcessId, method: str, arguments: tuple[Any, ...]) -> tuple[Outcome, ...]:
        role = self.roles[process]
        if ahead := self._asked_ahead.get(process):
            ahead.expect(method, arguments, 2)
        with users_code(f"reading what {name_of(type(role).__name__, method, process)} returned"):
            outcomes = self._called(process, method, arguments)
            self._compare(process, method, arguments, outcomes)
            self.deviations.note(process, method, arguments, outcomes)
            if len(outcomes) == 1:
                self.content.of(outcomes[0].state)  # refuses what no state may be built of
                return outcomes
            return tuple(sorted(outcomes, key=self.content.order))

    def _called(self, process: ProcessId, method: str, arguments: tuple[Any, ...]) -> tuple[Outcome, ...]:
        """What a role answers. Where a step of it fails that is its outcome, and why is kept."""
        try:
            return called(self.roles[process], method, arguments, self.index)
        except FailedStep as failed:
            if method == "start" or not self.failing_ends_runs:
                raise
            self.failed_steps.setdefault((process, *arguments), failed)
            return (Outcome(Lifecycle.FAILED),)

    def failed_step(self, process: ProcessId, state: Any, message: Message) -> FailedStep:
        """Why a step that was asked for has failed."""
        restarts = isinstance(message, Restart) and isinstance(state, Crashed)
        return self.failed_steps[(process, state.state) if restarts else (process, state, message)]

    def forget_steps(self) -> None:
        """Lets the steps go that roles were asked for, once those that are not the paper's have been asked for again.

        Raises:
            ProtocolError: as `check_still_pure`.
        """
        self.check_still_pure()
        self._outcomes.clear()

    def _compare(self, process: ProcessId, method: str, arguments: tuple[Any, ...], known: tuple[Outcome, ...]) -> None:
        role = self.roles[process]
        if frozenset(known) != frozenset(answered := self._called(process, method, arguments)):
            error = ProtocolError(
                f"{type(role).__name__}.{method} is not deterministic: {process} answered ({shown(arguments)}) in two ways: "
                f"{shown_outcomes(known)}; then {shown_outcomes(answered)}; "
                f"it must be a function of its arguments (no clock, no randomness, no variables of its own)"
            )
            raise with_evidence(error, role)

    def recorded(self, sends: Iterable[Send]) -> frozenset[Message]:
        """Those of `sends` that history keeps."""
        return self.kept.of(sends)

    def _check_restarts(self) -> None:
        for role in sorted(self.system.faults.roles):
            if self.system.faults.may_restart(role) and self.protocol[role].restart is Role.restart:
                name = self.protocol[role].__name__
                raise UsageError(
                    f"--restarts: {name} does not say what a {role} keeps over a restart; "
                    f"define its restart(state), or take {role} out of --faulty"
                )


def _processes(config: Config, system: System) -> tuple[ProcessId, ...]:
    """All processes that can ever exist, in the order of `ROLES`."""
    ballots = [Ballot(r, leader.number) for r in range(config.rounds) for leader in system.leaders]
    scouts = [scout_id(ballot) for ballot in ballots]
    commanders = [commander_id(ballot, slot) for ballot in ballots for slot in range(1, config.slots + 1)]
    everyone = [*system.clients, *system.replicas, *system.leaders, *system.acceptors, *scouts, *commanders]
    budget = (FAULTS_ID,) if config.crashes else ()
    return (*sorted(everyone, key=lambda process: (ROLES.index(process.role), process[1:])), *budget)
