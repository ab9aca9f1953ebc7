"""Invariants of several processes on a diagram: each level is mapped to what is observed of its views; what remains is a small diagram of
the combinations that are reachable, and each of these is evaluated once."""

from __future__ import annotations

from collections.abc import Iterator

from pmmc_check.checker.facts import KnownFacts
from pmmc_check.checker.symbolic.diagrams import Diagrams
from pmmc_check.checker.symbolic.events import Stopped
from pmmc_check.checker.symbolic.measure import Measure
from pmmc_check.checker.symbolic.nodes import NO_VECTOR, UNIT
from pmmc_check.checker.symbolic.views import ViewSystem
from pmmc_check.properties.checks import Violated

_SUM_BITS = 0xFFFFFFFFFFFFFFFF


def broken_facts(diagrams: Diagrams, root: int, system: ViewSystem, known: KnownFacts) -> Violated | None:
    """The first violated relation among the vectors of `root`, the only set that the diagrams still hold.

    What is false where nothing is observed is false in the initial state, which the caller has looked at.

    Raises:
        Stopped: a limit was reached.
    """
    measure = Measure(diagrams, root)
    values = [value for level in range(1, diagrams.levels + 1) for value in measure.values(level)]
    for slot in range(system.tables.observed.data.shape[1]):
        image = diagrams.image(root, _relabelling(diagrams, system, values, slot))
        for number, vector in enumerate(_combinations(diagrams, image, system, slot)):
            if number % 256 == 0 and diagrams.watch(0):
                raise Stopped
            if broken := known.evaluate(vector, slot):
                return broken
    return None


def _relabelling(diagrams: Diagrams, system: ViewSystem, values: list[int], slot: int) -> int:
    """The event that maps each view to the first one of its level of which the same is observed."""
    events, tables = diagrams.events, system.tables
    function = 2 * events.event.size
    event = events.add(dict.fromkeys(range(1, diagrams.levels + 1), function), relabels=True)
    first: dict[tuple[int, int], int] = {}
    for value in values:
        seen = (int(tables.owner.data[value]), int(tables.observed.data[value, slot]))
        events.enter(function, value, [first.setdefault(seen, value)])
    return event


def _combinations(diagrams: Diagrams, image: int, system: ViewSystem, slot: int) -> Iterator[list[int]]:
    """A vector, in the order of the processes, for each sum of observations.

    As in the compiled search the sum of the digests says which combination it is, so a node is looked at once for each
    sum above it."""
    digests = system.tables.observed.data[:, slot]
    visited: set[tuple[int, int]] = set()
    pending: list[tuple[int, int, tuple[int, ...]]] = [(image, 0, ())] if image != NO_VECTOR else []
    while pending:
        a, total, path = pending.pop()
        if a == UNIT:
            if total == 0:
                continue  # nothing is observed of anybody
            by_process = dict(zip(system.order, path, strict=True))
            yield [by_process[process] for process in range(len(path))]
            continue
        for value, child in diagrams.edges(a):
            key = (child, (total + int(digests[value])) & _SUM_BITS)
            if key not in visited:
                visited.add(key)
                pending.append((*key, (*path, value)))
