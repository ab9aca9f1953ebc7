"""Each invariant can fail, and says how; and it is silent about what is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from helpers import A1, A2, A3, B01, B02, B11, C1, C2, C3, L1, L2, R1, R2, entries, pv, small, system

from pmmc_check.errors import ProtocolError, UsageError
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import (
    INVARIANTS,
    RelationInvariant,
    StateInvariant,
    StepInvariant,
    invariants_named,
)
from pmmc_check.properties.observe import DECIDED, P2A_SENT, PVALUE_ACCEPTED, Fact
from pmmc_check.properties.quorums import Quorums
from pmmc_check.protocol import (
    PMMC,
    AcceptorState,
    Ballot,
    Command,
    CommanderState,
    Decision,
    LeaderState,
    Lifecycle,
    Message,
    Outcome,
    P1a,
    P2a,
    ProcessId,
    Propose,
    ReplicaState,
    Send,
    broadcast,
)
from pmmc_check.protocol.values import BOTTOM, CLIENT, Reconfigure, commander_id

SYSTEM = system(window=1)
STRANGER = Command(ProcessId(CLIENT, 9), 1, "op9")
RECONFIGURE = C2._replace(operation=Reconfigure((L1,)))
COMMANDER = commander_id(B01, 1)


def replica(**changed: Any) -> ReplicaState:
    return replace(ReplicaState(SYSTEM.leaders, ()), **changed)


def decided(command: Command) -> Fact:
    return Fact(DECIDED, 1, BOTTOM, command)


def accepted(ballot: Ballot, command: Command) -> Fact:
    return Fact(PVALUE_ACCEPTED, 1, ballot, command)


def proposed(ballot: Ballot, command: Command) -> Fact:
    return Fact(P2A_SENT, 1, ballot, command)


STATES: list[tuple[str, ProcessId, Any, str | None]] = [
    ("Validity", R1, replica(proposals=entries((1, STRANGER))), "R1 has proposed c9, which no client requested"),
    ("Validity", R1, replica(decisions=entries((1, STRANGER))), "R1 has decided c9, which no client requested"),
    ("Validity", L1, LeaderState(B01, False, entries((1, STRANGER))), "L1 has proposed c9, which no client requested"),
    ("Validity", A1, AcceptorState(B01, frozenset({pv(B01, 1, STRANGER)})), "A1 has accepted c9, which no client requested"),
    ("Validity", COMMANDER, CommanderState(STRANGER, frozenset()), "commander(0.L1,1) has proposed c9, which no client requested"),
    ("Validity", R1, replica(proposals=entries((1, C1)), decisions=entries((1, C2))), None),
    ("Validity", COMMANDER, CommanderState(C1, frozenset()), None),
    ("R2", R1, replica(slot_out=3, decisions=entries((2, C1))), "R1 has slot_out = 3, but nothing is decided in slot 1"),
    ("R2", R1, replica(slot_out=3, decisions=entries((1, C1), (2, C2))), None),
    ("R2", R1, replica(slot_out=1, decisions=entries((2, C2))), None),
    ("R3", R1, replica(slot_out=2, decisions=entries((1, C1))), "R1 has performed []; slots 1 to 1 of its decisions give [c1]"),
    (
        "R3",
        R1,
        replica(slot_out=3, decisions=entries((1, C1), (2, C2)), application=(C2, C1)),
        "R1 has performed [c2, c1]; slots 1 to 2 of its decisions give [c1, c2]",
    ),
    (
        "R3",
        R1,
        replica(slot_out=3, decisions=entries((1, C1), (2, C1)), application=(C1, C1)),
        "R1 has performed [c1, c1]; slots 1 to 2 of its decisions give [c1]",
    ),
    (
        "R3",
        R1,
        replica(slot_out=2, decisions=entries((1, RECONFIGURE)), application=(RECONFIGURE,)),
        "R1 has performed [c2]; slots 1 to 1 of its decisions give []",
    ),
    ("R3", R1, replica(slot_out=3, decisions=entries((1, C1), (2, C2)), application=(C1, C2)), None),
    ("R3", R1, replica(slot_out=3, decisions=entries((1, C1), (2, C1)), application=(C1,)), None),
    ("R3", R1, replica(slot_out=2, decisions=entries((1, RECONFIGURE))), None),
    ("R3", R1, replica(slot_out=1, decisions=entries((1, C1))), None),
]


@pytest.mark.parametrize(("name", "process", "state", "how"), STATES)
def test_an_invariant_of_one_state_is_broken_by_this_state_or_not(name: str, process: ProcessId, state: Any, how: str | None) -> None:
    invariant = INVARIANTS[name]
    assert isinstance(invariant, StateInvariant)
    assert process.role in invariant.roles
    assert invariant.check(SYSTEM, process, state) == how


HAS = frozenset({pv(B01, 1, C1)})
STEPS: list[tuple[str, ProcessId, Any, Message, Outcome, str | None]] = [
    ("R4", R1, replica(slot_out=2), Decision(1, C1), Outcome(replica(slot_out=1)), "slot_out of R1 fell from 2 to 1"),
    ("R4", R1, replica(slot_out=2), Decision(1, C1), Outcome(replica(slot_out=2)), None),
    (
        "R5",
        R1,
        replica(),
        Decision(1, C1),
        Outcome(replica(slot_out=2), (Send(L1, Propose(3, C2)),)),
        "R1 proposes for slot 3 with slot_out = 2 and WINDOW = 1",
    ),
    ("R5", R1, replica(), Decision(1, C1), Outcome(replica(slot_out=2), broadcast((L1, L2), Propose(2, C2))), None),
    (
        "R5",
        R1,
        replica(),
        Decision(1, C1),
        Outcome(replica(slot_out=2), (Send(L1, Propose(2, C2)),)),
        "R1 proposes for slot 2 to L1; by its decisions the leaders of that slot are L1 and L2",
    ),
    (
        "R5",
        R1,
        replica(),
        Decision(1, RECONFIGURE),
        Outcome(replica(slot_out=2, decisions=entries((1, RECONFIGURE))), broadcast((L1, L2), Propose(2, C1))),
        "R1 proposes for slot 2 to L1 and L2; by its decisions the leaders of that slot are L1",
    ),
    (
        "R5",
        R1,
        replica(),
        Decision(2, RECONFIGURE),
        Outcome(replica(decisions=entries((2, RECONFIGURE))), (Send(L1, Propose(1, C1)),)),
        "R1 proposes for slot 1 to L1; by its decisions the leaders of that slot are L1 and L2",
    ),
    (
        "R5",
        R1,
        replica(),
        Decision(2, C3),
        Outcome(replica(slot_out=3, decisions=entries((1, RECONFIGURE), (2, C3))), (Send(L1, Propose(3, C1)),)),
        None,
    ),
    ("A1", A1, AcceptorState(B02), P1a(B01), Outcome(AcceptorState(B01)), "the ballot of A1 fell from 0.L2 to 0.L1"),
    ("A1", A1, AcceptorState(B02), P1a(B11), Outcome(AcceptorState(B11)), None),
    ("A1", A1, AcceptorState(B02), P1a(B02), Outcome(AcceptorState(B02)), None),
    ("A2", A1, AcceptorState(B02), P2a(B01, 1, C1), Outcome(AcceptorState(B02, HAS)), "A1 accepted (0.L1, 1, c1) while its ballot is 0.L2"),
    ("A2", A1, AcceptorState(B01), P2a(B01, 1, C1), Outcome(AcceptorState(B01, HAS)), None),
    ("A2", A1, AcceptorState(B01, HAS), P1a(B02), Outcome(AcceptorState(B02, HAS)), None),
    ("A3", A1, AcceptorState(B01, HAS), P1a(B02), Outcome(AcceptorState(B02)), "A1 no longer has (0.L1, 1, c1) among its accepted pvalues"),
    ("A3", A1, AcceptorState(B01, HAS), P1a(B02), Outcome(Lifecycle.EXITED), "A1 no longer has (0.L1, 1, c1) among its accepted pvalues"),
    ("A3", A1, AcceptorState(B01, HAS), P2a(B01, 1, C2), Outcome(AcceptorState(B01, HAS | {pv(B01, 1, C2)})), None),
]


@pytest.mark.parametrize(("name", "process", "before", "message", "after", "how"), STEPS)
def test_an_invariant_of_one_step_is_broken_by_this_step_or_not(  # noqa: PLR0917
    name: str, process: ProcessId, before: Any, message: Message, after: Outcome, how: str | None
) -> None:
    invariant = INVARIANTS[name]
    assert isinstance(invariant, StepInvariant)
    assert process.role in invariant.roles
    assert invariant.check(SYSTEM, process, before, message, after) == how


FACTS: list[tuple[str, dict[ProcessId, set[Fact]], str | None]] = [
    ("Agreement", {R1: {decided(C1)}, R2: {decided(C2)}}, "two different commands are decided in slot 1: c1 and c2"),
    ("Agreement", {R1: {decided(C2), decided(C1)}}, "two different commands are decided in slot 1: c1 and c2"),
    ("Agreement", {R1: {decided(C1)}, R2: {decided(C1)}}, None),
    ("Agreement", {A1: {accepted(B01, C1)}, R1: {decided(C2)}}, None),
    ("A4", {A1: {accepted(B01, C1)}, A2: {accepted(B01, C2)}}, "ballot 0.L1 has two commands accepted for slot 1: c1 and c2"),
    ("A4", {A1: {accepted(B01, C1)}, A2: {accepted(B02, C2)}}, None),
    (
        "A5",
        {A1: {accepted(B01, C1)}, A2: {accepted(B01, C1)}, A3: {accepted(B02, C2)}},
        "a quorum accepted c1 in slot 1 under ballot 0.L1, but c2 was accepted under the higher ballot 0.L2",
    ),
    ("A5", {A1: {accepted(B01, C1)}, A2: {accepted(B01, C1)}, A3: {accepted(B02, C1)}}, None),
    ("A5", {A1: {accepted(B02, C1)}, A2: {accepted(B02, C1)}, A3: {accepted(B01, C2)}}, None),
    ("A5", {A1: {accepted(B01, C1)}, A3: {accepted(B02, C2)}}, None),
    ("A5", {A1: {accepted(B01, C1)}, A2: {accepted(B02, C1)}, A3: {accepted(B11, C2)}}, None),
    ("C1", {COMMANDER: {proposed(B01, C1), proposed(B01, C2)}}, "ballot 0.L1 has two commands sent in p2a for slot 1: c1 and c2"),
    ("C1", {COMMANDER: {proposed(B01, C1)}, commander_id(B02, 1): {proposed(B02, C2)}}, None),
    (
        "C2",
        {A1: {accepted(B01, C1)}, A2: {accepted(B01, C1)}, commander_id(B02, 1): {proposed(B02, C2)}},
        "a quorum accepted c1 in slot 1 under ballot 0.L1, but c2 was sent in p2a under the higher ballot 0.L2",
    ),
    ("C2", {A1: {accepted(B01, C1)}, A2: {accepted(B01, C1)}, commander_id(B02, 1): {proposed(B02, C1)}}, None),
    ("C2", {A1: {accepted(B02, C1)}, A2: {accepted(B02, C1)}, COMMANDER: {proposed(B01, C2)}}, None),
    ("C2", {A1: {accepted(B01, C1)}, commander_id(B02, 1): {proposed(B02, C2)}}, None),
]


@pytest.mark.parametrize(("name", "facts", "how"), FACTS)
def test_an_invariant_that_relates_processes_is_broken_by_these_facts_or_not(
    name: str, facts: dict[ProcessId, set[Fact]], how: str | None
) -> None:
    invariant = INVARIANTS[name]
    assert isinstance(invariant, RelationInvariant)
    assert invariant.check(Quorums(PMMC, SYSTEM), {process: frozenset(each) for process, each in facts.items()}) == how


def test_every_invariant_of_the_protocol_page_exists_and_is_shown_here_to_fail_and_to_hold() -> None:
    assert tuple(INVARIANTS) == ("Agreement", "Validity", "R2", "R3", "R4", "R5", "A1", "A2", "A3", "A4", "A5", "C1", "C2")
    shown = [(row[0], row[-1] is None) for row in (*STATES, *STEPS, *FACTS)]
    assert set(shown) == {(name, holds) for name in INVARIANTS for holds in (True, False)}


def test_a_decision_counts_from_the_moment_it_is_sent() -> None:
    model = Model(small(commands=2))
    checks = Checks(model, invariants_named(["Agreement"]))
    state = list(model.initial())
    index = model.index[R1]
    inbox = state[index].inbox
    for command in (C1, C2):
        inbox = model.network.put(inbox, COMMANDER, Decision(1, command))
    state[index] = state[index]._replace(inbox=inbox)
    assert checks.of_state(tuple(state)) == ("Agreement", "two different commands are decided in slot 1: c1 and c2")
    assert checks.of_state(model.initial()) is None


def test_a_p2a_is_remembered_after_its_commander_has_exited() -> None:
    model = Model(small(commands=2, leaders=2))
    state = list(model.initial())
    index = model.index[COMMANDER]
    state[index] = state[index]._replace(state=Lifecycle.EXITED, history=frozenset({P2a(B01, 1, C1), P2a(B01, 1, C2)}))
    broken = Checks(model, invariants_named([])).of_state(tuple(state))
    assert broken == ("C1", "ballot 0.L1 has two commands sent in p2a for slot 1: c1 and c2")


def test_invariants_are_named_in_any_case_and_kept_in_the_standard_order() -> None:
    assert [each.name for each in invariants_named(["c2", "agreement", "R3"])] == ["Agreement", "R3", "C2"]
    assert [each.name for each in invariants_named([])] == list(INVARIANTS)


def test_an_unknown_invariant_is_named_with_the_choices() -> None:
    with pytest.raises(UsageError, match=r"--invariant Liveness: .*Agreement, Validity"):
        invariants_named(["Liveness"])


@pytest.mark.parametrize("name", ["Validity", "R2", "R3"])
def test_a_state_without_the_fields_that_an_invariant_reads_is_a_clear_error(name: str) -> None:
    model = Model(small())
    with pytest.raises(ProtocolError, match=f"invariant {name} cannot read the state of R1 .Replica."):
        Checks(model, invariants_named([name])).of_local_state(R1, C3)
