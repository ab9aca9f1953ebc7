"""`conform`: where a role answers otherwise than the paper's, the shortest way there first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers import in_process, options

from external.test_step_servers import server
from pmmc_check.protocol import Acceptor, Ballot, Outcome, P1a, P1b, P2b, Send
from pmmc_check.protocol.acceptor import AcceptorState
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.role import replace
from pmmc_check.protocol.values import BOTTOM, PValue, commander_id, scout_id

SMALL = options(acceptors=1, slots=1, commands=2)
ROLES = "external.test_conform"


class Forgetful(Acceptor):
    """Forgets what it has accepted when it promises."""

    symmetric = True

    def promise(self, state: AcceptorState, message: P1a) -> Outcome:
        return super().promise(replace(state, accepted=frozenset()) if message.ballot > state.ballot else state, message)


class Unlike(Forgetful):
    """The same, without a claim, so that nothing is told for one of several alike."""

    symmetric = False


@dataclass(frozen=True)
class Diary:
    """A state with fields of its own."""

    pages: tuple[PValue, ...] = ()
    promised: Ballot = BOTTOM


class Diarist(Acceptor):
    """The paper's acceptor in other words; what it forgets is said by its class."""

    forgets = False

    def start(self, command: Any = None) -> Outcome:
        return Outcome(Diary())

    def step(self, state: Diary, message: Message) -> Sequence[Outcome]:
        if isinstance(message, P1a):
            pages = () if self.forgets and message.ballot > state.promised else state.pages
            state = Diary(pages, max(state.promised, message.ballot))
            return [Outcome(state, (Send(scout_id(message.ballot), P1b(self.me, state.promised, frozenset(state.pages))),))]
        if message.ballot == state.promised:
            page = PValue(message.ballot, message.slot, message.command)
            state = Diary(state.pages if page in state.pages else (*state.pages, page), state.promised)
        return [Outcome(state, (Send(commander_id(message.ballot, message.slot), P2b(self.me, state.promised)),))]


class ForgetfulDiarist(Diarist):
    forgets = True


class Asserting(Acceptor):
    def accept(self, state: AcceptorState, message: Any) -> Outcome:
        assert message.ballot >= state.ballot, "a lower ballot"
        return super().accept(state, message)


class LessChoice(Acceptor):
    """The paper's own."""


def compared(capsys: pytest.CaptureFixture[str], role: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = in_process(capsys, "conform", *SMALL, "--format", "json", "--protocol", role, *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    "role", [f"{ROLES}:LessChoice", f"exec:{server('acceptor', 'well')}", f"exec:{server('stock', 'leader', 'scout')}"]
)
def test_the_papers_own_steps_conform(role: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = compared(capsys, role)
    assert (code, found["verdict"], found["differences"], found["limit"]) == (0, "conforms", [], None)
    assert found["steps"] > 10


@pytest.mark.parametrize("role", ["Forgetful", "Unlike"])
def test_a_difference_is_told_with_the_shortest_way_there_and_both_answers(role: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = compared(capsys, f"{ROLES}:{role}")
    assert (code, found["verdict"]) == (1, "differs")
    first = found["differences"][0]
    assert (first["process"], first["message"]) == ("A1", "p1a(0.L2)")
    assert first["received"] == ["p1a(0.L1)", "p2a(0.L1, 1, c1)"]
    assert first["state"] == "ballot 0.L1, accepted {(0.L1, 1, c1)}"
    assert first["paper"] == "ballot 0.L2, accepted {(0.L1, 1, c1)}, sends p1b(A1, 0.L2, {(0.L1, 1, c1)}) to scout(0.L2)"
    assert first["yours"] == "ballot 0.L2, accepted {}, sends p1b(A1, 0.L2, {}) to scout(0.L2)"
    lengths = [len(each["received"]) for each in found["differences"]]
    assert lengths == sorted(lengths)
    assert len(lengths) == {"Forgetful": 1, "Unlike": 2}[role]


def test_a_state_of_another_shape_is_compared_by_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(capsys, f"{ROLES}:Diarist", "--slots", "1")[0] == 0
    code, found = compared(capsys, f"{ROLES}:ForgetfulDiarist")
    assert code == 1
    assert found["differences"][0]["received"] == ["p1a(0.L1)", "p2a(0.L1, 1, c1)"]
    assert found["differences"][0]["difference"].startswith("A1 sends p1b(A1, 0.L2, {}) to scout(0.L2) instead of")


def test_a_step_that_fails_is_a_difference(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = compared(capsys, f"{ROLES}:Asserting")
    assert code == 1
    assert found["differences"][0]["received"] == ["p1a(0.L2)"]
    assert found["differences"][0]["yours"].startswith("fails: Asserting.step of A1 raised AssertionError: a lower ballot")


def test_the_report_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "conform", *SMALL, "--protocol", f"{ROLES}:Unlike", "--differences", "1")
    assert done.returncode == 1
    assert done.stdout.startswith(
        "DIFFERS: Unlike (acceptor): 2 steps that the paper's protocol would not take, the shortest way there first\n"
    )
    assert "1  A1, after it has received p1a(0.L1), p2a(0.L1, 1, c1)\n" in done.stdout
    assert "... and 1 more (--differences N shows N)" in done.stdout


def test_a_limit_makes_it_inconclusive(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = compared(capsys, f"{ROLES}:LessChoice", "--max-states", "2")
    assert (code, found["verdict"]) == (3, "inconclusive")
    assert "--max-states" in found["limit"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "there is nothing to compare with the paper's protocol"),
        (("--slots", "any", "--protocol", f"{ROLES}:Unlike"), "give a number of slots"),
        (("--protocol", "exec:./none"), "cannot be started"),
    ],
)
def test_bad_input_is_said(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    done = in_process(capsys, "conform", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
