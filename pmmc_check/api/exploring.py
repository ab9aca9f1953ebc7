"""`explore`: from what is asked for to what is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from pmmc_check.api.asked import AskedProperties, WitnessSearch, properties_asked
from pmmc_check.api.exploration import Exploration, exploration_of
from pmmc_check.api.keeping import Controlled, check_not_kept, kept
from pmmc_check.api.options import Engines, Roles, SearchOptions, Slots, Strategies, in_every_slot
from pmmc_check.api.searching import AskedOf, configured, limits_of, protocol_of, result_of
from pmmc_check.checker.result import Control, Snapshot
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model
from pmmc_check.spec.place import SpecError

if TYPE_CHECKING:
    from pmmc_check.spec.document import Spec


def explore(  # the command's options, in its order
    spec: str | PathLike[str] | None = None,
    /,
    *,
    acceptors: int | None = None,
    leaders: int | None = None,
    replicas: int | None = None,
    slots: Slots | None = None,
    commands: int | None = None,
    rounds: int | None = None,
    window: int | None = None,
    quorum1: int | None = None,
    quorum2: int | None = None,
    network: str | None = None,
    crashes: int | None = None,
    restarts: int | None = None,
    faulty: Sequence[str] | None = None,
    reconfigurations: int | None = None,
    ballots: int | None = None,
    replica_slots: int | None = None,
    replica_commands: int | None = None,
    variants: Sequence[str] = (),
    roles: Roles = (),
    invariants: Sequence[str] = (),
    find: Sequence[str] = (),
    constraints: Sequence[str] = (),
    fair: bool = False,
    keep_going: bool = False,
    engine: Engines = "compiled",
    strategy: Strategies = "exhaustive",
    seed: int | None = None,
    walk_steps: int | None = None,
    reduce: str | None = None,
    trust_claims: bool = False,
    threads: int | None = None,
    max_states: int | None = None,
    max_depth: int | None = None,
    time_limit: float | None = None,
    max_memory: int | None = None,
    disk: str | None = None,
    checkpoint: str | None = None,
    checkpoint_every: float | None = None,
    resume: str | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    recover: str | None = None,
    progress: Callable[[Snapshot], None] | None = None,
) -> Exploration:
    """Searches all runs of a configuration; every option is the command's (docs/explore.md), `roles` are role classes of your own.

    `spec` is a spec file, or the text of a spec (docs/specs.md): a path object, and a name that ends in `.spec`, is a file. Options
    override what it says; `invariants`, `find` (expressions that a run should reach) and `constraints` override all that it has of
    that kind. `progress` is called now and then, in the thread that called; what it raises ends the search and is passed on.

    Raises:
        UsageError, SpecError: an option is wrong, or something in the spec or in an expression; its text shows the place.
        ProtocolError: a role breaks its contract.
    """
    options = SearchOptions(**{name: value for name, value in locals().items() if name not in ("progress", "spec")})
    return _explored(options, None, progress) if spec is None else _explored_spec(options, spec, progress)


def _explored_spec(options: SearchOptions, given: str | PathLike[str], progress: Callable[[Snapshot], None] | None) -> Exploration:
    from pmmc_check.api.specs import overlaid, settings_used, spec_in
    from pmmc_check.spec.refused import at_its_place

    spec = spec_in(given)
    settings = settings_used(options, spec)
    try:
        return _explored(overlaid(options, spec), spec, progress)
    except UsageError as error:
        raise at_its_place(error, settings) from error


def _explored(options: SearchOptions, asked: Spec | None, progress: Callable[[Snapshot], None] | None) -> Exploration:

    def controlled() -> AbstractContextManager[Control]:
        return nullcontext(Control(limits_of(options), progress) if progress else Control(limits_of(options)))

    every_slot = in_every_slot(options)
    if every_slot is not None:
        return explored_every_slot(every_slot, asked, controlled)
    model = Model(configured(options), protocol_of(options))
    return explored(options, properties_asked(options, asked, model), model, asked, controlled)


def explored(options: SearchOptions, asked: AskedProperties, model: Model, spec: Spec | None, controlled: Controlled) -> Exploration:
    """The search for the invariants, if any are asked for, and one for each witness."""
    with kept(options, asked, model, spec, controlled) as controlled_and_kept:
        return _all_explored(options, asked, model, spec, controlled_and_kept)


def _all_explored(options: SearchOptions, asked: AskedProperties, model: Model, spec: Spec | None, controlled: Controlled) -> Exploration:
    notes, result, about_all, witnesses = list[str](), None, model, list[tuple[WitnessSearch, Model]]()
    again = _asked_again(options, spec, model)
    if asked.invariants or asked.built_in:
        with controlled() as control:
            given = None if asked.built_in else asked.invariants
            asked_of = None if asked.built_in else again(lambda found: found.invariants)
            result, about_all, notes = result_of(options, model, control, given, asked.constraints, asked_of)
    for number, each in enumerate(asked.witnesses):
        with controlled() as control:
            asked_of = again(_only_witness(number))
            found, about, more = result_of(options, model, control, (each,), asked.constraints, asked_of, judges=False)
        notes += [note for note in more if note not in notes]
        witnesses.append((WitnessSearch(each.name, found), about))
    return exploration_of(
        result,
        about_all if result or not witnesses else witnesses[0][1],
        notes,
        witnesses,
        asked=asked,
        spec=spec,
        variants=options.variants,
    )


def _only_witness(number: int) -> Callable[[AskedProperties], Any]:
    return lambda found: (found.witnesses[number],)


def _asked_again(options: SearchOptions, spec: Spec | None, whole: Model) -> Callable[[Callable[[AskedProperties], Any]], AskedOf]:
    """What was asked of the `whole` model, asked of a smaller one: given a selection of the properties, what makes it."""

    def choosing(choose: Callable[[AskedProperties], Any]) -> AskedOf:
        def asked_of(model: Model) -> Any:
            try:
                return choose(properties_asked(options, spec, model))
            except SpecError:
                if model.config == whole.config:
                    raise
                return None

        return asked_of

    return choosing


def explored_every_slot(options: SearchOptions, spec: Spec | None, controlled: Controlled) -> Exploration:
    """The same for every number of slots. A counterexample is that of the ordinary search that confirms it."""
    from pmmc_check.api.every_slot import searched_every_slot
    from pmmc_check.api.own_invariants import asked_of_every_slot

    check_not_kept(options, "--slots any")
    if options.disk is not None:
        raise UsageError(f"--disk {options.disk}: --slots any keeps no states on disk; leave --disk out")
    names, own = asked_of_every_slot(options, spec)
    with controlled() as control:
        result = searched_every_slot(replace(options, invariants=names), control, own)
    return Exploration(result, None, result.notes, (), spec, tuple(options.variants))
