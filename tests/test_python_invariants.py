"""`--invariant module:function`: it is shown what it says it reads, and what it says of itself is checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import assert_one_clear_line, in_process, options, small

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.reference import ReferenceSearch
from pmmc_check.checker.result import Control
from pmmc_check.checker.symmetry import generators
from pmmc_check.errors import ProtocolError, UsageError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.spec.functions import USUAL, StateSeen, function_invariant

TWO = {"leaders": 2, "replicas": 2, "commands": 2}


def agreement(seen: StateSeen) -> str | None:
    """No slot has two decisions."""
    slots = [slot for slot, _ in seen.decided]
    return None if len(slots) == len(set(slots)) else f"slot {max(slots, key=slots.count)} has two decisions"


def stating(function: Callable[[StateSeen], Any], **statements: Any) -> Callable[[StateSeen], Any]:
    def copy(seen: StateSeen) -> Any:
        return function(seen)

    copy.__dict__.update(statements)
    return copy


def searched(model: Model, invariant: Any, reduce: str) -> tuple[str, int, int | None]:
    if reduce == "reference":
        result = ReferenceSearch(model, [invariant], Control()).run()
    else:
        reductions, _ = applicable(reductions_named(reduce), model, [invariant])
        result = CompiledSearch(model, [invariant], Control(), reductions, 1).run()
    return result.verdict, result.distinct_states, len(result.violation.trace) if result.violation else None


def invariant_from(function: Any, model: Model) -> Any:
    return function_invariant("mine:f", function, model, generators(model.system))


@pytest.mark.parametrize("variant", [[], ["ignore-pmax"]], ids=str)
def test_an_invariant_equal_to_agreement_finds_and_counts_the_same(variant: list[str]) -> None:
    model = Model(small(**(TWO if variant else {"leaders": 2, "commands": 2})), protocol_with(variant))
    mine = invariant_from(stating(agreement, reads=("decided",), symmetric=True), model)
    (built_in,) = invariants_named(["Agreement"])
    for reduce in ("all", "none"):
        assert searched(model, mine, reduce) == searched(model, built_in, reduce)
    everything = invariant_from(agreement, model)
    assert searched(model, everything, "all")[::2] == searched(model, built_in, "none")[::2]


def test_what_reads_nothing_special_reads_everything_and_switches_off_what_it_must() -> None:
    model = Model(small(**TWO))
    mine = invariant_from(agreement, model)
    assert {f"{role}.{name}" for role, name in mine.variables} | {"decided", "p2a", "accepted"} == set(USUAL)
    reductions, notes = applicable(reductions_named("inert,deferral,halting,symmetry"), model, [mine])
    assert reductions.names == ("inert", "deferral")
    assert notes == [
        "symmetry is off: mine:f does not state `symmetric = True`",
        "halting is off: mine:f reads what a process loses when it stops",
    ]
    modest = invariant_from(stating(agreement, reads=["decided", "replica.slot_out"], symmetric=True), model)
    assert applicable(reductions_named("inert,deferral,halting,symmetry"), model, [modest])[1] == []


@pytest.mark.parametrize("reduce", ["all", "none", "reference"])
def test_it_sees_states_under_the_papers_names(reduce: str) -> None:
    seen_values: set[Any] = set()

    def two_active(seen: StateSeen) -> bool:
        seen_values.update((each.ballot, each.active) for each in seen.leaders.values())
        return not all(each.active for each in seen.leaders.values())

    two_active.reads = ("leader.active", "leader.ballot")  # type: ignore[attr-defined]
    model = Model(small(**TWO))
    verdict, _, steps = searched(model, invariant_from(two_active, model), reduce)
    assert (verdict, steps) == ("violated", 6)
    assert len(seen_values) > 2


def test_it_sees_messages_and_threads_where_it_says_that_it_reads_them() -> None:
    def promises_without_a_scout(seen: StateSeen) -> bool:
        """A promise is made while its scout runs, and outlives it."""
        return all(each.to in seen.scouts and each.acceptor not in seen.scouts[each.to].waitfor for each in seen.p1b)

    promises_without_a_scout.reads = ("p1b", "scout.waitfor")  # type: ignore[attr-defined]
    model = Model(small(leaders=2, acceptors=2))
    found = [searched(model, invariant_from(promises_without_a_scout, model), reduce)[::2] for reduce in ("all", "none", "reference")]
    assert found == [("violated", 1)] * 3
    silent = stating(lambda seen: not seen.p2b, reads=("p1b",))
    with pytest.raises(ProtocolError, match="p2b is not shown to it: add 'p2b' to its `reads`"):
        searched(model, invariant_from(silent, model), "all")


def test_false_and_impure_statements_are_found_out() -> None:
    model = Model(small(**TWO))
    counter = iter(range(1000))
    for function, said in (
        (stating(lambda seen: seen.leaders, reads=("leader.active",)), "expected None or True where it holds"),
        (stating(lambda seen: next(counter) % 2 == 0, reads=("decided",)), "is not deterministic: it answered True, and then False"),
        (
            stating(lambda seen: all(str(c) != "c1" for _, c in seen.decided) or "c1!", reads=("decided",), symmetric=True),
            "its answer changes when c1 and c2 change places",
        ),
        (stating(agreement, reads=("p2a",)), "decided is not shown to it: add 'decided' to its `reads`"),
        (
            stating(lambda seen: seen.leaders[next(iter(seen.leaders))].ballt, reads=("leader.ballot",)),
            "there is no leader.ballt (did you mean leader.ballot?)",
        ),
        (stating(lambda seen: 1 // 0, reads=("decided",)), "invariant mine:f raised ZeroDivisionError"),
    ):
        with pytest.raises(ProtocolError) as wrong:
            searched(model, invariant_from(function, model), "all")
        assert said in str(wrong.value)


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ({"reads": "decided"}, "expected several names"),
        ({"reads": ["leader.balot"]}, "which nothing is called (did you mean leader.ballot?)"),
        ({"reads": [3]}, "has 3, which nothing is called"),
    ],
)
def test_reads_that_make_no_sense_are_refused(statements: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as wrong:
        invariant_from(stating(agreement, **statements), Model(small()))
    assert said in str(wrong.value)


SOURCE = '''
def one_leader(seen):
    """At most one leader is active."""
    active = [str(name) for name, each in seen.leaders.items() if each.active]
    return None if len(active) < 2 else f"{' and '.join(active)} are active"
one_leader.reads = ("leader.active",)
one_leader.symmetric = True
no_function = 3
'''


def test_it_is_asked_for_on_the_command_line_and_in_a_spec(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_checks.py").write_text(SOURCE)
    spec = tmp_path / "own.spec"
    spec.write_text("ACCEPTORS 1 LEADERS 2 REPLICAS 1 SLOTS 1\nINVARIANT Agreement, own_checks:one_leader\nEXPECT violated\n")
    where = options(acceptors=1, leaders=2, replicas=1, slots=1)
    for arguments in ([str(spec)], [*where, "--invariant", "own_checks:one_leader", "--engine", "symbolic"]):
        done = in_process(capsys, "explore", "--quiet", *arguments)
        assert done.returncode == 1, done.stderr
        assert "VIOLATED: own_checks:one_leader: L1 and L2 are active" in done.stdout
    both = json.loads(in_process(capsys, "explore", "--quiet", "--format", "json", str(spec)).stdout)
    assert [each["name"] for each in both["properties"]] == ["Agreement", "own_checks:one_leader"]
    other = in_process(capsys, "explore", "--quiet", str(spec), "--invariant", "C1")
    assert (other.returncode, "own_checks" in other.stdout) == (0, False)
    for wrong, said in (
        ("own_checks:no_function", "3 is no function; expected one that takes what is seen of a state"),
        ("own_checks:missing", "module own_checks has no missing"),
        ("no_such_checks:f", "there is no module no_such_checks"),
    ):
        assert_one_clear_line(in_process(capsys, "explore", *where, "--quiet", "--invariant", wrong), said)
    spec.write_text("WITNESS own_checks:one_leader\n")
    refused = in_process(capsys, "explore", str(spec))
    assert (refused.returncode, "a Python function states an INVARIANT; write an expression here" in refused.stderr) == (2, True)
