"""The transition system of the search: runs of the model that a set of logs may show, with gaps where the logs promise none.

A `Node` is a point of such a run: how far each log has been matched, the state of every role process, what is in
flight, and which sends of a step the log still has to show. A move is either the next event of a log, or an
unrecorded step: the delivery of a message of a kind that the recipient's log does not record. Sends of kinds that
the sender's log records reach the network when the log shows them, others at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from pmmc_check.protocol import Protocol
from pmmc_check.protocol.messages import Message, P1b, Request, Response, Start
from pmmc_check.protocol.replica import ReplicaState
from pmmc_check.protocol.role import Lifecycle, Role, Send
from pmmc_check.protocol.values import CLIENT, COMMANDER, LEADER, REPLICA, SCOUT, Command, ProcessId
from pmmc_check.trace.bounds import Choices, commands_in, limits_of, orderly
from pmmc_check.trace.elaborate import RECIPIENT
from pmmc_check.trace.events import CRASH, DROP, END, RECEIVE, RESTART, SEND, UNKNOWN, Delta, Event, Header, Names
from pmmc_check.trace.process import Performed, system_of
from pmmc_check.trace.values import Values
from pmmc_check.trace.wires import Packet, wires

OUTCOMES_MAX = 200
"""More outcomes of one step (requests that an unrecorded replica may propose) are not tried."""


class Cell(NamedTuple):
    """One role process: its state, the recorded sends that its last step owes, and what its last p1b showed."""

    state: Any
    owed: tuple[Send, ...] = ()
    shown: frozenset[Any] = frozenset()


class Node(NamedTuple):
    """A point of a run. `cut` are logs that crashed in the middle of a step, `requested` what open clients have used up.

    `results` are those of an opaque application that the logs have shown, by the number of commands performed.
    """

    positions: tuple[int, ...]
    cells: frozenset[tuple[ProcessId, Cell]]
    inboxes: frozenset[tuple[ProcessId, Any]]
    requested: frozenset[tuple[ProcessId, Command]]
    cut: frozenset[str]
    results: frozenset[tuple[int, Any]] = frozenset()


class Completion:
    """The moves; `others` are requests that clients may have sent besides. `bounded` tells which limits have cut off unrecorded steps."""

    def __init__(self, header: Header, names: Names, events: Sequence[Event], protocol: Protocol, others: tuple[Command, ...] = ()) -> None:
        self.header, self.names, self.protocol = header, names, protocol
        self.system = system_of(header, names)
        self.network = wires(header)
        by_log: dict[str, list[Event]] = {}
        for event in events:
            by_log.setdefault(event.log, []).append(event)
        self.log_names = tuple(by_log)
        self.logs = tuple(tuple(each) for each in by_log.values())
        self.readable = tuple(map(orderly, self.logs))
        self.crashing = frozenset(event.log for event in events if event.action in (CRASH, RESTART))
        self.ended = frozenset(name for name, log in by_log.items() if log[-1].action == END)
        self.commands = (*commands_in(events), *others)
        self.limits = limits_of(events, header)
        self.bounded: set[str] = set()
        self.show = Values(names).show_process
        self._log_of: dict[ProcessId, str] = {}
        self.roles: dict[ProcessId, Role] = {}

    # ---- what is recorded ----

    def host(self, process: ProcessId) -> ProcessId:
        """A scout's and a commander's contract is their leader's."""
        return ProcessId(LEADER, process.number) if process.role in (SCOUT, COMMANDER) else process

    def records(self, process: ProcessId, kind: str) -> bool:
        """Whether sends and receives of this kind by this process are in a log."""
        name = self.names.name_of.get(self.host(process))
        return name is not None and self.header.contract(name).records(kind)

    def all_recorded(self, process: ProcessId) -> bool:
        """Whether the process takes no unrecorded step."""
        return all(self.records(process, kind) for kind, role in RECIPIENT.items() if role == process.role)

    # ---- the start ----

    def initial(self) -> Node:
        """All processes as the protocol starts them."""
        cells: dict[ProcessId, Cell] = {}
        inboxes: dict[ProcessId, Any] = {}
        for process in (*self.system.acceptors, *self.system.replicas, *self.system.leaders):
            self._start(process, Start(), cells, inboxes)
        return Node((0,) * len(self.logs), frozenset(cells.items()), frozenset(inboxes.items()), frozenset(), frozenset())

    def role(self, process: ProcessId) -> Role:
        """The program of a process."""
        role = self.roles.get(process)
        if role is None:
            role = self.roles[process] = self.protocol[process.role](process, self.system)
        return role

    def _start(self, me: ProcessId, start: Start, cells: dict[ProcessId, Cell], inboxes: dict[ProcessId, Any]) -> None:
        outcome = self.role(me).start(start.command)
        cells[me] = Cell(outcome.state)
        cells[me] = Cell(outcome.state, self._sent(me, outcome.sends, cells, inboxes))

    def _sent(
        self, me: ProcessId, sends: tuple[Send, ...], cells: dict[ProcessId, Cell], inboxes: dict[ProcessId, Any]
    ) -> tuple[Send, ...]:
        """Carries out creations and unrecorded sends; returns the recorded ones, and those whose order shows."""
        owed = []
        waits = self._order_shows(me, sends)
        for send in sends:
            if isinstance(send.message, Start):
                if send.to not in cells:
                    self._start(send.to, send.message, cells, inboxes)
            elif waits or self.records(me, send.message.kind):
                owed.append(send)
            else:
                self._put(me, send.to, send.message, inboxes, cells[me].shown)
                if isinstance(send.message, P1b):
                    cells[me] = cells[me]._replace(shown=send.message.accepted)
        return tuple(owed)

    def _order_shows(self, me: ProcessId, sends: tuple[Send, ...]) -> bool:
        """Whether it makes a difference in which order a step sends, or that a crash keeps it from sending some."""
        return self.header.ordered and (self._logged_in(me) in self.crashing or len({send.to for send in sends}) < len(sends))

    def _put(
        self, sender: ProcessId, to: ProcessId, message: Any, inboxes: dict[ProcessId, Any], shown: frozenset[Any] = frozenset()
    ) -> None:
        """Sends a packet; a p1b carries what it adds to the acceptor's previous p1b, by which a log may show it."""
        if to.role != CLIENT or self.records(to, message.kind):
            added = Delta(message.accepted - shown) if isinstance(message, P1b) else None
            inboxes[to] = self.network.put(inboxes.get(to, self.network.empty), sender, (sender, message, added))

    # ---- logged events ----

    def next_event(self, node: Node, index: int) -> Event | None:
        """The next event of a log."""
        log, position = self.logs[index], node.positions[index]
        return log[position] if position < len(log) else None

    def take(self, node: Node, index: int) -> list[Node]:
        """All ways in which the next event of log `index` can happen now."""
        event = self.next_event(node, index)
        assert event is not None, "a log at its end has no next event"
        if node.positions[index] >= self.readable[index]:
            return []
        positions = (*node.positions[:index], node.positions[index] + 1, *node.positions[index + 1 :])
        node = node._replace(positions=positions)
        if event.action == SEND:
            return self._take_send(node, event)
        if event.action == RECEIVE:
            return self._take_receive(node, event, index)
        if event.action == DROP:
            return self._take_drop(node, event)
        return self._take_fault(node, event)

    def _take_send(self, node: Node, event: Event) -> list[Node]:
        me, pattern = event.process, event.message
        if me.role == CLIENT:
            return self._client_sends(node, event)
        cells = dict(node.cells)
        cell = cells.get(me)
        if cell is None:
            return []
        found: list[Node] = []
        seen: set[Message] = set()
        for send in cell.owed:
            if send.message in seen or not self._fits(pattern, send.message, cell):
                continue
            seen.add(send.message)
            taken = [each for each in cell.owed if each.message == send.message and (event.peers is None or each.to in event.peers)]
            if not taken or (event.peers is not None and len(taken) != len(set(event.peers))):
                continue
            inboxes, after = dict(node.inboxes), dict(cells)
            for each in taken:
                self._put(me, each.to, each.message, inboxes, cell.shown)
            shown = send.message.accepted if isinstance(send.message, P1b) else cell.shown
            after[me] = Cell(cell.state, tuple(each for each in cell.owed if each not in taken), shown)
            agreed = self._agreed(node, pattern, send.message)
            if agreed is not None and self._post_holds(event, cell.state):
                found.append(agreed._replace(cells=frozenset(after.items()), inboxes=frozenset(inboxes.items())))
        return found

    def _agreed(self, node: Node, pattern: Any, message: Any) -> Node | None:
        """The node with what an event shows of an opaque result; None where another is known: it is the same at all replicas."""
        if not isinstance(message, Response) or not isinstance(message.result, Performed) or pattern.result is UNKNOWN:
            return node
        shown = (message.result.position, pattern.result)
        known = dict(node.results).get(*shown)
        return node._replace(results=node.results | {shown}) if known == pattern.result else None

    def _client_sends(self, node: Node, event: Event) -> list[Node]:
        pattern: Any = event.message
        found = []
        for command in self.commands if pattern.command is UNKNOWN else (pattern.command,):
            inboxes = dict(node.inboxes)
            asked = {(to, command) for to in (event.peers if event.peers is not None else self.system.replicas)}
            if command.client != event.process or (self.header.requests == "once" and asked & node.requested):
                continue
            for to, _ in asked:
                self._put(event.process, to, Request(command), inboxes)
            found.append(node._replace(inboxes=frozenset(inboxes.items()), requested=node.requested | asked))
        return found

    def _fits(self, pattern: Any, message: Any, cell: Cell) -> bool:
        if type(pattern) is not type(message):
            return False
        for name in message.__dataclass_fields__:
            recorded, actual = getattr(pattern, name), getattr(message, name)
            if recorded is UNKNOWN or isinstance(actual, Performed):
                continue
            if isinstance(recorded, Delta):
                if cell.shown <= actual and frozenset(recorded) == actual - cell.shown:
                    continue
                return False
            if recorded != actual:
                return False
        return True

    def _take_receive(self, node: Node, event: Event, index: int) -> list[Node]:
        found: list[Node] = []
        cell = dict(node.cells).get(event.process)
        if event.process.role != CLIENT and (cell is None or cell.owed):
            return []
        for (sender, message, added), rest in self._packets(node, event.process):
            if not self._received_as(event, sender, message, added):
                continue
            if event.process.role == CLIENT:
                found += [agreed] if (agreed := self._agreed(rest, event.message, message)) is not None else []
                continue
            guide = self._guide(index, node.positions[index])
            found += [after for after, state in self._delivered(rest, event.process, message, guide) if self._post_holds(event, state)]
        return found

    def _received_as(self, event: Event, sender: ProcessId, message: Any, added: Delta | None) -> bool:
        """Whether a packet may be what the event shows."""
        if event.peers is not None and event.peers[0] != sender:
            return False
        pattern: Any = event.message
        if type(pattern) is not type(message):
            return False
        for name in message.__dataclass_fields__:
            recorded, actual = getattr(pattern, name), getattr(message, name)
            if isinstance(recorded, Delta):
                if recorded != added:
                    return False
            elif recorded is not UNKNOWN and not isinstance(actual, Performed) and recorded != actual:
                return False
        return True

    def _guide(self, index: int, position: int) -> tuple[Command, ...]:
        """The proposals that the log shows right after the receive before `position`, by slot.

        Nothing where it may not show all of them: the step may be cut short, or a slot or command is not recorded.
        """
        proposed: dict[int, Command] = {}
        for event in islice(self.logs[index], position, None):
            message: Any = event.message
            if event.action == RECEIVE:
                return tuple(command for _, command in sorted(proposed.items()))
            if event.action != SEND:
                break
            if message.kind == "propose":
                if UNKNOWN in (message.slot, message.command):
                    break
                proposed.setdefault(message.slot, message.command)
        return ()

    def _take_drop(self, node: Node, event: Event) -> list[Node]:
        if not self.header.loses:
            return []
        return [rest for packet, rest in self._packets(node, event.process) if self._received_as(event, *packet)]

    def _take_fault(self, node: Node, event: Event) -> list[Node]:
        cells = dict(node.cells)
        hosted = [me for me in cells if self._logged_in(me) == event.log]
        owing = [me for me in hosted if cells[me].owed]
        if event.action == END:
            return [] if any(self._to_be_shown(me, cells[me]) for me in hosted) else [node]
        for me in owing:
            cells[me] = cells[me]._replace(owed=())
        cut = node.cut | {event.log} if event.action == CRASH and owing else node.cut
        if event.action == RESTART:
            cut = node.cut - {event.log}
            cell = cells.get(event.process)
            if cell is not None and not self._post_holds(event, cell.state):
                return []
        return [node._replace(cells=frozenset(cells.items()), cut=cut)]

    def _logged_in(self, process: ProcessId) -> str:
        """The log that shows a process: a scout's or commander's own if there is one, else its leader's."""
        if process not in self._log_of:
            own = self.show(process)
            self._log_of[process] = own if own in self.log_names else self.names.log_of(process)
        return self._log_of[process]

    def _post_holds(self, event: Event, state: Any) -> bool:
        if event.post is None:
            return True
        return not isinstance(state, Lifecycle) and all(getattr(state, key) == value for key, value in event.post)

    # ---- deliveries ----

    def _packets(self, node: Node, to: ProcessId) -> Iterator[tuple[Packet, Node]]:
        """All that may be delivered to a process, with the node after it has left the network."""
        inboxes = dict(node.inboxes)
        if to in inboxes:
            for packet, rest in self.network.deliverable(inboxes[to]):
                yield packet, node._replace(inboxes=frozenset({**inboxes, to: rest}.items()))
        if to.role == REPLICA:
            endless = self.header.duplicates or self.header.requests == "resent"
            for command in self.commands:
                if not self.records(command.client, "request") and (endless or (to, command) not in node.requested):
                    used = node.requested if endless else node.requested | {(to, command)}
                    yield (command.client, Request(command), None), node._replace(requested=used)

    def _delivered(self, node: Node, to: ProcessId, message: Message, guide: tuple[Command, ...] = ()) -> Iterator[tuple[Node, Any]]:
        """The nodes after `message` reached `to`, with the state of `to`."""
        cells = dict(node.cells)
        cell = cells[to]
        if isinstance(cell.state, Lifecycle):
            yield node, cell.state
            return
        state = cell.state
        if isinstance(state, ReplicaState):
            state = replace(state, requests=Choices(state.requests, guide))
        outcomes = list(islice(iter(self.role(to).step(state, message)), OUTCOMES_MAX + 1))
        if len(outcomes) > OUTCOMES_MAX:
            self.bounded.add(f"not all of a replica's choices among its requests were tried (more than {OUTCOMES_MAX})")
            outcomes = outcomes[:OUTCOMES_MAX]
        for outcome in outcomes:
            after, inboxes = dict(cells), dict(node.inboxes)
            settled = outcome.state
            if isinstance(settled, ReplicaState):
                settled = replace(settled, requests=frozenset(frozenset.__iter__(settled.requests)))
            owed = self._sent(to, outcome.sends, after, inboxes)
            after[to] = Cell(settled, owed, after[to].shown)
            if isinstance(settled, Lifecycle):
                inboxes.pop(to, None) if not self._logged(to) else None
            yield node._replace(cells=frozenset(after.items()), inboxes=frozenset(inboxes.items())), settled

    def _logged(self, process: ProcessId) -> bool:
        return any(self.records(process, kind) for kind, role in RECIPIENT.items() if role == process.role)

    def unrecorded(self, node: Node) -> Iterator[tuple[ProcessId, Any, Node]]:
        """Every step that no log shows and that changes something: (process, message, node after it).

        A delivery that is ignored changes something where order is kept: it lets the next message through.
        """
        for me, cell in sorted(node.cells, key=lambda each: each[0]):
            if node.cut and self._logged_in(me) in node.cut:
                continue
            yield from self._unrecorded_sends(node, me, cell)
            if isinstance(cell.state, Lifecycle) or cell.owed or self.all_recorded(me):
                continue
            for (_, message, _), rest in self._packets(node, me):
                if self.records(me, message.kind):
                    continue
                for after, _ in self._delivered(rest, me, message):
                    before = node if self.header.ordered else rest
                    if (after.cells, after.inboxes) != (before.cells, before.inboxes) and self._within(me, message, after):
                        yield me, message, after

    def _unrecorded_sends(self, node: Node, me: ProcessId, cell: Cell) -> Iterator[tuple[ProcessId, Any, Node]]:
        """Those that wait because their order shows."""
        for send in cell.owed:
            if not self.records(me, send.message.kind):
                inboxes = dict(node.inboxes)
                self._put(me, send.to, send.message, inboxes, cell.shown)
                shown = send.message.accepted if isinstance(send.message, P1b) else cell.shown
                left = Cell(cell.state, tuple(each for each in cell.owed if each != send), shown)
                after = node._replace(cells=(node.cells - {(me, cell)}) | {(me, left)}, inboxes=frozenset(inboxes.items()))
                yield send.to, send.message, after

    def _within(self, me: ProcessId, message: Message, after: Node) -> bool:
        """Keeps unrecorded steps to the ballots and slots near those that the trace speaks of."""
        state = next(cell.state for process, cell in after.cells if process == me)
        if me.role == LEADER and not isinstance(state, Lifecycle) and state.ballot.round > self.limits.rounds:
            self.bounded.add(f"ballots above round {self.limits.rounds} were not tried")
            return False
        if me.role == REPLICA and state.slot_in > self.limits.slots + 1:
            self.bounded.add(f"unrecorded proposals above slot {self.limits.slots} were not tried")
            return False
        return True

    def complete(self, node: Node) -> bool:
        """Whether all logs are matched; those that ended in good order owe nothing."""
        if any(position < len(log) for position, log in zip(node.positions, self.logs, strict=True)):
            return False
        return not any(self._logged_in(me) in self.ended and self._to_be_shown(me, cell) for me, cell in node.cells)

    def _to_be_shown(self, me: ProcessId, cell: Cell) -> bool:
        return any(self.records(me, send.message.kind) for send in cell.owed)
