"""Each seeded fault of the protocol is found in simulated clusters with all faults: by the trace, or by what clients and replicas saw."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import C1, C2, C3

from pmmc_check.protocol.messages import Propose, Request
from pmmc_check.protocol.role import replace
from pmmc_check.protocol.values import CLIENT, REPLICA, Command, ProcessId
from pmmc_check.protocol.variants.catalogue import VARIANTS, protocol_with
from pmmc_check.report.run_text import verdict_of
from pmmc_check.runtime.growing import RequestsByContent
from pmmc_check.runtime.host import chosen
from pmmc_check.runtime.machines import KeyValueStore
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.simulated_faults import FAULTS_BY_NAME
from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
from pmmc_check.trace.sources import sources
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.verdicts import REJECTED

ROSTER = Roster(timing=SIMULATED_TIMING)
SOON = (
    "accept-lower-ballot",
    "echo-ballot",
    "restart-loses-accepted",
    "scout-half",
    "commander-half",
    "commander-counts-twice",
    "commander-any-ballot",
    "restart-reuses-ballot",
    "perform-twice",
    "drop-loser",
    "skip-hole",
    "hide-accepted",
)
LATER = (
    "promise-not-kept",
    "accept-without-raise",
    "restart-loses-ballot",
    "scout-counts-twice",
    "scout-keeps-last",
    "p2b-any-slot",
    "pmax-last-seen",
    "overwrite-proposal",
    "no-ballot-bump",
    "stays-active",
    "ignore-window",
    "restart-loses-decisions",
)
"""Those that are left need a scenario, a reconfiguration or more seeds (`benchmarks/seeded_faults.py`)."""


def verdict(variant: str, seed: int, folder: Path) -> str:
    plan = SimulationPlan(ROSTER, KeyValueStore(), seed, 20, 40.0, tuple(FAULTS_BY_NAME), protocol_with([variant]))
    cluster = SimulatedCluster(plan)
    result = cluster.run()
    (source,) = sources([str(cluster.write_trace(folder / f"{seed}"))])
    return verdict_of(result, judge(source, JudgeOptions(SearchBudget(seconds_max=2.0))))


@pytest.mark.parametrize("variant", [*SOON, *(pytest.param(each, marks=pytest.mark.slow) for each in LATER)])
def test_is_found_within_six_seeds(tmp_path: Path, variant: str) -> None:
    assert not VARIANTS[variant].safe
    assert REJECTED in (verdict(variant, seed, tmp_path) for seed in range(1, 7))


def test_a_replica_without_a_window_chooses_among_many_requests_at_once_and_always_the_same() -> None:
    system = ROSTER.setting(KeyValueStore()).system
    role = protocol_with(["ignore-window"])[REPLICA](ProcessId(REPLICA, 1), system)
    fresh = role.start()
    assert fresh is not None
    waiting = [Command(ProcessId(CLIENT, 4), number, "") for number in range(1, 40)]
    state = replace(fresh.state, requests=RequestsByContent([C3, *waiting, C2]))
    proposed = {
        each.message.slot: each.message.command for each in chosen(role.step(state, Request(C1))).sends if isinstance(each.message, Propose)
    }
    assert [proposed[slot] for slot in range(1, 30)] == [C1, C2, C3, *waiting[:26]]
