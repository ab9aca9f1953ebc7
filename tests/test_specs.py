"""Spec files: what is written is what is checked, and what is wrong is said before any search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, in_process, small
from hypothesis import given, settings
from hypothesis import strategies as st

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.reference import ReferenceSearch
from pmmc_check.checker.result import Control
from pmmc_check.config import Config
from pmmc_check.errors import PmmcError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import StateInvariant, invariants_named
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.spec.document import expression_as, spec_from, written_in
from pmmc_check.spec.evaluate import World, compiled_term, frame_size
from pmmc_check.spec.parse import SourceText, parsed_text
from pmmc_check.spec.place import SpecError
from pmmc_check.spec.resolve import Resolver

SPECS = sorted((ROOT / "specs").glob("*.spec"))
AGREEMENT = r"\A s \in Slots : \A c, d \in Commands : Decided(s, c) /\ Decided(s, d) => c = d"
AGREEMENT_OF_SETS = r"\A d, e \in decided : d.slot = e.slot => d.command = e.command"
AGREEMENT_BY_SLOT_ONE = r"Cardinality({d.command : d \in {e \in decided : e.slot = 1}}) <= 1"
C2 = r"""\A s \in Slots, b, higher \in Ballots, c, d \in Commands :
  b < higher /\ c # d /\ SentP2a(higher, s, d) => ~IsQuorum2({a \in Acceptors : Accepted(a, b, s, c)})"""
R3 = next(path for path in SPECS if path.stem == "replica-log").read_text(encoding="utf-8")
COMPARED = [
    ([], "all"),
    ([], "none"),
    (["ignore-pmax"], "all"),
    (["ignore-pmax"], "none"),
    pytest.param([], "reference", marks=pytest.mark.slow),
    pytest.param(["ignore-pmax"], "reference", marks=pytest.mark.slow),
]
TWO = {"leaders": 2, "replicas": 2, "commands": 2}


def written(text: str, config: Config, protocol: Any = PMMC, option: str = "--invariant") -> Any:
    return expression_as(option, text, "Mine", config.system(), protocol)


def searched(model: Model, invariants: Any, reduce: str) -> tuple[str, int, int | None]:
    if reduce == "reference":
        result = ReferenceSearch(model, invariants, Control()).run()
    else:
        reductions, _ = applicable(reductions_named(reduce), model, invariants)
        result = CompiledSearch(model, invariants, Control(), reductions, 1).run()
    return result.verdict, result.distinct_states, len(result.violation.trace) if result.violation else None


def value(text: str, config: Config | None = None) -> Any:
    """What a closed expression is."""
    config = config or small(acceptors=3, leaders=2, slots=2, commands=2)
    source = SourceText("test", text)
    term = Resolver(config.system(), source).term(
        parsed_text(source, "only_expression").children[0], Resolver(config.system(), source).scope
    )
    return compiled_term(term, config.system())(World(accepted={}, variables={}), [None] * frame_size(term))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_shipped_spec_comes_out_as_it_expects(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", str(path), "--format", "json", "--quiet")
    answer = json.loads(done.stdout)
    assert answer["as_expected"] is True, (answer["verdict"], answer["expected"])
    assert answer["spec"] == str(path)
    assert done.returncode == {"holds": 0, "violated": 1}[answer["verdict"]]


@pytest.mark.parametrize(("variant", "reduce"), COMPARED, ids=str)
@pytest.mark.parametrize(
    ("text", "built_in"), [(AGREEMENT, "Agreement"), (AGREEMENT_OF_SETS, "Agreement"), (AGREEMENT_BY_SLOT_ONE, "Agreement"), (C2, "C2")]
)
def test_what_is_written_counts_and_finds_the_same_as_what_is_built_in(text: str, built_in: str, variant: list[str], reduce: str) -> None:
    config = small(**(TWO if variant else {**TWO, "replicas": 1}))
    model = Model(config, protocol_with(variant))
    mine = searched(model, [written(text, config, model.protocol)], reduce)
    assert mine == searched(model, invariants_named([built_in]), reduce)
    assert mine[0] == ("violated" if variant else "holds")


@pytest.mark.parametrize("reduce", ["all", "none"])
@pytest.mark.parametrize("variant", [[], ["perform-twice"]], ids=str)
def test_r3_is_checked_on_local_states_as_the_built_in_one(variant: list[str], reduce: str) -> None:
    config = small(slots=2)
    model = Model(config, protocol_with(variant))
    (own,) = written_in(spec_from(SourceText("r3", R3)), config.system(), model.protocol).invariants
    assert isinstance(own, StateInvariant)
    mine = searched(model, [own], reduce)
    assert mine == searched(model, invariants_named(["R3"]), reduce)
    assert mine[0] == ("violated" if variant else "holds")


WITNESSES = [
    r"\A l \in Leaders : leader[l].active",
    r"\E r \in Replicas : Len(replica[r].application) = 1",
    r"acceptor[A1].ballot.leader = L2",
    r"\E l \in Leaders : leader[l].ballot = BOTTOM",
    "Decided(1, c1)",
    r"\E a \in Acceptors : acceptor[a].ballot.round = 5",
]


@pytest.mark.parametrize("network", ["duplicating", "reliable", "fifo"])
@pytest.mark.parametrize("text", WITNESSES)
def test_witnesses_are_as_short_as_those_of_the_reference_search(text: str, network: str) -> None:
    config = small(leaders=2, network=network)
    model = Model(config)
    looking = [written(text, config, option="--find")]
    shortest = searched(model, looking, "reference")
    for reduce in ("all", "none"):
        found = searched(model, looking, reduce)
        assert (found[0], found[2]) == (shortest[0], shortest[2])


def test_a_reduction_that_an_expression_does_not_permit_is_off_with_a_note() -> None:
    config = small(**TWO)
    model = Model(config)

    def notes(text: str) -> list[str]:
        return applicable(reductions_named("all"), model, [written(text, config)])[1]

    assert notes(AGREEMENT) == notes(C2) == []
    assert notes("~Decided(1, c1)") == ["symmetry is off: Mine names c1"]
    assert notes(r"(CHOOSE c \in Commands : TRUE) \in Commands") == ["symmetry is off: Mine uses CHOOSE"]
    assert notes("~leader[L1].active") == ["halting is off: Mine reads what a process loses when it stops"]


def test_a_violation_says_which_part_fails_for_which_values(capsys: pytest.CaptureFixture[str]) -> None:
    text = "/\\ TRUE\n/\\ \\A l \\in Leaders : leader[l].active => l = L1"
    done = in_process(capsys, "explore", "--acceptors", "1", "--slots", "1", "--quiet", "--invariant", text)
    assert done.returncode == 1
    assert "leader[l].active => l = L1 is false for l = L2" in done.stdout


def test_what_is_false_at_the_beginning_is_found_by_both_engines() -> None:
    config = small()
    model = Model(config)
    for text in (r"\E c \in Commands : Decided(1, c)", r"\A s \in Slots : \E c \in Commands : Decided(s, c)", "decided # {}"):
        found = [searched(model, [written(text, config)], reduce)[::2] for reduce in ("all", "none", "reference")]
        assert found == [("violated", 0)] * 3


def test_options_override_a_spec(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = tmp_path / "one.spec"
    spec.write_text("ACCEPTORS 1 SLOTS 1 LEADERS 1\nNETWORK reliable\nEXPECT violated\n")
    done = in_process(capsys, "explore", str(spec), "--format", "json", "--quiet", "--network", "duplicating", "--replicas", "1")
    answer = json.loads(done.stdout)
    assert (answer["config"]["network"], answer["config"]["acceptors"], answer["config"]["replicas"]) == ("duplicating", 1, 1)
    assert (answer["verdict"], answer["as_expected"], done.returncode) == ("holds", False, 0)
    assert answer["expected"] == {"verdict": "violated", "states": None}


WRONG = [
    ("ACCEPTOR 3", 1, 1, "there is no setting ACCEPTOR (did you mean ACCEPTORS?)"),
    ("ACCEPTORS 0", 1, 11, "ACCEPTORS takes a whole number from 1, found 0"),
    ("EXPECT hold", 1, 8, "found hold (did you mean holds?)"),
    ("SLOTS 1\nSLOTS 2", 2, 1, "SLOTS is set twice"),
    ("INVARIANT Agrement", 1, 11, "neither built in nor defined above (did you mean Agreement?)"),
    ("INVARIANT P == \\A s \\in Slot : TRUE", 1, 25, "unknown name Slot (did you mean Slots?)"),
    ("INVARIANT P == Decided(1)", 1, 16, "Decided takes 2 arguments, found 1"),
    ("INVARIANT P == Decided(c1, 1)", 1, 24, "expected a number, found a command"),
    ("INVARIANT P == acceptor[L1].ballot = BOTTOM", 1, 25, "expected an acceptor, found a leader"),
    ("INVARIANT P == acceptor[A1].balot = BOTTOM", 1, 29, "an acceptor has no variable balot (did you mean ballot?)"),
    ("INVARIANT P == 1 + 1", 1, 16, "expected a boolean, found a number"),
    ("INVARIANT P == A1 < A2", 1, 19, "< compares numbers or ballots"),
    ("INVARIANT P == TRUE /\\ TRUE \\/ FALSE", 1, 29, "put brackets where"),
    ("INVARIANT P == (TRUE", 1, 21, "expected `)`, found the end of the text"),
    ("INVARIANT P ==\n  /\\ TRUE\n  /\\ \\A s \\in Slots Decided(s, c1)", 3, 21, "expected `:`"),
    ("P(x) == x\nINVARIANT Q == P(1, 2)", 2, 16, "P takes 1 argument, found 2"),
    ("INVARIANT P == LET c1 == 1 IN TRUE", 1, 20, "c1 is defined already"),
    ("INVARIANT C2 == TRUE", 1, 11, "there is another property called C2"),
    ("WITNESS P == leader.active", 1, 14, "leader is a function: write leader[x]"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), WRONG, ids=[each[0][:24] for each in WRONG])
def test_what_is_wrong_is_said_with_its_place(text: str, line: int, column: int, message: str) -> None:
    system = small(acceptors=2, leaders=2, commands=2).system()
    with pytest.raises(SpecError) as wrong:
        written_in(spec_from(SourceText("a.spec", text)), system, PMMC)
    assert message in wrong.value.problem
    assert wrong.value.place[1:3] == (line, column)
    assert str(wrong.value).startswith(f"a.spec:{line}:{column}: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"{x * x : x \in 1..3} = {9, 4, 1}", True),
        (r"{x \in 1..5 : x > 3} \cup {1} = {1, 4, 5}", True),
        (r"UNION {{1}, {2, 3}} \ {2} = {1, 3}", True),
        ("IF 1 > 2 THEN 3 ELSE 4", 4),
        ("LET twice(n) == n + n  five == 5 IN twice(twice(five)) + five", 25),
        (r"LET f(x) == Cardinality({y \in 1..3 : y <= x}) IN f(f(2) + 1) + f(1)", 4),
        (r"CHOOSE x \in 1..9 : x * x = 49", 7),
        ("[slot |-> 1, command |-> c1].command = c1", True),
        ("[b |-> 2, a |-> 1].a", 1),
        ("1 ≠ 2 ∧ ¬(1 ∈ {2}) ⇒ TRUE", True),
        ("\\/ FALSE\n\\/ /\\ TRUE\n   /\\ TRUE", True),
        ("(* a comment *) 1 \\* another", 1),
        ("IsQuorum1({A1, A2}) /\\ ~IsQuorum2({A3})", True),
    ],
)
def test_expressions_mean_what_they_mean_in_tla(text: str, expected: Any) -> None:
    assert value(text) == expected


NUMBERS = st.integers(0, 5)


def expressions(depth: int) -> st.SearchStrategy[tuple[str, str]]:
    """Boolean expressions, each with the same in Python; `x` and `y` range over 1..3."""
    number = st.one_of(NUMBERS.map(lambda n: (str(n), str(n))), st.sampled_from([("x", "x"), ("y", "y")]))
    atom = st.tuples(number, st.sampled_from([("=", "=="), ("#", "!="), ("<", "<"), (">=", ">=")]), number).map(
        lambda p: (f"{p[0][0]} {p[1][0]} {p[2][0]}", f"({p[0][1]} {p[1][1]} {p[2][1]})")
    )
    if depth == 0:
        return atom
    below = expressions(depth - 1)
    pairs = st.tuples(below, below)
    return st.one_of(
        atom,
        pairs.map(lambda p: (f"(({p[0][0]}) /\\ ({p[1][0]}))", f"({p[0][1]} and {p[1][1]})")),
        pairs.map(lambda p: (f"(({p[0][0]}) \\/ ({p[1][0]}))", f"({p[0][1]} or {p[1][1]})")),
        pairs.map(lambda p: (f"(({p[0][0]}) => ({p[1][0]}))", f"(not {p[0][1]} or {p[1][1]})")),
        below.map(lambda p: (f"~({p[0]})", f"(not {p[1]})")),
        below.map(lambda p: (f"(\\E z \\in 1..3 : z = x /\\ ({p[0]}))", f"any(z == x and {p[1]} for z in (1, 2, 3))")),
        below.map(lambda p: (f"(Cardinality({{z \\in 1..3 : {p[0]}}}) = 3)", f"(sum(bool({p[1]}) for z in (1, 2, 3)) == 3)")),
    )


@given(expressions(1), st.sampled_from(["A", "E"]))
@settings(max_examples=60, deadline=None)
def test_generated_expressions_agree_with_python(pair: tuple[str, str], quantifier: str) -> None:
    text, python = pair
    many = all if quantifier == "A" else any
    expected = many(eval(python, {"x": x, "y": y}) for x in (1, 2, 3) for y in (1, 2, 3))
    assert value(f"\\{quantifier} x, y \\in 1..3 : {text}") == expected


@given(
    st.lists(
        st.sampled_from(
            r"/\ \/ ~ => ( ) { } [ ] , : x y \A \E \in Slots 1 .. == LET IN IF THEN ELSE UNION decided leader . # INVARIANT".split()  # noqa: SIM905
        )
    )
)
@settings(max_examples=300, deadline=None)
def test_nonsense_is_refused_and_never_crashes(words: list[str]) -> None:
    for text in (" ".join(words), "\n".join(words), f"INVARIANT P == {' '.join(words)}"):
        try:
            written_in(spec_from(SourceText("a.spec", text)), small().system(), PMMC)
        except PmmcError as error:
            assert str(error)
