"""State machines."""

from __future__ import annotations

from random import Random

import pytest

from pmmc_check.errors import UsageError
from pmmc_check.runtime.machines import IntegerRegister, KeyValueStore, loaded_machine


def results(machine: IntegerRegister | KeyValueStore, *operations: str) -> list[str]:
    state, found = machine.initial(), []
    for each in operations:
        state, result = machine.apply(state, each)
        found.append(result)
    return found


def test_an_integer_adds_subtracts_and_multiplies() -> None:
    assert results(IntegerRegister(), "add 5", "multiply 4", "subtract 3", "read") == ["5", "20", "17", "17"]


def test_a_store_puts_gets_deletes_and_compares_and_sets() -> None:
    operations = ("get k", "put k 1", "cas k 1 2", "cas k 1 3", "get k", "delete k", "get k", "cas k - 4", "get k")
    assert results(KeyValueStore(), *operations) == ["-", "-", "1", "2", "2", "2", "-", "-", "4"]


def test_what_a_store_sets_to_not_there_is_not_there() -> None:
    store = KeyValueStore()
    assert results(store, "put k 1", "cas k 2 -", "get k", "cas k 1 -", "get k", "put k 3", "put k -", "cas k - -") == [
        *("-", "1", "1", "1", "-", "-", "3", "-")
    ]
    assert store.apply({"k": "1"}, "cas k 1 -") == ({}, "1")


@pytest.mark.parametrize("operation", ["", "add", "add x", "divide 3", "put", "put a b c d"])
def test_what_makes_no_sense_has_a_result_that_says_so(operation: str) -> None:
    assert results(IntegerRegister(), operation)[0].startswith("error: ")
    assert results(KeyValueStore(), operation)[0].startswith("error: ")


def test_every_sample_makes_sense() -> None:
    for machine in (IntegerRegister(), KeyValueStore()):
        rng = Random(1)
        assert not [each for each in results(machine, *[machine.sample(rng.randrange) for _ in range(200)]) if each.startswith("error")]


def test_a_machine_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="integer, kv"):
        loaded_machine("kvs")
