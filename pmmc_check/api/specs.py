"""What a search is asked to check, by a spec and by options that override it; and what came out, compared with the spec."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from os import PathLike, fspath
from typing import Any

from pmmc_check.api.options import SearchOptions
from pmmc_check.api.roles import all_roles_from, object_named
from pmmc_check.checker.result import Result
from pmmc_check.checker.symmetry import generators
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named, under_fairness
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.spec.document import (
    COUNTED,
    LISTED,
    SETTINGS,
    SPEC_SUFFIX,
    Spec,
    SpecSetting,
    Written,
    expression_as,
    read_spec,
    spec_from,
    written_in,
)
from pmmc_check.spec.functions import function_invariant
from pmmc_check.spec.parse import SourceText
from pmmc_check.users_code import users_code
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED
from pmmc_check.words import counted

NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
"""What is made of these alone is a name, and no expression."""
_NAME_MAX = 100
_OF_THE_SPEC_ALONE = ("states", "expect", "symmetry")
_PLURAL = {"variant": "variants", "protocol": "roles"}


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


def spec_in(given: str | PathLike[str]) -> Spec:
    """The spec in a file, or in a text: a path object, a name that ends in `.spec` and a text without blanks are names of files.

    Raises:
        SpecError: something in it cannot be read, or is unknown.
        UsageError: the file cannot be read.
    """
    if isinstance(given, str) and ("\n" in given or (len(given.split()) != 1 and not given.endswith(SPEC_SUFFIX))):
        return spec_from(SourceText("<text>", given))
    return read_spec(fspath(given))


def settings_of(spec: Spec, engine: str) -> dict[str, Any]:
    """What a spec sets, as values of the command's options of the same names. `REDUCE` means nothing to the reference engine, and
    `SYMMETRY off` speaks of the compiled one."""
    found = {
        name: _value(name, spec.settings[name].values) for name in SETTINGS if name in spec.settings and name not in _OF_THE_SPEC_ALONE
    }
    symmetry = spec.settings.get("symmetry")
    if symmetry and symmetry.values[0] == "off" and engine in ("compiled", "auto") and "reduce" not in found:
        found["reduce"] = "inert,deferral,halting"
    if engine == "reference":
        found.pop("reduce", None)
    return found


def _value(name: str, values: Sequence[str]) -> Any:
    if name in LISTED:
        return tuple(values) if name == "faulty" else list(values)
    value = values[0]
    if name in COUNTED:
        return value if value == "any" else int(value)
    return float(value) if name == "time_limit" else value


def overlaid(options: SearchOptions, spec: Spec) -> SearchOptions:
    """What a spec sets, under options that override it. The roles that it names are loaded.

    Raises:
        UsageError: a role cannot be loaded.
        ProtocolError: loading it fails in its own code.
    """
    values = settings_of(spec, options.engine)
    given = {_PLURAL.get(name, name): values[name] for name in settings_used(options, spec)}
    if "roles" in given:
        given["roles"] = all_roles_from(given["roles"])
    return replace(options, **given)


def settings_used(options: SearchOptions, spec: Spec) -> dict[str, SpecSetting]:
    """The settings that no option overrides, by the name of the option that each stands for."""
    known = {each.name for each in fields(SearchOptions)}
    options_of = {name: _PLURAL.get(name, name) for name in settings_of(spec, options.engine)}
    free = [name for name, option in options_of.items() if option in known and getattr(options, option) in (None, (), [])]
    return {name: spec.settings["symmetry" if name not in spec.settings else name] for name in free}


def properties_asked(options: SearchOptions, spec: Spec | None, model: Model) -> AskedProperties:
    """What is to be checked. Options override the spec: `invariants` all its invariants, `find` all its witnesses,
    `constraints` all its constraints.

    Raises:
        SpecError: an expression cannot be used.
        UsageError: an invariant is unknown, none is one to which fairness matters, or the engine or the strategy does not go with
            expressions.
    """
    system, protocol = model.system, model.protocol
    written = written_in(spec, system, protocol) if spec and spec.writes_expressions else Written()
    finds = [expression_as("--find", text, name_of_expression(text), system, protocol, spec) for text in options.find]
    witnesses = tuple(finds) or (() if options.invariants else written.witnesses)
    names = options.invariants or (() if options.find else (spec.named if spec else ()))
    names = under_fairness(names) if options.fair else names
    plain = [each for each in names if set(each) <= NAME_LETTERS and each not in {own.name for own in written.invariants}]
    if options.invariants:
        own = [each for each in written.invariants if each.name in names]
        rest = [each for each in names if each not in plain and each not in {one.name for one in own} and not _is_function(each)]
        own += [expression_as("--invariant", text, name_of_expression(text), system, protocol, spec) for text in rest]
    else:
        own = [] if options.find else list(written.invariants)
    own += [_function_of(each, model) for each in functions_named(options, spec)]
    bounds = [expression_as("--constraint", text, name_of_expression(text), system, protocol, spec) for text in options.constraints]
    constraints = tuple(bounds) or written.constraints
    if constraints:
        _check_bounded(options, "--constraint" if options.constraints else f"CONSTRAINT {constraints[0].name}")
    if not (names or own or witnesses):
        return AskedProperties((), (), constraints, True)
    return AskedProperties((*(invariants_named(plain) if plain else ()), *own), witnesses, constraints, False)


def name_of_expression(expression: str) -> str:
    """What reports call an expression that has no name: itself, in one line; of one that is longer than a line the beginning, and a number
    that tells it from others that begin alike."""
    line = " ".join(expression.split())
    if len(line) <= _NAME_MAX:
        return line if len(expression) > _NAME_MAX else expression
    return f"{line[:_NAME_MAX]}... ({zlib.crc32(line.encode()):08x})"


def functions_named(options: SearchOptions, spec: Spec | None) -> tuple[str, ...]:
    """The Python functions that are asked for as invariants; those of the spec unless options say what to check."""
    if options.invariants:
        return tuple(each for each in options.invariants if _is_function(each))
    return spec.functions if spec and not options.find else ()


def _is_function(text: str) -> bool:
    """Whether `text`, given as an invariant, names a Python function: module:function."""
    module, colon, function = text.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), *function.split(".")))


def _function_of(reference: str, model: Model) -> WrittenInvariant:
    where = f"--invariant {reference}"
    found = object_named(where, reference)
    with users_code(f"{where}: looking at it"):
        return function_invariant(reference, found, model, generators(model.system))


def _check_bounded(options: SearchOptions, what: str) -> None:
    """Whether states outside a constraint can be told from those within.

    Raises:
        UsageError: not by this engine or strategy.
    """
    for option, refused, remedy in (
        (f"--engine {options.engine}", options.engine == "symbolic", "--engine compiled or reference"),
        (f"--strategy {options.strategy}", options.strategy != "exhaustive", "the exhaustive strategy"),
    ):
        if refused:
            raise UsageError(f"{option}: it takes no state constraint, and {what} is one; take {remedy}, or leave {what} out")


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
