"""What is on its way in a replayed run, and how recorded receives take from it and recorded sends add to it.

Where logs promise to show both ends of a message, it is received as it was sent. Where only the receive is promised, the message is taken
as sent whenever somebody needs it; a client without a log sends each request once to every replica, which is all that the protocol says of
clients. Recorded sends of a process that is not replayed are taken at their word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pmmc_check.protocol.messages import Message, P1b, Request, Response
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, LEADER, REPLICA, Command, ProcessId, host_of
from pmmc_check.trace.events import COMPLETE, UNKNOWN, Delta, Event, Header
from pmmc_check.trace.fields import BROADCASTS, CALLS, RECIPIENT, SENDERS
from pmmc_check.trace.matching import matches, undetermined
from pmmc_check.trace.system import OpaqueResult
from pmmc_check.validation.compact_sets import Once
from pmmc_check.validation.promises import Promises
from pmmc_check.validation.replay.diagnosis import Diagnosis
from pmmc_check.validation.replay.inflight import Ambiguous, EverSent, in_flight
from pmmc_check.validation.replay.interleaving import Interleaving
from pmmc_check.validation.replay.process import Process
from pmmc_check.validation.unfounded import Operations, two_operations


class Deliveries:
    """The messages of one replay. All methods that take an event raise `Ambiguous` where only a search can tell what it means."""

    def __init__(self, header: Header, system: System, promises: Promises, interleaving: Interleaving, diagnosis: Diagnosis) -> None:
        self.header, self.system, self.promises, self.diagnosis = header, system, promises, diagnosis
        self.network = in_flight(header.duplicates, header.loses, header.ordered)
        self.guessed = ""
        """What may have been guessed wrong: then a rejection is not final, but an acceptance is, since the run was made."""
        self._waiting, self._wake = interleaving.waiting, interleaving.wake
        self._requested, self._operations = Once(), Operations()
        self._p1bs: dict[tuple[ProcessId, ProcessId, Any], list[tuple[Any, P1b]]] = {}
        """By recipient, acceptor and ballot: the p1bs in flight, each with what it adds to the acceptor's previous one."""
        self._shown: dict[ProcessId, frozenset[Any]] = {}
        """What the latest p1b of an acceptor that is not replayed carried."""
        self._results: dict[int, list[Any]] = {}
        """Of an opaque application, by position: the result, and how many replicas have shown it."""
        self._results_are_heard = any(promises.contract(each).form == COMPLETE for each in promises.names.name_of if each.role == CLIENT)
        self._open_kinds = promises.open_kinds(SENDERS)
        self._usual_kinds = frozenset(SENDERS) - self._open_kinds - {"p1b"}
        """Kinds that are received as they were sent, and sent with a trace."""
        self._special_kinds = promises.open_kinds({kind: (role,) for kind, role in RECIPIENT.items()}) | {"p1b", "response"}
        """Kinds that need not be recorded where they arrive, and those that do not travel as the step gives them."""

    # ---- receives ----

    def take(self, event: Event) -> Message | None:
        """Takes the received message out of the network, if it is there or need not be; returns it as it was sent."""
        message: Any = event.message
        sender = event.peers[0] if event.peers else None
        if message.kind not in self._usual_kinds:
            return self._take_openly(event, sender, message)
        if self.network.take(sender, event.process, message):
            return message  # type: ignore[no-any-return]  # it is a message
        return self._take_one_like(event, sender) if undetermined(message) else None

    def _take_openly(self, event: Event, sender: ProcessId | None, message: Any) -> Message | None:
        """As `take`, where the send need not be recorded, or is recorded as a delta."""
        kind = message.kind
        if self.promises.is_open_request(kind, sender):
            return self._from_open_client(event, message)
        if self.promises.may_be_unsent(sender, kind, event.process):
            if undetermined(message):
                raise Ambiguous(f"{event.place} receives a message with an unrecorded field (?), and its send is not recorded")
            if type(message) is P1b and type(message.accepted) is Delta:
                raise Ambiguous(f"{event.place} receives a delta of an acceptor whose p1bs are not recorded")
            return message  # type: ignore[no-any-return]  # it is a message
        if undetermined(message):
            found = self._take_one_like(event, sender)
            if found is None and kind in self._open_kinds:
                raise Ambiguous(f"{event.place} receives a message with an unrecorded field (?), and its send need not be recorded")
            return found
        if type(message) is P1b:
            return self._take_p1b(event, message, self.network.take)
        return message if self.network.take(sender, event.process, message) else None

    def _take_p1b(self, event: Event, message: P1b, take: Callable[[ProcessId | None, ProcessId, Message], bool]) -> P1b | None:
        """As `take`; a delta stands for the p1b that was sent with it."""
        key = (event.process, message.acceptor, message.ballot)
        sent = self._p1bs.get(key, [])
        for index, (delta, whole) in enumerate(sent):
            if message.accepted in (delta, whole.accepted) and take(message.acceptor, event.process, whole):
                if not self.header.duplicates:
                    del sent[index]
                    if not sent:
                        del self._p1bs[key]
                elif type(message.accepted) is Delta:
                    self.guessed = self.guessed or "a delta (+{...}) was received that may stand for several p1bs"
                return whole
        return None

    def _take_one_like(self, event: Event, sender: ProcessId | None) -> Message | None:
        """Takes the first message in flight that a receive with unrecorded fields (?) may be."""
        if type(getattr(event.message, "accepted", None)) is Delta:
            raise Ambiguous(f"{event.place} receives a delta of a p1b with another unrecorded field (?)")
        network = self.network
        filed: list[Message] | None = []
        if isinstance(network, EverSent) and network.filed:
            filed = network.filed_like(event.process, event.message)
        candidates: list[Message] = [each for each, _ in self.network.to(event.process)]
        candidates += filed or ()
        for message in candidates:
            if matches(event.message, message) and self.network.take(sender, event.process, message):
                self.guessed = self.guessed or f"{event.place} receives a message with an unrecorded field (?)"
                return message
        if filed is None:
            raise Ambiguous(f"{event.place} receives a message with an unrecorded field (?), and that was sent long before")
        return None

    def drop(self, event: Event) -> bool:
        """Takes a message that the network loses out of it; False if it is not there yet."""
        message: Any = event.message
        sender = event.peers[0] if event.peers else None
        if undetermined(message):
            raise Ambiguous(f"{event.place} drops a message with an unrecorded field (?)")
        if self.promises.is_open_request(message.kind, sender):
            return self._from_open_client(event, message) is not None
        if type(message) is P1b:
            gone = self._take_p1b(event, message, self.network.drop) is not None
        else:
            gone = self.network.drop(sender, event.process, message)
        return gone or self.promises.may_be_unsent(sender, message.kind, event.process)

    def _from_open_client(self, event: Event, message: Request) -> Request:
        """A client whose log nobody keeps has sent every request that is received, but sends it to a replica only once."""
        self._check_number(event, message)
        if self.header.duplicates or self.header.requests != "once":
            return message
        command = message.command
        if not self._requested.add((event.process, command._replace(cid=0)), command.cid):
            raise self.diagnosis.rejected(
                event,
                "a request is received once for each time it was sent",
                f"{self.diagnosis.show(command)} at most once: clients send a request once, and this network does not duplicate",
                "a second copy; if your clients repeat requests, say requests=resent in the config line",
            )
        return message

    def awaited(self, event: Event) -> Any:
        """What a blocked receive waits for: its message, or in doubt anything that is sent to its process."""
        if self.header.ordered or type(event.message) is P1b or undetermined(event.message):
            return event.process, None
        return event.process, event.message

    # ---- sends ----

    def put(self, event: Event, to: ProcessId, sent: Any, process: Process) -> None:
        """A replayed send reaches the network, and whoever waits for it."""
        if sent.kind in self._special_kinds:
            if type(sent) is Response and type(sent.result) is OpaqueResult:
                sent = self._with_result(event, sent)
            elif type(sent) is P1b:
                sent = self._with_delta(to, sent, process)
            if not self.promises.records(host_of(to), sent.kind):
                return
        self.network.put(event.process, to, sent, event)  # as `_put`: this is called for each copy of a message
        if self._waiting:
            self._wake((to, sent))
            self._wake((to, None))

    def _put(self, event: Event, to: ProcessId, message: Message) -> None:
        self.network.put(event.process, to, message, event)
        if self._waiting:
            self._wake((to, message))
            self._wake((to, None))

    def _with_delta(self, to: ProcessId, sent: P1b, process: Process) -> P1b:
        """The p1b as it travels; a delta that is received will stand for it."""
        accepted: Any = sent.accepted
        delta = process.added(accepted)
        process.remember(accepted)
        whole = P1b(sent.acceptor, sent.ballot, frozenset(accepted))
        if self.promises.records(host_of(to), sent.kind):
            self.expect_p1b(to, delta, whole)
        return whole

    def expect_p1b(self, to: ProcessId, delta: Delta, whole: P1b) -> None:
        """A p1b is on its way, for which `delta` may be received."""
        self._p1bs.setdefault((to, whole.acceptor, whole.ballot), []).append((delta, whole))

    def _with_result(self, event: Event, sent: Response) -> Response:
        """The response with the recorded result: an opaque result is a function of its position, so replicas may not differ."""
        recorded: Any = event.message
        result, performed = recorded.result, sent.result
        if result is UNKNOWN:
            if self._results_are_heard:
                raise Ambiguous(f"{event.place} sends a result that was not recorded (?)")
            return Response(sent.cid, result)
        assert isinstance(performed, OpaqueResult), "only opaque results come here"
        other = self.agreed_result(performed.position, result)
        if other != result:
            show = self.diagnosis.show
            raise self.diagnosis.rejected(
                event,
                "R3: replicas that performed the same commands are in the same state",
                f"result={show(other)}, another replica's result of the command performed as number {performed.position}",
                f"result={show(result)}",
            )
        return Response(sent.cid, result)

    def agreed_result(self, position: int, result: Any) -> Any:
        """What the first replica showed as the result of the command performed at `position`; `result` is this one's."""
        known = self._results.setdefault(position, [result, 0])
        known[1] += 1
        if known[1] == len(self.system.replicas):
            del self._results[position]
        return known[0]

    def put_unreplayed(self, event: Event) -> None:
        """A send of a process that is not replayed reaches the network: a client's, or one of a partial log."""
        message: Any = event.message
        peers = self.everyone(event)
        if undetermined(message) or (type(message) is P1b and type(message.accepted) is Delta):
            raise Ambiguous(f"{event.place} belongs to a partial log and does not record the whole message")
        if type(message) is Request:
            self._check_number(event, message)
            if self.header.requests == "once":
                self._check_sent_once(event, message, peers)
        for to in peers:
            if type(message) is P1b:
                added = Delta(message.accepted - self._shown.get(event.process, frozenset()))
                self._p1bs.setdefault((to, message.acceptor, message.ballot), []).append((added, message))
            self._put(event, to, message)
        if type(message) is P1b:
            self._shown[event.process] = message.accepted

    def agree_number(self, command: Command) -> bool:
        """Whether a client's number has stood for this operation always."""
        return self._operations.agree(command)

    def _check_number(self, event: Event, message: Request) -> None:
        if not self.agree_number(message.command):
            raise self.diagnosis.rejected(event, *two_operations(message.command, self.diagnosis.show))

    def _check_sent_once(self, event: Event, message: Request, peers: tuple[ProcessId, ...]) -> None:
        command, show = message.command, self.diagnosis.show
        for to in peers:
            own = command.client == event.process
            if not own or not self._requested.add((event.process, to, command._replace(cid=0)), command.cid):
                raise self.diagnosis.rejected(
                    event,
                    "a client sends each of its requests once to every replica",
                    f"requests of {show(event.process)}, each once; if they are repeated, say requests=resent in the config line",
                    f"{self.diagnosis.show_message(message)} to {show(to)} once more" if own else f"a request of {show(command.client)}",
                )

    def everyone(self, event: Event) -> tuple[ProcessId, ...]:
        """The recipients of a send."""
        if event.peers is not None:
            return event.peers
        kind = event.message.kind if event.message is not None else ""
        if kind in CALLS:
            return (ProcessId(LEADER, event.process.number),)
        if kind not in BROADCASTS:
            raise Ambiguous(f"{event.place} belongs to a partial log and does not name its recipients")
        return {REPLICA: self.system.replicas, LEADER: self.system.leaders, ACCEPTOR: self.system.acceptors}[RECIPIENT[kind]]


MakeDeliveries = Callable[[Header, System, Promises, Interleaving, Diagnosis], Deliveries]
"""Makes the deliveries of a replay."""
