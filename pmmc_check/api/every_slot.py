"""`explore` for every number of slots: which options it takes, and how it is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pmmc_check.api.crews import shared_out
from pmmc_check.api.options import SearchOptions
from pmmc_check.api.searching import engine_for, protocol_of
from pmmc_check.checker.any_slots.one_slot import OF_ONE_REPLICA, OF_ONE_SLOT, Scope
from pmmc_check.checker.any_slots.own import OwnInvariant
from pmmc_check.checker.any_slots.search import AnySlotsResult, AnySlotsSearch
from pmmc_check.checker.any_slots.surroundings import ReplicaBounds
from pmmc_check.checker.reductions import Reductions, reductions_named
from pmmc_check.checker.result import Control, Search
from pmmc_check.config import Config
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import Invariant, invariants_named
from pmmc_check.protocol.variants.catalogue import check_needs, variants_named

BALLOTS_DEFAULT = 4
BALLOTS_MAX = 20
"""Each ballot more makes twenty times as many states."""
_COVERED = {
    "replicas": "every number of replicas",
    "commands": "every number of commands",
    "window": "every WINDOW",
}


def scope_of(options: SearchOptions) -> Scope:
    """What remains bounded.

    Raises:
        UsageError: an option contradicts `--slots any`.
    """
    _check_options(options)
    names = ("acceptors", "quorum1", "quorum2", "leaders", "rounds", "crashes", "restarts", "faulty")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    config = Config(**{"slots": 1, "replicas": 1, "commands": 2, **given})
    check_needs(variants_named(options.variants), {**vars(config), "reconfigurations": 1})
    ballotwise = options.leaders is None and options.rounds is None
    asked = Scope(config, options.ballots or BALLOTS_DEFAULT) if ballotwise else Scope(config)
    if asked.ballots is not None and asked.ballots > BALLOTS_MAX:
        raise UsageError(f"--ballots {asked.ballots}: no search could end with more than {BALLOTS_MAX}; lower --ballots")
    asked.one_slot_config()  # what is too large is refused before anything is searched
    return asked


def _check_options(options: SearchOptions) -> None:
    for name, what in _COVERED.items():
        if getattr(options, name) is not None:
            raise UsageError(f"--{name} {getattr(options, name)}: --slots any covers {what}; leave --{name} out")
    if options.network not in (None, "duplicating"):
        raise UsageError(
            f"--network {options.network}: --slots any covers all four networks, since the duplicating one can do what the others can; "
            f"leave --network out"
        )
    if options.reconfigurations is not None:
        raise UsageError(
            f"--reconfigurations {options.reconfigurations}: --slots any does not cover a change of acceptors; give a number of slots"
        )
    if options.ballots is not None and (options.leaders or options.rounds):
        other = "--leaders" if options.leaders else "--rounds"
        raise UsageError(
            f"--ballots {options.ballots}: with it there may be any number of leaders and rounds; leave out either {other} or --ballots"
        )
    if options.trust_claims:
        raise UsageError("--trust-claims: --slots any rests on claims that are checked; leave --trust-claims out")
    if shared_out(options):
        raise UsageError(f"{shared_out(options)}: --slots any is for one process; give a number of slots, or leave it out")
    if options.fair:
        raise UsageError("--fair: --slots any does not cover Progress; give a number of slots, or leave --fair out")
    if options.keep_going:
        raise UsageError("--continue: --slots any ends with the first violation; give a number of slots, or name one --invariant at a time")
    if options.strategy in ("random", "iterative"):
        raise UsageError(f"--strategy {options.strategy}: --slots any is a strategy of its own; leave --strategy out")


def _replica_bounds(options: SearchOptions) -> ReplicaBounds:
    """How far the replica's part goes."""
    usual = ReplicaBounds()
    return replace(usual, slots=options.replica_slots or usual.slots, commands=options.replica_commands or usual.commands)


def searched_every_slot(options: SearchOptions, control: Control, own: Sequence[OwnInvariant] = ()) -> AnySlotsResult:
    """Checks the built-in invariants that the options name, and the user's `own`; without any, all built-in ones.

    Raises:
        UsageError: options contradict each other.
        PmmcError: one of the user's does not speak of one slot.
        ProtocolError: a role breaks its contract, or one slot does not stand for all of these roles.
    """

    def make_search(model: Model, invariants: Sequence[Invariant], reductions: Reductions, control: Control) -> Search:
        return engine_for(options, invariants, control, reductions)(model)

    waived = [name for each in variants_named(options.variants) if not options.invariants for name in each.waives]
    names = options.invariants or [each for each in (*OF_ONE_SLOT, *OF_ONE_REPLICA) if each not in waived]
    invariants = [] if own and not options.invariants else invariants_named(names)
    bounds = _replica_bounds(options)
    return AnySlotsSearch(
        scope_of(options),
        protocol_of(options),
        invariants,
        own=own,
        control=control,
        reductions=replace(reductions_named(options.reduce or "all"), commuting=False),
        make_search=make_search,
        bounds=bounds,
    ).run()
