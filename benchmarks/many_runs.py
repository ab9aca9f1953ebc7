"""Many runs of the live cluster, one after the other; every failure is a bug. For the night (docs/run.md).

    PYTHONPATH=. python benchmarks/many_runs.py [--simulated 2000] [--processes 100] [--first 1]

Simulated: ten virtual minutes with all faults and 200 requests each. With every second seed slots are forgotten after 20, with every third
the leaders and acceptors are replaced in the middle; machines take turns. Processes: the default `pmmc-check run`.
Prints a line for each run that fails and for every hundredth seed, and then what came of all; exit code 1 where one failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from pmmc_check.report.run_text import seed_line, verdict_of
from pmmc_check.runtime.machines import IntegerRegister, KeyValueStore
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.simulated_faults import FAULTS_BY_NAME
from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
from pmmc_check.trace.sources import sources
from pmmc_check.validation.judge import judge
from pmmc_check.verdicts import ACCEPTED

VIRTUAL_SECONDS, REQUESTS = 600.0, 40


def simulated(seed: int, seen: Counter[str]) -> str:
    """Nothing, or what is wrong with the run."""
    roster = Roster(timing=SIMULATED_TIMING, keep=20 if seed % 2 == 0 else 1000)
    reconfigure = VIRTUAL_SECONDS / 2 if seed % 3 == 0 else None
    machine = KeyValueStore() if seed // 2 % 2 else IntegerRegister()
    plan = SimulationPlan(
        roster.again(2) if reconfigure else roster,
        machine,
        seed,
        REQUESTS,
        VIRTUAL_SECONDS,
        tuple(FAULTS_BY_NAME),
        reconfigure=reconfigure,
    )
    cluster = SimulatedCluster(plan)
    result = cluster.run()
    with tempfile.TemporaryDirectory() as folder:
        (source,) = sources([str(cluster.write_trace(Path(folder)))])
        trace = judge(source)
    seen["virtual seconds"] += int(cluster.world.time)
    seen["faults"] += result.faults.total()
    seen["events"] += trace.events
    return "" if verdict_of(result, trace) == ACCEPTED else seed_line(seed, result, trace)


def processes(seed: int, seen: Counter[str]) -> str:
    """The same for real processes."""
    words = [sys.executable, "-m", "pmmc_check", "run", "--seed", str(seed), "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    return f"seed {seed}: exit code {done.returncode}\n{done.stdout}{done.stderr}" if done.returncode else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, count in (("simulated", 2000), ("processes", 0), ("first", 1)):
        parser.add_argument(f"--{name}", type=int, default=count)
    arguments = parser.parse_args()
    failed = 0
    for run, runs in ((simulated, arguments.simulated), (processes, arguments.processes)):
        seen: Counter[str] = Counter()
        began, used, wrong = time.monotonic(), time.process_time(), 0
        for done, seed in enumerate(range(arguments.first, arguments.first + runs), 1):
            problem = run(seed, seen)
            wrong += bool(problem)
            if problem:
                print(problem, flush=True)
            if done % 100 == 0 or done == runs:
                counts = "".join(f", {count:,} {name}" for name, count in seen.items())
                seconds = f"{time.monotonic() - began:.0f} s, {time.process_time() - used:.0f} s of processor time here"
                print(f"{run.__name__}: {done - wrong} of {done} right{counts}; {seconds}", flush=True)
        failed += wrong
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
