"""Leaders whose logs leave out adopted and preempted, or that may begin ballots on their own, taken for whatever they may be.

`SilentCalls` guesses when a leader takes its calls, and when it begins a ballot, so what it rejects may be legal all the same. Here nothing
is guessed and more is allowed than any run could do: a scout or commander may appear as soon as anything that its leader's log shows gives
reason for it. So a rejection is exact, and an acceptance says nothing. It is the paper's leader that has these reasons, and they are few:

- a scout of a round above 0: a preemption by the round below, a restart, or a header that lets leaders begin ballots on their own;
- a commander: its ballot was adopted, and its command is the one that the promises report for the slot under the highest ballot. Where
  they report none, it is one that a replica has proposed, or that an earlier ballot's promises reported.
"""

from __future__ import annotations

from typing import Any

from pmmc_check.protocol.messages import Adopted, Message, Preempted, Propose, Start
from pmmc_check.protocol.role import Send
from pmmc_check.protocol.values import COMMANDER, LEADER, SCOUT, Ballot, Command, ProcessId, PValue, pmax
from pmmc_check.trace.events import UNKNOWN, Event
from pmmc_check.validation.replay.inflight import Ambiguous
from pmmc_check.validation.replay.process import Process
from pmmc_check.validation.replay.unrecorded import SilentCalls


class AnyCalls(SilentCalls):
    """What `SilentCalls` does, for leaders of which only the reasons for what they create are kept."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open = self.promises.replayed if self.header.ballots == "any" else self.promises.leaves_out_calls
        """The leaders whose log does not say when they take their calls, or when they begin a ballot."""
        self._adopted: dict[Ballot, dict[int, set[Command]]] = {}
        """By adopted ballot and slot: the commands that its promises report under the highest ballot."""
        self._proposed: dict[tuple[int, int], set[Command]] = {}
        """By leader and slot: what replicas proposed, and what earlier promises reported."""
        self._rounds: set[tuple[int, int]] = set()
        """By leader: the rounds that it may have begun after a preemption."""
        self._restarted: set[int] = set()

    def step(self, process: Process, delivered: Message) -> None:
        """A leader only takes note of what is proposed; a scout or commander makes its step, whose calls are taken note of."""
        if not self._is_open(process.me):
            super().step(process, delivered)
            return
        if process.me.role == LEADER:
            if isinstance(delivered, Propose):
                self._proposed.setdefault((process.me.number, delivered.slot), set()).add(delivered.command)
            self._wake_all(process.me.number)
            return
        sends = process.step(delivered)
        for send in sends:
            self._note(process.me, send.message)
        process.pending = [send for send in sends if send.to.role != LEADER or self.promises.records(send.to, send.message.kind)]

    def _note(self, me: ProcessId, message: Message) -> None:
        if isinstance(message, Adopted):
            self._note_adopted(message.ballot, message.pvalues)
        elif isinstance(message, Preempted):
            self._rounds.add((me.number, message.ballot.round + 1))
        self._wake_all(me.number)

    def _note_adopted(self, ballot: Ballot, pvalues: frozenset[PValue]) -> None:
        reported = self._adopted.setdefault(ballot, {})
        for choice in pmax(pvalues):
            for slot, command in choice:
                reported.setdefault(slot, set()).add(command)
                self._proposed.setdefault((ballot.leader, slot), set()).add(command)

    def restart(self, process: Process) -> tuple[Send, ...] | None:
        """A leader may come back with any ballot of its own."""
        if not self._is_open(process.me):
            return super().restart(process)
        self._restarted.add(process.me.number)
        return ()

    def create(self, me: ProcessId, event: Event | None = None) -> bool:
        """Creates a scout or commander, if there is reason for it."""
        if not self._is_open(me):
            return super().create(me, event)
        if me.role == SCOUT:
            able = me.round == 0 or me.number in self._restarted or self.header.ballots == "any" or (me.number, me.round) in self._rounds
            start = Start()
        else:
            command = self._command(me, event)
            able, start = command is not None, Start(command)
        if able:
            self.processes.start(me, start)
        return able

    def _command(self, me: ProcessId, event: Event | None) -> Command | None:
        """The command with which a commander shows itself, if it may have been created with it."""
        if me.ballot not in self._adopted or event is None:
            return None
        possible = self._adopted[me.ballot].get(me.slot) or self._proposed.get((me.number, me.slot), set())
        message: Any = event.message
        command = getattr(message, "command", UNKNOWN)
        if command is UNKNOWN:
            if len(possible) > 1:
                raise Ambiguous(f"{event.place} does not say which command {me} has")
            return next(iter(possible), None)
        return command if command in possible else None

    def catch_up(self, event: Event, process: Process) -> None:
        """Nothing is known of such a leader's state."""

    def knows_state(self, process: Process) -> bool:
        """Whether a recorded state can be compared."""
        return process.me.role != LEADER or not self._is_open(process.me)

    def crashed(self, leader: Process) -> None:
        """Nothing is known of such a leader's state."""
        if not self._is_open(leader.me):
            super().crashed(leader)

    def _is_open(self, me: ProcessId) -> bool:
        return me.role in (LEADER, SCOUT, COMMANDER) and ProcessId(LEADER, me.number) in self._open

    def _wake_all(self, number: int) -> None:
        for key in [key for key in self._waiting if isinstance(key, ProcessId) and key.number == number]:
            self._wake(key)
