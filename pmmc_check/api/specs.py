"""What a spec, expressions and Python functions ask a search to check, and the options that override a spec."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import fields, replace
from os import PathLike, fspath
from typing import Any

from pmmc_check.api.asked import NAME_LETTERS, AskedProperties, functions_named, is_function
from pmmc_check.api.options import SearchOptions
from pmmc_check.api.roles import all_roles_from, object_named
from pmmc_check.checker.reductions import NAMES
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

_NAME_MAX = 100
_OF_THE_SPEC_ALONE = ("states", "expect", "symmetry")
_PLURAL = {"variant": "variants", "protocol": "roles"}


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
        found["reduce"] = ",".join(name for name in NAMES if name != "symmetry")
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


def properties_written(options: SearchOptions, spec: Spec | None, model: Model) -> AskedProperties:
    """What `properties_asked` says, where a spec, an expression or a Python function has a part in it.

    Raises:
        SpecError, UsageError: as there.
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
        rest = [each for each in names if each not in plain and each not in {one.name for one in own} and not is_function(each)]
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
