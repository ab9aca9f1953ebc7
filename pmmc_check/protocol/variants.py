"""Variants of the protocol by name: seeded faults, each a small class that overrides what it changes.

A variant states only those claims that are still true of it (see `protocol.role`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pmmc_check.errors import UsageError
from pmmc_check.protocol import PMMC, Protocol, variant
from pmmc_check.protocol.acceptor import Acceptor, AcceptorState
from pmmc_check.protocol.leader import Leader, LeaderState
from pmmc_check.protocol.messages import Adopted, P2a, P2b
from pmmc_check.protocol.role import Outcome, Outcomes, Role, Send
from pmmc_check.protocol.values import PValue, commander_id


@dataclass(frozen=True)
class Variant:
    """A named change of the protocol: the classes that it replaces, and what it breaks, the first first."""

    name: str
    summary: str
    roles: tuple[type[Role], ...]
    breaks: tuple[str, ...]


class AcceptLowerBallot(Acceptor):
    """Accepts a lower ballot than its own and answers with it, so a commander takes a broken promise for an acceptance."""

    symmetric = True

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        """`p2a(b, s, c)`: accepts whatever b is, up to its own ballot."""
        if message.ballot > state.ballot:
            return super().accept(state, message)
        after = replace(state, accepted=state.accepted | {PValue(message.ballot, message.slot, message.command)})
        return Outcome(after, (Send(commander_id(message.ballot, message.slot), P2b(self.me, message.ballot)),))


class IgnorePmax(Leader):
    """Does not merge the pvalues of its scout: proposes its own command where another may already be decided."""

    symmetric = True
    ignores = Leader.ignores
    only_halts = Leader.only_halts

    def adopted(self, state: LeaderState, message: Adopted) -> Outcomes:
        """`adopted(b, pvals)`, forgetting pvals."""
        return super().adopted(state, replace(message, pvalues=frozenset()))


VARIANTS: dict[str, Variant] = {
    each.name: each
    for each in (
        Variant("accept-lower-ballot", "an acceptor accepts a lower ballot and answers with it", (AcceptLowerBallot,), ("A2", "Agreement")),
        Variant("ignore-pmax", "a leader ignores pmax of the pvalues it adopts", (IgnorePmax,), ("C2", "Agreement")),
    )
}


def protocol_with(names: Iterable[str], base: Protocol = PMMC) -> Protocol:
    """`base` with the named variants.

    Raises:
        UsageError: a name is unknown, or two variants replace the same role.
    """
    replaced: dict[str, str] = {}
    for name in names:
        if name not in VARIANTS:
            raise UsageError(f"--variant {name}: no such variant; choose from {', '.join(VARIANTS)}")
        for role in VARIANTS[name].roles:
            if role.role in replaced:
                raise UsageError(f"--variant {name}: {replaced[role.role]} replaces the {role.role}, too; give only one of them")
            replaced[role.role] = name
        base = variant(*VARIANTS[name].roles, base=base)
    return base
