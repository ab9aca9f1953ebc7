"""A session of a client with a cluster: each operation is sent to every replica, again and again, until one of them answers. It takes
effect once, whatever was lost, and whoever has crashed."""

from __future__ import annotations

import asyncio
import secrets
import time
from functools import partial

from pmmc_check.errors import PmmcError
from pmmc_check.protocol.values import CLIENT, REPLICA, ProcessId
from pmmc_check.runtime.client_driver import ClientDriver
from pmmc_check.runtime.cluster_file import ClusterFile
from pmmc_check.runtime.control import CertainRefusal, Refusal, order_all
from pmmc_check.runtime.operations import beginning_of, why_no_operation
from pmmc_check.runtime.running_node import NodeSpec, RunningNode

_FIRST_NUMBER = 10**6
_CLASH_BITS = 20
"""So many bits of a number are drawn by lot: what remains are milliseconds."""
_LOOK_SECONDS = 1.0
"""When nobody has answered anything for so long, it is looked at why; and again, where that is not sure."""


class Unanswered(PmmcError, TimeoutError):
    """No replica has answered in time. The operation may have taken effect, may still do so, or never will."""


class NotAdmitted(Unanswered):
    """All replicas refuse what this client sends, and have taken nothing of it: it has another key, certificate or cluster file. So nothing
    has taken effect."""


class Asker:
    """Asks through the node of a client; `seconds` is how long an answer is waited for."""

    def __init__(self, running: RunningNode, seconds: float) -> None:
        self._running, self.seconds = running, seconds

    @property
    def driver(self) -> ClientDriver:
        """What asks."""
        driver = self._running.node.driver
        assert isinstance(driver, ClientDriver)
        return driver

    async def ask(self, operation: str) -> str:
        """The result of an operation of the cluster's state machine.

        Raises:
            Unanswered: no answer came in time, and none is waited for any more.
            TypeError: the operation is no text.
            ValueError: it is empty, too long (`OPERATION_BYTES_MAX`), or begins as a marker does.
        """
        if why := why_no_operation(operation):
            raise (ValueError if isinstance(operation, str) else TypeError)(f"operation: {why}")
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        running, driver = self._running, self.driver
        question = driver.ask(operation, partial(_answered, answer), partial(_lost, answer))
        try:
            done, _ = await asyncio.wait((answer, running.over), timeout=self.seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            driver.withdraw(question)
        if answer.cancelled():
            raise Unanswered(
                f"the cluster no longer knows what became of {beginning_of(repr(operation))}: many other sessions were used since; it may "
                "or may not have taken effect"
            )
        if answer.done():
            return answer.result()
        answer.cancel()
        ended = running.over.result() or "the client was stopped" if done else ""
        reason = ended or running.framing.refused
        effect = "it may or may not have taken effect, and may still do so" if question.commands else "it was never asked: others waited"
        why = f" ({reason})" if reason else ""
        within = "" if ended else f" within {self.seconds:g} s"
        raise Unanswered(f"no replica has answered {beginning_of(repr(operation))}{within}{why}; {effect}")


def _answered(answer: asyncio.Future[str], result: str) -> None:
    if not answer.done():
        answer.set_result(result)


def _lost(answer: asyncio.Future[str]) -> None:
    answer.cancel()


def new_number(forgotten: int = 0) -> int:
    """The number of a new session, which no other has. They are in the order of time, as the sessions of replicas want it; unless numbers
    up to `forgotten` are of no use: some client's clock is ahead. Then all others have to go on from there, at the same time, so that they
    must not draw from few numbers."""
    now = _FIRST_NUMBER + (time.time_ns() // 10**6 << _CLASH_BITS)
    if now > forgotten:
        return now + secrets.randbelow(2**_CLASH_BITS)
    return forgotten + 1 + secrets.randbelow(2 ** (2 * _CLASH_BITS))


class ClientSession(Asker):
    """A session with the cluster of a cluster file, under a number that no other has; another one where the cluster has forgotten it.

    Raises:
        UsageError: the cluster's certificates cannot be used.
    """

    def __init__(self, cluster: ClusterFile, seconds: float = 10.0) -> None:
        self._cluster = cluster
        self._looking: asyncio.Future[str] | None = None
        super().__init__(self._made(0), seconds)

    def _made(self, forgotten: int) -> RunningNode:
        """Replicas have forgotten numbers up to `forgotten`."""
        cluster, me = self._cluster, ProcessId(CLIENT, new_number(forgotten))
        spec = NodeSpec(
            me, str(me), cluster.roster, cluster.name, secrets.randbits(60), "integer", security=cluster.security, settings=cluster.settings
        )
        running = RunningNode(spec)
        running.transport.know({peer: address for peer, address in cluster.addresses.items() if peer.role == REPLICA})
        return running

    async def open(self) -> None:
        """Begins; connections are made when they are needed."""
        await self._running.open(None, paused=False)

    async def renew(self) -> bool:
        """Begins another session where the cluster has forgotten this one; returns whether it had."""
        if not (forgotten := self.driver.forgotten):
            return False
        self.close()
        self._running = self._made(forgotten)
        await self.open()
        return True

    async def ask(self, operation: str) -> str:
        """As `Asker.ask`.

        Raises:
            NotAdmitted: also this, as long as nobody has answered anything.
        """
        await self.renew()
        asking = asyncio.ensure_future(super().ask(operation))
        try:
            if not self._running.node.counts["received response"]:
                looking = self._looks()
                await asyncio.wait((asking, looking), return_when=asyncio.FIRST_COMPLETED)
                if not asking.done() and not looking.cancelled() and (why := looking.result()):
                    raise NotAdmitted(f"{beginning_of(repr(operation))} was not asked, and has no effect: {why}")
            return await asking
        finally:
            asking.cancel()
            await asyncio.wait((asking,))
            if not asking.cancelled():
                asking.exception()  # it has been heard, or does not matter any more

    def _looks(self) -> asyncio.Future[str]:
        """One look for all that wait: a thousand of them would look as a crowd at the door."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._why_refused_by_all())
        return self._looking

    async def _why_refused_by_all(self) -> str:
        """Why, as soon as it is sure that no replica has taken anything from us; "" where one may have. That a replica has hung up on us
        proves nothing about what it took on the connection before."""
        running, replicas = self._running, tuple(each for each in self._cluster.addresses if each.role == REPLICA)
        transport = running.transport
        while True:
            await asyncio.sleep(min(_LOOK_SECONDS, self.seconds / 2))
            if running.node.counts["received response"]:
                return ""
            turned_away = set(filter(transport.is_turned_away, replicas))
            answers = await order_all(self._cluster, "status", replicas, self.seconds)
            if not all(isinstance(each, Refusal) for each in answers.values()):
                return ""
            turned_away = set(filter(transport.is_turned_away, turned_away))
            if all(isinstance(each, CertainRefusal) or node in turned_away for node, each in answers.items()):
                return "; ".join(f"{node}: {answer}" for node, answer in answers.items())

    def close(self) -> None:
        """Ends it; what is still waiting is not answered any more."""
        if self._looking is not None:
            self._looking.cancel()
        self._running.end("the session was closed")
        self._running.close()
