"""How long `--slots any` takes: `python benchmarks/any_slots.py [--quick] [--out FILE]` prints one JSON object.

parts     premises, one-slot search and replica's part of the default, as a command would run them, kernels compiled before
one_slot  the one-slot system alone for growing numbers of acceptors and ballots: states, seconds, peak memory of a fresh process
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from pmmc_check.checker.any_slots.one_slot import OF_ONE_SLOT, Scope
from pmmc_check.checker.any_slots.search import AnySlotsSearch
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Limits
from pmmc_check.config import Config
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import PMMC

THREADS = 2
QUICK = ((3, 3), (3, 4), (5, 3))
ALL = (*QUICK, (3, 5), (7, 3), (5, 4), (3, 6))
SECONDS_MAX = 600


def searched(acceptors: int, ballots: int) -> dict[str, Any]:
    """One search of the one-slot system, in this process."""
    model = Scope(Config(acceptors=acceptors, slots=1), ballots).one_slot(PMMC)
    invariants = invariants_named(OF_ONE_SLOT)
    reductions, _ = applicable(reductions_named("all"), model, invariants)
    result = CompiledSearch(model, invariants, Control(Limits(seconds_max=SECONDS_MAX)), reductions, THREADS).run()
    return {
        "acceptors": acceptors,
        "ballots": ballots,
        "verdict": result.verdict,
        "distinct_states": result.distinct_states,
        "seconds": round(result.seconds, 2),
        "peak_memory_mib": round(result.peak_memory_bytes / 2**20),
    }


def parts() -> dict[str, float]:
    """The default, part by part."""

    def search(model: Any, invariants: Any, reductions: Any, control: Any) -> CompiledSearch:
        return CompiledSearch(model, invariants, control, reductions, THREADS)

    everything = invariants_named((*OF_ONE_SLOT, "R2", "R3", "R4", "R5"))
    how: dict[str, Any] = {"control": Control(), "reductions": reductions_named("all"), "make_search": search}
    result = AnySlotsSearch(Scope(Config(slots=1), ballots=4), PMMC, everything, **how).run()
    return {name: round(seconds, 2) for name, seconds in result.seconds.items()}


def fresh(acceptors: int, ballots: int) -> Any:
    """The same in a process of its own, so that memory is that of one search."""
    code = f"import json, any_slots; print(json.dumps(any_slots.searched({acceptors}, {ballots})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the small ones only")
    parser.add_argument("--out", metavar="FILE", help="also write the JSON to FILE")
    arguments = parser.parse_args()
    searched(1, 2)  # compiles the kernels
    answer = {"machine": f"{platform.machine()}, Python {platform.python_version()}, {THREADS} threads", "parts": parts()}
    answer["one_slot"] = [fresh(*each) for each in (QUICK if arguments.quick else ALL)]
    text = json.dumps(answer, indent=1)
    print(text)
    if arguments.out:
        Path(arguments.out).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
