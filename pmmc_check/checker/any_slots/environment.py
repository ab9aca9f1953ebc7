"""The environment of the one-slot system: all that the rest of a run of any size may do to one slot, as a role.

It takes the replicas' place, and acts before the first step: everything that it could ever send is in flight from the start.

E1  Every command is proposed to every leader, for every slot of the model. So it does not matter how many replicas there are, what they
    were requested, which WINDOW they have, or what they learnt from other slots.
E2  Every leader may be preempted by every ballot, ⊥ included. It is what commanders of other slots tell a leader; there they
    can tell it only ballots that an acceptor has answered with, so this allows a little more than can happen. Going on to a higher ballot
    is always safe in Paxos; where leaders have one round each, all that follows is that they retire.

Both are messages on the network `duplicating`: each may be delivered at any time, any number of times, or never.
"""

from __future__ import annotations

from dataclasses import dataclass

from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.protocol import Protocol, variant
from pmmc_check.protocol.messages import Message, Preempted, Propose, Request
from pmmc_check.protocol.role import Outcome, Outcomes, Role, System, broadcast
from pmmc_check.protocol.values import BOTTOM, REPLICA, Ballot, Command, SlotCommand


@dataclass(frozen=True)
class EnvironmentState:
    """Nothing; the fields are those that invariants read of a replica."""

    proposals: frozenset[SlotCommand] = frozenset()
    decisions: frozenset[SlotCommand] = frozenset()


class Environment(Role):
    """Sends what E1 and E2 allow, and takes in the decisions, which stay in sight on their way to it."""

    role = REPLICA
    symmetric = True
    outsiders = 0
    """Further leaders, of which nothing is seen but that their ballots preempt."""

    def start(self, command: Command | None = None) -> Outcome:
        """Proposes every command for every slot (E1), and preempts every leader by every ballot (E2)."""
        slots = range(1, (self.system.slots or 1) + 1)
        proposals = [Propose(slot, each) for slot in slots for each in self.system.commands]
        preemptions = [Preempted(ballot) for ballot in (BOTTOM, *ballots_of(self.system, self.outsiders))]
        messages: list[Message] = [*proposals, *preemptions]
        return Outcome(EnvironmentState(), tuple(send for each in messages for send in broadcast(self.system.leaders, each)))

    def step(self, state: EnvironmentState, message: Message) -> Outcomes:
        """Nothing that happens makes it do more than it has done."""
        return [Outcome(state)]

    def ignores(self, state: EnvironmentState, message: Message) -> bool:
        """Requests; a decision changes nothing either, but invariants observe it on its way."""
        return isinstance(message, Request)


class Crowded(Environment):
    """With one leader more than the system has, so that its last leader, too, is preempted in each round."""

    symmetric = True
    outsiders = 1
    ignores = Environment.ignores


def in_environment(config: Config, protocol: Protocol, environment: type[Role] = Environment) -> Model:
    """`protocol` in a configuration, with the environment in the replicas' place."""
    return Model(config, variant(environment, base=protocol))


def ballots_of(system: System, outsiders: int = 0) -> list[Ballot]:
    """All ballots within the bounds, in their order; also those of so many leaders that are not in the system."""
    leaders = range(1, len(system.leaders) + outsiders + 1)
    return [Ballot(each, leader) for each in range(system.rounds or 0) for leader in leaders]
