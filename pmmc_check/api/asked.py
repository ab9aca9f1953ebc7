"""What a search is asked to check, and what came out, compared with the spec. What is written in the language of specs is read by
`api.specs`, which is loaded only where there is any of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pmmc_check.api.options import SearchOptions
from pmmc_check.checker.result import Result
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named, under_fairness
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED
from pmmc_check.words import counted

if TYPE_CHECKING:
    from pmmc_check.spec.document import Spec

NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
"""What is made of these alone is a name, and no expression."""


@dataclass(frozen=True)
class WitnessSearch:
    """A witness that was asked for, and the search for it: a run that breaks its negation."""

    name: str
    result: Result

    @property
    def verdict(self) -> str:
        """`holds` when it was reached, `violated` when no run reaches it."""
        return {HOLDS: VIOLATED, VIOLATED: HOLDS}.get(self.result.verdict, self.result.verdict)


@dataclass(frozen=True)
class AskedProperties:
    """Invariants to check in one search, and negations of witnesses, each for a search of its own."""

    invariants: tuple[Any, ...]
    witnesses: tuple[Any, ...]
    constraints: tuple[Any, ...]
    """What bounds all of these searches."""
    built_in: bool
    """Nothing is asked for: then it is all built-in invariants, but those that a variant waives."""


def properties_asked(options: SearchOptions, spec: Spec | None, model: Model) -> AskedProperties:
    """What is to be checked. Options override the spec: `invariants` all its invariants, `find` all its witnesses,
    `constraints` all its constraints.

    Raises:
        SpecError: an expression cannot be used.
        UsageError: an invariant is unknown, none is one to which fairness matters, or the engine or the strategy does not go with
            expressions.
    """
    plain = spec is None and not options.find and not options.constraints
    if plain and all(set(each) <= NAME_LETTERS for each in options.invariants):
        names = under_fairness(options.invariants) if options.fair else options.invariants
        return AskedProperties(tuple(invariants_named(names)) if names else (), (), (), not names)
    from pmmc_check.api.specs import properties_written

    return properties_written(options, spec, model)


def functions_named(options: SearchOptions, spec: Spec | None) -> tuple[str, ...]:
    """The Python functions that are asked for as invariants; those of the spec unless options say what to check."""
    if options.invariants:
        return tuple(each for each in options.invariants if is_function(each))
    return spec.functions if spec and not options.find else ()


def is_function(text: str) -> bool:
    """Whether `text`, given as an invariant, names a Python function: module:function."""
    module, colon, function = text.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), *function.split(".")))


def overall(result: Result | None, witnesses: Sequence[WitnessSearch]) -> str:
    """The verdict of everything together."""
    verdicts = [*([result.verdict] if result else []), *(each.verdict for each in witnesses)]
    return next((each for each in (VIOLATED, INCONCLUSIVE) if each in verdicts), HOLDS)


def result_of_all(result: Result | None, witnesses: Sequence[WitnessSearch]) -> Result:
    """The search's own result that stands for all: that of the invariants, else that of the first witness, which then has no violation."""
    return result or replace(witnesses[0].result, verdict=overall(None, witnesses), invariants=(), violation=None)


def as_expected(spec: Spec | None, verdict: str, states: int | None) -> bool | None:
    """Whether what the spec expects came out; None where it expects nothing. `states` None: they were not counted."""
    if spec is None or spec.expected == (None, None):
        return None
    wanted, count = spec.expected
    return wanted in (None, verdict) and count in (None, states)


def expected_as_json(spec: Spec | None, verdict: str, states: int | None) -> dict[str, Any]:
    """The keys of the JSON that tell about the spec."""
    if spec is None:
        return {}
    expects = spec.expected != (None, None)
    return {
        "spec": spec.source.name,
        "expected": dict(zip(("verdict", "states"), spec.expected, strict=True)) if expects else None,
        "as_expected": as_expected(spec, verdict, states),
    }


def expected_as_text(spec: Spec | None, verdict: str, states: int | None) -> list[str]:
    """A line that compares with what the spec expects, if it expects anything."""
    agrees = as_expected(spec, verdict, states)
    if spec is None or agrees is None:
        return []
    wanted, count = spec.expected
    expected = _verdict_and_states(wanted, count)
    if agrees:
        return [f"{spec.source.name}: as expected: it expects {expected}\n"]
    uncounted = ", whose states were not counted" if count is not None and states is None else ""
    found = _verdict_and_states(verdict, states if count is not None else None)
    return [f"{spec.source.name}: NOT AS EXPECTED: it expects {expected}, but found {found}{uncounted}\n"]


def _verdict_and_states(verdict: str | None, states: int | None) -> str:
    return " and ".join([*([f"`{verdict}`"] if verdict else []), *([counted(states, "state")] if states is not None else [])])
