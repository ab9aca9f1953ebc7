"""The driver of a client: one session of commands, each sent to the replica that answered last, and, where no answer comes, to all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pmmc_check.protocol.messages import Message, Request, Response
from pmmc_check.protocol.values import Command, ProcessId, Reconfigure
from pmmc_check.runtime.node import Driver, LiveNode
from pmmc_check.runtime.operations import asked_again
from pmmc_check.runtime.retries import Retries
from pmmc_check.runtime.surroundings import Envelope
from pmmc_check.trace.events import RECEIVE

Answered = Callable[[str], None]
_SESSIONS_MAX = 4
"""A new number is given later and later, up to so many sessions after the last: each is one more slot for an overloaded cluster."""


@dataclass
class Question:
    """An operation that a client waits for the result of, under all numbers that it has asked with. Times are the clock's."""

    operation: str | Reconfigure
    number: int
    answered: Answered
    asked: float
    commands: tuple[Command, ...] = ()


class ClientDriver(Driver):
    """Keeps nothing on a disk: a client that crashes does not come back.

    Several operations may wait at the same time; then they take effect in any order."""

    def __init__(self, node: LiveNode) -> None:
        super().__init__(node)
        self._questions: dict[int, Question] = {}
        """By each number that it was asked under."""
        self._open: dict[int, Question] = {}
        """By the first of them."""
        self._waiting: deque[tuple[str | Reconfigure, Answered]] = deque()
        self._cid = 0
        self._retries = Retries(self.timing.retransmit, self.timing.retransmit_max)
        self._answers = self.system.replicas[0]

    def ask(self, operation: str, answered: Answered) -> None:
        """Has `operation` performed; calls `answered` once, with the result."""
        self._waiting.append((operation, answered))
        self.node.enter(self._ask_next)

    def reconfigure(self, leaders: tuple[ProcessId, ...]) -> None:
        """Asks for other leaders, with their acceptors. Nobody answers that; it takes effect WINDOW slots later, which are filled here."""
        self._waiting.append((Reconfigure(leaders), lambda result: None))
        self.node.enter(self._ask_next)
        for _ in range(self.system.window):
            self.ask("", lambda result: None)

    def forget_reconfigurations(self) -> None:
        """They have taken effect, or nobody is interested any more."""
        for question in list(self._open.values()):
            if isinstance(question.operation, Reconfigure):
                self._forget(question)

    def _forget(self, question: Question) -> None:
        for command in question.commands:
            del self._questions[command.cid]
        del self._open[question.number]
        self._retries.forget(question.number)

    def _ask_next(self) -> None:
        operation, answered = self._waiting.popleft()
        self._cid += 1
        question = self._open[self._cid] = Question(operation, self._cid, answered, self.now)
        self._request(question, Command(self.me, self._cid, operation))

    def _request(self, question: Question, command: Command) -> None:
        question.commands += (command,)
        question.asked = self.now
        self._questions[command.cid] = question
        self._retries.due(question.number, self.now)
        self.host.send(self.me, Request(command), list(self.system.replicas))

    def deliver(self, sender: ProcessId, to: ProcessId, message: Message) -> None:
        """The first response to a question counts."""
        if not isinstance(message, Response) or message.cid not in self._questions:
            return
        question = self._questions[message.cid]
        if sender in self.system.replicas:
            self._answers = sender
        self._retries.answered(question.number, self.now)
        self._forget(question)
        self.counts["received response"] += 1
        self.host.note(to, RECEIVE, message)
        question.answered(str(message.result))

    def admits(self, envelope: Envelope) -> bool:
        """Everything that comes in."""
        return True

    def transmits(self, envelope: Envelope) -> bool:
        """A request leaves at once for the replica that has answered last; the others get it when it is sent again."""
        return envelope.to == self._answers

    @property
    def ticks(self) -> bool:
        """While it waits for answers."""
        return bool(self._open)

    def tick(self) -> None:
        """Sends again what has no response yet; after long, under a new number, which then stands for all before it."""
        now = self.now
        for question in list(self._open.values()):
            patience = self.timing.session * min(len(question.commands), _SESSIONS_MAX)
            if abs(now - question.asked) > patience and not isinstance(question.operation, Reconfigure):
                self._cid += 1
                again = asked_again(question.number, question.operation)
                self._request(question, Command(self.me, self._cid, again))
            elif self._retries.due(question.number, now):
                self.again(self.me, self.system.replicas, Request(question.commands[-1]))
