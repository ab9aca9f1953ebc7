"""The one-slot system: the protocol's own acceptors, leaders, scouts and commanders, and one slot that the environment does its worst to.

It is made from the same roles, checked on the same model by the same engines. A `Scope` says how large it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pmmc_check.checker.any_slots.environment import in_environment
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.values import LEADER, REPLICA

OF_ONE_SLOT = ("Agreement", "Validity", "A1", "A2", "A3", "A4", "A5", "C1", "C2")
"""The invariants that speak of one slot."""
OF_ONE_REPLICA = ("R2", "R3", "R4", "R5")
"""The invariants that speak of one replica."""


@dataclass(frozen=True)
class Scope:
    """What remains bounded where slots are not.

    `config` has the acceptors, their quorums and the faults, and, where `ballots` is None, the leaders and rounds; its other counts
    mean nothing. With `ballots` there may be any number of leaders and rounds, as long as they use at most so many ballots.
    """

    config: Config
    ballots: int | None = None

    @property
    def ballotwise(self) -> bool:
        """Whether each ballot is a leader of its own."""
        return self.ballots is not None

    def one_slot_config(self) -> Config:
        """The configuration of the one-slot system: two commands are as good as any number.

        Replicas have a part of their own, so they do not crash here. Where each ballot is a leader of its own, a leader's
        restart is the beginning of another.
        """
        gone = {REPLICA, LEADER} if self.ballotwise else {REPLICA}
        faulty = tuple(role for role in self.config.faulty if role not in gone)
        faults = {"faulty": faulty} if faulty else {"faulty": (), "crashes": 0, "restarts": 0}
        counts = {"replicas": 1, "slots": 1, "window": 1, "commands": 2}
        leaders = {"leaders": self.ballots, "rounds": 1} if self.ballots is not None else {}
        return replace(self.config, **counts, **faults, **leaders)  # type: ignore[arg-type]  # each name has its own type

    def one_slot(self, protocol: Protocol) -> Model:
        """The one-slot system itself."""
        return in_environment(self.one_slot_config(), protocol)
