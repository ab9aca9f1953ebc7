"""One node as an operating-system process: made by a supervisor, told what to do through a pipe, gone when the supervisor is."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from pmmc_check.errors import PmmcError
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.protocol.values import CLIENT, LEADER, REPLICA, ProcessId
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.runtime.client_driver import ClientDriver
from pmmc_check.runtime.history import Asked
from pmmc_check.runtime.log_files import LogFile, NoLog
from pmmc_check.runtime.machines import machine_named, show_machine
from pmmc_check.runtime.roster import Roster, node_for
from pmmc_check.runtime.storage import NoStorage, SqliteStorage
from pmmc_check.runtime.surroundings import NodeSurroundings
from pmmc_check.runtime.tcp import Disturbance, Inward, LoopClock, TcpTransport
from pmmc_check.runtime.wire import Framing


@dataclass(frozen=True)
class NodeSpec:
    """All that a node process has to know. `data` and `logs` are folders; None keeps, or records, nothing. `requests` is for clients."""

    me: ProcessId
    name: str
    roster: Roster
    cluster: str
    seed: int
    machine: str = "integer"
    data: Path | None = None
    logs: Path | None = None
    requests: int = 0
    at_once: int = 1
    key: bytes = b""
    variants: tuple[str, ...] = ()
    answers_first: bool = False
    disturbance: Disturbance = field(default_factory=Disturbance)


class NodeReport(NamedTuple):
    """How a node is doing."""

    counts: Counter[str]
    answered: int
    decided: int
    performed: int
    ballot: str
    state: str
    history: tuple[Asked, ...] = ()


def run_node(spec: NodeSpec, pipe: Connection) -> None:
    """The whole life of a node process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the supervisor, which stops its nodes in order
    try:
        asyncio.run(_NodeProcess(spec, pipe).run())
    except (PmmcError, OSError) as error:
        _tell(pipe, "failed", str(error))


def _tell(pipe: Connection, *words: Any) -> None:
    try:
        pipe.send(words)
    except OSError:
        return  # nobody is there any more


class _NodeProcess:
    def __init__(self, spec: NodeSpec, pipe: Connection) -> None:
        self.spec, self.pipe = spec, pipe
        self.machine = machine_named(spec.machine)
        rng = Random(f"{spec.seed} {spec.name}")
        self.transport = TcpTransport(spec.me, Framing(spec.cluster, spec.key), rng)
        self.transport.disturbance = spec.disturbance
        durable = spec.data is not None and spec.me.role != CLIENT
        self.storage = SqliteStorage(spec.data / f"{spec.name}.sqlite", spec.name, spec.cluster) if durable and spec.data else NoStorage()
        self.log = LogFile(spec.logs / f"{spec.name}.pmmc") if spec.logs is not None else NoLog()
        self.rng = Random(f"{spec.seed} {spec.name} asks")
        self.history: list[Asked] = []
        self.left = spec.requests

    async def run(self) -> None:
        """Until it is told to stop, or nobody is left to tell it."""
        loop = asyncio.get_running_loop()
        self.over: asyncio.Future[str] = loop.create_future()
        loop.set_exception_handler(self._failed)
        setting = self.spec.roster.setting(self.machine, protocol_with(self.spec.variants), self.spec.answers_first)
        around = NodeSurroundings(LoopClock(loop), self.transport, self.storage, self.log, self.rng)
        self.node = node_for(self.spec.me, setting, around)
        self.node.pause(True)
        server = await loop.create_server(lambda: Inward(self.transport.framing, self.node.receive, self.transport.counts), "127.0.0.1", 0)
        self.node.start()
        loop.add_reader(self.pipe.fileno(), self._told)
        _tell(self.pipe, "listening", server.sockets[0].getsockname()[:2])
        reason = await self.over
        loop.remove_reader(self.pipe.fileno())
        self.node.stop()
        server.close()
        self.transport.close()
        self.storage.close()
        self.log.close()
        _tell(self.pipe, "failed" if reason else "stopped", reason or self._report(whole=True))

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A step, a write or a callback has failed: whatever it was, this node must not go on."""
        error = context.get("exception")
        self.node.stopped = True
        if not self.over.done():
            self.over.set_result(f"{type(error).__name__}: {error}" if error is not None else str(context.get("message")))

    def _told(self) -> None:
        try:
            words = self.pipe.recv()
        except (EOFError, OSError):
            words = ("stop",)
        match words:
            case ("peers", peers):
                self.transport.know(peers)
            case ("disturb", disturbance):
                self.transport.disturbance = disturbance
            case ("run", run):
                self.node.pause(not run)
                if run and isinstance(self.node.driver, ClientDriver) and not self.history:
                    for _ in range(min(self.spec.at_once, self.left)):
                        self._ask(self.node.driver)
            case ("report",):
                _tell(self.pipe, "report", self._report())
            case _ if not self.over.done():
                self.over.set_result("")

    def _ask(self, driver: ClientDriver) -> None:
        if self.left == 0:
            return
        self.left -= 1
        operation = self.machine.sample(self.rng.randrange)
        place, called = len(self.history), driver.now
        self.history.append(Asked(self.spec.name, operation, called))

        def answered(result: str) -> None:
            self.history[place] = Asked(self.spec.name, operation, called, driver.now, result)
            self._ask(driver)

        driver.ask(operation, answered)

    def _report(self, whole: bool = False) -> NodeReport:
        node, state = self.node, self.node.state
        running = not isinstance(state, Lifecycle)
        replica = running and self.spec.me.role == REPLICA
        return NodeReport(
            counts=node.counts + self.transport.counts,
            answered=sum(each.result is not None for each in self.history),
            decided=len(state.decisions) if replica else 0,
            performed=state.slot_out - 1 if replica else 0,
            ballot=str(state.ballot) if running and self.spec.me.role == LEADER else "",
            state=show_machine(state) if replica and whole else "",
            history=tuple(self.history) if whole else (),
        )
