"""Fair cycles: what makes a strongly connected component one in which a fair run can stay, and a way around it that is fair.

What is fair is said in `properties.progress`. A component is fair if each action that is possible in all of its states is taken by some
step within it: then a way around that makes all such steps, and comes by a state without each other action, keeps nobody waiting. Since
each condition stays true when a component grows, only the greatest components need be looked at.

Plain, for the reference search, which also finds components here; the compiled search has kernels of its own for that (`checker.fairness`)
and takes only the way around."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple

from pmmc_check.checker.cycles import Node
from pmmc_check.model.faults import FaultStep
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import ProcessId

Actions = frozenset[Hashable]


class Edge(NamedTuple, Generic[Node]):
    """A step: the actions that it takes, and where it leads; `how` is whatever the caller knows it by."""

    actions: Actions
    after: Node
    how: Any


Edges = Callable[[Node], Sequence[Edge[Node]]]


def actions_of(process: ProcessId, message: Message, sender: ProcessId | None) -> Actions:
    """The actions that a delivery takes: itself, and a step of its process. A loss is none: nothing demands it."""
    return frozenset() if isinstance(message, FaultStep) else frozenset({(process, message, sender), process})


def possible(edges: Iterable[Edge[Any]]) -> Actions:
    """The actions that some step of a state takes."""
    return frozenset().union(*(each.actions for each in edges))


def is_fair(component: Collection[Node], edges: Edges[Node]) -> bool:
    """Whether a run can stay in `component`, and is fair."""
    always = frozenset.intersection(*(possible(edges(each)) for each in component))
    inner = [each for node in component for each in edges(node) if each.actions and each.after in component]
    return bool(inner) and always <= possible(inner)


def components_of(nodes: Iterable[Node], edges: Edges[Node]) -> Iterator[set[Node]]:
    """The strongly connected components of `nodes`, by edges that take an action (Tarjan 1972, without recursion)."""
    order: dict[Node, int] = {}
    low: dict[Node, int] = {}
    waiting: list[Node] = []
    path: list[tuple[Node, Iterator[Edge[Node]]]] = []

    def enter(node: Node) -> None:
        order[node] = low[node] = len(order)
        waiting.append(node)
        path.append((node, iter(edges(node))))

    complete: set[Node] = set()
    for start in nodes:
        if start not in order:
            enter(start)
        while path:
            node, following = path[-1]
            fresh = next((each.after for each in following if each.actions and _noted(node, each.after, order, low, complete)), None)
            if fresh is not None:
                enter(fresh)
                continue
            path.pop()
            if path:
                low[path[-1][0]] = min(low[path[-1][0]], low[node])
            if low[node] == order[node]:
                found = set[Node]()
                while node not in found:
                    found.add(waiting.pop())
                complete |= found
                yield found


def _noted(node: Node, after: Node, order: dict[Node, int], low: dict[Node, int], complete: Collection[Node]) -> bool:
    """Whether `after` is met for the first time; else what is known of it is noted."""
    if after not in order:
        return True
    if after not in complete:
        low[node] = min(low[node], order[after])
    return False


def fair_way_around(start: Node, inside: Callable[[Node], bool], edges: Edges[Node]) -> list[Edge[Node]]:
    """A fair cycle from `start` within its component, which is fair: on to the nearest step or state that an action still waits for."""
    left, here, walk = possible(edges(start)), start, list[Edge[Node]]()

    def helps(edge: Edge[Node]) -> bool:
        return not left.isdisjoint(edge.actions) or not left <= possible(edges(edge.after))

    while left:
        for edge in _nearest(here, helps, inside, edges):
            walk.append(edge)
            left = (left - edge.actions) & possible(edges(edge.after))
            here = edge.after
    return walk if here == start else walk + _nearest(here, lambda edge: edge.after == start, inside, edges)


def _nearest(here: Node, goal: Callable[[Edge[Node]], bool], inside: Callable[[Node], bool], edges: Edges[Node]) -> list[Edge[Node]]:
    """A shortest way to, and with, a step that is a `goal`."""
    origin: dict[Node, tuple[Node, Edge[Node]] | None] = {here: None}
    queue = [here]
    for node in queue:
        for edge in edges(node):
            if not edge.actions or not inside(edge.after):
                continue
            if goal(edge):
                return [*_back(node, origin), edge]
            if edge.after not in origin:
                origin[edge.after] = (node, edge)
                queue.append(edge.after)
    raise AssertionError("in a fair component all that an action waits for can be reached")


def _back(node: Node, origin: dict[Node, tuple[Node, Edge[Node]] | None]) -> list[Edge[Node]]:
    way: list[Edge[Node]] = []
    while (came := origin[node]) is not None:
        node, edge = came
        way.append(edge)
    return way[::-1]
