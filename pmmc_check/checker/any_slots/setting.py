"""One replica in one setting: what it answers, asked through the model as in every search, and what of it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pmmc_check.checker.any_slots.surroundings import DecisionLog, ReplicaBounds, Surroundings
from pmmc_check.checker.false_claim import asymmetric
from pmmc_check.checker.symmetry import renamings
from pmmc_check.model.calls import called
from pmmc_check.model.content import Images
from pmmc_check.model.faults import Restart
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks, Violated
from pmmc_check.properties.invariants import Invariant
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.messages import Message, Propose, Response, Start
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome, Role, Send, states_claim
from pmmc_check.protocol.values import CLIENT, LEADER, REPLICA, ProcessId
from pmmc_check.users_code import users_code

FOREIGN_SEND = "foreign send"
"""In place of an invariant's name: the replica sends what the one-slot system does not know of."""


class Setting:
    """Replica number `number` of `protocol`, with one WINDOW.

    What the paper's own replica claims is true (the tests see to it), and is used. Of any other class nothing is believed: `symmetric` is
    checked on every step that is asked for, and `ignores` is not used. `alike` becomes false as soon as another replica
    answers a question otherwise; it is asked where the class does not claim to be symmetric.
    """

    def __init__(self, protocol: Protocol, bounds: ReplicaBounds, window: int, invariants: Sequence[Invariant], number: int = 1) -> None:
        role_class = protocol[REPLICA]
        self.symmetric = states_claim(role_class, "symmetric")
        self.window = window
        self.process = ProcessId(REPLICA, number)
        self.alike = True
        self.model = Model(bounds.config(window, replicas=1 if self.symmetric else 2), protocol)
        self.checks = Checks(self.model, invariants)
        self.surroundings = Surroundings(self.model.system, bounds)
        self._role = self.model.roles[self.process]
        self._other = self._role if self.symmetric else self.model.roles[ProcessId(REPLICA, 3 - number)]
        self._is_stock = role_class in PMMC.values()
        self._commands = frozenset(self.model.system.commands)
        self._renamings = renamings(self.model.system)[1:] if self.symmetric else []
        self._images = [Images(each) for each in self._renamings]

    def start(self) -> Outcome:
        """The replica's creation."""
        outcome = self.model.started(self.process, Start())
        self.alike &= self.model.started(self._other.me, Start()) == outcome
        self._check_symmetric(Lifecycle.NOT_STARTED, Start(), (outcome,), lambda state, message: (outcome,))
        return outcome

    def messages(self, log: DecisionLog, state: Any) -> Iterator[tuple[Message, DecisionLog]]:
        """What may be delivered next and can have an effect, with the log after it."""
        for message, after in self.surroundings.messages(log, state):
            if not (self._is_stock and after is log and self._role.ignores(state, message)):
                yield message, after

    def answers(self, state: Any, message: Message) -> tuple[Outcome, ...]:
        """What delivering `message`, or a restart, leads to.

        Raises:
            ProtocolError: the class broke the contract of roles, or claims to be symmetric and is not.
        """
        if self._is_stock:
            return (self._role.restart(state),) if isinstance(message, Restart) else tuple(self._role.step(state, message))  # type: ignore[return-value]
        given = self._asked(self._role, state, message)
        if self._images:
            self._check_symmetric(state, message, given, lambda *image: self._asked(self._role, *image))
        elif _differ(given, self._asked(self._other, state, message)):
            self._check_pure(state, message)
            self.alike = False
        return given

    def in_order(self, outcomes: tuple[Outcome, ...]) -> list[Outcome]:
        """By content: the same on every run."""
        return sorted(outcomes, key=self.model.content.order)

    def images(self, log: DecisionLog, state: Any) -> Iterator[tuple[DecisionLog, Any]]:
        """What stands for the same as `state` with `log`: they are told apart by the names of commands only."""
        return ((each.of(log), each.of(state)) for each in self._images)

    def wrong_step(self, state: Any, message: Message, outcome: Outcome) -> Violated | None:
        """What a step breaks."""
        before = Crashed(state) if isinstance(message, Restart) else state
        return self.checks.of_local_step(self.process, before, message, outcome) or self.wrong_sends(outcome.sends)

    def wrong_sends(self, sends: Sequence[Send]) -> Violated | None:
        """What the replica must not send: anything but proposals of what was requested, and responses."""
        for to, message in sends:
            if type(message) is Propose and to.role == LEADER:
                if message.command not in self._commands:
                    return Violated(
                        "Validity", f"{self.process} proposes {message.command} for slot {message.slot}, which no client requested"
                    )
            elif not (type(message) is Response and to.role == CLIENT):
                return Violated(FOREIGN_SEND, f"{self.process} sends {message} to {to}")
        return None

    def wrong_state(self, log: DecisionLog, state: Any) -> Violated | None:
        """What a state breaks. A decision that the replica was never told may be another elsewhere: then Agreement is broken."""
        if isinstance(state, Lifecycle):
            return None
        if broken := self.checks.of_local_state(self.process, state):
            return broken
        with users_code(f"reading the decisions of {self.process} ({type(self._role).__name__})"):
            untold = sorted(frozenset(state.decisions) - log)
        return Violated("Agreement", f"{self.process} takes {untold[0]} for decided, which no decision has told it") if untold else None

    def _asked(self, role: Role, state: Any, message: Message) -> tuple[Outcome, ...]:
        if isinstance(message, Restart):
            return called(role, "restart", (state,), self.model.index)
        return called(role, "step", (state, message), self.model.index)

    def _check_symmetric(
        self, state: Any, message: Message, given: tuple[Outcome, ...], answer: Callable[[Any, Message], tuple[Outcome, ...]]
    ) -> None:
        """Asks the same with commands renamed: the answer must be the renamed one."""
        for renaming, images in zip(self._renamings, self._images, strict=True):
            image = images.of(state), images.of(message)
            expected = tuple(
                Outcome(images.of(after), tuple(Send(images.of(to), images.of(sent)) for to, sent in sends)) for after, sends in given
            )
            found = answer(*image)
            if _differ(expected, found):
                if not isinstance(state, Lifecycle):
                    self._check_pure(state, message)
                    self._check_pure(*image)
                step = (self.process, state, message), (self.process, *image)
                raise asymmetric(self.model, renaming, *step, (given, expected, found))

    def _check_pure(self, state: Any, message: Message) -> None:
        """Says so where one replica answers one question in two ways."""
        self.model.outcomes(self.process, Crashed(state) if isinstance(message, Restart) else state, message)


def _differ(some: tuple[Outcome, ...], others: tuple[Outcome, ...]) -> bool:
    return some != others and frozenset(some) != frozenset(others)
