"""Going on after a violation: a search for each invariant that can be broken, so that every one of them has a shortest run of its own.

When an invariant is violated, the search begins anew without it. So each engine takes part as it is, each run is as short as if only its
invariant had been asked for, and what holds in the end was checked in every reachable state. There are at most as many searches as
invariants, and all but the last end with a violation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pmmc_check.checker.result import Result, Search, Violation
from pmmc_check.properties.invariants import Invariant
from pmmc_check.verdicts import VIOLATED


def every_violation(invariants: Sequence[Invariant], search: Callable[[Sequence[Invariant]], Search]) -> Result:
    """The result of all searches together: every violation that was found, and the counts of the last search.

    `search` makes a search that checks some of the invariants, under limits that all searches share.
    """
    left = list(invariants)
    names: tuple[str, ...] = ()
    violations: list[Violation] = []
    while True:
        result = search(left).run()
        names = names or result.invariants
        if result.violation is None:
            break
        violations.append(result.violation)
        left = [each for each in left if each.name in result.invariants and each.name != result.violation.invariant]
        if not left or result.limit:
            break
    if violations:
        result = replace(result, verdict=VIOLATED, violation=violations[0], further=tuple(violations[1:]))
    return replace(result, invariants=names, continued=True)
