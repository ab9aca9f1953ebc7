"""Expressions of spec files: they mean what they mean in TLA+, and nonsense is refused and never crashes."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from helpers import ROOT, small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pmmc_check.config import Config
from pmmc_check.errors import PmmcError
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.values import Ballot, PValue, SlotCommand
from pmmc_check.spec.accumulates import FALLING, UNMOVED, direction
from pmmc_check.spec.document import spec_from, written_in
from pmmc_check.spec.evaluate import World, compiled_term, frame_size
from pmmc_check.spec.parse import SourceText, parsed_text
from pmmc_check.spec.resolve import Resolver

SPECS = sorted((ROOT / "specs").glob("*.spec"))


def value(text: str, config: Config | None = None) -> Any:
    """What a closed expression is."""
    config = config or small(acceptors=3, leaders=2, slots=2, commands=2)
    source = SourceText("test", text)
    term = Resolver(config.system(), source).term(
        parsed_text(source, "only_expression").children[0], Resolver(config.system(), source).scope
    )
    return compiled_term(term, config.system())(World(accepted={}, variables={}), [None] * frame_size(term))


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


Pair = tuple[str, str]
"""An expression, and the same in Python."""


def both(tla: str, python: str, *parts: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    """Expressions of one form; its places are filled by `parts`."""
    return st.tuples(*parts).map(lambda found: (tla.format(*(each[0] for each in found)), python.format(*(each[1] for each in found))))


def numbers(depth: int) -> st.SearchStrategy[Pair]:
    atoms = st.one_of(st.integers(0, 5).map(lambda n: (str(n), str(n))), st.sampled_from([("x", "x"), ("y", "y")]))
    if depth == 0:
        return atoms
    below, sets, truths = numbers(depth - 1), sets_of_numbers(depth - 1), booleans(depth - 1)
    return st.one_of(
        atoms,
        both("({} + {})", "({} + {})", below, below),
        both("({} - {})", "({} - {})", below, below),
        both("({} * {})", "({} * {})", below, below),
        both("Cardinality({})", "len({})", sets),
        both("(IF {} THEN {} ELSE {})", "({1} if {0} else {2})", truths, below, below),
        both(f"(LET v{depth} == {{}} IN v{depth} + {{}})", "(lambda v: v + {1})({0})", below, below),
        both(f"(LET twice{depth}(n{depth}) == n{depth} + n{depth} IN twice{depth}({{}}))", "(2 * {})", below),
        both(f"(CHOOSE m{depth} \\in ({{}} \\cup {{{{9}}}}) : TRUE)", "min({} | {{9}})", sets),
        both("[a |-> {}, b |-> {}].b", "{1}", below, below),
    )


def sets_of_numbers(depth: int) -> st.SearchStrategy[Pair]:
    ranges = both("({}..{})", "frozenset(range({}, {} + 1))", numbers(0), numbers(0))
    if depth == 0:
        return st.one_of(ranges, st.just(("{}", "frozenset()")))
    below, truths, number = sets_of_numbers(depth - 1), booleans(depth - 1), numbers(depth - 1)
    return st.one_of(
        ranges,
        both("{{{}, {}}}", "frozenset([{}, {}])", number, number),
        both("({} \\cup {})", "({} | {})", below, below),
        both("({} \\cap {})", "({} & {})", below, below),
        both("({} \\ {})", "({} - {})", below, below),
        both(f"{{{{w{depth} \\in {{}} : w{depth} > x \\/ {{}}}}}}", "frozenset(w for w in {} if w > x or {})", below, truths),
        both(f"{{{{w{depth} + {{}} : w{depth} \\in {{}}}}}}", "frozenset(w + {} for w in {})", number, below),
        both(
            f"{{{{u{depth} * w{depth} : u{depth} \\in {{}}, w{depth} \\in {{}}}}}}",
            "frozenset(u * w for u in {} for w in {})",
            below,
            below,
        ),
        both("(UNION {{{}, {}}})", "({} | {})", below, below),
    )


def booleans(depth: int) -> st.SearchStrategy[Pair]:
    compared = st.sampled_from([("=", "=="), ("#", "!="), ("<", "<"), ("=<", "<="), (">", ">"), ("≥", ">=")])
    atoms = st.tuples(numbers(0), compared, numbers(0)).map(
        lambda p: (f"{p[0][0]} {p[1][0]} {p[2][0]}", f"({p[0][1]} {p[1][1]} {p[2][1]})")
    )
    if depth == 0:
        return atoms
    below, sets, number = booleans(depth - 1), sets_of_numbers(depth - 1), numbers(depth - 1)
    return st.one_of(
        atoms,
        both("(({}) /\\ ({}))", "({} and {})", below, below),
        both("(({}) ∨ ({}))", "({} or {})", below, below),
        both("\n/\\ {}\n/\\ \\/ {}\n   \\/ {}", "({} and ({} or {}))", atoms, below, atoms).map(lambda p: (f"({p[0]})", p[1])),
        both("(({}) => ({}))", "(not {} or {})", below, below),
        both("(({}) <=> ({}))", "({} == {})", below, below),
        both("~({})", "(not {})", below),
        both("({} \\in {})", "({} in {})", number, sets),
        both("({} \\notin {})", "({} not in {})", number, sets),
        both("({} \\subseteq {})", "({} <= {})", sets, sets),
        both("({} = {})", "({} == {})", sets, sets),
        both(f"(\\E z{depth} \\in {{}} : z{depth} = x /\\ ({{}}))", "any(z == x and {1} for z in {0})", sets, below),
        both(f"(\\A z{depth} \\in {{}} : z{depth} # y \\/ ({{}}))", "all(z != y or {1} for z in {0})", sets, below),
    )


@given(booleans(2), st.sampled_from(["A", "E"]))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_generated_expressions_agree_with_python(pair: Pair, quantifier: str) -> None:
    text, python = pair
    many = all if quantifier == "A" else any
    code = compile(python, "generated", "eval")
    expected = many(eval(code, {"x": x, "y": y}) for x in (1, 2, 3) for y in (1, 2, 3))
    assert value(f"\\{quantifier} x, y \\in 1..3 : {text}") == expected


@given(
    st.sampled_from(SPECS),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 12), st.sampled_from([*"()[]{}:,.\\/~#=<>*x1 \n\t∧⊥", "==", "IN"]))),
)
@settings(max_examples=150, deadline=None)
def test_a_mutilated_spec_is_refused_or_means_something(path: Path, changes: list[tuple[int, int, str]]) -> None:
    text = path.read_text(encoding="utf-8")
    for at, length, new in changes:
        start = at % (len(text) + 1)
        text = text[:start] + new + text[start + length :]
    try:
        written_in(spec_from(SourceText("a.spec", text)), small(leaders=2).system(), PMMC)
    except PmmcError as error:
        assert str(error)


@given(
    st.lists(
        st.sampled_from(
            [
                *r"/\ \/ ~ => ( ) { } [ ] , : x y \A \E \in Slots 1 .. == LET IN IF THEN ELSE UNION decided leader".split(),  # noqa: SIM905
                *"INVARIANT WITNESS CONSTRAINT CHOOSE |-> Decided 1..2 - EXPECT . #".split(),  # noqa: SIM905
            ]
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


ACCUMULATING = [
    (r"\A s \in Slots : \A c, d \in Commands : Decided(s, c) /\ Decided(s, d) => c = d", True),
    (r"\A d, e \in decided : d.slot = e.slot => d.command = e.command", True),
    (r"Cardinality({d.command : d \in {e \in decided : e.slot = 1}}) <= 1", True),
    (r"""\A s \in Slots, b, h \in Ballots, c, d \in Commands :
        b < h /\ c # d /\ SentP2a(h, s, d) => ~IsQuorum2({a \in Acceptors : Accepted(a, b, s, c)})""", True),
    (r"~(\E v \in p2a : v.slot = 1 /\ v.command \in {d.command : d \in decided})", True),
    (r"{d.slot : d \in decided} \subseteq {1}", True),
    (r"\A d \in decided : \E v \in p2a : v.slot = d.slot", False),
    (r"\E c \in Commands : Decided(1, c)", False),
    (r"Cardinality(decided) # 1", False),
    (r"\A s \in Slots : Decided(s, c1) <=> Decided(s, c2)", False),
    (r"LET n == Cardinality(p2a) IN IF decided = {} THEN n < 2 ELSE TRUE", False),
    (r"\A a \in Acceptors : acceptor[a].ballot = BOTTOM", False),
    (r"p1a = {}", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "accumulates"), ACCUMULATING)
def test_what_accumulating_facts_break_stays_broken(text: str, accumulates: bool) -> None:
    """Where that is said of an expression it is so: one fact after the other is added, in many orders."""
    system = small(acceptors=2, leaders=2, commands=2, slots=2).system()
    resolver = Resolver(system, SourceText("test", text))
    term = resolver.boolean(parsed_text(resolver.source, "only_expression").children[0])
    assert (direction(term) in (UNMOVED, FALLING)) == accumulates
    holds, size = compiled_term(term, system), frame_size(term)
    ballots = [Ballot(0, each.number) for each in system.leaders]
    proposals = [PValue(b, s, c) for b in ballots for s in (1, 2) for c in system.commands]
    possible: list[Any] = [SlotCommand(s, c) for s in (1, 2) for c in system.commands]
    possible += [(None, each) for each in proposals] + [(a, each) for a in system.acceptors for each in proposals]
    for seed in range(60 if accumulates else 0):
        facts: list[Any] = []
        truths = []
        for fact in Random(seed).sample(possible, 14):
            facts.append(fact)
            decided = frozenset(each for each in facts if isinstance(each, SlotCommand))
            pairs = [each for each in facts if not isinstance(each, SlotCommand)]
            accepted = {a: frozenset(pvalue for who, pvalue in pairs if who == a) for a in system.acceptors}
            world = World(decided, frozenset(pvalue for who, pvalue in pairs if who is None), accepted, {}, {})
            truths.append(bool(holds(world, [None] * size)))
        assert truths == sorted(truths, reverse=True), facts
