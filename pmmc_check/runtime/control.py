"""What `pmmc-check ctl` tells the nodes of a cluster, and hears from them."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import ssl
from collections.abc import Mapping
from typing import Any

from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import CLIENT, ProcessId
from pmmc_check.runtime.cluster_file import ClusterFile
from pmmc_check.runtime.security import Security, tls_reason
from pmmc_check.runtime.signals import Order, OrderAnswer
from pmmc_check.runtime.surroundings import Envelope
from pmmc_check.runtime.tcp import Address
from pmmc_check.runtime.wire import Foreign, Framing, OtherSettings, decode, encode

_ANSWER_SECONDS = 3.0
Answers = dict[ProcessId, dict[str, Any] | str]
"""What each node says of itself, or why it says nothing."""


class Refusal(str):
    """Why a node says nothing: it has hung up. It does not take anything from us; or it stops, or has too many connections just now."""


class CertainRefusal(Refusal):
    """The same, and it is sure that it takes nothing from us, or that we trust nothing of it."""


async def order_all(cluster: ClusterFile, word: str, nodes: tuple[ProcessId, ...], seconds: float = _ANSWER_SECONDS) -> Answers:
    """Gives an order to some nodes at the same time."""
    speaker = Speaker(Framing(cluster.name, cluster.security.key, cluster.settings), cluster.security, cluster.addresses)
    answers = await asyncio.gather(*(speaker.order(node, word, seconds) for node in nodes))
    return dict(zip(nodes, answers, strict=True))


class Speaker:
    """Gives orders to the nodes of one cluster.

    Raises:
        UsageError: its certificates cannot be used.
    """

    def __init__(self, framing: Framing, security: Security, addresses: Mapping[ProcessId, Address]) -> None:
        self.addresses, self.framing = addresses, framing
        self.context = security.context(server=False)
        self.me = ProcessId(CLIENT, 1 + secrets.randbelow(2**31))

    async def order(self, node: ProcessId, word: str, seconds: float = _ANSWER_SECONDS) -> dict[str, Any] | str:
        """What the node answers, or why there is no answer."""
        host, port = self.addresses[node]
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_connection(host, port, ssl=self.context)
                try:
                    token = (await self._asked(reader, writer, node, Order("", ""))).token
                    found: dict[str, Any] = json.loads((await self._asked(reader, writer, node, Order(word, token))).text)
                    return found
                finally:
                    writer.close()
        except (EOFError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return Refusal(
                f"{host}:{port} refuses us: it has another key, belongs to another cluster, speaks another version, or trusts other "
                "certificates; it says on its stderr what it is"
            )
        except ssl.SSLError as error:
            return CertainRefusal(f"{host}:{port} speaks no TLS that we trust, or does not trust our certificate: {tls_reason(error)}")
        except OtherSettings as error:
            return CertainRefusal(f"{host}:{port} refuses us: {error}")
        except TimeoutError:
            return f"{host}:{port} does not answer within {seconds:g} s"
        except OSError as error:
            return f"{host}:{port} cannot be reached: {_why(error)}"
        except (Foreign, ValueError) as error:
            return f"{host}:{port} answers what we do not understand: {error}"

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, node: ProcessId, order: Order) -> OrderAnswer:
        writer.write(self.framing.frame(encode(Envelope(self.me, node, order))))
        buffer = bytearray()
        while True:
            data = await reader.read(2**16)
            if not data:
                raise EOFError
            buffer += data
            for body in self.framing.bodies(buffer):
                for envelope in decode(body):
                    if isinstance(envelope.content, OrderAnswer):
                        return envelope.content


def _why(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there; is the node running?"
    return os.strerror(error.errno) if error.errno else str(error)


async def stop_all(cluster: ClusterFile, nodes: tuple[ProcessId, ...]) -> Answers:
    """Replicas first and acceptors last, so that nobody waits for who has stopped."""
    answers: Answers = {}
    for role in ("replica", "leader", "acceptor"):
        answers |= await order_all(cluster, "stop", tuple(each for each in nodes if each.role == role))
    return answers


def leaders_named(cluster: ClusterFile, text: str) -> tuple[ProcessId, ...]:
    """The leaders of a configuration, by their names.

    Raises:
        UsageError: no configuration has just these.
    """
    asked = tuple(filter(None, text.split(",")))
    listed = [tuple(map(str, each.leaders)) for each in cluster.roster.configurations]
    for configuration, names in zip(cluster.roster.configurations, listed, strict=True):
        if set(names) == set(asked):
            return configuration.leaders
    known = " or ".join(",".join(each) for each in listed) or "no [[configurations]] in the file"
    raise UsageError(f"--to {text}: expected the leaders of one of the configurations: {known}")
