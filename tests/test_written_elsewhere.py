"""What is written, asked of growing configurations; what names slots and processes that are not there; long expressions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import in_process

import pmmc_check
from pmmc_check.api.specs import name_of_expression
from pmmc_check.spec.place import SpecError

AGREEMENT = r"\A s \in Slots : \A c, d \in Commands : Decided(s, c) /\ Decided(s, d) => c = d"
BOTH_ACTIVE = r"\A l \in Leaders : leader[l].active"
SMALL = {"acceptors": 2, "leaders": 2, "replicas": 1, "slots": 1, "commands": 1}


@pytest.mark.parametrize("variants", [[], ["ignore-pmax"]], ids=str)
def test_what_grows_judges_what_is_written_as_what_is_built_in(variants: list[str]) -> None:
    size = {"acceptors": 1, "slots": 1, "commands": 2, "variants": variants, "strategy": "iterative"}
    mine, built_in = (pmmc_check.explore(invariants=[each], **size) for each in (AGREEMENT, "Agreement"))  # type: ignore[arg-type]
    (found, model), (expected, _) = mine.of_one_configuration, built_in.of_one_configuration
    assert (mine.verdict, found.distinct_states, found.smaller_completed) == (
        built_in.verdict,
        expected.distinct_states,
        expected.smaller_completed,
    )
    assert model.config == expected.config
    assert (mine.run is None) == (not variants)
    if mine.run and built_in.run and mine.run[0].violation and built_in.run[0].violation:
        assert len(mine.run[0].violation.trace) == len(built_in.run[0].violation.trace)


def test_a_witness_is_sought_in_the_smallest_configuration_that_has_what_it_names() -> None:
    found = pmmc_check.explore(**SMALL, strategy="iterative", find=["leader[L1].active /\\ leader[L2].active"])  # type: ignore[arg-type]
    (witness,) = found.witnesses
    assert witness.reached
    assert (witness.model.config.leaders, witness.model.config.acceptors) == (2, 1)
    assert any("smaller configurations left out, which lack what the properties name" in note for note in found.notes)
    assert "p1a(0.L2) → A1" in found.text()
    assert found.witnesses[0].trace() is not None


def test_that_there_is_none_is_said_after_all_of_them() -> None:
    found = pmmc_check.explore(**SMALL, strategy="iterative", find=["acceptor[A1].ballot.round > 5"])  # type: ignore[arg-type]
    assert (found.verdict, found.witnesses[0].reached) == ("violated", False)
    assert found.witnesses[0].model.config.acceptors == 2


def test_a_spec_with_invariants_and_witnesses_grows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "a.spec"
    spec.write_text(f"ACCEPTORS 1 SLOTS 1 REPLICAS 1\nINVARIANT Mine == {AGREEMENT}\nWITNESS Both == {BOTH_ACTIVE}\n")
    done = in_process(capsys, "explore", str(spec), "--strategy", "iterative", "--quiet", "--format", "json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["verdict"], answer["witnesses"][0]["reached"]) == (0, "holds", True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Decided(2, c1)", "--find:1:9: Decided(2, c1): there is no slot 2 in this configuration, which has slot 1 only"),
        (r"\E d \in decided : 3 = d.slot", r"--find:1:20: 3 = d.slot: there is no slot 3 in this configuration"),
        (
            "acceptor[A1].ballot.round = 5",
            "--find:1:29: acceptor[A1].ballot.round = 5: there is no round 5 in this configuration, which has round",
        ),
        (r"\E l \in Leaders : 7 = leader[l].ballot.round", "--find:1:20: 7 = leader[l].ballot.round: there is no round 7"),
        ("SentP2a(BOTTOM, 0, c1)", "--find:1:17: SentP2a(BOTTOM, 0, c1): there is no slot 0"),
        (
            "acceptor[A3].ballot = BOTTOM",
            "--find:1:10: there is no A3 in this configuration, which has 2 acceptors (--acceptors); for",
        ),
        ("replica[R7].slot_in = 1", "--find:1:9: there is no R7 in this configuration, which has 1 replica (--replicas)"),
        ("Decided(1, c2)", "--find:1:12: there is no c2 in this configuration, which has 1 command (--commands)"),
    ],
)
def test_what_is_outside_the_configuration_is_no_answer(text: str, said: str) -> None:
    with pytest.raises(SpecError) as refused:
        pmmc_check.explore(**SMALL, find=[text])  # type: ignore[arg-type]
    assert str(refused.value).startswith(said)


def test_a_long_expression_is_told_once_and_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    long = " /\\\n  ".join(["Decided(1, c1)"] * 300)
    size = ["--acceptors", "1", "--replicas", "1", "--slots", "1", "--quiet"]
    reached = in_process(capsys, "explore", *size, "--find", long)
    assert reached.returncode == 0
    assert "... (" in reached.stdout.splitlines()[0] and len(reached.stdout) < 3_000
    broken = in_process(capsys, "explore", *size, "--invariant", f"~({long})")
    assert broken.returncode == 1
    assert len(broken.stdout) < 6_000
    wrong = in_process(capsys, "explore", *size, "--find", long.replace("\n", "") + " /\\ Foo").stderr
    assert "unknown name Foo" in wrong and len(wrong) < 400
    assert name_of_expression("a  =\n b") == "a  =\n b"
    assert name_of_expression(long + "1") != name_of_expression(long + "2")
