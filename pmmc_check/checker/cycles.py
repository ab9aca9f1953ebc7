"""Looks for a run that never ends: a cycle among the states in which something is left to decide.

A plain depth-first search. The compiled search calls it only when it may be needed: as long as every step that it took led
exactly one level deeper, no step can close a cycle."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

Node = TypeVar("Node")


class TooManyStates(Exception):
    """The search for a cycle was given up; carries how many states it had seen."""

    def __init__(self, states: int) -> None:
        super().__init__(states)
        self.states = states


def find_cycle(
    start: Node, successors: Callable[[Node], Iterable[Node]], key: Callable[[Node], Hashable], states_max: int
) -> list[Node] | None:
    """The nodes of a cycle that can be reached from `start`, in order, or None; equal keys are one node.

    Raises:
        TooManyStates: there are more than `states_max` nodes.
    """
    on_path: dict[Hashable, int] = {key(start): 0}
    done: set[Hashable] = set()
    path: list[tuple[Node, Iterator[Node]]] = [(start, iter(successors(start)))]
    while path:
        node, following = path[-1]
        for each in following:
            each_key = key(each)
            if each_key in on_path:
                return [on_cycle for on_cycle, _ in path[on_path[each_key] :]]
            if each_key not in done:
                if len(done) + len(path) >= states_max:
                    raise TooManyStates(states_max)
                on_path[each_key] = len(path)
                path.append((each, iter(successors(each))))
                break
        else:
            path.pop()
            done.add(key(node))
            del on_path[key(node)]
    return None
