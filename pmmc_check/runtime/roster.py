"""Which processes make up a cluster, how they are called, and what the header of their trace says."""

from __future__ import annotations

from dataclasses import dataclass, field

from pmmc_check.errors import UsageError
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, LEADER, REPLICA, ProcessId
from pmmc_check.runtime.acceptor_driver import AcceptorDriver
from pmmc_check.runtime.client_driver import ClientDriver
from pmmc_check.runtime.host import ClusterSetting
from pmmc_check.runtime.leader_driver import LeaderDriver
from pmmc_check.runtime.machines import Sessions, StateMachine
from pmmc_check.runtime.node import Driver, LiveNode
from pmmc_check.runtime.replica_driver import ReplicaDriver
from pmmc_check.runtime.surroundings import NodeSurroundings, Timing
from pmmc_check.trace.events import ALL, DUPLICATING, LOSSY, Header, Names

_DRIVERS: dict[str, type[Driver]] = {CLIENT: ClientDriver, REPLICA: ReplicaDriver, LEADER: LeaderDriver, ACCEPTOR: AcceptorDriver}
_MOST = 99


@dataclass(frozen=True)
class Roster:
    """How many processes of each role there are; they are called C1, ..., R1, ..., L1, ..., A1, ...

    Raises:
        UsageError: one of the numbers makes no cluster.
    """

    clients: int = 5
    replicas: int = 3
    leaders: int = 3
    acceptors: int = 3
    window: int = 5
    meta: tuple[tuple[str, str], ...] = ()
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        for name in ("clients", "replicas", "leaders", "acceptors", "window"):
            value = getattr(self, name)
            if not 1 <= value <= (_MOST if name != "window" else 10**6):
                raise UsageError(f"--{name} {value}: must be between 1 and {_MOST}")

    def header(self) -> Header:
        """Everybody has a complete log; the network may lose and duplicate, and leaders may begin any ballot."""
        names = {
            f"{role}s": tuple(f"{role[0].upper()}{number}" for number in range(1, getattr(self, f"{role}s") + 1))
            for role in (REPLICA, LEADER, ACCEPTOR, CLIENT)
        }
        return Header(
            replicas=names["replicas"],
            leaders=names["leaders"],
            acceptors=names["acceptors"],
            clients=names["clients"],
            window=self.window,
            network=frozenset((LOSSY, DUPLICATING)),
            ballots="any",
            meta=self.meta,
            logs=dict.fromkeys((name for each in names.values() for name in each), ALL),
        )

    def setting(self, machine: StateMachine, protocol: Protocol = PMMC, answers_first: bool = False) -> ClusterSetting:
        """What all nodes have in common."""

        def processes(role: str) -> tuple[ProcessId, ...]:
            return tuple(ProcessId(role, number) for number in range(1, getattr(self, f"{role}s") + 1))

        system = System(
            clients=processes(CLIENT),
            replicas=processes(REPLICA),
            leaders=processes(LEADER),
            acceptors=processes(ACCEPTOR),
            commands=(),
            window=self.window,
            application=Sessions(machine),
        )
        return ClusterSetting(system, Names(self.header()), protocol, self.timing, answers_first)


def nodes_of(system: System) -> tuple[ProcessId, ...]:
    """Everybody who has a node, in the order in which they are started."""
    return (*system.acceptors, *system.leaders, *system.replicas, *system.clients)


def node_for(me: ProcessId, setting: ClusterSetting, around: NodeSurroundings) -> LiveNode:
    """The node of `me`, with the driver of its role."""
    return LiveNode(me, setting, around, _DRIVERS[me.role])
