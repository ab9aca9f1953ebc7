"""Ballots, pvalues, pmax and ◁ as section "Values" of the protocol page has them."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product

import pytest
from helpers import B01, B02, B11, C1, C2, entries, pv
from hypothesis import given
from hypothesis import strategies as st

from pmmc_check.protocol import Ballot, Command, ProcessId, PValue, SlotCommand
from pmmc_check.protocol.messages import show
from pmmc_check.protocol.values import BOTTOM, CLIENT, Reconfigure, majority, pmax, update

ballots = st.builds(Ballot, st.integers(0, 4), st.integers(1, 4))
commands = st.builds(lambda n: Command(ProcessId(CLIENT, n), 1, f"op{n}"), st.integers(1, 3))
pvalues = st.frozensets(st.builds(PValue, ballots, st.integers(1, 3), commands), max_size=9)
maps = st.dictionaries(st.integers(1, 4), commands).map(lambda m: frozenset(SlotCommand(*entry) for entry in m.items()))


@given(ballots, ballots)
def test_ballots_are_ordered_by_round_and_then_by_leader(a: Ballot, b: Ballot) -> None:
    assert (a < b) == (a.round < b.round or (a.round == b.round and a.leader < b.leader))


@given(ballots, ballots, ballots)
def test_the_order_of_ballots_is_total(a: Ballot, b: Ballot, c: Ballot) -> None:
    assert (a < b) + (a == b) + (b < a) == 1
    assert not (a < b < c) or a < c


@given(ballots)
def test_bottom_is_below_every_ballot(ballot: Ballot) -> None:
    assert ballot > BOTTOM


@pytest.mark.parametrize(("total", "least"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_a_majority_is_the_least_number_that_is_more_than_half(total: int, least: int) -> None:
    assert majority(total) == least


def _pmax_by_definition(given_pvalues: frozenset[PValue]) -> set[frozenset[SlotCommand]]:
    """Every way to pick, for each slot, a pvalue that no other pvalue of the slot exceeds."""
    slots = sorted({slot for _, slot, _ in given_pvalues})
    highest = [
        {c for b, s, c in given_pvalues if s == slot and all(b >= other for other, t, _ in given_pvalues if t == slot)} for slot in slots
    ]
    return {entries(*zip(slots, chosen, strict=True)) for chosen in product(*highest)}


@given(pvalues)
def test_pmax_takes_for_every_slot_a_command_of_the_highest_ballot_and_gives_every_choice_of_a_tie(
    given_pvalues: frozenset[PValue],
) -> None:
    choices = pmax(given_pvalues)
    assert set(choices) == _pmax_by_definition(given_pvalues)
    assert len(choices) == len(set(choices))


def test_pmax_of_nothing_is_the_empty_map() -> None:
    assert pmax(()) == (frozenset(),)


def test_pmax_compares_ballots_and_not_rounds() -> None:
    assert pmax({pv(B01, 1, C1), pv(B02, 1, C2), pv(B11, 2, C1)}) == (entries((1, C2), (2, C1)),)


def test_pmax_gives_both_commands_of_a_tie() -> None:
    assert set(pmax({pv(B01, 1, C1), pv(B01, 1, C2)})) == {entries((1, C1)), entries((1, C2))}


@given(maps, maps)
def test_update_is_the_new_map_completed_by_entries_of_the_old_whose_key_it_lacks(
    x: frozenset[SlotCommand], y: frozenset[SlotCommand]
) -> None:
    assert dict(update(x, y)) == {**dict(x), **dict(y)}
    assert len(update(x, y)) == len(dict(update(x, y)))


@given(maps, maps, maps)
def test_update_has_the_laws_of_an_overlay(x: frozenset[SlotCommand], y: frozenset[SlotCommand], z: frozenset[SlotCommand]) -> None:
    assert update(x, x) == update(x, frozenset()) == update(frozenset(), x) == x
    assert update(update(x, y), z) == update(x, update(y, z))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (B01, "0.L1"),
        (BOTTOM, "⊥"),
        (C1, "c1"),
        (C1._replace(cid=2), "c1:2"),
        (ProcessId("acceptor", 3), "A3"),
        (ProcessId("scout", 2, 1), "scout(1.L2)"),
        (ProcessId("commander", 2, 1, 3), "commander(1.L2,3)"),
        (pv(B01, 1, C1), "(0.L1, 1, c1)"),
        (SlotCommand(1, C2), "(1, c2)"),
        (Reconfigure((ProcessId("leader", 1), ProcessId("leader", 2))), "reconfigure(L1,L2)"),
        (frozenset(), "{}"),
        (frozenset({pv(B02, 1, C1), pv(B01, 2, C2), pv(B01, 1, C2)}), "{(0.L1, 1, c2), (0.L1, 2, c2), (0.L2, 1, c1)}"),
        ((C2, C1), "⟨c2, c1⟩"),
    ],
)
def test_values_print_as_the_paper_writes_them(value: object, text: str) -> None:
    assert show(value) == text


@given(st.permutations(sorted({pv(b, s, c) for b in (B01, B02, B11) for s in (1, 2) for c in (C1, C2)})))
def test_sets_print_sorted_whatever_the_order_of_insertion(order: list[PValue]) -> None:
    assert show(frozenset(order)) == "{" + ", ".join(map(str, sorted(order))) + "}"


def test_commands_sort_whatever_their_operations_are() -> None:
    client, leaders = ProcessId(CLIENT, 1), [ProcessId("leader", number) for number in (1, 2)]
    plain = [Command(client, 1, operation) for operation in ("", "put", "z")]
    changes = [Command(client, 1, Reconfigure((leader,))) for leader in leaders]
    assert sorted([*reversed(changes), *reversed(plain)]) == [*plain, *changes]
    assert sorted([*plain, *changes], reverse=True) == [*reversed(changes), *reversed(plain)]


def test_printing_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "from pmmc_check.protocol import *\n"
        "from pmmc_check.protocol.messages import show\n"
        "cs = [Command(ProcessId('client', n), 1, f'op{n}') for n in range(1, 9)]\n"
        "print(P1b(ProcessId('acceptor', 1), Ballot(0, 1), frozenset(PValue(Ballot(0, 1), 1, c) for c in cs)), show(frozenset(cs)))\n"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1
    assert "c8" in texts.pop()
