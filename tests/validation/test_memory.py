"""What is kept compactly is kept exactly: archives against plain sets, and replays that archive at once against those that never do."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmmc_check.protocol.messages import Decision, Message, P2a, P2b, Propose, Request, Response
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, LEADER, REPLICA, Ballot, Command, ProcessId, PValue, SlotCommand, commander_id
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import RECEIVE, Event
from pmmc_check.validation.compact_sets import Archive, Bits, Ledger
from pmmc_check.validation.replay import in_place, inflight
from pmmc_check.validation.replay.in_place import GrowingPValues, GrowingSlots
from pmmc_check.validation.replay.inflight import EverSent
from tests.validation.runs import Run, plan, run
from tests.validation.test_corruptions import corruptions

SLOTS = st.integers(1, 5) | st.integers(1020, 1030) | st.just(10**15)
COMMANDS = st.builds(
    Command, st.integers(1, 2).map(lambda number: ProcessId(CLIENT, number)), st.integers(1, 3), st.sampled_from(["", "x"])
)
BALLOTS = st.builds(Ballot, st.integers(0, 1), st.integers(1, 2))
PVALUES = st.builds(PValue, BALLOTS, SLOTS, COMMANDS)
EVENT = Event("A1", ProcessId(ACCEPTOR, 1), RECEIVE, None, None, "run", 1)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the very last is archived at once."""
    monkeypatch.setattr(in_place, "RECENT", 1)
    monkeypatch.setattr(inflight, "RECENT", 1)


@given(st.lists(st.integers(0, 2000) | st.just(10**15)))
def test_bits_are_a_set_of_numbers(numbers: list[int]) -> None:
    bits, known = Bits(), set()
    for number in numbers:
        assert bits.add(number) == (number not in known)
        known.add(number)
    assert set(bits) == known
    assert 77 in bits or 77 not in known


@given(st.lists(st.tuples(BALLOTS, SLOTS, COMMANDS)), st.tuples(BALLOTS, SLOTS, COMMANDS))
def test_an_archive_is_a_set(entries: list[tuple[Ballot, int, Command]], asked: tuple[Ballot, int, Command]) -> None:
    archive, known = Archive(Ledger()), set(entries)
    half = len(entries) // 2
    for entry in entries[:half]:
        archive.add(*entry)
    mark = archive.mark()
    for entry in entries[half:]:
        archive.add(*entry)
    assert sorted(archive) == sorted(known)
    assert len(archive) == len(known)
    assert archive.has(*asked) == (asked in known)
    family, slot, command = asked
    assert set(archive.commands(family, slot)) == {each[2] for each in known if each[:2] == (family, slot)}
    assert set(archive.slots_of(family, command)) == {each[1] for each in known if (each[0], each[2]) == (family, command)}
    assert set(archive.since(mark)) == known - set(entries[:half])


@given(st.lists(PVALUES), PVALUES)
def test_pvalues_that_grow_are_a_set(items: list[PValue], asked: PValue) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_place, "RECENT", 1)
        grown = GrowingPValues(Ledger())
        for item in items:
            grown = grown | {item}
        assert grown == frozenset(items)
        assert (asked in grown) == (asked in items)
        mark = grown.mark()
        grown = grown | {asked}
        assert grown.since(mark) == frozenset({asked}) - set(items)


@given(st.lists(st.builds(SlotCommand, SLOTS, COMMANDS)), st.builds(SlotCommand, SLOTS, COMMANDS))
def test_slots_that_grow_answer_as_a_scan_would(items: list[SlotCommand], asked: SlotCommand) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_place, "RECENT", 1)
        grown = GrowingSlots(Ledger())
        for item in items:
            grown = grown | {item}
        assert set(grown) == set(items)
        assert len(grown) == len(set(items))
        assert set(grown.in_slot(asked.slot)) == {command for slot, command in items if slot == asked.slot}
        assert grown.has_below(asked.command, asked.slot) == any(slot < asked.slot and each == asked.command for slot, each in items)


@st.composite
def packets(draw: st.DrawFn) -> tuple[ProcessId, ProcessId, Message]:
    ballot, slot, command = draw(BALLOTS), draw(SLOTS), draw(COMMANDS)
    commander = commander_id(ballot, slot)
    one, two = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    choices: list[tuple[ProcessId, ProcessId, Message]] = [
        (commander, ProcessId(ACCEPTOR, one), P2a(ballot, slot, command)),
        (ProcessId(ACCEPTOR, one), commander, P2b(ProcessId(ACCEPTOR, one), draw(BALLOTS))),
        (commander, ProcessId(REPLICA, one), Decision(slot, command)),
        (ProcessId(REPLICA, one), ProcessId(LEADER, two), Propose(slot, command)),
        (command.client, ProcessId(REPLICA, one), Request(command)),
        (ProcessId(REPLICA, one), command.client, Response(command.cid, draw(st.sampled_from(["x", "y"])))),
    ]
    return draw(st.sampled_from(choices))


@given(st.lists(packets()), packets(), st.booleans())
def test_nothing_that_was_sent_is_forgotten_and_nothing_else_remembered(
    sent: list[tuple[ProcessId, ProcessId, Message]], asked: tuple[ProcessId, ProcessId, Message], named: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inflight, "RECENT", 1)
        network = EverSent()
        for sender, to, message in sent:
            network.put(sender, to, message, EVENT)
        sender, to, message = asked
        expected = asked in sent if named else any((to, message) == each[1:] for each in sent)
        assert network.take(sender if named else None, to, message) == expected


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("first", [0, 30])
def test_legal_traces_are_accepted_when_all_is_archived(first: int) -> None:
    for seed in range(first, first + 30):
        legal = run(plan(seed, 150, crash_rate=0.03))
        assert legal.judged().verdict != "rejected", f"seed {seed}"


def test_corrupted_traces_are_judged_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[list[tuple[int, str]]] = []
    for recent in (1024, 1):
        monkeypatch.setattr(in_place, "RECENT", recent)
        monkeypatch.setattr(inflight, "RECENT", recent)
        found.append(list(enumerate(_verdicts())))
    assert found[0] == found[1]
    assert len(Counter(each for _, each in found[0])) >= 2


def _verdicts() -> list[str]:
    verdicts = []
    for seed in range(6):
        legal = run(plan(seed, 60, crash_rate=0.02))
        for lines in corruptions(legal.lines, random.Random(seed), 0.05):
            corrupted = Run(legal.header, lines)
            try:
                corrupted.read()
                verdicts.append(corrupted.judged().verdict)
            except TraceError:
                continue
    return verdicts


def test_judging_a_trace_needs_none_of_the_libraries_of_the_search() -> None:
    code = "import sys, pmmc_check.validation.judge; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "pmmc_check.properties.invariants" in loaded
    assert not {"numpy", "numba", "networkx", "rich"} & set(loaded)
