"""What may happen at a point of a run with gaps: the model's own steps, with what they send.

A `Point` says how far each log has been matched, the state of every role process, what is in flight, and which sends of a step the log
still has to show. Sends of kinds that the sender's log records reach the network when the log shows them, others at once. `completion.py`
says which of these steps the logs allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from pmmc_check.protocol import Protocol
from pmmc_check.protocol.leader import Leader
from pmmc_check.protocol.messages import Message, P1b, Request, Start
from pmmc_check.protocol.replica import ReplicaState
from pmmc_check.protocol.role import Lifecycle, Role, Send
from pmmc_check.protocol.values import CLIENT, REPLICA, Ballot, Command, ProcessId
from pmmc_check.trace.events import UNKNOWN, Delta
from pmmc_check.trace.system import system_of
from pmmc_check.validation.lazy_replica import LazyReplica
from pmmc_check.validation.promises import Promises
from pmmc_check.validation.search.inboxes import Fits, Packet, inboxes

OUTCOMES_MAX = 200
"""How many outcomes of one step are tried: an unrecorded replica may propose any of its requests."""


class Choices(frozenset[Command]):
    """Requests that are proposed in the order of the log, as long as the log shows one."""

    guide: tuple[Command, ...]

    def __new__(cls, items: Iterable[Command] = (), guide: tuple[Command, ...] = ()) -> Choices:
        """`guide` are the commands that the log shows, by slot."""
        self = super().__new__(cls, items)
        self.guide = guide
        return self

    def __iter__(self) -> Iterator[Command]:
        if not self.guide:
            return iter(sorted(frozenset.__iter__(self), key=by_content))
        return iter([self.guide[0]] if self.guide[0] in self else [])

    def __or__(self, others: Iterable[Any]) -> Choices:
        return Choices((*frozenset.__iter__(self), *others), self.guide)

    def __sub__(self, others: Iterable[Any]) -> Choices:
        gone = set(others)
        return Choices((each for each in frozenset.__iter__(self) if each not in gone), self.guide[1:])


def by_content(command: Command) -> Any:
    """Sorts commands the same way on every run."""
    return command.client, command.cid, str(command.operation)


class Cell(NamedTuple):
    """One role process: its state, the recorded sends that its last step owes, and what its last p1b showed."""

    state: Any
    owed: tuple[Send, ...] = ()
    shown: frozenset[Any] = frozenset()


class Point(NamedTuple):
    """A point of a run. `cut` are logs that crashed in the middle of a step, and processes that crash before they make one; `requested` is
    what open clients have used up.

    `results` are those of an opaque application that the logs have shown, by the number of commands performed.
    """

    positions: tuple[int, ...]
    cells: frozenset[tuple[ProcessId, Cell]]
    inboxes: frozenset[tuple[ProcessId, Any]]
    requested: frozenset[tuple[ProcessId, Command]]
    cut: frozenset[str | ProcessId]
    results: frozenset[tuple[int, Any]] = frozenset()


class Steps:
    """The steps of one trace's processes.

    `commands` are all that clients may have sent; `may_be_cut` says of a process whether some log shows a crash that could cut its steps
    short. `bounded` tells which limits have cut off any steps.
    """

    def __init__(
        self, promises: Promises, protocol: Protocol, commands: Sequence[Command], may_be_cut: Callable[[ProcessId], bool]
    ) -> None:
        self.promises, self.header, self.protocol = promises, promises.header, protocol
        self.system = system_of(promises.header, promises.names)
        self.network = inboxes(promises.header)
        self.roles: dict[ProcessId, Role] = {}
        self.bounded: set[str] = set()
        self._may_be_cut = may_be_cut
        open_ones = [command for command in commands if not promises.records(command.client, "request")]
        self._open_requests: dict[Command, Packet] = {command: (command.client, Request(command), None) for command in open_ones}

    # ---- the start ----

    def initial(self, logs: int) -> Point:
        """All processes as the protocol starts them; none of so many logs has been matched."""
        cells: dict[ProcessId, Cell] = {}
        inboxes: dict[ProcessId, Any] = {}
        for process in (*self.system.acceptors, *self.system.replicas, *self.system.leaders):
            self._start(process, Start(), cells, inboxes)
        return Point((0,) * logs, frozenset(cells.items()), frozenset(inboxes.items()), frozenset(), frozenset())

    def role(self, process: ProcessId) -> Role:
        """The program of a process."""
        role = self.roles.get(process)
        if role is None:
            role = self.roles[process] = self.protocol[process.role](process, self.system)
        return role

    def _start(self, me: ProcessId, start: Start, cells: dict[ProcessId, Cell], inboxes: dict[ProcessId, Any]) -> None:
        outcome = self.role(me).start(start.command)
        cells[me] = Cell(outcome.state)
        cells[me] = Cell(outcome.state, self.sent(me, outcome.sends, cells, inboxes))

    def sent(self, me: ProcessId, sends: tuple[Send, ...], cells: dict[ProcessId, Cell], inboxes: dict[ProcessId, Any]) -> tuple[Send, ...]:
        """Carries out creations and unrecorded sends; returns the recorded ones, and those whose order shows."""
        owed = []
        waits = self.order_shows(me, sends)
        for send in sends:
            if isinstance(send.message, Start):
                if send.to not in cells:
                    self._start(send.to, send.message, cells, inboxes)
            elif waits or self.promises.records(me, send.message.kind):
                owed.append(send)
            else:
                self.put(me, send.to, send.message, inboxes, cells[me].shown)
                if isinstance(send.message, P1b):
                    cells[me] = cells[me]._replace(shown=send.message.accepted)
        return tuple(owed)

    def order_shows(self, me: ProcessId, sends: Sequence[Send]) -> bool:
        """Whether it makes a difference in which order a step sends, or that a crash keeps it from sending some."""
        return self.header.ordered and (len({send.to for send in sends}) < len(sends) or self._may_be_cut(me))

    def put(
        self, sender: ProcessId, to: ProcessId, message: Any, inboxes: dict[ProcessId, Any], shown: frozenset[Any] = frozenset()
    ) -> None:
        """Sends a packet; a p1b carries what it adds to the acceptor's previous p1b, by which a log may show it."""
        if to.role != CLIENT or self.promises.records(to, message.kind):
            added = Delta(message.accepted - shown) if isinstance(message, P1b) else None
            inboxes[to] = self.network.put(inboxes.get(to, self.network.empty), sender, (sender, message, added))

    def comes_back(self, node: Point, process: ProcessId, hosted: Sequence[ProcessId]) -> list[Point]:
        """The process restarts as its role says; of the `hosted` processes, a leader's scouts and commanders are gone."""
        cells, inboxes = dict(node.cells), dict(node.inboxes)
        for me in hosted:
            if me != process:
                cells[me] = Cell(Lifecycle.EXITED)
        cell = cells[process]
        if not isinstance(cell.state, Lifecycle):
            outcome = self.role(process).restart(cell.state)
            if outcome is None:
                return []
            cells[process] = cell._replace(state=outcome.state)
            owed = self.sent(process, outcome.sends, cells, inboxes)
            cells[process] = cells[process]._replace(owed=owed)
        return [node._replace(cells=frozenset(cells.items()), inboxes=frozenset(inboxes.items()))]

    def kept(self, process: ProcessId, state: Any) -> Any:
        """What the process would be after a crash in `state`."""
        if isinstance(state, Lifecycle):
            return state
        outcome = self.role(process).restart(state)
        return None if outcome is None else outcome.state

    def campaign(self, node: Point, me: ProcessId, ballot: Ballot) -> Point:
        """The leader begins a ballot that is higher than its own."""
        cells, inboxes = dict(node.cells), dict(node.inboxes)
        cell = cells[me]
        if ballot > cell.state.ballot:
            role = self.role(me)
            assert isinstance(role, Leader), "only a leader has ballots to begin"
            state, sends = role.campaign(cell.state, ballot)
            cells[me] = cell._replace(state=state)
            self.sent(me, sends, cells, inboxes)
        return node._replace(cells=frozenset(cells.items()), inboxes=frozenset(inboxes.items()))

    def proposals(self, node: Point, me: ProcessId, *, within_step: bool = False) -> Iterator[Point]:
        """The points after a lazy replica has proposed one of its requests, which it may do when a step is complete, or within it."""
        cell = dict(node.cells)[me]
        role = self.role(me)
        if not isinstance(role, LazyReplica) or (cell.owed and not within_step) or isinstance(cell.state, Lifecycle):
            return
        for outcome in role.proposals(cell.state):
            cells, inboxes = dict(node.cells), dict(node.inboxes)
            owed = self.sent(me, outcome.sends, cells, inboxes)
            cells[me] = cell._replace(state=outcome.state, owed=cell.owed + owed)
            yield node._replace(cells=frozenset(cells.items()), inboxes=frozenset(inboxes.items()))

    # ---- deliveries ----

    def packets(self, node: Point, to: ProcessId, fits: Fits, pattern: Any = None) -> Iterator[tuple[Packet, Point]]:
        """All that fits and may be delivered to a process, with the node after it has left the network.

        `pattern` is what is looked for, as far as it is known.
        """
        inboxes = dict(node.inboxes)
        if to in inboxes:
            for packet, rest in self.network.deliverable(inboxes[to], fits):
                yield packet, node._replace(inboxes=frozenset({**inboxes, to: rest}.items()))
        if to.role == REPLICA:
            endless = self.header.duplicates or self.header.requests != "once"
            for packet in self._requests_like(pattern):
                command = packet[1].command
                if fits(packet) and (endless or (to, command) not in node.requested):
                    yield packet, node if endless else node._replace(requested=node.requested | {(to, command)})

    def _requests_like(self, pattern: Any) -> Iterable[Packet]:
        """The requests of unrecorded clients that `pattern` may stand for."""
        if pattern is None or (type(pattern) is Request and pattern.command is UNKNOWN):
            return self._open_requests.values()
        found = self._open_requests.get(pattern.command) if type(pattern) is Request else None
        return (found,) if found is not None else ()

    def delivered(self, node: Point, to: ProcessId, message: Message, guide: tuple[Command, ...] = ()) -> Iterator[tuple[Point, Any]]:
        """The points after `message` has reached `to`, with the state of `to`."""
        cells = dict(node.cells)
        cell = cells[to]
        if isinstance(cell.state, Lifecycle):
            yield node, cell.state
            return
        state = cell.state
        if isinstance(state, ReplicaState) and not isinstance(self.role(to), LazyReplica):
            state = replace(state, requests=Choices(state.requests, guide))
        outcomes = list(islice(iter(self.role(to).step(state, message)), OUTCOMES_MAX + 1))
        if len(outcomes) > OUTCOMES_MAX:
            self.bounded.add(f"a replica could choose among its requests in more than {OUTCOMES_MAX} ways, and not all were tried")
            outcomes = outcomes[:OUTCOMES_MAX]
        for outcome in outcomes:
            after, inboxes = dict(cells), dict(node.inboxes)
            settled = outcome.state
            if isinstance(settled, ReplicaState) and isinstance(settled.requests, Choices):
                settled = replace(settled, requests=frozenset(frozenset.__iter__(settled.requests)))
            owed = self.sent(to, outcome.sends, after, inboxes)
            after[to] = Cell(settled, owed, after[to].shown)
            if isinstance(settled, Lifecycle):
                inboxes.pop(to, None) if not self.promises.shows_some_receives(to) else None
            yield node._replace(cells=frozenset(after.items()), inboxes=frozenset(inboxes.items())), settled
