"""Applies a set of invariants to local states, local steps and combinations of facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pmmc_check.errors import ProtocolError, UsageError
from pmmc_check.model.model import Model, State, Step
from pmmc_check.properties.invariants import ASSERTION, Invariant, RelationInvariant, StateInvariant, StepInvariant
from pmmc_check.properties.observe import HELD, VARIABLES, Fact, Observed, by_slot, held, messages_in, observe, sent_kind, state_fact
from pmmc_check.properties.progress import Left, LocalStates, Progress, check_possible, check_unconstrained, endless, left_to_decide, stuck
from pmmc_check.properties.quorums import Quorums
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome
from pmmc_check.protocol.values import ROLES, ProcessId
from pmmc_check.users_code import PASSING, fate


class Violated(NamedTuple):
    """Which invariant is broken, and how."""

    invariant: str
    how: str


class Checks:
    """The invariants to check on one model, sorted by what they need.

    `model` is the one that was given, with histories that keep the messages which the invariants read: its states are to be checked."""

    def __init__(self, model: Model, invariants: Sequence[Invariant], constraints: Sequence[WrittenInvariant] = ()) -> None:
        self.invariants = tuple(invariants)
        self.constraints = tuple(constraints)
        self._quorums = Quorums(model.protocol, model.system)
        self._state = [each for each in invariants if isinstance(each, StateInvariant)]
        self._step = [each for each in invariants if isinstance(each, StepInvariant)]
        self._state_of = {role: [each for each in self._state if role in each.roles] for role in ROLES}
        self._step_of = {role: [each for each in self._step if role in each.roles] for role in ROLES}
        self._relation = [each for each in invariants if isinstance(each, RelationInvariant)]
        self.progress = _progress_among(invariants)
        self._written = [each for each in invariants if isinstance(each, WrittenInvariant)]
        self._asked_of_slots = [each for each in self._written if each.by_slot]
        self._asked_at_once = [each for each in self._written if not each.by_slot]
        observing = (
            [each.observes for each in self._relation]
            + [each.observes for each in self._written]
            + [each.observes for each in (self.progress,) if each]
            + [each.observes for each in constraints]
        )
        self.observed_kinds: frozenset[str] = frozenset().union(*observing)
        self._remembered: dict[Message, bool] = {}
        read = messages_in(self.observed_kinds)
        self.model = model.recording(read, self._matters if read else None)
        self._at_once_kinds: frozenset[str] = frozenset({VARIABLES}).union(*(each.observes for each in self._asked_at_once))
        self._constraint_kinds: frozenset[str] = frozenset({VARIABLES}).union(*(each.observes for each in constraints))
        self._variables = _by_role([*self._written, *constraints])
        if self.progress:
            check_unconstrained(self.progress, constraints)
            network = model.network
            check_possible(self.progress, network.name, network.keeps_delivered or network.may_lose, model.config.crashes)

    def _matters(self, kept: Message) -> bool:
        """Whether a message that was sent can make a difference to any of them."""
        if kept not in self._remembered:
            kind = sent_kind(kept)
            reading = (each for each in (*self._written, *self.constraints) if kind in each.observes)
            self._remembered[kept] = any(each.matters is None or each.matters(kept) for each in reading)
        return self._remembered[kept]

    def of_local_state(self, process: ProcessId, state: Any) -> Violated | None:
        """Checks one local state; that of a process which is down was checked before it crashed."""
        if isinstance(state, Lifecycle | Crashed):
            return None
        return self._first_broken(self._state_of.get(process.role, ()), process, state)

    def of_local_step(self, process: ProcessId, before: Any, message: Message, outcome: Outcome) -> Violated | None:
        """Checks one local step; a restart is a step from the state before the crash."""
        if isinstance(before, Lifecycle) or isinstance(outcome.state, Crashed):
            return None
        if outcome.state is Lifecycle.FAILED:
            why = self.model.failed_step(process, before, message).why
            return Violated(ASSERTION.name, f"{process} fails on {message}: {why}") if ASSERTION in self._step else None
        if isinstance(before, Crashed):
            before = before.state
        return self._first_broken(self._step_of.get(process.role, ()), process, before, message, outcome)

    def of_unchanged(self, role: str) -> bool:
        """Whether a step of this role may break an invariant that leaves its state as it is."""
        return not all(each.of_change for each in self._step_of.get(role, ()))

    @property
    def at_once(self) -> bool:
        """Whether some invariant is asked of the facts about all slots at once."""
        return bool(self._asked_at_once)

    def of_facts(self, observed: Observed, slot: int) -> Violated | None:
        """Checks the facts about one slot; with 0 for the slot, those about all at once that `seen_at_once` selects."""
        for each in self._relation if slot else ():
            if how := self._of_facts(each.name, each.check, self._quorums, observed):
                return Violated(each.name, how)
        for written in self._asked_of_slots if slot else self._asked_at_once:
            if how := self._of_facts(written.name, written.check, slot, observed):
                return Violated(written.name, how)
        return None

    @staticmethod
    def _of_facts(name: str, check: Any, *arguments: Any) -> str | None:
        try:
            how: str | None = check(*arguments)
        except PASSING:
            raise
        except BaseException as error:  # the facts hold what the fields of states hold
            raise ProtocolError(f"invariant {name} cannot read what the states show: the attempt {fate(error)}") from error
        return how

    def seen_at_once(self, facts: Iterable[Fact]) -> frozenset[Fact]:
        """Those of the facts that invariants observe which are asked of all at once."""
        return frozenset(fact for fact in facts if fact.kind in self._at_once_kinds)

    def seen_by_constraints(self, facts: Iterable[Fact]) -> frozenset[Fact]:
        """Those of the facts that constraints read."""
        return frozenset(fact for fact in facts if fact.kind in self._constraint_kinds)

    def within_constraints(self, facts: Observed) -> bool:
        """Whether a state of which these are all facts lies within every constraint."""
        seen = {process: self.seen_by_constraints(each) for process, each in facts.items()}
        return not any(self._of_facts(each.name, each.check, 0, seen) for each in self.constraints)

    def within(self, state: State) -> bool:
        """The same, of a global state."""
        return not self.constraints or self.within_constraints(self._facts_of(state))

    def facts(self, process: ProcessId, state: Any, inbox: Iterable[Message], history: Iterable[Message]) -> frozenset[Fact]:
        """What the selected invariants observe of a view."""
        try:
            messages = tuple(inbox)
            seen = observe(process, state, messages, history, self.observed_kinds)
            if HELD in self.observed_kinds:
                seen |= held(process, state, messages)
            variables = {state_fact(state, self._variables[process.role])} if process.role in self._variables else set()
        except PASSING:
            raise
        except BaseException as error:  # likewise
            raise self._unreadable("observing it", process, error) from error
        return frozenset(fact for fact in seen if fact.kind in self.observed_kinds) | variables

    def of_state(self, state: State) -> Violated | None:
        """Checks a global state in full; steps into it excepted."""
        for process, view in zip(self.model.processes, state, strict=True):
            if violated := self.of_local_state(process, view.state):
                return violated
        facts = self._facts_of(state)
        slots = by_slot(facts)
        everywhere = range(1, self.model.config.slots + 1) if self._asked_of_slots else ()
        for slot in sorted({*slots, *everywhere} - {0}):
            if violated := self.of_facts(slots.get(slot, {}), slot):
                return violated
        return self.of_facts({process: self.seen_at_once(each) for process, each in facts.items()}, 0)

    def left(self, states: LocalStates, facts: Iterable[Fact]) -> Left | None:
        """What Progress still asks to be decided."""
        try:
            return left_to_decide(self.model.system, states, facts)
        except PASSING:
            raise
        except BaseException as error:  # likewise
            raise ProtocolError(f"invariant Progress cannot read what the states show: the attempt {fate(error)}") from error

    def of_end(self, states: LocalStates, facts: Iterable[Fact]) -> Violated | None:
        """Checks a state in which nothing can move."""
        left = self.left(states, facts) if self.progress else None
        return Violated(self.progress.name, stuck(self.model.system, states, left)) if self.progress and left else None

    def of_global_end(self, state: State) -> Violated | None:
        """The same, of a global state."""
        return self.of_end(*self._seen(state))

    def of_cycle(self, states: LocalStates, facts: Iterable[Fact], steps: int) -> Violated:
        """Says of a cycle that something is left to decide on it."""
        left = self.left(states, facts)
        assert left is not None and self.progress is not None, "only states in which something is left are searched for a cycle"
        return Violated(self.progress.name, endless(left, steps, self.progress.fair))

    def left_in(self, state: State) -> Left | None:
        """What Progress still asks to be decided in a global state."""
        return self.left(*self._seen(state))

    def of_global_cycle(self, state: State, steps: int) -> Violated:
        """As `of_cycle`, of a global state."""
        return self.of_cycle(*self._seen(state), steps)

    def _seen(self, state: State) -> tuple[dict[ProcessId, Any], frozenset[Fact]]:
        states = {process: view.state for process, view in zip(self.model.processes, state, strict=True)}
        return states, frozenset().union(*self._facts_of(state).values())

    def _facts_of(self, state: State) -> Observed:
        """What is observed of each process in a global state."""
        found: Observed = {}
        for process, view in zip(self.model.processes, state, strict=True):
            inbox = (message for message, _ in self.model.network.contents(view.inbox))
            found[process] = self.facts(process, view.state, inbox, view.history)
        return found

    def of_step(self, before: State, step: Step) -> Violated | None:
        """Checks a global step: it is one process's own."""
        local = before[self.model.index[step.process]].state
        return self.of_local_step(step.process, local, step.message, step.outcome)

    def _first_broken(self, invariants: Sequence[StateInvariant | StepInvariant], process: ProcessId, *arguments: Any) -> Violated | None:
        system, name = self.model.system, ""
        try:
            for each in invariants:
                name = each.name
                if how := each.check(system, process, *arguments):
                    return Violated(name, how)
        except PASSING:
            raise
        except BaseException as error:  # the state is the user's: whatever its fields hold
            raise self._unreadable(f"invariant {name}", process, error) from error
        return None

    def _unreadable(self, what: str, process: ProcessId, error: BaseException) -> ProtocolError:
        role = type(self.model.roles[process]).__name__
        return ProtocolError(
            f"{what} cannot read the state of {process} ({role}): the attempt {fate(error)}; "
            f"keep the paper's field names and types, or leave the invariant out with --invariant"
        )


def _progress_among(invariants: Sequence[Invariant]) -> Progress | None:
    asked = [each for each in invariants if isinstance(each, Progress)]
    if len(asked) > 1:
        raise UsageError(f"--invariant {asked[1].name}: {asked[0].name} asks it of more runs; leave one of them out")
    return asked[0] if asked else None


def _by_role(written: Iterable[WrittenInvariant]) -> dict[str, tuple[str, ...]]:
    """The variables that are read, by role, in the order of their names."""
    found: dict[str, set[str]] = {}
    for each in written:
        for role, variable in each.variables:
            found.setdefault(role, set()).add(variable)
    return {role: tuple(sorted(variables)) for role, variables in found.items()}
