"""`pmmc-check explore --slots any`: which options it takes, and how it is run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pmmc_check.errors import UsageError

if TYPE_CHECKING:
    from pmmc_check.checker.any_slots.one_slot import Scope
    from pmmc_check.checker.any_slots.search import AnySlotsResult, Engine
    from pmmc_check.checker.result import Control
    from pmmc_check.protocol import Protocol

BALLOTS_DEFAULT = 4
ANY = "any"


def wanted(arguments: argparse.Namespace) -> bool:
    """Whether the options ask for every number of slots.

    Raises:
        UsageError: an option is given that means something only then.
    """
    if arguments.strategy == "compositional" and arguments.slots is None:
        arguments.slots = ANY
    if arguments.slots == ANY:
        return True
    if arguments.strategy == "compositional":
        raise UsageError(f"--slots {arguments.slots}: the compositional strategy covers every number of slots; give --slots any, or leave it out")
    if arguments.ballots is not None:
        raise UsageError(f"--ballots {arguments.ballots}: ballots are counted where slots are not; add --slots any, or give --leaders and --rounds")
    if arguments.replica_slots is not None:
        raise UsageError(f"--replica-slots {arguments.replica_slots}: bounds the replica's part of --slots any; add that, or give --slots")
    return False


def scope(arguments: argparse.Namespace) -> Scope:
    """What remains bounded.

    Raises:
        UsageError: an option contradicts `--slots any`.
    """
    from pmmc_check.checker.any_slots.one_slot import Scope
    from pmmc_check.config import Config
    from pmmc_check.protocol.variants.catalogue import check_needs, variants_named

    _check_options(arguments)
    names = ("acceptors", "quorum1", "quorum2", "leaders", "rounds", "crashes", "restarts", "faulty")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    config = Config(**{"slots": 1, "replicas": 1, "commands": 2, **given})
    check_needs(variants_named(arguments.variant), {**vars(config), "reconfigurations": 1})
    ballotwise = arguments.leaders is None and arguments.rounds is None
    checked = Scope(config, arguments.ballots or BALLOTS_DEFAULT) if ballotwise else Scope(config)
    checked.one_slot_config()  # refuses what is too large before anything is searched
    return checked


def _check_options(arguments: argparse.Namespace) -> None:
    covered = {
        "replicas": "every number of replicas",
        "commands": "every number of commands",
        "window": "every WINDOW (of a replica by itself: 1 to 3)",
    }
    for name, what in covered.items():
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name} {getattr(arguments, name)}: --slots any covers {what}; leave --{name} out")
    if arguments.network != "duplicating":
        raise UsageError(
            f"--network {arguments.network}: --slots any covers all four networks, since the duplicating one can do what the others can; "
            f"leave --network out"
        )
    if arguments.reconfigurations is not None:
        raise UsageError(
            f"--reconfigurations {arguments.reconfigurations}: --slots any does not cover a change of acceptors; give a number of slots"
        )
    if arguments.ballots is not None and (arguments.leaders or arguments.rounds):
        other = "--leaders" if arguments.leaders else "--rounds"
        raise UsageError(f"--ballots {arguments.ballots}: with it there may be any number of leaders and rounds; leave out {other} or --ballots")
    if arguments.strategy in ("random", "iterative"):
        raise UsageError(f"--strategy {arguments.strategy}: --slots any is a strategy of its own; leave --strategy out")


def search(asked: Scope, protocol: Protocol, arguments: argparse.Namespace, engine: Engine, control: Control) -> AnySlotsResult:
    """Checks what the options ask for."""
    from pmmc_check.checker.any_slots.replica_part import ReplicaBounds
    from pmmc_check.checker.any_slots.search import OF_ONE_REPLICA, OF_ONE_SLOT, check_any_slots
    from pmmc_check.checker.reductions import reductions_named
    from pmmc_check.properties.invariants import invariants_named
    from pmmc_check.protocol.variants.catalogue import variants_named

    waived = [name for each in variants_named(arguments.variant) if not arguments.invariant for name in each.waives]
    known = [each for each in (*OF_ONE_SLOT, *OF_ONE_REPLICA) if each not in waived]
    invariants = invariants_named(arguments.invariant or known)
    bounds = ReplicaBounds(slots=arguments.replica_slots) if arguments.replica_slots else ReplicaBounds()
    return check_any_slots(asked, protocol, invariants, control, reductions_named(arguments.reduce or "all"), engine, bounds)


__all__ = ["ANY", "Any", "Sequence", "scope", "search", "wanted"]
