"""What a replay makes of processes whose logs promise less than everything: clients without a log, partial and missing logs.

What such a process does is not replayed. Its recorded sends are taken at their word, its unrecorded ones as made
whenever somebody needs them; a client without a log sends each request once to every replica, which is all that the
protocol says of clients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pmmc_check.protocol.messages import P1b, Request
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import COMMANDER, LEADER, REPLICA, SCOUT, ProcessId
from pmmc_check.trace.diagnosis import Diagnosis
from pmmc_check.trace.elaborate import BROADCASTS, RECIPIENT, SENDERS
from pmmc_check.trace.events import UNKNOWN, Delta, Event, Names
from pmmc_check.trace.inflight import Ambiguous, InFlight
from pmmc_check.trace.once import Once


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
    blocked: int
    _keeps: dict[tuple[ProcessId, str], bool]
    _wake: Callable[[Any], None]

    def _logged(self) -> tuple[ProcessId, ...]:
        return (*self.system.replicas, *self.system.leaders, *self.system.acceptors)

    def _contract(self, process: ProcessId) -> Any:
        return self.header.contract(self.names.log_of(process))

    def replayed(self, process: ProcessId) -> bool:
        """Whether this process's log is complete, so that its steps are replayed."""
        if process.role in (SCOUT, COMMANDER):
            process = ProcessId(LEADER, process.number)
        return process in self.full

    def _is_open_request(self, kind: str, sender: ProcessId | None) -> bool:
        return kind == "request" and sender is not None and not self._records(sender, kind)

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

    def _from_open_client(self, event: Event, message: Request) -> bool:
        """A client whose log nobody keeps has sent every request that is received, but sends it to a replica once only."""
        if self.header.duplicates or self.header.requests == "resent":
            return True
        command = message.command
        if not self.requested.add((event.process, command._replace(cid=0)), command.cid):
            raise self._rejected(
                event,
                "a request is received once for each time it was sent",
                f"{self.show(command)} at most once: clients send a request once, and this network does not duplicate",
                "a second copy; if your clients repeat requests, say requests=resent in the config line",
            )
        return True

    def _open_send(self, event: Event) -> None:
        """A send of a process that is not replayed: a client's, or one of a partial log."""
        message: Any = event.message
        peers = event.peers if event.peers is not None else self._everyone(event)
        if any(getattr(message, name) is UNKNOWN for name in message.__dataclass_fields__) or (
            type(message) is P1b and type(message.accepted) is Delta
        ):
            raise Ambiguous(f"{event.place} is of a partial log and does not record the whole message")
        if type(message) is Request and self.header.requests != "resent":
            self._client_sends_once(event, message, peers)
        for to in peers:
            if type(message) is P1b:
                added = Delta(message.accepted - self.shown.get(event.process, frozenset()))
                self.p1bs.setdefault((to, message.acceptor, message.ballot), []).append((added, message))
            self.network.put(event.process, to, message, event)
            if self.blocked:
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
