"""`Config`: which configuration of the protocol is checked. Validated once, when it is made; immutable afterwards."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from pmmc_check.errors import UsageError
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, LEADER, REPLICA, Command, ProcessId

PROCESSES_MAX = 120
"""More processes than this are refused: no search could end, and a state would no longer be small."""


@dataclass(frozen=True)
class Config:
    """Counts and bounds of one configuration, and its network.

    `commands` and `window` default to `slots`. `slots` bounds the slots that replicas propose for, `rounds` the
    ballots' rounds (0 .. rounds - 1).

    Raises:
        UsageError: a count is below 1, or the configuration is larger than the engines can hold.
    """

    acceptors: int = 3
    leaders: int = 2
    replicas: int = 2
    slots: int = 2
    commands: int = 0
    rounds: int = 1
    window: int = 0
    network: str = "duplicating"

    def __post_init__(self) -> None:
        for name in ("commands", "window"):
            if getattr(self, name) == 0:
                object.__setattr__(self, name, self.slots)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 1:
                raise UsageError(f"--{field.name} {value}: must be at least 1")
        if self.process_count > PROCESSES_MAX:
            raise UsageError(
                f"this configuration has {self.process_count} processes, and the engines hold at most {PROCESSES_MAX}; "
                f"{self.commander_count} of them are commanders (leaders × rounds × slots): lower --{self.largest_factor}"
            )

    @property
    def commander_count(self) -> int:
        """One commander for each ballot and slot."""
        return self.leaders * self.rounds * self.slots

    @property
    def process_count(self) -> int:
        """All processes that can exist in a run."""
        scouts = self.leaders * self.rounds
        return self.commands + self.replicas + self.leaders + self.acceptors + scouts + self.commander_count

    @property
    def largest_factor(self) -> str:
        """The count that a user would lower first."""
        return max(("acceptors", "leaders", "replicas", "slots", "commands", "rounds"), key=lambda n: int(getattr(self, n)))

    def system(self) -> System:
        """The same as the roles see it: one client for each command."""
        clients = _processes(CLIENT, self.commands)
        return System(
            clients=clients,
            replicas=_processes(REPLICA, self.replicas),
            leaders=_processes(LEADER, self.leaders),
            acceptors=_processes(ACCEPTOR, self.acceptors),
            commands=tuple(Command(client, 1, f"op{client.number}") for client in clients),
            window=self.window,
            slots=self.slots,
            rounds=self.rounds,
        )

    def as_dict(self) -> dict[str, int | str]:
        """For JSON."""
        return asdict(self)


def _processes(role: str, count: int) -> tuple[ProcessId, ...]:
    return tuple(ProcessId(role, number) for number in range(1, count + 1))
