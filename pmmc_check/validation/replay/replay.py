"""Replay: is a set of logs a legal run of PMMC? It takes linear time and no search where everything that matters is recorded.

A step of PMMC touches one process, and processes share nothing but the network. So logs are a legal run exactly if each process's log
replays on its own (every receive by the role's `step`, the sends as that step says) and all events can be put in an order in which every
receive comes after its send. The greedy way finds that order: advance any log whose next receive is in flight. An advance never takes
anything away from another log, because sends only add to what is in flight, and a copy can only be received by the process that it was sent
to, in the order of that process's log. So if this gets stuck, every order does; neither backtracking nor clocks are needed.

Logs that promise less than everything (`partial`, `none`) are not replayed. Their messages of unrecorded kinds are taken as sent whenever
somebody needs them. No real run could do more, so a rejection is still exact; an acceptance is not, and is left to the search. Clients
without a log are the exception: they may send any request once (again where the header says `requests=resent`), which is all that the
protocol says of them.

Scouts and commanders are processes of their own wherever they are logged. A crash may cut a step short, so a step may be incomplete if the
log ends there, or goes on with `crash` or `restart`. The role says what a restart brings back (`Role.restart`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.replica import Replica
from pmmc_check.protocol.role import Lifecycle, Role
from pmmc_check.protocol.values import CLIENT, COMMANDER, REPLICA, SCOUT, ProcessId
from pmmc_check.trace.events import CRASH, DROP, END, RECEIVE, RESTART, SEND, UNKNOWN, Event, Header, Names
from pmmc_check.trace.matching import undetermined
from pmmc_check.trace.system import system_of
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.habits import LIST, proposes_late
from pmmc_check.validation.promises import Promises
from pmmc_check.validation.replay.any_calls import AnyCalls
from pmmc_check.validation.replay.deadlock import Wait, waits
from pmmc_check.validation.replay.deliveries import Deliveries, MakeDeliveries
from pmmc_check.validation.replay.diagnosis import Diagnosis, Rejected
from pmmc_check.validation.replay.in_place import IN_PLACE, InPlace
from pmmc_check.validation.replay.inflight import Ambiguous
from pmmc_check.validation.replay.interleaving import Interleaving, Log
from pmmc_check.validation.replay.late_proposals import InPlaceLateReplica, InPlaceListReplica
from pmmc_check.validation.replay.process import MakeProcess, Process, Processes
from pmmc_check.validation.replay.unrecorded import SilentCalls
from pmmc_check.validation.replay.versions import Versions

EVENTS_KEPT = 400
"""How many of the last events are kept for explanations."""


class Replay:
    """Replays one trace.

    After `run` without `Rejected`: every log has been replayed to its end. `exact` says whether that proves the trace to be a legal
    run, or whether some process's log was too thin for that. `relaxed`: leaders whose logs leave out calls may do whatever there is reason
    for (`any_calls.py`), so that nothing is guessed of them, and nothing proved. `make` makes the processes, `make_deliveries` what is on
    its way. `late`: replicas propose when their logs say so (None: where the header says that they are lazy).
    """

    def __init__(
        self,
        header: Header,
        names: Names,
        protocol: Protocol = PMMC,
        *,
        relaxed: bool = False,
        make: MakeProcess = Process,
        make_deliveries: MakeDeliveries = Deliveries,
        late: bool | None = None,
    ) -> None:
        self.header, self.names = header, names
        system = system_of(header, names)
        self.promises = Promises(header, names)
        late_roles: dict[type[Role], type[InPlace]] = {Replica: InPlaceListReplica if header.requests == LIST else InPlaceLateReplica}
        self._late = proposes_late(header, protocol) if late is None else late
        self.processes = Processes(system, protocol, make, {**IN_PLACE, **(late_roles if self._late else {})})
        self.interleaving = Interleaving(self._advance)
        self.diagnosis = Diagnosis(header, self.processes, DslWriter(Values(names)))
        self.deliveries = make_deliveries(header, system, self.promises, self.interleaving, self.diagnosis)
        calls = AnyCalls if relaxed else SilentCalls
        self.calls = calls(header, self.promises, self.processes, self.interleaving)
        self.versions = Versions(self.processes, self.deliveries, self.diagnosis, self._check_post)
        self.recent: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._thin = len(self.promises.replayed) < len(self.promises.roles)
        clients = [process for process in names.name_of if process.role == CLIENT]
        self.exact = not self._thin and not any(map(self.promises.shows_part, clients))
        self._guess = "" if relaxed and protocol[REPLICA] is PMMC[REPLICA] else self._first_guess(protocol)
        self._endings: list[Event] = []
        # bound once: each is used for every event
        self._running, self._wait = self.processes.running, self.interleaving.wait
        self._take, self._put = self.deliveries.take, self.deliveries.put

    def _first_guess(self, protocol: Protocol) -> str:
        """What this replay may guess wrong from the beginning."""
        if self.promises.leaves_out_calls:
            return "adopted or preempted are not recorded"
        if self.header.ballots == "any":
            return "leaders may begin ballots on their own"
        return "replicas of this variant choose among their requests" if protocol[REPLICA] is not PMMC[REPLICA] else ""

    @property
    def guessed(self) -> str:
        """What this replay may have guessed wrong: then a rejection is not final, but an acceptance is, since the run was made."""
        return self._guess or self.deliveries.guessed or self.calls.guessed

    @property
    def events(self) -> int:
        """How many events were read."""
        return self.interleaving.events

    @property
    def heard(self) -> Iterable[str]:
        """The logs that have events."""
        return self.interleaving.logs.keys()

    @property
    def blocked(self) -> list[str]:
        """The logs that cannot go on."""
        return [log.name for log in self.interleaving.logs.values() if log.queue]

    def run(self, streams: Iterable[Iterator[Event]]) -> None:
        """Replays all events.

        Raises:
            Rejected: they are no legal run.
            Ambiguous: replay without search cannot tell.
        """
        self.interleaving.take_all(streams)
        self.finish()

    def _advance(self, log: Log, event: Event) -> bool:
        """Carries the event out, or registers what it waits for."""
        action = event.action
        if (log.crashed or log.ended) and not log.allows(action):
            raise self.diagnosis.rejected(
                event,
                "a stopped process does nothing",
                "nothing, or a restart after a crash",
                "an event after the log said that the process had stopped",
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
        if process is None or (self._thin and not self.promises.is_replayed(me)):
            return self._received_by_none(log, event)
        if process.others:
            return self.versions.receive(event, process) or self._wait(self.deliveries.awaited(event), log)
        if process.received is not None:
            process.act()
        if process.pending:
            process.resume(event.log)
            if process.pending:
                raise self.diagnosis.unfinished(event, process)
        delivered = self._take(event)
        if delivered is None:
            return self._wait(self.deliveries.awaited(event), log)
        process.last = event
        if process.creates:
            self.calls.step(process, delivered)
        else:
            process.received = delivered
            if event.post is not None:
                process.act()
        if event.post is not None:
            self._check_post(event, process)
        if type(process.state) is Lifecycle and not process.pending:
            self._retire(process)
        return True

    def _received_by_none(self, log: Log, event: Event) -> bool:
        """A receive of a process that does not run: a client, one that is not replayed, one not yet created, or exited."""
        me = event.process
        if not self.promises.is_replayed(me):
            return undetermined(event.message) or self._take(event) is not None or self._wait(self.deliveries.awaited(event), log)
        if not self.processes.has_exited(me):
            return self._receive(log, event) if self.calls.create(me, event) else self._wait(me, log)
        if self._take(event) is None:
            return self._wait(self.deliveries.awaited(event), log)
        self._check_no_post(event, "it has exited")
        return True

    def _retire(self, process: Process) -> None:
        if process.me.role in (SCOUT, COMMANDER):
            self.processes.retire(process)

    # ---- sends ----

    def _send(self, log: Log, event: Event) -> bool:
        me, message = event.process, event.message
        process = self._running.get(me)
        if process is None or (self._thin and not self.promises.is_replayed(me)):
            return self._sent_by_none(log, event)
        if process.others:
            self.versions.send(event, process)
            return True
        if process.received is not None:
            process.act()
        elif process.cut_in is not None:
            process.resume(event.log)
            if process.exited and not process.pending:
                self._retire(process)
                return self._sent_by_none(log, event)
        sends = process.sent(message, event.peers)
        if process.loose:
            self._check_whole(event, process)
        if sends is None:
            raise self.diagnosis.not_enabled(event, process)
        for to, sent in sends:
            self._put(event, to, sent, process)
        if event.post is not None:
            self._check_post(event, process)
        if not process.pending and type(process.state) is Lifecycle:
            self._retire(process)
        return True

    def _check_whole(self, event: Event, process: Process) -> None:
        """Of a send that may be one of several, the log must say enough to tell which one it is."""
        process.loose = False
        if process.me.role == REPLICA and UNKNOWN in [getattr(event.message, name, None) for name in ("slot", "command", "cid")]:
            raise Ambiguous(f"{event.place} may be one of several sends: it does not record which slot, command or cid (?)")

    def _sent_by_none(self, log: Log, event: Event) -> bool:
        """A send of a process that does not run: of one that is not replayed, not yet created, or exited."""
        me = event.process
        if not self.promises.is_replayed(me):
            self.deliveries.put_unreplayed(event)
            return True
        if not self.processes.has_exited(me):
            return self._send(log, event) if self.calls.create(me, event) else self._wait(me, log)
        shown = self.diagnosis.show_message(event.message)
        expected = f"nothing from {self.diagnosis.show(me)}, which has exited"
        raise self.diagnosis.rejected(event, "an exited process sends nothing", expected, shown)

    # ---- faults ----

    def _fault(self, log: Log, event: Event) -> bool:
        if event.action == DROP:
            return self._drop(log, event)
        if event.action == END:
            self._endings.append(event)
            log.ended = True
            return True
        own = self._running.get(event.process) if self.promises.is_replayed(event.process) else None
        if own is not None:
            for process in self.processes.hosted_by(event.process):
                process.cut(log.name, dies=event.action == RESTART and process is not own)
            if event.action == RESTART:
                self._restart(log, event, own)
        log.crashed = event.action == CRASH
        return True

    def _restart(self, log: Log, event: Event, process: Process) -> None:
        """The process restarts as its role says; a leader's scouts and commanders are gone."""
        process.resume(log.name)
        if not process.creates:
            self.versions.restart(event, process)
            return
        self.calls.crashed(process)
        sends = self.calls.restart(process)
        if sends is None:
            raise self.diagnosis.may_not_restart(event, process)
        process.pending = self.calls.settle(sends)
        if event.post is not None:
            self._check_post(event, process)

    def _drop(self, log: Log, event: Event) -> bool:
        if not self.header.loses:
            expected = "no drop: the config line does not say network=lossy"
            raise self.diagnosis.rejected(event, "the network loses nothing", expected, "a dropped message")
        return self.deliveries.drop(event) or self._wait(self.deliveries.awaited(event), log)

    # ---- recorded states ----

    def _check_post(self, event: Event, process: Process) -> None:
        self.calls.catch_up(event, process)
        if not self.calls.knows_state(process):
            return
        if process.exited:
            self._check_no_post(event, "it has stopped")
            return
        for key, recorded in event.post or ():
            actual = getattr(process.state, key)
            if actual != recorded and not (key == "slot_in" and self._late and recorded > actual):  # with proposals that come later
                raise self.diagnosis.other_state(event, process, key, recorded)

    def _check_no_post(self, event: Event, why: str) -> None:
        if event.post is not None:
            raise self.diagnosis.rejected(event, "an exited process keeps no state", f"no recorded state: {why}", "a recorded state")

    # ---- the end ----

    def finish(self) -> None:
        """Everything has been read: logs that still wait will wait for ever, and logs that ended in good order must be complete.

        Raises:
            Rejected: they do, or are not.
        """
        for ending in self._endings:
            for process in self.processes.hosted_by(ending.process) if self.promises.is_replayed(ending.process) else ():
                process.act()
                if process.pending and self._logged_in(process.me) == ending.log and process.cut_in != ending.log:
                    raise self.diagnosis.unfinished(ending, process)
        waiting = self.waiting()
        if waiting:
            raise Rejected(self.diagnosis.stuck(waiting))

    def waiting(self) -> list[Wait]:
        """What each log that cannot go on waits for."""
        return waits([log for log in self.interleaving.logs.values() if log.queue], self._created, self.names.log_of)

    def _logged_in(self, process: ProcessId) -> str:
        """The log that shows a process: a scout's or commander's own if there is one, else its leader's."""
        own = self.diagnosis.show(process)
        return own if own in self.interleaving.logs else self.names.log_of(process)

    def _created(self, event: Event) -> bool:
        me = event.process
        return not self.promises.is_replayed(me) or me in self._running or self.processes.has_exited(me)
