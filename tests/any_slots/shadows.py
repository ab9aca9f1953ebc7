"""Reachable combinations of local states, projected, as decision diagrams: what lists have no room for.

The unreduced state space is explored by the symbolic engine. Each level is then mapped to what the projection leaves of its values; what
is left of the whole is a small diagram, the shadow of the larger system, and is compared with that of the smaller one path by path."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from helpers import Control, Limits, Model, reductions_named

from any_slots.combinations import OF_A_SLOT
from pmmc_check.checker.any_slots.projection import GONE, Projection
from pmmc_check.checker.symbolic.layout import UNIT
from pmmc_check.checker.symbolic.observed import relabelling
from pmmc_check.checker.symbolic.search import SymbolicSearch
from pmmc_check.protocol import ProcessId
from pmmc_check.verdicts import HOLDS

Label = frozenset[tuple[ProcessId, Any]]
"""A process and its local state; empty where a level says nothing of the slot."""


class Whole:
    """All reachable states of `model`, unreduced."""

    def __init__(self, model: Model, seconds_max: float) -> None:
        self.model = model
        self._search = SymbolicSearch(model, (), Control(Limits(seconds_max=seconds_max)), reductions_named("none"), messages=True)
        result = self._search.run()
        self.ended = result.verdict == HOLDS
        self.limit = result.limit
        self._search.diagrams.watch = lambda more_bytes: False  # the limit is for the search
        self._root = self._search.diagrams.kept[0] if self.ended else 0

    def shadow(self, projection: Projection, of: Collection[ProcessId] | None = None) -> Shadow:
        """What `projection` leaves of the states of those processes that take part in a slot, of those `of` only where it is given."""
        diagrams, system = self._search.diagrams, self._search.system
        values = diagrams.values()
        labels: dict[int, Label] = {}
        for level in values:
            process, _ = system.facts(level, values[level][0])
            image = projection.of(process) if process.role in OF_A_SLOT else GONE
            for value in values[level]:
                state = system.local_state(value)
                shown = state is not None and image is not GONE and (of is None or image in of)
                labels[value] = frozenset({(image, projection.of(state))}) if shown else frozenset()
        return Shadow(diagrams, diagrams.image(int(self._root), relabelling(diagrams, values, labels)), labels)


class Shadow:
    """The combinations of the labels on the paths from `root`."""

    def __init__(self, diagrams: Any, root: int, labels: dict[int, Label]) -> None:
        self.diagrams = diagrams
        self.root = self._down(root, labels)
        self.labels = labels

    def _down(self, a: int, labels: dict[int, Label]) -> int:
        """The first node from `a` down whose level says something: above it, there is one way only."""
        while a != UNIT:
            edges = self.diagrams.edges(a)
            if any(labels[value] for value, _ in edges):
                return a
            [(_, a)] = edges
        return a

    def children(self, a: int) -> dict[Label, int]:
        """The node below each label of `a`; none of the end."""
        if a == UNIT:
            return {}
        found = {self.labels[value]: self._down(child, self.labels) for value, child in self.diagrams.edges(a)}
        assert len(found) == len(self.diagrams.edges(a))
        return found

    def processes(self) -> list[ProcessId]:
        """Those that are shown, from above."""
        found, a = [], self.root
        while a != UNIT:
            label, a = next(iter(self.children(a).items()))
            found += [process for process, _ in label]
        return found

    def lacks(self, other: Shadow) -> list[Label] | None:
        """A combination that `other` has and this has not, as far as it is common and one label further; None if there is none."""
        assert self.processes() == other.processes()
        visited = {(self.root, other.root)}
        pending: list[tuple[int, int, list[Label]]] = [(self.root, other.root, [])]
        while pending:
            ours, theirs, path = pending.pop()
            below = self.children(ours)
            for label, child in other.children(theirs).items():
                if label not in below:
                    return [*path, label]
                if (below[label], child) not in visited:
                    visited.add((below[label], child))
                    pending.append((below[label], child, [*path, label]))
        return None
