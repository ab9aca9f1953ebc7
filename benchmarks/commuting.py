"""What commuting is worth: states, steps and processor time with it and without, in turn, and the largest memory of each.

    python benchmarks/commuting.py [SECONDS]

prints a row for each configuration. SECONDS (default 60) bounds each search; what has not ended by then says how far it got."""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from pmmc_check.checker.commuting_search import CommutingSearch
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Limits
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named

CONFIGS = {
    "default": {},
    "default, reliable": {"network": "reliable"},
    "default, lossy": {"network": "lossy"},
    "2 acceptors": {"acceptors": 2},
    "1 replica, 1 command": {"replicas": 1, "commands": 1},
    "1 slot, 2 commands, 2 rounds": {"slots": 1, "commands": 2, "rounds": 2},
    "2 acceptors, 2 rounds": {"acceptors": 2, "rounds": 2},
}
REDUCTIONS = ("inert,deferral,halting,symmetry", "all")


def measure(name: str, reduce: str, seconds: float) -> str:
    """One search in this process, as a cell of the table."""
    model, invariants = Model(Config(**CONFIGS[name])), invariants_named(())
    reductions, _ = applicable(reductions_named(reduce), model, invariants)
    began = time.process_time()
    search = CommutingSearch(model, invariants, Control(Limits(seconds_max=seconds)), reductions)
    result = search.run()
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    took = time.process_time() - began
    so_far = "" if result.verdict == "holds" else f" ({result.verdict})"
    return f"{result.distinct_states:,} states, {result.generated_states:,} steps, {took:.1f} s, {peak_mib} MiB{so_far}"


def main() -> None:
    """Each search in a process of its own, so that memory is its own, too."""
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    print("| configuration | without | with |\n|---|---|---|")
    for name in CONFIGS:
        cells = [subprocess.check_output([sys.executable, __file__, "one", name, each, seconds], text=True).strip() for each in REDUCTIONS]
        print(f"| {name} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        print(measure(sys.argv[2], sys.argv[3], float(sys.argv[4])))
    else:
        main()
