"""What happens within a leader's machine without a trace in its log: what its scouts and commanders tell it by adopted and preempted.

A leader that shows everything else is replayed all the same. Each call is kept from the step that makes it until something shows that the
leader has taken it: a scout or commander that only this call creates, or the leader's recorded state.
"""

from __future__ import annotations

from typing import Any

from pmmc_check.protocol.messages import Adopted, Message, Preempted, Start
from pmmc_check.protocol.role import Lifecycle, Send
from pmmc_check.protocol.values import COMMANDER, LEADER, SCOUT, ProcessId, scout_id
from pmmc_check.trace.events import Event, Header
from pmmc_check.validation.promises import Promises
from pmmc_check.validation.replay.interleaving import Interleaving
from pmmc_check.validation.replay.process import Process, Processes


class SilentCalls:
    """The calls that happen without a trace in the logs of one replay."""

    def __init__(self, header: Header, promises: Promises, processes: Processes, interleaving: Interleaving) -> None:
        self.header, self.promises, self.processes = header, promises, processes
        self._waiting, self._wake = interleaving.waiting, interleaving.wake
        self._calls: dict[int, list[Message]] = {}
        """By the leader's number: those that it has not taken yet."""
        self._unwritten: dict[int, tuple[Any, Event | None]] = {}
        """By the leader's number: its state before a preemption that it may not have kept over a crash, and its last event."""
        self.guessed = ""
        """What was guessed about leaders that crashed."""

    def settle(self, sends: tuple[Send, ...]) -> list[Send]:
        """Carries out the creations among `sends`, for which logs may wait; returns the messages."""
        messages = self.processes.settle(sends)
        if self._waiting and len(messages) < len(sends):
            for to, message in sends:
                if type(message) is Start:
                    self._wake(to)
        return messages

    def step(self, process: Process, delivered: Message) -> None:
        """Makes a step of a process that may create others."""
        process.before = process.state
        sends = process.step(delivered)
        if sends:
            process.pending = self.settle(sends)
            if self.promises.leaves_out_calls:
                self._keep(process)

    def restart(self, process: Process) -> tuple[Send, ...] | None:
        """Restarts a process as its role says; None if it cannot."""
        return process.restart()

    def knows_state(self, process: Process) -> bool:
        """Whether a recorded state can be compared."""
        return True

    def _keep(self, process: Process) -> None:
        """Of what a scout or commander must send now, keeps the calls that its leader's log leaves out."""
        leader = ProcessId(LEADER, process.me.number)
        if leader not in self.promises.leaves_out_calls or process.me.role not in (SCOUT, COMMANDER):
            return
        silent = [send for send in process.pending if send.to == leader and not self.promises.records(leader, send.message.kind)]
        if silent:
            process.pending = [send for send in process.pending if send not in silent]
            self._calls.setdefault(leader.number, []).extend(send.message for send in silent)
            for key in [key for key in self._waiting if isinstance(key, ProcessId) and key.number == leader.number]:
                self._wake(key)

    def create(self, me: ProcessId, event: Event | None = None) -> bool:
        """Lets the leader of a scout or commander that shows itself in `event` take the unrecorded step that creates it, if it can.

        When a leader takes adopted does not matter as long as it has taken it before its commanders act: with `propose` it commutes.
        """
        leader = self.processes.running.get(ProcessId(LEADER, me.number))
        if leader is None:
            return False
        if me.role == SCOUT and self._forgot_a_preemption(leader, me):
            return True
        if leader.exited:
            return False
        calls = self._calls.get(me.number, [])
        for index, call in enumerate(calls):
            if _creates(call, me):
                del calls[index]
                self.settle(leader.step(call))
                return me in self.processes.running
        if me.role == SCOUT and self.header.ballots == "any" and me.ballot > leader.state.ballot:
            self.settle(leader.campaign(me.ballot))
        return me in self.processes.running

    def crashed(self, leader: Process) -> None:
        """The leader is about to restart. A preemption that it received last may be lost: nothing may show that it was kept."""
        before, after = leader.before, leader.state
        leader.before = None
        self._unwritten.pop(leader.me.number, None)
        if before is not None and (leader.exited or before.ballot != after.ballot):
            if not leader.exited and not self._forget(scout_id(after.ballot)):
                return
            self._unwritten[leader.me.number] = before, leader.last
            self.guessed = self.guessed or "a leader crashed right after it was preempted, and may not have kept that"

    def _forget(self, scout: ProcessId) -> bool:
        """Forgets that a scout was ever created, if nothing is shown of what it did."""
        process = self.processes.running.get(scout)
        silent = process is not None and process.last is None and len(process.pending) == len(process.state.waitfor)
        if silent:
            del self.processes.running[scout]
        return silent

    def _forgot_a_preemption(self, leader: Process, scout: ProcessId) -> bool:
        """Whether the leader came back with the ballot of `scout`, because it had not kept its last preemption; then it is so."""
        before, last = self._unwritten.get(scout.number, (None, None))
        outcome = leader.role.restart(before) if before is not None and leader.last is last else None
        if outcome is None or isinstance(outcome.state, Lifecycle) or outcome.state.ballot != scout.ballot:
            return False
        del self._unwritten[scout.number]
        if not leader.exited and not self._forget(scout_id(leader.state.ballot)):
            return False
        leader.state = outcome.state
        self.settle(outcome.sends)
        return True

    def catch_up(self, event: Event, process: Process) -> None:
        """Lets a leader take the calls that its recorded state shows it has taken."""
        calls = self._calls.get(process.me.number, []) if process.me.role == LEADER else []
        while calls and not process.exited and any(getattr(process.state, key) != value for key, value in event.post or ()):
            self.settle(process.step(calls.pop(0)))


def _creates(call: Message, me: ProcessId) -> bool:
    """Whether taking this call may create the scout or commander `me`."""
    if isinstance(call, Adopted):
        return me.role == COMMANDER and call.ballot == me.ballot
    return isinstance(call, Preempted) and me.role == SCOUT and call.ballot.round + 1 == me.round
