"""One node of a cluster of several machines, as `pmmc-check node` runs it: until it is told to stop, by `ctl` or by a signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import ProcessId
from pmmc_check.runtime.client_session import ClientSession
from pmmc_check.runtime.cluster_file import ClusterFile
from pmmc_check.runtime.control import order_all
from pmmc_check.runtime.log_files import write_header
from pmmc_check.runtime.machines import loaded_machine
from pmmc_check.runtime.running_node import NodeSpec, RunningNode
from pmmc_check.runtime.tcp import Address, web_address
from pmmc_check.runtime.users_machine import machine_watched

_WATCH_SECONDS = 1.0


def serve_node(cluster: ClusterFile, me: ProcessId, data: Path, logs: Path | None, tell: Callable[[str], None]) -> None:
    """Runs node `me` with its data, and its log where one is wanted, in these folders. `tell` hears that it listens, and of strangers.

    Raises:
        UsageError: it cannot start, or cannot go on.
    """
    cluster.security.check_listens(str(me), cluster.addresses[me][0])
    for folder in (data, logs):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    if logs is not None and not (logs / "cluster.pmmc").exists():
        write_header(logs, cluster.roster.header())
    try:
        loaded_machine(cluster.machine)
    except UsageError as error:
        raise UsageError(f"{cluster.path}: {str(error).removeprefix('--')}") from None
    spec = NodeSpec(me, str(me), cluster.roster, cluster.name, 0, cluster.machine, data, logs, security=cluster.security)
    running = RunningNode(spec)
    with machine_watched(running.machine):
        asyncio.run(_served(running, cluster, tell))


async def _served(running: RunningNode, cluster: ClusterFile, tell: Callable[[str], None]) -> None:
    loop, me = asyncio.get_running_loop(), running.spec.me
    running.watch(loop)
    running.transport.know({peer: address for peer, address in cluster.addresses.items() if peer != me})
    host, port = await running.open(cluster.addresses[me], paused=False) or ("", 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.end)
    tell(f"{me} of {cluster.name} listens on {host}:{port}")
    watching = loop.create_task(_strangers(running, tell))
    reason = await running.over
    watching.cancel()
    running.close()
    if reason:
        raise UsageError(f"{me} cannot go on: {reason}")
    tell(f"{me} has stopped")


def serve_front(cluster: ClusterFile, at: Address, tell: Callable[[str], None]) -> None:
    """Answers HTTP for the cluster until Ctrl-C or SIGTERM.

    Raises:
        UsageError: it cannot listen there.
    """
    asyncio.run(_fronted(cluster, at, tell))


async def _fronted(cluster: ClusterFile, at: Address, tell: Callable[[str], None]) -> None:
    from pmmc_check.runtime.cluster_page import Statuses  # noqa: PLC0415  (an extra, which only this needs)
    from pmmc_check.runtime.http_front import HttpFront  # noqa: PLC0415  (the same)

    async def statuses() -> Statuses:
        return {str(node): answer for node, answer in (await order_all(cluster, "status", tuple(cluster.addresses), 1.0)).items()}

    loop, session, over = asyncio.get_running_loop(), ClientSession(cluster), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    await session.open()
    front = HttpFront(session.ask, statuses, machine=cluster.machine)
    at = front.open(at)
    tell(f"{web_address(at)} answers for {cluster.name}, and shows it in a browser")
    await over.wait()
    await front.close()
    session.close()


async def _strangers(running: RunningNode, tell: Callable[[str], None]) -> None:
    """Says once for each reason why frames are refused: a wrong key would else look like a network that loses everything."""
    told, reasons = 0, running.framing.reasons
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        for reason in reasons[told:]:
            tell(f"{running.spec.me} refuses what somebody sends: {reason}")
        told = len(reasons)
