"""The symbolic engine beside the compiled one and `auto`: processor time of the search, memory and nodes.

Each search has a process of its own, forked from one that has the kernels loaded, so start-up (1.1 s) does not count.

python benchmarks/symbolic.py [seconds for each search]
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any

from pmmc_check.checker.chosen import ChosenSearch
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import Control, Limits, Result
from pmmc_check.checker.symbolic.search import SymbolicSearch
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named

Counts = tuple[int, int, int, int, int, int]
"""Acceptors, leaders, replicas, slots, commands, rounds."""
CONFIGURATIONS: list[Counts] = [
    (1, 1, 1, 1, 2, 1),
    (3, 1, 1, 1, 1, 1),
    (1, 2, 1, 1, 2, 1),
    (1, 1, 2, 2, 2, 1),
    (1, 2, 2, 1, 2, 1),
    (1, 2, 1, 1, 2, 2),
    (2, 2, 1, 1, 2, 1),
    (2, 2, 2, 1, 2, 1),
    (1, 2, 2, 2, 2, 1),
    (3, 2, 1, 1, 1, 1),
    (3, 2, 1, 1, 2, 1),
    (2, 2, 1, 2, 1, 1),
    (2, 2, 1, 1, 2, 2),
    (3, 2, 2, 1, 2, 1),
    (2, 2, 1, 2, 2, 1),
    (2, 2, 2, 1, 2, 2),
    (3, 2, 1, 1, 1, 2),
    (3, 2, 2, 1, 2, 2),
    (2, 2, 2, 2, 2, 1),
    (3, 2, 2, 2, 2, 1),
]
ONE_BY_ONE_MAX = 20_000_000
"""States up to which the compiled engine is tried: half a gigabyte."""


def search(engine: str, counts: Counts, seconds: float) -> Result:
    """One search without reductions, on the network `duplicating`."""
    model, control = Model(Config(*counts)), Control(Limits(seconds_max=seconds))
    engines = {"symbolic": SymbolicSearch, "compiled": CompiledSearch, "auto": ChosenSearch}
    return engines[engine](model, invariants_named(()), control, Reductions()).run()  # type: ignore[no-any-return]


def measured(engine: str, counts: Counts, seconds: float) -> dict[str, Any]:
    """What one search in a process of its own found, and took."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        before = time.process_time()
        result = search(engine, counts, seconds)
        answer = {
            "states": result.distinct_states,
            "limit": result.limit,
            "seconds": time.process_time() - before,
            "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
            "nodes": result.diagram.nodes if result.diagram else 0,
            "peak_nodes": result.diagram.peak_nodes if result.diagram else 0,
        }
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        found: dict[str, Any] = json.load(stream)
    return found


def shown(answer: dict[str, Any] | None) -> str:
    """Seconds and memory of one search."""
    if answer is None:
        return "not tried"
    return f"not in {answer['seconds']:.0f} s" if answer["limit"] else f"{answer['seconds']:.2f} s, {answer['mebibytes']} MiB"


def main(seconds: float) -> None:
    """Prints a table."""
    for engine in ("symbolic", "compiled"):
        search(engine, CONFIGURATIONS[0], seconds)  # loads or compiles
    print("| A L R S C B | states | compiled | symbolic | auto | nodes | at most |\n|---|---|---|---|---|---|---|", flush=True)
    for counts in CONFIGURATIONS:
        symbolic = measured("symbolic", counts, seconds)
        few = not symbolic["limit"] and symbolic["states"] <= ONE_BY_ONE_MAX
        compiled = measured("compiled", counts, seconds) if few else None
        auto = None if symbolic["limit"] else measured("auto", counts, seconds)
        states = "not known" if symbolic["limit"] else f"{symbolic['states']:,}"
        cells = [" ".join(map(str, counts)), states, *map(shown, (compiled, symbolic, auto))]
        print("| " + " | ".join([*cells, f"{symbolic['nodes']:,}", f"{symbolic['peak_nodes']:,}"]) + " |", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
