"""A cluster of a few nodes in a thread of this process, on real sockets and disks, with an HTTP front."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar

from pmmc_check.runtime.client_session import ClientSession
from pmmc_check.runtime.cluster_file import read_cluster_file
from pmmc_check.runtime.control import order_all
from pmmc_check.runtime.http_front import HttpFront, Statuses
from pmmc_check.runtime.running_node import NodeSpec, RunningNode
from pmmc_check.runtime.sessions import Sessions

from .cluster_files import SMALL, cluster_file

_T = TypeVar("_T")


class Nodes:
    """A1, L1 and R1 of a cluster file, in a thread of this process; and an HTTP front."""

    def __init__(self, folder: Path, machine: str = "kv", names: tuple[str, ...] = SMALL, tables: str = "") -> None:
        self.path = cluster_file(folder, f'machine = "{machine}"', names, tables=tables)
        self.cluster = read_cluster_file(self.path)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.nodes = self.do(self._open(folder))

    def do(self, call: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(call, self.loop).result(20)

    async def _open(self, folder: Path) -> list[RunningNode]:
        nodes = []
        for me, address in self.cluster.addresses.items():
            node = RunningNode(NodeSpec(me, str(me), self.cluster.roster, self.cluster.name, 1, self.cluster.machine, folder))
            node.transport.know(self.cluster.addresses)
            await node.open(address, paused=False)
            nodes.append(node)
        self.session = ClientSession(self.cluster)
        await self.session.open()
        self.front = HttpFront(self.session.ask, self._statuses)
        self.http = self.front.open(("127.0.0.1", 0))
        return nodes

    async def _statuses(self) -> Statuses:
        answers = await order_all(self.cluster, "status", tuple(self.cluster.addresses))
        return {str(node): answer for node, answer in answers.items()}

    async def _close(self) -> None:
        await self.front.close()
        self.session.close()
        for node in self.nodes:
            node.close()

    def close(self) -> None:
        self.do(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def asked(self, method: str, path: str, body: str | bytes | None = None, **headers: str) -> tuple[int, str]:
        connection = HTTPConnection(*self.http, timeout=20)
        connection.request(
            method,
            path,
            body.encode() if isinstance(body, str) else body,
            {name.replace("_", "-"): value for name, value in headers.items()},
        )
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def remember_sessions(self, most: int) -> None:
        for each in self.nodes:
            application = each.node.setting.system.application
            assert isinstance(application, Sessions)
            application.sessions_max = most
