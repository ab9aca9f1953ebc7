"""A session of a client with a cluster: each operation is sent to every replica, again and again, until one of them answers. It takes
effect once, whatever was lost, and whoever has crashed."""

from __future__ import annotations

import asyncio
import secrets

from pmmc_check.errors import PmmcError
from pmmc_check.protocol.values import CLIENT, REPLICA, ProcessId
from pmmc_check.runtime.client_driver import ClientDriver
from pmmc_check.runtime.cluster_file import ClusterFile
from pmmc_check.runtime.operations import shortened, why_no_operation
from pmmc_check.runtime.running_node import NodeSpec, RunningNode

UNDER_WAY_MAX = 100
"""Operations of one session that may wait at the same time: replicas remember that many results, and some more, of each client."""


class Unanswered(PmmcError, TimeoutError):
    """No replica has answered in time. The operation may have taken effect, may still do so, or never will."""


class Asker:
    """Asks through the node of a client; `seconds` is how long an answer is waited for."""

    def __init__(self, running: RunningNode, seconds: float) -> None:
        self._running, self.seconds = running, seconds
        self._room = asyncio.Semaphore(UNDER_WAY_MAX)

    @property
    def driver(self) -> ClientDriver:
        """What asks."""
        driver = self._running.node.driver
        assert isinstance(driver, ClientDriver)
        return driver

    async def ask(self, operation: str) -> str:
        """The result of an operation of the cluster's state machine.

        Raises:
            Unanswered: no answer came in time.
            TypeError: the operation is no text.
            ValueError: it is empty, too long (`OPERATION_BYTES_MAX`), or begins with a word that clients use themselves.
        """
        if why := why_no_operation(operation):
            raise (ValueError if isinstance(operation, str) else TypeError)(f"operation: {why}")
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def answered(result: str) -> None:
            if not answer.done():
                answer.set_result(result)

        async with self._room:
            if self._running.over.done():
                raise Unanswered(f"{shortened(repr(operation))} was not asked: {self._running.over.result() or 'the session has ended'}")
            self.driver.ask(operation, answered)
            done, _ = await asyncio.wait((answer, self._running.over), timeout=self.seconds, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        reason = self._running.framing.refused or (self._running.over.result() if done else "")
        raise Unanswered(
            f"no replica has answered {shortened(repr(operation))} within {self.seconds:g} s{f' ({reason})' if reason else ''}; it may or may not have "
            "taken effect, and may still do so"
        )


class ClientSession(Asker):
    """One session with the cluster of a cluster file, under a number that no other has.

    Raises:
        UsageError: the cluster's certificates cannot be used.
    """

    def __init__(self, cluster: ClusterFile, seconds: float = 10.0) -> None:
        me = ProcessId(CLIENT, 10**6 + secrets.randbelow(2**40))
        spec = NodeSpec(me, str(me), cluster.roster, cluster.name, secrets.randbits(60), "integer", security=cluster.security)
        running = RunningNode(spec)
        running.transport.know({peer: address for peer, address in cluster.addresses.items() if peer.role == REPLICA})
        super().__init__(running, seconds)

    async def open(self) -> None:
        """Begins; connections are made when they are needed."""
        await self._running.open(None, paused=False)

    def close(self) -> None:
        """Ends it; what is still waiting is not answered any more."""
        self._running.end("the session was closed")
        self._running.close()
