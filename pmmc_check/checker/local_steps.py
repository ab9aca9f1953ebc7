"""What single processes can do, each thing computed once: local states and messages become integers, role steps table
entries.

This is the only part of the compiled search that calls roles and invariants. It works on one process at a time:
`(state, message)`, never on global states, so its work grows with the few things that a process can see and not with
the many states of the whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pmmc_check.checker.claims import Claims
from pmmc_check.checker.false_claim import created_twice
from pmmc_check.model.calls import called
from pmmc_check.model.content import Digest, Digests
from pmmc_check.model.model import Item, Model
from pmmc_check.properties.checks import Checks, Violated
from pmmc_check.properties.observe import Fact
from pmmc_check.protocol.messages import Instant, Message, Start
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome
from pmmc_check.protocol.values import REPLICA, ProcessId

StateId = int
MessageId = int
BundleId = int

History = frozenset[MessageId]

NO_MESSAGES: frozenset[Any] = frozenset()


class LocalItem(NamedTuple):
    """A message from process number `sender`."""

    sender: int
    message: MessageId


class LocalOutcome(NamedTuple):
    """One outcome of a role's step: the state after, what reaches each other process, and the process itself, and what is broken by it."""

    choice: int
    state: StateId
    bundles: tuple[tuple[int, BundleId], ...]
    to_itself: tuple[LocalItem, ...]
    recorded: History
    violated: Violated | None


class LocalSteps:
    """The interned local states, messages and steps of all processes of a model."""

    def __init__(self, model: Model, checks: Checks, claims: Claims, digest: Digest) -> None:
        self.model = model
        self.checks = checks
        self.claims = claims
        self.digest = digest
        self.states: list[tuple[int, Any]] = []
        self.exited: list[bool] = []
        """Of each state, whether its process has exited."""
        self.shows_inbox: list[bool] = []
        """Of each state, whether invariants observe what is on the way to its process, too."""
        self.messages: list[Message] = []
        self.bundles: list[tuple[LocalItem, ...]] = []
        self._state_ids: dict[tuple[int, Any], StateId] = {}
        self._message_ids: dict[Message, MessageId] = {}
        self._bundle_ids: dict[tuple[LocalItem, ...], BundleId] = {}
        self._outcomes: dict[tuple[StateId, MessageId], tuple[LocalOutcome, ...]] = {}
        self._imagined: dict[tuple[StateId, MessageId], tuple[LocalOutcome, ...]] = {}
        self._keeps: dict[tuple[StateId, MessageId], bool] = {}
        self._reached: dict[tuple[Item, bool], bool] = {}
        self._facts: dict[tuple[StateId, frozenset[MessageId], History], frozenset[Fact]] = {}
        self._violated: dict[StateId, Violated | None] = {}
        self._first_state = {process: view.state for process, view in zip(model.processes, model.initial(), strict=True)}

    def state_id(self, process: int, state: Any) -> StateId:
        """The number of a local state; states of different processes never share one."""
        key = (process, state)
        number = self._state_ids.get(key)
        if number is None:
            number = self._state_ids[key] = len(self.states)
            self.states.append(key)
            self.exited.append(state is Lifecycle.EXITED)
            self.shows_inbox.append(self.model.processes[process].role == REPLICA)
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
            identity = self.model.processes[process]
            given = self.model.outcomes(identity, local_state, self.messages[message])
            self.claims.met(identity, local_state, self.messages[message], given)
            known = tuple(self._outcome(process, local_state, message, i, each) for i, each in enumerate(given))
            self._outcomes[key] = known
        return known

    def imagined(self, state: StateId, message: MessageId) -> tuple[LocalOutcome, ...]:
        """As `outcomes`, of a step that perhaps no run takes: neither claims nor coverage hear of it.

        Raises:
            ProtocolError: the role cannot take it.
        """
        key = (state, message)
        known = self._outcomes.get(key) or self._imagined.get(key)
        if known is None:
            process, local_state = self.states[state]
            identity, given = self.model.processes[process], self.messages[message]
            if self.model.is_paper(identity):
                answers = self.model.asked(identity, local_state, given)
            else:
                answers = called(self.model.roles[identity], "step", (local_state, given), self.model.index)
                self.model.deviations.note(identity, "step", (local_state, given), answers)
            self.claims.imagining = True
            known = tuple(self._outcome(process, local_state, message, i, each) for i, each in enumerate(answers))
            self.claims.imagining = False
            self._imagined[key] = known
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
                self.claims.lets_go(identity.role, self.messages[message].kind)
        return known

    def happened(self, process: int, state: StateId, event: MessageId, sender: int) -> tuple[StateId, History] | None:
        """The state of a process after an instant message, and what it has sent on it; None when it refuses."""
        message = self.messages[event]
        assert isinstance(message, Instant)
        identity, local_state = self.model.processes[process], self.states[state][1]
        if isinstance(message, Start) and self.claims.stays_exited and local_state is not Lifecycle.NOT_STARTED:
            raise created_twice(self.model, identity, local_state, message, self.model.processes[sender])
        outcome = self.model.happened(identity, local_state, message)
        if outcome is None:
            return None
        self.claims.met(identity, local_state, message, (outcome,))
        return self.state_id(process, outcome.state), self.history(self.model.recorded(outcome.sends))

    def facts(self, state: StateId, inbox: frozenset[MessageId], history: History) -> frozenset[Fact]:
        """What the invariants observe of a view; `inbox` are the messages in it, if `shows_inbox`."""
        seen = inbox if self.shows_inbox[state] else NO_MESSAGES
        key = (state, seen, history)
        known = self._facts.get(key)
        if known is None:
            process, local_state = self.states[state]
            identity = self.model.processes[process]
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
        state = self.state_id(process, outcome.state)
        violated = self.checks.of_local_step(identity, before, self.messages[message], outcome)
        if not outcome.sends:
            return LocalOutcome(choice, state, (), (), NO_MESSAGES, violated)
        grouped: dict[int, list[LocalItem]] = {}
        for item in self.model.items(identity, outcome.sends):
            if self._reaches(item):
                entry = LocalItem(self.model.index[item.sender], self.message_id(item.message))
                grouped.setdefault(self.model.index[item.to], []).append(entry)
        to_itself = tuple(grouped.pop(process, ()))
        bundles = tuple((to, self.bundle_id(tuple(items))) for to, items in sorted(grouped.items()))
        return LocalOutcome(choice, state, bundles, to_itself, self.history(self.model.recorded(outcome.sends)), violated)

    def _reaches(self, item: Item) -> bool:
        """Whether an item can matter to its recipient in any state that this may have by now."""
        key = (item, self.claims.imagining)
        known = self._reached.get(key)
        if known is None:
            known = self._reached[key] = isinstance(item.message, Instant) or self._can_matter(item)
        return known

    def _can_matter(self, item: Item) -> bool:
        first = self._first_state[item.to]
        reaches = not self.claims.harmless(item.to, None, item.message, item.sender) and (
            isinstance(first, Lifecycle) or not self.claims.ignores(item.to, first, item.message)
        )
        if not reaches:
            self.claims.lets_go(item.to.role, item.message.kind)
        return reaches

    def _matters(self, process: ProcessId, state: Any, message: Message) -> bool:
        if state in (Lifecycle.EXITED, Lifecycle.FAILED):
            return not (self.claims.reductions.inert and self.claims.stays_exited)
        if isinstance(state, Crashed):
            if not self.model.system.faults.may_restart(process.role):
                return not self.claims.reductions.inert
            state = state.state  # what the role claims is about all futures of that state, a restart included
        if state is Lifecycle.NOT_STARTED:
            return True
        return not self.claims.ignores(process, state, message) and not self.claims.harmless(process, state, message, None)
