"""What an exploration is asked for, whoever asks: the command line or Python."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, Literal, get_args

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.protocol import Role

Slots = int | Literal["any"]
Engines = Literal["compiled", "symbolic", "auto", "reference"]
Strategies = Literal["exhaustive", "random", "iterative", "compositional"]
Roles = type[Role] | Sequence[type[Role]] | Mapping[str, type[Role]]


@dataclass(frozen=True)
class SearchOptions:
    """The options of `explore`, named as on the command line, in the plural where it repeats an option.

    None is the default that docs/explore.md tells. `time_limit` is in seconds, `max_memory` in MiB, and of the whole process;
    `checkpoint_every` is in minutes.
    Where strings are taken, a single one stands for a list of it.

    Raises:
        UsageError: a value is of a wrong type.
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
    fair: bool = False
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
    disk: str | None = None
    checkpoint: str | None = None
    checkpoint_every: float | None = None
    resume: str | None = None
    workers: int | None = None
    cluster: str | None = None
    recover: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _fitting(field.name, str(field.type), getattr(self, field.name)))
        for each in self.invariants:
            names = [name.strip() for name in each.split(",")]
            if len(names) > 1 and all(map(str.isidentifier, names)):
                repeated = " ".join(f"--invariant {name}" for name in names)
                raise UsageError(f"--invariant {each}: takes one invariant; repeat it: {repeated} (in Python, give a list)")


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


def whole_number(name: str, value: Any) -> Any:
    """`value`, which the parameter `name` takes.

    Raises:
        UsageError: it is no whole number.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise _unfit(name, value, "a whole number")
    return value


def whole_numbers(given: Mapping[str, Any]) -> None:
    """Checks several at once; None stands for a default."""
    for name, value in given.items():
        if value is not None:
            whole_number(name, value)


def any_number(name: str, value: Any) -> Any:
    """The same of any number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _unfit(name, value, "a number")
    return value


def strings(name: str, value: Any) -> Any:
    """What the parameter `name` takes for a list of strings: these, or a single one.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Collection) or isinstance(value, Mapping) or not all(isinstance(each, str) for each in value):
        raise _unfit(name, value, "a string or a list of strings")
    return value


def _fitting(name: str, annotation: str, value: Any) -> Any:
    """`value` as the annotation of the option has it."""
    kind = annotation.removesuffix(" | None")
    if (kind != annotation and value is None) or (kind == "Slots" and isinstance(value, str) and value == "any"):
        return value
    if kind in _CHOICES and value not in (choices := get_args(_CHOICES[kind])):
        raise UsageError(f"{name}={value!r}: expected one of {', '.join(choices)}{did_you_mean(str(value), choices)}")
    if kind in _PLAIN and not isinstance(value, _PLAIN[kind][0]):
        raise _unfit(name, value, _PLAIN[kind][1])
    return _CHECKED[kind](name, value) if kind in _CHECKED else value


_CHOICES = {"Engines": Engines, "Strategies": Strategies}
_PLAIN = {"str": (str, "a string"), "bool": (bool, "True or False")}
_CHECKED = {"int": whole_number, "Slots": whole_number, "float": any_number, "Sequence[str]": strings}


def _unfit(name: str, value: Any, expected: str) -> UsageError:
    return UsageError(f"{name}={value!r}: expected {expected}{', or any' if name == 'slots' else ''}, found {type(value).__name__}")
