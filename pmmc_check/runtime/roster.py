"""Which processes make up a cluster, how they are called, and what the header of their trace says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pmmc_check.errors import UsageError
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.role import Configuration, System
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, LEADER, REPLICA, ProcessId
from pmmc_check.runtime.acceptor_driver import AcceptorDriver
from pmmc_check.runtime.client_driver import ClientDriver
from pmmc_check.runtime.host import ClusterSetting
from pmmc_check.runtime.leader_driver import LeaderDriver
from pmmc_check.runtime.machines import StateMachine
from pmmc_check.runtime.node import Driver, LiveNode
from pmmc_check.runtime.replica_driver import ReplicaDriver
from pmmc_check.runtime.sessions import Sessions
from pmmc_check.runtime.surroundings import NodeSurroundings, Timing
from pmmc_check.runtime.wire import SHARED_SETTINGS
from pmmc_check.trace.events import ALL, DUPLICATING, LOSSY, ConfigurationNames, Header, Names

_DRIVERS: dict[str, type[Driver]] = {CLIENT: ClientDriver, REPLICA: ReplicaDriver, LEADER: LeaderDriver, ACCEPTOR: AcceptorDriver}
_MOST = 99


@dataclass(frozen=True)
class Roster:
    """How many processes of each role there are; they are called C1, ..., R1, ..., L1, ..., A1, ...

    No `clients`: whoever comes is one, under any number, and no log shows what clients do. `configurations` are those that reconfigurations
    lead through, the first one first; none: all leaders and all acceptors are one. `keep` slots are kept behind that which a majority of
    the replicas has performed; what was before is forgotten.

    Raises:
        UsageError: the numbers, or the configurations, make no cluster.
    """

    clients: int = 5
    replicas: int = 3
    leaders: int = 3
    acceptors: int = 3
    window: int = 5
    meta: tuple[tuple[str, str], ...] = ()
    timing: Timing = field(default_factory=Timing)
    configurations: tuple[Configuration, ...] = ()
    keep: int = 1000

    def __post_init__(self) -> None:
        for name in ("clients", "replicas", "leaders", "acceptors", "window"):
            value, most = getattr(self, name), 10**6 if name == "window" else _MOST
            if not (0 if name == "clients" else 1) <= value <= most:
                raise UsageError(f"--{name} {value}: must be between 1 and {most}")
        for key in ("leaders", "acceptors") if self.configurations else ():
            listed = [each for configuration in self.configurations for each in getattr(configuration, key)]
            if sorted(listed) != list(_processes(key[:-1], getattr(self, key))):
                raise UsageError(f"configurations: each of the {getattr(self, key)} {key} must be in exactly one of them")

    def again(self, configurations: int) -> Roster:
        """So many configurations, each with as many leaders and acceptors as this roster has."""
        made = tuple(
            Configuration(
                _processes(LEADER, self.leaders, number * self.leaders), _processes(ACCEPTOR, self.acceptors, number * self.acceptors)
            )
            for number in range(configurations)
        )
        return replace(self, leaders=self.leaders * configurations, acceptors=self.acceptors * configurations, configurations=made)

    def header(self) -> Header:
        """Everybody has a complete log; the network may lose and duplicate, and leaders may begin any ballot."""
        names = {
            f"{role}s": tuple(f"{role[0].upper()}{number}" for number in range(1, getattr(self, f"{role}s") + 1))
            for role in (REPLICA, LEADER, ACCEPTOR, CLIENT)
        }
        configurations = tuple(ConfigurationNames(*(tuple(map(str, each)) for each in both)) for both in self.configurations)
        return Header(
            replicas=names["replicas"],
            leaders=names["leaders"],
            acceptors=names["acceptors"],
            clients=names["clients"] or None,
            window=self.window,
            network=frozenset((LOSSY, DUPLICATING)),
            ballots="any",
            configurations=configurations,
            meta=self.meta,
            logs=dict.fromkeys((name for each in names.values() for name in each), ALL),
        )

    def settings(self, machine: str) -> dict[str, str]:
        """What must be the same at all nodes, as texts (`SHARED_SETTINGS`). `keep` may differ: each node forgets for itself."""
        everybody = Configuration(_processes(LEADER, self.leaders), _processes(ACCEPTOR, self.acceptors))
        sets = [f"{','.join(map(str, each.leaders))}/{','.join(map(str, each.acceptors))}" for each in self.configurations or (everybody,)]
        return dict(zip(SHARED_SETTINGS, (machine, str(self.window), " ".join(sets), str(self.replicas)), strict=True))

    def system(self) -> System:
        """Who takes part, whatever the state machine is."""
        return System(
            clients=_processes(CLIENT, self.clients),
            replicas=_processes(REPLICA, self.replicas),
            leaders=_processes(LEADER, self.leaders),
            acceptors=_processes(ACCEPTOR, self.acceptors),
            commands=(),
            window=self.window,
            configurations=self.configurations,
        )

    def setting(self, machine: StateMachine, protocol: Protocol = PMMC, answers_first: bool = False) -> ClusterSetting:
        """What all nodes have in common."""
        system = replace(self.system(), application=Sessions(machine))
        return ClusterSetting(system, Names(self.header()), protocol, self.timing, answers_first, self.keep)


def _processes(role: str, count: int, behind: int = 0) -> tuple[ProcessId, ...]:
    return tuple(ProcessId(role, number) for number in range(behind + 1, behind + count + 1))


def nodes_of(system: System) -> tuple[ProcessId, ...]:
    """Everybody who has a node, in the order in which they are started."""
    return (*system.acceptors, *system.leaders, *system.replicas, *system.clients)


def node_for(me: ProcessId, setting: ClusterSetting, around: NodeSurroundings) -> LiveNode:
    """The node of `me`, with the driver of its role."""
    return LiveNode(me, setting, around, _DRIVERS[me.role])
