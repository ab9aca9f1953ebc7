"""Runs to show: counterexamples, and walks through the model that take the steps that one wants to see."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from pmmc_check.api.options import SearchOptions
from pmmc_check.api.searching import configured, protocol_of, result_of
from pmmc_check.api.simulating import simulate
from pmmc_check.checker.result import Control, Result, TraceStep, Violation
from pmmc_check.config import Config
from pmmc_check.model.faults import Crash, Drop, Restart
from pmmc_check.model.model import Model, State, Step
from pmmc_check.protocol.messages import Decision
from pmmc_check.report.runs.of_search import run_of_violation, run_of_witness
from pmmc_check.report.runs.of_trace import run_of_trace
from pmmc_check.report.runs.run import Run
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge

NETWORKS = ("duplicating", "reliable", "lossy", "fifo")


@cache
def searched(variant: str | None = "ignore-pmax", network: str = "duplicating") -> tuple[Result, Model]:
    variants = [variant] if variant else []
    sizes = {"acceptors": 1, "leaders": 2, "replicas": 2, "slots": 1, "commands": 2}
    options = SearchOptions(**sizes, network=network, variants=variants, invariants=("Agreement",))  # type: ignore[arg-type]  # counts
    result, model, _ = result_of(options, Model(configured(options), protocol_of(options)), Control(), None)
    return result, model


def counterexample(network: str = "duplicating") -> Run:
    result, model = searched(network=network)
    assert result.violation is not None
    return run_of_violation(result.violation, model)


def walk(config: Config, wants: list[Callable[[Step], bool]], steps: int, seed: int = 1) -> Run:
    """A walk at random, but each of `wants` is taken as soon as it can be, in their order."""
    model, rng = Model(config), random.Random(seed)
    state: State = model.initial()
    initial, taken, left = state, list[TraceStep](), list(wants)
    while len(taken) < steps and (found := list(model.steps(state))):
        wanted = [each for each in found if left and left[0](each[0])]
        usual = [each for each in found if not isinstance(each[0].message, Crash | Restart | Drop)] or found
        step, state = wanted[0] if wanted else rng.choice(usual)
        left = left[1:] if wanted else left
        taken.append(TraceStep(step, state))
    assert not left, "the walk did not see all that it should show"
    return run_of_witness("a walk", Violation("a walk", "", initial, tuple(taken)), model)


def eventful(network: str) -> Run:
    """A crash, a restart, on lossy networks a drop, and a decision."""
    sizes = {"acceptors": 3, "leaders": 2, "replicas": 2, "slots": 1, "commands": 2, "rounds": 2}
    config = Config(**sizes, network=network, crashes=1, restarts=1, faulty=("acceptor",))  # type: ignore[arg-type]  # counts
    drop: list[Callable[[Step], bool]] = [lambda step: isinstance(step.message, Drop)] if network == "lossy" else []
    return walk(config, [lambda step: isinstance(step.message, Crash), lambda step: isinstance(step.message, Restart), *drop], 45)


def reconfigured() -> Run:
    """A reconfiguration is decided and takes effect."""
    config = Config(acceptors=1, leaders=1, replicas=1, slots=3, commands=2, window=1, reconfigurations=1, network="reliable")
    decides: Callable[[Step], bool] = lambda step: isinstance(step.message, Decision)  # noqa: E731
    return walk(config, [decides] * 3, 60)


def simulated(folder: Path, **options: Any) -> Run:
    source = Source(simulate(**{"events": 300, "seed": 4, **options}).write(folder / "simulated.pmmc"))
    return run_of_trace(source, judge(source))
