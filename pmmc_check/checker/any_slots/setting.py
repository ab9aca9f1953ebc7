"""One replica in one setting: what it answers, asked through the model as in every search, and what of it is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pmmc_check.checker.any_slots.surroundings import Log, ReplicaBounds, Surroundings
from pmmc_check.checker.symmetry import renamings
from pmmc_check.errors import ProtocolError
from pmmc_check.model.content import Images
from pmmc_check.model.faults import Restart, Spend
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks, Violated
from pmmc_check.properties.invariants import Invariant
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.messages import Decision, Message, Propose, Response, Start
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome, Send, states_claim
from pmmc_check.protocol.values import CLIENT, LEADER, REPLICA, ProcessId

FOREIGN_SEND = "foreign send"
"""In place of an invariant's name: the replica sends what the one-slot system does not know of."""


class Setting:
    """Replica number `number` of `protocol`, with one WINDOW.

    `alike` becomes false as soon as another replica answers a question otherwise; it is asked only where the class does not claim to be symmetric.
    """

    def __init__(self, protocol: Protocol, bounds: ReplicaBounds, window: int, invariants: Sequence[Invariant], number: int = 1) -> None:  # noqa: PLR0917
        role_class = protocol[REPLICA]
        self.symmetric = states_claim(role_class, "symmetric")
        self.window = window
        self.process = ProcessId(REPLICA, number)
        self.alike = True
        self.model = Model(bounds.config(window, replicas=1 if self.symmetric else 2), protocol)
        self.checks = Checks(self.model, invariants)
        self.surroundings = Surroundings(self.model.system, bounds)
        self._commands = frozenset(self.model.system.commands)
        self._is_stock = role_class in PMMC.values()
        self._ignores = self.model.roles[self.process].ignores if states_claim(role_class, "ignores") else None
        self._other = self.process if self.symmetric else ProcessId(REPLICA, 3 - number)
        self._images = [Images(each) for each in renamings(self.model.system)[1:]] if self.symmetric else []

    def start(self) -> Outcome:
        """The replica's creation."""
        outcome = self.model.started(self.process, Start())
        self.alike &= self.model.started(self._other, Start()) == outcome
        return outcome

    def messages(self, log: Log, state: Any) -> Iterator[tuple[Message, Log]]:
        """What may be delivered next and can have an effect, with the log after it."""
        for message, after in self.surroundings.messages(log, state):
            if not (after is log and isinstance(message, Decision) and self._ignored(state, message)):
                yield message, after

    def answers(self, state: Any, message: Message) -> tuple[Outcome, ...]:
        """What delivering `message`, or a restart, leads to.

        Raises:
            ProtocolError: the class broke the contract of roles.
        """
        given = self._asked(self.process, state, message)
        if not self._is_stock and (again := self._asked(self._other, state, message)) != given and frozenset(again) != frozenset(given):
            before = Crashed(state) if isinstance(message, Restart) else state
            self.model.outcomes(self.process, before, message)  # says so where the same replica answers in two ways
            self.alike = False
        return given

    def in_order(self, outcomes: tuple[Outcome, ...]) -> list[Outcome]:
        """By content: the same on every run."""
        return sorted(outcomes, key=self.model.content.order)

    def images(self, log: Log, state: Any) -> Iterator[tuple[Log, Any]]:
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
                    return Violated("Validity", f"{self.process} proposes {message.command} for slot {message.slot}, which no client requested")
            elif not (type(message) is Response and to.role == CLIENT):
                return Violated(FOREIGN_SEND, f"{self.process} sends {message} to {to}")
        return None

    def wrong_state(self, log: Log, state: Any) -> Violated | None:
        """What a state breaks. A decision that the replica was never told may be another elsewhere: then Agreement is broken."""
        if isinstance(state, Lifecycle):
            return None
        if broken := self.checks.of_local_state(self.process, state):
            return broken
        try:
            untold = sorted(frozenset(state.decisions) - log)
        except Exception as error:  # the state is the user's: whatever its fields hold
            name = type(self.model.roles[self.process]).__name__
            raise ProtocolError(f"cannot read the decisions of {self.process} ({name}): {type(error).__name__}: {error}") from error
        return Violated("Agreement", f"{self.process} takes {untold[0]} for decided, which no decision has told it") if untold else None

    def _ignored(self, state: Any, message: Message) -> bool:
        if self._ignores is None:
            return False
        try:
            return bool(self._ignores(state, message))
        except Exception as error:
            name = type(self.model.roles[self.process]).__name__
            raise ProtocolError(f"{name}.ignores of {self.process} raised {type(error).__name__}: {error}") from error

    def _asked(self, process: ProcessId, state: Any, message: Message) -> tuple[Outcome, ...]:
        if not isinstance(message, Restart):
            return self.model.asked(process, state, message)
        (outcome,) = self.model.asked(process, Crashed(state), message)
        return (outcome._replace(sends=tuple(each for each in outcome.sends if not isinstance(each.message, Spend))),)
