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
process logs nothing more, or a `crash` or `restart` next. A restart keeps the state: PMMC's processes have stable
storage, or stop for good.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.messages import Message, P1b, Response
from pmmc_check.protocol.values import CLIENT, COMMANDER, LEADER, REPLICA, SCOUT, ProcessId
from pmmc_check.trace.diagnosis import Rejected
from pmmc_check.trace.elaborate import SENDERS, undetermined
from pmmc_check.trace.events import COMPLETE, CRASH, DROP, END, RECEIVE, RESTART, SEND, UNKNOWN, Delta, Event, Header, Names
from pmmc_check.trace.inflight import Ambiguous, in_flight
from pmmc_check.trace.once import Once
from pmmc_check.trace.process import Performed, Process, Processes, system_of
from pmmc_check.trace.unrecorded import Unrecorded
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter

RECENT = 400
"""Events kept for explanations."""


class Log:
    """The not yet replayed events of one log."""

    __slots__ = ("crashed", "ended", "name", "queue")

    def __init__(self, name: str) -> None:
        self.name = name
        self.queue: deque[Event] = deque()
        self.crashed = self.ended = False


class Replay(Unrecorded):
    """Replays one trace.

    After `run` without `Rejected`: every log has been replayed to its end. `exact` says whether that proves the trace to be a legal
    run, or whether some process's log was too thin for that.
    """

    def __init__(self, header: Header, names: Names, protocol: Protocol = PMMC) -> None:
        self.header, self.names = header, names
        self.system = system_of(header, names)
        self.processes = Processes(self.system, protocol)
        self.network = in_flight(header.duplicates, header.loses, header.ordered)
        self.logs: dict[str, Log] = {}
        self.waiting: dict[Any, list[Log]] = {}
        self.recent: deque[Event] = deque(maxlen=RECENT)
        self.events = 0
        self.blocked = 0
        self.full = frozenset(process for process in self._logged() if self._contract(process).form == COMPLETE)
        self.closed_clients = frozenset(
            process for name, process in names.process_of.items() if process.role == CLIENT and header.contract(name).form == COMPLETE
        )
        self.exact = len(self.full) == len(self._logged()) and all(contract.form != "partial" for contract in header.logs.values())
        self.requested = Once()
        self.p1bs: dict[tuple[ProcessId, ProcessId, Any], list[tuple[Any, P1b]]] = {}
        self.shown: dict[ProcessId, frozenset[Any]] = {}
        self.delivered: P1b | None = None
        self.endings: list[Event] = []
        self.guessed = False
        """Whether a delta was taken for one of several p1bs: then a rejection may be the fault of that choice."""
        self.values = Values(names)
        self.writer = DslWriter(self.values)
        self.results: dict[int, list[Any]] = {}
        self._keeps = {(process, kind): self._contract(process).records(kind) for process in names.name_of for kind in SENDERS}

    def run(self, streams: Iterable[Iterator[Event]]) -> None:
        """Replays all events.

        Raises:
            Rejected: they are no legal run.
            Ambiguous: replay without search cannot tell.
        """
        active = [iter(stream) for stream in streams]
        while active:
            for stream in list(active):
                if not self._pull(stream, alone=len(active) == 1):
                    active.remove(stream)
        self._finish()

    def _pull(self, stream: Iterator[Event], alone: bool) -> bool:
        """Feeds one stream until it blocks; False at its end. So logs in files of their own are not read far ahead."""
        for event in stream:
            self.feed(event)
            if self.blocked and not alone:
                return True
        return False

    def feed(self, event: Event) -> None:
        """Takes the next event of its log, now or when its turn comes."""
        self.events += 1
        log = self.logs.get(event.log)
        if log is None:
            log = self.logs[event.log] = Log(event.log)
        if log.queue:
            log.queue.append(event)
        elif not self._advance(log, event):
            log.queue.append(event)
            self.blocked += 1

    def _advance(self, log: Log, event: Event) -> bool:
        """Carries the event out, or registers what it waits for."""
        action = event.action
        if log.ended or (log.crashed and action not in (RESTART, DROP)):
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

    def _wait(self, key: Any, log: Log) -> bool:
        self.waiting.setdefault(key, []).append(log)
        return False

    def _wake(self, key: Any) -> None:
        for log in self.waiting.pop(key, ()):
            if log.queue and self._advance(log, log.queue[0]):
                self.blocked -= 1
                log.queue.popleft()
                while log.queue and self._advance(log, log.queue[0]):
                    log.queue.popleft()
                self.blocked += bool(log.queue)

    # ---- receives ----

    def _receive(self, log: Log, event: Event) -> bool:
        me, message = event.process, event.message
        if not self.replayed(me):
            return undetermined(RECEIVE, message) or self._taken(event) or self._wait(self._key(event), log)
        process = self.processes.running.get(me)
        if process is None and not self.processes.has_exited(me):
            return self._wait(me, log)
        if process is not None and process.pending:
            process.resume(event.log)
            if process.pending:
                raise self._unfinished(event, process)
        if undetermined(RECEIVE, message):
            raise Ambiguous(f"{event.place} receives a message of which a field was not recorded (?)")
        if not self._taken(event):
            return self._wait(self._key(event), log)
        if process is None:
            self._no_post(event, "it has exited")
            return True
        process.last = event
        sends = process.step(self._full_message(event))
        if sends:
            process.pending = self.processes.settle(sends)
        if event.post is not None:
            self._check_post(event, process)
        if process.exited and not process.pending:
            self._retire(process)
        elif self.blocked and me.role == LEADER:
            for send in sends:
                self._wake(send.to)
        return True

    def _retire(self, process: Process) -> None:
        if process.me.role in (SCOUT, COMMANDER):
            self.processes.retire(process)

    def _taken(self, event: Event) -> bool:
        """Takes the received message out of the network, if it is there or need not be."""
        message: Any = event.message
        kind = message.kind
        sender = event.peers[0] if event.peers else None
        if self._is_open_request(kind, sender):
            return self._from_open_client(event, message)
        if self._unrecorded(sender, kind, event.process):
            if type(message) is P1b:
                if type(message.accepted) is Delta:
                    raise Ambiguous(f"{event.place} receives a delta of an acceptor whose p1bs are not recorded")
                self.delivered = message
            return True
        if type(message) is P1b:
            return self._p1b_taken(event, message, self.network.take)
        return self.network.take(sender, event.process, message)

    def _p1b_taken(self, event: Event, message: P1b, take: Callable[[ProcessId | None, ProcessId, Message], bool]) -> bool:
        """As `take`; a delta stands for the p1b that was sent with it."""
        sent = self.p1bs.get((event.process, message.acceptor, message.ballot), [])
        for index, (delta, whole) in enumerate(sent):
            if message.accepted in (delta, whole.accepted):
                if not take(message.acceptor, event.process, whole):
                    continue
                self.delivered = whole
                self.guessed |= type(message.accepted) is Delta and self.header.duplicates
                if not self.header.duplicates:
                    del sent[index]
                return True
        return False

    def _full_message(self, event: Event) -> Any:
        return self.delivered if type(event.message) is P1b else event.message

    # ---- sends ----

    def _send(self, log: Log, event: Event) -> bool:
        me, message = event.process, event.message
        if not self.replayed(me):
            self._open_send(event)
            return True
        process = self.processes.running.get(me)
        if process is None:
            if self.processes.has_exited(me):
                raise self._rejected(
                    event, "an exited process sends nothing", f"nothing from {self.show(me)}, which has exited", self.show_message(message)
                )
            return self._wait(me, log)
        if process.cut_in is not None:
            process.resume(event.log)
        if me.role == REPLICA and UNKNOWN in [getattr(message, name, None) for name in ("slot", "command", "cid")]:
            raise Ambiguous(f"{event.place} may be one of several sends: it does not record which slot, command or cid (?)")
        sends = process.sent(message, event.peers)
        if sends is None:
            raise self._not_enabled(event, process)
        for to, sent in sends:
            self._put(event, to, sent, process)
        if event.post is not None:
            self._check_post(event, process)
        if process.exited and not process.pending:
            self._retire(process)
        return True

    def _put(self, event: Event, to: ProcessId, sent: Any, process: Process) -> None:
        """A replayed send reaches the network, and whoever waits for it."""
        if type(sent) is Response and type(sent.result) is Performed:
            sent = self._result(event, sent)
        kind = sent.kind
        host = to if to.role not in (SCOUT, COMMANDER) else ProcessId(LEADER, to.number)
        if type(sent) is P1b:
            accepted: Any = sent.accepted
            delta = Delta(accepted.since(process.p1b_size))
            process.p1b_size = len(accepted)
            sent = P1b(sent.acceptor, sent.ballot, frozenset(accepted))
            if self._records(host, kind):
                self.p1bs.setdefault((to, sent.acceptor, sent.ballot), []).append((delta, sent))
        if not self._records(host, kind):
            return
        self.network.put(event.process, to, sent, event)
        if self.blocked:
            self._wake((to, sent))
            self._wake((to, None))

    def _result(self, event: Event, sent: Response) -> Response:
        """An opaque result is a function of its position: replicas may not differ."""
        recorded: Any = event.message
        result, performed = recorded.result, sent.result
        if result is UNKNOWN:
            if any(self._records(client, "response") for client in self.closed_clients):
                raise Ambiguous(f"{event.place} sends a result that was not recorded (?)")
            return Response(sent.cid, result)
        assert isinstance(performed, Performed), "only opaque results come here"
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
        hosted = self.processes.hosted_by(event.process) if self.replayed(event.process) else []
        if event.action == END:
            self.endings.append(event)
            log.ended = True
            return True
        for process in hosted:
            process.cut(log.name)
            if event.action == RESTART and process.me == event.process:
                process.resume(log.name)
                if not process.settle_choice():
                    raise Ambiguous(f"{event.place}: the crash before it hides which request {self.show(process.me)} proposed")
        log.crashed = event.action == CRASH
        own = next((each for each in hosted if each.me == event.process), None)
        if event.post is not None and own is not None:
            self._check_post(event, own)
        return True

    def _drop(self, log: Log, event: Event) -> bool:
        if not self.header.loses:
            raise self._rejected(
                event, "the network loses nothing", "no drop: the config line does not say network=lossy", "a dropped message"
            )
        message: Any = event.message
        sender = event.peers[0] if event.peers else None
        if undetermined(RECEIVE, message):
            raise Ambiguous(f"{event.place} drops a message of which a field was not recorded (?)")
        if self._is_open_request(message.kind, sender):
            return self._from_open_client(event, message)
        if self._unrecorded(sender, message.kind, event.process):
            return True
        if (
            self._p1b_taken(event, message, self.network.drop)
            if type(message) is P1b
            else self.network.drop(sender, event.process, message)
        ):
            return True
        return self._wait(self._key(event), log)

    # ---- what is wrong ----

    def _key(self, event: Event) -> Any:
        """What a blocked receive waits for: its message, or in doubt anything that is sent to its process."""
        if self.header.ordered or type(event.message) is P1b:
            return event.process, None
        return event.process, event.message

    def _check_post(self, event: Event, process: Process) -> None:
        if process.exited:
            self._no_post(event, "it has stopped")
            return
        for key, recorded in event.post or ():
            actual = getattr(process.state, key)
            if actual != recorded:
                raise self._rejected(
                    event,
                    f"the recorded {key} is that of the protocol's state after this step",
                    f"{key}={self.show(frozenset(actual) if key == 'accepted' else actual)}",
                    f"{key}={self.show(recorded)}",
                    process,
                )

    def _no_post(self, event: Event, why: str) -> None:
        if event.post is not None:
            raise self._rejected(event, "an exited process keeps no state", f"no recorded state: {why}", "a recorded state")

    def _finish(self) -> None:
        """All is read: whatever still waits, waits in vain; logs that ended in good order owe nothing."""
        for ending in self.endings:
            for process in self.processes.hosted_by(ending.process) if self.replayed(ending.process) else ():
                if process.pending and self._logged_in(process.me) == ending.log and process.cut_in != ending.log:
                    raise self._unfinished(ending, process)
        stuck = [log.queue[0] for log in self.logs.values() if log.queue]
        if not stuck:
            return
        coming = {
            (to, event.message)
            for log in self.logs.values()
            for event in log.queue
            if event.action == SEND
            for to in (event.peers if event.peers is not None else (None,))
        }

        def later(event: Event) -> bool:
            return (event.process, event.message) in coming or (None, event.message) in coming

        hopeless = [event for event in stuck if event.action in (RECEIVE, DROP) and not later(event) and self._created(event)]
        chosen = (hopeless or [event for event in stuck if not self._created(event)] or stuck)[0]
        raise Rejected(self._stuck(chosen, cyclic=not hopeless and self._created(chosen), created=self._created(chosen)))

    def _logged_in(self, process: ProcessId) -> str:
        """The log that shows a process: a scout's or commander's own if there is one, else its leader's."""
        own = self.values.show_process(process)
        return own if own in self.logs else self.names.log_of(process)

    def _created(self, event: Event) -> bool:
        me = event.process
        return not self.replayed(me) or me in self.processes.running or self.processes.has_exited(me)
