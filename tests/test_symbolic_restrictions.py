"""Deliveries that only restrict: one event for several messages, and values within others, lead where single events lead."""

from __future__ import annotations

import random
from typing import Any

import pytest
from helpers import compiled, small

from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import Control, Limits
from pmmc_check.checker.symbolic.diagrams import Diagrams
from pmmc_check.checker.symbolic.events import Events
from pmmc_check.checker.symbolic.layout import FOR_ANYTHING, NO_VECTOR
from pmmc_check.checker.symbolic.restrictions import Delivering, Restrictions
from pmmc_check.checker.symbolic.search import SymbolicSearch
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named

LEVELS = 6


class Nothing:
    """A system that is asked nothing."""

    def explore(self, value: int) -> None:
        raise AssertionError

    def apply(self, function: int, value: int) -> None:
        raise AssertionError


@pytest.mark.parametrize("seed", range(20))
def test_one_event_for_several_messages_leads_to_all_states_in_which_one_is_on_its_way(seed: int) -> None:
    random_ = random.Random(seed)
    events = Events()
    top, own = events.add_level(1), events.function(is_open=False)
    events.enter(own, 0, (0,))
    takes = {}
    for number in range(LEVELS):
        absent, present = 10 + 2 * number, 11 + 2 * number
        level = events.add_level(1, absent)
        takes[level] = events.function(is_open=False)
        events.asks[takes[level]] = FOR_ANYTHING
        events.enter(takes[level], present, (present,))
    diagrams = Diagrams(events, Nothing(), lambda more_bytes: False)
    events.explored(0)
    root = NO_VECTOR
    for _ in range(random_.randrange(1, 12)):
        sent = {level: events.absent(level) + 1 for level in takes if random_.random() < 0.3}
        root = diagrams.union(root, diagrams.vector({top: 0, **sent}))
    asked = {level: takes[level] for level in takes if random_.random() < 0.5} or takes
    one_by_one = NO_VECTOR
    for level, function in asked.items():
        one_by_one = diagrams.union(one_by_one, diagrams.image(root, events.event({top: own, level: function})))
    assert diagrams.image(root, events.event({top: own}, either=asked)) == one_by_one


class Given:
    """Events that are given to each value: which messages each asks for."""

    def __init__(self) -> None:
        self.events = Events()
        self.events.add_level(1)
        for message in range(2, 6):
            self.events.add_level(1, 10 * message)

    def asked(self, value: int) -> set[int]:
        found, at = set(), int(self.events.own_first[value])
        while at >= 0:
            event, at = self.events.own.data[at].tolist()
            found |= set(self.events.functions(event)) - {1} if event >= 0 else set()
        return found


def test_what_leads_from_a_value_to_the_same_as_from_one_that_it_is_within_is_not_given_to_it() -> None:
    given = Given()
    restrictions = Restrictions(given.events)
    restrictions.enters_freely(0)
    restrictions.enters_by_restriction(0, 1)
    for value, message in ((0, 2), (0, 3), (1, 2), (1, 4)):
        restrictions.add(Delivering(1, value, (5,), ()), message, 2 * message)
    assert (given.asked(0), given.asked(1)) == ({2, 3}, {4})
    restrictions.enters_freely(1)
    assert (given.asked(0), given.asked(1)) == ({2, 3}, {2, 4}), "there are now states with it that the other value has not"


def test_a_value_that_is_reached_from_two_is_within_what_both_are_within() -> None:
    restrictions = Restrictions(Given().events)
    for before, after in ((0, 1), (0, 2), (1, 3), (3, 3), (3, 4)):
        restrictions.enters_by_restriction(before, after)
    assert list(restrictions.outward(4)) == [3, 1, 0]
    restrictions.enters_by_restriction(2, 3)
    assert list(restrictions.outward(4)) == [3, 0]
    restrictions.enters_by_restriction(5, 3)
    assert list(restrictions.outward(4)) == [3]


@pytest.mark.parametrize(
    "counts",
    [
        {"acceptors": 4, "leaders": 1, "commands": 1},
        {"acceptors": 3, "leaders": 1, "crashes": 1, "restarts": 1, "faulty": ("acceptor", "leader")},
    ],
    ids=["quorums of three", "restarts"],
)
def test_states_and_steps_are_those_of_the_compiled_search(counts: dict[str, Any]) -> None:
    config = small(**counts)
    result = SymbolicSearch(Model(config), invariants_named(()), Control(Limits()), Reductions()).run()
    _, expected = compiled(config, reduce="none")
    assert (result.verdict, result.distinct_states) == (expected.verdict, expected.distinct_states)
    assert {each: count for each, count in result.coverage.items() if count} == {each: n for each, n in expected.coverage.items() if n}
