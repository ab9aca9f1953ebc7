"""Runs a cluster of one operating-system process a node: starts them paused, lets them run, breaks them on purpose, stops them, and
collects the results."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import ModuleType
from typing import Any

from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, LEADER, REPLICA, ProcessId
from pmmc_check.runtime.history import Asked, linearizable
from pmmc_check.runtime.log_files import write_header
from pmmc_check.runtime.machines import loaded_machine
from pmmc_check.runtime.node_process import run_node
from pmmc_check.runtime.process_faults import ProcessFaults
from pmmc_check.runtime.results import RunResult
from pmmc_check.runtime.roster import Roster, nodes_of
from pmmc_check.runtime.running_node import NodeReport, NodeSpec
from pmmc_check.runtime.tcp import Address, Disturbance, web_address

Tell = Callable[[str], None]
_START_SECONDS, _STOP_SECONDS, _CATCH_UP_SECONDS = 20.0, 10.0, 10.0


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
    def asked(self) -> int:
        """How many requests the clients make; whoever uses the front makes more."""
        return self.requests * (self.roster.clients - (self.http is not None))


@dataclass
class Child:
    """One node: its process, the pipe to it, and what it said last."""

    spec: NodeSpec
    process: ForkServerProcess | None = None
    pipe: Connection | None = None
    address: Address | None = None
    report: NodeReport | None = None
    stopped: bool = False
    stopping: bool = False
    failing: bool = False
    """It was made to end by itself, sooner or later; `comes_back`: and is to be started again when it has."""
    comes_back: bool = False


class Supervisor:
    """One run; `await run()` makes it. Whatever happens, no process is left behind."""

    def __init__(self, plan: RunPlan, report: Tell = _nothing, say: Tell = _nothing, has_enough: Callable[[], bool] = _never) -> None:
        self.plan, self.tell, self.say, self.has_enough = plan, report, say, has_enough
        self.cluster = secrets.token_hex(8)
        system = plan.roster.setting(loaded_machine(plan.machine)).system
        self.children = {me: Child(self._spec(me)) for me in nodes_of(system)}
        self.errors: list[str] = []
        self.faults: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        """What nodes that were killed had counted when they last reported."""
        self.running = self.interrupted = False
        self.reconfigured = plan.reconfigure is None
        self.scenario_is_over = plan.faults.scenario is None
        self._changed = asyncio.Event()
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(["pmmc_check.runtime.node_process"])

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
            pause=plan.faults.scenario.seconds / max(1, plan.requests) if plan.faults.scenario is not None else 0.0,
        )

    # ---- the run ----

    async def run(self) -> RunResult:
        """All of it.

        Raises:
            UsageError: a node cannot start.
        """
        if self.plan.logs is not None:
            write_header(self.plan.logs, self.plan.roster.header())
        breaking: list[asyncio.Task[None]] = []
        try:
            for me in self.children:
                self.start(me)
            await self._until(lambda: all(each.address for each in self.children.values()), _START_SECONDS, "did not start")
            self.running = True
            began = time.monotonic()
            self.order_all("run", True)
            breaking = [asyncio.create_task(each) for each in self.plan.faults.tasks(self)]
            if self.plan.reconfigure is not None:
                asyncio.get_running_loop().call_later(self.plan.reconfigure, self._reconfigure)
            await self._answered(began)
            for task in breaking:
                task.cancel()
            self.mend()
            await self._caught_up()
            await self._stop_all()
            return self._result(began)
        finally:
            for task in breaking:
                task.cancel()
            self._kill_all()

    def _reconfigure(self) -> None:
        client = next(each for me, each in self.children.items() if me.role == CLIENT)
        self._order(client, "reconfigure", self.plan.roster.configurations[1].leaders)
        self.reconfigured = True

    async def _answered(self, began: float) -> None:
        """Until every request has its answer, or the time is over."""
        asked, front = self.plan.asked, self.plan.http is not None
        with self._interrupts_end_it(front):
            while time.monotonic() - began < self.plan.seconds_max and not self.errors and not self.interrupted:
                self.order_all("report", self.faults)
                await asyncio.sleep(0.1)
                if self.has_enough():
                    return
                if self._report_progress(asked) >= asked and not front and self.reconfigured and self.scenario_is_over:
                    return

    @contextmanager
    def _interrupts_end_it(self, wanted: bool) -> Iterator[None]:
        """Within, if it is wanted, Ctrl-C and SIGTERM have the run stopped in order, and judged."""
        loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM) if wanted else ()
        before = {number: signal.getsignal(number) for number in numbers}
        for number in numbers:
            loop.add_signal_handler(number, setattr, self, "interrupted", True)
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    def _report_progress(self, asked: int) -> int:
        reports = {me: each.report for me, each in self.children.items() if each.report is not None}
        answered = sum(each.answered for each in reports.values())
        decided = max((each.decided for me, each in reports.items() if me.role == REPLICA), default=0)
        ballot = max((each.ballot for each in reports.values()), default="")
        messages = sum(count for each in reports.values() for kind, count in each.counts.items() if kind.startswith("received"))
        broken = f", {sum(self.faults.values())} faults" if self.faults else ""
        self.tell(f"{answered} of {asked} requests answered, {decided} slots decided, ballot {ballot}, {messages:,} messages{broken}")
        return answered

    async def _caught_up(self) -> None:
        """Until all replicas have performed the same, for a while."""
        end = time.monotonic() + _CATCH_UP_SECONDS
        while time.monotonic() < end and not self.errors:
            for child in self.children.values():
                child.report = None if child.spec.me.role == REPLICA else child.report
            self.order_all("report", self.faults)
            await asyncio.sleep(0.05)
            reports = [each.report for me, each in self.children.items() if me.role == REPLICA]
            if all(reports) and len({each.performed for each in reports if each}) == 1:
                return

    async def _stop_all(self) -> None:
        """Clients first, so that nobody is asked who has stopped. Those that live say what they have done, whatever has failed."""
        for roles in ((CLIENT,), (REPLICA,), (LEADER,), (ACCEPTOR,)):
            listed = [each for me, each in self.children.items() if me.role in roles]
            for child in listed:
                child.stopping, child.comes_back = True, False
                self._order(child, "stop")
            end = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < end and not all(each.stopped or each.process is None for each in listed):
                await self._change(end - time.monotonic())
            late = [each.spec.name for each in listed if not each.stopped and each.process is not None]
            self.errors += [f"{name}: did not stop within {_STOP_SECONDS:g} s; is the machine overloaded?" for name in late]

    def _result(self, began: float) -> RunResult:
        reports = {me: each.report for me, each in self.children.items() if each.report is not None}
        history: list[Asked] = [asked for each in reports.values() for asked in each.history]
        counts: Counter[str] = Counter(self.lost)
        for each in reports.values():
            counts += each.counts
        returned = [each.returned for each in history if each.result is not None]
        front = next((each.spec.name for each in self.children.values() if each.spec.http is not None), None)
        return RunResult(
            asked=self.plan.asked + sum(each.result is not None for each in history if each.client == front),
            history=history,
            states={str(me): each.state for me, each in reports.items() if me.role == REPLICA and self.children[me].stopped},
            counts=counts,
            seconds=max(returned) - min(each.called for each in history) if returned else time.monotonic() - began,
            faults=self.faults,
            linearizability=linearizable(history, loaded_machine(self.plan.machine)),
            errors=self.errors,
            decided=max((each.decided for each in reports.values()), default=0),
        )

    # ---- processes ----

    def start(self, me: ProcessId) -> None:
        """Starts the process of a node that has none."""
        child = self.children[me]
        ours, theirs = self._context.Pipe()
        child.process = self._context.Process(target=run_node, args=(child.spec, theirs), daemon=True, name=child.spec.name)
        with _nothing_to_import_again():
            child.process.start()
        theirs.close()
        child.pipe, child.address, child.stopped, child.failing = ours, None, False, False
        asyncio.get_running_loop().add_reader(ours.fileno(), self._heard, child)

    def signal(self, me: ProcessId, number: int) -> None:
        """Sends a signal to the process of a node, if it runs."""
        process = self.children[me].process
        if process is not None and process.pid is not None and process.is_alive():
            with suppress(ProcessLookupError):  # it may end at any moment
                os.kill(process.pid, number)

    def kill(self, me: ProcessId) -> None:
        """`kill -9`."""
        child = self.children[me]
        if child.process is None:
            return
        child.stopping = True
        self.signal(me, signal.SIGKILL)
        child.process.join(_STOP_SECONDS)
        self._forget(child)
        if child.report is not None:
            self.lost += child.report.counts
        child.report = None

    def come_back(self, me: ProcessId) -> None:
        """Starts a node that was killed."""
        child = self.children[me]
        child.stopping, child.comes_back = False, child.process is not None
        if child.process is None:
            self.start(me)

    def mend(self) -> None:
        """Ends all faults."""
        self.order_all("disturb", Disturbance())
        self.order_all("disk", 0.0, False)
        for me, child in self.children.items():
            self.signal(me, signal.SIGCONT)
            child.spec = replace(child.spec, disturbance=Disturbance())
            if not self.errors:
                self.come_back(me)

    def _forget(self, child: Child) -> None:
        if child.pipe is not None:
            asyncio.get_running_loop().remove_reader(child.pipe.fileno())
            child.pipe.close()
        child.process = child.pipe = child.address = None

    def _kill_all(self) -> None:
        for child in self.children.values():
            process = child.process
            if process is not None:
                self.signal(child.spec.me, signal.SIGCONT)
                process.join(0.2 if child.stopped else 0)
                self.signal(child.spec.me, signal.SIGKILL)
                process.join(_STOP_SECONDS)
                self._forget(child)

    # ---- the pipes ----

    def order_all(self, *words: Any) -> None:
        """Tells every node."""
        for child in self.children.values():
            self._order(child, *words)

    def order(self, me: ProcessId, *words: Any) -> None:
        """Tells one node."""
        self._order(self.children[me], *words)

    def may_fail(self, me: ProcessId) -> None:
        """From now on it is no error if the node ends."""
        self.children[me].failing, self.children[me].comes_back = True, False

    def _order(self, child: Child, *words: Any) -> None:
        if child.pipe is not None:
            with suppress(OSError):
                child.pipe.send(words)

    def _heard(self, child: Child) -> None:
        assert child.pipe is not None
        try:
            words = child.pipe.recv()
        except (EOFError, OSError):
            words = ("gone",)
        match words:
            case ("listening", address, served):
                child.address = tuple(address)
                if served is not None:
                    self.say(f"{web_address(served)} answers, and shows the cluster in a browser; Ctrl-C ends the run")
                self._introduce(child)
            case ("report", report):
                child.report = report
            case ("stopped", report):
                child.report, child.stopped = report, True
            case ("failed", reason):
                if not (child.stopping or child.failing):
                    self.errors.append(f"{child.spec.name}: {reason}")
                    child.stopping = True
            case _:
                if not (child.stopping or child.failing):
                    self.errors.append(f"{child.spec.name}: its process has ended")
                self._forget(child)
                if child.failing and child.comes_back:
                    self.start(child.spec.me)
        self._changed.set()

    def _introduce(self, child: Child) -> None:
        """All nodes are told where all others are; one that has come back goes on at once."""
        known = {me: each.address for me, each in self.children.items() if each.address is not None}
        if len(known) == len(self.children) or self.running:
            self.order_all("peers", known)
        if self.running:
            self._order(child, "run", True)

    async def _until(self, reached: Callable[[], bool], seconds: float, problem: str) -> None:
        end = time.monotonic() + seconds
        while not reached():
            left = end - time.monotonic()
            if self.errors or left <= 0:
                waits = [each.spec.name for each in self.children.values() if each.address is None or not each.stopped]
                raise UsageError("; ".join(self.errors) or f"{', '.join(waits)} {problem} within {seconds:g} s; is the machine overloaded?")
            await self._change(left)

    async def _change(self, seconds: float) -> None:
        """Until some node has said something, but no longer."""
        self._changed.clear()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)


@contextmanager
def _nothing_to_import_again() -> Iterator[None]:
    """Within, new processes do not import this program's main module, as they otherwise would: they need none of it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def run_cluster(plan: RunPlan, report: Tell = _nothing, say: Tell = _nothing, has_enough: Callable[[], bool] = _never) -> RunResult:
    """Runs a cluster from its start to its end. `report` hears how it goes on, `say` what must be known; `has_enough` is asked several
    times a second whether to stop. Raises `UsageError` where a node cannot start."""
    for folder in (plan.logs, plan.data):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    async def made() -> RunResult:
        return await Supervisor(plan, report, say, has_enough).run()

    return asyncio.run(made())
