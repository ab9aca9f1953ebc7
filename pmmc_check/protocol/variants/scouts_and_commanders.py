"""Seeded faults of the scout and of the commander: how they count answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pmmc_check.protocol.commander import Commander, CommanderState
from pmmc_check.protocol.messages import Adopted, Message, P1b, P2b
from pmmc_check.protocol.role import Lifecycle, Outcome, Outcomes, Send
from pmmc_check.protocol.scout import Scout, ScoutState
from pmmc_check.protocol.values import PValue


class ScoutHalf(Scout):
    """Takes half of the acceptors, rounded down, for a quorum."""

    symmetric = True
    ignores = Scout.ignores
    only_halts = Scout.only_halts

    def enough(self, answers: int) -> bool:
        """Half is enough."""
        return answers >= len(self.acceptors) // 2


@dataclass(frozen=True)
class CountingScoutState(ScoutState):
    """Also how many answers came, whoever sent them."""

    answers: int = 0


class ScoutCountsTwice(Scout):
    """Counts answers, not acceptors: a duplicated p1b counts twice."""

    symmetric = True
    only_halts = Scout.only_halts

    def step(self, state: ScoutState, message: Message) -> Outcomes:
        """`p1b(a, b', r)`: one more answer."""
        if not isinstance(message, P1b) or message.ballot != self.ballot:
            return super().step(state, message)
        answers = getattr(state, "answers", 0) + 1
        pvalues = self.collect(state, message)
        if self.enough(answers):
            return [Outcome(Lifecycle.EXITED, (Send(self.leader, Adopted(self.ballot, pvalues)),))]
        return [Outcome(CountingScoutState(state.waitfor, pvalues, answers))]


class ScoutKeepsLast(Scout):
    """Keeps only the pvalues of the last answer."""

    symmetric = True
    only_halts = Scout.only_halts

    def collect(self, state: ScoutState, message: P1b) -> frozenset[PValue]:
        """Overwrites."""
        return message.accepted


class ScoutKeepsLastSeen(Scout):
    """Keeps for each slot what it saw last instead of the highest ballot."""

    symmetric = True
    only_halts = Scout.only_halts

    def collect(self, state: ScoutState, message: P1b) -> frozenset[PValue]:
        """A later answer overwrites an earlier one, slot by slot."""
        highest = {slot: max(ballot for ballot, s, _ in message.accepted if s == slot) for slot in {each.slot for each in message.accepted}}
        newest = {each for each in message.accepted if each.ballot == highest[each.slot]}
        return frozenset(newest) | {each for each in state.pvalues if each.slot not in highest}


class CommanderHalf(Commander):
    """Takes half of the acceptors, rounded down, for a quorum."""

    symmetric = True
    ignores = Commander.ignores
    only_halts = Commander.only_halts

    def enough(self, answers: int) -> bool:
        """Half is enough."""
        return answers >= len(self.acceptors) // 2


@dataclass(frozen=True)
class CountingCommanderState(CommanderState):
    """Also how many answers came, whoever sent them."""

    answers: int = 0


class CommanderCountsTwice(Commander):
    """Counts answers, not acceptors: a duplicated p2b counts twice."""

    symmetric = True
    only_halts = Commander.only_halts

    def step(self, state: CommanderState, message: Message) -> Outcomes:
        """`p2b(a, b')`: one more answer."""
        if not isinstance(message, P2b) or message.ballot != self.ballot:
            return super().step(state, message)
        answers = getattr(state, "answers", 0) + 1
        if self.enough(answers):
            return [Outcome(Lifecycle.EXITED, self.decide(state.command))]
        return [Outcome(CountingCommanderState(state.command, state.waitfor, answers))]


class CommanderAnyBallot(Commander):
    """Takes every p2b for an acceptance, whatever its ballot."""

    symmetric = True

    def step(self, state: CommanderState, message: Message) -> Outcomes:
        """`p2b(a, b')`: does not look at b'."""
        return super().step(state, replace(message, ballot=self.ballot) if isinstance(message, P2b) else message)
