"""What single processes can do, each thing computed once: local states and messages become integers, role steps table
entries.

This is the only part of the compiled search that calls roles and invariants. It works on one process at a time:
`(state, message)`, never on global states, so its work grows with the few things that a process can see and not with
the many states of the whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pmmc_check.checker.reductions import Reductions, starts_once
from pmmc_check.errors import ProtocolError
from pmmc_check.model.content import Digest, Digests
from pmmc_check.model.model import Item, Model
from pmmc_check.properties.checks import Checks, Violated
from pmmc_check.properties.observe import Fact
from pmmc_check.protocol.messages import Instant, Message, Start
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome, Send, states_claim
from pmmc_check.protocol.values import COMMANDER, LEADER, REPLICA, SCOUT, ProcessId
from pmmc_check.users_code import users_code

StateId = int
MessageId = int
BundleId = int

History = frozenset[MessageId]


class LocalItem(NamedTuple):
    """A message from process number `sender`."""

    sender: int
    message: MessageId


class LocalOutcome(NamedTuple):
    """One outcome of a role's step: the state after, what reaches each other process, and what is broken by it."""

    choice: int
    state: StateId
    bundles: tuple[tuple[int, BundleId], ...]
    recorded: History
    violated: Violated | None


class LocalSteps:
    """The interned local states, messages and steps of all processes of a model.

    `dropped` names the kinds of messages that a reduction let go, by the recipient's role.
    """

    def __init__(self, model: Model, checks: Checks, reductions: Reductions, digest: Digest) -> None:
        self.model = model
        self.checks = checks
        self.reductions = reductions
        self.digest = digest
        self.states: list[tuple[int, Any]] = []
        self.messages: list[Message] = []
        self.bundles: list[tuple[LocalItem, ...]] = []
        self.dropped: set[tuple[str, str]] = set()
        self._state_ids: dict[tuple[int, Any], StateId] = {}
        self._message_ids: dict[Message, MessageId] = {}
        self._bundle_ids: dict[tuple[LocalItem, ...], BundleId] = {}
        self._outcomes: dict[tuple[StateId, MessageId], tuple[LocalOutcome, ...]] = {}
        self._keeps: dict[tuple[StateId, MessageId], bool] = {}
        self._facts: dict[tuple[StateId, frozenset[MessageId], History], frozenset[Fact]] = {}
        self._violated: dict[StateId, Violated | None] = {}
        self._claims = {
            (role.role, claim): states_claim(role, claim) for role in model.protocol.values() for claim in ("ignores", "only_halts")
        }
        self._stays_exited = starts_once(model)
        self._first_state = {process: view.state for process, view in zip(model.processes, model.initial(), strict=True)}

    def state_id(self, process: int, state: Any) -> StateId:
        """The number of a local state; states of different processes never share one."""
        key = (process, state)
        number = self._state_ids.get(key)
        if number is None:
            number = self._state_ids[key] = len(self.states)
            self.states.append(key)
        return number

    def message_id(self, message: Message) -> MessageId:
        """The number of a message."""
        number = self._message_ids.get(message)
        if number is None:
            number = self._message_ids[message] = len(self.messages)
            self.messages.append(message)
        return number

    def history(self, messages: Iterable[Message]) -> History:
        """Messages as numbers; new ones are numbered in an order that depends on content only."""
        return frozenset(map(self.message_id, sorted(messages, key=self.model.content.order)))

    def bundle_id(self, items: tuple[LocalItem, ...]) -> BundleId:
        """The number of a group of items that reach one process in one step."""
        number = self._bundle_ids.get(items)
        if number is None:
            number = self._bundle_ids[items] = len(self.bundles)
            self.bundles.append(items)
        return number

    def message_digests(self, message: MessageId) -> Digests:
        """The message's digest under each renaming."""
        return self.digest.of(self.messages[message])

    def outcomes(self, state: StateId, message: MessageId) -> tuple[LocalOutcome, ...]:
        """What delivering `message` in `state` may lead to."""
        key = (state, message)
        known = self._outcomes.get(key)
        if known is None:
            process, local_state = self.states[state]
            given = self.model.outcomes(self.model.processes[process], local_state, self.messages[message])
            known = tuple(self._outcome(process, local_state, message, i, each) for i, each in enumerate(given))
            self._outcomes[key] = known
        return known

    def keeps(self, state: StateId, message: MessageId) -> bool:
        """Whether `message` can still matter to a process in `state`: see `checker.reductions`, inert and halting."""
        key = (state, message)
        known = self._keeps.get(key)
        if known is None:
            process, local_state = self.states[state]
            identity = self.model.processes[process]
            known = self._keeps[key] = self._matters(identity, local_state, self.messages[message])
            if not known:
                self.dropped.add((identity.role, self.messages[message].kind))
        return known

    def exits(self, state: StateId) -> bool:
        """Whether this is the state of a process that has exited."""
        return self.states[state][1] is Lifecycle.EXITED

    def happened(self, process: int, state: StateId, event: MessageId) -> tuple[StateId, History] | None:
        """The state of a process after an instant message, and what it has sent on it; None when it refuses."""
        message = self.messages[event]
        assert isinstance(message, Instant)
        if isinstance(message, Start) and self._stays_exited and self.states[state][1] is not Lifecycle.NOT_STARTED:
            raise ProtocolError(
                f"{self.model.protocol[LEADER].__name__} claims starts_once, but creates {self.model.processes[process]} a second time; "
                f"leave the claim out"
            )
        outcome = self.model.happened(self.model.processes[process], self.states[state][1], message)
        if outcome is None:
            return None
        return self.state_id(process, outcome.state), self.history(self.model.recorded(outcome.sends))

    def facts(self, state: StateId, inbox: Iterable[MessageId], history: History) -> frozenset[Fact]:
        """What the invariants observe of a view."""
        process, local_state = self.states[state]
        identity = self.model.processes[process]
        seen = frozenset(inbox) if identity.role == REPLICA else frozenset()
        key = (state, seen, history)
        known = self._facts.get(key)
        if known is None:
            past = [self.messages[message] for message in history]
            known = self._facts[key] = self.checks.facts(identity, local_state, [self.messages[m] for m in seen], past)
        return known

    def violated(self, state: StateId) -> Violated | None:
        """What the local state breaks by itself."""
        if state not in self._violated:
            process, local_state = self.states[state]
            self._violated[state] = self.checks.of_local_state(self.model.processes[process], local_state)
        return self._violated[state]

    def _outcome(self, process: int, before: Any, message: MessageId, choice: int, outcome: Outcome) -> LocalOutcome:
        identity = self.model.processes[process]
        grouped: dict[int, list[LocalItem]] = {}
        for item in self.model.items(identity, outcome.sends):
            if self._reaches(item):
                entry = LocalItem(self.model.index[item.sender], self.message_id(item.message))
                grouped.setdefault(self.model.index[item.to], []).append(entry)
        return LocalOutcome(
            choice,
            self.state_id(process, outcome.state),
            tuple((to, self.bundle_id(tuple(items))) for to, items in sorted(grouped.items())),
            self.history(self.model.recorded(outcome.sends)),
            self.checks.of_local_step(identity, before, self.messages[message], outcome),
        )

    def _reaches(self, item: Item) -> bool:
        """Whether an item can matter to its recipient in any state that this may have by now."""
        if isinstance(item.message, Instant):
            return True
        first = self._first_state[item.to]
        reaches = not self._harmless(item.to, None, item.message, item.sender) and (
            isinstance(first, Lifecycle) or not self._ignores(item.to, first, item.message)
        )
        if not reaches:
            self.dropped.add((item.to.role, item.message.kind))
        return reaches

    def _matters(self, process: ProcessId, state: Any, message: Message) -> bool:
        if state is Lifecycle.EXITED:
            return not (self.reductions.inert and self._stays_exited)
        if isinstance(state, Crashed):
            if not self.model.system.faults.may_restart(process.role):
                return not self.reductions.inert
            state = state.state  # what the role claims is about all futures of that state, a restart included
        if state is Lifecycle.NOT_STARTED:
            return True
        return not self._ignores(process, state, message) and not self._harmless(process, state, message, None)

    def _ignores(self, process: ProcessId, state: Any, message: Message) -> bool:
        if process.role in (SCOUT, COMMANDER) and not self._stays_exited:
            return False  # what the state ignores, the fresh state of a second creation need not ignore
        stated = self.reductions.inert and self._claims[process.role, "ignores"]
        return stated and bool(self._claimed(process, "ignores", state, message))

    def _harmless(self, process: ProcessId, state: Any, message: Message, sender: ProcessId | None) -> bool:
        """Whether all that can come of `message` is that processes stop; asks the recipients of what it may send in turn."""
        if not self.reductions.halting or not self._claims[process.role, "only_halts"]:
            return False
        sends: Iterable[Send] | None = self._claimed(process, "only_halts", state, message, sender)
        harmless = sends is not None and all(self._harmless(to, None, each, process) for to, each in sends)
        if harmless:
            self.dropped.add((process.role, message.kind))
        return harmless

    def _claimed(self, process: ProcessId, claim: str, *arguments: Any) -> Any:
        role = self.model.roles[process]
        with users_code(f"{type(role).__name__}.{claim} of {process}"):
            return getattr(role, claim)(*arguments)
