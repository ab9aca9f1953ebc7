"""One node of `run` as an operating-system process: made by a supervisor, told what to do through a pipe, gone when the supervisor is."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from pmmc_check.errors import MachineError, PmmcError
from pmmc_check.lifelines import end_with_parent
from pmmc_check.protocol.values import ProcessId
from pmmc_check.runtime.client_driver import ClientDriver
from pmmc_check.runtime.client_session import Asker
from pmmc_check.runtime.control import Speaker
from pmmc_check.runtime.history import Asked
from pmmc_check.runtime.running_node import NodeReport, NodeSpec, RunningNode, reason_of
from pmmc_check.runtime.storage import SqliteStorage
from pmmc_check.runtime.tcp import Address
from pmmc_check.runtime.users_machine import machine_watched
from pmmc_check.users_code import exits_refused

if TYPE_CHECKING:
    from pmmc_check.runtime.cluster_page import Statuses
    from pmmc_check.runtime.http_front import HttpFront

_STATUS_SECONDS = 1.0


def run_node(spec: NodeSpec, pipe: Connection) -> None:
    """The whole life of a node process."""
    end_with_parent()
    os.setpgrp()  # what goes to the whole group of the command is for the supervisor, which stops its nodes in order
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    _print_to_stderr()
    try:
        with exits_refused():
            node = _NodeProcess(spec, pipe)
            with machine_watched(node.running.machine):
                asyncio.run(node.run())
    except MachineError as error:
        _tell(pipe, "machine", str(error))
    except (PmmcError, OSError) as error:
        _tell(pipe, "failed", reason_of(error))


def _print_to_stderr() -> None:
    """Standard output is for the results of the whole run, whatever a state machine prints."""
    with suppress(OSError):
        os.dup2(2, 1)
    sys.stdout = sys.stderr


def _tell(pipe: Connection, *words: Any) -> None:
    try:
        pipe.send(words)
    except OSError:
        return  # nobody is there any more


class _NodeProcess:
    def __init__(self, spec: NodeSpec, pipe: Connection) -> None:
        self.spec, self.pipe = spec, pipe
        self.running = RunningNode(spec)
        self.history: list[Asked] = []
        self.left = spec.requests
        self.answered = 0
        self.peers: dict[ProcessId, Address] = {}
        self.front: HttpFront | None = None
        self.faults: Counter[str] = Counter()
        """Those that were made on purpose in the whole cluster."""

    async def run(self) -> None:
        """Until it is told to stop, or nobody is left to tell it."""
        loop, running = asyncio.get_running_loop(), self.running
        running.watch(loop)
        address = await running.open(("127.0.0.1", 0), paused=True)
        loop.add_reader(self.pipe.fileno(), self._told)
        served = self._open_front(self.spec.http) if self.spec.http is not None else None
        _tell(self.pipe, "listening", address, served)
        reason = await running.over
        loop.remove_reader(self.pipe.fileno())
        if self.front is not None:
            await self.front.close()
        running.close()
        failed = "machine" if running.machine_broken else "failed"
        _tell(self.pipe, failed if reason else "stopped", reason or self._report(whole=True))

    def _open_front(self, at: Address) -> Address:
        from pmmc_check.runtime.http_front import HttpFront  # noqa: PLC0415  (an extra, which only this needs)

        asker = Asker(self.running, self.spec.roster.timing.renumber * 3)

        async def ask(operation: str) -> str:
            answered = self._begins(operation, asker.driver)
            result = await asker.ask(operation)
            answered(result)
            return result

        self.front = HttpFront(ask, self._statuses, lambda: self.faults, self.spec.machine)
        return self.front.open(at)

    async def _statuses(self) -> Statuses:
        """All other nodes, asked as `ctl` asks them, and this one."""
        speaker = Speaker(self.running.framing, self.spec.security, self.peers)
        others = [each for each in self.peers if each != self.spec.me]
        answers = await asyncio.gather(*(speaker.order(each, "status", _STATUS_SECONDS) for each in others))
        return dict(zip(map(str, others), answers, strict=True)) | {self.spec.name: self.running.status()}

    def _told(self) -> None:
        try:
            words = self.pipe.recv()
        except (EOFError, OSError):
            words = ("stop",)
        running = self.running
        match words:
            case ("peers", peers):
                self.peers = peers
                running.transport.know(peers)
            case ("disk", delay, full):
                if isinstance(running.storage, SqliteStorage):
                    running.storage.delay, running.storage.full = delay, full
            case ("clock", seconds):
                running.clock.offset += seconds
            case ("disturb", disturbance):
                running.transport.disturbance = disturbance
            case ("run", run):
                running.node.pause(not run)
                if run and isinstance(running.node.driver, ClientDriver) and self.left == self.spec.requests:
                    for _ in range(min(self.spec.at_once, self.left)):
                        self._ask(running.node.driver)
            case ("reconfigure", leaders):
                assert isinstance(running.node.driver, ClientDriver)
                running.node.driver.reconfigure(leaders)
            case ("report", faults):
                self.faults = faults
                _tell(self.pipe, "report", self._report())
            case _:
                running.end()

    def _ask(self, driver: ClientDriver) -> None:
        if self.left == 0:
            return
        self.left -= 1
        operation = self.running.machine.sample(self.running.rng.randrange)
        answered = self._begins(operation, driver)

        def go_on(result: str) -> None:
            answered(result)
            if self.spec.pause:
                asyncio.get_running_loop().call_later(self.running.rng.expovariate(1 / self.spec.pause), self._ask, driver)
            else:
                self._ask(driver)

        driver.ask(operation, go_on)

    def _begins(self, operation: str, driver: ClientDriver) -> Callable[[str], None]:
        """Notes in the history that an operation is asked for; what is returned notes its result."""
        place, called = len(self.history), driver.now
        self.history.append(Asked(self.spec.name, operation, called))

        def answered(result: str) -> None:
            self.history[place] = Asked(self.spec.name, operation, called, driver.now, result)
            self.answered += 1

        return answered

    def _report(self, whole: bool = False) -> NodeReport:
        return self.running.report(whole)._replace(answered=self.answered, history=tuple(self.history) if whole else ())
