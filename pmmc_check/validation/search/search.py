"""Searches for a run that matches logs with gaps; the search is bounded, and its verdicts are exact.

The moves are those of `completion.py`. Two things keep the search small:

- **Forced steps**: a send that a log shows next, a restart after a crash, and, for a process all of whose receives are recorded, a crash
  and a receive that leaves nothing open. They are taken at once and never undone. That is sound because they commute with every move of
  every other process: a send only adds to what is in flight, a receive takes a copy that nobody else can take, and the process itself has
  no other move. (A crash of a process that may take unrecorded steps has to wait: it may come in the middle of one.)
- **Order**: all other moves are tried depth first, logged events before unrecorded steps, and unrecorded steps by how much they seem to
  lead to what the logs wait for. The order cannot change a verdict, only the time that it takes; no point is visited twice.

`accepted` means that a complete run was found, made of the protocol's own steps, and `rejected` that all runs were tried and nothing was
cut off. Otherwise the verdict is `inconclusive`: a budget ran out, or a bound (ballots, slots, requests of clients without a log) cut off
unrecorded steps that might have mattered.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.messages import Propose
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.protocol.values import LEADER, REPLICA, ProcessId
from pmmc_check.trace.events import COMPLETE, CRASH, DROP, END, RECEIVE, RESTART, SEND, Delta, Event, Header, Names
from pmmc_check.trace.matching import undetermined
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.citation import place_of
from pmmc_check.validation.lazy_replica import LazyReplica
from pmmc_check.validation.memory_limit import MemoryLimit
from pmmc_check.validation.promises import Promises
from pmmc_check.validation.search.bounds import unspoken
from pmmc_check.validation.search.completion import Completion
from pmmc_check.validation.search.relevance import Relevance
from pmmc_check.validation.search.steps import Point
from pmmc_check.validation.verdict import Failure
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED
from pmmc_check.words import counted


@dataclass(frozen=True)
class SearchBudget:
    """When to give up."""

    states_max: int = 20_000
    seconds_max: float = 20.0


@dataclass(frozen=True)
class Answer:
    """What the search found."""

    verdict: str
    states: int
    reason: str = ""
    failure: Failure | None = None
    stuck: tuple[str, ...] = ()
    """The logs that did not get to their ends in the run that got furthest."""


class TraceSearch:
    """One search over the completions of one trace."""

    def __init__(
        self,
        header: Header,
        names: Names,
        events: Sequence[Event],
        budget: SearchBudget,
        protocol: Protocol = PMMC,
        *,
        memory: MemoryLimit | None = None,
    ) -> None:
        self.memory = memory or MemoryLimit()
        self.arguments = (Promises(header, names), events, protocol)
        self.system = Completion(*self.arguments)
        self.budget = budget
        self.writer = DslWriter(Values(names))
        self.relevance = Relevance(self.system)
        self.whole = {process for name, process in names.process_of.items() if header.contract(name).form == COMPLETE}
        self.named = {(e.process, e.message.kind) for e in events if e.action in (RECEIVE, DROP) and e.message and e.peers}
        self.visited: set[Point] = set()
        self.furthest: Point | None = None
        self.stop_at = 0.0

    def run(self) -> Answer:
        """Searches with the requests that the trace mentions; if no run is found, also with others that nobody may have recorded."""
        self.stop_at = time.monotonic() + self.budget.seconds_max
        promises, events, _ = self.arguments
        for others in unspoken(promises, events):
            if others:
                self.system = Completion(*self.arguments, others)
                self.relevance = Relevance(self.system)
                self.visited.clear()
            answer = self._search()
            if answer is not None:
                return answer
        return self._refuted()

    def _search(self) -> Answer | None:
        """Searches from the start; None if no point completes the logs."""
        stack: list[Iterator[Point]] = [iter((self.system.start(),))]
        while stack:
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
                continue
            node = self._forced(node)
            if node in self.visited:
                continue
            self.visited.add(node)
            if self.furthest is None or sum(node.positions) > sum(self.furthest.positions):
                self.furthest = node
            if self.system.complete(node):
                return Answer(ACCEPTED, len(self.visited))
            if reason := self._exhausted():
                return Answer(INCONCLUSIVE, len(self.visited), reason)
            stack.append(self._moves(node))
        return self._late()

    def _exhausted(self) -> str:
        states = len(self.visited)
        self.memory.check()
        if states >= self.budget.states_max:
            return f"the search stopped after {counted(states, 'state')} (--search-states)"
        if time.monotonic() > self.stop_at:
            return (
                f"the search stopped after {counted(self.budget.seconds_max, 'second')} (--search-seconds), at {counted(states, 'state')}"
            )
        return ""

    def _late(self) -> Answer | None:
        """When time runs out, some moves are left out, so a search that finds nothing has refuted nothing."""
        reason = self._exhausted()
        return Answer(INCONCLUSIVE, len(self.visited), reason) if reason else None

    def _forced(self, node: Point) -> Point:
        """Takes forced steps until there are none."""
        moved = True
        while moved and time.monotonic() < self.stop_at:
            moved = False
            for index in range(len(node.positions)):
                while (event := self.system.next_event(node, index)) is not None and self._may_be_forced(event, node, index):
                    after = self.system.take(node, index)
                    if len(after) != 1:
                        break
                    node, moved = after[0], True
        return node

    def _may_be_forced(self, event: Event, node: Point, index: int) -> bool:
        """Whether nothing that may happen meanwhile could make this event happen otherwise."""
        if event.action == SEND and type(event.message) is Propose and issubclass(self.system.steps.protocol[REPLICA], LazyReplica):
            return self.system.promises.shows_all_receives(event.process)  # else what it has learned unseen may come before
        if event.action in (SEND, END):
            return True
        if event.process.role == LEADER and self.system.header.ballots == "any":
            return False
        if event.action == RECEIVE:
            return self.system.promises.shows_all_receives(event.process) and not self._leaves_open(event)
        if event.action in (CRASH, RESTART):
            return event.process in self.whole or (event.action == RESTART and self._last(node, index) == CRASH)
        return False

    def _last(self, node: Point, index: int) -> str | None:
        """The action of the latest matched event of a log."""
        position = node.positions[index]
        return self.system.logs[index][position - 1].action if position else None

    def _leaves_open(self, event: Event) -> bool:
        """Whether a receive may stand for one of several packets, of which a later event needs a certain one."""
        message: Any = event.message
        if undetermined(message) or isinstance(getattr(message, "accepted", None), Delta):
            return True
        return event.peers is None and (self.system.header.ordered or (event.process, message.kind) in self.named)

    def _moves(self, node: Point) -> Iterator[Point]:
        """The next points: by logged events first, then by unrecorded steps, the most promising first."""
        for index in range(len(node.positions)):
            if self.system.next_event(node, index) is not None:
                yield from self.system.take(node, index)
        steps = list(takewhile(lambda _: time.monotonic() < self.stop_at, self.system.unrecorded(node)))
        steps.sort(key=self.relevance.of(node), reverse=True)
        for _, _, after in steps:
            yield after

    def _refuted(self) -> Answer:
        reasons = sorted(self.system.bounded)
        if reasons:
            return Answer(INCONCLUSIVE, len(self.visited), "no matching run was found, but " + "; ".join(reasons))
        return Answer(REJECTED, len(self.visited), failure=self._failure(), stuck=tuple(event.log for event in self._stuck()))

    def _stuck(self) -> list[Event]:
        """Where the logs stand in the run that got furthest: what none of the others will send comes first, then by place."""
        node = self.furthest
        assert node is not None, "the initial point is visited"
        heads = [event for index in range(len(node.positions)) if (event := self.system.next_event(node, index)) is not None]
        left = [event for index, log in enumerate(self.system.logs) for event in log[node.positions[index] :]]
        coming = [(event.message, event.peers) for event in left if event.action == SEND]

        def waits(event: Event) -> bool:
            sends = (peers for message, peers in coming if message == event.message)
            return event.action == RECEIVE and any(peers is None or event.process in peers for peers in sends)

        return sorted(heads, key=lambda event: (waits(event), event.at))

    def _failure(self) -> Failure:
        """The first log event that no completion gets past, in the run that got furthest."""
        node = self.furthest
        assert node is not None, "the initial point is visited"
        stuck = self._stuck()
        if not stuck:
            last = self.system.logs[0][-1]
            return Failure(
                place_of(last, self.writer),
                "a log that ended in good order shows whole steps",
                "the sends of the last step",
                "the end of the log",
            )
        event = stuck[0]
        others = tuple(place_of(each, self.writer) for each in stuck[1:6])
        return Failure(
            at=place_of(event, self.writer),
            rule="some run of the protocol, with unrecorded steps filled in, shows these logs",
            expected="a way to fill in the gaps so that this event can happen",
            observed=f"all {len(self.visited):,} reachable points were tried; none gets past this event",
            state=self._state(node, event.process),
            enabled=tuple(f"also waiting: {place.file}:{place.line}: {place.text}" for place in others),
        )

    def _state(self, node: Point, process: ProcessId) -> str:
        cell: Any = dict(node.cells).get(process)
        show = self.writer.values.show
        if cell is None:
            return f"{show(process)} does not exist yet"
        if isinstance(cell.state, Lifecycle):
            return f"{show(process)} has exited"
        if process.role == LEADER:
            return f"{show(process)}: ballot={show(cell.state.ballot)}, active={show(cell.state.active)}"
        shown = [f"{key}={show(getattr(cell.state, key))}" for key in ("ballot", "slot_in", "slot_out") if hasattr(cell.state, key)]
        return f"{show(process)}: {', '.join(shown)}"
