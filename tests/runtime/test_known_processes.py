"""A well-formed frame that names what is not of the cluster is dropped and counted; it ends no node, and no log names it."""

from __future__ import annotations

import asyncio

import pytest
from helpers import A1
from hypothesis import given, settings
from hypothesis import strategies as st

from pmmc_check.protocol.messages import Decision, Message, P1a, P2a, P2b, Propose, Request, Response
from pmmc_check.protocol.values import (
    ACCEPTOR,
    BOTTOM,
    CLIENT,
    LEADER,
    NOOP,
    REPLICA,
    ROLES,
    Ballot,
    Command,
    ProcessId,
    PValue,
    Reconfigure,
    SlotCommand,
    commander_id,
    scout_id,
)
from pmmc_check.protocol.variants.optimised import P1bCollected
from pmmc_check.runtime.known_processes import KnownProcesses
from pmmc_check.runtime.machines import KeyValueStore
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.running_node import NodeSpec, RunningNode
from pmmc_check.runtime.signals import Heartbeat, Lacking, Order, Passed, Signal
from pmmc_check.runtime.surroundings import Envelope
from pmmc_check.runtime.wire import Framing, decode, encode

ROSTER = Roster(clients=2)
C1, C2, R1, L1 = ProcessId(CLIENT, 1), ProcessId(CLIENT, 2), ProcessId(REPLICA, 1), ProcessId(LEADER, 1)
GOOD, BALLOT = Command(C1, 1, "put x 1"), Ballot(3, 2)
KNOWN = KnownProcesses(ROSTER.setting(KeyValueStore()).system)

numbers = st.sampled_from([0, -1, 1, 2, 3, 4, 50, 2**40, 2**62])
processes = st.builds(ProcessId, st.sampled_from(ROLES), numbers, numbers, numbers)
ballots = st.one_of(st.just(BOTTOM), st.builds(Ballot, numbers, numbers))
changes = st.one_of(st.builds(lambda each: Reconfigure((each,)), processes), st.just(Reconfigure(())))
operations = st.one_of(st.sampled_from(["put x 1", "", "get x"]), changes)
commands = st.one_of(st.just(NOOP), st.builds(Command, processes, numbers, operations))
decisions = st.builds(SlotCommand, numbers, commands)
contents: st.SearchStrategy[Message | Signal] = st.one_of(
    st.builds(Request, commands),
    st.builds(Propose, numbers, commands),
    st.builds(Decision, numbers, commands),
    st.builds(Response, numbers, st.just("x")),
    st.builds(P1a, ballots),
    st.builds(P1bCollected, processes, ballots, st.frozensets(st.builds(PValue, ballots, numbers, commands), max_size=2), numbers),
    st.builds(P2a, ballots, numbers, commands),
    st.builds(P2b, processes, ballots),
    st.builds(Heartbeat, ballots),
    st.builds(Lacking, numbers),
    st.builds(lambda listed: Passed(b"x", tuple(listed)), st.lists(decisions, max_size=2)),
)


@pytest.mark.parametrize(
    ("envelope", "fits"),
    [
        (Envelope(C1, R1, Request(GOOD)), True),
        (Envelope(ProcessId(CLIENT, 3), R1, Request(GOOD)), False),
        (Envelope(C1, R1, Request(Command(ProcessId(CLIENT, 3), 1, "x"))), False),
        (Envelope(C1, R1, Request(Command(C1, -1, "x"))), False),
        (Envelope(C1, R1, Request(Command(C2, 1, Reconfigure((L1,))))), True),
        (Envelope(C1, R1, Request(Command(C2, 1, Reconfigure((ProcessId(LEADER, 4),))))), False),
        (Envelope(C1, R1, Request(Command(C2, 1, Reconfigure(())))), False),
        (Envelope(R1, L1, Propose(1, NOOP)), True),
        (Envelope(R1, L1, Propose(0, GOOD)), False),
        (Envelope(scout_id(BALLOT), A1, P1a(BALLOT)), True),
        (Envelope(scout_id(BALLOT), A1, P1a(Ballot(3, 4))), False),
        (Envelope(scout_id(BALLOT), A1, P1a(Ballot(-2, 1))), False),
        (Envelope(A1, scout_id(BALLOT), P1bCollected(A1, BOTTOM, frozenset(), 0)), True),
        (Envelope(A1, scout_id(BALLOT), P1bCollected(A1, BALLOT, frozenset({PValue(BALLOT, 1, GOOD)}), 0)), True),
        (Envelope(A1, scout_id(BALLOT), P1bCollected(A1, BALLOT, frozenset({PValue(Ballot(0, 9), 1, GOOD)}), 0)), False),
        (Envelope(A1, commander_id(BALLOT, 1), P2b(ProcessId(ACCEPTOR, 4), BALLOT)), False),
        (Envelope(R1, ProcessId(REPLICA, 2), Lacking(1)), True),
        (Envelope(R1, ProcessId(REPLICA, 2), Lacking(0)), False),
        (Envelope(R1, ProcessId(REPLICA, 2), Passed(b"", (SlotCommand(1, GOOD), SlotCommand(2, Command(R1, 1, "x"))))), False),
    ],
)
def test_all_that_a_message_names_must_be_of_the_cluster(envelope: Envelope, fits: bool) -> None:
    assert KNOWN.are_all_in(envelope) is fits


def test_a_client_is_no_node_though_it_is_listed() -> None:
    assert [each for each in (A1, L1, R1, C1, C2) if KNOWN.is_node(each)] == [A1, L1, R1]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([A1, L1, R1]),
    st.lists(st.tuples(processes, contents, st.one_of(st.none(), numbers)), min_size=1, max_size=12),
)
def test_no_well_formed_frame_ends_a_node_that_records(
    tmp_path_factory: pytest.TempPathFactory, me: ProcessId, said: list[tuple[ProcessId, Message | Signal, int | None]]
) -> None:
    folder = tmp_path_factory.mktemp("node")

    async def scene() -> None:
        node = RunningNode(NodeSpec(me, str(me), ROSTER, "shop", 1, "kv", folder, folder, waits_for_disk=False))
        node.watch(asyncio.get_running_loop())
        address = await node.open(("127.0.0.1", 0), paused=False)
        assert address is not None
        _, writer = await asyncio.open_connection(*address)
        framing = Framing("shop")
        for sender, content, round_ in said:
            to = me if round_ is None or me != L1 else scout_id(Ballot(round_, 1))
            body = encode(Envelope(sender, to, content))
            decode(body)
            writer.write(framing.frame(body))
        await writer.drain()
        writer.close()
        for _ in range(40):
            await asyncio.sleep(0.001)
        assert not node.over.done(), node.over.result()
        node.close()

    asyncio.run(scene())


def test_an_order_may_come_from_who_is_no_process_of_the_cluster_and_goes_to_one_that_is() -> None:
    front = ProcessId(CLIENT, 10**6)
    assert KNOWN.are_all_in(Envelope(front, R1, Order("status", "")))
    assert not KNOWN.are_all_in(Envelope(R1, front, Order("status", "")))
    assert not KNOWN.are_all_in(Envelope(front, R1, Heartbeat(BALLOT)))
