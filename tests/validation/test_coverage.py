"""Which branches of the protocol runs reach: every branch is one that some run takes, and none is counted that was not taken."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import R1, ROOT, compiled, in_process, small, system

import pmmc_check
from pmmc_check.protocol import Acceptor, Leader, Replica, variant
from pmmc_check.protocol.branches import BRANCHES, StepTaken, branches_of, branches_that_apply, prior
from pmmc_check.protocol.messages import Decision
from pmmc_check.protocol.values import NOOP
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.trace.events import ALL, NOTHING, Header, Names
from pmmc_check.validation.corpus import CorpusCoverage, CoverageFileError, coverage_from, coverage_of
from pmmc_check.validation.judge import JudgeOptions
from pmmc_check.validation.replay.covered import CoveredReplay
from pmmc_check.validation.simulate import Plan, complete_logs, two_configurations
from pmmc_check.validation.verdict import BranchCounts, TraceVerdict
from pmmc_check.verdicts import ACCEPTED, REJECTED
from tests.validation.runs import Run, plan, run


class PlainAcceptor(Acceptor):
    """The paper's, whose sets do not grow in place."""


class PlainLeader(Leader):
    """The paper's, whose sets do not grow in place."""


def counted(whole: Run, *roles: type[Acceptor] | type[Leader]) -> dict[str, int]:
    names, events = whole.read()
    replay = CoveredReplay(whole.header, names, variant(*roles))
    replay.run([iter(events)])
    return dict(replay.counts.steps)


def duelling(seed: int, **changes: object) -> Plan:
    header = Header(
        ("R1", "R2"), ("L1", "L2"), ("A1", "A2", "A3"), ("C1", "C2"), 4, frozenset({"duplicating"}), requests="resent", application="log"
    )
    made = Plan(header=replace(header, logs=complete_logs(header)), seed=seed, events=800, commands=5, loss_rate=0.05)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_every_branch_is_taken_by_some_run() -> None:
    seen: Counter[str] = Counter()
    for seed in range(12):
        made = duelling(seed, crash_rate=0.03 * (seed % 3 == 0), reconfiguration_rate=0.2 * (seed % 3 == 1))
        if made.reconfiguration_rate:
            made = replace(made, header=replace(made.header, configurations=two_configurations(made.header)))
        seen.update(counted(run(made)))
    replica = Replica(R1, system(replicas=1))
    before, noop = replica.start().state, Decision(1, NOOP)
    (outcome,) = replica.step(before, noop)
    seen.update(branches_of(StepTaken(R1, prior(before, noop), noop, *outcome)))
    assert set(BRANCHES) == set(seen), set(BRANCHES) ^ set(seen)


def test_counts_do_not_depend_on_how_states_are_kept() -> None:
    for seed in range(8):
        whole = run(duelling(seed, crash_rate=0.02 * (seed % 2)))
        assert counted(whole) == counted(whole, PlainAcceptor, PlainLeader)


def test_explore_takes_branches_by_the_same_names() -> None:
    search, _ = compiled(small(acceptors=1, leaders=2, replicas=2, commands=2, slots=1, rounds=2))
    seen = {
        name
        for process, state, message, outcomes in search.model.known_steps()
        for after, sends in outcomes
        for name in branches_of(StepTaken(process, prior(state, message), message, after, sends))
    }
    assert seen <= set(BRANCHES)
    assert {"leader:adopted pmax changed a proposal", "acceptor:p1a stale", "replica:decision lost slot put back"} <= seen


def test_a_run_with_one_proposal_each_takes_just_the_branches_that_one_expects() -> None:
    found = pmmc_check.validate(ROOT / "traces" / "good-one-command.pmmc", coverage=True).coverage
    assert found.steps == {
        "acceptor:p1a promised": 1,
        "acceptor:p2a accepted": 1,
        "scout:p1b adopted without pvalues": 1,
        "commander:p2b decided": 1,
        "leader:propose kept for later": 1,
        "leader:adopted with its own proposals": 1,
        "replica:request proposed": 1,
        "replica:decision performed": 1,
    }


def test_only_runs_that_may_have_a_branch_are_measured_by_it() -> None:
    plain, all_of_them = branches_that_apply(False, False), branches_that_apply(True, True)
    assert len(all_of_them) == len(BRANCHES) == len(plain) + 3
    header = duelling(1).header
    assert not CoveredReplay(header, Names(header)).counts.reconfigures
    assert CoveredReplay(replace(header, configurations=two_configurations(header)), Names(header)).counts.reconfigures
    assert CoveredReplay(header, Names(header), protocol_with(["fill-holes"])).counts.has_noop


def test_processes_without_complete_logs_are_not_counted() -> None:
    whole = run(plan(12, 60, own_logs=False, crash_rate=0.0, reconfiguration_rate=0.0))
    names, events = whole.read()
    thin = replace(whole.header, logs={name: NOTHING if name[0] == "L" else ALL for name in whole.header.logs})
    replay = CoveredReplay(thin, names)
    replay.run([iter([event for event in events if event.log[0] != "L"])])
    assert replay.counts.partial
    assert {name.split(":")[0] for name, _ in replay.counts.steps} <= {"acceptor", "replica"}


def test_corpora_add_up_and_come_back_from_their_files() -> None:
    first = BranchCounts((("acceptor:p1a stale", 2),), True, False, False)
    second = BranchCounts((("acceptor:p1a stale", 1), ("replica:decision noop", 4)), False, True, True)
    found = coverage_of(
        [TraceVerdict("a", ACCEPTED, coverage=first), TraceVerdict("b", ACCEPTED, coverage=second), TraceVerdict("c", REJECTED)]
    )
    assert found == CorpusCoverage({"acceptor:p1a stale": 3, "replica:decision noop": 4}, 2, 1, 1, True, True)
    assert coverage_from(json.dumps(found.to_json())) == found
    assert found.to_json()["never"][0] == "acceptor:p1a promised"
    later = CorpusCoverage({"acceptor:p9 of a later version": 1}, 1)
    assert coverage_from(json.dumps((found + later).to_json())).steps["acceptor:p9 of a later version"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", "is no coverage of validate"),
        ("[]", "it has no pmmc-check-coverage"),
        ('{"pmmc-check-coverage": 2}', "has version 2 of the coverage; expected 1"),
        ('{"pmmc-check-coverage": 1, "branches": {}}', "is a damaged coverage"),
        (
            json.dumps(CorpusCoverage().to_json() | {"branches": {"a": -1}}),
            "is a damaged coverage",
        ),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str) -> None:
    with pytest.raises(CoverageFileError, match=said):
        coverage_from(text)
    path = tmp_path / "c.json"
    path.write_text(text)
    answer = in_process(capsys, "validate", "traces/good-one-command.pmmc", "--coverage", "--coverage-file", str(path))
    assert answer.returncode == 2 and said in answer.stderr
    assert path.read_text() == text


def test_the_command_shows_what_was_never_taken_first_and_keeps_the_sum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "coverage.json"
    arguments = ("validate", "traces/good-one-command.pmmc", "--coverage", "--coverage-file", str(path))
    first = in_process(capsys, *arguments)
    _, headline, little, *lines = first.stdout.splitlines()
    assert headline == "coverage: 8 of 49 branches of the protocol (16 %), in 1 trace"
    assert "This is little" in little
    never = ["never" in line for line in lines]
    assert never == sorted(never, reverse=True) and sum(never) == 41
    second = json.loads(in_process(capsys, *arguments, "--format", "json").stdout)["coverage"]
    assert second["traces"] == 2 and second["branches"]["acceptor:p1a promised"] == 2
    assert json.loads(path.read_text()) == second


@pytest.mark.parametrize(("percent", "code"), [("10", 0), ("90", 3)])
def test_under_the_limit_the_exit_code_is_3(capsys: pytest.CaptureFixture[str], percent: str, code: int) -> None:
    answer = in_process(capsys, "validate", "traces/good-one-command.pmmc", "--coverage", "--fail-under", percent, "--quiet")
    assert answer.returncode == code
    assert ("coverage is under 90 % (--fail-under)" in answer.stdout) == (code == 3)
    assert len(answer.stdout.splitlines()) == 2 + (code == 3)


@pytest.mark.parametrize(("percent", "rows"), [("10", 0), ("90", 49)])
def test_a_limit_that_is_kept_wants_the_sum_alone_and_one_that_is_not_ends_the_report(
    capsys: pytest.CaptureFixture[str], percent: str, rows: int
) -> None:
    trace = "traces/good-one-command.pmmc"
    lines = in_process(capsys, "validate", trace, trace, "--coverage", "--fail-under", percent).stdout.splitlines()
    assert sum(line.startswith(trace) for line in lines) == 1
    assert lines[1].endswith("in 1 trace")
    assert len(lines) == 3 + rows + bool(rows)
    assert (lines[-1] == "coverage is under 90 % (--fail-under)") == bool(rows)


def test_a_rejection_counts_more_than_little_coverage(capsys: pytest.CaptureFixture[str]) -> None:
    answer = in_process(capsys, "validate", "traces/bad-decision-changed.pmmc", "--coverage", "--fail-under", "90")
    assert answer.returncode == 1
    assert "1 trace not accepted: there is no run to count" in answer.stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--coverage-file", "x"], "--coverage-file: needs --coverage"),
        (["--fail-under", "3"], "--fail-under: needs --coverage"),
        (["--coverage", "--fail-under", "101"], "--fail-under 101: must be from 0 to 100"),
        (["--coverage", "--follow"], "--coverage: not with --follow"),
        (["--coverage", "--coverage-file", "/nowhere/at/all"], "--coverage-file /nowhere/at/all: cannot be written"),
    ],
)
def test_options_that_cannot_be(capsys: pytest.CaptureFixture[str], given: list[str], said: str) -> None:
    answer = in_process(capsys, "validate", "traces/good-one-command.pmmc", *given)
    assert answer.returncode == 2 and said in answer.stderr


def test_judging_without_coverage_counts_nothing() -> None:
    assert not JudgeOptions().coverage
    assert pmmc_check.validate(ROOT / "traces" / "good-one-command.pmmc").traces[0].coverage is None
