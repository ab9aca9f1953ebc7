"""The processes of a cluster of one operating-system process a node: started, told what to do through pipes, killed, started again, and
none left behind."""

from __future__ import annotations

import asyncio
import os
import resource
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import forkserver, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from types import ModuleType
from typing import Any

from pmmc_check.errors import MachineError, UsageError
from pmmc_check.protocol.values import CLIENT, ProcessId
from pmmc_check.runtime.node_process import run_node
from pmmc_check.runtime.running_node import NodeReport, NodeSpec
from pmmc_check.runtime.storage import FULL_ON_PURPOSE
from pmmc_check.runtime.tcp import Address, Disturbance

_FILES_EACH, _FILES_BESIDES = 3, 20
"""Open files: pipes to each process, and what else there is. Fifteen processes were seen to need 56 or less, forty 130."""
_START_SECONDS, _STOP_SECONDS = 20.0, 10.0


@dataclass
class Child:
    """One node: its process, the pipe to it, and what it said last."""

    spec: NodeSpec
    process: ForkServerProcess | None = None
    pipe: Connection | None = None
    address: Address | None = None
    report: NodeReport | None = None
    asked: bool = False
    """For a report that it has not given yet."""
    waiting: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """The last order of each kind for which there is no room in the pipe yet."""
    stopped: bool = False
    stopping: bool = False
    """It was told to stop, or killed."""
    excused: bool = False
    """It has said why it ends: that is told already, or was made so. `comes_back`: and it is to be started again when it has ended."""
    comes_back: bool = False


class Children:
    """All nodes of a run, by the process of the protocol that each is. `errors` is what went wrong, `faults` what was done to them on
    purpose, `lost` what those that were killed had counted when they last reported."""

    def __init__(self, specs: Iterable[NodeSpec], served: Callable[[Address], None]) -> None:
        self.by_id = {each.me: Child(each) for each in specs}
        self.errors: list[str] = []
        self.machine_fault = ""
        """What is wrong with the state machine that was handed in, as the first node that noticed has said it."""
        self.faults: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self._served, self._running = served, False
        self._changed = asyncio.Event()
        _allow_files(_FILES_BESIDES + _FILES_EACH * len(self.by_id))
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(["pmmc_check.runtime.node_process", "pmmc_check.runtime.nodes_parent"])

    def of_role(self, role: str) -> list[Child]:
        """In the order of their numbers."""
        return [each for me, each in self.by_id.items() if me.role == role]

    @property
    def reports(self) -> dict[ProcessId, NodeReport]:
        """What each has said last, of those that have said anything since they were started."""
        return {me: each.report for me, each in self.by_id.items() if each.report is not None}

    # ---- all of them ----

    async def start_all(self, given_up: Callable[[], bool]) -> None:
        """Starts them, paused, and has them go on when each knows where all others are.

        Raises:
            UsageError: one cannot start.
            KeyboardInterrupt: it was given up before.
        """
        resource_tracker.ensure_running()  # which lets the signals through that are held back
        with _signals_held_back(signal.SIGTERM, signal.SIGINT):
            forkserver.ensure_running()  # what ends the command, with all its group, is not to end its nodes: they are stopped in order
        for me in self.by_id:
            await asyncio.sleep(0)
            if given_up():
                raise KeyboardInterrupt
            self.start(me)
        end = time.monotonic() + _START_SECONDS
        while late := [each.spec.name for each in self.by_id.values() if not each.address]:
            left = end - time.monotonic()
            if given_up():
                raise KeyboardInterrupt
            if self.machine_fault:
                raise MachineError(self.machine_fault)
            if self.errors or left <= 0:
                did_not = f"{', '.join(late)} did not start within {_START_SECONDS:g} s; is the machine overloaded?"
                raise UsageError("; ".join(self.errors) or did_not)
            await self._change(min(left, 0.2))
        self._running = True
        self.order_all("run", True)

    async def stop(self, listed: list[Child]) -> None:
        """Stops them in order: each says what it has done, whatever has failed."""
        ran = [each for each in listed if each.process is not None]
        for child in listed:
            child.stopping, child.comes_back = True, False
            self._order(child, "stop")
        end = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < end and not all(each.stopped or each.process is None for each in listed):
            await self._change(end - time.monotonic())
        for child in ran:
            if child.process is not None and not child.stopped:
                self.errors.append(f"{child.spec.name}: did not stop within {_STOP_SECONDS:g} s; is the machine overloaded?")
            elif not child.stopped and not child.excused:
                self.errors.append(f"{child.spec.name}: its process ended while it was being stopped")

    # ---- processes ----

    def start(self, me: ProcessId) -> None:
        """Starts the process of a node that has none."""
        child = self.by_id[me]
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=run_node, args=(child.spec, theirs), daemon=True, name=child.spec.name)
        with _nothing_to_import_again():
            process.start()
        theirs.close()
        child.process, child.pipe, child.address = process, ours, None
        child.stopped = child.excused = child.asked = False
        asyncio.get_running_loop().add_reader(ours.fileno(), self._heard, child)

    def signal(self, me: ProcessId, number: int) -> None:
        """Sends a signal to the process of a node, if it runs."""
        process = self.by_id[me].process
        if process is not None and process.pid is not None and process.is_alive():
            with suppress(ProcessLookupError):  # it may end at any moment
                os.kill(process.pid, number)

    def is_up(self, me: ProcessId) -> bool:
        """Whether it has a process."""
        return self.by_id[me].process is not None

    def kill(self, me: ProcessId) -> None:
        """`kill -9`."""
        child = self.by_id[me]
        if child.process is None:
            return
        child.stopping = True
        self.signal(me, signal.SIGKILL)
        child.process.join(_STOP_SECONDS)
        self._forget(child)
        self._lose_counts(child)

    def come_back(self, me: ProcessId) -> None:
        """Starts a node that was killed."""
        child = self.by_id[me]
        child.stopping, child.comes_back = False, child.process is not None
        if child.process is None:
            self.start(me)

    def fill_disk(self, me: ProcessId) -> None:
        """The next promise of the node ends it, and then it is down."""
        self.by_id[me].comes_back = False
        self.order(me, "disk", 0.0, True)

    def mend(self) -> None:
        """Ends all faults."""
        for me in self.by_id:
            self.signal(me, signal.SIGCONT)
        self.order_all("disturb", Disturbance())
        self.order_all("disk", 0.0, False)
        for me, child in self.by_id.items():
            child.spec = replace(child.spec, disturbance=Disturbance())
            if not (self.errors or self.machine_fault):
                self.come_back(me)

    def _forget(self, child: Child) -> None:
        if child.pipe is not None:
            asyncio.get_running_loop().remove_reader(child.pipe.fileno())
            asyncio.get_running_loop().remove_writer(child.pipe.fileno())
            child.pipe.close()
        child.waiting.clear()
        child.process = child.pipe = child.address = None

    def kill_all(self) -> None:
        """Leaves nobody behind."""
        for child in self.by_id.values():
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
        for child in self.by_id.values():
            self._order(child, *words)

    def ask_all(self) -> None:
        """Asks every node that has answered how it is doing, and tells it the faults so far."""
        for child in self.by_id.values():
            if not child.asked and child.pipe is not None:
                child.asked = True
                self._order(child, "report", self.faults)

    def order(self, me: ProcessId, *words: Any) -> None:
        """Tells one node."""
        self._order(self.by_id[me], *words)

    def _order(self, child: Child, *words: Any) -> None:
        """Of each kind the last order counts. A node that stands still reads none, and nobody may wait for it."""
        if child.pipe is not None:
            child.waiting[words[0]] = words
            self._send_what_waits(child)

    def _send_what_waits(self, child: Child) -> None:
        loop, pipe = asyncio.get_running_loop(), child.pipe
        assert pipe is not None
        while child.waiting and _has_room(pipe):
            words = child.waiting.pop(next(iter(child.waiting)))
            with suppress(OSError):
                pipe.send(words)
        if child.waiting:
            loop.add_writer(pipe.fileno(), self._send_what_waits, child)
        else:
            loop.remove_writer(pipe.fileno())

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
                    self._served(served)
                self._introduce(child)
            case ("report", report):
                child.report, child.asked = report, False
            case ("stopped", report):
                child.report, child.stopped = report, True
            case ("machine", reason):
                self.machine_fault, child.stopping = self.machine_fault or reason, True
            case ("failed", reason):
                child.excused = True
                if FULL_ON_PURPOSE not in reason:
                    self.errors.append(f"{child.spec.name}: {reason}")
                    child.comes_back = False
            case _:
                self._gone(child)
        self._changed.set()

    def _gone(self, child: Child) -> None:
        """Its process has ended. One that somebody else has killed is started again, if it has kept what it promised."""
        code = None
        if child.process is not None:
            child.process.join(_STOP_SECONDS)
            code = child.process.exitcode
        killed = code is not None and -code in (signal.SIGKILL, signal.SIGTERM)
        expected = child.stopping or child.excused
        comes_back = (child.excused and child.comes_back) or (killed and not expected and self._can_come_back(child))
        if not expected and comes_back:
            self.faults[f"{child.spec.me.role}s killed by somebody else"] += 1
            self._lose_counts(child)
        elif not expected:
            why = f" ({signal.Signals(-code).name})" if code is not None and code < 0 else ""
            self.errors.append(f"{child.spec.name}: its process has ended{why}")
        self._forget(child)
        if comes_back:
            self.start(child.spec.me)

    def _can_come_back(self, child: Child) -> bool:
        return self._running and child.spec.data is not None and child.spec.me.role != CLIENT

    def _lose_counts(self, child: Child) -> None:
        if child.report is not None:
            self.lost += child.report.counts
        child.report = None

    def _introduce(self, child: Child) -> None:
        """All nodes are told where all others are; one that has come back goes on at once."""
        known = {me: each.address for me, each in self.by_id.items() if each.address is not None}
        if len(known) == len(self.by_id) or self._running:
            self.order_all("peers", known)
        if self._running:
            self._order(child, "run", True)

    async def answered(self, listed: list[Child], until: float) -> None:
        """Until all of them that run have given the reports that they were asked for, or the time is over."""
        while any(each.asked and each.process is not None for each in listed) and not self.errors and time.monotonic() < until:
            await self._change(until - time.monotonic())

    async def _change(self, seconds: float) -> None:
        """Until some node has said something, but no longer."""
        self._changed.clear()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)


def _has_room(pipe: Connection) -> bool:
    """Whether an order can be sent without waiting: where a socket can be written to at all, it takes more than an order has."""
    poll = select.poll()
    poll.register(pipe.fileno(), select.POLLOUT)
    return bool(poll.poll(0))


@contextmanager
def _signals_held_back(*numbers: int) -> Iterator[None]:
    """Within they wait; in a process that is started within they wait for ever, unless it lets them through."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _allow_files(number: int) -> None:
    """Raises this process' limit of open files to what it needs.

    Raises:
        UsageError: that is not allowed.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= number:
        return
    if hard != resource.RLIM_INFINITY and hard < number:
        raise UsageError(f"so many processes need {number} open files, and {hard} are allowed: raise the limit (ulimit -n), or use fewer")
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


@contextmanager
def _nothing_to_import_again() -> Iterator[None]:
    """Within, new processes do not import this program's main module, as they otherwise would: they need none of it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
