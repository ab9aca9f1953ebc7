"""Replay: is a set of logs a legal run of PMMC? Linear and without search where everything that matters is recorded.

PMMC steps touch one process, and the network is the only thing that processes share. So logs are a legal run exactly if each process's log
replays on its own (every receive by the role's `step`, the sends as that step says) and all events can be put in an order in which every
receive comes after its send. Greed finds that order: advance any log whose next receive is in flight. An advance
never takes anything away from another log: sends only add to what is in flight, and a copy can only be received by
the process that it was sent to, in the order of that process's log. So if greed gets stuck, every order does: no backtracking, no clocks.

Logs that promise less than everything (`partial`, `none`) are not replayed. Here their messages of unrecorded kinds are taken as
sent whenever someone needs them: more than any real run could do, so a rejection under this relaxation is exact. An
acceptance is not, and is left to the search (`search.py`). Clients without a log are the exception: they may send
any request once (again where the header says `requests=resent`), which is all the protocol says of them, so nothing is relaxed.

Scouts and commanders are processes of their own wherever they are logged. Crash: a step may be cut short if the
process logs nothing more, or a `crash` or `restart` next. What a restart brings back is said by the role (`Role.restart`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.messages import Message, P1b, Response
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.protocol.values import CLIENT, COMMANDER, LEADER, REPLICA, SCOUT, ProcessId, host_of
from pmmc_check.trace.events import COMPLETE, CRASH, DROP, END, RECEIVE, RESTART, SEND, UNKNOWN, Delta, Event, Header, Names
from pmmc_check.trace.fields import RECIPIENT, SENDERS
from pmmc_check.trace.matching import agrees, undetermined
from pmmc_check.trace.system import OpaqueResult, system_of
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.compact_sets import Once
from pmmc_check.validation.replay.deadlock import waits
from pmmc_check.validation.replay.diagnosis import Rejected
from pmmc_check.validation.replay.inflight import Ambiguous, EverSent, in_flight
from pmmc_check.validation.replay.interleaving import Interleaving, Log
from pmmc_check.validation.replay.process import Process, Processes
from pmmc_check.validation.replay.unrecorded import CALLS, Unrecorded

EVENTS_KEPT = 400
"""Events kept for explanations."""


class Replay(Unrecorded, Interleaving):
    """Replays one trace.

    After `run` without `Rejected`: every log has been replayed to its end. `exact` says whether that proves the trace to be a legal
    run, or whether some process's log was too thin for that.
    """

    def __init__(self, header: Header, names: Names, protocol: Protocol = PMMC) -> None:
        super().__init__()
        self.header, self.names = header, names
        self.system = system_of(header, names)
        self.processes = Processes(self.system, protocol)
        self._running = self.processes.running
        self.network = in_flight(header.duplicates, header.loses, header.ordered)
        self.recent: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.full = frozenset(
            process for process in self._logged() if self._shows_all(process, but=CALLS if process.role == LEADER else ())
        )
        self._silent_calls = frozenset(process for process in self.full if not self._shows_all(process))
        self.closed_clients = frozenset(
            process for name, process in names.process_of.items() if process.role == CLIENT and header.contract(name).form == COMPLETE
        )
        self.exact = len(self.full) == len(self._logged()) and not any(map(self._half_recorded, self._clients()))
        self.requested = Once()
        self.p1bs: dict[tuple[ProcessId, ProcessId, Any], list[tuple[Any, P1b]]] = {}
        self.shown: dict[ProcessId, frozenset[Any]] = {}
        self.endings: list[Event] = []
        self.guessed = self._guesses(protocol)
        """What this replay may have guessed wrong: then a rejection is not final, but an acceptance is, since the run was made."""
        self.calls: dict[int, list[Message]] = {}
        self.values = Values(names)
        self.writer = DslWriter(self.values)
        self.results: dict[int, list[Any]] = {}
        self._keeps = {(process, kind): self._contract(process).records(kind) for process in names.name_of for kind in SENDERS}
        self._thin = len(self.full) < len(self._logged())
        self._open_kinds = self._unrecorded_kinds(SENDERS)
        self._usual_kinds = frozenset(SENDERS) - self._open_kinds - {"p1b"}
        """Kinds that are received as they were sent, and sent with a trace."""
        self._special_kinds = self._unrecorded_kinds({kind: (role,) for kind, role in RECIPIENT.items()}) | {"p1b", "response"}
        """Kinds that need not be recorded where they arrive, and those that do not travel as the step gives them."""

    def run(self, streams: Iterable[Iterator[Event]]) -> None:
        """Replays all events.

        Raises:
            Rejected: they are no legal run.
            Ambiguous: replay without search cannot tell.
        """
        self.take_all(streams)
        self._finish()

    def _advance(self, log: Log, event: Event) -> bool:
        """Carries the event out, or registers what it waits for."""
        action = event.action
        if (log.crashed or log.ended) and not log.allows(action):
            raise self._rejected(
                event, "log order", "nothing, or a restart after a crash", "an event after the log said that the process had stopped"
            )
        if action == RECEIVE:
            done = self._receive(log, event)
        elif action == SEND:
            done = self._send(log, event)
        else:
            done = self._fault(log, event)
        if done:
            self.recent.append(event)
        return done

    # ---- receives ----

    def _receive(self, log: Log, event: Event) -> bool:
        me = event.process
        process = self._running.get(me)
        if process is None or (self._thin and not self.replayed(me)):
            return self._received_by_none(log, event)
        if process.pending:
            process.resume(event.log)
            if process.pending:
                raise self._unfinished(event, process)
        delivered = self._taken(event)
        if delivered is None:
            return self._wait(self._key(event), log)
        process.last = event
        sends = process.step(delivered)
        if sends:
            process.pending = self._settled(sends) if process.creates else sends
            if self._silent_calls:
                self._keep_calls(process)
        if event.post is not None:
            self._check_post(event, process)
        if type(process.state) is Lifecycle and not process.pending:
            self._retire(process)
        return True

    def _received_by_none(self, log: Log, event: Event) -> bool:
        """A receive of a process that does not run: a client, one that is not replayed, one not yet created, or exited."""
        me = event.process
        if not self.replayed(me):
            return undetermined(event.message) or self._taken(event) is not None or self._wait(self._key(event), log)
        if not self.processes.has_exited(me):
            return self._receive(log, event) if self._created_silently(me) else self._wait(me, log)
        if self._taken(event) is None:
            return self._wait(self._key(event), log)
        self._no_post(event, "it has exited")
        return True

    def _retire(self, process: Process) -> None:
        if process.me.role in (SCOUT, COMMANDER):
            self.processes.retire(process)

    def _taken(self, event: Event) -> Message | None:
        """Takes the received message out of the network, if it is there or need not be; returns it as it was sent."""
        message: Any = event.message
        sender = event.peers[0] if event.peers else None
        if message.kind not in self._usual_kinds:
            return self._taken_openly(event, sender, message)
        if self.network.take(sender, event.process, message):
            return message  # type: ignore[no-any-return]  # it is a message
        return self._one_like(event, sender) if undetermined(message) else None

    def _taken_openly(self, event: Event, sender: ProcessId | None, message: Any) -> Message | None:
        """As `_taken`, where the send need not be recorded, or is recorded as a delta.

        Raises:
            Ambiguous: nothing says what the message was.
        """
        kind = message.kind
        if self._is_open_request(kind, sender):
            return self._from_open_client(event, message)
        if self._unrecorded(sender, kind, event.process):
            if undetermined(message):
                raise Ambiguous(f"{event.place} receives a message of which a field was not recorded (?), and its send is not recorded")
            if type(message) is P1b and type(message.accepted) is Delta:
                raise Ambiguous(f"{event.place} receives a delta of an acceptor whose p1bs are not recorded")
            return message  # type: ignore[no-any-return]  # it is a message
        if undetermined(message):
            found = self._one_like(event, sender)
            if found is None and kind in self._open_kinds:
                raise Ambiguous(
                    f"{event.place} receives a message of which a field was not recorded (?), and its send need not be recorded"
                )
            return found
        if type(message) is P1b:
            return self._p1b_taken(event, message, self.network.take)
        return message if self.network.take(sender, event.process, message) else None

    def _p1b_taken(self, event: Event, message: P1b, take: Callable[[ProcessId | None, ProcessId, Message], bool]) -> P1b | None:
        """As `take`; a delta stands for the p1b that was sent with it."""
        key = (event.process, message.acceptor, message.ballot)
        sent = self.p1bs.get(key, [])
        for index, (delta, whole) in enumerate(sent):
            if message.accepted in (delta, whole.accepted) and take(message.acceptor, event.process, whole):
                if not self.header.duplicates:
                    del sent[index]
                    if not sent:
                        del self.p1bs[key]
                elif type(message.accepted) is Delta:
                    self.guessed = self.guessed or "a delta (+{...}) was received that may stand for several p1bs"
                return whole
        return None

    def _one_like(self, event: Event, sender: ProcessId | None) -> Message | None:
        """Takes a message in flight that a receive with unrecorded fields (?) may be: the first."""
        if type(getattr(event.message, "accepted", None)) is Delta:
            raise Ambiguous(f"{event.place} receives a delta of a p1b of which another field was not recorded (?)")
        for message, _ in self.network.to(event.process):
            if agrees(event.message, message) and self.network.take(sender, event.process, message):
                self.guessed = self.guessed or f"{event.place} receives a message of which a field was not recorded (?)"
                return message
        if isinstance(self.network, EverSent) and self.network.filed:
            raise Ambiguous(f"{event.place} receives a message of which a field was not recorded (?), and that was sent long before")
        return None

    # ---- sends ----

    def _send(self, log: Log, event: Event) -> bool:
        me, message = event.process, event.message
        process = self._running.get(me)
        if process is None or (self._thin and not self.replayed(me)):
            return self._sent_by_none(log, event)
        if process.cut_in is not None:
            process.resume(event.log)
            if process.exited and not process.pending:
                self._retire(process)
                return self._sent_by_none(log, event)
        sends = process.sent(message, event.peers)
        if process.loose:
            self._check_whole(event, process)
        if sends is None:
            raise self._not_enabled(event, process)
        for to, sent in sends:
            self._put(event, to, sent, process)
        if event.post is not None:
            self._check_post(event, process)
        if not process.pending and type(process.state) is Lifecycle:
            self._retire(process)
        return True

    def _guesses(self, protocol: Protocol) -> str:
        """What this replay may guess wrong from the beginning."""
        if self._silent_calls:
            return "adopted or preempted are not recorded"
        if self.header.ballots == "any":
            return "leaders begin ballots of themselves"
        return "replicas of this variant choose among their requests" if protocol[REPLICA] is not PMMC[REPLICA] else ""

    def _check_whole(self, event: Event, process: Process) -> None:
        """What a replica sends several of must be recorded so far that it is clear which one this is."""
        process.loose = False
        if process.me.role == REPLICA and UNKNOWN in [getattr(event.message, name, None) for name in ("slot", "command", "cid")]:
            raise Ambiguous(f"{event.place} may be one of several sends: it does not record which slot, command or cid (?)")

    def _sent_by_none(self, log: Log, event: Event) -> bool:
        """A send of a process that does not run, as above."""
        me = event.process
        if not self.replayed(me):
            self._open_send(event)
            return True
        if not self.processes.has_exited(me):
            return self._send(log, event) if self._created_silently(me) else self._wait(me, log)
        shown = self.show_message(event.message)
        raise self._rejected(event, "an exited process sends nothing", f"nothing from {self.show(me)}, which has exited", shown)

    def _put(self, event: Event, to: ProcessId, sent: Any, process: Process) -> None:
        """A replayed send reaches the network, and whoever waits for it."""
        if sent.kind in self._special_kinds:
            if type(sent) is Response and type(sent.result) is OpaqueResult:
                sent = self._result(event, sent)
            elif type(sent) is P1b:
                sent = self._p1b(to, sent, process)
            if not self._hears(to, sent.kind):
                return
        self.network.put(event.process, to, sent, event)
        if self.waiting:
            self._wake((to, sent))
            self._wake((to, None))

    def _hears(self, to: ProcessId, kind: str) -> bool:
        return self._records(host_of(to), kind)

    def _p1b(self, to: ProcessId, sent: P1b, process: Process) -> P1b:
        """The p1b as it travels; a delta that is received will stand for it."""
        accepted: Any = sent.accepted
        delta = process.added(accepted)
        process.remember(accepted)
        whole = P1b(sent.acceptor, sent.ballot, frozenset(accepted))
        if self._hears(to, sent.kind):
            self.p1bs.setdefault((to, sent.acceptor, sent.ballot), []).append((delta, whole))
        return whole

    def _result(self, event: Event, sent: Response) -> Response:
        """An opaque result is a function of its position: replicas may not differ."""
        recorded: Any = event.message
        result, performed = recorded.result, sent.result
        if result is UNKNOWN:
            if any(self._records(client, "response") for client in self.closed_clients):
                raise Ambiguous(f"{event.place} sends a result that was not recorded (?)")
            return Response(sent.cid, result)
        assert isinstance(performed, OpaqueResult), "only opaque results come here"
        known = self.results.setdefault(performed.position, [result, 0])
        known[1] += 1
        if known[0] != result:
            raise self._rejected(
                event,
                "R3: replicas that performed the same commands are in the same state",
                f"result={self.show(known[0])}, another replica's result of the command performed as number {performed.position}",
                f"result={self.show(result)}",
            )
        if known[1] == len(self.system.replicas):
            del self.results[performed.position]
        return Response(sent.cid, result)

    # ---- faults ----

    def _fault(self, log: Log, event: Event) -> bool:
        if event.action == DROP:
            return self._drop(log, event)
        if event.action == END:
            self.endings.append(event)
            log.ended = True
            return True
        own = self.processes.running.get(event.process) if self.replayed(event.process) else None
        if own is not None:
            for process in self.processes.hosted_by(event.process):
                process.cut(log.name, dies=event.action == RESTART and process is not own)
            if event.action == RESTART:
                self._restart(log, event, own)
            if event.post is not None:
                self._check_post(event, own)
        log.crashed = event.action == CRASH
        return True

    def _restart(self, log: Log, event: Event, process: Process) -> None:
        """The process is what its role brings back; a leader's scouts and commanders are gone."""
        process.resume(log.name)
        sends = process.restart()
        if sends is None:
            raise self._rejected(event, "a process restarts only if its role says how", "no restart", f"{self.show(process.me)} restarts")
        process.pending = self._settled(sends)

    def _drop(self, log: Log, event: Event) -> bool:
        if not self.header.loses:
            expected = "no drop: the config line does not say network=lossy"
            raise self._rejected(event, "the network loses nothing", expected, "a dropped message")
        message: Any = event.message
        sender = event.peers[0] if event.peers else None
        if undetermined(message):
            raise Ambiguous(f"{event.place} drops a message of which a field was not recorded (?)")
        if self._is_open_request(message.kind, sender):
            return self._from_open_client(event, message) is not None
        if type(message) is P1b:
            gone = self._p1b_taken(event, message, self.network.drop) is not None
        else:
            gone = self.network.drop(sender, event.process, message)
        return gone or self._unrecorded(sender, message.kind, event.process) or self._wait(self._key(event), log)

    # ---- what is wrong ----

    def _key(self, event: Event) -> Any:
        """What a blocked receive waits for: its message, or in doubt anything that is sent to its process."""
        if self.header.ordered or type(event.message) is P1b or undetermined(event.message):
            return event.process, None
        return event.process, event.message

    def _check_post(self, event: Event, process: Process) -> None:
        self._catch_up(event, process)
        if process.exited:
            self._no_post(event, "it has stopped")
            return
        for key, recorded in event.post or ():
            if getattr(process.state, key) != recorded:
                raise self._other_state(event, process, key, recorded)

    def _no_post(self, event: Event, why: str) -> None:
        if event.post is not None:
            raise self._rejected(event, "an exited process keeps no state", f"no recorded state: {why}", "a recorded state")

    def _finish(self) -> None:
        """All is read: whatever still waits, waits in vain; logs that ended in good order owe nothing."""
        for ending in self.endings:
            for process in self.processes.hosted_by(ending.process) if self.replayed(ending.process) else ():
                if process.pending and self._logged_in(process.me) == ending.log and process.cut_in != ending.log:
                    raise self._unfinished(ending, process)
        stuck = [log for log in self.logs.values() if log.queue]
        if stuck:
            raise Rejected(self._stuck(waits(stuck, self._created, self.names.log_of)))

    def _logged_in(self, process: ProcessId) -> str:
        """The log that shows a process: a scout's or commander's own if there is one, else its leader's."""
        own = self.values.show_process(process)
        return own if own in self.logs else self.names.log_of(process)

    def _created(self, event: Event) -> bool:
        me = event.process
        return not self.replayed(me) or me in self.processes.running or self.processes.has_exited(me)
