"""One role process of a replayed run: its state, what its last step still has to send, and the steps themselves.

The protocol's own `Role.step` makes every step. What a step sends reaches the network only when the log shows it: a process may stop at any
point, even in the middle of a step, but it may not go on before its step is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.leader import Leader
from pmmc_check.protocol.messages import Message, P1b, Propose, Response, Start
from pmmc_check.protocol.role import Lifecycle, Outcome, Role, Send, System, states_claim
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, LEADER, REPLICA, SCOUT, Ballot, ProcessId, SlotCommand
from pmmc_check.trace.events import UNKNOWN, Delta, Event, is_chosen
from pmmc_check.trace.matching import matches
from pmmc_check.trace.system import OpaqueResult
from pmmc_check.validation.compact_sets import Ledger, Once
from pmmc_check.validation.replay.in_place import IN_PLACE, GrowingPValues, InPlace, Mark, copied
from pmmc_check.validation.replay.late_proposals import InPlaceLateReplica
from pmmc_check.validation.replay.open_requests import resolved
from pmmc_check.words import counted

ChooseOutcome = Callable[[Iterable[Outcome]], Outcome]
"""Chooses among the outcomes of a step."""


class Process:
    """A running scout, commander, leader, acceptor or replica."""

    __slots__ = ("before", "creates", "cut_in", "dies", "last", "loose", "me", "others", "p1b_mark", "pending", "received", "role", "state")

    def __init__(self, role: Role, outcome: Outcome) -> None:
        self.role = role
        self.me = role.me
        """Which process this is."""
        self.creates = role.me.role not in (ACCEPTOR, REPLICA)
        """Whether its steps may create processes."""
        self.state: Any = outcome.state
        self.pending: Sequence[Send] = ()
        self.received: Message | None = None
        """What an acceptor or replica has received and may not have acted on: the step is made when its log goes on."""
        self.others: Sequence[Process] = ()
        """Other versions of this process, which its log so far shows as well (`versions.py`)."""
        self.before: Any = None
        """A leader's state before its last step, if that was one of a recorded receive."""
        self.last: Event | None = None
        self.cut_in: str | None = None
        self.dies = False
        self.loose = False
        """Whether the send that was shown last left something out, so that it may be one of several."""
        self.p1b_mark: Mark | frozenset[Any] | None = None
        """What the acceptor's last p1b had; a plain set in a variant that keeps one."""

    @property
    def exited(self) -> bool:
        """Whether it has stopped for good."""
        return isinstance(self.state, Lifecycle)

    @property
    def versions(self) -> tuple[Process, ...]:
        """This one, and the others that the log shows as well."""
        return (self, *self.others)

    def act(self) -> None:
        """Makes the step of what was received, unless that has been done."""
        received, self.received = self.received, None
        if received is not None and (sends := self.step(received)):
            self.pending = sends

    def twin(self) -> Process:
        """The same process at the same point, whose later steps leave this one alone."""
        other = Process(self.role, Outcome(copied(self.state)))  # not `type(self)`: who watches steps is told of one version
        other.pending, other.received, other.last, other.p1b_mark = self.pending, self.received, self.last, self.p1b_mark
        return other

    def same_as(self, other: Process) -> bool:
        """Whether nothing that follows can tell the two apart."""
        return self.received == other.received and self.state == other.state and list(self.pending) == list(other.pending)

    def cut(self, log: str, dies: bool = False) -> None:
        """A crash recorded in `log`: what is pending is never sent, and the process is gone if it `dies`, if it is logged there.

        Where a scout or commander is logged shows only in its next event, so the cut takes effect then (`resume`).
        """
        if self.pending or dies:
            self.cut_in, self.dies = log, self.dies or dies

    def resume(self, log: str) -> None:
        """The next event of this process is in `log`."""
        if self.cut_in == log:
            self.pending = ()
            if self.dies:
                self.state = Lifecycle.EXITED
        self.cut_in, self.dies = None, False

    def restart(self) -> tuple[Send, ...] | None:
        """Comes back from a crash as its role says; returns what it sends. None if a process of this role cannot."""
        if self.exited:
            return ()
        outcome = self.role.restart(self.state)
        if outcome is None:
            return None
        self.state = outcome.state
        return outcome.sends

    def campaign(self, ballot: Ballot) -> tuple[Send, ...]:
        """This leader begins `ballot`; returns what it sends."""
        assert isinstance(self.role, Leader), "only a leader has ballots to begin"
        outcome = self.role.campaign(self.state, ballot)
        self.state = outcome.state
        return outcome.sends

    def step(self, message: Message, pick: ChooseOutcome | None = None) -> tuple[Send, ...]:
        """Delivers `message`; returns what the step sends. Creations (`Start`) are among it.

        The paper's roles have one outcome here (requests are chosen by the log); for others `pick` chooses.
        """
        if type(self.state) is Lifecycle:
            return ()
        outcomes = self.role.step(self.state, message)
        state, sends = next(iter(outcomes)) if pick is None else pick(outcomes)
        self.state = state
        return sends

    def sent(self, message: Any, peers: tuple[ProcessId, ...] | None) -> Sequence[Send] | None:
        """The pending sends that an event of sending `message` to `peers` records, now no longer pending.

        None when they are not pending. Resolves stand-ins for requests, unknown fields, deltas and results.
        """
        kind = type(message)
        if kind is Propose:
            if isinstance(self.role, InPlaceLateReplica):
                self._propose_now(self.role, message)
            else:
                self._resolve(message)
        pending = self.pending
        if peers is not None and len(peers) == 1:
            (peer,) = peers
            for index, send in enumerate(pending):
                if send.to == peer and (_answers(message, send.message) if kind is Response else send.message == message):
                    self.pending = (*pending[:index], *pending[index + 1 :]) if len(pending) > 1 else ()
                    return (send,)
        matching = _same(pending, message, peers)
        if not matching:
            matching = self._loosely(message, peers)
        if not matching or (peers is not None and len(matching) != len(set(peers))):
            return None
        if len(matching) == len(pending):
            self.pending = ()
        else:
            taken = set(map(id, matching))
            self.pending = [send for send in pending if id(send) not in taken]
        return matching

    def _loosely(self, message: Any, peers: tuple[ProcessId, ...] | None) -> list[Send]:
        """Matches of a message with unknown fields, a delta or an opaque result: those of the first message that fits."""
        self.loose = True
        for first in self.pending:
            if (peers is None or first.to in peers) and self.fits(message, first.message):
                return [each for each in self.pending if each.message == first.message and (peers is None or each.to in peers)]
        return []

    def added(self, accepted: Any) -> Delta:
        """What a p1b has more than the acceptor's last one."""
        if isinstance(accepted, GrowingPValues):
            return Delta(accepted.since(self.p1b_mark))  # type: ignore[arg-type]  # a mark, if any
        return Delta(frozenset(accepted) - (self.p1b_mark or frozenset()))  # type: ignore[operator]  # a plain set, if any

    def remember(self, accepted: Any) -> None:
        """A p1b with this set was sent."""
        self.p1b_mark = accepted.mark() if isinstance(accepted, GrowingPValues) else frozenset(accepted)

    def fits(self, pattern: Any, message: Any) -> bool:
        """Whether a recorded message may be `message`."""
        of_delta = type(message) is P1b and type(getattr(pattern, "accepted", None)) is Delta
        return matches(pattern, message, self.added(message.accepted) if of_delta else None)

    def _resolve(self, message: Propose) -> None:
        """Puts the recorded command in the place of the stand-in for its slot."""
        if message.slot is UNKNOWN or message.command is UNKNOWN:
            return
        for send in self.pending:
            pending: Any = send.message
            if type(pending) is Propose and pending.slot == message.slot and not is_chosen(pending.command):
                state = resolved(self.state, SlotCommand(pending.slot, pending.command), message.command)
                if state is not None:
                    self.state = state
                    self.pending = [
                        Send(each.to, message) if type(each.message) is Propose and each.message.slot == message.slot else each
                        for each in self.pending
                    ]
                return

    def _propose_now(self, role: InPlaceLateReplica, message: Propose) -> None:
        """A replica that proposes when it likes does it now, unless this is one more send of a proposal."""
        if any(send.message == message for send in self.pending) or UNKNOWN in (message.slot, message.command):
            return
        outcome = role.propose_now(self.state, message.slot, message.command)
        if outcome is not None:
            self.state, self.pending = outcome.state, [*self.pending, *outcome.sends]

    def show_state(self, show: Callable[[Any], str]) -> str:
        """The variables that a reader of the paper would ask for."""
        state = self.state
        if self.exited:
            return "exited"
        if self.me.role == ACCEPTOR:
            return f"ballot={show(state.ballot)}, {len(state.accepted)} accepted"
        if self.me.role == LEADER:
            return f"ballot={show(state.ballot)}, active={show(state.active)}, {counted(len(state.proposals), 'proposal')}"
        if self.me.role == REPLICA:
            waiting = len(state.requests)
            return f"slot_in={state.slot_in}, slot_out={state.slot_out}, {waiting} requests wait, WINDOW={self.role.system.window}"
        return f"waits for {', '.join(map(show, sorted(state.waitfor)))}"


def _answers(recorded: Response, sent: Message) -> bool:
    """Whether a recorded response is `sent`, whose result is not known where the application is somebody's own."""
    if type(sent) is not Response or recorded.cid != sent.cid:
        return False
    return type(sent.result) is OpaqueResult or sent.result == recorded.result


def _same(pending: Sequence[Send], message: Message, peers: tuple[ProcessId, ...] | None) -> list[Send]:
    """The pending sends of `message` to `peers`. What is broadcast is one object: it is compared once."""
    found: list[Send] = []
    same = other = None
    for send in pending:
        sent = send.message
        if sent is other:
            continue
        if sent is not same:
            if sent != message:
                other = sent
                continue
            same = sent
        if peers is None or send.to in peers:
            found.append(send)
    return found


MakeProcess = Callable[[Role, Outcome], Process]
"""Makes a process of its role and what it starts with."""


class Processes:
    """All role processes of a run by identity; scouts and commanders appear when their leader creates them."""

    def __init__(
        self,
        system: System,
        protocol: Protocol = PMMC,
        make: MakeProcess = Process,
        in_place: Mapping[type[Role], type[InPlace]] = IN_PLACE,
    ) -> None:
        self.system, self.protocol, self._make, self.in_place = system, protocol, make, in_place
        self.running: dict[ProcessId, Process] = {}
        self.ledger = Ledger()
        self._creates_again = not states_claim(protocol[LEADER], "starts_once")
        """Whether a leader of this protocol may create a scout or commander a second time, which then begins anew."""
        self._exited = Once()
        for me in (*system.acceptors, *system.replicas, *system.leaders):
            self.start(me, Start())

    def start(self, me: ProcessId, start: Start) -> Process:
        """Creates a process; the processes that it creates in turn are created too."""
        role_class = self.protocol[me.role]
        in_place = self.in_place.get(role_class)
        role = role_class(me, self.system) if in_place is None else in_place(me, self.system, self.ledger)
        outcome = role.start(start.command)
        process = self.running[me] = self._make(role, outcome)
        process.pending = self.settle(outcome.sends)
        return process

    def settle(self, sends: tuple[Send, ...]) -> list[Send]:
        """Carries out the creations among `sends`; returns the messages."""
        messages = [send for send in sends if type(send.message) is not Start]
        if len(messages) != len(sends):
            for to, message in sends:
                if type(message) is Start and (self._creates_again or (to not in self.running and not self.has_exited(to))):
                    self.start(to, message)
        return messages

    def retire(self, process: Process) -> None:
        """Forgets an exited process but for the fact that it was there."""
        del self.running[process.me]
        self._exited.add(*_numbered(process.me))

    def has_exited(self, me: ProcessId) -> bool:
        """Whether a scout or commander is done."""
        return self._exited.seen(*_numbered(me))

    def hosted_by(self, log: ProcessId) -> list[Process]:
        """The process that a log belongs to, and for a leader its running scouts and commanders."""
        if log.role != LEADER:
            return [self.running[log]] if log in self.running else []
        return [each for me, each in self.running.items() if me.number == log.number and me.role in (LEADER, SCOUT, COMMANDER)]


def _numbered(me: ProcessId) -> tuple[tuple[str, int, int], int]:
    """A scout or commander as a key and a number that counts up: rounds of a leader, slots of a ballot."""
    role, number, round_number, slot = me
    return ((role, number, round_number), slot) if role == COMMANDER else ((role, number, 0), round_number)
