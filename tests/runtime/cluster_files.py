"""Clusters by a cluster file, for tests: the file, its nodes as processes or in this one, and a client."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers import ROOT

from pmmc_check.runtime.client_session import ClientSession
from pmmc_check.runtime.cluster_file import ClusterFile, read_cluster_file
from pmmc_check.runtime.running_node import NodeSpec, RunningNode

COMMAND = [sys.executable, "-m", "pmmc_check"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
SMALL = ("A1", "L1", "R1")
TWO = ("A1", "A2", "L1", "L2", "R1")
CONFIGURATIONS = "".join(f'[[configurations]]\nleaders = ["L{n}"]\nacceptors = ["A{n}"]\n' for n in (1, 2))
Told = Callable[..., subprocess.CompletedProcess[str]]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def cluster_file(folder: Path, more: str = "", nodes: tuple[str, ...] = SMALL, name: str = "shop", tables: str = "") -> Path:
    listed = "".join(f'{node} = "127.0.0.1:{port}"\n' for node, port in zip(nodes, free_ports(len(nodes)), strict=True))
    path = folder / "cluster.toml"
    path.write_text(f'name = "{name}"\nwindow = 3\n{more}\n[nodes]\n{listed}{tables}')
    return path


def started(path: Path, node: str) -> subprocess.Popen[str]:
    folder = path.parent
    words = [*COMMAND, "node", "--config", str(path), "--id", node, "--data-dir", str(folder / "data"), "--trace-dir", str(folder / "logs")]
    return subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


@contextmanager
def running(path: Path, nodes: tuple[str, ...] = SMALL) -> Iterator[dict[str, subprocess.Popen[str]]]:
    processes = {node: started(path, node) for node in nodes}
    try:
        for process in processes.values():
            listens(process)
        yield processes
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()


def listens(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "listens on 127.0.0.1:" in line, line


async def asked(cluster: ClusterFile, *operations: str, seconds: float = 20.0) -> list[str]:
    session = ClientSession(cluster, seconds)
    await session.open()
    try:
        return [await session.ask(each) for each in operations]
    finally:
        session.close()


async def served(cluster: ClusterFile, folder: Path) -> RunningNode:
    me = cluster.node("R1")
    node = RunningNode(NodeSpec(me, "R1", cluster.roster, cluster.name, 1, "kv", folder, security=cluster.security))
    await node.open(cluster.addresses[me], paused=False)
    return node


def with_key(folder: Path, key: str, name: str = "shop", text: str = "") -> ClusterFile:
    folder.mkdir(exist_ok=True)
    (folder / "key").write_text(key)
    path = folder / "cluster.toml"
    if text:
        path.write_text(text.replace('"shop"', f'"{name}"'))
    else:
        cluster_file(folder, 'key_file = "key"')
    return read_cluster_file(path)
