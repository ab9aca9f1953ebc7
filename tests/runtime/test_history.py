"""Linearizability: could the operations have happened one at a time, each between its call and its return?"""

from __future__ import annotations

from itertools import permutations
from math import inf
from random import Random
from typing import Any

import pytest

from pmmc_check.runtime.history import Asked, linearizable
from pmmc_check.runtime.machines import IntegerRegister, KeyValueStore, StateMachine


def asked(client: str, operation: str, called: float, returned: float = inf, result: str | None = None) -> Asked:
    return Asked(client, operation, called, returned, result)


@pytest.mark.parametrize(
    ("history", "holds"),
    [
        ([], True),
        ([asked("a", "put x 1", 0, 1, "-"), asked("b", "get x", 2, 3, "1")], True),
        ([asked("a", "put x 1", 0, 1, "-"), asked("b", "get x", 2, 3, "-")], False),
        ([asked("a", "put x 1", 0, 3, "-"), asked("b", "get x", 1, 2, "-")], True),
        ([asked("a", "put x 1", 0, 3, "-"), asked("b", "get x", 1, 2, "1"), asked("c", "get x", 2.5, 4, "-")], False),
        ([asked("a", "put x 1", 0), asked("b", "get x", 5, 6, "1")], True),
        ([asked("a", "put x 1", 0), asked("b", "get x", 5, 6, "-")], True),
        ([asked("a", "put x 1", 7), asked("b", "get x", 5, 6, "1")], False),
        ([asked("a", "cas x - 1", 0, 9, "-"), asked("b", "cas x - 2", 0, 9, "-")], False),
        ([asked("a", "cas x - 1", 0, 9, "-"), asked("b", "cas x - 2", 0, 9, "1")], True),
        ([asked("a", "put x 1", 0, 1, "-"), asked("b", "get y", 2, 3, "-")], True),
    ],
)
def test_histories_of_a_store(history: list[Asked], holds: bool) -> None:
    answer = linearizable(history, KeyValueStore())
    assert answer.holds is holds
    assert bool(answer.stuck) is not holds


def test_what_a_machine_changes_in_place_within_a_tuple_is_not_changed_for_other_orders() -> None:
    class Listing(KeyValueStore):
        def initial(self) -> Any:
            return ([],)

        def apply(self, state: Any, operation: str) -> tuple[Any, str]:
            state[0].append(operation)
            return state, ",".join(state[0])

        def key(self, operation: str) -> None:
            return None

    assert linearizable([asked("a", "1", 0, 9, "2,1"), asked("b", "2", 0, 9, "2")], Listing()).holds is True
    assert linearizable([asked("a", "1", 0, 9, "1"), asked("b", "2", 0, 9, "1,2")], Listing()).holds is True


def _by_trying_all_orders(history: list[Asked], machine: StateMachine) -> bool:
    for order in permutations(history):
        state = machine.initial()
        fits = all(early.called < late.returned for place, early in enumerate(order) for late in order[place + 1 :])
        for each in order:
            state, result = machine.apply(state, each.operation)
            fits = fits and result == each.result
        if fits:
            return True
    return False


def test_the_answer_is_that_of_trying_all_orders() -> None:
    seen = set()
    for seed in range(300):
        rng = Random(seed)
        history = []
        for client in "abcde":
            called = rng.random()
            history.append(asked(client, f"add {rng.randint(1, 2)}", called, called + rng.random(), str(rng.randint(1, 7))))
        if seed % 2:  # one that some order explains, perhaps with one result changed
            order, total = sorted(history, key=lambda each: rng.uniform(each.called, each.returned)), 0
            history = [each._replace(result=str(total := total + int(each.operation[4:]))) for each in order]
        expected = _by_trying_all_orders(history, IntegerRegister())
        seen.add(expected)
        assert linearizable(history, IntegerRegister()).holds is expected, history
    assert seen == {True, False}


def test_a_long_history_of_few_clients_is_quick_and_one_that_is_not_gives_up() -> None:
    history = [asked("abc"[number % 3], "add 1", number, number + 2.5, str(number + 1)) for number in range(2000)]
    assert linearizable(history, IntegerRegister()).holds is True
    entangled = [asked(str(number), f"multiply {number + 2}", 0, 1, "7") for number in range(12)]
    assert linearizable(entangled, IntegerRegister(), steps_max=10).holds is None


@pytest.mark.parametrize("machine", [KeyValueStore(), IntegerRegister()], ids=["kv", "integer"])
def test_a_history_with_a_hundred_operations_under_way_is_told_from_a_wrong_one(machine: StateMachine) -> None:
    rng, state, history = Random(1), machine.initial(), []
    for place in range(2000):
        operation = machine.sample(rng.randrange)
        state, result = machine.apply(state, operation)
        history.append(asked(str(place), operation, place - rng.random() * 50, place + rng.random() * 50, result))
    assert linearizable(history, machine).holds is True
    history[-5] = history[-5]._replace(result="12345678")
    assert linearizable(history, machine).holds is False
