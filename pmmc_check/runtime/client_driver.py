"""The driver of a client: one session of commands, each sent to the replica that answered last, and, where no answer comes, to all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pmmc_check.protocol.messages import Message, Request, Response
from pmmc_check.protocol.values import Command, ProcessId, Reconfigure
from pmmc_check.runtime.node import Driver, LiveNode
from pmmc_check.runtime.operations import MarkedOperation, marked
from pmmc_check.runtime.retries import Retries
from pmmc_check.runtime.sessions import LONG_AGO
from pmmc_check.runtime.signals import Forgotten, Signal
from pmmc_check.runtime.surroundings import Envelope
from pmmc_check.trace.events import RECEIVE

Answered = Callable[[str], None]
AT_ONCE_MAX = 100
"""So many operations of a client are under way at the same time; others wait until one is answered."""
SPREAD_MAX = 1000
"""So far apart are the numbers of operations under way: replicas remember a few more results of a session (`REMEMBERED_MAX`)."""
_PATIENCE_GROWTH_MAX = 4
"""A new number is given later and later, up to so many times `Timing.renumber`: each is one more slot for an overloaded cluster."""
_UNTOLD_MAX = 64
_UNTOLD_CHARACTERS_MAX = 2**16
"""When so much is answered, replicas are told that they may forget it."""


@dataclass(eq=False)
class Question:
    """An operation that a client waits for the result of, under all numbers that it has asked with: `number` is the first of them, 0 until
    then. Times are the clock's. `lost` is called where nobody can say the result any more."""

    operation: str | Reconfigure
    answered: Answered
    lost: Callable[[], None]
    number: int = 0
    asked: float = 0.0
    commands: tuple[Command, ...] = ()


class ClientDriver(Driver):
    """Keeps nothing on a disk: a client that crashes does not come back.

    Several operations may wait at the same time; then they take effect in any order. `forgotten`: where it is not 0 the cluster knows this
    session no more, and answers nothing that is asked in it; in a new session it does, if its number is larger than this one."""

    def __init__(self, node: LiveNode) -> None:
        super().__init__(node)
        self.forgotten = 0
        self._questions: dict[int, Question] = {}
        """By each number that it was asked under."""
        self._open: dict[int, Question] = {}
        """By the first of them; the lowest comes first."""
        self._changes: list[Question] = []
        """Reconfigurations: nobody answers them."""
        self._waiting: dict[Question, None] = {}
        self._cid = self._told = self._untold_characters = 0
        self._retries = Retries(self.timing.retransmit, self.timing.retransmit_max)
        self._answers = self.system.replicas[0]

    def ask(self, operation: str, answered: Answered, lost: Callable[[], None] = lambda: None) -> Question:
        """Has `operation` performed; calls `answered` once, with the result."""
        question = Question(operation, answered, lost)
        self._waiting[question] = None
        self.node.enter(self._ask_next)
        return question

    def withdraw(self, question: Question) -> None:
        """Asks no more, and waits for no result; it may still take effect."""
        if question.number in self._open:
            self._forget(question)
            self.node.enter(self._ask_next)
        self._waiting.pop(question, None)

    def reconfigure(self, leaders: tuple[ProcessId, ...]) -> None:
        """Asks for other leaders, with their acceptors. Nobody answers that; it takes effect WINDOW slots later, which are filled here."""
        self.node.enter(lambda: self._change(leaders))
        for _ in range(self.system.window):
            self.ask("", lambda result: None)

    def _change(self, leaders: tuple[ProcessId, ...]) -> None:
        question = Question(Reconfigure(leaders), lambda result: None, lambda: None)
        self._changes.append(question)
        self._number(question)

    def _forget(self, question: Question) -> None:
        for command in question.commands:
            del self._questions[command.cid]
        del self._open[question.number]
        self._retries.forget(question.number)

    def _ask_next(self) -> None:
        """All that may be asked now. The lowest number under way decides how far others go: its result must not be forgotten before it is
        heard."""
        while self._waiting and len(self._open) < AT_ONCE_MAX and self._cid - self._lowest() < SPREAD_MAX:
            question = next(iter(self._waiting))
            del self._waiting[question]
            self._open[self._cid + 1] = question
            self._number(question)

    def _lowest(self) -> int:
        """The lowest number that it waits for, or the next."""
        return next(iter(self._open), self._cid + 1)

    def _number(self, question: Question) -> None:
        """Asks under the next number."""
        self._cid += 1
        question.number = question.number or self._cid
        question.asked = self.now
        command = Command(self.me, self._cid, self._operation(question))
        question.commands += (command,)
        self._questions[self._cid] = question
        self._retries.due(question.number, self.now)
        self.host.send(self.me, Request(command), list(self.system.replicas))

    def _operation(self, question: Question) -> str | Reconfigure:
        """With a marker where it is asked again, or where replicas remember much that nobody waits for."""
        operation, lowest = question.operation, self._lowest()
        if isinstance(operation, Reconfigure) or not operation:
            return operation
        tells = lowest - self._told > _UNTOLD_MAX or (self._untold_characters > _UNTOLD_CHARACTERS_MAX and lowest > self._told)
        if not tells and question.number == self._cid:
            return operation
        self._told, self._untold_characters = lowest, 0
        return marked(MarkedOperation(question.number, lowest, operation))

    def deliver(self, sender: ProcessId, to: ProcessId, message: Message) -> None:
        """The first response to a question counts."""
        question = self._questions.get(message.cid) if isinstance(message, Response) else None
        if question is None or question.number not in self._open or not isinstance(message, Response):
            return
        if sender in self.system.replicas:
            self._answers = sender
        self._retries.answered(question.number, self.now)
        self._forget(question)
        self.counts["received response"] += 1
        self.host.note(to, RECEIVE, message)
        result = str(message.result)
        self._untold_characters += len(result)
        if result == LONG_AGO:
            question.lost()
        else:
            question.answered(result)
        self._ask_next()

    def signal(self, sender: ProcessId, signal: Signal) -> None:
        """A replica may say that the session is forgotten."""
        if isinstance(signal, Forgotten):
            self.forgotten = max(self.forgotten, self.me.number, signal.number)
            for question in [*self._open.values(), *self._waiting]:
                self.withdraw(question)
                question.lost()

    def admits(self, envelope: Envelope) -> bool:
        """Everything that comes in."""
        return True

    def transmits(self, envelope: Envelope) -> bool:
        """A request leaves at once for the replica that has answered last; the others get it when it is sent again."""
        return envelope.to == self._answers

    @property
    def ticks(self) -> bool:
        """While it waits for answers."""
        return bool(self._open or self._changes)

    def tick(self) -> None:
        """Sends again what has no response yet; after long, under a new number, which then stands for all before it."""
        now = self.now
        for question in [*self._open.values(), *self._changes]:
            patience = self.timing.renumber * min(len(question.commands), _PATIENCE_GROWTH_MAX)
            if abs(now - question.asked) > patience and question.number in self._open:
                self._number(question)
            elif self._retries.due(question.number, now):
                self.again(self.me, self.system.replicas, Request(question.commands[-1]))
