"""What a replay makes of processes whose logs promise less than everything: clients without a log, partial and missing logs.

What such a process does is not replayed. Its recorded sends are taken at their word, its unrecorded ones as made
whenever somebody needs them; a client without a log sends each request once to every replica, which is all that the
protocol says of clients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pmmc_check.protocol.messages import Adopted, Message, P1b, Preempted, Request, Start
from pmmc_check.protocol.role import Send, System
from pmmc_check.protocol.values import CLIENT, COMMANDER, LEADER, REPLICA, SCOUT, ProcessId, host_of
from pmmc_check.trace.events import PARTIAL, Delta, Event, Names
from pmmc_check.trace.fields import BROADCASTS, RECIPIENT, SENDERS
from pmmc_check.trace.matching import undetermined
from pmmc_check.validation.compact_sets import Once
from pmmc_check.validation.replay.diagnosis import Diagnosis
from pmmc_check.validation.replay.inflight import Ambiguous, InFlight
from pmmc_check.validation.replay.process import Process

CALLS = ("adopted", "preempted")
"""Messages within one machine: a leader's log often leaves them out, because there they are function calls."""


class Unrecorded(Diagnosis):
    """The part of a replay that deals with them; `Replay` sets the attributes."""

    names: Names
    system: System
    network: InFlight
    full: frozenset[ProcessId]
    requested: Once
    p1bs: dict[tuple[ProcessId, ProcessId, Any], list[tuple[Any, P1b]]]
    shown: dict[ProcessId, frozenset[Any]]
    """What the latest p1b of an acceptor that is not replayed carried."""
    waiting: dict[Any, Any]
    calls: dict[int, list[Message]]
    _silent_calls: frozenset[ProcessId]
    _keeps: dict[tuple[ProcessId, str], bool]
    _wake: Callable[[Any], None]

    def _logged(self) -> tuple[ProcessId, ...]:
        return (*self.system.replicas, *self.system.leaders, *self.system.acceptors)

    def _clients(self) -> list[ProcessId]:
        return [process for process in self.names.name_of if process.role == CLIENT]

    def _contract(self, process: ProcessId) -> Any:
        return self.header.contract(self.names.log_of(process))

    def replayed(self, process: ProcessId) -> bool:
        """Whether this process's log is complete, so that its steps are replayed."""
        return host_of(process) in self.full

    def _is_open_request(self, kind: str, sender: ProcessId | None) -> bool:
        return kind == "request" and sender is not None and not self._records(sender, kind)

    def _unrecorded_kinds(self, ends: Mapping[str, Sequence[str]]) -> frozenset[str]:
        """The kinds of which some log that shows one of `ends`, the roles that send or receive them, may leave messages out."""
        return frozenset(kind for kind, roles in ends.items() if any(not self._all_record(role, kind) for role in roles))

    def _all_record(self, role: str, kind: str) -> bool:
        if role == CLIENT and self.names.open_clients:
            return False
        host = LEADER if role in (SCOUT, COMMANDER) else role
        return all(self._records(process, kind) for process in self.names.name_of if process.role == host)

    def _records(self, process: ProcessId, kind: str) -> bool:
        keeps = self._keeps.get((process, kind))
        if keeps is None:
            keeps = bool(self._contract(process).records(kind))
            if process.role not in (SCOUT, COMMANDER):
                self._keeps[process, kind] = keeps
        return keeps

    def _unrecorded(self, sender: ProcessId | None, kind: str, to: ProcessId) -> bool:
        """Whether the message may have been sent without a trace in any log."""
        if sender is not None:
            return not self._records(sender, kind)
        if to.role == LEADER and kind == "preempted":
            return not self._records(to, kind)
        role = SENDERS[kind][0]
        hosts = {"replica": self.system.replicas, COMMANDER: self.system.leaders}.get(role, ())
        return any(not self._records(host, kind) for host in hosts)

    def _shows_all(self, process: ProcessId, but: tuple[str, ...] = ()) -> bool:
        """Whether a log shows everything that the process, a leader's scouts and commanders included, sends or receives."""
        roles = {process.role, SCOUT, COMMANDER} if process.role == LEADER else {process.role}
        seen = [kind for kind in RECIPIENT if RECIPIENT[kind] in roles or roles & set(SENDERS[kind])]
        return all(self._contract(process).records(kind) for kind in seen if kind not in but)

    def _half_recorded(self, process: ProcessId) -> bool:
        """Whether a log shows some of what a process does, but not all."""
        return self._contract(process).form == PARTIAL and not self._shows_all(process)

    def _keep_calls(self, process: Process) -> None:
        """Of what a scout or commander must send now, the calls of its leader happen without a trace in the log."""
        leader = ProcessId(LEADER, process.me.number)
        if leader not in self._silent_calls or process.me.role not in (SCOUT, COMMANDER):
            return
        silent = [send for send in process.pending if send.to == leader and not self._records(leader, send.message.kind)]
        if silent:
            process.pending = [send for send in process.pending if send not in silent]
            self.calls.setdefault(leader.number, []).extend(send.message for send in silent)
            for key in [key for key in self.waiting if isinstance(key, ProcessId) and key.number == leader.number]:
                self._wake(key)

    def _created_silently(self, me: ProcessId) -> bool:
        """Lets the leader of a scout or commander that shows itself take the unrecorded step that creates it, if it can.

        When a leader takes adopted does not matter as long as it has taken it before its commanders act: with `propose` it commutes.
        """
        leader = self.processes.running.get(ProcessId(LEADER, me.number))
        if leader is None or leader.exited:
            return False
        calls = self.calls.get(me.number, [])
        for index, call in enumerate(calls):
            if _creates(call, me):
                del calls[index]
                self._settled(leader.step(call))
                return me in self.processes.running
        if me.role == SCOUT and self.header.ballots == "any" and me.ballot > leader.state.ballot:
            self._settled(leader.campaign(me.ballot))
        return me in self.processes.running

    def _settled(self, sends: tuple[Send, ...]) -> list[Send]:
        """Carries out the creations among `sends`, for which logs may wait; returns the messages."""
        messages = self.processes.settle(sends)
        if self.waiting and len(messages) < len(sends):
            for to, message in sends:
                if type(message) is Start:
                    self._wake(to)
        return messages

    def _catch_up(self, event: Event, process: Process) -> None:
        """A leader's recorded state may show that it has taken a call meanwhile."""
        calls = self.calls.get(process.me.number, []) if process.me.role == LEADER else []
        while calls and not process.exited and any(getattr(process.state, key) != value for key, value in event.post or ()):
            self._settled(process.step(calls.pop(0)))

    def _from_open_client(self, event: Event, message: Request) -> Request:
        """A client whose log nobody keeps has sent every request that is received, but sends it to a replica once only."""
        if self.header.duplicates or self.header.requests == "resent":
            return message
        command = message.command
        if not self.requested.add((event.process, command._replace(cid=0)), command.cid):
            raise self._rejected(
                event,
                "a request is received once for each time it was sent",
                f"{self.show(command)} at most once: clients send a request once, and this network does not duplicate",
                "a second copy; if your clients repeat requests, say requests=resent in the config line",
            )
        return message

    def _open_send(self, event: Event) -> None:
        """A send of a process that is not replayed: a client's, or one of a partial log."""
        message: Any = event.message
        peers = event.peers if event.peers is not None else self._everyone(event)
        if undetermined(message) or (type(message) is P1b and type(message.accepted) is Delta):
            raise Ambiguous(f"{event.place} is of a partial log and does not record the whole message")
        if type(message) is Request and self.header.requests != "resent":
            self._client_sends_once(event, message, peers)
        for to in peers:
            if type(message) is P1b:
                added = Delta(message.accepted - self.shown.get(event.process, frozenset()))
                self.p1bs.setdefault((to, message.acceptor, message.ballot), []).append((added, message))
            self.network.put(event.process, to, message, event)
            if self.waiting:
                self._wake((to, message))
                self._wake((to, None))
        if type(message) is P1b:
            self.shown[event.process] = message.accepted

    def _client_sends_once(self, event: Event, message: Request, peers: tuple[ProcessId, ...]) -> None:
        command = message.command
        for to in peers:
            if command.client != event.process or not self.requested.add((event.process, to, command._replace(cid=0)), command.cid):
                raise self._rejected(
                    event,
                    "a client sends each of its requests once to every replica",
                    f"requests of {self.show(event.process)}, each once; if they are repeated, say requests=resent in the config line",
                    f"{self.show_message(message)} to {self.show(to)} once more"
                    if command.client == event.process
                    else f"a request of {self.show(command.client)}",
                )

    def _everyone(self, event: Event) -> tuple[ProcessId, ...]:
        kind = event.message.kind if event.message is not None else ""
        if kind in ("adopted", "preempted"):
            return (ProcessId(LEADER, event.process.number),)
        role = RECIPIENT[kind]
        if kind not in BROADCASTS:
            raise Ambiguous(f"{event.place} is of a partial log and does not say to whom it sends")
        return {REPLICA: self.system.replicas, LEADER: self.system.leaders}.get(role, self.system.acceptors)


def _creates(call: Message, me: ProcessId) -> bool:
    """Whether taking this call may create the scout or commander `me`."""
    if isinstance(call, Adopted):
        return me.role == COMMANDER and call.ballot == me.ballot
    return isinstance(call, Preempted) and me.role == SCOUT and call.ballot.round + 1 == me.round
