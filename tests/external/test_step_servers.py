"""Roles that another program plays: the same results, and whatever such a program does wrong is one clear message."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from helpers import REDUCTIONS, ROOT, environment, heed_ctrl_c, in_process, options

from pmmc_check import explore
from pmmc_check.api.roles import step_server
from pmmc_check.protocol import Acceptor

SERVERS = Path(__file__).parent / "servers"
TINY = options(acceptors=1, leaders=1, replicas=1, slots=1, commands=1, engine="reference")
SMALL = options(acceptors=1, slots=1, commands=2)


def server(name: str, *arguments: str) -> str:
    return shlex.join([sys.executable, str(SERVERS / f"{name}.py"), *arguments])


def told(found: dict[str, object]) -> dict[str, object]:
    """What must be the same wherever the roles run."""
    return {key: found[key] for key in ("verdict", "distinct_states", "generated_states", "depth", "reductions", "claims")}


def assert_ended(noted: Path) -> None:
    """No process that noted itself, or its group, is left."""
    groups = [int(line) for line in noted.read_text().split()]
    assert groups
    until = time.monotonic() + 5
    while any(_lives(group) for group in groups) and time.monotonic() < until:
        time.sleep(0.02)
    assert not [group for group in groups if _lives(group)]


def _lives(group: int) -> bool:
    """Whether some process of a group runs; where nobody waits for orphans, they stay in the list of processes as zombies."""
    found = []
    for each in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError, psutil.Error):
            found += [each] if os.getpgid(each.pid) == group and each.info["status"] != psutil.STATUS_ZOMBIE else []
    return bool(found)


@pytest.mark.parametrize(
    "roles",
    [("acceptor",), ("acceptor", "leader", "scout", "commander", "replica", "client"), ("acceptor", "--memory")],
    ids=["the acceptor", "all six roles", "a stateful acceptor"],
)
def test_roles_of_another_process_give_the_result_of_the_stock_roles(roles: tuple[str, ...]) -> None:
    counts = {"acceptors": 3, "slots": 1, "commands": 2}
    with step_server(server("stock", "--claims", *roles)) as found:
        assert told(explore(**counts, roles=found).to_json()) == told(explore(**counts, reduce=",".join(REDUCTIONS)).to_json())


def test_restarts_and_ballots_of_several_rounds_are_answered_too() -> None:
    counts = {"acceptors": 1, "leaders": 2, "slots": 1, "commands": 1, "rounds": 2, "crashes": 1, "restarts": 1}
    with step_server(server("stock", "--claims", "acceptor", "leader", "scout", "commander", "--memory")) as found:
        assert told(explore(**counts, roles=found).to_json()) == told(explore(**counts, reduce=",".join(REDUCTIONS)).to_json())


@pytest.mark.parametrize("engine", ["compiled", "reference", "symbolic"])
def test_every_engine_takes_them(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", *TINY, "--engine", engine, "--protocol", f"exec:{server('acceptor', 'well')}")
    assert (done.returncode, done.stdout[:5]) == (0, "HOLDS")


@pytest.mark.parametrize(("trace", "code"), [("good-one-command", 0), ("bad-ballot-falls", 1), ("bad-acceptance-below-promise", 1)])
def test_traces_are_judged_by_them_too(trace: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("validate", str(ROOT / "traces" / f"{trace}.pmmc"), "--format", "json")
    stock = in_process(capsys, *words)
    program = in_process(capsys, *words, "--protocol", f"exec:{server('acceptor', 'well')}")
    assert (stock.returncode, program.returncode) == (code, code)
    mine, theirs = (json.loads(each.stdout)["traces"][0] for each in (stock, program))
    assert any("judged by the protocol with exec:" in note for note in theirs["notes"])
    assert {**theirs, "seconds": 0, "notes": []} == {**mine, "seconds": 0, "notes": []}


MISBEHAVING = {
    "dies-at-once": "asked which roles it plays: it ended with exit code 3",
    "hello-hangs": "gave no answer within 0.4 s",
    "hello-without-role": '"role": one of client, replica',
    "hello-unknown-role": "did you mean acceptor?",
    "hello-unknown-key": "did you mean symmetric?",
    "hello-twice-a-role": "each role at most once",
    "late": "asked for the step of A1 on p1a: it gave no answer within 0.4 s",
    "half-a-line": 'it began: b\'{"id": 3, "outco\'',
    "exits": "the program ended with exit code 3",
    "exits-with-0": "the program ended with exit code 0",
    "killed": "the program was ended by SIGKILL",
    "segfault": "the program was ended by SIGSEGV",
    "closes-stdout": "closed its standard output and went on",
    "huge-line": "a line of more than 16 MiB",
    "invalid-utf-8": "what is not UTF-8",
    "logs-to-stdout": "nothing but answers on standard output; logs go to standard error",
    "answers-with-a-list": "JSON that is no object",
    "answers-twice": "answered once more to question",
    "wrong-id": "the wrong id",
    "no-id": "without the id of the question",
    "no-outcomes": "answered without outcomes",
    "empty-outcomes": "answered without outcomes",
    "unknown-key": "did you mean sends?",
    "no-sends": 'sends is missing: write "sends": [] where nothing is sent',
    "neither-state-nor-exit": "an outcome has either a state",
    "several-outcomes-by-history": "one outcome, of a server that is asked with history",
    "hides-what-matters": "is not deterministic",
    "state-with-a-fraction": "the numbers of a state are whole",
    "state-nested-deeply": "nested more than 64 deep",
    "ballot-as-a-number": "state.ballot: expected a ballot such as 0.L1, found 1",
    "accepted-as-a-text": "state.accepted: expected a list",
    "accepted-of-ballots": "state.accepted: '0.L1' is no pvalue",
    "sends-to-nobody": "which does not exist in this configuration",
    "sends-to-no-name": "'acceptor 1' is no process",
    "sends-unknown-message": "there is no message",
    "sends-without-field": "accepted is missing",
    "sends-a-wrong-ballot": "'first' is no ballot",
    "answers-at-random": "is not deterministic",
}
"""Ways to misbehave, and what the message must say."""


@pytest.mark.parametrize(("way", "said"), MISBEHAVING.items(), ids=MISBEHAVING)
def test_a_server_that_misbehaves_is_bad_input_and_leaves_no_process(
    way: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    program = server("acceptor", way, str(tmp_path / "processes"))
    deadline = "20" if way == "huge-line" else "0.4"  # 16 MiB take their time on a busy machine
    done = in_process(capsys, "explore", *TINY, "--step-deadline", deadline, "--protocol", f"exec:{program}")
    assert done.returncode == 2
    assert said in done.stderr
    assert "  question  {" in done.stderr
    assert done.stdout == ""
    assert len([line for line in done.stderr.splitlines() if line.startswith("pmmc-check explore: ")]) == 1
    assert_ended(tmp_path / "processes")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("./no-such-program", "cannot be started: No such file"),
        ("no-such-program", "give its path, such as exec:./my_acceptor"),
        ("", "expected the command that starts a step server"),
        ("./it's", "No closing quotation"),
        (str(SERVERS), "cannot be started: Permission denied"),
    ],
)
def test_what_cannot_be_started_is_said(command: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", *TINY, "--protocol", f"exec:{command}")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("way", ["exits", "killed"])
def test_a_crash_comes_with_the_shortest_run_that_leads_there(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", *SMALL, "--protocol", f"exec:{server('acceptor', way)}")
    assert done.returncode == 2
    assert "A shortest run that leads there, in 1 step from the initial state:\n\n1  p1a(0.L" in done.stderr


def test_the_servers_standard_error_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", *TINY, "--protocol", f"exec:{server('acceptor', 'dies-at-once')}")
    assert "acceptor.py: cannot read the configuration\n" in done.stderr


@pytest.mark.parametrize("way", ["panics", "exits"])
def test_what_a_server_says_again_and_again_is_shown_once(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = server("acceptor", way)
    done = in_process(capsys, "explore", *SMALL, "--protocol", f"exec:{command}")
    assert done.stderr.count("acceptor.py: Traceback") == (way == "panics")
    assert done.stderr.count("acceptor.py: giving up") == (way == "exits")
    assert max(map(len, done.stderr.replace(command, "COMMAND").splitlines()), default=0) < 200


def test_a_crash_says_what_was_expected_and_a_wrong_outcome_what_is_wrong_first(capsys: pytest.CaptureFixture[str]) -> None:
    crashed = in_process(capsys, "explore", *TINY, "--protocol", f"exec:{server('acceptor', 'exits')}")
    assert '  expected  {"id":...,"outcomes":[{"state":...,"sends":[...]}]}, and a program that runs' in crashed.stderr
    wrong = in_process(capsys, "explore", *TINY, "--protocol", f"exec:{server('acceptor', 'no-sends')}")
    assert 'asked for the step of A1 on p1a: it gave a wrong outcome: sends is missing: write "sends": []' in wrong.stderr
    assert '  expected  {"id":...,"outcomes":[{"state":...,"sends":[...]}]}' in wrong.stderr


@pytest.mark.parametrize("way", ["asserts", "panics", "aborts"])
@pytest.mark.parametrize("engine", ["compiled", "reference", "symbolic"])
def test_an_assertion_that_fails_in_a_step_is_a_violation(way: str, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*SMALL, "--engine", engine, "--format", "json"]
    done = in_process(capsys, "explore", *arguments, "--protocol", f"exec:{server('acceptor', way)}")
    assert done.returncode == 1
    violation = json.loads(done.stdout)["violation"]
    assert (violation["property"], len(violation["steps"])) == ("Assertion", 1)
    assert ("ballot must not be 0.L1" in violation["message"]) == (way != "aborts")


class Distrustful(Acceptor):
    """Knows no ballot below its own."""

    symmetric = True
    only_halts = Acceptor.only_halts

    def accept(self, state, message):  # type: ignore[no-untyped-def]
        assert message.ballot >= state.ballot, "a lower ballot"
        return super().accept(state, message)


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_an_assertion_of_a_python_role_is_a_violation_also_where_a_reduction_leaves_the_step_out(engine: str) -> None:
    found = explore(acceptors=1, slots=1, commands=1, roles=Distrustful, engine=engine)
    assert (found.violated, len(found.run[0].violation.trace)) == ("Assertion", 7)
    assert "raised AssertionError: a lower ballot" in found.run[0].violation.how
    assert any(note.startswith("inert and halting are off") for note in found.notes) == (engine == "compiled")


def test_after_an_assertion_the_search_can_go_on_and_a_witness_is_none() -> None:
    found = explore(acceptors=1, slots=1, commands=1, roles=Distrustful, keep_going=True)
    assert [each.invariant for each in found.result.violations] == ["Assertion"]
    assert found.result.complete
    reached = explore(acceptors=1, slots=1, commands=1, roles=Distrustful, find=["decided /= {}", "Cardinality(decided) > 1"])
    assert [each.reached for each in reached.witnesses] == [True, False]


def test_only_roles_of_ones_own_are_said_to_be_checked_for_assertions() -> None:
    assert "Assertion" not in explore(acceptors=1, leaders=1, replicas=1, slots=1).invariants
    assert "Assertion" in explore(acceptors=1, leaders=1, replicas=1, slots=1, roles=Distrustful, invariants=["A1"]).invariants


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda each: each.name)
@pytest.mark.parametrize("way", ["late", "outlives-its-input"])
def test_whatever_ends_the_command_ends_the_servers(number: signal.Signals, way: str, tmp_path: Path) -> None:
    noted = tmp_path / "processes"
    slow = options(acceptors=3, leaders=3, engine="reference")
    arguments = ["explore", *slow, "--protocol", f"exec:{server('acceptor', way, str(noted))}"]
    begun = [sys.executable, "-m", "pmmc_check", *arguments]
    process = subprocess.Popen(
        begun, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=heed_ctrl_c
    )
    while not (noted.exists() and len(noted.read_text().split()) > 1):
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == (-9 if number == signal.SIGKILL else 3)
    assert_ended(noted)


def test_a_server_that_outlives_its_input_is_ended_with_its_children(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    noted = tmp_path / "processes"
    done = in_process(capsys, "explore", *TINY, "--protocol", f"exec:{server('acceptor', 'outlives-its-input', str(noted))}")
    assert done.returncode == 0
    assert_ended(noted)
