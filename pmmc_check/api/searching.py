"""From options to a search and its result: one configuration, or, growing, one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmmc_check.api.crashes import check_no_crash
from pmmc_check.api.crews import check_crew, crew_maker, shared_out
from pmmc_check.api.machine import cores
from pmmc_check.api.options import SearchOptions
from pmmc_check.api.roles import role_classes
from pmmc_check.checker.continued import every_violation
from pmmc_check.checker.false_claim import FalseClaim
from pmmc_check.checker.iterative import grow
from pmmc_check.checker.memory import affordable_bytes
from pmmc_check.checker.reductions import Reductions, applicable, reductions_named
from pmmc_check.checker.result import Control, Engine, Limits, Result, Search
from pmmc_check.config import Config
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model
from pmmc_check.model.network import network_named
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import Invariant, invariants_named, under_fairness, with_assertions
from pmmc_check.properties.progress import FAIR, Progress
from pmmc_check.properties.quorums import judgeable
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.protocol import PMMC, Protocol, variant
from pmmc_check.words import counted

if TYPE_CHECKING:
    from pmmc_check.protocol.variants.variant import Variant

AskedOf = Callable[[Model], "Sequence[Invariant] | None"]
"""The invariants as they are asked of a model; None where it lacks what they name."""


def limits_of(options: SearchOptions) -> Limits:
    """Where the search gives up; memory always has a limit."""
    memory_bytes_max = options.max_memory * 2**20 if options.max_memory else affordable_bytes()
    return Limits(options.max_states, options.max_depth, options.time_limit, memory_bytes_max)


def configured(options: SearchOptions) -> Config:
    """The configuration.

    Raises:
        UsageError: it is none, or a variant shows nothing in it.
    """
    if options.network is not None:
        network_named(options.network)
    given: dict[str, Any] = {each.name: getattr(options, each.name) for each in fields(Config)}
    if given["faulty"] is not None:
        given["faulty"] = tuple(given["faulty"])
    config = Config(**{name: value for name, value in given.items() if value is not None})
    if options.variants:
        from pmmc_check.protocol.variants.catalogue import check_needs, variants_named

        check_needs(variants_named(options.variants), vars(config))
    return config


def protocol_of(options: SearchOptions) -> Protocol:
    """The paper's protocol with the variants, and on top of them the roles that were handed in.

    Raises:
        UsageError: a variant is unknown, or what was handed in is no role.
    """
    return variant(*role_classes("roles", options.roles), base=_with_variants(options.variants))


def _with_variants(names: Sequence[str]) -> Protocol:
    if not names:
        return PMMC
    from pmmc_check.protocol.variants.catalogue import protocol_with

    return protocol_with(names)


def result_of(  # noqa: PLR0917
    options: SearchOptions,
    model: Model,
    control: Control,
    asked: Sequence[Invariant] | None = None,
    constraints: Sequence[WrittenInvariant] = (),
    asked_of: AskedOf | None = None,
    *,
    judges: bool = True,
) -> tuple[Result, Model, list[str]]:
    """Runs the search that was asked for; also returns the model that its result is about, and notes about what is off.

    `asked` are the invariants where they are more than names, and `asked_of` makes them of a smaller model; `constraints` are for the
    exhaustive strategy, without the symbolic engine. `judges`: that a step of a role fails is a violation; else only the end of a run.

    Raises:
        UsageError: options contradict each other.
        ProtocolError: a role breaks its contract.
    """
    _check_engine(options)
    _check_strategy(options)
    waivers = _waivers(options)
    invariants = built_in_invariants(options) if asked is None else asked
    waived = [f"{', '.join(each.waives)} is not checked of {each.name}: {each.waiver}" for each in waivers if asked is None]
    if options.engine == "symbolic":
        _check_symbolic(options, invariants)
    check_crew(options, invariants, constraints)
    if judges:
        invariants = with_assertions(invariants, model.protocol)
    model.failing_ends_runs = True
    _check_begins_within(constraints, model)
    reductions, notes = applicable(reductions_named(options.reduce or "all"), model, [*invariants, *constraints])
    if options.engine == "symbolic":
        notes = [each for each in notes if not each.startswith(("symmetry", "commuting"))]
    elif reductions.commuting and (why := _not_commuting(options, control)):
        reductions = replace(reductions, commuting=False)
        notes.append(f"commuting is off: {why}")
    judged, quorum_notes = judgeable(model, invariants)
    if options.invariants and len(judged) < len(invariants):
        raise UsageError(f"--invariant {options.invariants[0]}: {quorum_notes[0]}")
    searches = _Searches(options, control, reductions, constraints, judged if options.keep_going else invariants, judges, asked_of)
    try:
        result, model = searches.run(model)
    except FalseClaim:
        if not model.failed_steps:
            raise
        # a step that a reduction leaves out fails: then the run that leads to it is what is wanted
        searches = replace(searches, reductions=replace(reductions, inert=False, halting=False))
        notes.append("inert and halting are off: a step fails that they would leave out")
        result, model = searches.run(Model(model.config, model.protocol))
    unreduced = options.engine == "reference" or options.strategy == "random"
    notes = [*([] if unreduced else notes), *searches.notes()]
    model.check_still_pure()
    check_no_crash(result, model)
    return result, model, notes + waived + quorum_notes


@dataclass
class _Searches:
    """Makes the searches of a strategy.

    With the iterative one, what is written is about one model, so it is made for each (`asked_of`); where a smaller model lacks what it
    names, that is left out.
    """

    options: SearchOptions
    control: Control
    reductions: Reductions
    constraints: Sequence[WrittenInvariant]
    invariants: Sequence[Invariant]
    judges: bool
    asked_of: AskedOf | None
    left_out: int = 0

    def run(self, model: Model) -> tuple[Result, Model]:
        """The result of the strategy, and the model that it is about."""
        if self.options.strategy == "iterative":
            self.left_out = 0
            return grow(model.config, model.protocol, self._smaller)
        if self.options.keep_going:
            return every_violation(self.invariants, lambda left: self._search(model, left)), model
        return self._search(model, self.invariants).run(), model

    def notes(self) -> list[str]:
        """How many were left out."""
        why = "which lack what the properties name"
        return [f"{counted(self.left_out, 'smaller configuration')} left out, {why}"] if self.left_out else []

    def _smaller(self, model: Model) -> Search | None:
        if self.asked_of is None:
            return self._search(model, self.invariants)
        asked = self.asked_of(model)
        self.left_out += asked is None
        if asked is None:
            return None
        return self._search(model, with_assertions(asked, model.protocol) if self.judges else asked)

    def _search(self, model: Model, invariants: Sequence[Invariant]) -> Search:
        model.failing_ends_runs = True
        return engine_for(self.options, invariants, self.control, self.reductions, self.constraints)(model)


def built_in_invariants(options: SearchOptions) -> Sequence[Invariant]:
    """Those asked for by name; else all, but those that a variant waives.

    Raises:
        UsageError: there is none of that name, or none to which fairness matters.
    """
    names = under_fairness(options.invariants) if options.fair else options.invariants
    return invariants_named(names, [name for each in _waivers(options) for name in each.waives])


def _waivers(options: SearchOptions) -> list[Variant]:
    if not options.variants or options.invariants:
        return []
    from pmmc_check.protocol.variants.catalogue import variants_named

    return [each for each in variants_named(options.variants) if each.waives]


def engine_for(
    options: SearchOptions,
    invariants: Sequence[Invariant],
    control: Control,
    reductions: Reductions,
    constraints: Sequence[WrittenInvariant] = (),
) -> Engine:
    """Makes searches for those of the invariants that can be judged of a model."""
    if options.engine == "reference":
        from pmmc_check.checker.reference import ReferenceSearch

        return lambda model: ReferenceSearch(model, judgeable(model, invariants)[0], control, constraints)
    trust = options.trust_claims
    if options.strategy == "random":
        from pmmc_check.checker.walks import STEPS_MAX, RandomWalks

        seed, steps_max = options.seed or 1, options.walk_steps or STEPS_MAX
        return lambda model: RandomWalks(model, judgeable(model, invariants)[0], control, seed=seed, steps_max=steps_max)
    threads = options.threads or cores()
    if options.engine == "symbolic":
        from pmmc_check.checker.symbolic.search import SymbolicSearch

        return lambda model: SymbolicSearch(model, judgeable(model, invariants)[0], control, reductions, trust_claims=trust)
    if options.engine == "auto" and not _needs_single_states(options, invariants, constraints):
        from pmmc_check.checker.chosen import ChosenSearch

        return lambda model: ChosenSearch(model, judgeable(model, invariants)[0], control, reductions, threads, trust_claims=trust)
    if shared_out(options):
        from pmmc_check.checker.crew.search import CrewSearch

        crew = crew_maker(options)
        return lambda model: CrewSearch(model, judgeable(model, invariants)[0], control, reductions, crew, trust_claims=trust)
    from pmmc_check.checker.commuting_search import CommutingSearch

    how: dict[str, Any] = {"trust_claims": trust, "constraints": constraints, "disk": _disk(options, invariants)}
    return lambda model: CommutingSearch(model, judgeable(model, invariants)[0], control, reductions, threads, **how)


def _disk(options: SearchOptions, invariants: Sequence[Invariant]) -> Path | None:
    if options.disk is not None and any(isinstance(each, Progress) for each in invariants):
        raise UsageError(f"--disk {options.disk}: Progress needs the graph of states in memory; leave --disk out")
    return None if options.disk is None else Path(options.disk)


def _not_commuting(options: SearchOptions, control: Control) -> str | None:
    """Why no step may be taken alone in a search that is asked for in this way, if that is so."""
    if shared_out(options):
        return "it decides by all that has been sent so far, which no worker knows"
    if control.checkpoints is not None:
        return "it decides by all that has been sent so far, which checkpoints do not keep"
    if control.limits.depth_max is not None:
        return "--max-depth is about all runs up to there, and with it some are found later"
    return None


def _check_begins_within(constraints: Sequence[WrittenInvariant], model: Model) -> None:
    for each in constraints:
        checks = Checks(model, (), (each,))
        if not checks.within(checks.model.initial()):
            raise UsageError(
                f"constraint {each.name}: the initial state does not satisfy it, so no step would be taken; state what is to be explored"
            )


def _check_engine(options: SearchOptions) -> None:
    if options.disk is not None and (options.engine != "compiled" or options.strategy == "random"):
        other = f"--engine {options.engine}" if options.engine != "compiled" else "--strategy random"
        raise UsageError(f"--disk {options.disk}: {other} keeps no states on disk; leave --disk out")
    if options.disk == "":
        raise UsageError("--disk: give the name of a folder")
    if options.engine == "reference" and options.reduce not in (None, "none"):
        raise UsageError(f"--reduce {options.reduce}: the reference engine has no reductions; leave --reduce out or use --engine compiled")
    if options.engine == "reference" and options.trust_claims:
        raise UsageError("--trust-claims: the reference engine uses no claims; leave --trust-claims out")


def _needs_single_states(options: SearchOptions, invariants: Sequence[Invariant], constraints: Sequence[WrittenInvariant]) -> bool:
    """Whether the symbolic engine cannot do what is asked for, so that no choice is left."""
    bounded = options.max_states is not None or options.max_depth is not None
    return bounded or bool(constraints) or any(isinstance(each, WrittenInvariant | Progress) for each in invariants)


def _check_symbolic(options: SearchOptions, invariants: Sequence[Invariant]) -> None:
    """What needs states one by one is not for the symbolic engine."""
    if any(isinstance(each, Progress) and each.fair for each in invariants):
        raise UsageError(f"--engine symbolic: it does not see which runs are fair, and {FAIR.name} asks; leave --engine symbolic out")
    for option, given in (("--max-states", options.max_states), ("--max-depth", options.max_depth)):
        if given is not None:
            raise UsageError(
                f"{option} {given}: the symbolic engine meets no states one by one; give --time-limit or --max-memory, "
                f"or leave --engine symbolic out"
            )


def _check_strategy(options: SearchOptions) -> None:
    if options.strategy == "iterative" and options.keep_going:
        raise UsageError("--continue: --strategy iterative ends with the smallest configuration that breaks an invariant; leave one out")
    if options.strategy == "random":
        if options.engine not in ("compiled", "auto"):
            raise UsageError(f"--strategy random: walks need the tables of the compiled engine; leave --engine {options.engine} out")
        if options.time_limit is None and options.max_states is None:
            raise UsageError("--strategy random: walks never end by themselves; give --time-limit SECONDS or --max-states N")
        if options.max_depth is not None:
            raise UsageError(f"--max-depth {options.max_depth}: random walks are bounded by --walk-steps; give that instead")
    elif options.seed is not None or options.walk_steps is not None:
        option = "--seed" if options.seed is not None else "--walk-steps"
        raise UsageError(f"{option}: only random walks take it; add --strategy random")
