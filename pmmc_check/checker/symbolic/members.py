"""Single vectors of a diagram's set: whether one is in it, and one that is as wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pmmc_check.checker.symbolic.diagrams import Diagrams
from pmmc_check.checker.symbolic.layout import NO_VECTOR, UNIT
from pmmc_check.properties.observe import Fact
from pmmc_check.protocol.values import ProcessId

Member = dict[int, int]
"""A value for each level; sparse levels may be left out where they are absent."""
SeenFacts = frozenset[tuple[ProcessId, Fact]]
"""Facts, each with the process of which it is observed."""


class Wanted(NamedTuple):
    """Which vectors are looked for: those that have one of the `allowed` values at each of these levels, and of which, all levels
    together, exactly `seen` is observed, `sees` saying what is observed of each value."""

    allowed: Mapping[int, Collection[int]]
    seen: SeenFacts = frozenset()
    sees: Mapping[int, SeenFacts] = MappingProxyType({})


def contains(diagrams: Diagrams, root: int, vector: Member) -> bool:
    """Whether a vector is in the set of `root`."""
    a, met = root, 0
    while a not in (NO_VECTOR, UNIT):
        level = diagrams.level(a)
        value = vector.get(level, diagrams.events.absent(level))
        met += value != diagrams.events.absent(level)
        a = dict(diagrams.edges(a)).get(value, NO_VECTOR)
    return a == UNIT and met == sum(value != diagrams.events.absent(level) for level, value in vector.items())


def member(diagrams: Diagrams, root: int, wanted: Wanted) -> Member | None:
    """One vector of the set of `root` that is as wanted, the same on every run; None when there is none."""
    failed: set[tuple[int, SeenFacts]] = set()
    chosen: list[tuple[int, int]] = []
    pending: list[tuple[int, SeenFacts, Iterator[tuple[int, int]]]] = [(root, frozenset(), iter(_edges(diagrams, root)))]
    while pending:
        a, seen, edges = pending[-1]
        if a == UNIT and seen == wanted.seen:
            return dict(chosen)
        for value, child in edges:
            now = seen | wanted.sees.get(value, frozenset())
            if now <= wanted.seen and (child, now) not in failed and _allows(diagrams, wanted.allowed, a, value, child):
                chosen.append((diagrams.level(a), value))
                pending.append((child, now, iter(_edges(diagrams, child))))
                break
        else:
            failed.add((a, seen))
            pending.pop()
            del chosen[-1:]
    return None


def _edges(diagrams: Diagrams, a: int) -> list[tuple[int, int]]:
    return [] if a in (NO_VECTOR, UNIT) else diagrams.edges(a)


def _allows(diagrams: Diagrams, allowed: Mapping[int, Collection[int]], a: int, value: int, child: int) -> bool:
    """Whether an edge has an allowed value, and passes by no level where being absent is not allowed."""
    events, level = diagrams.events, diagrams.level(a)
    if value not in allowed.get(level, (value,)):
        return False
    below, above = events.height(diagrams.level(child)), events.height(level)
    return all(not below < events.height(each) < above or events.absent(each) in values for each, values in allowed.items())
