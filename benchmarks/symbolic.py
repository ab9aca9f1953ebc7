"""The symbolic engine beside the compiled one: processor time of the whole command, memory and nodes, each search in a process of its own.

python benchmarks/symbolic.py [seconds for each search]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import Any

COUNTS = ("acceptors", "leaders", "replicas", "slots", "commands", "rounds")
CONFIGURATIONS = [
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


def search(engine: str, reduce: str, counts: tuple[int, ...], seconds: float) -> dict[str, Any]:
    """The JSON of one search."""
    options = [part for name, count in zip(COUNTS, counts, strict=True) for part in (f"--{name}", str(count))]
    how = ["--engine", engine, "--reduce", reduce, "--threads", "1", "--time-limit", str(seconds), "--quiet", "--format", "json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "pmmc_check", "explore", *options, *how], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer: dict[str, Any] = json.loads(done.stdout)
    answer["processor_seconds"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return answer


def shown(answer: dict[str, Any]) -> str:
    """States, seconds and memory of one search."""
    if answer["limit"]:
        return f"not in {answer['processor_seconds']:.0f} s"
    return f"{answer['processor_seconds']:.1f} s, {answer['peak_memory_bytes'] >> 20} MiB"


def main(seconds: float) -> None:
    """Prints a table of unreduced searches on the network `duplicating`."""
    for engine in ("symbolic", "compiled"):
        search(engine, "none", CONFIGURATIONS[0], seconds)  # compiles
    print(
        "| A L R S C B | states | compiled | symbolic | nodes | at most | memory of the diagram |\n|---|---|---|---|---|---|---|",
        flush=True,
    )
    for counts in CONFIGURATIONS:
        symbolic = search("symbolic", "none", counts, seconds)
        few = not symbolic["limit"] and symbolic["distinct_states"] <= ONE_BY_ONE_MAX
        compiled = shown(search("compiled", "none", counts, seconds)) if few else "not tried"
        diagram = symbolic["diagram"]
        size = f"{diagram['nodes']:,} | {diagram['peak_nodes']:,} | {diagram['memory_bytes'] >> 20} MiB"
        states = "" if symbolic["limit"] else f"{symbolic['distinct_states']:,}"
        print(f"| {' '.join(map(str, counts))} | {states} | {compiled} | {shown(symbolic)} | {size} |", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
