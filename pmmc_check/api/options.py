"""What an exploration is asked for, whoever asks: the command line or Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pmmc_check.errors import UsageError
from pmmc_check.protocol import Role

Slots = int | Literal["any"]
Engines = Literal["compiled", "symbolic", "auto", "reference"]
Strategies = Literal["exhaustive", "random", "iterative", "compositional"]
Roles = type[Role] | Sequence[type[Role]] | Mapping[str, type[Role]]


@dataclass(frozen=True)
class SearchOptions:
    """The options of `explore`, named as on the command line, in the plural where it repeats an option.

    None is the default that docs/explore.md tells. `time_limit` is in seconds, `max_memory` in MiB, and of the whole process.
    """

    acceptors: int | None = None
    leaders: int | None = None
    replicas: int | None = None
    slots: Slots | None = None
    commands: int | None = None
    rounds: int | None = None
    window: int | None = None
    quorum1: int | None = None
    quorum2: int | None = None
    network: str | None = None
    crashes: int | None = None
    restarts: int | None = None
    faulty: Sequence[str] | None = None
    reconfigurations: int | None = None
    ballots: int | None = None
    replica_slots: int | None = None
    replica_commands: int | None = None
    variants: Sequence[str] = ()
    roles: Roles = ()
    invariants: Sequence[str] = ()
    find: Sequence[str] = ()
    constraints: Sequence[str] = ()
    keep_going: bool = False
    engine: Engines = "compiled"
    strategy: Strategies = "exhaustive"
    seed: int | None = None
    walk_steps: int | None = None
    reduce: str | None = None
    trust_claims: bool = False
    threads: int | None = None
    max_states: int | None = None
    max_depth: int | None = None
    time_limit: float | None = None
    max_memory: int | None = None


def in_every_slot(options: SearchOptions) -> SearchOptions | None:
    """The options with `slots="any"`, where they ask for every number of slots, as the compositional strategy does; else None.

    Raises:
        UsageError: an option is given that means something only with `--slots any`.
    """
    if options.strategy == "compositional":
        if options.slots not in (None, "any"):
            raise UsageError(
                f"--slots {options.slots}: the compositional strategy covers every number of slots; give --slots any, or leave it out"
            )
        return replace(options, slots="any", strategy="exhaustive")
    if options.slots == "any":
        return options
    if options.ballots is not None:
        raise UsageError(
            f"--ballots {options.ballots}: ballots are counted where slots are not; add --slots any, or give --leaders and --rounds"
        )
    for option, value in (("slots", options.replica_slots), ("commands", options.replica_commands)):
        if value is not None:
            raise UsageError(f"--replica-{option} {value}: bounds the replica's part of --slots any; add that, or give --{option}")
    return None
