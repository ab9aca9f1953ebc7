"""Seeded faults of the leader: how it merges what its scout brings, and when it uses which ballot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import product

from pmmc_check.protocol.leader import Leader, LeaderState
from pmmc_check.protocol.messages import Adopted, Preempted, Propose
from pmmc_check.protocol.role import Outcome, Outcomes
from pmmc_check.protocol.values import Ballot, Command, Proposals, PValue, SlotCommand, pmax, update

Pick = Callable[[Mapping[Ballot, frozenset[Command]]], frozenset[Command]]
"""Chooses among the commands of one slot, given by ballot."""


class IgnorePmax(Leader):
    """Does not merge the pvalues of its scout: proposes its own command where another may already be decided."""

    symmetric = True
    starts_once = True
    ignores = Leader.ignores
    only_halts = Leader.only_halts

    def merge(self, proposals: Proposals, pvalues: frozenset[PValue]) -> Iterable[Proposals]:
        """Forgets pvalues."""
        return [proposals]


class ReversedUpdate(Leader):
    """`pmax(pvals) ◁ proposals`: its own proposals win over what may already be decided."""

    symmetric = True
    starts_once = True
    ignores = Leader.ignores
    only_halts = Leader.only_halts

    def merge(self, proposals: Proposals, pvalues: frozenset[PValue]) -> Iterable[Proposals]:
        """The wrong way round."""
        return [update(highest, proposals) for highest in pmax(pvalues)]


class LowestPmax(Leader):
    """Takes the pvalue with the lowest ballot of each slot."""

    symmetric = True
    starts_once = True
    ignores = Leader.ignores
    only_halts = Leader.only_halts

    def merge(self, proposals: Proposals, pvalues: frozenset[PValue]) -> Iterable[Proposals]:
        """The minimum."""
        return picked(proposals, pvalues, lambda by_ballot: by_ballot[min(by_ballot)])


class PreviousPmax(Leader):
    """Compares each pvalue with the previous one instead of the running maximum.

    In the order in which a set is walked anything may come last that follows a lower one: with three ballots
    or more, every one but the lowest.
    """

    symmetric = True
    starts_once = True
    ignores = Leader.ignores
    only_halts = Leader.only_halts

    def merge(self, proposals: Proposals, pvalues: frozenset[PValue]) -> Iterable[Proposals]:
        """Each result that some order of walking has."""

        def reachable(by_ballot: Mapping[Ballot, frozenset[Command]]) -> frozenset[Command]:
            last = sorted(by_ballot)[1:] if len(by_ballot) > 2 else [max(by_ballot)]
            return frozenset(command for ballot in last for command in by_ballot[ballot])

        return picked(proposals, pvalues, reachable)


def picked(proposals: Proposals, pvalues: frozenset[PValue], pick: Pick) -> list[Proposals]:
    """`proposals ◁` one of the commands that `pick` gives for each slot: all combinations."""
    by_slot: dict[int, dict[Ballot, frozenset[Command]]] = defaultdict(dict)
    for ballot, slot, command in pvalues:
        by_slot[slot][ballot] = by_slot[slot].get(ballot, frozenset()) | {command}
    choices = [[SlotCommand(slot, command) for command in sorted(pick(by_ballot))] for slot, by_ballot in sorted(by_slot.items())]
    return [update(proposals, frozenset(chosen)) for chosen in product(*choices)]


class StaleAdopted(Leader):
    """Takes an adopted of whatever ballot."""

    symmetric = True
    starts_once = True

    def adopted(self, state: LeaderState, message: Adopted) -> Outcomes:
        """`adopted(b, pvals)` without looking at b."""
        return super().adopted(state, replace(message, ballot=state.ballot))


class StaysActive(Leader):
    """Takes a new ballot when preempted, but stays active, so it proposes before the new ballot is adopted."""

    symmetric = True
    starts_once = True

    def preempted(self, state: LeaderState, message: Preempted) -> Outcome:
        """`preempted(b')` without `active := false`."""
        outcome = super().preempted(state, message)
        return outcome._replace(state=replace(outcome.state, active=state.active)) if isinstance(outcome.state, LeaderState) else outcome


class OverwriteProposal(Leader):
    """Lets a propose overwrite the command of a slot, and creates the slot's commander a second time."""

    symmetric = True

    def propose(self, state: LeaderState, message: Propose) -> Outcome:
        """`propose(s, c)`: the last one wins."""
        others = frozenset(each for each in state.proposals if each.slot != message.slot)
        if SlotCommand(message.slot, message.command) in state.proposals:
            return Outcome(state)
        return super().propose(replace(state, proposals=others), message)


class ReuseBallot(Leader):
    """Comes back from a crash with its first ballot, which it has used before."""

    symmetric = True

    def restart(self, state: LeaderState) -> Outcome:
        """Nothing was durable."""
        return self.start()


class NoBallotBump(Leader):
    """Tries the same ballot again when it is preempted."""

    symmetric = True

    def preempted(self, state: LeaderState, message: Preempted) -> Outcome:
        """`preempted(b')` without a higher ballot."""
        if message.ballot <= state.ballot:
            return Outcome(state)
        return Outcome(replace(state, active=False), self.spawn_scout(state.ballot))
