"""What the verbs that search have in common: the options of a search, and a search that is watched and can be stopped."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from pmmc_check.cli.interrupts import interruptible
from pmmc_check.cli.progress import progress_line, search_progress

if TYPE_CHECKING:
    from pmmc_check.api.options import SearchOptions
    from pmmc_check.checker.result import Control


def options_given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those of `SearchOptions` that the verb has under the same name."""
    from pmmc_check.api.options import SearchOptions

    return {each.name: getattr(arguments, each.name) for each in fields(SearchOptions) if hasattr(arguments, each.name)}


@contextmanager
def controlled(options: SearchOptions, arguments: argparse.Namespace, compiles: bool = True) -> Iterator[Control]:
    """Within, a search under this control shows its progress, and Ctrl-C ends it."""
    from pmmc_check.api.searching import limits_of
    from pmmc_check.checker.result import Control

    with progress_line(quiet=arguments.quiet) as report:
        control = Control(limits_of(options), search_progress(report))
        with interruptible(control):
            if compiles and options.engine != "reference":
                from pmmc_check.checker.compilation import announce_compilation

                announce_compilation()
            yield control
