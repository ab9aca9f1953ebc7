"""Content digests: equal contents have equal digests everywhere, renamed contents have the renaming's entry."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from helpers import A1, A2, A3, B01, B02, C1, C2, L1, R1, entries, pv, rename, system
from hypothesis import given
from hypothesis import strategies as st

from pmmc_check.checker.symmetry import renamings
from pmmc_check.errors import ProtocolError
from pmmc_check.model.content import Digest
from pmmc_check.protocol import AcceptorState, Lifecycle, P1b, P2a, Response
from pmmc_check.protocol.leader import LeaderState
from pmmc_check.protocol.replica import ReplicaState
from pmmc_check.protocol.scout import ScoutState

GROUP = renamings(system())
PINNED = P1b(A1, B01, frozenset({pv(B01, 1, C1), pv(B02, 2, C2)}))
PINNED_DIGEST = 12210208192714756222

VALUES: list[Any] = [
    A1, C1, B01, Lifecycle.EXITED, None, 7, "text", True, b"bytes",
    pv(B01, 1, C2),
    frozenset({A1, A3}),
    AcceptorState(B02, frozenset({pv(B01, 1, C1), pv(B02, 2, C2)})),
    ScoutState(frozenset({A2, A3}), frozenset({pv(B01, 1, C1)})),
    LeaderState(B01, True, entries((1, C1), (2, C2))),
    ReplicaState((L1,), (C1, C2), 2, 2, frozenset({C2}), entries((2, C1)), entries((1, C1))),
    PINNED,
    P2a(B01, 1, C2),
    Response(1, 2),
    ((C1, C2), frozenset({frozenset({A1}), frozenset({A2, R1})})),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=[f"{i}-{type(value).__name__}" for i, value in enumerate(VALUES)])
def test_the_digest_of_a_renamed_value_is_the_entry_of_the_renaming(value: Any) -> None:
    digests = Digest(GROUP).of(value)
    for g, renaming in enumerate(GROUP):
        assert Digest(GROUP).of(rename(value, renaming))[0] == digests[g]


def test_the_group_has_all_permutations_of_acceptors_replicas_and_commands_with_their_clients_the_identity_first() -> None:
    assert len(GROUP) == 6 * 2 * 2
    assert all(atom == image for atom, image in GROUP[0].items())
    assert len({frozenset(renaming.items()) for renaming in GROUP}) == len(GROUP)
    assert all(renaming[C1].client == renaming[C1.client] for renaming in GROUP)


def test_different_values_have_different_digests() -> None:
    digest = Digest()
    others = [
        (A1,),
        (A2, A1),
        (A1, A2),
        frozenset({A1, A2}),
        frozenset({frozenset({A1}), A2}),
        "7",
        (),
        frozenset(),
        C1.client,
        pv(B02, 1, C2),
    ]
    everything = VALUES + others
    assert len({digest.order(value) for value in everything}) == len(everything)


@given(st.permutations([pv(b, s, c) for b in (B01, B02) for s in (1, 2) for c in (C1, C2)]))
def test_the_order_of_a_set_does_not_matter(order: list[Any]) -> None:
    assert Digest().order(frozenset(order)) == Digest().order(frozenset(sorted(order)))


@given(st.permutations(range(len(VALUES))))
def test_a_digest_does_not_depend_on_what_was_digested_before(order: list[int]) -> None:
    used = Digest()
    for i in order:
        assert used.order(VALUES[i]) == Digest().order(VALUES[i])


def test_an_atom_is_told_from_an_equal_one_of_another_type() -> None:
    used = Digest()
    assert used.order(True) != used.order(1)
    assert used.order(1) == Digest().order(1)


def test_a_known_digest_is_the_same_on_every_machine() -> None:
    assert Digest().order(PINNED) == PINNED_DIGEST


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_a_digest_does_not_depend_on_the_hash_seed(seed: str) -> None:
    program = (
        "from pmmc_check.model.content import Digest\n"
        "from pmmc_check.protocol import *\n"
        "c = [Command(ProcessId('client', n), 1, f'op{n}') for n in (1, 2)]\n"
        "pvalues = frozenset({PValue(Ballot(0, 1), 1, c[0]), PValue(Ballot(0, 2), 2, c[1])})\n"
        "print(Digest().order(P1b(ProcessId('acceptor', 1), Ballot(0, 1), pvalues)))\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == PINNED_DIGEST


@dataclass(frozen=True)
class _HoldsAFloat:
    value: float = 0.5


class _Plain:
    pass


@pytest.mark.parametrize(
    "value", [0.5, _Plain(), _HoldsAFloat(), (1, 0.5), frozenset({0.5}), int], ids=["float", "object", "dataclass", "tuple", "set", "class"]
)
def test_a_value_of_an_unsupported_type_is_a_protocol_error_that_says_what_to_use(value: Any) -> None:
    with pytest.raises(ProtocolError, match="use frozen dataclasses, tuples, frozensets, numbers and strings"):
        Digest().of(value)
