"""A step that was watched tells of all states in which it reads the same; of nothing else, and of no role but the paper's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import pytest
from helpers import small

from pmmc_check.checker.result import Control
from pmmc_check.checker.states_alike import NOT_ALIKE, StatesAlike, fields_read
from pmmc_check.checker.walks import RandomWalks
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import INVARIANTS, StepInvariant, invariants_named
from pmmc_check.protocol.acceptor import Acceptor, AcceptorState
from pmmc_check.protocol.messages import Message, P1a, P2a
from pmmc_check.protocol.role import Lifecycle, Outcome, Outcomes, Role, Send
from pmmc_check.protocol.values import ACCEPTOR, LEADER, Ballot, ProcessId
from pmmc_check.protocol.variants.catalogue import protocol_with

LARGE = Config(acceptors=2, leaders=2, replicas=1, slots=2, commands=2, rounds=2)


@pytest.fixture(scope="module")
def walked() -> RandomWalks:
    """Walks that have met some hundred states and messages."""
    walks = RandomWalks(Model(LARGE), invariants_named([]), Control())
    for walk in islice((each for each in walks.ended() if each is not None), 30):
        walks._account(walk)
    return walks


def deliverable(walks: RandomWalks) -> Iterator[tuple[ProcessId, list[Any], list[Message]]]:
    """By process, the states that were met and the messages that its role knows."""
    for process, identity in enumerate(walks.model.processes):
        states = [state for number, state in walks.locals.states if number == process and not isinstance(state, Lifecycle)]
        yield identity, states[:60], walks.locals.messages[:60]


def test_states_that_agree_in_what_a_step_reads_get_the_same_answer(walked: RandomWalks) -> None:
    watched = 0
    for process, states, messages in deliverable(walked):
        role = walked.model.roles[process]
        for state, message in product(states, messages):
            outcomes = tuple(role.step(state, message))
            read = fields_read(role, state, message, outcomes)
            if read is None:
                continue
            watched += 1
            for other in states:
                if all(getattr(other, name) == getattr(state, name) for name in read):
                    assert tuple(role.step(other, message)) == (Outcome(other, outcomes[0].sends),)
    assert watched > 1_000


def test_walks_are_the_same_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def walk() -> list[tuple[bytes, bytes]]:
        walks = RandomWalks(Model(LARGE), invariants_named([]), Control())
        ended = islice((each for each in walks.ended() if each is not None), 40)
        return [(each.met.tobytes(), each.moves[:, [0, 2, 3]].tobytes()) for each in ended]

    alike = walk()
    monkeypatch.setattr(StatesAlike, "answer_alike", lambda *arguments: False)
    assert walk() == alike


def acceptor_of(walks: RandomWalks) -> tuple[ProcessId, Acceptor]:
    process = next(each for each in walks.model.processes if each.role == ACCEPTOR)
    role = walks.model.roles[process]
    assert isinstance(role, Acceptor)
    return process, role


def test_an_acceptor_that_refuses_reads_its_ballot_only_and_one_that_promises_reads_all(walked: RandomWalks) -> None:
    _, role = acceptor_of(walked)
    state, command = AcceptorState(Ballot(1, 2)), walked.model.system.commands[0]
    refused, promised, accepted = P2a(Ballot(0, 1), 1, command), P1a(Ballot(1, 2)), P2a(Ballot(1, 2), 1, command)
    assert fields_read(role, state, refused, tuple(role.step(state, refused))) == {"ballot"}
    for message in (promised, accepted):
        assert fields_read(role, state, message, tuple(role.step(state, message))) is None


@dataclass(frozen=True)
class Counting:
    """A state with two fields."""

    one: int = 0
    two: frozenset[int] = frozenset()


class Roundabout(Role):
    """Reads its state in the way that it is given."""

    role = LEADER

    def __init__(self, reads: Any) -> None:
        self.reads = reads

    def step(self, state: Any, message: Message) -> Outcomes:
        """Leaves it as it is."""
        return [Outcome(state, (Send(ProcessId(LEADER, 1 + self.reads(state) % 2), message),))]


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        (lambda state: state.one, {"one"}),
        (lambda state: len(state.two), {"two"}),
        (lambda state: 0, set()),
        (lambda state: state.one + len(state.two), None),
        (lambda state: vars(state)["one"], None),
        (hash, None),
    ],
    ids=["one", "two", "none", "both", "its dictionary", "its hash"],
)
def test_what_is_read_is_noted_however_it_is_read(reads: Any, expected: set[str] | None) -> None:
    role, state, message = Roundabout(reads), Counting(1, frozenset({2})), P1a(Ballot(0, 1))
    assert fields_read(role, state, message, tuple(role.step(state, message))) == expected


def test_a_step_that_makes_its_state_anew_is_not_watched(walked: RandomWalks) -> None:
    _, role = acceptor_of(walked)
    state, message = AcceptorState(), P1a(Ballot(0, 1))
    assert fields_read(role, state, message, (Outcome(AcceptorState()),)) is None
    assert fields_read(role, state, message, ()) is None


def test_a_role_that_is_not_the_papers_is_not_believed_to_read_by_attributes() -> None:
    model = Model(small(acceptors=2), protocol_with(["promise-not-kept"]))
    process = next(each for each in model.processes if each.role == ACCEPTOR)
    state, message = AcceptorState(Ballot(1, 1)), P2a(Ballot(0, 1), 1, model.system.commands[0])
    alike = StatesAlike(model, Checks(model, []))
    answer = (Outcome(state),)
    assert not alike.answer_alike(process, state, message, answer) and alike.number(process, state) == NOT_ALIKE


def test_invariants_of_change_hold_of_every_step_that_changes_nothing(walked: RandomWalks) -> None:
    of_change = [each for each in INVARIANTS.values() if isinstance(each, StepInvariant) and each.of_change]
    assert [each.name for each in of_change] == ["R4", "A1", "A2", "A3"]
    for process, states, messages in deliverable(walked):
        sends = (Send(process, messages[0]),)
        for invariant in of_change:
            if process.role in invariant.roles:
                for state, message in product(states, messages):
                    assert invariant.check(walked.model.system, process, state, message, Outcome(state, sends)) is None
