"""`pmmc-check explore SPEC`, `--find` and `--invariant EXPR`: what is asked for, from a file and from options that override it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pmmc_check.api.asked import AskedProperties
    from pmmc_check.model.model import Model
    from pmmc_check.spec.document import Spec

__all__ = ["AskedProperties", "asked_properties", "spec_of"]


def spec_of(arguments: argparse.Namespace) -> Spec | None:
    """Reads the spec, if there is one, and lays what it sets under the options."""
    spec = None
    if arguments.spec is not None:
        from pmmc_check.api.specs import settings_of
        from pmmc_check.spec.document import read_spec

        spec = read_spec(arguments.spec)
        arguments.from_spec = {}
        for name, value in settings_of(spec, arguments.engine).items():
            if getattr(arguments, name) in (None, []):
                setattr(arguments, name, value)
                arguments.from_spec[name] = spec.settings["symmetry" if name not in spec.settings else name]
    if arguments.network is None:
        arguments.network = "duplicating"
    return spec


def asked_properties(arguments: argparse.Namespace, spec: Spec | None, model: Model) -> AskedProperties:
    """What is to be checked. Options override the spec: `--invariant` all its invariants, `--find` its witnesses, `--constraint` its
    constraints."""
    from pmmc_check.api.asked import properties_asked
    from pmmc_check.api.options import SearchOptions

    options = SearchOptions(
        invariants=arguments.invariant,
        find=arguments.find,
        fair=arguments.fair,
        constraints=arguments.constraint,
        engine=arguments.engine,
        strategy=arguments.strategy,
    )
    return properties_asked(options, spec, model)
