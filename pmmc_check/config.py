"""`Config`: which configuration of the protocol is checked. Validated once, when it is made; immutable afterwards."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.protocol.role import Configuration, Faults, System
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, LEADER, REPLICA, Command, ProcessId, Reconfigure, majority

PROCESSES_MAX = 120
"""More processes than this are refused: no search could end, and a state would no longer be small."""

COUNTS = ("acceptors", "leaders", "replicas", "slots", "commands", "rounds", "window")
QUORUMS = ("quorum1", "quorum2")
FAULT_COUNTS = ("crashes", "restarts", "reconfigurations")
FAULTY_ROLES = (ACCEPTOR, REPLICA, LEADER)
"""Who may crash. Scouts and commanders go down with their leader; a client keeps no state."""


@dataclass(frozen=True)
class Config:
    """Counts and bounds of one configuration, and its network.

    `commands` and `window` default to `slots`. `quorum1` and `quorum2` are how many acceptors a scout (phase 1) and a commander
    (phase 2) wait for; 0 stands for a majority. `slots` bounds the slots that replicas propose for, `rounds` the
    ballots' rounds (0 .. rounds - 1). `crashes` and `restarts` bound how many such steps a run may have, of processes of
    the roles in `faulty` (all three when it is empty). With `reconfigurations` there are that many further sets of
    `leaders` leaders and `acceptors` acceptors, and for each set one more command, which changes to it.

    Raises:
        UsageError: a count is too low, options contradict each other, or the configuration is larger than the engines can hold.
    """

    acceptors: int = 3
    leaders: int = 2
    replicas: int = 2
    slots: int = 2
    commands: int = 0
    rounds: int = 1
    window: int = 0
    network: str = "duplicating"
    crashes: int = 0
    restarts: int = 0
    faulty: tuple[str, ...] = ()
    reconfigurations: int = 0
    quorum1: int = 0
    quorum2: int = 0

    def __post_init__(self) -> None:
        for name in ("commands", "window"):
            if getattr(self, name) == 0:
                object.__setattr__(self, name, self.slots)
        for name in COUNTS:
            if getattr(self, name) < 1:
                raise UsageError(f"--{name} {getattr(self, name)}: must be at least 1")
        self._check_quorums()
        for name in FAULT_COUNTS:
            if getattr(self, name) < 0:
                raise UsageError(f"--{name} {getattr(self, name)}: must be at least 0")
        self._check_faults()
        if self.reconfigurations and self.window >= self.slots:
            raise UsageError(
                f"--reconfigurations {self.reconfigurations}: takes effect WINDOW = {self.window} slots later, "
                f"and there are only {self.slots} slots; give a --window smaller than --slots"
            )
        self._check_size()

    def _check_size(self) -> None:
        if self.process_count > PROCESSES_MAX:
            raise UsageError(
                f"this configuration has {self.process_count} processes, and the engines hold at most {PROCESSES_MAX}; "
                f"{self.commander_count} of them are commanders (leaders × rounds × slots): lower --{self.largest_factor}"
            )

    def _check_quorums(self) -> None:
        """Quorums that need not meet are allowed: what they break is worth seeing."""
        for name in QUORUMS:
            size = getattr(self, name)
            if not 0 <= size <= self.acceptors:
                raise UsageError(f"--{name} {size}: must be from 1 to the number of acceptors, {self.acceptors}")

    def _check_faults(self) -> None:
        for role in self.faulty:
            if role not in FAULTY_ROLES:
                down = " (scouts and commanders go down with their leader)" if role in ("scout", "commander") else ""
                down = down or did_you_mean(role, FAULTY_ROLES)
                raise UsageError(f"--faulty {role}: a {role} cannot crash and restart{down}; choose from {', '.join(FAULTY_ROLES)}")
        if self.restarts and not self.crashes:
            raise UsageError(f"--restarts {self.restarts}: only a process that has crashed can restart; add --crashes {self.restarts}")
        if self.faulty and not self.crashes:
            raise UsageError(f"--faulty {','.join(self.faulty)}: no crash is allowed; add --crashes 1, or leave --faulty out")
        if self.crashes and not self.faulty:
            object.__setattr__(self, "faulty", FAULTY_ROLES)

    @property
    def quorums(self) -> tuple[int, int]:
        """The sizes of a quorum of phase 1 and of one of phase 2."""
        return self.quorum1 or majority(self.acceptors), self.quorum2 or majority(self.acceptors)

    @property
    def quorums_meet(self) -> bool:
        """Whether every quorum of phase 1 shares an acceptor with every quorum of phase 2: all that safety needs of them."""
        return sum(self.quorums) > self.acceptors

    @property
    def sets(self) -> int:
        """How many sets of leaders and acceptors there are."""
        return 1 + self.reconfigurations

    @property
    def commander_count(self) -> int:
        """One commander for each ballot and slot."""
        return self.sets * self.leaders * self.rounds * self.slots

    @property
    def process_count(self) -> int:
        """All processes that can exist in a run."""
        in_sets = self.sets * (self.leaders + self.acceptors + self.leaders * self.rounds)
        clients = self.commands + self.reconfigurations
        return clients + self.replicas + in_sets + self.commander_count + bool(self.crashes)

    @property
    def largest_factor(self) -> str:
        """The count that a user would lower first."""
        return max(("acceptors", "leaders", "replicas", "slots", "commands", "rounds"), key=lambda n: int(getattr(self, n)))

    def system(self) -> System:
        """The same as the roles see it: one client for each command, those of the reconfigurations last."""
        clients = _processes(CLIENT, self.commands + self.reconfigurations)
        configurations = self._configurations()
        changes = [Reconfigure(each.leaders) for each in configurations[1:]]
        ordinary = tuple(Command(client, 1, f"op{client.number}") for client in clients[: self.commands])
        return System(
            clients=clients,
            replicas=_processes(REPLICA, self.replicas),
            leaders=tuple(leader for each in configurations for leader in each.leaders),
            acceptors=tuple(acceptor for each in configurations for acceptor in each.acceptors),
            commands=ordinary + tuple(Command(client, 1, change) for client, change in zip(clients[self.commands :], changes, strict=True)),
            window=self.window,
            slots=self.slots,
            rounds=self.rounds,
            configurations=configurations,
            faults=Faults(self.crashes, self.restarts, frozenset(self.faulty)),
            quorum1=self.quorum1 or None,
            quorum2=self.quorum2 or None,
        )

    def as_dict(self) -> dict[str, int | str | list[str]]:
        """The configuration as it is written in JSON."""
        given = asdict(self) | dict(zip(QUORUMS, self.quorums, strict=True))
        return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}

    def _configurations(self) -> tuple[Configuration, ...]:
        return tuple(
            Configuration(_processes(LEADER, self.leaders, k * self.leaders), _processes(ACCEPTOR, self.acceptors, k * self.acceptors))
            for k in range(self.sets)
        )


def _processes(role: str, count: int, after: int = 0) -> tuple[ProcessId, ...]:
    return tuple(ProcessId(role, number) for number in range(after + 1, after + count + 1))
