"""The replica part of --slots any: one replica in all surroundings that Agreement and Validity allow."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from helpers import C1, C2, R1, R2, ROOT

from any_slots.replica_faults import FAULTS, TINY
from pmmc_check.checker.any_slots.replica_part import REPLICA_INVARIANTS, ReplicaResult, check_replica
from pmmc_check.checker.any_slots.setting import FOREIGN_SEND
from pmmc_check.checker.any_slots.surroundings import ReplicaBounds, Surroundings
from pmmc_check.checker.result import Control, Limits
from pmmc_check.errors import ProtocolError, UsageError
from pmmc_check.model.faults import Restart
from pmmc_check.model.model import Model
from pmmc_check.protocol import PMMC, Decision, Message, Outcome, Replica, ReplicaState, Request, Role, Send, SlotCommand, variant
from pmmc_check.protocol.messages import Propose
from pmmc_check.protocol.role import Outcomes
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, REPLICA, Command, ProcessId
from pmmc_check.protocol.variants.catalogue import VARIANTS, protocol_with
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED

SMALL = ReplicaBounds(slots=3, commands=2, windows=(1, 2))


def checked(role: type[Role], bounds: ReplicaBounds = SMALL, limits: Limits | None = None) -> ReplicaResult:
    return check_replica(variant(role), Control(limits or Limits()), bounds)


def assert_finds(result: ReplicaResult, invariant: str, text: str) -> None:
    """What was found is a run of the class: each step of it is one that the class takes."""
    assert result.verdict == VIOLATED and result.violation is not None
    assert (result.violation.invariant, text in result.violation.how) == (invariant, True), result.violation.how


@pytest.mark.slow
def test_the_papers_replica_holds_within_the_default_bounds() -> None:
    result = check_replica(PMMC, Control())
    assert (result.verdict, result.states, result.steps, result.depth) == (HOLDS, 27_852, 144_897, 9)


def test_the_papers_replica_holds_within_smaller_bounds() -> None:
    result = check_replica(PMMC, Control(), ReplicaBounds(slots=4, commands=1))
    assert result.verdict == HOLDS
    assert result.invariants == REPLICA_INVARIANTS


@pytest.mark.parametrize("name", FAULTS)
def test_each_seeded_fault_of_the_replica_is_found_within_the_default_bounds(name: str) -> None:
    result = check_replica(protocol_with([name]), Control())
    assert result.violation is not None
    assert result.violation.invariant == VARIANTS[name].breaks[0] == FAULTS[name][0]
    assert len(result.violation.run) == FAULTS[name][1], [str(each.message) for each in result.violation.run]


def test_a_fault_that_only_progress_shows_holds() -> None:
    assert check_replica(protocol_with(["drop-loser"]), Control(), SMALL).verdict == HOLDS


def test_a_replica_that_reports_to_acceptors_is_no_replica_of_the_one_slot_system() -> None:
    result = check_replica(protocol_with(["garbage-collection"]), Control())
    assert (result.verdict, result.violation) == (INCONCLUSIVE, None)
    found = result.foreign_send
    assert found is not None
    assert (found.invariant, found.how) == (FOREIGN_SEND, "R1 sends performed(R1, 1) to A1")
    assert [str(step.message) for step in found.run] == ["decision(1, c1)"]


def in_slot(slot: int) -> type[Replica]:
    class ForgetsToPerform(Replica):
        symmetric = True
        ignores = Replica.ignores

        def perform(self, state: ReplicaState, command: Command) -> Outcome:
            after, sends = super().perform(state, command)
            return Outcome(replace(after, application=state.application) if state.slot_out == slot else after, sends)

    return ForgetsToPerform


def test_a_fault_that_shows_only_in_slot_4_is_found_with_a_shortest_run() -> None:
    result = checked(in_slot(4), ReplicaBounds())
    assert_finds(result, "R3", "slots 1 to 4 of its decisions give")
    assert result.violation is not None and len(result.violation.run) == 4


def test_it_is_not_found_within_three_slots_so_the_bounds_are_reported() -> None:
    result = checked(in_slot(4))
    assert (result.verdict, result.bounds) == (HOLDS, SMALL)


NOBODYS = Command(ProcessId(CLIENT, 9), 1, "op9")


class InventsAndTells(Replica):
    """Proposes what nobody requested, and keeps quiet about it."""

    def step(self, state: ReplicaState, message: Message) -> Outcomes:
        for after, sends in super().step(state, message):
            invented = tuple(Send(to, Propose(sent.slot, NOBODYS)) for to, sent in sends if isinstance(sent, Propose))
            yield Outcome(after, sends + invented if after.slot_out == 2 else sends)


class InventsAndRemembers(Replica):
    """Has proposed what nobody requested."""

    def assign(self, state: ReplicaState, command: Command, sends: tuple[Send, ...]) -> Outcome:
        return super().assign(state, NOBODYS if state.slot_in == 2 else command, sends)


class BelievesItself(Replica):
    """Takes what it has proposed for decided."""

    def assign(self, state: ReplicaState, command: Command, sends: tuple[Send, ...]) -> Outcome:
        after, sent = super().assign(state, command, sends)
        return Outcome(replace(after, decisions=after.decisions | {SlotCommand(state.slot_in, command)}), sent)


class OneLeaderOnly(Replica):
    """Tells one of its leaders only."""

    def assign(self, state: ReplicaState, command: Command, sends: tuple[Send, ...]) -> Outcome:
        after, sent = super().assign(state, command, sends)
        return Outcome(after, sent[:-1])


class SecondReplicaSkips(Replica):
    """Is wrong at the second replica only."""

    def perform(self, state: ReplicaState, command: Command) -> Outcome:
        after, sent = super().perform(state, command)
        return Outcome(replace(after, application=()), sent) if self.me.number == 2 else Outcome(after, sent)


class LosesAHoleOverARestart(Replica):
    """Comes back with what it had performed, but with decisions only from there on."""

    def restart(self, state: ReplicaState) -> Outcome:
        return Outcome(replace(state, decisions=frozenset(each for each in state.decisions if each.slot >= state.slot_out)))


OWN = {
    InventsAndTells: ("Validity", "R1 proposes c9 for slot", 2),
    InventsAndRemembers: ("Validity", "R1 proposes c9 for slot 2", 2),
    BelievesItself: ("Agreement", "R1 takes (1, c1) for decided, which no decision has told it", 1),
    OneLeaderOnly: ("R5", "R1 proposes for slot 1 to L1; by its decisions the leaders of that slot are L1 and L2", 1),
    SecondReplicaSkips: ("R3", "R2 has performed []", 1),
    LosesAHoleOverARestart: ("R2", "nothing is decided in slot 1", 2),
}


@pytest.mark.parametrize("role", OWN)
def test_a_fault_of_a_users_replica_is_found(role: type[Replica]) -> None:
    invariant, text, steps = OWN[role]
    result = checked(role)
    assert_finds(result, invariant, text)
    assert result.violation is not None and len(result.violation.run) == steps
    assert result.violation.replica == (R2 if role is SecondReplicaSkips else R1)


class SendsOnCreation(Replica):
    """Greets an acceptor."""

    def start(self, command: Command | None = None) -> Outcome:
        return super().start()._replace(sends=(Send(ProcessId(ACCEPTOR, 1), Request(C1)),))


def test_what_it_sends_on_its_creation_counts_too() -> None:
    found = checked(SendsOnCreation).foreign_send
    assert found is not None and found.how == "R1 sends request(c1) to A1" and found.run == ()


@dataclass(frozen=True)
class CountingState(ReplicaState):
    """Also how often it came back."""

    restarts: int = 0


class CountsRestarts(Replica):
    """Has a new state after each restart: without a bound on restarts no search of it would end."""

    symmetric = True
    ignores = Replica.ignores

    def start(self, command: Command | None = None) -> Outcome:
        return Outcome(CountingState(**vars(super().start().state)))

    def restart(self, state: ReplicaState) -> Outcome:
        assert isinstance(state, CountingState)
        return Outcome(replace(super().restart(state).state, restarts=state.restarts + 1))


def test_restarts_are_bounded() -> None:
    results = [checked(CountsRestarts, replace(SMALL, slots=2, windows=(1,), restarts=restarts)) for restarts in (0, 1, 2)]
    assert {each.verdict for each in results} == {HOLDS}
    none, once, twice = (each.states for each in results)
    assert none < once < twice == 2 * once - none


class CannotRestart(Role):
    """A replica that does not say what it keeps."""

    role = REPLICA
    start = Replica.start
    step = lambda self, state, message: [Outcome(state)]  # noqa: E731


def test_a_class_that_does_not_say_what_a_restart_keeps_is_checked_without_one_and_the_result_says_so() -> None:
    result = checked(CannotRestart)
    assert (result.verdict, result.bounds.restarts) == (HOLDS, 0)


class Undecided(Replica):
    """Answers otherwise every time."""

    calls = 0

    def step(self, state: ReplicaState, message: Message) -> Outcomes:
        Undecided.calls += 1
        return [Outcome(replace(state, slot_in=Undecided.calls))]


class PrefersTheFirst(Replica):
    """Claims to treat commands alike, and proposes the least of its requests."""

    symmetric = True

    def choices(self, state: ReplicaState, sends: tuple[Send, ...]) -> Iterator[Outcome]:
        yield from self.propose(*self.assign(state, min(state.requests), sends))


class Raises(Replica):
    """Does not do what it should."""

    def step(self, state: ReplicaState, message: Message) -> Outcomes:
        raise ValueError("no")


class WrongDecisions(Replica):
    """Keeps what no invariant can read."""

    def step(self, state: ReplicaState, message: Message) -> Outcomes:
        return [Outcome(replace(state, decisions=None))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "text"),
    [
        (Undecided, "is not deterministic"),
        (Raises, "raised ValueError: no"),
        (WrongDecisions, "cannot read the state of R1"),
        (PrefersTheFirst, "claims symmetric, but R1 does not treat c1 and c2 alike"),
    ],
)
def test_a_class_that_breaks_the_contract_is_bad_input(role: type[Replica], text: str) -> None:
    with pytest.raises(ProtocolError, match=text):
        checked(role, replace(SMALL, waiting=2))


class IgnoresEverything(in_slot(2)):  # type: ignore[misc]
    """Claims that decisions have no effect, and has a fault in slot 2."""

    def ignores(self, state: ReplicaState, message: Message) -> bool:
        return True


def test_what_a_users_class_claims_to_ignore_is_delivered_all_the_same() -> None:
    assert_finds(checked(IgnoresEverything), "R3", "slots 1 to 2 of its decisions give")


def test_bounds_that_make_no_sense_are_refused() -> None:
    for wrong in ({"slots": 0}, {"commands": 0}, {"windows": ()}, {"windows": (0,)}, {"restarts": -1}, {"early": -1}, {"waiting": 0}):
        with pytest.raises(UsageError):
            ReplicaBounds(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("limits", [Limits(states_max=100), Limits(seconds_max=0.0)])
def test_a_limit_makes_it_inconclusive(limits: Limits) -> None:
    result = check_replica(PMMC, Control(limits), ReplicaBounds())
    assert result.verdict == INCONCLUSIVE and result.limit


def test_what_was_decided_is_remembered_by_the_surroundings_even_if_the_replica_forgets() -> None:
    surroundings = Surroundings(TINY.config(1, 1).system(), TINY)
    fresh = Replica(R1, TINY.config(1, 1).system()).start().state
    sent = [message for message, _ in surroundings.messages(frozenset({SlotCommand(1, C1)}), fresh)]
    assert Decision(1, C1) in sent
    assert Decision(1, C2) not in sent


def test_the_run_that_is_shown_is_the_same_on_every_run_of_the_program() -> None:
    code = (
        "from pmmc_check.checker.any_slots.replica_part import check_replica\n"
        "from pmmc_check.checker.result import Control\n"
        "from pmmc_check.protocol.variants.catalogue import protocol_with\n"
        "for name in ('ignore-window', 'reconfigure-late'):\n"
        "    result = check_replica(protocol_with([name]), Control())\n"
        "    print(result.states, result.steps, result.violation.how, *(step.message for step in result.violation.run))\n"
    )
    shown = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert shown[0] == shown[1] != ""


def test_the_run_that_is_shown_can_be_run() -> None:
    for found in _runs(["skip-hole", "reconfigure-late", "restart-loses-decisions"]):
        role = Model(ReplicaBounds().config(found.window, 1), protocol_with([found.name])).roles[R1]
        state = role.start().state
        assert state == found.initial
        for step in found.run:
            answers = [role.restart(state)] if isinstance(step.message, Restart) else list(role.step(state, step.message))
            assert step.outcome in answers
            state = step.outcome.state


@dataclass(frozen=True)
class Shown:
    """A run that was found for a variant."""

    name: str
    window: int
    initial: Any
    run: Sequence[Any]


def _runs(names: Sequence[str]) -> Iterator[Shown]:
    for name in names:
        found = check_replica(protocol_with([name]), Control()).violation
        assert found is not None
        yield Shown(name, found.window, found.initial, found.run)
