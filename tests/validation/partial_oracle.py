"""The brute-force oracle for logs with gaps: is there a run of PMMC of which these logs show what they promise?

Written in its plainest form and on its own. A point of a run is: how far each log is matched, every process's state, what its last step has
still to send, and what is in flight. From each point every move is tried: the next event of any log; and whatever a contract leaves out,
which may happen at any time without a trace. It shares with the validator only the protocol and the events that the readers make.

Not all runs are finite, so there are bounds: unlogged steps start no round and no slot beyond one above those the trace speaks of, and
requests that nobody speaks of are as many as there are slots, with one reconfiguration to each set of leaders. Where that leaves out a
step, or where answers to doubled messages would queue up, the answer "no" is not given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from pmmc_check.protocol import PMMC
from pmmc_check.protocol.messages import P1b, Request, Response, Start
from pmmc_check.protocol.replica import Replica
from pmmc_check.protocol.role import Lifecycle, Outcome
from pmmc_check.protocol.values import CLIENT, COMMANDER, LEADER, REPLICA, SCOUT, Command, ProcessId, Reconfigure
from pmmc_check.trace.events import CRASH, DROP, END, KINDS, RECEIVE, RESTART, SEND, UNKNOWN, Delta, Event, Header, Names
from pmmc_check.trace.system import system_of
from pmmc_check.trace.values import Values
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED
from tests.validation.oracle import crashed, numbered_once
from tests.validation.oracle_network import OracleNetwork
from tests.validation.spoken import reach, spoken_of

QUEUE_MAX = 6
"""Unlogged steps let no more messages than this wait between two processes that keep their order."""


class Stunned:
    """What a process owes that was killed when it had received a message: it does nothing any more. A crash clears what is owed."""

    kind = "stunned"


STUNNED = Stunned()


class Count:
    """An application that counts what it performs; a trace's results are functions of that number."""

    def initial(self) -> int:
        return 0

    def apply(self, state: int, command: Command) -> tuple[int, int]:
        return state + 1, state + 1


class Lazy(Replica):
    """Proposes when it likes: within any step, and between them."""

    def propose(self, state: Any, sends: Any = ()) -> Any:
        yield Outcome(state, sends)
        yield from super().propose(state, sends)

    def some(self, state: Any) -> Iterator[Outcome]:
        """Any of its requests for the next slot, if there is one in the window."""
        while state.requests and self.window_open(state):
            state = self.take_over_configuration(state)
            if not state.decided_in(state.slot_in):
                yield from (self.assign(state, command, ()) for command in state.requests)
                return
            state = replace(state, slot_in=state.slot_in + 1)


class Point(NamedTuple):
    """`cells`: process to (state, sends owed, accepted in its last p1b). `results`: what an opaque application answered, by position."""

    positions: tuple[int, ...]
    cells: dict[ProcessId, Any]
    network: dict[Any, Any]
    requested: frozenset[Any]
    results: frozenset[tuple[int, str]]

    @property
    def content(self) -> Any:
        return self.positions, frozenset(self.cells.items()), frozenset(self.network.items()), self.requested, self.results


class PartialOracle:
    def __init__(self, header: Header, names: Names, events: list[Event], states_max: int = 20_000, beyond: int = 1) -> None:
        self.header, self.names, self.states_max = header, names, states_max
        self.protocol = {**PMMC, REPLICA: Lazy} if header.proposals == "lazy" else PMMC
        self.system = replace(system_of(header, names), application=Count())
        logs: dict[str, list[Event]] = {}
        for event in events:
            logs.setdefault(event.log, []).append(event)
        self.log_names, self.logs = list(logs), list(logs.values())
        self.show = Values(names).show_process
        self.network = OracleNetwork(header)
        self.spoken = spoken_of(events)
        self.round_max, self.slot_max = (most + beyond for most in reach(events))
        self.commands: tuple[Command, ...] = ()
        self.left_out = False
        self.states = 0

    def verdict(self) -> str:
        """Inconclusive where a bound left something out, or there are too many points."""
        if not numbered_once(event for log in self.logs for event in log):
            return REJECTED
        for unspoken in self.unspoken():
            self.commands = (*self.spoken, *unspoken)
            found = self.search()
            if found is not False:
                return ACCEPTED if found else INCONCLUSIVE
        return INCONCLUSIVE if self.left_out else REJECTED

    def search(self) -> bool | None:
        """None: too many points."""
        start = Point((0,) * len(self.logs), {}, {}, frozenset(), frozenset())
        for me in (*self.system.acceptors, *self.system.replicas, *self.system.leaders):
            self.create(me, Start(), start)
        seen, stack = {start.content}, [start]
        while stack:
            point = stack.pop()
            if self.shows_all(point):
                return True
            for after in (*self.silent(point), *self.logged(point)):
                if (content := after.content) not in seen:
                    seen.add(content)
                    stack.append(after)
            self.states += 1
            if self.states > self.states_max:
                return None
        return False

    # ---- what the logs promise ----

    def records(self, me: ProcessId, kind: str) -> bool:
        host = ProcessId(LEADER, me.number) if me.role in (SCOUT, COMMANDER) else me
        name = self.names.name_of.get(host)
        return name is not None and self.header.contract(name).records(kind)

    def log_of(self, me: ProcessId) -> str:
        own = self.show(me)
        return own if own in self.log_names or me.role not in (SCOUT, COMMANDER) else self.show(ProcessId(LEADER, me.number))

    def shows_all(self, point: Point) -> bool:
        if any(position < len(log) for position, log in zip(point.positions, self.logs, strict=True)):
            return False
        ended = {name for name, log in zip(self.log_names, self.logs, strict=True) if log[-1].action == END}
        return not any(self.log_of(me) in ended and self.to_be_shown(me, owed) for me, (_, owed, _) in point.cells.items())

    def to_be_shown(self, me: ProcessId, owed: Iterable[Any]) -> bool:
        return any(message is STUNNED or self.records(me, message.kind) for _, message in owed)

    def unspoken(self) -> Iterator[tuple[Command, ...]]:
        """Requests that no event speaks of: none; then ordinary ones; then reconfigurations too."""
        yield ()
        clients = self.system.clients if self.header.clients is not None else (ProcessId(CLIENT, 10**6),)
        unsaid = {event.process for log in self.logs for event in log if event.message == Request(UNKNOWN)}
        open_client = next((each for each in clients if each in unsaid or not self.records(each, "request")), None)
        if open_client is None or (not unsaid and all(self.records(replica, "request") for replica in self.system.replicas)):
            return
        highest = self.slot_max if self.header.slots is None else self.header.slots
        ordinary = tuple(Command(open_client, 10**6 + number, "") for number in range(highest))
        yield ordinary
        sets = [each.leaders for each in self.system.configurations]
        if sets and self.header.window < highest:
            yield ordinary + tuple(Command(open_client, 2 * 10**6 + n, Reconfigure(each)) for n, each in enumerate(sets))

    # ---- moves ----

    def logged(self, point: Point) -> Iterator[Point]:
        for index, log in enumerate(self.logs):
            position = point.positions[index]
            if position == len(log) or (position and log[position - 1].action == END):
                continue
            event = log[position]
            if crashed(log[:position]) and event.action not in (RESTART, DROP):
                continue
            moved = point._replace(positions=(*point.positions[:index], position + 1, *point.positions[index + 1 :]))
            if event.action == SEND:
                yield from self.send(event, moved) if event.process.role != CLIENT else self.ask(event, moved)
            elif event.action == RECEIVE:
                yield from self.receive(event, moved)
            elif event.action == DROP:
                yield from (after for *packet, after in self.losses(moved, event.process) if self.fits(event, *packet, after) is not None)
            elif event.action != END:
                yield from self.fault(event, moved)
            else:
                yield moved

    def silent(self, point: Point) -> Iterator[Point]:
        """Deliveries that the recipient's log does not show, and on a network with order sends that the sender's does not."""
        down = {name for name, log, at in zip(self.log_names, self.logs, point.positions, strict=True) if crashed(log[:at])}
        for me, (local, owed, shown) in point.cells.items():
            if self.log_of(me) in down:
                continue
            yield from self.spontaneous(point, me)
            for to, message in owed:
                if message is not STUNNED and not self.records(me, message.kind):
                    rest = tuple(each for each in owed if each != (to, message))
                    after = point._replace(cells={**point.cells, me: (local, rest, shown)}, network=dict(point.network))
                    self.put(after, me, to, message)
                    yield after
            if owed or isinstance(local, Lifecycle):
                continue
            for _, message, _, taken in self.arrivals(point, me):
                if not self.records(me, message.kind):
                    if self.may_be_killed(me):
                        yield self.killed(taken, me)
                    for after in self.deliver(taken, me, message):
                        if self.matters(point, after) and not self.beyond(local, after.cells[me][0]) and not self.crowded(after):
                            yield after

    def matters(self, point: Point, after: Point) -> bool:
        """Where order is not kept, a delivery without effect could as well not happen."""
        return self.header.ordered or after.cells != point.cells or any(n > point.network.get(k, 0) for k, n in after.network.items())

    def beyond(self, before: Any, after: Any) -> bool:
        """Whether an unlogged step goes further than this search does."""
        old = getattr(before, "ballot", None)
        far = hasattr(after, "proposals") and old is not None and after.ballot != old and after.ballot.round > self.round_max
        far |= hasattr(after, "slot_in") and after.slot_in != before.slot_in and after.slot_in > self.slot_max + 1
        self.left_out |= far
        return bool(far)

    def crowded(self, point: Point) -> bool:
        """Where order is kept and messages are doubled, answers to doubles could queue up for ever."""
        many = self.header.ordered and any(len(queue) > QUEUE_MAX for queue in point.network.values())
        self.left_out |= many
        return many

    # ---- sends ----

    def create(self, me: ProcessId, start: Start, point: Point) -> None:
        outcome = self.protocol[me.role](me, self.system).start(start.command)
        point.cells[me] = (outcome.state, (), frozenset())
        self.settle(me, outcome, point)

    def settle(self, me: ProcessId, outcome: Any, point: Point) -> None:
        """The new state of `me`. What nobody shows is sent at once, unless order matters."""
        shown, owed = point.cells[me][2], []
        point.cells[me] = (outcome.state, (), shown)
        for to, message in outcome.sends:
            if isinstance(message, Start):
                if to not in point.cells:
                    self.create(to, message, point)
            elif self.header.ordered or self.records(me, message.kind):
                owed.append((to, message))
            else:
                self.put(point, me, to, message)
        point.cells[me] = (outcome.state, tuple(owed), point.cells[me][2])

    def send(self, event: Event, point: Point) -> Iterator[Point]:
        me = event.process
        local, owed, _ = point.cells.get(me, (None, (), None))
        for message in dict.fromkeys(message for _, message in owed):
            taken = [(to, each) for to, each in owed if each == message and (event.peers is None or to in event.peers)]
            if not taken or (event.peers is not None and len(taken) != len(set(event.peers))):
                continue
            results = self.fits(event, me, message, self.added(point, me, message), point)
            if results is None or not holds(event, local):
                continue
            rest = tuple(each for each in owed if each not in taken)
            shown = point.cells[me][2]
            after = point._replace(cells={**point.cells, me: (local, rest, shown)}, network=dict(point.network), results=results)
            for to, each in taken:
                self.put(after, me, to, each)
            yield after

    def ask(self, event: Event, point: Point) -> Iterator[Point]:
        """A client's request, to each replica once."""
        wanted: Any = event.message
        commands = self.commands if wanted.command is UNKNOWN else (wanted.command,)
        for command in commands:
            asked = {(to, command) for to in event.peers or self.system.replicas}
            if command.client != event.process or (self.header.requests == "once" and asked & point.requested):
                continue
            after = point._replace(network=dict(point.network), requested=point.requested | asked)
            for to, _ in asked:
                self.put(after, event.process, to, Request(command))
            yield after

    def added(self, point: Point, me: ProcessId, message: Any) -> Delta | None:
        return Delta(message.accepted - point.cells[me][2]) if isinstance(message, P1b) else None

    def put(self, point: Point, sender: ProcessId, to: ProcessId, message: Any) -> None:
        if to.role == CLIENT and not self.records(to, message.kind):
            return
        packet = (message, self.added(point, sender, message))
        if isinstance(message, P1b):
            point.cells[sender] = (*point.cells[sender][:2], message.accepted)
        self.network.put(point.network, sender, to, packet)

    # ---- receives ----

    def receive(self, event: Event, point: Point) -> Iterator[Point]:
        me = event.process
        if me.role != CLIENT and point.cells.get(me, (None, (1,), None))[1]:
            return
        for *packet, taken in self.arrivals(point, me, event):
            results = self.fits(event, *packet, taken)
            if results is None:
                continue
            known = taken._replace(results=results)
            if me.role == CLIENT:
                yield known
                continue
            if event.post is None and self.may_be_killed(me) and not isinstance(known.cells[me][0], Lifecycle):
                yield self.killed(known, me)
            yield from (after for after in self.deliver(known, me, packet[1]) if holds(event, after.cells[me][0]))

    def may_be_killed(self, me: ProcessId) -> bool:
        logged = dict(zip(self.log_names, self.logs, strict=True)).get(self.log_of(me), ())
        return self.header.restarts == "any" or any(each.action in (CRASH, RESTART) for each in logged)

    def killed(self, point: Point, me: ProcessId) -> Point:
        """The message is gone, and the process with it."""
        local, _, shown = point.cells[me]
        return point._replace(cells={**point.cells, me: (local, ((None, STUNNED),), shown)})

    def deliver(self, point: Point, me: ProcessId, message: Any) -> Iterator[Point]:
        local = point.cells[me][0]
        if isinstance(local, Lifecycle):
            yield point
            return
        for outcome in self.protocol[me.role](me, self.system).step(local, message):
            after = point._replace(cells=dict(point.cells), network=dict(point.network))
            self.settle(me, outcome, after)
            yield after

    def arrivals(self, point: Point, me: ProcessId, event: Event | None = None) -> Iterator[Any]:
        """All that may reach `me` now: (sender, message, what a p1b adds, the point after it has left the network)."""
        for sender, packet, rest in self.network.arriving(point.network, me):
            yield sender, *packet, point._replace(network=rest)
        if me.role == REPLICA:
            yield from self.open_requests(point, me, event)

    def open_requests(self, point: Point, me: ProcessId, event: Event | None) -> Iterator[Any]:
        """A client without a log has sent any request, to each replica once."""
        named: Any = getattr(event.message, "command", UNKNOWN) if event is not None else UNKNOWN
        for command in dict.fromkeys(self.commands if named is UNKNOWN else (*self.commands, named)):
            endless = self.header.duplicates or self.header.requests == "resent"
            if not self.records(command.client, "request") and (endless or (me, command) not in point.requested):
                used = point.requested if endless else point.requested | {(me, command)}
                yield command.client, Request(command), None, point._replace(requested=used)

    def losses(self, point: Point, me: ProcessId) -> Iterator[Any]:
        """As `arrivals`, of messages that get lost; what is before them in a queue stays."""
        if not self.header.loses:
            return
        for sender, packet, rest in self.network.losing(point.network, me):
            yield sender, *packet, point._replace(network=rest)
        if me.role == REPLICA:
            yield from self.open_requests(point, me, None)

    # ---- the rest ----

    def fault(self, event: Event, point: Point) -> Iterator[Point]:
        """A crash or a restart: whoever is logged there sends nothing more of its step."""
        hosted = [me for me in point.cells if self.log_of(me) == event.log]
        cells = {me: (local, () if me in hosted else owed, shown) for me, (local, owed, shown) in point.cells.items()}
        after = point._replace(cells=cells)
        if event.action == RESTART:
            after = self.restarted(after, event.process, hosted)
        if holds(event, after.cells.get(event.process, (None,))[0]):
            yield after

    def restarted(self, point: Point, process: ProcessId, hosted: Iterable[ProcessId]) -> Point:
        """The process comes back as its role says; what it had created is gone."""
        after = point._replace(cells=dict(point.cells), network=dict(point.network))
        for me in hosted:
            if me != process:
                after.cells[me] = (Lifecycle.EXITED, (), after.cells[me][2])
        if not isinstance(after.cells[process][0], Lifecycle):
            self.settle(process, self.protocol[process.role](process, self.system).restart(after.cells[process][0]), after)
        return after

    def spontaneous(self, point: Point, me: ProcessId) -> Iterator[Point]:
        """Restarts of processes that nobody logs, where the header allows for them; proposals of lazy replicas."""
        local, owed, _ = point.cells[me]
        role = self.protocol[me.role](me, self.system)
        for outcome in role.some(local) if isinstance(role, Lazy) and not owed and not isinstance(local, Lifecycle) else ():
            after = point._replace(cells=dict(point.cells), network=dict(point.network))
            self.settle(me, outcome, after)
            if not self.beyond(local, after.cells[me][0]):
                yield after
        silent = not any(self.records(me, kind) for kind in KINDS)
        if self.header.restarts == "any" and silent and me.role in (LEADER, REPLICA) and not isinstance(point.cells[me][0], Lifecycle):
            spawned = [each for each in point.cells if each.number == me.number and each.role in (SCOUT, COMMANDER)]
            after = self.restarted(point, me, spawned if me.role == LEADER else ())
            if after.cells != point.cells and not self.beyond(point.cells[me][0], after.cells[me][0]) and not self.crowded(after):
                yield after

    def fits(self, event: Event, sender: ProcessId, message: Any, added: Any, point: Point) -> frozenset[Any] | None:
        """Whether an event may show this message; then the results that are known with it."""
        pattern: Any = event.message
        if type(pattern) is not type(message) or (event.action != SEND and event.peers and event.peers[0] != sender):
            return None
        results = point.results
        for name in message.__dataclass_fields__:
            shown, actual = getattr(pattern, name), getattr(message, name)
            if shown is UNKNOWN:
                continue
            if isinstance(message, Response) and name == "result":
                if self.header.application == "log":
                    if str(shown) != str(actual):
                        return None
                elif dict(results).get(actual, shown) != shown:
                    return None
                else:
                    results |= {(actual, shown)}
            elif (added if isinstance(shown, Delta) else actual) != shown:
                return None
        return results


def holds(event: Event, local: Any) -> bool:
    if event.post is None:
        return True
    return local is not None and not isinstance(local, Lifecycle) and all(getattr(local, key) == value for key, value in event.post)
