"""Runs that never end, in the compiled search: cycles in the graph of the states in which something is left to decide.

While the search expands states, their steps are noted as fingerprints: 8 bytes a step and 12 a state. When it has come to its
end, states are numbered, and Tarjan's algorithm (1972; without recursion) finds those that lie on cycles. Of these the ones nearest to the
initial state are taken, and among all cycles through them a shortest: with and without reductions the run has the same length.

The reference search does the same plainly (`checker.cycles`)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.compilation import kernel, uint64
from pmmc_check.checker.growing import Growing
from pmmc_check.checker.kernel import Candidates
from pmmc_check.checker.store import Store
from pmmc_check.checker.tables import Tables, ViewId
from pmmc_check.checker.workspace import Vectors
from pmmc_check.model.content import Digest
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.progress import Progress

Fingerprints = NDArray[np.uint64]
OUTSIDE = -1
"""In the place of a state's number or component: it is none of the graph's, or lies on no cycle."""


class Expanded(NamedTuple):
    """Some states of the graph: their fingerprints, how many steps each has, where these lead, and, for fairness, which they are."""

    states: Fingerprints
    steps: NDArray[np.int64]
    successors: Fingerprints
    taken: NDArray[np.int32]


class Graph(NamedTuple):
    """The steps of state s lead to `successors[first[s]:first[s + 1]]`; states that can reach each other have one `component`."""

    first: NDArray[np.int64]
    successors: NDArray[np.int32]
    component: NDArray[np.int32]


class OpenStates:
    """The states in which something is left to decide, and their steps.

    What is left depends on what each process shows, and distinct combinations of that are few: each is judged once, and recognised
    by a sum of digests, one for each view."""

    def __init__(self, tables: Tables, checks: Checks) -> None:
        self._tables = tables
        self._checks = checks
        self._content = Digest()
        self._shown = Growing(np.uint64)
        self._judged: dict[int, bool] = {}
        self._fair = checks.progress is not None and checks.progress.fair
        self._expanded: list[Expanded] = []
        self._open: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def begin(self, vectors: Vectors) -> None:
        """Judges the states of a batch that is to be expanded."""
        for view in range(self._shown.size, len(self._tables.views)):
            self._shown.append(self._content.of(self._seen(view))[0])
        sums = np.zeros(len(vectors), np.uint64)
        for column in vectors.T:
            sums += self._shown.data[column]
        distinct, first, which = np.unique(sums, return_index=True, return_inverse=True)
        self._open = np.array([self._judge(key, vectors[row]) for key, row in zip(distinct.tolist(), first, strict=True)])[which]

    def add(self, chunk: slice, fingerprints: Fingerprints, found: Candidates, count: int) -> None:
        """Notes the steps of the batch's states in `chunk`: `found` holds `count`, sorted by state; `fingerprints` are the batch's own."""
        mine, states = self._open[chunk], fingerprints[chunk]
        parents = found.parent[:count] - chunk.start
        steps = np.bincount(parents, minlength=len(mine))
        taken = found.step[:count][mine[parents]] if self._fair else np.empty(0, np.int32)
        self._expanded.append(Expanded(states[mine], steps[mine], found.fingerprint[:count][mine[parents]], taken))

    def noted(self) -> Expanded:
        """All of the graph; what it is made of is let go."""
        everything = Expanded(*(np.concatenate(parts) for parts in zip(*self._expanded, strict=True)))
        self._expanded.clear()
        return everything

    def so_far(self) -> Expanded:
        """All that was noted by now; it stays here, too."""
        nothing = Expanded(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.int32))
        everything = Expanded(*(np.concatenate(parts) for parts in zip(nothing, *self._expanded, strict=True)))
        self._expanded = [everything]
        return everything

    def note(self, before: Expanded) -> None:
        """Takes in what an earlier part of the search has noted."""
        self._expanded.append(before)

    def cycle(self, store: Store) -> list[int] | None:
        """The fingerprints of the states of a cycle, in order, or None when there is none."""
        states, steps, leads_to, _ = self.noted()
        graph = graph_of(states, steps, leads_to)
        on_cycles = np.flatnonzero(graph.component != OUTSIDE)
        if not len(on_cycles):
            return None
        levels = store.levels(states[on_cycles])
        nearest = on_cycles[levels == levels.min()]
        return [int(states[each]) for each in shortest(nearest[np.argsort(states[nearest])], graph)]

    def _judge(self, key: int, vector: NDArray[np.int32]) -> bool:
        if key not in self._judged:
            left = self._checks.left(self._tables.local_states(vector.tolist()), self._tables.all_facts(vector.tolist()))
            self._judged[key] = left is not None
        return self._judged[key]

    def _seen(self, view: ViewId) -> Hashable:
        """All of a view on which it depends whether something is left."""
        state = self._tables.views[view].state
        process, _ = self._tables.locals.states[state]
        facts = frozenset(fact for fact in self._tables.facts(view) if fact.kind in Progress.observes)
        return (process, facts, self._tables.locals.exited[state])


def graph_of(states: Fingerprints, steps: NDArray[np.int64], leads_to: Fingerprints) -> Graph:
    """The graph in which each of `states` has so many `steps`, which lead to these fingerprints, one after the other."""
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum(steps)])
    graph = Graph(first, np.empty(len(leads_to), np.int32), np.full(len(states), OUTSIDE, np.int32))
    number(states, leads_to, np.zeros(1 << (2 * len(states)).bit_length(), np.int32), graph.successors)
    components(graph)
    return graph


def shortest(nearest: NDArray[np.int64], graph: Graph) -> list[int]:
    """A shortest cycle among those through one of the states `nearest`, as numbers of states that begin with that one."""
    states = len(graph.component)
    origin, queue = np.empty(states, np.int32), np.empty(states, np.int32)
    best, length = int(nearest[0]), states + 1
    for start in nearest.tolist():
        steps = way_around(graph, start, length - 1, origin, queue)
        if steps:
            best, length = start, steps
    way_around(graph, best, length, origin, queue)
    cycle = [best]
    while len(cycle) < length:
        cycle.append(int(origin[cycle[-1]]))
    return [best, *reversed(cycle[1:])]


@kernel
def number(states: Any, leads_to: Any, places: Any, successors: Any) -> None:
    """Replaces fingerprints by the numbers of their states; `places` is an open-addressing table, empty where 0."""
    mask = uint64(len(places) - 1)
    for state in range(len(states)):
        place = states[state] & mask
        while places[place] != 0:
            place = (place + uint64(1)) & mask
        places[place] = state + 1
    for step in range(len(leads_to)):
        place = leads_to[step] & mask
        while places[place] != 0 and states[places[place] - 1] != leads_to[step]:
            place = (place + uint64(1)) & mask
        successors[step] = places[place] - 1


@kernel
def components(graph: Graph) -> None:
    """Finds the components: states that can reach each other, where these are several or one that leads to itself.

    `order` counts the states as they are met, 0 being not yet; `low` is the least order that a state is known to lead back to, and
    larger than any when its component is complete."""
    first, successors, component = graph
    states = len(component)
    order, low, at = np.zeros(states, np.int32), np.zeros(states, np.int32), np.zeros(states, np.int64)
    path, waiting = np.empty(states, np.int32), np.empty(states, np.int32)
    met = n_waiting = 0
    for root in range(states):
        path[0] = root
        depth = 1 if order[root] == 0 else 0
        while depth > 0:
            state = path[depth - 1]
            if order[state] == 0:
                met += 1
                order[state] = low[state] = met
                at[state] = first[state]
                waiting[n_waiting] = state
                n_waiting += 1
            if at[state] < first[state + 1]:
                after = successors[at[state]]
                if after != OUTSIDE and order[after] == 0:
                    path[depth] = after
                    depth += 1
                    continue  # this step is looked at again when `after` is known
                if after != OUTSIDE:
                    low[state] = min(low[state], low[after])
                if after == state:
                    component[state] = state
                at[state] += 1
                continue
            depth -= 1
            if low[state] == order[state]:
                n_waiting = completed(state, waiting, n_waiting, low, component)


@kernel
def completed(state: Any, waiting: Any, n_waiting: Any, low: Any, component: Any) -> Any:
    """Takes the component that was met first in `state` out of what is `waiting`; returns how many are left."""
    several = waiting[n_waiting - 1] != state
    while True:
        n_waiting -= 1
        member = waiting[n_waiting]
        low[member] = len(low) + 1
        if several:
            component[member] = state
        if member == state:
            return n_waiting


@kernel
def way_around(graph: Graph, start: Any, longest: Any, origin: Any, queue: Any) -> Any:
    """The length of a shortest cycle through `start`, or 0 when it is longer than `longest`; `origin` then leads back from `start`
    around it."""
    first, successors, component = graph
    for state in range(len(origin)):
        origin[state] = OUTSIDE
    queue[0] = start
    begin, end = 0, 1
    for steps in range(1, longest + 1):
        layer = end
        while begin < layer:
            state = queue[begin]
            begin += 1
            for step in range(first[state], first[state + 1]):
                after = successors[step]
                if after == OUTSIDE or component[after] != component[start] or origin[after] != OUTSIDE:
                    continue
                origin[after] = state
                if after == start:
                    return steps
                queue[end] = after
                end += 1
    return 0
