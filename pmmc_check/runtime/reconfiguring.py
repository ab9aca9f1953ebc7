"""Changes the leaders, and with them the acceptors, of a running cluster."""

from __future__ import annotations

import asyncio
import time

from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import REPLICA, ProcessId
from pmmc_check.runtime.client_session import ClientSession
from pmmc_check.runtime.cluster_file import ClusterFile
from pmmc_check.runtime.control import Answers, Refusal, order_all

_LOOK_SECONDS = 0.2


async def reconfigure(cluster: ClusterFile, leaders: tuple[ProcessId, ...], seconds: float) -> Answers:
    """Asks for it, fills the slots until it takes effect, and returns what the replicas say when all that answer have changed.

    Raises:
        UsageError: not within `seconds`.
    """
    session = ClientSession(cluster)
    await session.open()
    session.driver.reconfigure(leaders)
    replicas = tuple(each for each in cluster.addresses if each.role == REPLICA)
    wanted, end = list(map(str, leaders)), time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            await asyncio.sleep(_LOOK_SECONDS)
            if await session.renew():
                session.driver.reconfigure(leaders)
            answers = await order_all(cluster, "status", replicas)
            if all(isinstance(each, Refusal) for each in answers.values()):
                raise UsageError("; ".join(f"{node}: {answer}" for node, answer in answers.items()))
            told = [each for each in answers.values() if isinstance(each, dict)]
            if told and all(each["leaders"] == wanted for each in told):
                return answers
    finally:
        session.close()
    raise UsageError(
        f"the configuration has not changed within {seconds:g} s; are a majority of its acceptors, a leader and a replica running? It may "
        "still change"
    )
