"""`explore` in Python takes a spec, as the command does: a file or a text, overridden by parameters; what it writes is in the result."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, VARYING, in_process

import pmmc_check

TINY = "ACCEPTORS 1 LEADERS 1 REPLICAS 1 SLOTS 1"
NEVER = f"{TINY}\nINVARIANT Never ==\n  \\A c \\in Commands : ~Decided(1, c)\nEXPECT violated\n"
WITNESSES = f"{TINY}\nWITNESS Active == leader[L1].active\nWITNESS Far == acceptor[A1].ballot.round > 5\n"


def without_times(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: without_times(value) for key, value in told.items() if key not in VARYING}
    return [without_times(each) for each in told] if isinstance(told, list) else told


@pytest.mark.parametrize(
    "text",
    [NEVER, WITNESSES, pytest.param("SLOTS any  ACCEPTORS 1  BALLOTS 1\nEXPECT holds\n", marks=pytest.mark.slow)],
    ids=["never", "witnesses", "any"],
)
def test_a_file_gives_the_object_that_the_command_prints(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.spec"
    path.write_text(text)
    found = pmmc_check.explore(path)
    done = in_process(capsys, "explore", str(path), "--format", "json", "--quiet")
    assert without_times(json.loads(json.dumps(found.to_json()))) == without_times(json.loads(done.stdout))
    assert found.verdict == pmmc_check.explore(str(path)).verdict == pmmc_check.explore(text).verdict


def test_a_violated_invariant_of_the_spec_is_in_the_result_and_may_be_expected() -> None:
    found = pmmc_check.explore(NEVER).assert_as_expected()
    assert (found.verdict, found.violated, found.expected, found.as_expected) == ("violated", "Never", "violated", True)
    assert "<text>: as expected: it expects `violated`" in found.text(120)
    assert "~Decided(1, c) is false for c = c1" in found.explanation(120)
    with pytest.raises(pmmc_check.CheckFailed, match="VIOLATED: Never"):
        found.assert_holds()
    with pytest.raises(pmmc_check.CheckFailed, match="NOT AS EXPECTED: it expects `violated`, but found `holds`"):
        pmmc_check.explore(NEVER, invariants=["Agreement"]).assert_as_expected()


def test_one_step_is_told_as_one_and_a_blank_line_parts_the_paragraphs() -> None:
    text = "ACCEPTORS 1 LEADERS 1 REPLICAS 1 SLOTS 1 COMMANDS 1\n"
    text += "WITNESS Start == TRUE\nWITNESS Promised == acceptor[A1].ballot # BOTTOM\nINVARIANT Never == acceptor[A1].ballot = BOTTOM\n"
    told = pmmc_check.explore(text).text(120)
    assert "in 1 step from the initial state:" in told and "takes 1 step:" in told
    assert "the initial state is one\n\nREACHED: Promised" in told and "\n\nVIOLATED: Never" in told
    assert "\n\n\n" not in told


def test_witnesses_have_their_runs_and_one_that_is_never_reached_is_violated(tmp_path: Path) -> None:
    found = pmmc_check.explore(WITNESSES)
    assert [(each.name, each.reached, each.length) for each in found.witnesses] == [("Active", True, 3), ("Far", False, None)]
    assert (found.verdict, found.violated) == ("violated", None)
    trace = found.witnesses[0].trace()
    assert trace is not None
    (tmp_path / "run.pmmc").write_text(trace)
    assert pmmc_check.validate(tmp_path / "run.pmmc").accepted
    assert found.witnesses[1].trace() is None
    assert len(found.witnesses[0].to_json()["steps"]) == 3
    assert "REACHED: Active" in found.witnesses[0]._repr_html_()
    with pytest.raises(pmmc_check.CheckFailed, match="NONE: Far: none of the") as failed:
        found.assert_as_expected()
    assert "REACHED: Active" in str(failed.value)


def test_parameters_override_the_spec() -> None:
    faulty = "ACCEPTORS 1 LEADERS 2 REPLICAS 2 SLOTS 1 COMMANDS 2\nNETWORK reliable\nVARIANT ignore-pmax\nINVARIANT Agreement\n"
    assert pmmc_check.explore(faulty).violated == "Agreement"
    found = pmmc_check.explore(faulty, leaders=1, network="duplicating", find=["leader[L1].active"])
    config = found.to_json()["config"]
    assert (config["leaders"], config["acceptors"], config["network"]) == (1, 1, "duplicating")
    assert (found.invariants, [each.reached for each in found.witnesses]) == ((), [True])


def test_a_role_that_a_spec_names_is_loaded_and_one_handed_in_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "roles_of_a_spec.py").write_text("from pmmc_check.examples.tidy_acceptor import TidyAcceptor\n")
    spec = f"{TINY} LEADERS 2\nPROTOCOL roles_of_a_spec:TidyAcceptor\nINVARIANT A3\n".replace("LEADERS 1 ", "")
    assert pmmc_check.explore(spec).violated == "A3"
    assert pmmc_check.explore(spec, roles=pmmc_check.Acceptor).holds


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("ACCEPTORS 1\nINVARIANT Agrement\n", "<text>:2:11: Agrement is neither built in nor defined above"),
        ("no-such.spec", "no-such.spec: cannot be read"),
        ("no-such", "no-such: cannot be read"),
        (Path("no such file"), "no such file: cannot be read"),
        ("ACCEPTORS 1 SLOTS any BALLOTS 2\nWITNESS W == decided # {}\n", "WITNESS W: it shows a run"),
    ],
)
def test_what_cannot_be_used_says_where(spec: Any, message: str) -> None:
    with pytest.raises(pmmc_check.PmmcError) as raised:
        pmmc_check.explore(spec)
    assert message in str(raised.value)


def test_specs_in_several_threads_do_not_disturb_each_other(capfd: pytest.CaptureFixture[str]) -> None:
    texts = [NEVER, WITNESSES, (ROOT / "specs" / "seeded-fault.spec").read_text(), (ROOT / "specs" / "witnesses.spec").read_text()] * 2
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: pmmc_check.explore(text, threads=1), texts))
    assert [each.verdict for each in found] == ["violated", "violated", "violated", "holds"] * 2
    assert [each.as_expected for each in found] == [True, None, True, True] * 2
    assert capfd.readouterr() == ("", "")


def test_a_witness_that_no_run_reaches_changes_nothing_about_what_holds() -> None:
    impossible = r"\E s \in Slots : Decided(s, c1) /\ Decided(s, c2)"
    found = pmmc_check.explore(acceptors=1, slots=1, commands=2, invariants=["Agreement"], find=[impossible])
    assert (found.verdict, found.result.verdict, found.limit) == ("violated", "holds", None)
    text, alone = found.text(), pmmc_check.explore(acceptors=1, slots=1, commands=2, invariants=["Agreement"])
    assert "HOLDS: every reachable state" in text
    assert "None" not in text
    assert "so far" not in text
    assert "INCONCLUSIVE" not in found.explanation()
    told = found.to_json()
    assert told["verdict"] == "violated"
    assert [each["verdict"] for each in told["properties"]] == ["holds", "violated"]
    assert found.distinct_states == alone.distinct_states
    assert "HOLDS" in found.page()
