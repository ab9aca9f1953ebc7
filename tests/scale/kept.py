"""Searches that are stopped and go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pmmc_check.checker.checkpoints.folder import Checkpoints
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Limits, Result
from pmmc_check.checker.walks import RandomWalks
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import PMMC, Protocol

REDUCED = "inert,deferral,halting,symmetry"
"""All but commuting, without which searches are kept."""


def searched(
    config: Config,
    folder: Path | None = None,
    states: Sequence[int | None] = (None,),
    *,
    protocol: Protocol = PMMC,
    reduce: str = "all",
    names: Sequence[str] = (),
    walks: bool = False,
    every_seconds: float = 600.0,
    resume_at: int = 0,
    disk: Path | None = None,
    memory: int | None = None,
) -> Result:
    """The result of a search that was stopped at each of these counts of states but the last, and went on each time; without a folder it
    runs once, to the last. `resume_at`: so many of the parts have run already."""
    for number, states_max in list(enumerate(states))[resume_at:]:
        model, invariants = Model(config, protocol), invariants_named(names)
        reductions, _ = applicable(reductions_named(reduce), model, invariants)
        control = Control(Limits(states_max=states_max, memory_bytes_max=memory))

        def engine() -> Any:
            """A search that has not begun."""
            if walks:
                return RandomWalks(model, invariants, control)  # noqa: B023
            return CompiledSearch(model, invariants, control, reductions, disk=disk)  # noqa: B023

        if folder is None:
            if number == len(states) - 1:
                return without_what_varies(engine().run())
            continue
        with Checkpoints(folder, {}, resume=number > 0, begin=False, every_seconds=every_seconds) as control.checkpoints:
            result: Result = engine().run()
        assert result.checkpoints is not None
        assert (result.checkpoints.resumed is not None) == (number > 0)
    return without_what_varies(result)


def without_what_varies(result: Result) -> Result:
    """The same without times and what belongs to one process."""
    return replace(result, seconds=0.0, peak_memory_bytes=0, bytes_per_state=0.0, checkpoints=None, disk=None)
