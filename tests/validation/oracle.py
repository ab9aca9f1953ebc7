"""The brute-force oracle: may these complete logs be a run of PMMC? Every interleaving and every choice is tried.

Written in its plainest form and on its own: plain immutable states, `Role.step`, a dictionary for the network. It shares with the validator
only the protocol and the events that the readers make.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pmmc_check.protocol import PMMC
from pmmc_check.protocol.application import CommandLog
from pmmc_check.protocol.messages import P1b, Request, Response, Start
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.protocol.values import CLIENT, COMMANDER, LEADER, SCOUT
from pmmc_check.trace.events import CRASH, DROP, END, RECEIVE, RESTART, SEND, UNKNOWN, Delta, Event, Header, Names
from pmmc_check.trace.system import system_of
from pmmc_check.trace.values import Values

STUNNED = ((None, "stunned"),)
"""What a process owes that was killed when it had received a message: it does nothing any more. A crash clears what is owed."""


class TooManyStates(Exception):
    """The oracle would take too long."""


class Oracle:
    def __init__(self, header: Header, names: Names, events: list[Event], states_max: int = 60_000) -> None:
        self.header, self.names, self.states_max = header, names, states_max
        self.system = replace(system_of(header, names), application=CommandLog())
        self.logs: dict[str, list[Event]] = {}
        for event in events:
            self.logs.setdefault(event.log, []).append(event)
        self.show = Values(names).show_process

    def legal(self) -> bool:
        if not numbered_once(event for log in self.logs.values() for event in log):
            return False
        processes: dict[Any, Any] = {}
        for me in (*self.system.acceptors, *self.system.replicas, *self.system.leaders):
            self.create(me, Start(), processes)
        start = (tuple((name, 0) for name in self.logs), freeze(processes), frozenset(), frozenset())
        seen, stack = {start}, [start]
        while stack:
            state = stack.pop()
            if all(position == len(self.logs[name]) for name, position in state[0]) and self.in_order(state):
                return True
            for after in self.successors(state):
                if after not in seen:
                    seen.add(after)
                    stack.append(after)
            if len(seen) > self.states_max:
                raise TooManyStates
        return False

    def create(self, me: Any, start: Start, processes: dict[Any, Any]) -> None:
        outcome = PMMC[me.role](me, self.system).start(start.command)
        processes[me] = (outcome.state, self.settled(outcome.sends, processes), frozenset())

    def settled(self, sends: Any, processes: dict[Any, Any]) -> tuple[Any, ...]:
        for to, message in sends:
            if isinstance(message, Start) and to not in processes:
                self.create(to, message, processes)
        return tuple((to, message) for to, message in sends if not isinstance(message, Start))

    def log_of(self, me: Any) -> str:
        own = self.show(me)
        if own in self.logs or me.role not in (SCOUT, COMMANDER):
            return own
        return self.show(me._replace(role=LEADER, round=0, slot=0))

    def in_order(self, state: Any) -> bool:
        ended = {name for name, log in self.logs.items() if log and log[-1].action == END}
        return not any(owed and self.log_of(me) in ended for me, (_, owed, _) in state[1])

    def successors(self, state: Any) -> Any:
        positions, frozen, network, requested = state
        for index, (name, position) in enumerate(positions):
            if position == len(self.logs[name]):
                continue
            event = self.logs[name][position]
            before = self.logs[name][position - 1].action if position else None
            if before == END or (crashed(self.logs[name][:position]) and event.action not in (RESTART, DROP)):
                continue
            moved = (*positions[:index], (name, position + 1), *positions[index + 1 :])
            for processes, net, asked in self.happen(event, dict(frozen), dict(network), set(requested)):
                yield moved, freeze(processes), freeze(net), frozenset(asked)

    def happen(self, event: Event, processes: Any, network: Any, requested: Any) -> Any:
        if event.action == SEND:
            yield from self.send(event, processes, network, requested)
        elif event.action == RECEIVE:
            yield from self.receive(event, processes, network, requested)
        elif event.action == DROP:
            if self.header.loses and (once := self.open_request(event)) is not None:
                if self.header.duplicates or once not in requested:
                    yield processes, network, requested | {once}
            elif self.header.loses:
                for _, rest in self.arrivals(event, network, dropping=True):
                    yield processes, rest, requested
        elif event.action == END:
            yield processes, network, requested
        else:
            yield from self.fault(event, processes, network, requested)

    def fault(self, event: Event, processes: Any, network: Any, requested: Any) -> Any:
        for me, (local, _, shown) in list(processes.items()):
            if self.log_of(me) == event.log:
                processes[me] = (local, (), shown)
                if event.action == RESTART:
                    self.restart(me, processes, own=me == event.process)
        if self.holds(event, processes.get(event.process, (None,))[0]):
            yield processes, network, requested

    def restart(self, me: Any, processes: Any, own: bool) -> None:
        local, _, shown = processes[me]
        if not own:
            processes[me] = (Lifecycle.EXITED, (), shown)
        elif not isinstance(local, Lifecycle):
            state, sends = PMMC[me.role](me, self.system).restart(local)
            processes[me] = (state, (), shown)
            processes[me] = (state, self.settled(sends, processes), shown)

    def send(self, event: Event, processes: Any, network: Any, requested: Any) -> Any:
        me, recorded = event.process, event.message
        if me.role == CLIENT:
            command = recorded.command
            targets = event.peers or self.system.replicas
            if command.client == me and not any((to, command) in requested for to in targets):
                for to in targets:
                    self.put(network, me, to, recorded, None)
                yield processes, network, requested | {(to, command) for to in targets}
            return
        local, owed, shown = processes.get(me, (None, (), None))
        for message in {message for _, message in owed}:
            delta = Delta(message.accepted - shown) if isinstance(message, P1b) else None
            taken = [(to, each) for to, each in owed if each == message and (event.peers is None or to in event.peers)]
            if not taken or (event.peers is not None and len(taken) != len(set(event.peers))) or not same(recorded, message, delta):
                continue
            net, after = dict(network), dict(processes)
            for to, each in taken:
                travelling = recorded if isinstance(each, Response) else each
                self.put(net, me, to, travelling, delta)
            now = message.accepted if isinstance(message, P1b) else shown
            after[me] = (local, tuple(each for each in owed if each not in taken), now)
            if self.holds(event, local):
                yield after, net, requested

    def put(self, network: Any, sender: Any, to: Any, message: Any, delta: Any) -> None:
        packet = (message, delta)
        if self.header.ordered:
            network[sender, to] = (*network.get((sender, to), ()), packet)
        else:
            network[sender, to, packet] = 1 if self.header.duplicates else network.get((sender, to, packet), 0) + 1

    def receive(self, event: Event, processes: Any, network: Any, requested: Any) -> Any:
        me = event.process
        if me.role == CLIENT:
            for _, rest in self.arrivals(event, network):
                yield processes, rest, requested
            return
        local, owed, shown = processes.get(me, (None, (1,), None))
        if owed:
            return
        arrivals = list(self.arrivals(event, network))
        once = self.open_request(event)
        if once is not None:
            arrivals = []
            if self.header.duplicates or once not in requested:
                arrivals = [(event.message, network)]
                requested = requested | {once}
        for message, rest in arrivals:
            if isinstance(local, Lifecycle):
                if event.post is None:
                    yield processes, rest, requested
                continue
            if event.post is None and any(each.action in (CRASH, RESTART) for each in self.logs[event.log]):
                yield {**processes, me: (local, STUNNED, shown)}, dict(rest), requested
            for outcome in PMMC[me.role](me, self.system).step(local, message):
                after = dict(processes)
                after[me] = (outcome.state, (), shown)
                after[me] = (outcome.state, self.settled(outcome.sends, after), shown)
                if self.holds(event, outcome.state):
                    yield after, dict(rest), requested

    def open_request(self, event: Event) -> Any:
        """A request of a client without a log: it has sent each once to every replica."""
        if not isinstance(event.message, Request):
            return None
        client = event.message.command.client
        return (event.process, event.message.command) if self.header.contract(self.names.name_of[client]).form == "none" else None

    def arrivals(self, event: Event, network: Any, dropping: bool = False) -> Any:
        wanted = event.message
        for key, value in network.items():
            sender, to = key[:2]
            if to != event.process or (event.peers and event.peers[0] != sender):
                continue
            if not self.header.ordered:
                message, delta = key[2]
                if same(wanted, message, delta):
                    left = value if self.header.duplicates else value - 1
                    yield message, {k: left if k == key else v for k, v in network.items() if k != key or left}
                continue
            queue = [each for each in value if not isinstance(each, Last)]
            last = [each for each in value if isinstance(each, Last)]
            for again in last if not dropping else ():
                if same(wanted, *again.packet):
                    yield again.packet[0], network
            for index, (message, delta) in enumerate(queue):
                if index and not self.header.loses:
                    break
                if same(wanted, message, delta):
                    if dropping:
                        rest = (*last, *queue[:index], *queue[index + 1 :])
                    else:
                        rest = (*((Last(queue[index]),) if self.header.duplicates else ()), *queue[index + 1 :])
                    yield message, {**network, key: rest}

    def holds(self, event: Event, local: Any) -> bool:
        if event.post is None:
            return True
        return not isinstance(local, Lifecycle) and local is not None and all(getattr(local, k) == v for k, v in event.post)


class Last:
    """The packet of a pair that was delivered last."""

    def __init__(self, packet: Any) -> None:
        self.packet = packet

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Last) and other.packet == self.packet

    def __hash__(self) -> int:
        return hash(("last", self.packet))


def numbered_once(events: Iterable[Event]) -> bool:
    """Whether each number of a client stands for one operation in all requests."""
    asked = {event.message.command for event in events if isinstance(event.message, Request)} - {UNKNOWN}
    return len({(command.client, command.cid) for command in asked}) == len(asked)


def freeze(mapping: dict[Any, Any]) -> frozenset[Any]:
    return frozenset(mapping.items())


def same(recorded: Any, message: Any, delta: Any) -> bool:
    if isinstance(recorded, P1b) and isinstance(message, P1b) and isinstance(recorded.accepted, Delta):
        return (recorded.acceptor, recorded.ballot) == (message.acceptor, message.ballot) and recorded.accepted == delta
    if isinstance(recorded, Response) and isinstance(message, Response):
        return recorded.cid == message.cid and str(recorded.result) == str(message.result)
    return bool(recorded == message)


def crashed(past: list[Event]) -> bool:
    for event in reversed(past):
        if event.action == CRASH:
            return True
        if event.action == RESTART:
            return False
    return False
