"""`explore --trace-out FILE` writes traces that `validate` reads: what the checker finds, the validator judges."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import ROOT, assert_one_clear_line, command, counterexample_of, in_process

from pmmc_check.model.model import Model
from pmmc_check.protocol.variants.catalogue import VARIANTS, Variant, protocol_with
from pmmc_check.report.variants import options_text
from pmmc_check.report.violation_trace import never_writable, trace_text
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import JudgeOptions, judge

FAULT = ["--acceptors", "1", "--slots", "1", "--commands", "2"]
FAULTS = [each for each in VARIANTS.values() if each.breaks]
WRITABLE = [each for each in FAULTS if never_writable([each]) is None]
ROWS = [
    pytest.param(each, broken, id=f"{each.name}-{broken}", marks=[pytest.mark.slow] * (broken != each.breaks[0]))
    for each in WRITABLE
    for broken in each.breaks
]
"""What a fault breaks first; the other invariants that it breaks are slow tests."""


def _written(variant: Variant, broken: str, folder: Path) -> Path:
    result = counterexample_of(variant.name, broken)
    assert result.violation is not None
    file = folder / "found.pmmc"
    file.write_text(trace_text(result.violation, Model(result.config, protocol_with([variant.name]))), encoding="utf-8")
    return file


@pytest.mark.parametrize(("variant", "broken"), ROWS)
def test_every_counterexample_is_rejected_as_a_run_of_the_paper_and_is_a_legal_run_of_its_variant_that_breaks_the_invariant(
    variant: Variant, broken: str, tmp_path: Path
) -> None:
    file = _written(variant, broken, tmp_path)
    by_paper = judge(Source(file))
    by_variant = judge(Source(file), JudgeOptions(protocol=protocol_with([variant.name]), variants=(variant.name,)))
    assert by_variant.legal_run
    assert by_variant.failure is None
    if broken in ("Progress", "FairProgress"):  # no finite log shows that nothing more will happen
        assert by_variant.verdict == "accepted"
        return
    assert (by_paper.verdict, by_paper.legal_run) == ("rejected", False)
    assert by_paper.failure is not None
    assert by_variant.verdict == "rejected"
    assert broken in [each.invariant for each in by_variant.violations]


def test_only_what_is_known_to_have_no_trace_is_left_out() -> None:
    left_out = {each.name for each in FAULTS} - {each.name for each in WRITABLE}
    assert left_out == {"collect-silently", "ballot-without-leader", "after-you", "waits-for-work"}


@pytest.mark.parametrize("network", ["duplicating", "reliable", "lossy", "fifo"])
def test_the_commands_write_and_judge_on_every_network(network: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "found.pmmc"
    asked = [*FAULT, "--variant", "ignore-pmax", "--invariant", "Agreement", "--network", network]
    assert in_process(capsys, "explore", *asked, "--trace-out", str(file)).returncode == 1
    plain, changed = (in_process(capsys, "validate", str(file), *more) for more in ([], ["--variant", "ignore-pmax"]))
    assert (plain.returncode, changed.returncode) == (1, 1)
    assert "a legal run of the changed protocol, and it breaks Agreement, A5, C2" in changed.stdout
    assert "legal run" not in plain.stdout
    assert "Agreement is broken: no two different commands are decided in one slot" in changed.stdout


def test_a_stuck_run_of_the_papers_protocol_is_a_legal_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "stuck.pmmc"
    options = ["--leaders", "1", "--replicas", "1", "--slots", "1", "--network", "reliable", "--invariant", "Progress"]
    assert in_process(capsys, "explore", *options, "--trace-out", str(file)).returncode == 1
    judged = in_process(capsys, "validate", str(file))
    assert (judged.returncode, "accepted" in judged.stdout) == (0, True)


@pytest.mark.parametrize("variant", [each for each in FAULTS if each not in WRITABLE], ids=lambda each: each.name)
def test_what_no_trace_can_show_is_refused_before_the_search(variant: Variant, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["explore", "--variant", variant.name, *options_text(variant.smallest).split()]
    refused = in_process(capsys, *asked, "--trace-out", str(tmp_path / "found.pmmc"))
    assert_one_clear_line(refused, "--trace-out", ".json")
    assert list(tmp_path.iterdir()) == []
    assert in_process(capsys, *asked, "--trace-out", str(tmp_path / "found.json"), "--max-states", "1").returncode == 3


_SPEAKS = """
from dataclasses import dataclass
from pmmc_check.protocol import Acceptor, Outcome, Send
from pmmc_check.protocol.messages import Message

@dataclass(frozen=True, slots=True)
class Hello(Message):
    pass

class Polite(Acceptor):
    def accept(self, state, message):
        outcome = super().accept(state, message)
        accepted = {*state.accepted, *outcome.state.accepted}
        return outcome._replace(state=type(state)(state.ballot, frozenset()), sends=(*outcome.sends, Send(self.system.leaders[0], Hello())))
"""


def test_a_run_of_a_users_role_that_has_no_trace_is_reported_but_not_written(tmp_path: Path) -> None:
    (tmp_path / "polite.py").write_text(_SPEAKS)
    file = tmp_path / "found.pmmc"
    asked = [*FAULT, "--commands", "1", "--replicas", "1", "--protocol", "polite:Polite", "--invariant", "A2", "--invariant", "Agreement"]
    found = command("explore", *asked, "--trace-out", str(file), env={"PYTHONPATH": f"{ROOT}:{tmp_path}"})
    assert found.returncode in (0, 1), found.stderr
    assert not file.exists()


@pytest.mark.parametrize("variant", [each for each in VARIANTS.values() if each.safe and not each.own_messages], ids=lambda each: each.name)
@pytest.mark.parametrize("network", ["reliable", "lossy,duplicating", "fifo"])
def test_long_runs_of_a_safe_variant_break_nothing(
    variant: Variant, network: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in ("1", "2", "3"):
        file = tmp_path / f"{seed}.pmmc"
        asked = ["simulate", "--variant", variant.name, "--network", network, "--events", "600", "--commands", "60", "--seed", seed]
        assert in_process(capsys, *asked, "--out", str(file)).returncode == 0
        judged = in_process(capsys, "validate", str(file), "--variant", variant.name)
        assert judged.returncode == 0, judged.stdout
