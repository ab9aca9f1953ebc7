"""The leader (figure 7 of the paper): owns ballots, and spawns the scouts and commanders that use them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pmmc_check.protocol.messages import Adopted, Message, Preempted, Propose, Start
from pmmc_check.protocol.role import Lifecycle, Outcome, Outcomes, Role, Send, replace
from pmmc_check.protocol.values import (
    LEADER,
    Ballot,
    Command,
    ProcessId,
    Proposals,
    PValue,
    SlotCommand,
    commander_id,
    pmax,
    scout_id,
    update,
)


@dataclass(frozen=True)
class LeaderState:
    """The ballot it uses or tries to use, whether that is adopted, and one command for each slot proposed to it."""

    ballot: Ballot
    active: bool = False
    proposals: Proposals = frozenset()

    def proposes_for(self, slot: int) -> bool:
        """Whether a command is proposed for `slot`."""
        return any(each == slot for each, _ in self.proposals)


class Leader(Role):
    """`propose`, `adopted` and `preempted` of the paper. Creating a scout or commander is part of its step."""

    role = LEADER
    symmetric = True
    starts_once = True

    def start(self, command: Command | None = None) -> Outcome:
        """Begins with its ballot of round 0."""
        ballot = self.own_ballot(0)
        return Outcome(LeaderState(ballot), self.spawn_scout(ballot))

    def step(self, state: LeaderState, message: Message) -> Outcomes:
        """One handler a message."""
        if isinstance(message, Propose):
            return [self.propose(state, message)]
        if isinstance(message, Adopted):
            return self.adopted(state, message)
        if isinstance(message, Preempted):
            return [self.preempted(state, message)]
        return [Outcome(state)]

    def propose(self, state: LeaderState, message: Propose) -> Outcome:
        """`propose(s, c)`: the first command proposed for a slot stays."""
        if state.proposes_for(message.slot):
            return Outcome(state)
        entry = SlotCommand(message.slot, message.command)
        after = replace(state, proposals=state.proposals | {entry})
        return Outcome(after, self.spawn_commanders(after.ballot, frozenset({entry})) if after.active else ())

    def adopted(self, state: LeaderState, message: Adopted) -> Outcomes:
        """`adopted(b, pvals)`: its own proposals give way to what may already be decided."""
        if message.ballot != state.ballot or state.active:
            return [Outcome(state)]
        return [
            Outcome(replace(state, active=True, proposals=proposals), self.spawn_commanders(state.ballot, proposals))
            for proposals in self.merge(state.proposals, message.pvalues)
        ]

    def merge(self, proposals: Proposals, pvalues: frozenset[PValue]) -> Iterable[Proposals]:
        """`proposals ◁ pmax(pvalues)`; one result, unless a faulty role has made pmax ambiguous."""
        return [update(proposals, highest) for highest in pmax(pvalues)]

    def preempted(self, state: LeaderState, message: Preempted) -> Outcome:
        """`preempted(b')`: moves above b', or retires where the model's bound has no round left."""
        if message.ballot <= state.ballot:
            return Outcome(state)
        if not self.system.round_exists(message.ballot.round + 1):
            return Outcome(Lifecycle.EXITED)
        return self.campaign(state, self.own_ballot(message.ballot.round + 1))

    def restart(self, state: LeaderState) -> Outcome:
        """Only the round is durable: it goes on with one that it never used, or retires where the bound leaves none.

        Its proposals, its scouts and its commanders are gone.
        """
        if not self.system.round_exists(state.ballot.round + 1):
            return Outcome(Lifecycle.EXITED)
        return self.campaign(self.start().state, self.own_ballot(state.ballot.round + 1))

    def campaign(self, state: LeaderState, ballot: Ballot) -> Outcome:
        """Begins `ballot`, which must be higher than its own: after a preemption, a restart, or, in many implementations, a timeout."""
        return Outcome(replace(state, active=False, ballot=ballot), self.spawn_scout(ballot))

    def own_ballot(self, round_number: int) -> Ballot:
        """Its ballot of a round, which no other leader has."""
        return Ballot(round_number, self.me.number)

    def spawn_scout(self, ballot: Ballot) -> tuple[Send, ...]:
        """Creates Scout(ballot)."""
        return (Send(scout_id(ballot), Start()),)

    def spawn_commanders(self, ballot: Ballot, proposals: Proposals) -> tuple[Send, ...]:
        """Creates Commander(ballot, s, c) for each proposal."""
        return tuple(Send(commander_id(ballot, slot), Start(command)) for slot, command in sorted(proposals))

    def ignores(self, state: LeaderState, message: Message) -> bool:
        """Its ballot only grows, and a slot that has a proposal keeps one, unless a restart can lose it."""
        if isinstance(message, Propose):
            return state.proposes_for(message.slot) and not self.system.faults.may_restart(self.role)
        if isinstance(message, Adopted):
            return message.ballot < state.ballot or (message.ballot == state.ballot and state.active)
        return isinstance(message, Preempted) and message.ballot <= state.ballot

    def only_halts(self, state: LeaderState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """A preemption is ignored when its ballot is at most that of the scout or commander who sends it, since the
        leader's is no lower;

        and where no round is left after it, all it can do is to retire the leader.
        """
        if not isinstance(message, Preempted):
            return None
        known = state.ballot if state is not None else sender.ballot if sender is not None else None
        if known is not None and message.ballot <= known:
            return ()
        return None if self.system.round_exists(message.ballot.round + 1) else ()
