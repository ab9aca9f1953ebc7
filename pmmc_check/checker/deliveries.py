"""What single deliveries do, as integer tables: what the compiled loop of random walks looks up.

A walk that meets something new reports it (`walk_kernel`); it is learnt here from the roles, once. Views are not known here, only local
states, messages, and what invariants observe of a process: so a walk needs to know nothing of where else it might have gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import walk_tables as tables
from pmmc_check.checker.fact_digests import FactDigests
from pmmc_check.checker.growing import Growing
from pmmc_check.checker.kernel import REFUSED
from pmmc_check.checker.local_steps import LocalSteps, MessageId, StateId
from pmmc_check.checker.states_alike import NOT_ALIKE, StatesAlike
from pmmc_check.model.content import text_digest
from pmmc_check.model.network import Fifo
from pmmc_check.properties.observe import Fact
from pmmc_check.protocol.messages import Decision, Instant, Message, Request, Start
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome, Send
from pmmc_check.protocol.values import REPLICA, ProcessId

ShownId = int
LookId = int

_SHOWN_WEIGHT = text_digest("shown")


class ShownMessages(NamedTuple):
    """The messages by which a process shows facts: those in its inbox, and its history."""

    inbox: frozenset[MessageId]
    history: frozenset[MessageId]


class Look(NamedTuple):
    """What invariants observe of one process is a function of these."""

    state: StateId
    shown: ShownId


class MissingEntry(NamedTuple):
    """An entry of the table that is not known: of the given kind, about these two numbers; an instant message is from `sender`."""

    kind: int
    first: int
    second: int
    sender: int


class SentRows(NamedTuple):
    """What a step sends: the ranges of its items and of what history keeps, whether it decides something, and the commands that it creates
    commanders with, as texts."""

    items: tuple[int, int]
    past: tuple[int, int]
    decides: bool
    commands: frozenset[str]


_NOTHING = SentRows((0, 0), (0, 0), False, frozenset())


class LocalDeliveries:
    """All tables of random walks over one model."""

    def __init__(self, locals_: LocalSteps, slots: int) -> None:
        self.locals = locals_
        self.model = locals_.model
        self.at_once = slots if locals_.checks.at_once else None
        """The column of `observed` for what is asked of all slots at once."""
        self.columns = slots + locals_.checks.at_once
        self.observed = Growing(np.uint64, self.columns)
        self.telling: dict[int, tuple[bool, frozenset[str]]] = {}
        """Of those outcomes that decide something, or create a commander: whether they decide, and commands as texts."""
        self._digests = FactDigests(locals_.checks, slots, by_role=False)
        self._checks = locals_.checks
        self._alike = StatesAlike(self.model, locals_.checks)
        self._sent: dict[tuple[int, tuple[Send, ...]], SentRows] = {}
        self._looks: list[Look] = []
        self._shown: list[ShownMessages] = []
        self._shown_ids: dict[ShownMessages, ShownId] = {}
        self._keys: NDArray[np.uint64] = np.zeros(1 << 14, np.uint64)
        self._values: NDArray[np.int32] = np.zeros(1 << 14, np.int32)
        self._new: dict[int, int] = {}
        self.entries = 0
        """How many entries are known, but for what was learnt last."""
        self._entry = Growing(np.int32, 2)
        self._outcome = Growing(np.int32, 6)
        self._item = Growing(np.int32, 4)
        self._past = Growing(np.int32)
        self._state = Growing(np.int32, 4)
        self._is_shown = Growing(np.uint8)
        self._state_digest = Growing(np.uint64)
        self._message_digest = Growing(np.uint64)
        self._shown_digest = Growing(np.uint64)
        network = self.model.network
        self._rules = np.array([network.keeps_delivered, isinstance(network, Fifo), network.may_lose], np.int64)
        self._shows_inbox = np.array([process.role == REPLICA for process in self.model.processes], np.uint8)
        self.shown_id(ShownMessages(frozenset(), frozenset()))

    @property
    def messages(self) -> int:
        """How many messages are known."""
        return self._message_digest.size

    def arrays(self) -> tables.DeliveryTables:
        """What the kernel reads; valid until something is learnt."""
        self._describe()
        self._enter()
        return tables.DeliveryTables(
            keys=self._keys,
            values=self._values,
            entry=self._entry.data,
            outcome=self._outcome.data,
            item=self._item.data,
            past=self._past.data,
            state=self._state.data,
            is_shown=self._is_shown.data,
            shows_inbox=self._shows_inbox,
            state_digest=self._state_digest.data,
            message_digest=self._message_digest.data,
            shown_digest=self._shown_digest.data,
            observed=self.observed.data,
            rules=self._rules,
        )

    def learn(self, missing: MissingEntry) -> None:
        """Makes an entry; one that is known already is left.

        Raises:
            ProtocolError: a role breaks its contract.
        """
        kind, first, second, sender = missing
        key = _key(kind, first, second)
        if key in self._new:
            return  # another walk has asked for it just now
        if kind == tables.STEP:
            self._learn_step(first, second)
            return
        if kind == tables.HAPPENS:
            value = self._happen(first, second, sender)
        elif kind == tables.SHOWS:
            value = self._look(Look(first, second))
        else:
            value = self._change(kind, first, second)
        self._new[key] = value

    def facts(self, look: LookId) -> frozenset[Fact]:
        """What the invariants observe of a process."""
        state, shown = self._looks[look]
        inbox, history = self._shown[shown]
        return self.locals.facts(state, inbox, history)

    def shown_id(self, shown: ShownMessages) -> ShownId:
        """The number of what a process shows by messages."""
        number = self._shown_ids.get(shown)
        if number is None:
            number = self._shown_ids[shown] = len(self._shown)
            self._shown.append(shown)
            parts = (self.locals.digest.order(frozenset(self.locals.messages[each] for each in part)) for part in shown)
            self._shown_digest.append(sum((2 * n + 1) * part for n, part in enumerate(parts, _SHOWN_WEIGHT)) & 0xFFFFFFFFFFFFFFFF)
        return number

    def is_shown(self, process: int, message: MessageId) -> bool:
        """Whether invariants observe a message while it is in a process's inbox."""
        return bool(self._shows_inbox[process]) and isinstance(self.locals.messages[message], Decision | Request)

    def _learn_step(self, state: StateId, message: MessageId) -> None:
        process, value = self.locals.states[state]
        identity = self.model.processes[process]
        alike = self._alike.number(identity, value)
        if alike != NOT_ALIKE and _key(tables.STEP_OF_ALIKE, alike, message) in self._new:
            return
        outcomes, entry = self._deliver(state, message)
        if self._alike.answer_alike(identity, value, self.locals.messages[message], outcomes):
            if alike == NOT_ALIKE:
                self._number_alike(identity.role)
            alike = self._alike.number(identity, value)
            self._outcome.data[self._entry.data[entry, 0], 0] = tables.AS_BEFORE
            self._new[_key(tables.STEP_OF_ALIKE, alike, message)] = entry
        else:
            self._new[_key(tables.STEP, state, message)] = entry

    def _number_alike(self, role: str) -> None:
        """Which states of a role are alike is known now."""
        rows = self._state.data
        for number in range(self._state.size):
            process, state = self.locals.states[number]
            identity = self.model.processes[process]
            if identity.role == role:
                rows[number, 3] = self._alike.number(identity, state)

    def _deliver(self, state: StateId, message: MessageId) -> tuple[Sequence[Outcome], int]:
        """What the role answers, and the number of the row that says so."""
        process, before = self.locals.states[state]
        identity, given = self.model.processes[process], self.locals.messages[message]
        first = self._outcome.size
        outcomes = self._asked(identity, before, given)
        for outcome in outcomes:
            after, sends = outcome
            broken = self._checks.of_local_step(identity, before, given, outcome) is not None
            number = state if after is before or after == before else self.locals.state_id(process, after)
            sent = _NOTHING
            if sends:
                sent = self._sent.get((process, sends)) or self._note_sent(process, sends)
            decides = sent.decides or (identity.role == REPLICA and bool(getattr(after, "decisions", ())))
            if decides or sent.commands:
                self.telling[self._outcome.size] = decides, sent.commands
            self._outcome.append((number, *sent.items, broken, *sent.past))
        self._entry.append((first, self._outcome.size))
        return outcomes, self._entry.size - 1

    def _asked(self, process: ProcessId, state: Any, message: Message) -> tuple[Outcome, ...]:
        """What a role answers; it is asked here only once, so only what has to be asked again at the end need be remembered."""
        return self.model.asked(process, state, message) if self.model.is_paper(process) else self.model.outcomes(process, state, message)

    def _note_sent(self, process: int, sends: tuple[Send, ...]) -> SentRows:
        """Makes the rows of what a process sends; many of its steps send the same."""
        items, past = self._item.size, self._past.size
        for to, sender, message in self.model.items(self.model.processes[process], sends):
            number, instant = self.locals.message_id(message), isinstance(message, Instant)
            self._item.append((self.model.index[to], self.model.index[sender], number, instant))
        self._remember(self.locals.history(self.model.recorded(sends)))
        commands = (sent.command for _, sent in sends if isinstance(sent, Start))
        sent = self._sent[process, sends] = SentRows(
            (items, self._item.size),
            (past, self._past.size),
            any(isinstance(message, Decision) for _, message in sends),
            frozenset(str(command) for command in commands if command is not None),
        )
        return sent

    def _remember(self, messages: Iterable[MessageId]) -> None:
        for each in sorted(messages, key=lambda message: self.model.content.order(self.locals.messages[message])):
            self._past.append(each)

    def _happen(self, state: StateId, event: MessageId, sender: int) -> int:
        happened = self.locals.happened(self.locals.states[state][0], state, event, sender)
        if happened is None:
            return REFUSED
        after, sent = happened
        past = self._past.size
        self._remember(sent)
        self._outcome.append((after, 0, 0, False, past, self._past.size))
        return self._outcome.size - 1

    def _look(self, look: Look) -> LookId:
        self._looks.append(look)
        process = self.model.processes[self.locals.states[look.state][0]]
        self.observed.append(self._digests.of(process, self.facts(len(self._looks) - 1)))
        return len(self._looks) - 1

    def _change(self, kind: int, shown: ShownId, message: MessageId) -> ShownId:
        inbox, history = self._shown[shown]
        if kind == tables.PAST:
            return self.shown_id(ShownMessages(inbox, history | {message}))
        return self.shown_id(ShownMessages(inbox | {message} if kind == tables.SHOWN else inbox - {message}, history))

    def _describe(self) -> None:
        """Makes the rows of states and messages that are new."""
        locals_, digest = self.locals, self.locals.digest
        for number in range(self._state.size, len(locals_.states)):
            process, state = locals_.states[number]
            identity = self.model.processes[process]
            faults = [locals_.message_id(fault) for fault in self.model.fault_steps(identity, state)]
            assert len(faults) <= 1, "a process that runs may crash, and one that is down may restart"
            asleep = isinstance(state, Crashed) or (isinstance(state, Lifecycle) and self.model.network.keeps_delivered)
            broken, alike = locals_.violated(number) is not None, self._alike.number(identity, state)
            self._state.append((not asleep, faults[0] if faults else -1, broken, alike))
            self._state_digest.append(digest.order((identity, state)))
        for message in locals_.messages[self._message_digest.size :]:
            self._is_shown.append(isinstance(message, Decision | Request))
            self._message_digest.append(digest.order(message))

    def _enter(self) -> None:
        """Puts what was learnt into the hash table."""
        if not self._new:
            return
        self.entries += len(self._new)
        keys, values = np.fromiter(self._new, np.uint64, len(self._new)), np.fromiter(self._new.values(), np.int32, len(self._new))
        if 2 * self.entries > len(self._keys):
            old, capacity = self._keys != 0, len(self._keys)
            while 2 * self.entries > capacity:
                capacity *= 2
            keys, values = np.concatenate([self._keys[old], keys]), np.concatenate([self._values[old], values])
            self._keys, self._values = np.zeros(capacity, np.uint64), np.zeros(capacity, np.int32)
        tables.enter(self._keys, self._values, keys, values)
        self._new.clear()


def _key(kind: int, first: int, second: int) -> int:
    return ((kind << tables.TAG_SHIFT) | (first << tables.FIRST_SHIFT) | second) + 1
