"""What is asked for with any number of slots: which invariants of the user's are taken along, and what is refused, at its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lark import Token

from pmmc_check.api.asked import NAME_LETTERS, functions_named
from pmmc_check.api.options import SearchOptions
from pmmc_check.api.specs import name_of_expression
from pmmc_check.checker.any_slots.own import OwnInvariant
from pmmc_check.errors import PmmcError, UsageError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import Invariant
from pmmc_check.protocol.role import System
from pmmc_check.spec.document import Spec, expression_term, terms_in
from pmmc_check.spec.invariants import invariant_of
from pmmc_check.spec.one_slot import NotOfOneSlot, in_one_slot, slots_named
from pmmc_check.spec.place import SpecError
from pmmc_check.spec.terms import Term


def asked_of_every_slot(options: SearchOptions, spec: Spec | None) -> tuple[Sequence[str], list[OwnInvariant]]:
    """What to check of any number of slots: the names of built-in invariants, and those that are written. Options override the spec.

    Raises:
        UsageError, SpecError: there is a witness, a constraint or a Python function.
    """
    asked: Sequence[str] = options.invariants or (() if options.find else spec.named if spec else ())
    _check_of_every_slot(options, spec)
    if not options.invariants:
        return asked, [_written_in_spec(name, spec) for name in spec.named_by("INVARIANT")] if spec else []
    in_spec = {str(each): each for each in spec.named_by("INVARIANT")} if spec else {}
    own = [
        _written_in_spec(in_spec[each], spec) if spec and each in in_spec else _written_in_option(each, spec)
        for each in asked
        if each in in_spec or not set(each) <= NAME_LETTERS
    ]
    return [each for each in asked if set(each) <= NAME_LETTERS and each not in in_spec], own


def _written_in_spec(name: Token, spec: Spec) -> OwnInvariant:
    def term(system: System) -> Term:
        return next(found for _, each, found in terms_in(spec, system) if each == name)

    return _own(str(name), term, lambda reason: SpecError(spec.source.place_of(name), f"{name}: {reason}"))


def _written_in_option(text: str, spec: Spec | None) -> OwnInvariant:
    def term(system: System) -> Term:
        return expression_term("--invariant", text, system, spec)

    return _own(name_of_expression(text), term, lambda reason: UsageError(f"--invariant {name_of_expression(text)}: {reason}"))


def _own(name: str, term: Callable[[System], Term], refused: Callable[[str], PmmcError]) -> OwnInvariant:
    """`term` says what it means in a system; `refused` makes the error that says at its place why it is not covered."""

    def of_one_slot(model: Model, ballotwise: bool) -> Invariant:
        try:
            moved = in_one_slot(term(model.system), ballotwise)
        except NotOfOneSlot as reason:
            raise refused(f"--slots any covers what speaks of one slot, and {reason}; give a number of slots") from None
        return invariant_of(name, moved, model.system, model.protocol)

    def of_configuration(model: Model) -> Invariant:
        return invariant_of(name, term(model.system), model.system, model.protocol)

    return OwnInvariant(name, of_one_slot, of_configuration, lambda model: slots_named(term(model.system)))


def _check_of_every_slot(options: SearchOptions, spec: Spec | None) -> None:
    run = "shows a run, and a run has a number of slots; give one"
    bound = "bounds the search of one configuration; give a number of slots"
    code = "--slots any covers what is seen to speak of one slot, which a Python function is not; write it as an expression"
    for option, given, reason in (("--find", options.find, run), ("--constraint", options.constraints, bound)):
        if given:
            raise UsageError(f"{option} {name_of_expression(given[0])}: {reason}, or leave {option} out")
    for each in functions_named(options, spec):
        if spec is None or options.invariants:
            raise UsageError(f"--invariant {each}: {code}")
        raise SpecError(spec.source.place(spec.property_lines[each], 1), f"{each}: {code}")
    for kind, reason in (("WITNESS", run), ("CONSTRAINT", bound)):
        name = next((name for name in spec.named_by(kind)), None) if spec and not (options.invariants and kind == "WITNESS") else None
        if spec and name is not None:
            raise SpecError(spec.source.place_of(name), f"{kind} {name}: it {reason}")
