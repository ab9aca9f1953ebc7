"""Searches that are kept: `--checkpoint` and `--resume`, for whoever asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmmc_check.api.options import SearchOptions
from pmmc_check.checker.result import Control
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model

if TYPE_CHECKING:
    from pmmc_check.api.asked import AskedProperties
    from pmmc_check.spec.document import Spec

Controlled = Callable[[], AbstractContextManager[Control]]
"""Makes what a search runs in: under this control, whose limits begin anew with each search."""

_SECONDS_A_MINUTE = 60.0
_SAME = {
    "reduce": "--reduce",
    "strategy": "--strategy",
    "engine": "--engine",
    "seed": "--seed",
    "walk_steps": "--walk-steps",
    "keep_going": "--continue",
    "trust_claims": "--trust-claims",
    "fair": "--fair",
}
"""Options that make it another search; those that are not here only say how far and how fast it goes."""
_DEFAULTS = {"reduce": "all"}
"""What an option means that is not given."""


def check_not_kept(options: SearchOptions, because: str) -> None:
    """That no checkpoints are asked for.

    Raises:
        UsageError: they are.
    """
    for name in ("checkpoint", "resume", "checkpoint_every"):
        if (value := getattr(options, name)) is not None:
            remedy = f"leave --{name.replace('_', '-')} out"
            raise UsageError(f"--{name.replace('_', '-')} {value}: {because} keeps no checkpoints; {remedy}")


@contextmanager
def kept(options: SearchOptions, asked: AskedProperties, model: Model, spec: Spec | None, controlled: Controlled) -> Iterator[Controlled]:
    """Within, searches are kept as the options say.

    Raises:
        UsageError: the options contradict each other, the folder cannot be used, or holds another search.
    """
    if options.checkpoint is None and options.resume is None:
        if options.checkpoint_every is not None:
            raise UsageError(f"--checkpoint-every {options.checkpoint_every:g}: nothing is kept; add --checkpoint DIR")
        yield controlled
        return
    from pmmc_check.checker.checkpoints.folder import EVERY_SECONDS, Checkpoints  # noqa: PLC0415  # most searches are not kept

    _check(options)
    folder = Path(options.resume or options.checkpoint or "")
    every = EVERY_SECONDS if options.checkpoint_every is None else options.checkpoint_every * _SECONDS_A_MINUTE
    resume, begin = options.resume is not None, options.checkpoint is not None
    with Checkpoints(folder, _told(options, asked, model, spec), resume=resume, begin=begin, every_seconds=every) as checkpoints:

        @contextmanager
        def controlled_and_kept() -> Iterator[Control]:
            with controlled() as control:
                control.checkpoints = checkpoints
                yield control

        yield controlled_and_kept


def _check(options: SearchOptions) -> None:
    if options.engine != "compiled":
        check_not_kept(options, f"--engine {options.engine}")
    for name, value in (("checkpoint", options.checkpoint), ("resume", options.resume)):
        if value is not None and not value:
            raise UsageError(f"--{name}: give the name of a folder")
    if options.checkpoint is not None and options.resume is not None and Path(options.checkpoint) != Path(options.resume):
        raise UsageError(f"--resume {options.resume}: checkpoints go on where it was kept; leave --checkpoint {options.checkpoint} out")
    if options.checkpoint_every is not None and not options.checkpoint_every > 0:
        raise UsageError(f"--checkpoint-every {options.checkpoint_every:g}: must be a positive number of minutes")


def _told(options: SearchOptions, asked: AskedProperties, model: Model, spec: Spec | None) -> dict[str, Any]:
    """What is asked for, as far as it changes what is found."""
    from pmmc_check.checker.checkpoints.identity import roles_told, told  # noqa: PLC0415  # as above

    properties = {"invariants": asked.invariants, "witnesses": asked.witnesses, "constraints": asked.constraints}
    return {
        "config": model.config.as_dict(),
        "roles": roles_told(model),
        **{name: [told(each) for each in found] for name, found in properties.items()},
        **({"invariants": ["all built-in ones"]} if asked.built_in else {}),
        "variants": list(options.variants),
        **{option: _DEFAULTS.get(name) if (value := getattr(options, name)) is None else value for name, option in _SAME.items()},
        "spec": None if spec is None else spec.source.text,
    }
