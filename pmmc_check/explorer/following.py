"""Follows a recorded run in the model, event by event, as far as the model can go.

The run is carried out in the order of the trace where that is possible; another log's event goes first where it must. What no log
shows (a leader's own calls, the steps of processes without a log) is looked for: a shortest way, within limits, to where the next event
can happen."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pmmc_check.explorer.session import Choice, Visit
from pmmc_check.model.faults import Crash, Drop, FaultStep, Restart
from pmmc_check.model.model import View
from pmmc_check.protocol.messages import Instant, Message, Start
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, SCOUT, ProcessId
from pmmc_check.trace.events import CRASH, DROP, RECEIVE, RESTART, SEND, UNKNOWN, Delta, Event, Header, Names, Perform

UNSEEN_STATES_MAX = 1_000
"""So many states are looked at for steps that no log shows, before an event."""


class Sent(NamedTuple):
    """A message that a process has sent and no event has shown yet."""

    process: ProcessId
    to: ProcessId
    message: Message


@dataclass(frozen=True)
class Followed:
    """How far a recorded run could be followed: the state there, how many events were carried out, and the first that was not."""

    node: Visit
    events: int
    stopped: Event | Perform | None = None


class _Position(NamedTuple):
    """A state on the way, and what was sent and not shown there."""

    node: Visit
    unshown: tuple[Sent, ...]


@dataclass(frozen=True)
class _Focus:
    """Steps that are about no other ballot, slot or command than these, and of no other acceptor than these, where some are given."""

    about: Mapping[str, Any] = field(default_factory=dict)
    acceptors: frozenset[ProcessId] = frozenset()

    def has(self, choice: Choice) -> bool:
        """Whether a step is one of them."""
        process, message = choice.step.process, choice.step.message
        if process.role in (SCOUT, COMMANDER) and process.ballot != self.about.get("ballot", process.ballot):
            return False
        if self.acceptors and process.role == ACCEPTOR and process not in self.acceptors:
            return False
        return all(getattr(message, name, value) == value for name, value in self.about.items())


def followed(root: Visit, header: Header, names: Names, events: Sequence[Event | Perform]) -> Followed:
    """Follows `events` from the start. What a replica says that it performed is no step: it must be so in the state that is reached."""
    return _Follower(root, header, names, events).run()


class _Follower:
    def __init__(self, root: Visit, header: Header, names: Names, events: Sequence[Event | Perform]) -> None:
        self.header, self.names, self.model = header, names, root.subject.model
        self.position = _Position(root, tuple(self._at_the_start()))
        self.logs: dict[str, deque[tuple[int, Event | Perform]]] = {}
        for order, event in enumerate(events):
            self.logs.setdefault(event.log, deque()).append((order, event))
        self.done = 0
        self._next_sends = _sends_that_follow(events)

    def _at_the_start(self) -> Iterator[Sent]:
        for process in self.model.processes:
            if process.role not in (SCOUT, COMMANDER):
                yield from self._sends(process, self.model.started(process, Start()))

    def _sends(self, process: ProcessId, outcome: Outcome) -> Iterator[Sent]:
        for to, sender, message in self.model.items(process, outcome.sends):
            if not isinstance(message, Instant):
                yield Sent(sender, to, message)

    def run(self) -> Followed:
        """As far as it goes."""
        while heads := sorted(log[0] for log in self.logs.values() if log):
            advanced = self._advanced(heads) or self._by_unseen_steps(heads)
            if advanced is None:
                return Followed(self.position.node, self.done, heads[0][1])
            self.position, event = advanced
            self.logs[event.log].popleft()
            self.done += 1
        return Followed(self.position.node, self.done)

    def _advanced(self, heads: _Heads, at: _Position | None = None) -> tuple[_Position, Event | Perform] | None:
        """The first of the next events that can happen now."""
        for _, event in heads:
            after = self._after(at or self.position, event)
            if after is not None:
                return after, event
        return None

    def _by_unseen_steps(self, heads: _Heads) -> tuple[_Position, Event | Perform] | None:
        """A shortest way, by steps that no log shows, to where one of the next events can happen: for each of them first by steps that
        have to do with it, then by any."""
        for head in heads:
            for focus in self._focuses(head[1]):
                if (found := self._searched([head], focus)) is not None:
                    return found
        return self._searched(heads, _Focus())

    def _focuses(self, event: Event | Perform) -> Iterator[_Focus]:
        """Which steps to look at for an event: those about what it names; and, where it names no ballot, those of one leader's ballot and
        one quorum, leader by leader, since what the others do meanwhile is most of what there is."""
        about = _about(event)
        yield _Focus(about)
        if "ballot" in about:
            return
        silent = [each for each in self.model.system.acceptors if not self.header.contract(self._log(each)).kinds]
        quorum = frozenset(silent[: max(self.model.config.quorums)])
        for leader in self.model.system.leaders:
            ballot = getattr(self.position.node.state[self.model.index[leader]].state, "ballot", None)
            if ballot is not None:
                yield _Focus({**about, "ballot": ballot}, quorum)

    def _searched(self, heads: _Heads, focus: _Focus) -> tuple[_Position, Event | Perform] | None:
        pending, known, looked_at = deque([self.position]), {self.position.node.state}, 0
        while pending and looked_at < UNSEEN_STATES_MAX:
            position = pending.popleft()
            for choice in position.node.choices:
                if choice.after in known or not self._unseen(choice) or not focus.has(choice):
                    continue
                known.add(choice.after)
                looked_at += 1
                following = self._taken(position, choice)
                if (found := self._advanced(heads, following)) is not None:
                    return found
                pending.append(following)
        return None

    def _unseen(self, choice: Choice) -> bool:
        """Whether the logs would not show a step."""
        message = choice.step.message
        if isinstance(message, FaultStep):
            return False
        contract = self.header.contract(self._log(choice.step.process))
        return not contract.records(message.kind)

    def _log(self, process: ProcessId) -> str:
        own = self.names.name_of.get(process)
        return own if own is not None else self.names.log_of(process) if process.role in (SCOUT, COMMANDER) else str(process)

    def _taken(self, position: _Position, choice: Choice) -> _Position:
        node = position.node.child(choice)
        return _Position(node, (*position.unshown, *self._sends(choice.step.process, choice.step.outcome)))

    def _after(self, position: _Position, event: Event | Perform) -> _Position | None:
        """The position after an event; None where it cannot happen now."""
        if isinstance(event, Perform):
            return position if self._has_performed(position, event) else None
        if event.action == SEND:
            return self._sent(position, event)
        if event.action == RECEIVE:
            return self._received(position, event)
        step = {CRASH: Crash(), RESTART: Restart()}.get(event.action)
        if event.action == DROP and self.model.network.may_lose:
            fitting = (c for c in position.node.choices if isinstance(c.step.message, Drop) and c.step.process == event.process)
            choice = next((c for c in fitting if fits(event.message, c.step.message.message)), None)  # type: ignore[attr-defined]
            return self._taken(position, choice) if choice else None
        if step is None:  # an end, or a loss that is none in this network
            return position
        choice = next((c for c in position.node.choices if (c.step.process, c.step.message) == (event.process, step)), None)
        return self._taken(position, choice) if choice else None

    def _has_performed(self, position: _Position, item: Perform) -> bool:
        """Whether a replica has performed that command in that slot."""
        index = self.model.index.get(item.process)
        state = None if index is None else position.node.state[index].state
        if state is None or isinstance(state, Crashed | Lifecycle):
            return False
        return item.slot < state.slot_out and any(item.command in (UNKNOWN, each) for each in state.decided_in(item.slot))

    def _sent(self, position: _Position, event: Event) -> _Position | None:
        """The sends that an event shows are those of a step that was taken."""
        fitting = [each for each in position.unshown if each.process == event.process and fits(event.message, each.message)]
        if event.peers is not None:
            fitting = [each for each in fitting if each.to in event.peers]
        if not fitting or (event.peers is not None and len({each.to for each in fitting}) < len(set(event.peers))):
            return None
        shown = [each for each in fitting if each.message == fitting[0].message]
        rest = list(position.unshown)
        for each in {each.to: each for each in shown}.values():
            rest.remove(each)
        return _Position(position.node, tuple(rest))

    def _received(self, position: _Position, event: Event) -> _Position | None:
        node, index = position.node, self.model.index.get(event.process)
        if index is None:
            return None
        view = node.state[index]
        fitting = [
            each for each in node.choices
            if each.step.process == event.process and not each.is_fault and fits(event.message, each.step.message)
        ]  # fmt: skip
        if fitting:
            wanted = self._next_sends.get(event.at, ())
            found = max(fitting, key=lambda each: _agreement(each, wanted)) if len(fitting) > 1 else fitting[0]
            return self._taken(position, found) if self._shows(event, found.step.outcome.state) else None
        if isinstance(view.state, Crashed) or view.state is Lifecycle.NOT_STARTED or not self._shows(event, view.state):
            return None
        return self._without_effect(position, event, view)

    def _without_effect(self, position: _Position, event: Event, view: View) -> _Position | None:
        """A receive that is no step of the model, since nothing changes; what it sends is on its way already, and is recorded again."""
        there = (message for message, _ in self.model.network.contents(view.inbox))
        message = next((each for each in there if fits(event.message, each)), None)
        if message is None:
            return None
        sends = self._sends(event.process, self.model.outcomes(event.process, view.state, message)[0])
        return _Position(position.node, (*position.unshown, *sends))

    @staticmethod
    def _shows(event: Event, state: Any) -> bool:
        """Whether a state is as it was recorded after the event."""
        if event.post is None:
            return True
        return not isinstance(state, Lifecycle) and all(getattr(state, name, value) == value for name, value in event.post)


_TOLD = ("ballot", "slot", "command")
_Heads = Sequence[tuple[int, Event | Perform]]
"""The next event of each log, with its place in the trace."""


def _about(event: Event | Perform) -> dict[str, Any]:
    """The ballot, slot and command that an event is about, as far as it says."""
    if isinstance(event, Perform):
        return {"slot": event.slot} | ({} if event.command is UNKNOWN else {"command": event.command})
    found = {name: getattr(event.message, name, UNKNOWN) for name in _TOLD}
    if event.process.role in (SCOUT, COMMANDER):
        found["ballot"] = event.process.ballot
    peer = event.peers[0] if event.peers else None
    if peer is not None and peer.role in (SCOUT, COMMANDER):
        found["ballot"] = peer.ballot
        found["slot"] = peer.slot or UNKNOWN
    return {name: value for name, value in found.items() if value is not UNKNOWN}


def fits(recorded: Any, message: Any) -> bool:
    """Whether a recorded message may be `message`. A result is not compared; a set that was recorded as what was added must be in it."""
    if type(recorded) is not type(message):
        return False
    for name in message.__dataclass_fields__:
        want, is_ = getattr(recorded, name), getattr(message, name)
        if want is UNKNOWN or name == "result" or (type(want) is Delta and frozenset(want) <= is_):
            continue
        if want != is_:
            return False
    return True


def _sends_that_follow(events: Sequence[Event | Perform]) -> dict[tuple[str, int], tuple[Message, ...]]:
    """For each receive, by its place, what its process is recorded to send until its next one."""
    found: dict[tuple[str, int], tuple[Message, ...]] = {}
    last: dict[ProcessId, tuple[str, int]] = {}
    for event in events:
        if isinstance(event, Perform):
            continue
        if event.action == RECEIVE:
            last[event.process] = event.at
            found[event.at] = ()
        elif event.action == SEND and event.process in last and event.message is not None:
            found[last[event.process]] += (event.message,)
    return found


def _agreement(choice: Choice, wanted: Sequence[Message]) -> int:
    """How many of the recorded sends a step makes."""
    sent = [message for _, message in choice.step.outcome.sends]
    return sum(any(fits(each, message) for message in sent) for each in wanted)
