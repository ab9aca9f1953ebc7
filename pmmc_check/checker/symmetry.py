"""The symmetry group of a configuration: all renamings of acceptors, of replicas, and of commands with their clients.

The compiled search keeps, for each view, one number for each renaming g: the digest of the view's image under g
(`model.content`). A global state's image under g has the XOR of the g-numbers of its views as fingerprint. The set of
these over all g is the same for all states of one orbit, and so is what the kernel makes of it (a mixture of the least
and the greatest): a canonical fingerprint, at the price of some look-ups. No state is ever renamed.

Soundness: renaming is an automorphism of the transition system when every role treats the renamed identities alike
(`Role.symmetric`, checked while the search runs: `checker.claims`), the initial state is fixed by it (all
acceptors start alike, all commands are sent to all replicas), and invariants do not mention numbers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise, permutations, product
from math import factorial

from pmmc_check.model.content import Renaming
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import Reconfigure

ORDER_MAX = 720
"""Beyond this many renamings the look-ups cost more than the states saved. The smallest factors are kept whole; of a larger one, as many
members are permuted as the order allows, and then the rest among themselves: a subgroup, which is as sound."""


def renamings(system: System) -> list[Renaming]:
    """The group's elements, the identity first."""
    factors = [_permuted(kind) for kind in _kinds(system)]
    return [{atom: image for part in chosen for atom, image in part.items()} for chosen in product(*factors)]


def generators(system: System) -> list[Renaming]:
    """Renamings that generate the group, each its own inverse: two neighbours change places, all others stay."""
    return [
        {atom: image for one, other in ((left, right), (right, left)) for atom, image in zip(one, other, strict=True)}
        for kind in _kinds(system)
        for left, right in pairwise(kind)
    ]


def _kinds(system: System) -> list[list[tuple[Hashable, ...]]]:
    """The sets of things that are permuted; a thing is a tuple of atoms that move together."""
    ordinary = [command for command in system.commands if not isinstance(command.operation, Reconfigure)]
    kinds: list[list[tuple[Hashable, ...]]] = [
        *_interchangeable(system),
        [(replica,) for replica in system.replicas],
        [(command, command.client) for command in ordinary],
    ]
    chosen = []
    order = 1
    for kind in sorted(kinds, key=len):
        rest = kind
        while (size := max(n for n in range(1, len(rest) + 1) if order * factorial(n) <= ORDER_MAX)) > 1:
            chosen.append(rest[:size])
            order *= factorial(size)
            rest = rest[size:]
            if not rest:
                break
    return chosen


def _interchangeable(system: System) -> list[list[tuple[Hashable, ...]]]:
    """The acceptors of each configuration: one may take the place of another that the same leaders use."""
    groups = [each.acceptors for each in system.configurations] or [system.acceptors]
    return [[(acceptor,) for acceptor in acceptors] for acceptors in groups]


def _permuted(members: Sequence[tuple[Hashable, ...]]) -> list[Renaming]:
    """All permutations of `members`; a member's atoms move together."""
    return [
        {atom: image for before, after in zip(members, moved, strict=True) for atom, image in zip(before, after, strict=True)}
        for moved in permutations(members)
    ]
