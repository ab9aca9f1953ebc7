"""`--continue`: every invariant that can be broken gets a shortest run of its own, and what holds beside them was checked everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import assert_one_clear_line, in_process, options

from pmmc_check.api.options import SearchOptions
from pmmc_check.api.searching import configured, limits_of, protocol_of, result_of
from pmmc_check.checker.result import Control, Result
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import INVARIANTS

TWO: dict[str, Any] = {"acceptors": 1, "leaders": 2, "replicas": 2, "slots": 1, "commands": 2, "rounds": 1}
FAULTS = ["ballot-without-leader", "hide-accepted", "accept-lower-ballot"]


def searched(**given: Any) -> Result:
    asked = SearchOptions(**{**TWO, **given})
    return result_of(asked, Model(configured(asked), protocol_of(asked)), Control(limits_of(asked)))[0]


def lengths(result: Result) -> dict[str, int]:
    return {each.invariant: len(each.trace) for each in result.violations}


def alone(**given: Any) -> dict[str, int]:
    """The same with one search for each invariant, which checks nothing else."""
    found: dict[str, int] = {}
    for name in INVARIANTS:
        found |= lengths(searched(invariants=[name], **given))
    return found


@pytest.mark.one_in(2)
@pytest.mark.parametrize("variant", FAULTS)
@pytest.mark.parametrize("how", [{}, {"reduce": "none"}], ids=str)
def test_every_violated_invariant_has_a_run_as_short_as_if_it_had_been_asked_for_alone(variant: str, how: dict[str, Any]) -> None:
    result = searched(variants=[variant], keep_going=True, **how)
    assert lengths(result) == alone(variants=[variant])
    assert len(result.violations) > 1
    assert result.complete
    assert {name: result.invariant_verdict(name) for name in result.invariants} == {
        name: "violated" if name in lengths(result) else "holds" for name in INVARIANTS
    }


@pytest.mark.parametrize("engine", ["reference", "symbolic"])
def test_the_other_engines_go_on_as_well(engine: str) -> None:
    small = {"leaders": 1, "replicas": 1, "slots": 2, "variants": ["skip-hole"]}
    result = searched(**small, keep_going=True, engine=engine)
    assert lengths(result) == alone(**small) == {"R2": 9, "R3": 13}


@pytest.mark.slow
def test_walks_go_on_until_a_limit_and_prove_nothing() -> None:
    result = searched(variants=["ballot-without-leader"], keep_going=True, strategy="random", reduce="none", max_states=5_000)
    assert {"C1", "A4", "Agreement"} <= set(lengths(result))
    assert not any(each.shortest for each in result.violations)
    assert not result.complete
    assert result.invariant_verdict("R4") == "inconclusive"


def test_a_limit_leaves_the_rest_undecided() -> None:
    result = searched(variants=["ballot-without-leader"], keep_going=True, max_depth=11)
    assert lengths(result) == {"C1": 10}
    assert result.verdict == "violated"
    assert result.limit is not None
    assert result.invariant_verdict("Agreement") == result.invariant_verdict("R4") == "inconclusive"
    assert result.violations[0].shortest


def test_where_nothing_is_broken_nothing_changes() -> None:
    result, plain = searched(keep_going=True), searched()
    assert (result.verdict, result.distinct_states, result.violations) == ("holds", plain.distinct_states, ())


def test_the_report_shows_them_all(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["explore", *options(**TWO, variant="hide-accepted"), "--continue", "--quiet"]
    text = in_process(capsys, *arguments, "--trace-out", str(tmp_path / "first.pmmc"))
    assert text.returncode == 1
    assert text.stdout.count("VIOLATED: ") == text.stdout.count("A shortest run that breaks it") == 4
    assert "C2, A5, Agreement, R3 violated; Validity, R2, R4, R5, A1, A2, A3, A4, C1 hold" in text.stdout
    assert "has the first of 4 counterexamples, that of C2" in text.stderr
    answer = json.loads(in_process(capsys, *arguments, "--format", "json").stdout)
    assert [each["property"] for each in answer["violations"]] == ["C2", "A5", "Agreement", "R3"]
    assert answer["violation"] == answer["violations"][0]
    assert {each["name"]: each["verdict"] for each in answer["properties"]}["R4"] == "holds"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--strategy", "iterative"], "ends with the smallest configuration that breaks an invariant; leave one out"),
        (["--slots", "any"], "ends with the first violation; give a number of slots"),
    ],
)
def test_what_cannot_go_on_says_so(more: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_clear_line(in_process(capsys, "explore", "--continue", *more), "--continue: ", said)
