"""One simulated run of a cluster: clients that ask, faults, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.values import ProcessId
from pmmc_check.runtime.client_driver import ClientDriver
from pmmc_check.runtime.history import Asked, linearizable
from pmmc_check.runtime.log_files import PART_LINE, write_header
from pmmc_check.runtime.machines import StateMachine, show_machine
from pmmc_check.runtime.replica_driver import ReplicaDriver
from pmmc_check.runtime.results import NOT_RECONFIGURED, Reconfiguration, RunResult
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.scenario import Scenario
from pmmc_check.runtime.simulated_faults import Nemesis, SimulatedAffliction
from pmmc_check.runtime.simulated_trace import trace_of
from pmmc_check.runtime.simulated_world import SimulatedWorld
from pmmc_check.runtime.surroundings import Timing
from pmmc_check.trace.events import Names
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter

SIMULATED_TIMING = Timing(tick=0.05, retransmit=0.2, heartbeat=0.1, patience=0.5, gossip=0.5)
"""For the delays of the simulated network."""
_SETTLE = 30.0
"""After the last answer so many virtual seconds are left for all replicas to catch up."""


@dataclass(frozen=True)
class SimulationPlan:
    """What to simulate. `seconds` is the time in which clients ask and faults happen; then there is as much again, without faults, to
    answer all."""

    roster: Roster
    machine: StateMachine
    seed: int
    requests: int = 10
    seconds: float = 10.0
    faults: tuple[str, ...] = ()
    protocol: Protocol = field(default_factory=lambda: PMMC)
    answers_first: bool = False
    reconfigure: float | None = None
    """After so many seconds a client asks for the leaders of the roster's second configuration."""
    scenario: Scenario | None = None
    waits_for_disk: bool = True


class SimulatedCluster:
    """One run; `run()` makes it."""

    def __init__(self, plan: SimulationPlan) -> None:
        self.plan = plan
        setting = plan.roster.setting(plan.machine, plan.protocol, plan.answers_first)
        self.world = SimulatedWorld(setting, plan.seed, plan.waits_for_disk)
        self.nemesis = Nemesis(self.world, plan.faults, plan.seed ^ 0x5EED, plan.seconds)
        if plan.scenario is not None:
            SimulatedAffliction(self.world, plan.scenario, max(plan.seconds, plan.scenario.seconds), self.nemesis.done)
        self.rng = Random(plan.seed ^ 0xC11E)
        self.history: dict[tuple[ProcessId, int], Asked] = {}
        self.unanswered = 0

    def run(self) -> RunResult:
        """Runs it to its end."""
        plan, world = self.plan, self.world
        during = max(plan.seconds, plan.scenario.seconds if plan.scenario is not None else 0.0) if plan.faults or plan.scenario else 0.0
        pause = during / plan.requests
        for client in world.setting.system.clients:
            self.unanswered += plan.requests
            world.at(self.rng.random() * pause, partial(self._ask, client, plan.requests, pause))
        if plan.reconfigure is not None:
            world.at(plan.reconfigure, self._reconfigure)
        world.run(max(during, plan.reconfigure or 0.0))
        world.run(2 * max(during, plan.seconds) + 120, lambda: not self.unanswered)
        answered_at = world.time
        world.run(world.time + _SETTLE, self._caught_up)
        for node in list(world.nodes.values()):
            node.stop()
        return self._result(answered_at)

    def _reconfigure(self) -> None:
        driver = self.world.nodes[self.world.setting.system.clients[0]].driver
        assert isinstance(driver, ClientDriver)
        driver.reconfigure(self.plan.roster.configurations[1].leaders)

    def _ask(self, client: ProcessId, left: int, pause: float) -> None:
        driver = self.world.nodes[client].driver
        assert isinstance(driver, ClientDriver)
        operation = self.plan.machine.sample(self.rng.randrange)
        key = client, left
        self.history[key] = Asked(str(client), operation, self.world.time)
        driver.ask(operation, partial(self._answered, key, pause))

    def _answered(self, key: tuple[ProcessId, int], pause: float, result: str) -> None:
        client, left = key
        self.history[key] = self.history[key]._replace(returned=self.world.time, result=result)
        self.unanswered -= 1
        if left > 1:
            self.world.at(self.rng.expovariate(1.0) * pause, partial(self._ask, client, left - 1, pause))

    def _caught_up(self) -> bool:
        replicas = self._replicas
        all_are_up = len(replicas) == len(self.world.setting.system.replicas)
        return all_are_up and len({each.slot_out for each in replicas.values()}) == 1 and not self._reconfiguration.late

    @property
    def _replicas(self) -> dict[str, Any]:
        """The states of those that are up."""
        return {str(me): self.world.nodes[me].state for me in self.world.setting.system.replicas if me in self.world.nodes}

    @property
    def _reconfiguration(self) -> Reconfiguration:
        if self.plan.reconfigure is None:
            return NOT_RECONFIGURED
        has: dict[str, tuple[str, ...]] = {str(me): () for me in self.world.setting.system.replicas}
        for me, node in self.world.nodes.items():
            if isinstance(node.driver, ReplicaDriver):
                has[str(me)] = tuple(map(str, node.driver.leaders_of(node.state.slot_out)))
        return Reconfiguration(self.plan.roster.configurations[1].leaders, has)

    def _result(self, seconds: float) -> RunResult:
        counts = Counter(self.world.lost)
        for node in self.world.nodes.values():
            counts += node.counts
        history, replicas = list(self.history.values()), self._replicas
        return RunResult(
            asked=self.plan.requests * len(self.world.setting.system.clients),
            history=history,
            states={name: show_machine(state) for name, state in replicas.items()},
            counts=counts,
            seconds=seconds,
            faults=self.nemesis.done,
            linearizability=linearizable(history, self.plan.machine),
            errors=self._reconfiguration.errors,
            decided=max((len(state.decisions) for state in replicas.values()), default=0),
            leaders=self._reconfiguration.leaders,
            performed={name: state.slot_out - 1 for name, state in replicas.items()},
        )

    def trace_lines(self) -> list[str]:
        """The whole trace, one log after another."""
        header, logs = trace_of(self.plan.roster, self.world)
        return [*DslWriter(Values(Names(header))).header(header), *(line for lines in logs.values() for line in lines)]

    def write_trace(self, directory: Path) -> Path:
        """Writes the trace as a folder of one log for each node; returns the folder."""
        directory.mkdir(parents=True, exist_ok=True)
        header, logs = trace_of(self.plan.roster, self.world)
        write_header(directory, header)
        for name, lines in logs.items():
            (directory / f"{name}.pmmc").write_text("\n".join([PART_LINE, *lines, ""]), encoding="utf-8")
        return directory
