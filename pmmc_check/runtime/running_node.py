"""One node on real sockets, a real disk and a real log, whoever has started it: `run` as one of many, or `node` as one of a cluster of
several machines."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from pmmc_check.errors import MachineError, PmmcError, UsageError
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.protocol.values import BOTTOM, CLIENT, LEADER, REPLICA, Ballot, ProcessId, host_of
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.runtime.history import Asked
from pmmc_check.runtime.inward import Connections, Inward
from pmmc_check.runtime.known_processes import KnownProcesses
from pmmc_check.runtime.leader_driver import LeaderDriver
from pmmc_check.runtime.log_files import LogFile, NoLog
from pmmc_check.runtime.machines import loaded_machine, show_machine
from pmmc_check.runtime.replica_driver import ReplicaDriver
from pmmc_check.runtime.roster import Roster, node_for
from pmmc_check.runtime.security import Security
from pmmc_check.runtime.signals import Order, OrderAnswer
from pmmc_check.runtime.storage import NoStorage, SqliteStorage
from pmmc_check.runtime.surroundings import Envelope, NodeSurroundings
from pmmc_check.runtime.tcp import Address, Disturbance, LoopClock, TcpTransport
from pmmc_check.runtime.wire import Framing, encode


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
    security: Security = field(default_factory=Security)
    variants: tuple[str, ...] = ()
    answers_first: bool = False
    waits_for_disk: bool = True
    disturbance: Disturbance = field(default_factory=Disturbance)
    pause: float = 0.0
    """A client waits so many seconds on average before it asks again."""
    settings: Mapping[str, str] | None = None
    """Those of the cluster; None: they follow from `roster` and `machine`."""
    http: Address | None = None
    """Where a client is also an HTTP front."""


class NodeReport(NamedTuple):
    """How a node is doing. `ballot` is that of a leader, `leaders` is the configuration of a replica's next slot."""

    counts: Counter[str]
    answered: int
    decided: int
    performed: int
    ballot: Ballot
    state: str
    history: tuple[Asked, ...] = ()
    leaders: tuple[str, ...] = ()


class RunningNode:
    """From `open` to `close`. `over` is done when the node was told to stop, with an empty text, or cannot go on, with the reason.

    Raises:
        UsageError: its data, its machine or its certificates cannot be used.
    """

    def __init__(self, spec: NodeSpec) -> None:
        self.spec, me = spec, spec.me
        self.machine = loaded_machine(spec.machine)
        rng = Random(f"{spec.seed} {spec.name}")
        settings = spec.settings or spec.roster.settings(spec.machine)
        self.framing = Framing(spec.cluster, spec.security.key, settings)
        self.framing.introduction = encode(Envelope(me, me, OrderAnswer("", "")))
        self.transport = TcpTransport(me, self.framing, rng, spec.security.context(server=False))
        self.transport.disturbance = spec.disturbance
        self._known = KnownProcesses(spec.roster.system())
        self._connections = Connections(self._known.is_node)
        self.transport.hears = partial(Inward, self.framing, self._received, self.transport.counts, self._connections, known=True)
        durable = spec.data is not None and me.role != CLIENT
        self.storage = (
            SqliteStorage(spec.data / f"{spec.name}.sqlite", spec.name, spec.cluster, spec.waits_for_disk, settings)
            if durable and spec.data
            else NoStorage()
        )
        try:
            self.log = LogFile(spec.logs / f"{spec.name}.pmmc") if spec.logs is not None else NoLog()
        except PmmcError:
            self.storage.close()
            raise
        self.rng = Random(f"{spec.seed} {spec.name} asks")
        self.over: asyncio.Future[str]
        self.machine_broken = False
        """Whether it cannot go on because of the state machine that was handed in, and not of this node."""
        self._server: asyncio.Server | None = None
        self._stopping = False

    async def open(self, at: Address | None, paused: bool) -> Address | None:
        """Starts the node; returns where it listens, if it listens `at` some address. Where that fails it lets go of all it had opened.

        Raises:
            UsageError: it cannot listen there, or what it finds on its disk cannot be used.
        """
        try:
            return await self._opened(at, paused)
        except PmmcError:
            self._release()
            raise

    async def _opened(self, at: Address | None, paused: bool) -> Address | None:
        loop = asyncio.get_running_loop()
        self.over = loop.create_future()
        setting = self.spec.roster.setting(self.machine, protocol_with(self.spec.variants), self.spec.answers_first)
        self.clock = LoopClock(loop)
        around = NodeSurroundings(self.clock, self.transport, self.storage, self.log, self.rng)
        self.node = node_for(self.spec.me, setting, around)
        self.node.pause(paused)
        if at is not None:
            await self._listen(at)
        self.node.start()
        return self._server.sockets[0].getsockname()[:2] if self._server is not None else None

    async def _listen(self, at: Address) -> None:
        self.spec.security.check_listens(self.spec.name, at[0])
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connection, *at, ssl=self.spec.security.context(True, self._refuses), start_serving=True
            )
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"{self.spec.name} cannot listen on {at[0]}:{at[1]}: {reason}; does another node run there?") from None

    def _refuses(self, why: str) -> None:
        self.transport.counts["bad frames"] += 1
        self.framing.refuse(why)

    def _connection(self) -> Inward:
        return Inward(self.framing, self._received, self.transport.counts, self._connections)

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Whatever fails in this loop, which is the node's own, ends the node."""
        loop.set_exception_handler(self._failed)

    def close(self) -> None:
        """Stops in good order."""
        self.node.stop()
        self._release()

    def _release(self) -> None:
        if self._server is not None:
            self._server.close()
        for each in list(self._connections.came_in):
            each.close()
        self.transport.close()
        self.storage.close()
        self.log.close()

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A step, a write or a callback has failed: whatever it was, this node must not go on. A connection that cannot be taken is none of
        them."""
        error = context.get("exception")
        if isinstance(error, OSError) and ("socket" in context or "transport" in context):
            self.transport.counts["refused connections"] += 1
            return
        self.node.stopped = True
        self.machine_broken = self.machine_broken or isinstance(error, MachineError)
        self.end(reason_of(error) if error is not None else str(context.get("message")))

    def end(self, reason: str = "") -> None:
        """Has whoever runs it close it; with a reason, because it cannot go on."""
        if not self.over.done():
            self.over.set_result(reason)

    # ---- what comes in ----

    def _received(self, envelopes: list[Envelope], connection: Inward) -> None:
        """All of one frame, which is for one node."""
        if envelopes and (host_of(envelopes[0].to) != self.spec.me or not all(map(self._known.are_all_in, envelopes))):
            self.transport.counts["bad frames"] += 1
            return
        for envelope in envelopes:
            sender, _, content = envelope
            if isinstance(content, Order):
                text = self._obey(content.word) if content.token == connection.token else ""
                connection.answer(self.framing.frame(encode(Envelope(self.spec.me, sender, OrderAnswer(connection.token, text)))))
                continue
            if sender.role == CLIENT:
                self.transport.answer_on(sender, connection)
            self.node.receive(envelope)

    def _obey(self, word: str) -> str:
        if word in ("pause", "resume"):
            self.node.pause(word == "pause")
        elif word == "stop":
            self._stopping = True
            asyncio.get_running_loop().call_soon(self.end)
        return json.dumps(self.status())

    # ---- how it is doing ----

    def status(self) -> dict[str, Any]:
        """What `ctl status` and the metrics tell."""
        report = self.report()
        return {
            "node": self.spec.name,
            "role": self.spec.me.role,
            "leads": isinstance(self.node.driver, LeaderDriver) and self.node.driver.leads,
            "paused": self.node.paused,
            "stopping": self._stopping,
            "decided": report.decided,
            "performed": report.performed,
            "ballot": str(report.ballot) if report.ballot > BOTTOM else "",
            "leaders": report.leaders,
            "counts": dict(report.counts),
            "refused": self.framing.refused,
        }

    def report(self, whole: bool = False) -> NodeReport:
        """What it has done; `whole` adds what its state machine holds."""
        node, state = self.node, self.node.state
        running = not isinstance(state, Lifecycle)
        replica = running and self.spec.me.role == REPLICA
        driver = node.driver
        return NodeReport(
            counts=node.counts + self.transport.counts,
            answered=0,
            decided=len(state.decisions) if replica else 0,
            performed=state.slot_out - 1 if replica else 0,
            ballot=state.ballot if running and self.spec.me.role == LEADER else BOTTOM,
            state=show_machine(state) if replica and whole else "",
            leaders=tuple(map(str, driver.leaders_of(state.slot_out))) if replica and isinstance(driver, ReplicaDriver) else (),
        )


def reason_of(error: BaseException) -> str:
    """Why a node cannot go on: what of a file or a disk is wrong needs no name of an exception."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return str(error) if isinstance(error, PmmcError) else f"{type(error).__name__}: {error}"
