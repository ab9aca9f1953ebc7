"""Seeded faults of the replica: performing, proposing, and changing the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pmmc_check.protocol.messages import Decision, Message
from pmmc_check.protocol.replica import Replica, ReplicaState
from pmmc_check.protocol.role import Outcome, Outcomes, Send
from pmmc_check.protocol.values import Command, Reconfigure


class PerformTwice(Replica):
    """Performs a command again that was decided in two slots."""

    symmetric = True
    ignores = Replica.ignores

    def repeated(self, state: ReplicaState, command: Command) -> bool:
        """Never looks."""
        return False


class DropLoser(Replica):
    """Does not put a command back into requests that has lost its slot to another."""

    symmetric = True
    ignores = Replica.ignores

    def take_back(self, state: ReplicaState, decided: Command) -> ReplicaState:
        """Only forgets the proposal."""
        return replace(state, proposals=frozenset(each for each in state.proposals if each.slot != state.slot_out))


class SkipHole(Replica):
    """Performs the next command that is decided, wherever it is: slot_out jumps over slots that are not decided yet."""

    symmetric = True

    def perform_decided(self, state: ReplicaState, sends: tuple[Send, ...] = ()) -> Sequence[Outcome]:
        """From the next decided slot on, as often as there is one."""
        later = [slot for slot, _ in state.decisions if slot >= state.slot_out]
        if not later:
            return [Outcome(state, sends)]
        performed = super().perform_decided(replace(state, slot_out=min(later)), sends)
        return [outcome for each in performed for outcome in self.perform_decided(*each)]


class IgnoreWindow(Replica):
    """Proposes for slots beyond its window."""

    symmetric = True
    ignores = Replica.ignores

    def window_open(self, state: ReplicaState) -> bool:
        """Only the model's bound counts."""
        return self.system.slots is None or state.slot_in <= self.system.slots


class ReconfigureLate(Replica):
    """Looks for a reconfiguration after `slot_in += 1`: it then looks at a slot that is not decided yet, and misses it."""

    symmetric = True

    def propose(self, state: ReplicaState, sends: tuple[Send, ...] = ()) -> Outcomes:
        """`propose()` with its last two statements exchanged."""
        while state.requests and self.window_open(state):
            if not state.decided_in(state.slot_in):
                return self.choices(state, sends)
            state = self.take_over_configuration(replace(state, slot_in=state.slot_in + 1))
        return [Outcome(state, sends)]

    def assign(self, state: ReplicaState, command: Command, sends: tuple[Send, ...]) -> Outcome:
        """Takes over once slot_in has moved on."""
        after, sent = super().assign(state, command, sends)
        return Outcome(self.take_over_configuration(after), sent)


class ReconfigureAtOnce(Replica):
    """A reconfiguration takes effect when its decision arrives, not WINDOW slots later: also for slots before its own."""

    symmetric = True

    def step(self, state: ReplicaState, message: Message) -> Outcomes:
        """`decision(s, c)`: where c is a reconfiguration, changes the leaders at once."""
        if isinstance(message, Decision) and isinstance(message.command.operation, Reconfigure):
            state = replace(state, leaders=message.command.operation.leaders)
        return super().step(state, message)


class ForgetDecisions(Replica):
    """Comes back from a crash with nothing: its slot_out and its state fall back."""

    symmetric = True

    def restart(self, state: ReplicaState) -> Outcome:
        """As on its first day."""
        return self.start()
