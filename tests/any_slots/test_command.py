"""`explore --slots any` as a command: what it says, what it refuses, and what its exit codes mean."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import assert_one_clear_line, in_process

from pmmc_check.protocol import Leader, LeaderState, Outcome, Preempted

SMALL = ("--acceptors", "1", "--ballots", "2", "--replica-slots", "2", "--quiet")


def test_the_verdict_says_what_is_covered_and_what_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", "--slots", "any", *SMALL)
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    assert (
        "HOLDS: for every number of slots, commands, clients, replicas, leaders and rounds, every WINDOW, on every network, "
        "with 1 acceptor and at most 2 ballots in use, by premises that were checked on small systems; "
        "R2, R3, R4, R5 of a single replica, within the bounds below"
    ) in text
    assert "covers Agreement, Validity, A1, A2, A3, A4, A5, C1, C2: every number of slots" in text
    assert "replica R2, R3, R4, R5: of a replica in any surroundings, within 2 slots" in text
    assert "not covered a change of acceptors by reconfiguration; Progress" in text
    for premise in ("slotwise", "opaque commands", "replicas alike", "ballotwise", "all at once", "replicas only propose"):
        assert f"{premise}: " in text
    assert "not proved for larger ones" in text


def test_with_leaders_and_rounds_these_are_bounded_and_ballots_need_not_be_alike(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", "--slots", "any", "--acceptors", "1", "--leaders", "2", "--replica-slots", "2", "--quiet")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    assert "for every number of slots, commands, clients and replicas, every WINDOW" in text
    assert "with 1 acceptor, 2 leaders and 1 ballot round" in text
    assert "ballotwise" not in text


def test_one_invariant_of_a_replica_is_said_to_be_of_a_replica(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", "--slots", "any", *SMALL, "--invariant", "R3")
    assert done.returncode == 0
    assert done.stdout.startswith("HOLDS: R3 of a single replica, within the bounds below")
    assert "every number" not in done.stdout


def test_the_json_has_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", "--slots", "any", *SMALL, "--format", "json")
    answer = json.loads(done.stdout)
    assert answer["verdict"] == "holds"
    assert (answer["slots"], answer["acceptors"], answer["ballots"]) == ("any", 1, 2)
    assert answer["premises"]["complete"]
    assert all(each["steps"] > 0 for each in answer["premises"]["checked"])
    assert answer["one_slot"]["verdict"] == "holds"
    assert answer["one_slot"]["distinct_states"] > 10
    assert answer["replica"]["verdict"] == "holds"
    assert answer["replica"]["bounds"]["slots"] == 2
    assert set(answer["seconds"]) == {"premises", "one_slot", "replica"}
    assert answer["violation"] is None


def test_a_violation_is_shown_as_a_run_of_the_protocol_and_written_as_a_trace(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "run.pmmc"
    options = ("--slots", "any", "--acceptors", "1", "--ballots", "2", "--variant", "ignore-pmax", "--invariant", "Agreement", "--quiet")
    done = in_process(capsys, "explore", *options, "--trace-out", str(trace))
    assert done.returncode == 1
    assert done.stdout.startswith("VIOLATED: Agreement: two different commands are decided in slot 1: c1 and c2")
    assert "confirmed" in done.stdout
    ordinary = in_process(capsys, "explore", "--acceptors", "1", "--slots", "1", "--commands", "2", *options[6:])
    assert ordinary.stdout.split("A shortest run")[1][:60] == done.stdout.split("A shortest run")[1][:60]
    assert "decision" in trace.read_text()


class Confused(Leader):
    """Takes a preemption by its own ballot for an adoption. Nobody sends it one; the environment does."""

    symmetric = True

    def preempted(self, state: LeaderState, message: Preempted) -> Outcome:
        if message.ballot != state.ballot or state.active:
            return super().preempted(state, message)
        return Outcome(replace(state, active=True), self.spawn_commanders(state.ballot, state.proposals))


def test_what_only_the_environment_can_do_is_inconclusive(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--acceptors", "1", "--ballots", "2", "--invariant", "Agreement", "--quiet", "--format", "json")
    done = in_process(capsys, "explore", "--slots", "any", "--protocol", f"{__name__}:Confused", *options)
    answer = json.loads(done.stdout)
    assert done.returncode == 3
    assert answer["verdict"] == "inconclusive"
    assert answer["limit"].startswith("only in the over-approximation")
    assert answer["one_slot"]["verdict"] == "violated"
    assert [each["slots"] for each in answer["confirmation"]["tried"]] == [1, 2]
    assert answer["violation"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--slots", "any", "--window", "2"), ("--window 2", "every WINDOW", "leave --window out")),
        (("--slots", "any", "--replicas", "2"), ("--replicas 2", "every number of replicas")),
        (("--slots", "any", "--commands", "2"), ("--commands 2", "every number of commands")),
        (("--slots", "any", "--network", "fifo"), ("--network fifo", "all four networks")),
        (("--slots", "any", "--reconfigurations", "1"), ("--reconfigurations 1", "does not cover a change of acceptors")),
        (("--slots", "any", "--ballots", "3", "--rounds", "2"), ("--ballots 3", "leave out either --rounds or --ballots")),
        (("--slots", "any", "--strategy", "random", "--time-limit", "1"), ("--strategy random", "leave --strategy out")),
        (("--slots", "any", "--invariant", "Progress"), ("--invariant Progress", "in an ordinary search, with a number of slots")),
        (("--slots", "any", "--variant", "drop-loser"), ("--variant drop-loser", "needs --network reliable or fifo")),
        (("--slots", "any", "--ballots", "200"), ("--ballots 200", "lower --ballots")),
        (("--slots", "3", "--strategy", "compositional"), ("--slots 3", "give --slots any")),
        (("--ballots", "3"), ("--ballots 3", "add --slots any")),
        (("--replica-slots", "3"), ("--replica-slots 3", "add that")),
        (("--slots", "many"), ("--slots", "many")),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) and each[0].startswith("--") else "",
)
def test_contradicting_options_get_a_sentence(capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert_one_clear_line(in_process(capsys, "explore", *options), *words)


def test_the_compositional_strategy_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", "--strategy", "compositional", *SMALL)
    assert done.stdout.startswith("HOLDS: for every number of slots")


def test_a_limit_is_inconclusive(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", "--slots", "any", "--max-states", "100", "--quiet")
    assert done.returncode == 3
    assert done.stdout.startswith("INCONCLUSIVE: 100 states (--max-states) were reached")
    assert "\ncovers " not in done.stdout


def test_what_was_settled_before_a_limit_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", "--slots", "any", "--acceptors", "1", "--ballots", "2", "--max-states", "60", "--quiet")
    text = " ".join(done.stdout.split())
    assert done.returncode == 3
    assert text.startswith("INCONCLUSIVE: 60 states (--max-states) were reached; Agreement, Validity, A1")
    assert "C2 hold for every number of slots" in text


def test_an_ordinary_search_that_is_too_large_points_here(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", "--slots", "3", "--max-states", "1000", "--quiet")
    assert done.returncode == 3
    assert "--slots any" in done.stdout
