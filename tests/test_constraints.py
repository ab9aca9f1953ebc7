"""State constraints: states that violate one are counted and checked, but not expanded; with every reduction and engine the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import REDUCTIONS, assert_one_clear_line, in_process, options, small

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.reference import ReferenceSearch
from pmmc_check.checker.result import Control, Result
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.spec.document import expression_as

TWO = {"leaders": 2, "replicas": 2, "commands": 2}
NONE_DECIDED = "decided = {}"
ONE_ACCEPTED = r"\A a \in Acceptors : Cardinality(acceptor[a].accepted) <= 1"
FIRST_LEADER = r"\A a \in Acceptors : acceptor[a].ballot = BOTTOM \/ acceptor[a].ballot.leader = L1"
NEVER_BOTH = r"~\A l \in Leaders : leader[l].active"
NOT_THE_FIRST = "~Decided(1, c1)"
NO_RETIREMENT = r"\A l \in Leaders : leader[l].ballot # BOTTOM"
CONSTRAINTS = [NONE_DECIDED, ONE_ACCEPTED, FIRST_LEADER, NEVER_BOTH, NOT_THE_FIRST, NO_RETIREMENT]
CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({"leaders": 2}, []),
    ({"leaders": 2, "network": "fifo"}, []),
    ({"leaders": 2, "network": "reliable"}, ["promise-not-kept"]),
    ({"leaders": 1, "slots": 2, "network": "lossy"}, ["skip-hole"]),
]


def constraint(text: str, config: Config) -> Any:
    return expression_as("--constraint", text, "Bound", config.system(), protocol_with([]))


def searched(model: Model, text: str, reduce: str, invariants: Any = ()) -> Result:
    bound, asked = constraint(text, model.config), invariants or invariants_named([])
    if reduce == "reference":
        return ReferenceSearch(model, asked, Control(), [bound]).run()
    reductions, _ = applicable(reductions_named(reduce), model, [*asked, bound])
    return CompiledSearch(model, asked, Control(), reductions, 2, constraints=[bound]).run()


def told(result: Result) -> tuple[Any, ...]:
    return (
        result.verdict,
        result.distinct_states,
        result.outside_states,
        result.depth,
        len(result.violation.trace) if result.violation else 0,
    )


@pytest.mark.one_in(5)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("text", CONSTRAINTS)
def test_the_compiled_search_counts_what_the_reference_search_counts(text: str, case: tuple[dict[str, Any], list[str]]) -> None:
    counts, variants = case
    model = Model(small(**counts), protocol_with(variants))
    holds = searched(model, text, "reference", invariants_named(["Validity"]))
    assert told(searched(model, text, "none", invariants_named(["Validity"]))) == told(holds)
    assert holds.verdict == "holds"
    assert holds.outside_states > 0 or (counts, variants) != CASES[0]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("text", CONSTRAINTS)
def test_no_reduction_changes_what_is_found_within_a_constraint(text: str, case: tuple[dict[str, Any], list[str]]) -> None:
    counts, variants = case
    model = Model(small(**counts), protocol_with(variants))
    shortest = searched(model, text, "reference")
    for reduce in ("all", *REDUCTIONS):
        found = searched(model, text, reduce)
        assert (found.verdict, told(found)[4]) == (shortest.verdict, told(shortest)[4]), reduce


@pytest.mark.parametrize("reduce", ["all", "none"])
@pytest.mark.parametrize("text", CONSTRAINTS)
def test_what_lies_behind_the_boundary_is_not_found(text: str, reduce: str) -> None:
    """Of a fault that breaks four invariants, those break whose runs stay within the constraint up to their last step."""
    model = Model(small(**TWO), protocol_with(["ignore-pmax"]))
    everything = {"Agreement": 14, "A5": 12, "C2": 11, "R3": 16}
    within = {name: told(searched(model, text, reduce, invariants_named([name])))[4] for name in everything}
    expected: dict[str, dict[str, int]] = {
        NONE_DECIDED: {"A5": 12, "C2": 11},
        ONE_ACCEPTED: {"A5": 12, "C2": 11},
        FIRST_LEADER: {},
        NEVER_BOTH: {"A5": 15, "C2": 11},  # C2 breaks outside, by a step from within; A5 in a longer run, after a leader has retired
        NOT_THE_FIRST: {"Agreement": 14, "A5": 12, "C2": 11},  # R3 takes a step after both decisions
        NO_RETIREMENT: everything,
    }
    assert {name: steps for name, steps in within.items() if steps} == expected[text]


def test_a_constraint_switches_reductions_off_as_an_invariant_does() -> None:
    config = small(**TWO)
    for text, note in (
        (NONE_DECIDED, []),
        (NOT_THE_FIRST, ["symmetry is off: Bound names c1"]),
        (NEVER_BOTH, ["halting is off: Bound reads what a process loses when it stops"]),
    ):
        notes = applicable(reductions_named("all"), Model(config), [constraint(text, config)])[1]
        assert notes == [*note, "commuting is off: what Bound reads need not accumulate"]


def test_a_spec_bounds_its_search_and_an_option_overrides_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = tmp_path / "bounded.spec"
    spec.write_text("ACCEPTORS 1 LEADERS 1 REPLICAS 1 SLOTS 1\nREDUCE none\nQuiet == decided = {}\nCONSTRAINT Quiet\nEXPECT holds\n")
    shown = in_process(capsys, "explore", str(spec), "--quiet")
    assert shown.returncode == 0
    assert "HOLDS: every state that can be reached within the constraint satisfies" in shown.stdout
    assert "bounded by constraint Quiet: decided = {}; no step is taken from a state in which it is false" in " ".join(shown.stdout.split())
    assert "outside the constraint, checked but not expanded" in " ".join(shown.stdout.split())
    mine = json.loads(in_process(capsys, "explore", str(spec), "--quiet", "--format", "json").stdout)
    assert mine["constraints"] == [{"name": "Quiet", "statement": "decided = {}"}]
    other = in_process(capsys, "explore", str(spec), "--quiet", "--format", "json", "--constraint", "TRUE")
    assert (mine["outside_states"], json.loads(other.stdout)["outside_states"]) == (4, 0)
    assert json.loads(other.stdout)["distinct_states"] > mine["distinct_states"]


def test_a_witness_beyond_the_boundary_is_not_reached(capsys: pytest.CaptureFixture[str]) -> None:
    where = options(acceptors=1, leaders=1, replicas=1, slots=1, constraint="decided = {}")
    edge = in_process(capsys, "explore", "--quiet", *where, "--find", "decided # {}")
    beyond = in_process(capsys, "explore", "--quiet", *where, "--find", r"\E r \in Replicas : replica[r].slot_out = 2")
    assert (edge.returncode, beyond.returncode) == (0, 1)
    assert "network, within decided = {})" in beyond.stdout


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--engine", "symbolic"], "--engine symbolic: it takes no state constraint"),
        (["--strategy", "random", "--time-limit", "1"], "--strategy random: it takes no state constraint"),
        (["--strategy", "iterative"], "--strategy iterative: it takes no state constraint"),
        (["--export-tla", "x"], "--export-tla: it takes no state constraint"),
        (["--slots", "any"], "--constraint decided = {}: bounds the search of one configuration"),
        (["--network", "reliable", "--invariant", "Progress"], "the constraint decided = {} cuts runs off"),
    ],
)
def test_where_a_constraint_cannot_bound_the_search_that_is_said(more: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_clear_line(in_process(capsys, "explore", "--quiet", "--constraint", "decided = {}", *more), said)


def test_a_constraint_that_excludes_the_beginning_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", "--quiet", "--constraint", "decided # {}")
    assert_one_clear_line(done, "constraint decided # {}: the initial state does not satisfy it")
