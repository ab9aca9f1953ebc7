"""Fair runs that never end, in the compiled search: those components of the graph of open states (`checker.endless`) that are fair.

What is fair is said in `properties.progress`, and why components are enough in `checker.fair_cycles`. Each step of the graph takes two
actions, which are numbered here: its delivery, and a step of its process; the loss of a message takes none, and lies on no cycle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.endless import OUTSIDE, Expanded, Graph, graph_of
from pmmc_check.checker.fair_cycles import Edge, fair_way_around
from pmmc_check.checker.store import Store
from pmmc_check.checker.tables import Tables
from pmmc_check.model.faults import FaultStep

NumberedActions = NDArray[np.int32]
"""The two actions of each step of the tables, as numbers; `OUTSIDE` for a loss."""


def fair_run(noted: Expanded, tables: Tables, store: Store) -> tuple[int, list[int]] | None:
    """The fingerprint of a state, nearest to the initial one, and steps of the tables that lead around a fair cycle from it; None: there is
    no such cycle."""
    actions = _numbered(tables)
    lost = actions[noted.taken, 0] == OUTSIDE
    graph = graph_of(noted.states, noted.steps, np.where(lost, np.uint64(0), noted.successors))
    candidates = np.flatnonzero((graph.component != OUTSIDE) & ~np.isin(graph.component, starving(graph, noted.taken, actions)))
    if not len(candidates):
        return None
    levels = store.levels(noted.states[candidates])
    nearest = candidates[levels == levels.min()]
    start = int(nearest[np.argmin(noted.states[nearest])])

    def edges(state: int) -> list[Edge[int]]:
        found = []
        for at in range(int(graph.first[state]), int(graph.first[state + 1])):
            step = int(noted.taken[at])
            mine = frozenset(actions[step].tolist()) - {OUTSIDE}
            found.append(Edge(mine, int(graph.successors[at]), step))
        return found

    home = graph.component[start]
    around = fair_way_around(start, lambda state: state != OUTSIDE and graph.component[state] == home, edges)
    return int(noted.states[start]), [each.how for each in around]


def _numbered(tables: Tables) -> NumberedActions:
    """The actions of every step. Steps stand for single deliveries: deferral is off."""
    processes = len(tables.model.processes)
    numbers: dict[tuple[Any, ...], int] = {}
    actions = np.full((tables.step_view.size, 2), OUTSIDE, np.int32)
    owners = tables.owner.data[tables.step_view.data[: tables.step_view.size]]
    for step, (process, path) in enumerate(zip(owners.tolist(), tables.paths, strict=True)):
        (delivery,) = path.deliveries
        if not isinstance(tables.locals.messages[delivery.message], FaultStep):
            key = (process, delivery.message, delivery.sender)
            actions[step] = processes + numbers.setdefault(key, len(numbers)), process
    return actions


def starving(graph: Graph, taken: NDArray[np.int32], actions: NumberedActions) -> NDArray[np.int32]:
    """The components in which no fair run can stay: an action is possible in each of their states, and no step within takes it."""
    count = 1 + int(actions.max(initial=OUTSIDE))
    sources = np.repeat(np.arange(len(graph.component)), np.diff(graph.first))
    home = graph.component[sources]
    on_cycle = home != OUTSIDE
    sources, home, target = sources[on_cycle], home[on_cycle].astype(np.int64), graph.successors[on_cycle]
    takes = actions[taken[on_cycle]]
    within = (target != OUTSIDE) & (graph.component[target] == home)
    demands = takes[:, 0] != OUTSIDE
    at_states = [np.unique(sources[demands].astype(np.int64) * count + takes[demands, which]) for which in (0, 1)]
    possible, states = np.unique(
        np.concatenate([graph.component[each // count].astype(np.int64) * count + each % count for each in at_states]), return_counts=True
    )
    taken_within = np.concatenate([home[within & demands] * count + takes[within & demands, which] for which in (0, 1)])
    sizes = np.bincount(graph.component[graph.component != OUTSIDE], minlength=len(graph.component))
    starved = possible[(states == sizes[possible // count]) & ~np.isin(possible, taken_within)]
    return np.unique(starved // count).astype(np.int32)
