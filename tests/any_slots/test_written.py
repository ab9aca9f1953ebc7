"""Invariants of one's own with every number of slots: what is taken along is judged rightly, and all else is refused by name."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from helpers import assert_one_clear_line, in_process
from hypothesis import given, settings
from hypothesis import strategies as st

import pmmc_check
from pmmc_check.checker.any_slots.environment import in_environment
from pmmc_check.checker.any_slots.one_slot import Scope
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import Invariant, invariants_named
from pmmc_check.properties.observe import DECIDED, P2A_SENT, PVALUE_ACCEPTED, Observed
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.spec.document import expression_term
from pmmc_check.spec.invariants import constraint_of, invariant_of
from pmmc_check.spec.one_slot import NotOfOneSlot, in_one_slot
from pmmc_check.spec.terms import Term

AGREEMENT = r"\A s \in Slots : \A c, d \in Commands : Decided(s, c) /\ Decided(s, d) => c = d"
C1 = r"\A s \in Slots, b \in Ballots, c, d \in Commands : SentP2a(b, s, c) /\ SentP2a(b, s, d) => c = d"
C2 = r"""\A s \in Slots, b, higher \in Ballots, c, d \in Commands :
  b < higher /\ c # d /\ SentP2a(higher, s, d) => ~IsQuorum2({a \in Acceptors : Accepted(a, b, s, c)})"""
A5 = r"""\A s \in Slots, b, higher \in Ballots, c, d \in Commands : b < higher /\ c # d /\ (\E a \in Acceptors : Accepted(a, higher, s, d))
  => ~IsQuorum2({a \in Acceptors : Accepted(a, b, s, c)})"""
EQUAL = {"Agreement": AGREEMENT, "C1": C1, "C2": C2, "A5": A5}
FAULTY: list[tuple[str, dict[str, Any], int]] = [
    ("ignore-pmax", {"acceptors": 1}, 2),
    ("echo-ballot", {"acceptors": 1}, 2),
    ("accept-lower-ballot", {"acceptors": 1}, 2),
    ("scout-half", {"acceptors": 3}, 2),
    ("commander-half", {"acceptors": 3}, 2),
]


def one_slot(variants: tuple[str, ...], ballots: int, **bounds: Any) -> Model:
    return Scope(Config(**bounds), ballots).one_slot(protocol_with(variants))


def asked(text: str, model: Model, ballotwise: bool = True) -> Term:
    return in_one_slot(expression_term("--invariant", text, model.system), ballotwise)


def searched(model: Model, invariant: Invariant) -> tuple[str, int, int | None]:
    """With all reductions but `commuting`, which is not for the environment."""
    reductions, notes = applicable(reductions_named("inert,deferral,halting,symmetry"), model, [invariant])
    assert not notes
    result = CompiledSearch(model, [invariant], Control(), reductions, 1).run()
    return result.verdict, result.distinct_states, len(result.violation.trace) if result.violation else None


@pytest.mark.parametrize("name", EQUAL)
@pytest.mark.parametrize(("variant", "bounds", "ballots"), [("", {"acceptors": 3}, 3), *FAULTY], ids=str)
def test_what_is_written_is_judged_as_what_is_built_in(name: str, variant: str, bounds: dict[str, int], ballots: int) -> None:
    """In the one-slot system: verdict, states and the length of the run."""
    model = one_slot((variant,) if variant else (), ballots, **bounds)
    own = invariant_of("Mine", asked(EQUAL[name], model), model.system, model.protocol)
    (built_in,) = invariants_named([name])
    assert searched(model, own) == searched(model, built_in)
    assert variant or searched(model, own)[0] == "holds"


def test_each_of_the_faults_breaks_one_of_them() -> None:
    for variant, bounds, ballots in FAULTY:
        model = one_slot((variant,) if variant else (), ballots, **bounds)
        verdicts = [searched(model, invariant_of("Mine", asked(text, model), model.system, model.protocol))[0] for text in EQUAL.values()]
        assert "violated" in verdicts, variant


TAKEN = [
    *EQUAL.values(),
    r"\A c, d \in Commands : Decided(1, c) /\ Decided(1, d) => c = d",
    r"\A c \in Commands, s \in Slots : Decided(s, c) => \E b \in Ballots : SentP2a(b, s, c)",
    r"\A s \in Slots, c \in Commands : Decided(s, c) => Cardinality({b \in Ballots : SentP2a(b, s, c)}) >= 1",
    r"\A a \in Acceptors, b \in Ballots, s \in Slots, c \in Commands : Accepted(a, b, s, c) => b <= acceptor[a].ballot",
    r"\A a, e \in Acceptors : acceptor[a].ballot = acceptor[e].ballot \/ acceptor[a].ballot # BOTTOM \/ a # e",
    r"\A b \in Ballots : \A a \in Acceptors : acceptor[a].ballot = b => b # BOTTOM",
    r"/\ \A s \in Slots, c \in Commands : Decided(s, c) => TRUE"
    "\n"
    r"/\ \A t \in Slots, d \in Commands : ~Decided(t, d) \/ Decided(t, d)",
    r"\A a \in Acceptors, s \in Slots, b \in Ballots, c \in Commands : ~(Accepted(a, b, s, c) /\ ~SentP2a(b, s, c))",
    r"\A s \in Slots, c, d \in Commands : Decided(s, d) /\ c # d => ~Decided(s, c) \/ (\E b \in Ballots : SentP2a(b, s, c))",
]
REFUSED = [
    (r"\A s, t \in Slots, c \in Commands : Decided(s, c) /\ Decided(t, c) => s = t", "calculates with the number of a slot"),
    (r"\A s, t \in Slots, c, d \in Commands : Decided(s, c) /\ Decided(t, d) => c = d", "it relates slots s and t"),
    (r"\A s \in Slots, c \in Commands : Decided(s, c) => Decided(1, c)", "it relates slots 1 and s"),
    (r"\A s \in Slots, c \in Commands : Decided(s, c) => (\A t \in Slots : t = s => Decided(t, c))", "calculates with the number"),
    (r"\A s \in Slots, c \in Commands : Decided(s + 1, c) => Decided(s, c)", "Decided(s + 1, c) is about a slot that is neither"),
    (r"\A s \in Slots, c \in Commands : Decided(s, c) => s < 3", "s calculates with the number of a slot"),
    (r"\A s \in Slots, c \in Commands : Decided(s, c) => Decided(WINDOW, c)", "is about a slot that is neither a number nor"),
    (r"\A d, e \in decided : d.slot = e.slot => d.command = e.command", "decided reads decided, which holds all slots; ask for Decided"),
    (r"\A p \in p2a : p.slot = 1", "p2a reads p2a, which holds all slots; ask for SentP2a(b, s, c)"),
    (r"\A a \in Acceptors : Cardinality(acceptor[a].accepted) <= 1", "acceptor[a].accepted holds all slots; ask for Accepted(a, b, s, c)"),
    (r"\A r \in Replicas : replica[r].slot_out <= 2", "Replicas is another one in each of the configurations"),
    (r"replica[R1].slot_out <= 2", "replica[R1].slot_out reads a replica, and the one-slot system has none"),
    (r"\A l \in Leaders : leader[l].active", "Leaders speaks of leaders, but with --ballots each ballot is a leader of its own"),
    (r"~leader[L1].active", "leader[L1].active reads a leader, but with --ballots each ballot is a leader of its own"),
    (r"\A b \in Ballots, s \in Slots, c \in Commands : SentP2a(b, s, c) => b.round = 0", "b.round reads .round of a ballot"),
    (r"\A s \in Slots : ~Decided(s, c1)", "Decided(s, c1) names the command c1"),
    (r"\A s \in Slots, c \in Commands : Decided(s, c) => c # c1", "c1 names a command"),
    (
        r"\A s \in Slots, c, d, e \in Commands : Decided(s, c) /\ Decided(s, d) /\ Decided(s, e) => c = d \/ d = e \/ c = e",
        "it relates 3 commands, and two stand for any number",
    ),
    (r"\A s \in Slots : Cardinality({c \in Commands : Decided(s, c)}) <= 1", "ranges over commands elsewhere than in front"),
    (
        r"\A s \in Slots, c \in Commands : Decided(s, c) \/ \E d \in Commands : Decided(s, d)",
        "ranges over commands elsewhere than in front",
    ),
    (r"\A s \in Slots, c, d \in Commands : Decided(s, c) <=> Decided(s, d)", "asks of two commands that something has not happened"),
    (r"\A s \in Slots, c, d \in Commands : Decided(s, c) \/ Decided(s, d) \/ c = d", "asks of two commands that something has not"),
    (
        r"\A s \in Slots, b \in Ballots, c \in Commands : SentP2a(b, s, c)",
        "may depend on ballots that nobody uses; ask that a fact about b",
    ),
    (r"\A s \in Slots, c \in Commands : \E b \in Ballots : ~SentP2a(b, s, c)", "may depend on ballots that nobody uses"),
    (r"\A s \in Slots : Cardinality(Ballots) > 1", "Ballots is another set in each of the configurations"),
    (r"(CHOOSE a \in Acceptors : TRUE) \in Acceptors", "chooses one of several"),
    (r"\A s \in Slots : WINDOW > 0", "WINDOW is another one in each of the configurations"),
]
"""With what is said of each."""


@pytest.mark.parametrize("text", TAKEN)
def test_what_speaks_of_one_slot_is_taken_along(text: str) -> None:
    assert asked(text, one_slot((), 3, acceptors=2))


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=[text for text, _ in REFUSED])
def test_what_does_not_is_refused_with_the_part_that_it_hangs_on(text: str, reason: str) -> None:
    with pytest.raises(NotOfOneSlot) as refused:
        asked(text, one_slot((), 3, acceptors=2))
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        r"\A l \in Leaders : leader[l].active => leader[l].ballot # BOTTOM",
        r"\A b \in Ballots, s \in Slots, c \in Commands : SentP2a(b, s, c) => b.round = 0 /\ b.leader \in Leaders",
        r"\A s \in Slots, b \in Ballots, c \in Commands : SentP2a(b, s, c) => leader[b.leader].ballot >= b",
        r"Cardinality(Ballots) > 1",
    ],
)
def test_with_leaders_and_rounds_bounded_these_are_as_they_are(text: str) -> None:
    model = Scope(Config(acceptors=1, leaders=2, rounds=2)).one_slot(protocol_with(()))
    assert asked(text, model, ballotwise=False)
    with pytest.raises(NotOfOneSlot):
        asked(text, model, ballotwise=True)


# The oracle: what is false in some state of a system of three commands, or two slots, is false in some state of the one-slot system.

LARGER = (
    {"acceptors": 1, "leaders": 3, "commands": 3},
    {"acceptors": 1, "leaders": 2, "commands": 2, "slots": 2, "window": 2},
    {"acceptors": 2, "leaders": 2, "commands": 3},
    {"acceptors": 1, "leaders": 1, "commands": 2, "rounds": 2},
)


@functools.cache
def seen_in(variant: str, larger: int | None, acceptors: int = 1, ballots: int = 3) -> tuple[Model, tuple[Observed, ...]]:
    """All that can be observed of a system: one of LARGER, or of the one-slot system."""
    if larger is None:
        model = one_slot((variant,) if variant else (), ballots, acceptors=acceptors)
    else:
        one = {"replicas": 1, "slots": 1, "rounds": 1, "window": 1}
        model = in_environment(Config(**{**one, **LARGER[larger]}), protocol_with((variant,) if variant else ()))
    seen: list[Observed] = []
    kinds, variables = frozenset({PVALUE_ACCEPTED, P2A_SENT, DECIDED}), frozenset({("acceptor", "ballot")})
    everything = WrittenInvariant("all", "", kinds, variables, False, lambda slot, observed: seen.append(observed))
    CompiledSearch(model, [everything], Control(), reductions_named("inert,halting,deferral"), 1).run()
    return model, tuple(seen)


def is_false_somewhere(term: Term, model: Model, seen: tuple[Observed, ...]) -> bool:
    check = constraint_of("Mine", term, model.system, model.protocol).check
    return any(check(0, observed) is not None for observed in seen)


def judged(text: str, variant: str, larger: int) -> tuple[bool, bool]:
    """Whether it is false somewhere in a larger system, and in the one-slot system, whether or not it speaks of one slot."""
    acceptors = LARGER[larger]["acceptors"]
    (model, seen), (small, seen_small) = seen_in(variant, larger), seen_in(variant, None, acceptors)
    in_larger = is_false_somewhere(expression_term("--invariant", text, model.system), model, seen)
    return in_larger, is_false_somewhere(expression_term("--invariant", text, small.system), small, seen_small)


ATOMS = st.sampled_from(
    [
        "Decided(s, c)", "Decided(s, d)", "SentP2a(b, s, c)", "SentP2a(h, s, d)", "SentP2a(b, s, d)", "Accepted(a, b, s, c)",
        "Accepted(a, h, s, d)", "c = d", "c # d", "b < h", "b = h", "acceptor[a].ballot = b", "acceptor[a].ballot < h",
        r"IsQuorum2({x \in Acceptors : Accepted(x, b, s, c)})", r"IsQuorum1({x \in Acceptors : Accepted(x, h, s, d)})",
        r"(\E k \in Ballots : SentP2a(k, s, c))", r"(\A k \in Ballots : SentP2a(k, s, c) => k <= b)",
        r"(\A k \in Ballots : acceptor[a].ballot = k => SentP2a(k, s, d))", r"(Cardinality({k \in Ballots : SentP2a(k, s, d)}) <= 1)",
    ]
)  # fmt: skip
ODD_ATOMS = st.sampled_from(
    ["Decided(t, d)", "s = t", "SentP2a(b, s, e)", r"(\E k \in Ballots : k < b)", r"(\E g \in Commands : Decided(s, g))"]
)
GUARDS = st.sampled_from(["SentP2a(b, s, c)", "SentP2a(h, s, d)", "Accepted(a, b, s, d)", "b < h", "c # d", "Decided(s, d)"])
BODIES = st.recursive(
    st.one_of(ATOMS, ATOMS, ATOMS, ODD_ATOMS),
    lambda inner: st.one_of(
        inner.map(lambda one: f"(~{one})"),
        st.tuples(inner, st.sampled_from([r"/\ ", r"\/ ", "=> "]), inner).map(lambda parts: f"({parts[0]} {parts[1]}{parts[2]})"),
    ),
    max_leaves=3,
)
SETS = {"s": "Slots", "t": "Slots", "c": "Commands", "d": "Commands", "e": "Commands", "b": "Ballots", "h": "Ballots", "a": "Acceptors"}


def whole(guards: list[str], body: str) -> str:
    """The invariant that `body` holds where all of `guards` do, for all values of its variables."""
    inner = "(" + r" /\ ".join(guards) + f") => {body}" if guards else body
    used = [f"{name} \\in {members}" for name, members in SETS.items() if re.search(rf"\b{name}\b", inner)]
    return rf"\A {', '.join(used)} : {inner}"


INVARIANTS = st.builds(whole, st.lists(GUARDS, max_size=3, unique=True), BODIES)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(INVARIANTS, st.sampled_from(["ignore-pmax", "echo-ballot"]), st.sampled_from(range(len(LARGER))))
def test_what_is_false_of_any_size_is_false_in_the_one_slot_system(text: str, variant: str, larger: int) -> None:
    try:
        asked(text, seen_in(variant, None)[0])
    except NotOfOneSlot:
        return
    in_larger, in_one = judged(text, variant, larger)
    assert in_one or not in_larger


@pytest.mark.parametrize("text", [text for text in TAKEN if "Decided(1" not in text])
def test_so_is_each_of_those_above(text: str) -> None:
    for larger in range(len(LARGER)):
        in_larger, in_one = judged(text, "ignore-pmax", larger)
        assert in_one or not in_larger


@pytest.mark.parametrize(
    ("text", "larger"),
    [
        (REFUSED[17][0], 0),
        (r"\A s \in Slots : Cardinality({c \in Commands : Decided(s, c)}) <= 2", 0),
        (r"\A s, t \in Slots, c \in Commands : Decided(s, c) /\ Decided(t, c) => s = t", 1),
        (r"\A s, t \in Slots, c, d \in Commands : Decided(s, c) /\ Decided(t, d) => c = d \/ s = t", 1),
    ],
)
def test_what_is_refused_would_have_been_missed(text: str, larger: int) -> None:
    assert judged(text, "ignore-pmax", larger) == (True, False)
    with pytest.raises(NotOfOneSlot):
        asked(text, seen_in("ignore-pmax", None)[0])


SPEC = r"""SLOTS any   ACCEPTORS 1   BALLOTS 2
Chosen(s, c) == \E b \in Ballots : IsQuorum2({a \in Acceptors : Accepted(a, b, s, c)})
INVARIANT DecidedIsChosen == \A s \in Slots, c \in Commands : Decided(s, c) => Chosen(s, c)
INVARIANT Agreement
EXPECT holds
"""


@pytest.mark.slow
def test_a_spec_for_every_number_of_slots_may_write_invariants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "any.spec"
    spec.write_text(SPEC)
    done = in_process(capsys, "explore", str(spec), "--quiet", "--format", "json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["verdict"], answer["as_expected"]) == (0, "holds", True)
    assert answer["invariants"] == ["Agreement", "DecidedIsChosen"]
    found = pmmc_check.explore(spec, variants=["echo-ballot"], invariants=["DecidedIsChosen"])
    assert (found.verdict, found.violated, found.as_expected) == ("violated", "DecidedIsChosen", False)
    assert found.run is not None
    assert "Decided(s, c) => Chosen(s, c) is false for s = 1, c = " in found.text(200)


def test_ballots_that_nobody_uses_would_have_been_missed() -> None:
    """Where one ballot is in use, another may be higher; where each ballot is counted, there is only that one."""
    text = r"\A s \in Slots, b, h \in Ballots, c \in Commands : SentP2a(b, s, c) => h <= b"
    (model, seen), (small, seen_small) = seen_in("", 1), seen_in("", None, 1, 1)
    assert is_false_somewhere(expression_term("--invariant", text, model.system), model, seen)
    assert not is_false_somewhere(expression_term("--invariant", text, small.system), small, seen_small)
    with pytest.raises(NotOfOneSlot, match="may depend on ballots that nobody uses; ask that a fact about h be true"):
        asked(text, small)


def test_a_slot_that_is_named_is_any_slot_and_the_run_that_confirms_it_has_so_many() -> None:
    asked_of_two = r"\A c \in Commands : ~Decided(2, c)"
    found = pmmc_check.explore(slots="any", acceptors=1, ballots=1, invariants=[asked_of_two])
    assert found.verdict == "violated"
    assert found.run is not None
    assert found.run[1].config.slots == 2
    assert "Decided(2, c) is false for c = " in found.text(200)


ELSEWHERE = [
    (["--invariant", "decided = {}"], "--invariant decided = {}: --slots any covers what speaks of one slot, and decided reads decided, "),
    (["--find", "decided # {}"], "--find decided # {}: shows a run, and a run has a number of slots; give one, or leave --find out"),
    (["--invariant", "my:f"], "--invariant my:f: --slots any covers what is seen to speak of one slot, which a Python function is not"),
    (["--constraint", "TRUE"], "--constraint TRUE: bounds the search of one configuration; give a number of slots, or leave --constraint"),
]


@pytest.mark.parametrize(("arguments", "said"), ELSEWHERE, ids=str)
def test_all_else_is_refused_by_name(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_clear_line(in_process(capsys, "explore", "--quiet", "--slots", "any", *arguments), said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r"INVARIANT P == \A s, t \in Slots : s = t", "a.spec:2:11: P: --slots any covers what speaks of one slot, and "),
        (r"WITNESS P == decided # {}", "a.spec:2:9: WITNESS P: it shows a run, and a run has a number of slots; give one"),
        (r"CONSTRAINT P == TRUE", "a.spec:2:12: CONSTRAINT P: it bounds the search of one configuration; give a number of slots"),
        ("INVARIANT my:f", "a.spec:2:1: my:f: --slots any covers what is seen to speak of one slot, which a Python function is not"),
        (r"INVARIANT P == \A s \in Slot : TRUE", "a.spec:2:25: unknown name Slot (did you mean Slots?)"),
    ],
)
def test_in_a_spec_it_is_refused_at_its_place(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.spec").write_text(f"SLOTS any\n{text}\n")
    done = in_process(capsys, "explore", "--quiet", "a.spec")
    assert done.returncode == 2
    assert said in done.stderr
