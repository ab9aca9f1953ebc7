"""The calls within a leader's machine that its log leaves out: what its scouts and commanders tell it by adopted and preempted.

A leader that shows everything else is replayed all the same. Each call is kept from the step that makes it until something shows that the
leader has taken it: a scout or commander that only this call creates, or the leader's recorded state.
"""

from __future__ import annotations

from pmmc_check.protocol.messages import Adopted, Message, Preempted, Start
from pmmc_check.protocol.role import Send
from pmmc_check.protocol.values import COMMANDER, LEADER, SCOUT, ProcessId
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

    def settle(self, sends: tuple[Send, ...]) -> list[Send]:
        """Carries out the creations among `sends`, for which logs may wait; returns the messages."""
        messages = self.processes.settle(sends)
        if self._waiting and len(messages) < len(sends):
            for to, message in sends:
                if type(message) is Start:
                    self._wake(to)
        return messages

    def keep(self, process: Process) -> None:
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

    def create(self, me: ProcessId) -> bool:
        """Lets the leader of a scout or commander that shows itself take the unrecorded step that creates it, if it can.

        When a leader takes adopted does not matter as long as it has taken it before its commanders act: with `propose` it commutes.
        """
        leader = self.processes.running.get(ProcessId(LEADER, me.number))
        if leader is None or leader.exited:
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
