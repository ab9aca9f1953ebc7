"""The transition system of the search: runs of the model that a set of logs may show, with gaps where the logs promise nothing.

A move is either the next event of a log or an unrecorded step: the delivery of a message of a kind that the recipient's log does not
record, or something that the header lets processes do on their own. `steps.py` says what the steps themselves do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from pmmc_check.protocol import Protocol
from pmmc_check.protocol.messages import Message, P1b, Propose, Request, Response, Start
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.protocol.values import CLIENT, COMMANDER, LEADER, REPLICA, SCOUT, Command, ProcessId, host_of
from pmmc_check.trace.events import CRASH, DROP, END, RECEIVE, RESTART, SEND, UNKNOWN, Delta, Event
from pmmc_check.trace.fields import RECIPIENT
from pmmc_check.trace.matching import matches
from pmmc_check.trace.system import OpaqueResult
from pmmc_check.trace.values import Values
from pmmc_check.validation.lazy_replica import LazyReplica
from pmmc_check.validation.promises import Promises
from pmmc_check.validation.search.bounds import ballots_in, commands_in, orderly, reach_of
from pmmc_check.validation.search.inboxes import Packet
from pmmc_check.validation.search.steps import Cell, Point, Steps


class Completion:
    """The moves. `logs` are the events by log; `others` are requests that clients may have sent besides those the trace speaks of."""

    def __init__(self, promises: Promises, events: Sequence[Event], protocol: Protocol, others: tuple[Command, ...] = ()) -> None:
        self.promises, self.header = promises, promises.header
        self.commands = (*commands_in(events), *others)
        self.reach = reach_of(events, promises.header)
        self.crashing = frozenset(event.log for event in events if event.action in (CRASH, RESTART))
        by_log: dict[str, list[Event]] = {}
        for event in events:
            by_log.setdefault(event.log, []).append(event)
        self.log_names = tuple(by_log)
        self.logs = tuple(tuple(each) for each in by_log.values())
        self.readable = tuple(map(orderly, self.logs))
        self.ended = frozenset(name for name, log in by_log.items() if log[-1].action == END)
        self.ballots = ballots_in(events)
        self.show = Values(promises.names).show_process
        self._log_of: dict[ProcessId, str] = {}
        self.steps = Steps(promises, protocol, self.commands, lambda me: self._logged_in(me) in self.crashing)
        self.bounded = self.steps.bounded
        """Which limits have cut off any moves."""

    def start(self) -> Point:
        """The point before everything: no log has been matched."""
        return self.steps.initial(len(self.logs))

    # ---- logged events ----

    def next_event(self, node: Point, index: int) -> Event | None:
        """The next event of a log."""
        log, position = self.logs[index], node.positions[index]
        return log[position] if position < len(log) else None

    def take(self, node: Point, index: int) -> list[Point]:
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

    def _take_send(self, node: Point, event: Event) -> list[Point]:
        me, pattern = event.process, event.message
        if me.role == CLIENT:
            return self._client_sends(node, event)
        cells = dict(node.cells)
        cell = cells.get(me)
        if cell is None:
            return []
        if type(pattern) is Propose and not cell.owed:  # a lazy replica proposes now
            return [after for ready in self.steps.proposals(node, me) for after in self._shown(ready, event, dict(ready.cells)[me])]
        return self._shown(node, event, cell)

    def _shown(self, node: Point, event: Event, cell: Cell) -> list[Point]:
        """The points after an event has shown one of the sends that a step owes."""
        me, pattern, cells = event.process, event.message, dict(node.cells)
        found: list[Point] = []
        seen: set[Message] = set()
        for send in cell.owed:
            accepted = send.message.accepted if isinstance(send.message, P1b) else cell.shown
            added = Delta(accepted - cell.shown) if cell.shown <= accepted else None
            if send.message in seen or not matches(pattern, send.message, added):
                continue
            seen.add(send.message)
            taken = [each for each in cell.owed if each.message == send.message and (event.peers is None or each.to in event.peers)]
            if not taken or (event.peers is not None and len(taken) != len(set(event.peers))):
                continue
            inboxes, after = dict(node.inboxes), dict(cells)
            for each in taken:
                self.steps.put(me, each.to, each.message, inboxes, cell.shown)
            shown = send.message.accepted if isinstance(send.message, P1b) else cell.shown
            after[me] = Cell(cell.state, tuple(each for each in cell.owed if each not in taken), shown)
            agreed = self._agreed(node, pattern, send.message)
            if agreed is not None and self._post_holds(event, cell.state):
                found.append(agreed._replace(cells=frozenset(after.items()), inboxes=frozenset(inboxes.items())))
        return found

    def _agreed(self, node: Point, pattern: Any, message: Any) -> Point | None:
        """The point with the opaque result that an event shows; None if it differs from the one that another replica has shown."""
        if not isinstance(message, Response) or not isinstance(message.result, OpaqueResult) or pattern.result is UNKNOWN:
            return node
        shown = (message.result.position, pattern.result)
        known = dict(node.results).get(*shown)
        return node._replace(results=node.results | {shown}) if known == pattern.result else None

    def _client_sends(self, node: Point, event: Event) -> list[Point]:
        pattern: Any = event.message
        found = []
        for command in self.commands if pattern.command is UNKNOWN else (pattern.command,):
            inboxes = dict(node.inboxes)
            asked = {(to, command) for to in (event.peers if event.peers is not None else self.steps.system.replicas)}
            if command.client != event.process or (self.header.requests == "once" and asked & node.requested):
                continue
            for to, _ in asked:
                self.steps.put(event.process, to, Request(command), inboxes)
            found.append(node._replace(inboxes=frozenset(inboxes.items()), requested=node.requested | asked))
        return found

    def _take_receive(self, node: Point, event: Event, index: int) -> list[Point]:
        found: list[Point] = []
        cell = dict(node.cells).get(event.process)
        if event.process.role != CLIENT and (cell is None or cell.owed):
            return []
        for (_, message, _), rest in self.steps.packets(node, event.process, _received_as(event), event.message):
            if event.process.role == CLIENT:
                found += [agreed] if (agreed := self._agreed(rest, event.message, message)) is not None else []
                continue
            guide = self._guide(index, node.positions[index])
            made = list(self.steps.delivered(rest, event.process, message, guide))
            made += self._made_with_proposals(made, event)
            found += [after for after, state in made if self._post_holds(event, state)]
            if event.post is None and self._crashes_next(event.process, index, node.positions[index]):
                unmade = self._unmade(rest, event.process, [state for _, state in made])
                forgot = unmade and self._forgot(index, node.positions[index], cell, made)
                found = unmade + found if forgot else found + unmade
        return found

    def _made_with_proposals(self, made: Sequence[tuple[Point, Any]], event: Event) -> list[tuple[Point, Any]]:
        """Where the state after a step is recorded: what a lazy replica has made of the step if it proposes something within it."""
        slot_in = dict(event.post or ()).get("slot_in", 0)
        found: list[tuple[Point, Any]] = []
        pending = list(made) if slot_in else []
        while pending:
            point, state = pending.pop()
            if not isinstance(state, Lifecycle) and state.slot_in < slot_in:
                proposed = self.steps.proposals(point, event.process, within_step=True)
                after = [(each, dict(each.cells)[event.process].state) for each in proposed]
                found, pending = found + after, pending + after
        return found

    def _unmade(self, node: Point, me: ProcessId, made: Sequence[Any]) -> list[Point]:
        """The point at which a crash kills a process before it makes the step to one of the states `made`, if that shows later."""
        kept = self.steps.kept(me, dict(node.cells)[me].state)
        return [node._replace(cut=node.cut | {me})] if any(self.steps.kept(me, each) != kept for each in made) else []

    def _forgot(self, index: int, position: int, cell: Cell | None, made: Sequence[tuple[Point, Any]]) -> bool:
        """Whether the first step after the crash looks like one of a process that lost the message: then that is tried first."""
        log = self.logs[index]
        receives = [at for at in range(position, len(log)) if log[at].action == RECEIVE]
        if not receives or cell is None or receives[0] + 1 >= len(log):
            return False
        event, answer = log[receives[0]], log[receives[0] + 1]
        if event.process != answer.process or answer.action != SEND or UNKNOWN in _values(event.message):
            return False

        def fits(state: Any) -> bool:
            back = self.steps.kept(event.process, state)
            if back is None or isinstance(back, Lifecycle) or event.message is None:
                return False
            outcomes = islice(self.steps.role(event.process).step(back, event.message), 5)
            return any(matches(answer.message, send.message) for outcome in outcomes for send in outcome.sends)

        return fits(cell.state) and not any(fits(state) for _, state in made)

    def _crashes_next(self, me: ProcessId, index: int, position: int) -> bool:
        """Whether the next that a log shows of `me`, from `position` on, is a crash from which it comes back.

        Then the message that it has received last may be lost: it may not have come to make its step.
        """
        log = self.logs[index]
        if log[0].log not in self.crashing or me.role in (SCOUT, COMMANDER):
            return False
        for at in range(position, len(log)):
            if log[at].action in (CRASH, RESTART):
                return any(each.action == RESTART for each in islice(log, at, None))
            if log[at].process == me and log[at].action != DROP:
                return False
        return False

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

    def _take_drop(self, node: Point, event: Event) -> list[Point]:
        if not self.header.loses:
            return []
        return [rest for _, rest in self.steps.packets(node, event.process, _received_as(event), event.message)]

    def _take_fault(self, node: Point, event: Event) -> list[Point]:
        cells = dict(node.cells)
        hosted = [me for me in cells if self._logged_in(me) == event.log]
        owing = [me for me in hosted if cells[me].owed]
        if event.action == END:
            return [] if any(self._to_be_shown(me, cells[me]) for me in hosted) else [node]
        for me in owing:
            cells[me] = cells[me]._replace(owed=())
        cut = node.cut | {event.log} if event.action == CRASH and owing else node.cut
        node = node._replace(cells=frozenset(cells.items()), cut=cut)
        return self._restarted(node, event, hosted) if event.action == RESTART else [node]

    def _restarted(self, node: Point, event: Event, hosted: Sequence[ProcessId]) -> list[Point]:
        """The points after a recorded restart."""
        return [
            after._replace(cut=node.cut - {event.log, *hosted})
            for after in self.steps.comes_back(node, event.process, hosted)
            if self._post_holds(event, dict(after.cells)[event.process].state)
        ]

    def _logged_in(self, process: ProcessId) -> str:
        """The log that shows a process: a scout's or commander's own if there is one, else its leader's."""
        if process not in self._log_of:
            own = self.show(process)
            self._log_of[process] = own if own in self.log_names else self.promises.names.log_of(process)
        return self._log_of[process]

    def _post_holds(self, event: Event, state: Any) -> bool:
        if event.post is None:
            return True
        return not isinstance(state, Lifecycle) and all(getattr(state, key) == value for key, value in event.post)

    def unrecorded(self, node: Point) -> Iterator[tuple[ProcessId, Any, Point]]:
        """Every step that no log shows and that changes something: (process, message, node after it).

        A delivery that is ignored changes something where order is kept: it lets the next message through.
        """
        yield from self._spontaneous(node)
        for me, cell in sorted(node.cells, key=lambda each: each[0]):
            if self._is_cut(node, me):
                continue
            yield from self._unrecorded_sends(node, me, cell)
            if isinstance(cell.state, Lifecycle) or cell.owed or self.promises.shows_all_receives(me):
                continue
            unseen = frozenset(kind for kind in RECIPIENT if not self.promises.records(me, kind))
            for (_, message, _), rest in self.steps.packets(node, me, lambda packet: packet[1].kind in unseen):  # noqa: B023  (used at once)
                made = list(self.steps.delivered(rest, me, message))
                if self.header.ordered and self._may_crash(node, me):
                    yield from ((me, message, after) for after in self._unmade(rest, me, [state for _, state in made]))
                for after, _ in made:
                    before = node if self.header.ordered else rest
                    if (after.cells, after.inboxes) != (before.cells, before.inboxes) and self._within(me, message, after):
                        yield me, message, after

    def _is_cut(self, node: Point, me: ProcessId) -> bool:
        """Whether a process takes no step any more before its restart."""
        return bool(node.cut) and (me in node.cut or self._logged_in(me) in node.cut)

    def _may_crash(self, node: Point, me: ProcessId) -> bool:
        """Whether a process may crash now without a trace of what it received last."""
        if self._restarts_untold(me):
            return True
        name = self._logged_in(me)
        index = self.log_names.index(name) if name in self.log_names else -1
        return index >= 0 and self._crashes_next(me, index, node.positions[index])

    def _restarts_untold(self, me: ProcessId) -> bool:
        return self.header.restarts == "any" and me.role in (LEADER, REPLICA) and self.promises.shows_nothing(me)

    def _spontaneous(self, node: Point) -> Iterator[tuple[ProcessId, Any, Point]]:
        """The steps that the header lets processes take on their own: unrecorded restarts, ballots that no preemption asked for, and
        proposals that no log would show."""
        lazy = issubclass(self.steps.protocol[REPLICA], LazyReplica)
        if not lazy and "any" not in (self.header.restarts, self.header.ballots):
            return
        for me, cell in sorted(node.cells, key=lambda each: each[0]):
            if isinstance(cell.state, Lifecycle):
                continue
            found: list[Point] = []
            if self._restarts_untold(me):
                back = self.steps.comes_back(node, me, [each for each, _ in node.cells if host_of(each) == me])
                found += [after._replace(cut=after.cut - {me}) for after in back]
            if self.header.ballots == "any" and me.role == LEADER and not self._is_cut(node, me):
                found += [self.steps.campaign(node, me, ballot) for ballot in self.ballots if ballot.leader == me.number]
            if lazy and me.role == REPLICA and not self.promises.records(me, Propose.kind) and not self._is_cut(node, me):
                found += self.steps.proposals(node, me)
            for after in found:
                if (after.cells, after.inboxes, after.cut) != (node.cells, node.inboxes, node.cut) and self._within(me, Start(), after):
                    yield me, Start(), after

    def _unrecorded_sends(self, node: Point, me: ProcessId, cell: Cell) -> Iterator[tuple[ProcessId, Any, Point]]:
        """The unrecorded sends that wait because the order of sends can be seen."""
        for send in cell.owed:
            if not self.promises.records(me, send.message.kind):
                inboxes = dict(node.inboxes)
                self.steps.put(me, send.to, send.message, inboxes, cell.shown)
                shown = send.message.accepted if isinstance(send.message, P1b) else cell.shown
                left = Cell(cell.state, tuple(each for each in cell.owed if each != send), shown)
                after = node._replace(cells=(node.cells - {(me, cell)}) | {(me, left)}, inboxes=frozenset(inboxes.items()))
                yield send.to, send.message, after

    def _within(self, me: ProcessId, message: Message, after: Point) -> bool:
        """Whether an unrecorded step keeps to ballots and slots near those that the trace mentions."""
        state = next(cell.state for process, cell in after.cells if process == me)
        if me.role == LEADER and not isinstance(state, Lifecycle) and state.ballot.round > self.reach.rounds:
            self.bounded.add(f"ballots above round {self.reach.rounds} were not tried")
            return False
        if me.role == REPLICA and state.slot_in > self.reach.slots + 1:
            self.bounded.add(f"unrecorded proposals above slot {self.reach.slots} were not tried")
            return False
        return True

    def complete(self, node: Point) -> bool:
        """Whether all logs are matched, and those that ended in good order have no sends left to show."""
        if any(position < len(log) for position, log in zip(node.positions, self.logs, strict=True)):
            return False
        return not any(self._logged_in(me) in self.ended and self._to_be_shown(me, cell) for me, cell in node.cells)

    def _to_be_shown(self, me: ProcessId, cell: Cell) -> bool:
        return any(self.promises.records(me, send.message.kind) for send in cell.owed)


def _values(message: Any) -> list[Any]:
    """The values of a message's fields."""
    return [getattr(message, name) for name in message.__dataclass_fields__] if message is not None else []


def _received_as(event: Event) -> Callable[[Packet], bool]:
    """Whether a packet may be what the event shows."""
    pattern: Any = event.message
    source = event.peers[0] if event.peers is not None else None

    def fits(packet: Packet) -> bool:
        sender, message, added = packet
        return (source is None or source == sender) and matches(pattern, message, added)

    return fits
