"""Progress on a diagram: the states from which no step leads, and whether every run ends.

Progress is asked only where nothing is lost and nothing crashes. Then a state is an end if every part of it by itself allows no step, so
the ends are one image: each level is restricted to such values. (A message that can be delivered is a step: it is gone afterwards.)"""

from __future__ import annotations

from typing import Any, Protocol

from pmmc_check.checker.symbolic.diagrams import Diagrams
from pmmc_check.checker.symbolic.events import FULL
from pmmc_check.checker.symbolic.members import SeenFacts, Wanted
from pmmc_check.checker.symbolic.observed import Showing, combinations, relabelling
from pmmc_check.properties.checks import Checks, Violated
from pmmc_check.properties.observe import Fact
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.protocol.values import BOTTOM, LEADER

STUCK = Violated("Progress", "nothing can move any more, and something is left to decide")
_RETIRED = Fact("retired", 0, BOTTOM, ())  # type: ignore[arg-type]  # about no command


class Ending(Showing, Protocol):
    """What knows of each value whether it allows a step."""

    def ends(self, level: int, value: int) -> bool:
        """Whether no step is one of a part with this value."""

    def local_state(self, value: int) -> Any:
        """The state of a process with this value; None for what is no process's."""


def stuck_states(diagrams: Diagrams, root: int, system: Ending, checks: Checks) -> Wanted | None:
    """Ends in the set of `root` at which something is left to decide; None when there are none.

    Raises:
        Stopped: a limit was reached.
    """
    values = {level: [value for value in found if system.ends(level, value)] for level, found in diagrams.values().items()}
    seen_of = {value: _seen(system, level, value) for level in values for value in values[level]}
    for seen in combinations(diagrams, diagrams.image(root, relabelling(diagrams, values, seen_of)), seen_of):
        retired = {process for process, fact in seen if fact == _RETIRED}
        states = {leader: Lifecycle.EXITED if leader in retired else None for leader in checks.model.system.leaders}
        if checks.left(states, (fact for _, fact in seen if fact != _RETIRED)):
            absent = {level: [diagrams.events.absent(level)] for level in values if diagrams.events.absent(level) != FULL}
            return Wanted(values | absent, seen, seen_of)
    return None


def _seen(system: Ending, level: int, value: int) -> SeenFacts:
    process, facts = system.facts(level, value)
    retired = process.role == LEADER and system.local_state(value) is Lifecycle.EXITED
    return frozenset((process, fact) for fact in (*facts, *((_RETIRED,) if retired else ())))
