"""How a search grows with its workers: time and processor time by threads and by processes of Ray, and what travels between workers.

    python benchmarks/workers.py [--acceptors N] [--rounds N] [--workers 1,2,4]

Prints a table in Markdown, for docs/workers.md. The search is `--acceptors 2 --rounds 2` unless said, reduced as by default."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import psutil

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.crew.actors import Actors
from pmmc_check.checker.crew.crews import WithinProcess
from pmmc_check.checker.crew.search import CrewSearch
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Result
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named


def prepared(config: Config) -> dict[str, Any]:
    """What any search over this configuration takes."""
    model, invariants = Model(config), invariants_named([])
    reductions, _ = applicable(reductions_named("all"), model, invariants)
    return {"model": model, "invariants": invariants, "control": Control(), "reductions": reductions}


class Weighed(WithinProcess):
    """Counts the bytes that one worker says to another, and those that the head sends to each."""

    between = news = 0

    def ask(self, worker: int, method: str, *arguments: Any) -> Any:
        """As a crew does, with a look at what is said."""
        if method == "learn":
            self.news += weight(arguments)
        elif method in ("take_in", "build"):
            self.between += sum(weight(each) for sender, each in enumerate(arguments[1:]) if sender != worker)
        elif method == "gather":
            self.between += weight(arguments[3:])
        return super().ask(worker, method, *arguments)


def weight(value: Any) -> int:
    """The bytes of all arrays in `value`; of truth values as bits."""
    if isinstance(value, np.ndarray):
        return value.nbytes // 8 if value.dtype == np.bool_ else value.nbytes
    if isinstance(value, dict):
        return sum(map(weight, value.values()))
    return sum(map(weight, value)) if isinstance(value, tuple | list) else 0


class TimedActors(Actors):
    """Notes when the workers are up, and their processor time at the end."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.up_at = self.cpu_seconds = 0.0

    def start(self, workers: int) -> None:
        """As a crew does, and waits until all have answered."""
        super().start(workers)
        self.cpu_seconds = -self._cpu_seconds()
        self.up_at = time.monotonic()

    def close(self) -> None:
        """Looks at the clock before the workers end."""
        if self.workers:
            self.cpu_seconds += self._cpu_seconds()
        super().close()

    def _cpu_seconds(self) -> float:
        times = [psutil.Process(each).cpu_times() for each in self.processes()]
        return sum(each.user + each.system for each in times)


def by_threads(config: Config, threads: int) -> tuple[Result, float, float]:
    """A search by threads: its result, seconds, and processor seconds."""
    began, cpu = time.monotonic(), time.process_time()
    result = CompiledSearch(**prepared(config), threads=threads).run()
    return result, time.monotonic() - began, time.process_time() - cpu


def by_workers(config: Config, workers: int) -> tuple[Result, float, float]:
    """A search by workers, from when they are up."""
    crew = TimedActors(workers)
    search = CrewSearch(**prepared(config), make_crew=lambda: crew)
    cpu = time.process_time()
    result = search.run()
    seconds = search.control.started_at + result.seconds - crew.up_at
    return result, seconds, time.process_time() - cpu + crew.cpu_seconds


def same(one: Result, other: Result) -> bool:
    """Whether two results are the same but for time and memory."""
    plain = [replace(each, seconds=0.0, peak_memory_bytes=0, bytes_per_state=0.0, crew=None) for each in (one, other)]
    return plain[0] == plain[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--acceptors", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", default="1,2,4")
    given = parser.parse_args(arguments)
    config = Config(acceptors=given.acceptors, rounds=given.rounds)
    expected, *_ = by_threads(config, 1)  # kernels are loaded
    print(f"{expected.distinct_states:,} states, {expected.generated_states:,} steps, {len(expected.level_sizes)} levels\n")
    print("| | seconds | processor seconds | MB between workers | MB of table entries to each |")
    print("|---|---|---|---|---|")
    for threads in (1, 2):
        result, seconds, cpu = by_threads(config, threads)
        assert same(result, expected)
        print(f"| {threads} thread{'s' * (threads > 1)} | {seconds:.1f} | {cpu:.1f} | | |", flush=True)
    for workers in map(int, given.workers.split(",")):
        result, seconds, cpu = by_workers(config, workers)
        weighed = Weighed(workers)
        assert same(result, expected) and same(CrewSearch(**prepared(config), make_crew=lambda crew=weighed: crew).run(), expected)
        told = f"{weighed.between / 1e6:.1f} | {weighed.news / workers / 1e6:.1f}"
        print(f"| {workers} worker{'s' * (workers > 1)} | {seconds:.1f} | {cpu:.1f} | {told} |", flush=True)


if __name__ == "__main__":
    main()
