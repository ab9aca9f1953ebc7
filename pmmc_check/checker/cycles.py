"""Looks for a run that never ends: a cycle among the states in which something is left to decide.

A plain depth-first search, for the reference search; the compiled search has its own (`checker.endless`)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def find_cycle(start: Node, successors: Callable[[Node], Iterable[Node]]) -> list[Node] | None:
    """The nodes of a cycle that can be reached from `start`, in order, or None."""
    on_path: dict[Node, int] = {start: 0}
    done: set[Node] = set()
    path: list[tuple[Node, Iterator[Node]]] = [(start, iter(successors(start)))]
    while path:
        node, following = path[-1]
        for each in following:
            if each in on_path:
                return [on_cycle for on_cycle, _ in path[on_path[each] :]]
            if each not in done:
                on_path[each] = len(path)
                path.append((each, iter(successors(each))))
                break
        else:
            path.pop()
            done.add(node)
            del on_path[node]
    return None
