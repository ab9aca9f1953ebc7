"""The networks of convention 5, each against the plainest model of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from helpers import A1
from hypothesis import given
from hypothesis import strategies as st

from pmmc_check.errors import UsageError
from pmmc_check.model.network import NETWORKS, Duplicating, Reliable, network_named

messages = st.sampled_from("abcd")
operations = st.lists(st.tuples(st.sampled_from(["send", "deliver", "drop all"]), messages), max_size=25)


def _deliver(network: Any, inbox: Any, message: str) -> Any:
    """The inbox after delivering `message`, or None where it cannot be delivered."""
    return {each.message: each.rest for each in network.deliverable(inbox)}.get(message)


@given(operations)
def test_duplicating_is_the_set_of_all_messages_ever_sent(run: list[tuple[str, str]]) -> None:
    network, oracle = Duplicating(), set[str]()
    inbox = network.empty
    for operation, message in run:
        if operation == "send":
            inbox = network.put(inbox, A1, message)
            oracle.add(message)
        elif operation == "deliver":
            after = _deliver(network, inbox, message)
            assert after == (inbox if message in oracle else None)
        else:
            inbox = network.without(inbox, {message})
            oracle.discard(message)
        assert {each.message for each in network.deliverable(inbox)} == oracle
        assert {m for m, _ in network.contents(inbox)} == oracle


@given(operations)
def test_reliable_is_a_multiset_from_which_delivery_takes_one_out(run: list[tuple[str, str]]) -> None:
    network, oracle = Reliable(), Counter[str]()
    inbox = network.empty
    for operation, message in run:
        if operation == "send":
            inbox = network.put(inbox, A1, message)
            oracle[message] += 1
        elif operation == "deliver":
            after = _deliver(network, inbox, message)
            assert (after is not None) == (oracle[message] > 0)
            if after is not None:
                inbox = after
                oracle[message] -= 1
        else:
            inbox = network.without(inbox, {message})
            del oracle[message]
        assert dict(network.contents(inbox)) == dict(+oracle)
        assert sorted(each.message for each in network.deliverable(inbox)) == sorted(+oracle)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@given(st.lists(messages, max_size=8).flatmap(lambda sent: st.tuples(st.just(sent), st.permutations(sent))))
def test_an_inbox_does_not_depend_on_the_order_of_arrival(network: Any, sent: tuple[list[str], list[str]]) -> None:
    """But on a network that keeps the order of one sender."""
    first, second = network.empty, network.empty
    for a, b in zip(*sent, strict=True):
        first, second = network.put(first, A1, a), network.put(second, A1, b)
    assert (first == second) == (network.name != "fifo" or sent[0] == sent[1])
    assert first != second or hash(first) == hash(second)


def test_an_unknown_network_is_named_with_the_choices() -> None:
    with pytest.raises(UsageError, match=r"--network tcp: .*duplicating, reliable"):
        network_named("tcp")
