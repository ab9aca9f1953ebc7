"""`pmmc-check explore --slots any`: which options it takes, and how it is run."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from pmmc_check.cli import specs
from pmmc_check.errors import UsageError

if TYPE_CHECKING:
    from pmmc_check.checker.any_slots.one_slot import Scope
    from pmmc_check.checker.any_slots.search import AnySlotsResult, MakeSearch
    from pmmc_check.checker.result import Control
    from pmmc_check.protocol import Protocol
    from pmmc_check.spec.document import Spec

ANY = "any"
BALLOTS_DEFAULT = 4
_COVERED = {
    "replicas": "every number of replicas",
    "commands": "every number of commands",
    "window": "every WINDOW",
}


def wanted(arguments: argparse.Namespace) -> bool:
    """Whether the options ask for every number of slots; makes `--slots any` of `--strategy compositional`.

    Raises:
        UsageError: an option is given that means something only with `--slots any`.
    """
    if arguments.strategy == "compositional":
        if arguments.slots not in (None, ANY):
            raise UsageError(
                f"--slots {arguments.slots}: the compositional strategy covers every number of slots; give --slots any, or leave it out"
            )
        arguments.slots = ANY
    if arguments.slots == ANY:
        return True
    if arguments.ballots is not None:
        raise UsageError(
            f"--ballots {arguments.ballots}: ballots are counted where slots are not; add --slots any, or give --leaders and --rounds"
        )
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
    asked = Scope(config, arguments.ballots or BALLOTS_DEFAULT) if ballotwise else Scope(config)
    asked.one_slot_config()  # what is too large is refused before anything is searched
    return asked


def _check_options(arguments: argparse.Namespace) -> None:
    for name, what in _COVERED.items():
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
        raise UsageError(
            f"--ballots {arguments.ballots}: with it there may be any number of leaders and rounds; leave out either {other} or --ballots"
        )
    if arguments.strategy in ("random", "iterative"):
        raise UsageError(f"--strategy {arguments.strategy}: --slots any is a strategy of its own; leave --strategy out")


def search(asked: Scope, protocol: Protocol, arguments: argparse.Namespace, make_search: MakeSearch, control: Control) -> AnySlotsResult:
    """Checks what the options ask for."""
    from pmmc_check.checker.any_slots.one_slot import OF_ONE_REPLICA, OF_ONE_SLOT
    from pmmc_check.checker.any_slots.search import AnySlotsSearch
    from pmmc_check.checker.any_slots.surroundings import ReplicaBounds
    from pmmc_check.checker.reductions import reductions_named
    from pmmc_check.properties.invariants import invariants_named
    from pmmc_check.protocol.variants.catalogue import variants_named

    waived = [name for each in variants_named(arguments.variant) if not arguments.invariant for name in each.waives]
    invariants = invariants_named(arguments.invariant or [each for each in (*OF_ONE_SLOT, *OF_ONE_REPLICA) if each not in waived])
    bounds = ReplicaBounds(slots=arguments.replica_slots) if arguments.replica_slots else ReplicaBounds()
    reductions = reductions_named(arguments.reduce or "all")
    return AnySlotsSearch(asked, protocol, invariants, control=control, reductions=reductions, make_search=make_search, bounds=bounds).run()


def report(result: AnySlotsResult, arguments: argparse.Namespace, spec: Spec | None) -> str:
    """The result as it is printed."""
    from pmmc_check.cli.outputs import results_stream
    from pmmc_check.cli.terminal import layout
    from pmmc_check.report.any_slots_json import any_slots_as_json
    from pmmc_check.report.any_slots_text import any_slots_as_text

    if arguments.format == "json":
        return json.dumps(any_slots_as_json(result) | specs.as_json(spec, result.verdict, None), indent=1)
    text = any_slots_as_text(result, layout(results_stream(), arguments.color, arguments.view))
    return "\n".join([text, *specs.as_expected_text(spec, result.verdict, None)]).removesuffix("\n")
