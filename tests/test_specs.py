"""Spec files: what is written is what is checked, and what is wrong is said before any search."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, in_process, small

import pmmc_check
from pmmc_check.checker.commuting_search import CommutingSearch
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.reference import ReferenceSearch
from pmmc_check.checker.result import Control
from pmmc_check.checker.symbolic.search import SymbolicSearch
from pmmc_check.cli.parser import parsed
from pmmc_check.cli.specs import spec_of
from pmmc_check.config import Config
from pmmc_check.errors import PmmcError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import StateInvariant, invariants_named
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.spec.document import COUNTED, SETTINGS, expression_as, spec_from, written_in
from pmmc_check.spec.parse import SourceText
from pmmc_check.spec.place import SpecError

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
        engine = CommutingSearch if reduce == "all" else CompiledSearch
        result = engine(model, invariants, Control(), reductions, 1).run()
    return result.verdict, result.distinct_states, len(result.violation.trace) if result.violation else None


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


@pytest.mark.parametrize("reduce", ["all", "none", "reference"])
@pytest.mark.parametrize(
    ("variant", "counts"),
    [
        ([], {}),
        ([], {"commands": 2}),
        (["perform-twice"], {}),
        (["skip-hole"], {"commands": 2}),
        pytest.param([], {"commands": 2, "replicas": 2}, marks=pytest.mark.slow),
        pytest.param(["perform-twice"], {"commands": 2, "replicas": 2}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_r3_is_checked_on_local_states_as_the_built_in_one(variant: list[str], counts: dict[str, int], reduce: str) -> None:
    config = small(slots=2, **counts)
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
    r"\E a \in Acceptors : acceptor[a].ballot.round > 5",
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


@pytest.mark.parametrize("text", [*WITNESSES, r"\A l \in Leaders, r \in Replicas : leader[l].active /\ replica[r].slot_out = 2"])
def test_the_symbolic_engine_reaches_the_same_witnesses(text: str) -> None:
    config = small(**TWO)
    model = Model(config)
    looking = [written(text, config, option="--find")]
    found = SymbolicSearch(model, looking, Control(), reductions_named("none")).run()
    expected = searched(model, looking, "none")
    assert (found.verdict, len(found.violation.trace) if found.violation else None) == expected[::2]
    assert found.violation or found.distinct_states == expected[1]


@pytest.mark.parametrize("text", [AGREEMENT, AGREEMENT_OF_SETS, C2, r"\A s \in Slots : ~(Decided(s, c1) /\ Decided(s, c2))"])
@pytest.mark.parametrize("variant", [[], ["ignore-pmax"]], ids=str)
def test_the_symbolic_engine_judges_what_is_written(text: str, variant: list[str]) -> None:
    config = small(**TWO)
    model = Model(config, protocol_with(variant))
    mine = [written(text, config, model.protocol)]
    reductions, _ = applicable(reductions_named("all"), model, mine)
    found = SymbolicSearch(model, mine, Control(), reductions).run()
    assert (found.verdict, len(found.violation.trace) if found.violation else None) == searched(model, mine, "all")[::2]


@pytest.mark.parametrize(
    "more",
    [
        ["--max-states", "20"],
        ["--max-depth", "4"],
        ["--strategy", "random", "--time-limit", "0.2"],
        ["--engine", "reference", "--max-states", "9"],
    ],
)
def test_that_there_is_no_witness_is_said_only_when_all_states_were_seen(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    asked = [
        "explore",
        "--quiet",
        "--acceptors",
        "1",
        "--replicas",
        "1",
        "--slots",
        "1",
        "--format",
        "json",
        "--find",
        "leader[L1].ballot.round > 5",
    ]
    stopped, ended = in_process(capsys, *asked, *more), in_process(capsys, *asked)
    assert (stopped.returncode, json.loads(stopped.stdout)["witnesses"][0]["reached"]) == (3, None)
    assert (ended.returncode, json.loads(ended.stdout)["witnesses"][0]["reached"]) == (1, False)


def test_a_reduction_that_an_expression_does_not_permit_is_off_with_a_note() -> None:
    config = small(**TWO)
    model = Model(config)

    def notes(text: str) -> list[str]:
        given = applicable(reductions_named("all"), model, [written(text, config)])[1]
        return [each for each in given if not each.startswith("commuting")]

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


def test_an_option_may_name_what_the_spec_states(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = tmp_path / "one.spec"
    spec.write_text(
        "ACCEPTORS 1 SLOTS 1 LEADERS 1 REPLICAS 1\nWITNESS Chosen == decided # {}\nINVARIANT Few == Cardinality(decided) <= 1\n"
    )
    for option, name, code in (("--find", "Chosen", 0), ("--find", "~Few", 1), ("--invariant", "Few", 0)):
        done = in_process(capsys, "explore", str(spec), "--quiet", option, name)
        assert (done.returncode, done.stderr) == (code, ""), (option, name)


def test_a_spec_that_says_nothing_is_no_spec(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = tmp_path / "empty.spec"
    for text in ("", "\n\n", "\\* only a comment\n"):
        spec.write_text(text)
        done = in_process(capsys, "explore", str(spec))
        assert (done.returncode, done.stdout) == (2, "")
        assert "empty.spec:1:1: the spec says nothing; expected a setting such as SLOTS 2" in done.stderr


OVERRIDDEN: dict[str, tuple[str, str, Any, Any]] = {
    **{name: ("1", "2", 1, 2) for name in COUNTED if name != "states"},
    "slots": ("any", "3", "any", 3),
    "network": ("fifo", "lossy", "fifo", "lossy"),
    "time_limit": ("1.5", "2", 1.5, 2.0),
    "reduce": ("none", "inert", "none", "inert"),
    "faulty": ("acceptor", "leader,replica", ("acceptor",), ("leader", "replica")),
    "variant": ("ignore-pmax, fill-holes", "skip-hole", ["ignore-pmax", "fill-holes"], ["skip-hole"]),
    "protocol": ("my_roles:Mine", "other:Mine", ["my_roles:Mine"], ["other:Mine"]),
}
"""Of each setting: a value for the spec, one for the option, and what they become."""


def test_every_setting_has_an_option() -> None:
    assert set(OVERRIDDEN) == set(SETTINGS) - {"states", "expect", "symmetry"}


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_each_option_overrides_its_setting(name: str, tmp_path: Path) -> None:
    in_spec, in_option, mine, other = OVERRIDDEN[name]
    spec = tmp_path / "one.spec"
    spec.write_text(f"{name.upper()} {in_spec}\n")
    for more, expected in (([], mine), ([f"--{name.replace('_', '-')}", in_option], other)):
        arguments = parsed(["explore", str(spec), *more], "explore")
        spec_of(arguments)
        assert getattr(arguments, name) == expected


def test_limits_and_symmetry_of_a_spec_count(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = tmp_path / "one.spec"
    small_one = "ACCEPTORS 2 LEADERS 1 REPLICAS 1 SLOTS 1\n"
    for text, more, verdict, says in (
        ("MAX_STATES 1", [], "inconclusive", "1 state (--max-states)"),
        ("MAX_STATES 1", ["--max-states", "2"], "inconclusive", "2 states (--max-states)"),
        ("MAX_DEPTH 3", [], "inconclusive", "depth 3 (--max-depth)"),
        ("TIME_LIMIT 0.000001", [], "inconclusive", "1e-06 seconds (--time-limit)"),
        ("SYMMETRY off", [], "holds", None),
        ("REDUCE inert", [], "holds", None),
        ("REDUCE none", ["--engine", "reference"], "holds", None),
        ("SYMMETRY off", ["--reduce", "all"], "holds", None),
    ):
        spec.write_text(small_one + text)
        answer = json.loads(in_process(capsys, "explore", str(spec), "--quiet", "--format", "json", *more).stdout)
        assert answer["verdict"] == verdict, text
        assert says is None or answer["limit"].startswith(says)
        if verdict == "holds":
            expected = {"SYMMETRY off": ["inert", "deferral", "halting", "commuting"], "REDUCE inert": ["inert"], "REDUCE none": []}[text]
            assert answer["reductions"] == ([*expected, "symmetry"] if "all" in more else expected)


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
    ("INVARIANT P == \\A s \\in Slots (Decided(s, c1))", 1, 30, "expected `:` after Slots, where the set ends"),
    ("P == \\E c \\in Commands, s \\in Slots (Decided(s, c) /\\ TRUE) => TRUE", 1, 36, "expected `:` after Slots, where the set ends"),
    ("P(x) == x\nINVARIANT Q == P(1, 2)", 2, 16, "P takes 1 argument, found 2"),
    ("INVARIANT P == LET c1 == 1 IN TRUE", 1, 20, "c1 is defined already"),
    ("INVARIANT C2 == TRUE", 1, 11, "there is another property called C2"),
    ("WITNESS P == leader.active", 1, 14, "leader is a function: write leader[x]"),
    ("CONSTRAINT P == \\A l \\in Leaders : leader[l].ballot <= 1", 1, 56, "expected a ballot, as leader[l].ballot is, found a number"),
    ("CONSTRAINT Small", 1, 12, "Small is not defined above"),
    ("WITNESS P == \\E c \\in Commands : Decided(2, c)", 1, 42, "there is no slot 2 in this configuration, which has slot 1 only"),
    ("WITNESS P == acceptor[A3].ballot = BOTTOM", 1, 23, "there is no A3 in this configuration, which has 2 acceptors"),
    ("WITNESS my_checks:f", 1, 9, "my_checks:f: a Python function states an INVARIANT; write an expression here"),
    ("REDUCE all\nSYMMETRY off", 2, 1, "leave one of them out"),
    (
        "INVARIANT P == \\A m \\in p1b : m.balot = m.ballot",
        1,
        33,
        "ballot, to has no field balot (did you mean ballot?)",
    ),
    ("INVARIANT P == p1c = {}", 1, 16, "unknown name p1c (did you mean p1b?)"),
    ("WITNESS P == scout[L1].running", 1, 20, "expected a ballot, found a leader"),
    ("WITNESS P == \\E b \\in Ballots : scout[b].wait = {}", 1, 42, "a scout has no variable wait (did you mean waitfor?)"),
    ("WITNESS P == \\E b \\in Ballots : commander[b].running", 1, 33, "commander takes its ballot and slot: write commander[b, s]"),
    ("WITNESS P == \\E b \\in Ballots : commander[b, 2].running", 1, 46, "there is no slot 2 in this configuration, which has slot 1 only"),
    ("WITNESS P == \\A m \\in propose : m \\in p2a", 1, 39, "found a set of records with ballot, slot, command"),
    ("request == TRUE\nINVARIANT P == request", 1, 1, "request is defined already"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), WRONG, ids=[each[0][:24] for each in WRONG])
def test_what_is_wrong_is_said_with_its_place(text: str, line: int, column: int, message: str) -> None:
    system = small(acceptors=2, leaders=2, commands=2).system()
    with pytest.raises(SpecError) as wrong:
        written_in(spec_from(SourceText("a.spec", text)), system, PMMC)
    assert message in wrong.value.problem
    assert wrong.value.place[1:3] == (line, column)
    assert str(wrong.value).startswith(f"a.spec:{line}:{column}: ")


def test_the_messages_about_wrong_specs_are_as_they_were() -> None:
    """Word for word, in tests/wrong-specs.txt; PMMC_UPDATE_SNAPSHOTS=1 rewrites it."""
    system, shown = small(acceptors=2, leaders=2, commands=2).system(), []
    for text, *_ in WRONG:
        with pytest.raises(SpecError) as wrong:
            written_in(spec_from(SourceText("a.spec", text)), system, PMMC)
        shown.append(f"{wrong.value}\n")
    file = ROOT / "tests" / "wrong-specs.txt"
    if os.environ.get("PMMC_UPDATE_SNAPSHOTS") == "1":
        file.write_text("\n".join(shown), encoding="utf-8")
    assert "\n".join(shown) == file.read_text(encoding="utf-8")


WHY = [
    ("/\\ TRUE\n/\\ decided = {}", "decided = {} is false for decided = {(1, c1)}"),
    (r"\A s \in Slots : \A c \in Commands : ~Decided(s, c)", "~Decided(s, c) is false for s = 1, c = c1"),
    (r"\A s \in Slots : TRUE /\ ~\E c \in Commands : Decided(s, c)", r"~\E c \in Commands : Decided(s, c) is false for s = 1"),
    (r"LET n == Cardinality(decided) IN TRUE /\ n = 0", "n = 0 is false for n = 1"),
    (r"\A r \in Replicas : replica[r].slot_out = 1 => (\A c \in Commands : ~Decided(1, c))", "~Decided(1, c) is false for c = c1"),
    (r"\A d \in decided : IF d.slot = 1 THEN d.command # c1 ELSE TRUE", "d.command # c1 is false for d = (1, c1)"),
]


@pytest.mark.parametrize(("text", "why"), WHY)
def test_what_is_violated_says_which_conjunct_fails_for_which_values(text: str, why: str) -> None:
    config = small()
    model = Model(config)
    result = CompiledSearch(model, [written(text, config)], Control(), reductions_named("inert")).run()
    assert result.violation is not None
    assert result.violation.how == why


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("NETWORK relyable", "a.spec:2:1: NETWORK relyable: no such network (did you mean reliable?)"),
        ("VARIANT ignore-pma", "a.spec:2:1: VARIANT ignore-pma: no such variant (did you mean ignore-pmax?)"),
        ("REDUCE foo", "a.spec:2:1: REDUCE foo: no reduction is called 'foo'"),
        ("PROTOCOL nowhere:Role", "a.spec:2:1: PROTOCOL nowhere:Role: there is no module nowhere"),
        ("REPLICAS 3 SLOTS any", "a.spec:2:1: REPLICAS 3: --slots any covers every number of replicas; leave REPLICAS out"),
    ],
)
def test_a_value_that_the_spec_has_set_is_refused_at_its_place(
    setting: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.spec").write_text(f"ROUNDS 1\n{setting}\n")
    assert told in in_process(capsys, "explore", "a.spec").stderr
    with pytest.raises(PmmcError) as refused:
        pmmc_check.explore("a.spec")
    assert told in str(refused.value)
    assert "--network fos: no such network" in in_process(capsys, "explore", "a.spec", "--network", "fos", "--slots", "1").stderr


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (r"replica[R1].application[1] = c1", r"a.spec:1:18: Bad: replica[R1].application[1]: there is no item 1 in a sequence of 0; "
         r"guard it: 1 \in 1..Len(replica[R1].application) => ..."),
        (r"(CHOOSE d \in decided : TRUE).slot = 1", r"a.spec:1:19: Bad: CHOOSE d \in decided : TRUE: there is nothing to choose; "
         r"guard it: IF \E d \in decided : TRUE THEN ... ELSE ..."),
        (r"3 \in 1..100000000", r"a.spec:1:24: Bad: 1..100000000: 1..100000000 has more than 1,000,000 members; "
         r"take closer bounds, or ask for them: n >= 1 /\ n <= 100000000"),
    ],
)  # fmt: skip
def test_an_expression_without_a_value_is_told_with_its_place_and_a_guard(body: str, problem: str) -> None:
    model = Model(small(**TWO))
    spec = spec_from(SourceText("a.spec", f"INVARIANT Bad == {body}\n"))
    asked = written_in(spec, model.system, PMMC).invariants
    with pytest.raises(SpecError) as failed:
        ReferenceSearch(model, asked, Control()).run()
    assert str(failed.value).splitlines()[0] == problem


def test_a_list_ends_with_its_last_token_where_it_is_cited() -> None:
    spec = spec_from(
        SourceText("a.spec", "INVARIANT Mine ==\n  \\E s \\in Slots :\n    /\\ s = 1\n    /\\ decided = {}\n\\* this\nEXPECT violated\n")
    )
    model = Model(small())
    result = CompiledSearch(model, written_in(spec, model.system, PMMC).invariants, Control(), reductions_named("inert")).run()
    assert result.violation is not None
    assert result.violation.how == r"\E s \in Slots : /\ s = 1 /\ decided = {} is false for decided = {(1, c1)}"


def test_a_built_in_invariant_is_no_expression_and_an_option_takes_one(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("Agreement", "~Agreement"):
        assert "is a built-in invariant" in (said := in_process(capsys, "explore", "--find", text).stderr)
        assert "write --invariant Agreement" in said
    said = in_process(capsys, "explore", "--invariant", "Agreement,C2").stderr
    assert "repeat it: --invariant Agreement --invariant C2" in said
