"""One run of a cluster of processes, from its start to its results: they start paused, run, are broken on purpose, and stop in order."""

from __future__ import annotations

import asyncio
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pmmc_check.errors import MachineError
from pmmc_check.lifelines import Echo
from pmmc_check.protocol.values import ACCEPTOR, BOTTOM, CLIENT, LEADER, REPLICA, ProcessId
from pmmc_check.runtime.children import Children
from pmmc_check.runtime.history import Asked, linearizable
from pmmc_check.runtime.log_files import write_header
from pmmc_check.runtime.machines import loaded_machine
from pmmc_check.runtime.process_faults import ProcessFaults
from pmmc_check.runtime.results import NOT_RECONFIGURED, Reconfiguration, RunResult
from pmmc_check.runtime.roster import Roster, nodes_of
from pmmc_check.runtime.running_node import NodeSpec
from pmmc_check.runtime.tcp import Address, web_address

Tell = Callable[[str], None]
_CATCH_UP_SECONDS = 10.0


def _never() -> bool:
    return False


def _nothing(text: str) -> None:
    """For whoever wants to hear nothing."""


@dataclass(frozen=True)
class RunPlan:
    """What to run. `logs` and `data` are folders, or None to record, or keep, nothing; `seconds_max` is when clients give up."""

    roster: Roster = field(default_factory=Roster)
    machine: str = "integer"
    requests: int = 10
    at_once: int = 1
    seed: int = 1
    seconds_max: float = 60.0
    logs: Path | None = None
    data: Path | None = None
    variants: tuple[str, ...] = ()
    answers_first: bool = False
    faults: ProcessFaults = field(default_factory=ProcessFaults)
    http: Address | None = None
    """With an HTTP front, which is the last client, a run goes on until it is interrupted."""
    reconfigure: float | None = None
    """After so many seconds a client asks for the leaders of the roster's second configuration."""
    waits_for_disk: bool = True

    @property
    def seconds(self) -> float:
        """For so long clients spread their requests, so that what happens meanwhile meets some; 0: they ask as fast as they can."""
        return max(self.faults.seconds, 2 * (self.reconfigure or 0.0))

    @property
    def asked(self) -> int:
        """How many requests the clients make; whoever uses the front makes more."""
        return self.requests * (self.roster.clients - (self.http is not None))


class Supervisor:
    """One run; `await run()` makes it. Whatever happens, no process is left behind."""

    def __init__(self, plan: RunPlan, report: Tell = _nothing, tell: Tell = _nothing, has_enough: Callable[[], bool] = _never) -> None:
        self.plan, self.report, self.tell, self.has_enough = plan, report, tell, has_enough
        self.cluster = secrets.token_hex(8)
        self.children = Children((self._spec(me) for me in nodes_of(plan.roster.system())), self._tell_where)
        self.interrupted, self._echo = False, Echo()
        self.reconfigured = plan.reconfigure is None
        self.played = plan.faults.scenario is None

    def _spec(self, me: ProcessId) -> NodeSpec:
        plan = self.plan
        front = me.role == CLIENT and me.number == plan.roster.clients and plan.http is not None
        return NodeSpec(
            me,
            str(me),
            plan.roster,
            self.cluster,
            plan.seed,
            plan.machine,
            plan.data,
            plan.logs,
            plan.requests if me.role == CLIENT and not front else 0,
            plan.at_once,
            variants=plan.variants,
            answers_first=plan.answers_first,
            waits_for_disk=plan.waits_for_disk,
            disturbance=plan.faults.disturbance,
            http=plan.http if front else None,
            pause=plan.seconds / max(1, plan.requests),
        )

    def _tell_where(self, front: Address) -> None:
        self.tell(f"{web_address(front)} answers, and shows the cluster in a browser; Ctrl-C ends the run")

    async def run(self) -> RunResult:
        """All of it. Ctrl-C and SIGTERM have the nodes stopped in order, and what was done until then is the result; a second one ends
        everything at once.

        Raises:
            UsageError: a node cannot start, or (`MachineError`) the state machine breaks its contract.
            KeyboardInterrupt: it was interrupted before there was anything to tell, or twice.
        """
        if self.plan.logs is not None:
            write_header(self.plan.logs, self.plan.roster.header())
        with self._interrupts_end_it():
            return await self._run()

    async def _run(self) -> RunResult:
        plan, children = self.plan, self.children
        try:
            await children.start_all(lambda: self.interrupted)
            began = time.monotonic()
            if plan.reconfigure is not None:
                asyncio.get_running_loop().call_later(plan.reconfigure, self._reconfigure)
            async with plan.faults.afflicting(children) as scenario:
                await self._answered(began, scenario)
            children.mend()
            await children.stop(children.of_role(CLIENT))  # first, so that nobody is asked who has stopped
            await self._caught_up()
            for role in (REPLICA, LEADER, ACCEPTOR):
                await children.stop(children.of_role(role))
            if children.machine_fault:
                raise MachineError(children.machine_fault)
            return self._result(began)
        finally:
            children.kill_all()

    @property
    def _broken(self) -> bool:
        """Whether it makes no sense to go on."""
        return bool(self.children.errors or self.children.machine_fault)

    def _reconfigure(self) -> None:
        client = self.children.of_role(CLIENT)[0]
        self.children.order(client.spec.me, "reconfigure", self.plan.roster.configurations[1].leaders)
        self.reconfigured = True

    async def _answered(self, began: float, scenario: asyncio.Task[None]) -> None:
        """Until every request has its answer and all that was to happen has, or the time is over."""
        plan, children = self.plan, self.children
        while time.monotonic() - began < plan.seconds_max and not self._broken and not self.interrupted:
            children.ask_all()
            await asyncio.sleep(0.1)
            reconfigured = self.reconfigured and not self._reconfiguration.late
            self.played = scenario.done()
            happened = reconfigured and self.played and not plan.faults.missing(children.faults)
            if self.has_enough() or (self._report_progress() >= plan.asked and happened and plan.http is None):
                return

    @contextmanager
    def _interrupts_end_it(self) -> Iterator[None]:
        """Within, a first signal ends the run. One that is ignored stays ignored."""
        loop, before = asyncio.get_running_loop(), {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
        if threading.current_thread() is not threading.main_thread():
            heard = []
        for number in heard:
            loop.add_signal_handler(number, self._interrupt)
        try:
            yield
        finally:
            for number in heard:
                loop.remove_signal_handler(number)
                signal.signal(number, before[number])

    def _interrupt(self) -> None:
        if self._echo.is_one():
            return
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    def _report_progress(self) -> int:
        """How many requests are answered."""
        reports, faults = self.children.reports, self.children.faults.total()
        answered = sum(each.answered for each in reports.values())
        decided = max((each.decided for me, each in reports.items() if me.role == REPLICA), default=0)
        ballot = max((each.ballot for each in reports.values()), default=BOTTOM)
        messages = sum(count for each in reports.values() for kind, count in each.counts.items() if kind.startswith("received"))
        broken = f", {faults} faults" if faults else ""
        self.report(
            f"{answered} of {self.plan.asked} requests answered, {decided} slots decided, ballot {ballot}, {messages:,} messages{broken}"
        )
        return answered

    async def _caught_up(self) -> None:
        """Until all replicas have performed the same, and have the leaders that they shall have, for a while."""
        replicas, end = self.children.of_role(REPLICA), time.monotonic() + _CATCH_UP_SECONDS
        while time.monotonic() < end and not self._broken:
            await self.children.answered(replicas, end)  # what was asked before may be old
            self.children.ask_all()
            await self.children.answered(replicas, end)
            performed = {each.report.performed if each.report is not None else None for each in replicas}
            if len(performed) == 1 and None not in performed and not self._reconfiguration.late:
                return
            await asyncio.sleep(0.05)

    @property
    def _reconfiguration(self) -> Reconfiguration:
        if self.plan.reconfigure is None:
            return NOT_RECONFIGURED
        reports = {each.spec.name: each.report for each in self.children.of_role(REPLICA)}
        has = {name: report.leaders if report is not None else () for name, report in reports.items()}
        return Reconfiguration(self.plan.roster.configurations[1].leaders, has)

    def _not_done(self) -> list[str]:
        """What the run was to do, and has not done."""
        found = ["interrupted"] if self.interrupted and self.plan.http is None else []
        if not self.played:
            found.append("the scenario was not played to its end")
        found += [f"asked for, but not once: {each}" for each in self.plan.faults.missing(self.children.faults)]
        return found + self._reconfiguration.errors

    def _result(self, began: float) -> RunResult:
        children, reports = self.children, self.children.reports
        history: list[Asked] = [asked for each in reports.values() for asked in each.history]
        returned = [each.returned for each in history if each.result is not None]
        front = next((each.spec.name for each in children.by_id.values() if each.spec.http is not None), None)
        replicas = {each.spec.name: each for each in children.of_role(REPLICA)}
        return RunResult(
            asked=self.plan.asked + sum(each.result is not None for each in history if each.client == front),
            history=history,
            states={name: each.report.state for name, each in replicas.items() if each.report is not None and each.stopped},
            counts=sum((each.counts for each in reports.values()), children.lost),
            seconds=max(returned) - min(each.called for each in history) if returned else time.monotonic() - began,
            faults=children.faults,
            linearizability=linearizable(history, loaded_machine(self.plan.machine)),
            errors=[*children.errors, *self._not_done()],
            performed={name: each.report.performed for name, each in replicas.items() if each.report is not None},
            leaders=self._reconfiguration.leaders,
            decided=max((each.decided for each in reports.values()), default=0),
        )


def run_cluster(plan: RunPlan, report: Tell = _nothing, tell: Tell = _nothing, has_enough: Callable[[], bool] = _never) -> RunResult:
    """Runs a cluster from its start to its end. `report` hears how it goes on, `tell` what must be known; `has_enough` is asked several
    times a second whether to stop. Raises `UsageError` where a node cannot start."""
    for folder in (plan.logs, plan.data):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    async def made() -> RunResult:
        return await Supervisor(plan, report, tell, has_enough).run()

    return asyncio.run(made())
