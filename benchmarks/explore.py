"""How fast `explore` is: `python benchmarks/explore.py [--quick] [--out FILE]` prints one JSON object.

    unreduced   generated steps a second without any reduction, for 1 and 2 threads
    default     the default configuration end to end: as a command (start-up included) and the search alone
    family      acceptors 1..3 × slots 1..2 × rounds 1..2, all reductions: states, seconds, bytes a state
    baselines   the reference search and a plain breadth-first search into a networkx graph, in the same run, with the compiled
                search's ratio to each: the machine's speed cancels out

Compilation of the kernels is not counted: they are warmed up first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import networkx as nx

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.reference import ReferenceSearch
from pmmc_check.checker.result import Control, Limits, Result
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import INVARIANTS

UNREDUCED: dict[str, Any] = {"acceptors": 2, "leaders": 2, "replicas": 2, "slots": 1, "commands": 2, "rounds": 1}
BASELINE: dict[str, Any] = {"acceptors": 3, "leaders": 1, "replicas": 1, "slots": 1, "commands": 2, "rounds": 1}


def compiled(reduce: str, threads: int, seconds_max: float | None = None, **counts: Any) -> Result:
    model = Model(Config(**counts))
    reductions, _ = applicable(reductions_named(reduce), model)
    control = Control(Limits(seconds_max=seconds_max))
    return CompiledSearch(model, list(INVARIANTS.values()), control, reductions, threads).run()


def rate(result: Result) -> int:
    return round(result.generated_states / result.seconds)


def summary(result: Result) -> dict[str, Any]:
    return {
        "verdict": result.verdict,
        "distinct_states": result.distinct_states,
        "generated_states": result.generated_states,
        "depth": result.depth,
        "seconds": round(result.seconds, 3),
        "steps_per_second": rate(result),
        "bytes_per_state": round(result.bytes_per_state, 1),
    }


def unreduced(runs: int) -> dict[str, Any]:
    measured: dict[str, Any] = {"config": UNREDUCED}
    for threads in (1, 2):
        results = [compiled("none", threads, **UNREDUCED) for _ in range(runs)]
        best = max(results, key=rate)
        measured[f"threads_{threads}"] = {
            **summary(best),
            "steps_per_second_median": round(statistics.median(map(rate, results))),
        }
    return measured


def default(runs: int) -> dict[str, Any]:
    measured: dict[str, Any] = {}
    for network in ("duplicating", "reliable"):
        command = [sys.executable, "-m", "pmmc_check", "explore", "--network", network, "--format", "json", "--quiet"]
        wall, answers = [], []
        for _ in range(runs):
            begun = time.perf_counter()
            answers.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            wall.append(time.perf_counter() - begun)
        measured[network] = {
            "command_seconds": round(min(wall), 3),
            "search_seconds": min(answer["seconds"] for answer in answers),
            **{key: answers[0][key] for key in ("verdict", "distinct_states", "generated_states", "depth", "peak_memory_bytes")},
        }
    return measured


def family(seconds_max: float) -> list[dict[str, Any]]:
    return [
        {"acceptors": acceptors, "slots": slots, "rounds": rounds}
        | summary(compiled("all", 2, seconds_max, acceptors=acceptors, slots=slots, rounds=rounds))
        for acceptors in (1, 2, 3)
        for slots in (1, 2)
        for rounds in (1, 2)
    ]


def networkx_steps_per_second() -> float:
    """Breadth-first search into a graph whose nodes are the states themselves."""
    model = Model(Config(**BASELINE))
    begun = time.perf_counter()
    graph = nx.MultiDiGraph()
    frontier = [model.initial()]
    graph.add_node(frontier[0])
    while frontier:
        following = []
        for state in frontier:
            for step, after in model.steps(state):
                if after not in graph:
                    following.append(after)
                graph.add_edge(state, after, step=step)
        frontier = following
    steps: int = graph.number_of_edges()
    return steps / (time.perf_counter() - begun)


def baselines() -> dict[str, Any]:
    reference = ReferenceSearch(Model(Config(**BASELINE)), list(INVARIANTS.values()), Control()).run()
    ours = rate(compiled("none", 2, **UNREDUCED))
    plain = networkx_steps_per_second()
    return {
        "config": BASELINE,
        "reference_steps_per_second": rate(reference),
        "networkx_steps_per_second": round(plain),
        "compiled_to_reference": round(ours / rate(reference), 1),
        "compiled_to_networkx": round(ours / plain, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run each, 5 seconds for each member of the family")
    parser.add_argument("--out", type=Path, help="also write the JSON to this file")
    arguments = parser.parse_args()
    runs, seconds_max = (1, 5.0) if arguments.quick else (3, 60.0)
    compiled("all", 2, acceptors=1)
    compiled("none", 1, acceptors=1, leaders=1, slots=1)
    report = json.dumps(
        {
            "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()},
            "load_average_before": os.getloadavg()[0],
            "unreduced": unreduced(runs),
            "default": default(runs),
            "family": family(seconds_max),
            "baselines": baselines(),
        },
        indent=1,
    )
    if arguments.out:
        arguments.out.write_text(report + "\n")
    print(report)


if __name__ == "__main__":
    main()
