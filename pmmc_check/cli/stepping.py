"""From options to what is explored step by step; `step`, `tour` and `explore --serve` share it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from pmmc_check.cli import specs
from pmmc_check.cli.outputs import prints_to_stderr
from pmmc_check.errors import UsageError

if TYPE_CHECKING:
    from pmmc_check.api.options import SearchOptions
    from pmmc_check.explorer.session import Session, Subject
    from pmmc_check.model.model import Model
    from pmmc_check.properties.invariants import Invariant
    from pmmc_check.spec.document import Spec


def subject_of(arguments: argparse.Namespace) -> tuple[Subject, Spec | None]:
    """What the options ask for.

    Raises:
        UsageError: an option is wrong, or asks for every number of slots.
    """
    from pmmc_check.api.searching import configured, protocol_of
    from pmmc_check.explorer.session import Subject
    from pmmc_check.model.model import Model

    spec = specs.spec_of(arguments)
    if arguments.slots == "any" or arguments.ballots is not None:
        raise UsageError("--slots any: a step is one of a bounded model; give a number of slots")
    options = search_options(arguments)
    model = Model(configured(options), protocol_of(options))
    asked = specs.asked_properties(arguments, spec, model)
    return Subject(model, invariants_to_show(asked, model, arguments.variant), asked.witnesses, tuple(arguments.variant)), spec


@contextmanager
def users_code_kept_in(arguments: argparse.Namespace) -> Iterator[None]:
    """Within, what roles of the user print goes to stderr, and they cannot end the process."""
    with ExitStack() as stack:
        if arguments.protocol:
            from pmmc_check.users_code import exits_refused

            stack.enter_context(prints_to_stderr())
            stack.enter_context(exits_refused())
        yield


def search_options(arguments: argparse.Namespace) -> SearchOptions:
    """The options as a search takes them."""
    from pmmc_check.api.options import SearchOptions
    from pmmc_check.api.roles import all_roles_from

    names = [name for name in SearchOptions.__dataclass_fields__ if name in vars(arguments)]
    return SearchOptions(
        **{name: getattr(arguments, name) for name in names},
        variants=arguments.variant,
        invariants=arguments.invariant,
        roles=all_roles_from(arguments.protocol),
    )


def invariants_to_show(asked: specs.AskedProperties, model: Model, variants: list[str]) -> tuple[Invariant, ...]:
    """The invariants that are evaluated in each state: those asked for, or all that can be judged."""
    from pmmc_check.properties.invariants import invariants_named
    from pmmc_check.properties.quorums import judgeable
    from pmmc_check.protocol.variants.catalogue import variants_named

    if asked.invariants:
        return asked.invariants
    waived = [name for each in variants_named(variants) for name in each.waives]
    return tuple(judgeable(model, invariants_named([], waived))[0])


def session_of(arguments: argparse.Namespace) -> tuple[Session, Spec | None, tuple[str, ...]]:
    """A session at its start, or at the end of what `--load` names; and what there is to say of that.

    Raises:
        UsageError: an option is wrong, or what is to be loaded has a configuration of its own.
        TraceError: what is to be loaded cannot be read.
    """
    from pmmc_check.explorer.session import begun

    if arguments.load is None:
        subject, spec = subject_of(arguments)
        return begun(subject), spec, ()
    _check_load(arguments)
    from pmmc_check.api.roles import all_roles_from
    from pmmc_check.explorer.loading import loaded, recording_in
    from pmmc_check.protocol import variant
    from pmmc_check.protocol.variants.catalogue import protocol_with

    recording = recording_in(arguments.load)
    variants = tuple(arguments.variant) or recording.variants
    roles = all_roles_from(arguments.protocol)
    given = {name: getattr(arguments, name) for name in LOADS}
    session, told = loaded(recording, variant(*roles, base=protocol_with(variants)), variants, given)
    return session, None, told


LOADS = ("slots", "rounds", "crashes", "restarts")
"""The options that go with `--load`: bounds of what may happen after the recorded run. All else is in the trace."""


def _check_load(arguments: argparse.Namespace) -> None:
    others = "spec acceptors leaders replicas commands window quorum1 quorum2 network reconfigurations faulty ballots invariant find"
    for name in others.split():
        if getattr(arguments, name):
            what = arguments.spec if name == "spec" else f"--{name.replace('_', '-')}"
            raise UsageError(f"--load {arguments.load}: its configuration is in the trace; leave {what} out")
    if arguments.slots == "any":
        raise UsageError("--slots any: a step is one of a bounded model; give a number of slots")
