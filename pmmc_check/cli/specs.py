"""`pmmc-check explore SPEC`, `--find` and `--invariant EXPR`: what is asked for, from a file and from options that override it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pmmc_check.errors import UsageError

if TYPE_CHECKING:
    from pmmc_check.checker.result import Result
    from pmmc_check.model.model import Model
    from pmmc_check.spec.document import Spec

_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


@dataclass(frozen=True)
class WitnessSearch:
    """A witness that was asked for, and the search for it: a run that breaks its negation."""

    name: str
    result: Result

    @property
    def verdict(self) -> str:
        """`holds` when it was reached, `violated` when no run reaches it."""
        from pmmc_check.verdicts import HOLDS, VIOLATED

        return {HOLDS: VIOLATED, VIOLATED: HOLDS}.get(self.result.verdict, self.result.verdict)


@dataclass(frozen=True)
class AskedProperties:
    """Invariants to check in one search, and negations of witnesses, each for a search of its own."""

    invariants: tuple[Any, ...]
    witnesses: tuple[Any, ...]
    built_in: bool
    """Nothing is asked for: then it is all built-in invariants, but those that a variant waives."""


def spec_of(arguments: argparse.Namespace) -> Spec | None:
    """Reads the spec, if there is one, and lays what it sets under the options."""
    spec = None
    if arguments.spec is not None:
        from pmmc_check.spec.document import LISTED, SETTINGS, read_spec

        spec = read_spec(arguments.spec)
        for name in (each for each in SETTINGS if each in spec.settings and each not in ("states", "expect", "symmetry")):
            if getattr(arguments, name) in (None, []):
                values = spec.settings[name].values
                setattr(arguments, name, _typed(name, values) if name not in LISTED else _listed(name, values))
        symmetry = spec.settings.get("symmetry")
        if symmetry and symmetry.values[0] == "off" and arguments.reduce is None and arguments.engine == "compiled":
            arguments.reduce = "inert,deferral,halting"
    if arguments.network is None:
        arguments.network = "duplicating"
    return spec


def _typed(name: str, values: Sequence[str]) -> Any:
    from pmmc_check.spec.document import COUNTED

    value = values[0]
    if name in COUNTED:
        return value if value == "any" else int(value)
    return float(value) if name == "time_limit" else value


def _listed(name: str, values: Sequence[str]) -> Any:
    return tuple(values) if name == "faulty" else list(values)


def asked_properties(arguments: argparse.Namespace, spec: Spec | None, model: Model) -> AskedProperties:
    """What is to be checked. Options override the spec: `--invariant` all its invariants, `--find` all its witnesses."""
    from pmmc_check.properties.invariants import invariants_named
    from pmmc_check.spec.document import Written, expression_as, written_in

    system, protocol = model.system, model.protocol
    written = written_in(spec, system, protocol) if spec and spec.writes_expressions else Written((), ())
    finds = [expression_as("--find", text, text, system, protocol, spec) for text in arguments.find]
    witnesses = tuple(finds) or (() if arguments.invariant else written.witnesses)
    names = arguments.invariant or (() if arguments.find else (spec.named if spec else ()))
    plain = [each for each in names if set(each) <= _NAME_LETTERS and each not in {own.name for own in written.invariants}]
    if arguments.invariant:
        own = [each for each in written.invariants if each.name in names]
        rest = [each for each in names if each not in plain and each not in {one.name for one in own}]
        own += [expression_as("--invariant", text, text, system, protocol, spec) for text in rest]
    else:
        own = [] if arguments.find else list(written.invariants)
    _check_strategy(arguments, own, witnesses)
    if not (names or own or witnesses):
        return AskedProperties((), (), True)
    return AskedProperties((*(invariants_named(plain) if plain else ()), *own), witnesses, False)


def for_every_slot(arguments: argparse.Namespace, spec: Spec | None) -> Sequence[str]:
    """The names of the invariants to check of any number of slots.

    Raises:
        UsageError: there are expressions, which are about one configuration.
    """
    if (spec and spec.writes_expressions) or arguments.find:
        what = "--find" if arguments.find else str(spec.source.name if spec else "")
        raise UsageError(f"{what}: with any number of slots only built-in invariants are checked; give a number of slots")
    named: Sequence[str] = arguments.invariant or (spec.named if spec else ())
    return named


def _check_strategy(arguments: argparse.Namespace, own: Sequence[Any], witnesses: Sequence[Any]) -> None:
    what = "--find" if arguments.find else "a witness" if witnesses else "an invariant of your own"
    if not (own or witnesses):
        return
    if arguments.engine == "symbolic":
        raise UsageError(f"--engine symbolic: it does not evaluate expressions, and {what} is one; use --engine compiled")
    if arguments.strategy == "iterative":
        raise UsageError(f"--strategy iterative: {what} is about one configuration; leave --strategy out")


def overall(result: Result | None, witnesses: Sequence[WitnessSearch]) -> str:
    """The verdict of everything together."""
    from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED

    verdicts = [*([result.verdict] if result else []), *(each.verdict for each in witnesses)]
    return next((each for each in (VIOLATED, INCONCLUSIVE) if each in verdicts), HOLDS)


def outcome(result: Result | None, witnesses: Sequence[WitnessSearch]) -> Result:
    """The result that stands for all: that of the invariants, else that of the first witness, with the verdict of everything."""
    base = result or witnesses[0].result
    invariants = result.invariants if result else ()
    return replace(base, verdict=overall(result, witnesses), invariants=invariants, violation=result.violation if result else None)


def as_expected(spec: Spec | None, verdict: str, states: int | None) -> bool | None:
    """Whether what the spec expects came out; None where it expects nothing. `states` None: they were not counted."""
    if spec is None or spec.expected == (None, None):
        return None
    wanted, count = spec.expected
    return wanted in (None, verdict) and count in (None, states)


def as_json(spec: Spec | None, verdict: str, states: int | None) -> dict[str, Any]:
    """The keys that tell about the spec."""
    if spec is None:
        return {}
    expects = spec.expected != (None, None)
    return {
        "spec": spec.source.name,
        "expected": dict(zip(("verdict", "states"), spec.expected, strict=True)) if expects else None,
        "as_expected": as_expected(spec, verdict, states),
    }


def as_expected_text(spec: Spec | None, verdict: str, states: int | None) -> list[str]:
    """A line that compares with what the spec expects, if it expects anything."""
    agrees = as_expected(spec, verdict, states)
    if spec is None or agrees is None:
        return []
    wanted, count = spec.expected
    expected = " and ".join([*([f"`{wanted}`"] if wanted else []), *([f"{count:,} states"] if count else [])])
    return [f"{spec.source.name}: {'as expected' if agrees else 'NOT AS EXPECTED'}: it expects {expected}\n"]
