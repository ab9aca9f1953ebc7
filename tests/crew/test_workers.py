"""A search that is shared out among workers answers to the last digit what one process answers: counts, coverage, claims, counterexamples.

Here the workers are in one process; `test_ray.py` has them as processes of Ray."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pmmc_check.checker.checkpoints.saved import ARRAYS, DamagedCheckpoint
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.crew import head
from pmmc_check.checker.crew import worker as crew_worker
from pmmc_check.checker.crew.crews import Crew, WithinProcess, WorkerLost
from pmmc_check.checker.crew.search import LOSSES_MAX, CrewSearch
from pmmc_check.checker.crew.worker import owners_of
from pmmc_check.checker.matrix import config_of
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Limits, Result
from pmmc_check.checker.workspace import CHUNK_STATES
from pmmc_check.config import Config
from pmmc_check.errors import PmmcError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.variants.catalogue import VARIANTS, combined
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED

Asked = tuple[Config, Protocol, str]
FAULTS = ("ignore-pmax", "accept-without-raise", "restart-loses-accepted", "skip-hole", "scout-counts-twice")
ASKED: dict[str, Asked] = {
    "small": (Config(1, 2, 2, 1, 2, 1), PMMC, "all"),
    "unreduced": (Config(1, 2, 1, 1, 2, 1), PMMC, "none"),
    "rounds": (Config(1, 2, 2, 1, 2, 2), PMMC, "all"),
    "wide": (Config(1, 1, 2, 2, 2, 1), PMMC, "none"),
    "large": (Config(3, 2, 2, 1, 2, 2), PMMC, "all"),
    "fifo": (Config(1, 2, 1, 1, 2, 1, network="fifo"), PMMC, "all"),
    "lossy": (Config(1, 2, 1, 1, 1, 2, network="lossy", crashes=1, restarts=1, faulty=("acceptor",)), PMMC, "inert,deferral"),
    **{name: (config_of(VARIANTS[name].smallest), combined([VARIANTS[name]]), "all") for name in FAULTS},
}


def prepared(asked: Asked, limits: Limits | None) -> dict[str, Any]:
    config, protocol, reduce = asked
    model, invariants = Model(config, protocol), invariants_named([])
    reductions, _ = applicable(reductions_named(reduce), model, invariants)
    return {"model": model, "invariants": invariants, "control": Control(limits or Limits()), "reductions": reductions}


def alone(asked: Asked, limits: Limits | None = None) -> Result:
    return comparable(CompiledSearch(**prepared(asked, limits)).run())


def shared(asked: Asked, crew: Crew, limits: Limits | None = None) -> Result:
    return CrewSearch(**prepared(asked, limits), make_crew=lambda: crew).run()


def comparable(result: Result) -> Result:
    return replace(result, seconds=0.0, peak_memory_bytes=0, bytes_per_state=0.0, crew=None)


class Distant(WithinProcess):
    """What is said is written and read again, as between processes. The worker that is to die does so when it is asked for `method` the
    `times`-th time, unless it has died before."""

    def __init__(self, workers: int, folder: Path | None = None, method: str = "", times: int = 1, deaths: int = 1) -> None:
        super().__init__(workers, folder)
        self.method, self.times, self.deaths, self.dead = method, times, deaths, False

    def start(self, workers: int) -> None:
        super().start(workers)
        self.dead = False

    def ask(self, worker: int, method: str, *arguments: Any) -> Any:
        if method == self.method and self.deaths:
            self.times -= 1
            if self.times == 0:
                self.dead, self.deaths, self.times = True, self.deaths - 1, 1
        if self.dead:
            return None
        return pickle.loads(pickle.dumps(super().ask(worker, method, *pickle.loads(pickle.dumps(arguments)))))

    def ask_for_parts(self, worker: int, method: str, *arguments: Any) -> list[Any]:
        return self.ask(worker, method, *arguments) or [None] * self.workers

    def answers(self, asked: Any) -> list[Any]:
        if self.dead:
            raise WorkerLost("a worker died")
        return super().answers(asked)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ASKED)
def test_any_number_of_workers_finds_what_one_process_finds(name: str) -> None:
    expected = alone(ASKED[name])
    assert expected.verdict == (VIOLATED if name in FAULTS else HOLDS)
    for workers in (2,) if name in ("large", "wide") else (1, 2, 3, 8):
        found = shared(ASKED[name], Distant(workers) if workers == 3 else WithinProcess(workers))
        assert comparable(found) == expected
        assert found.crew is not None and (found.crew.workers, found.crew.replaced) == (workers, 0)


def test_a_level_may_take_several_batches_and_waves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else this takes levels of a quarter of a million states."""
    monkeypatch.setattr("pmmc_check.checker.frontier.BATCH_STATES", 4 * CHUNK_STATES)
    monkeypatch.setattr(crew_worker, "BATCH_CHUNKS", 4)
    monkeypatch.setattr(head, "BATCH_CHUNKS", 4)
    monkeypatch.setattr(head, "WAVE_CHUNKS", 4)
    expected = alone(ASKED["wide"])
    assert max(expected.level_sizes) > 2 * 2 * 4 * CHUNK_STATES
    assert comparable(shared(ASKED["wide"], WithinProcess(2))) == expected


@pytest.mark.parametrize("limits", [Limits(states_max=500), Limits(states_max=1), Limits(depth_max=9)], ids=str)
def test_limits_stop_at_the_same_state(limits: Limits) -> None:
    expected = alone(ASKED["rounds"], limits)
    assert expected.verdict == INCONCLUSIVE
    for workers in (1, 3):
        assert comparable(shared(ASKED["rounds"], WithinProcess(workers), limits)) == expected


@pytest.mark.parametrize(("name", "method"), [
    *(("rounds", method) for method in ("expand", "done", "candidates", "take_in", "build", "drop", "write", "learn", "gather")),
    ("accept-without-raise", "build"), ("accept-without-raise", "find"), ("wide", "give"),
])  # fmt: skip
def test_a_worker_that_dies_is_replaced_and_nothing_changes(name: str, method: str, tmp_path: Path) -> None:
    crew = Distant(3, tmp_path / "levels", method, times={"give": 2, "find": 4}.get(method, 14))
    found = shared(ASKED[name], crew)
    assert comparable(found) == alone(ASKED[name])
    assert crew.deaths == 0 and found.crew is not None and found.crew.replaced == 1


def test_without_a_folder_a_worker_that_dies_ends_the_search_without_a_verdict() -> None:
    found = shared(ASKED["rounds"], Distant(2, None, "expand", times=40))
    assert found.verdict == INCONCLUSIVE and found.limit == "a worker died, and with it what it had found"
    with pytest.raises(PmmcError, match="a worker died before the run to the violation was put together"):
        shared(ASKED["accept-without-raise"], Distant(2, None, "find", times=4))


def test_a_crew_that_always_dies_is_given_up(tmp_path: Path) -> None:
    crew = Distant(2, tmp_path / "levels", "expand", times=40, deaths=100)
    found = shared(ASKED["rounds"], crew)
    assert found.verdict == INCONCLUSIVE and found.crew is not None and found.crew.replaced == LOSSES_MAX + 1


class Elastic(WithinProcess):
    """Machines come and go: at each level another number of workers is wanted."""

    def __init__(self, folder: Path, sizes: Callable[[int], int]) -> None:
        super().__init__(1, folder)
        self.sizes, self.asked = sizes, 0

    def wanted(self) -> int:
        self.asked += 1
        return self.sizes(self.asked)


@pytest.mark.parametrize("name", ["rounds", "accept-without-raise"])
def test_between_levels_workers_may_come_and_go(name: str, tmp_path: Path) -> None:
    crew = Elastic(tmp_path / "levels", lambda asked: 1 + asked // 3 % 4)
    assert comparable(shared(ASKED[name], crew)) == alone(ASKED[name])
    assert crew.asked > 8


def test_what_workers_wrote_is_checked_before_it_is_taken_up(tmp_path: Path) -> None:
    folder = tmp_path / "levels"
    crew = Distant(2, folder, "expand", times=40)
    begin = crew.start

    def damaged(workers: int) -> None:
        for arrays in sorted(folder.glob(f"*/*/{ARRAYS}"))[:1]:
            data = bytearray(arrays.read_bytes())
            data[-1] ^= 1
            arrays.write_bytes(data)
        begin(workers)

    crew.start = damaged  # type: ignore[method-assign]
    with pytest.raises(DamagedCheckpoint):
        shared(ASKED["rounds"], crew)


def test_every_fingerprint_has_an_owner_and_owners_have_like_shares() -> None:
    fingerprints = np.random.default_rng(1).integers(0, 1 << 64, 100_000, np.uint64)
    for workers in (1, 2, 3, 8, 100):
        shares = np.bincount(owners_of(fingerprints, workers), minlength=workers)
        assert len(shares) == workers and shares.max() < 1.2 * shares.min()
