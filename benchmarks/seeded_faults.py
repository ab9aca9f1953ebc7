"""Within how many simulated runs of the live cluster is each seeded fault found? Prints a table (docs/run.md).

PYTHONPATH=. python benchmarks/seeded_faults.py [--seeds 60] [VARIANT ...]

Faults happen at random; three of the seeded ones show only when leaders follow each other in a way that hardly ever comes by itself, and so
have a scenario. The correct protocol must never be rejected: these are the last rows, one for each way in which a fault is run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from pmmc_check.protocol.variants.catalogue import VARIANTS, protocol_with
from pmmc_check.report.run_text import verdict_of
from pmmc_check.runtime.machines import KeyValueStore
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.scenario import read_scenario
from pmmc_check.runtime.simulated_faults import FAULTS_BY_NAME
from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
from pmmc_check.trace.sources import sources
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.verdicts import INCONCLUSIVE, REJECTED

REQUESTS, SECONDS = 20, 40.0
ROSTER = Roster(timing=SIMULATED_TIMING)
ALL, RECONFIGURED = "all faults", "all faults, reconfigured"
"""In the latter runs the leaders and acceptors are replaced in the middle."""
SCENARIOS = ("three-ballots", "unheard-leader")
WITH = {
    "reconfigure-late": RECONFIGURED,
    "reconfigure-at-once": RECONFIGURED,
    "pmax-lowest": "three-ballots",
    "pmax-previous": "three-ballots",
    "stale-adopted": "unheard-leader",
}
"""How the runs of a fault are broken, where that is not by all faults."""
OPTIONS = JudgeOptions(SearchBudget(seconds_max=2.0))


def simulated(name: str, way: str, seed: int) -> SimulatedCluster:
    """A cluster with this fault, or with none, broken in this way."""
    machine, protocol = KeyValueStore(), protocol_with([name] if name else [])
    if way in SCENARIOS:
        scenario = read_scenario(Path(__file__).parent / "scenarios" / f"{way}.toml", ROSTER)
        return SimulatedCluster(SimulationPlan(ROSTER, machine, seed, REQUESTS, scenario.seconds, (), protocol, scenario=scenario))
    half = SECONDS / 2 if way == RECONFIGURED else None
    roster = ROSTER.again(2) if half else ROSTER
    return SimulatedCluster(SimulationPlan(roster, machine, seed, REQUESTS, SECONDS, tuple(FAULTS_BY_NAME), protocol, reconfigure=half))


def first_rejected(name: str, way: str, seeds: int) -> tuple[int | None, int, str]:
    """The first seed whose run is rejected, how many were inconclusive before, and what gave it away."""
    inconclusive = 0
    for seed in range(1, seeds + 1):
        cluster = simulated(name, way, seed)
        result = cluster.run()
        with tempfile.TemporaryDirectory() as folder:
            (source,) = sources([str(cluster.write_trace(Path(folder)))])
            trace = judge(source, OPTIONS)
        verdict = verdict_of(result, trace)
        if verdict == REJECTED:
            how = ["the trace"] if trace.verdict == REJECTED else []
            how += ["the history"] if result.linearizability.holds is False else []
            how += ["replicas that differ"] if not result.replicas_agree else []
            return seed, inconclusive, " and ".join(how)
        inconclusive += verdict == INCONCLUSIVE
    return None, inconclusive, ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("variants", nargs="*")
    arguments = parser.parse_args()
    names = arguments.variants or [name for name, each in VARIANTS.items() if not each.safe and not each.own_messages]
    rows = [(name, WITH.get(name, ALL)) for name in names] + [("", way) for way in (ALL, RECONFIGURED, *SCENARIOS)]
    print("| fault | with | found with seed | inconclusive before | by | seconds |\n|---|---|---|---|---|---|")
    for name, way in rows:
        started = time.perf_counter()
        seed, inconclusive, how = first_rejected(name, way, arguments.seeds)
        found, told = seed or f"not in {arguments.seeds}", f"`{name}`" if name else "(none)"
        print(f"| {told} | {way} | {found} | {inconclusive} | {how} | {time.perf_counter() - started:.0f} |", flush=True)


if __name__ == "__main__":
    main()
