"""Whether a message that came in speaks of this cluster only: a frame may be well-formed, and name a leader, an acceptor or a client that
does not exist, or a slot below the first. Nothing in a driver, a role or a log need reckon with that: such a frame is dropped and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pmmc_check.protocol.messages import Decision, P1a, P2a, P2b, Propose, Request, Response
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import BOTTOM, CLIENT, NOOP, Ballot, Command, ProcessId, Reconfigure, host_of
from pmmc_check.protocol.variants.optimised import P1bCollected
from pmmc_check.runtime.roster import nodes_of
from pmmc_check.runtime.signals import Forgotten, Heartbeat, Lacking, Order, Passed
from pmmc_check.runtime.surroundings import Envelope


class KnownProcesses:
    """Those of one cluster. Where no clients are listed, whoever comes is one."""

    def __init__(self, system: System) -> None:
        self._nodes = frozenset(nodes_of(system))
        self._acceptors = frozenset(system.acceptors)
        self._leaders = frozenset(each.number for each in system.leaders)
        self._any_client = not system.clients
        self._fits: dict[type[Any], Callable[[Any], bool]] = {
            Request: lambda said: self._command(said.command),
            Propose: self._slot_command,
            Decision: self._slot_command,
            Response: lambda said: said.cid >= 0,
            P1a: lambda said: self._ballot(said.ballot),
            P1bCollected: self._p1b,
            P2a: lambda said: self._ballot(said.ballot) and self._slot_command(said),
            P2b: lambda said: said.acceptor in self._acceptors and self._ballot(said.ballot),
            Heartbeat: lambda said: self._ballot(said.ballot),
            Lacking: lambda said: said.slot >= 1,
            Forgotten: lambda said: 0 <= said.number < 2**63,
            Passed: lambda said: all(map(self._slot_command, said.decisions)),
        }

    def is_node(self, process: ProcessId) -> bool:
        """Whether it is a leader, a replica or an acceptor of the cluster."""
        return process in self._nodes and process.role != CLIENT

    def are_all_in(self, envelope: Envelope) -> bool:
        """Whether the sender, the recipient and all that the message names are of this cluster. An order comes from whoever may give one:
        the HTTP front of a `run` asks how nodes are doing, and is none of its clients."""
        sender, to, content = envelope
        if isinstance(content, Order):
            return self._process(to)
        fits = self._fits.get(type(content))
        return self._process(sender) and self._process(to) and (fits is None or fits(content))

    def _process(self, process: ProcessId) -> bool:
        if process in self._nodes:
            return True
        if process.role == CLIENT:
            return self._any_client and process.number >= 0
        return process.round >= 0 and process.slot >= 0 and host_of(process) in self._nodes

    def _ballot(self, ballot: Ballot) -> bool:
        return (ballot.leader in self._leaders and ballot.round >= 0) or ballot == BOTTOM

    def _command(self, command: Command) -> bool:
        if command == NOOP:
            return True
        operation = command.operation
        known = not isinstance(operation, Reconfigure) or (bool(operation.leaders) and all(map(self._leader, operation.leaders)))
        return known and command.cid >= 0 and command.client.role == CLIENT and self._process(command.client)

    def _leader(self, leader: ProcessId) -> bool:
        return leader in self._nodes and leader.number in self._leaders

    def _slot_command(self, said: Any) -> bool:
        return said.slot >= 1 and self._command(said.command)

    def _p1b(self, said: P1bCollected) -> bool:
        fits = said.acceptor in self._acceptors and self._ballot(said.ballot) and said.collected >= 0
        return fits and all(self._ballot(each.ballot) and self._slot_command(each) for each in said.accepted)
