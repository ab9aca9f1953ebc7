"""Expressions about messages and threads, generated together with the same in Python: compared on random walks, and with the oracle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from random import Random
from typing import Any

from helpers import small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from message_oracle import FIELDS, QUICK, Sent, Sight, searched, sought, travelling

from pmmc_check.checker.reductions import NAMES
from pmmc_check.model.model import Model, State
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.observe import SENT
from pmmc_check.spec.document import expression_as


def sights(config: Mapping[str, Any], seeds: Iterable[int]) -> Iterator[tuple[State, Sight]]:
    """States on random walks through a model that records all, each with what Python sees of it."""
    model = Model(small(**config)).recording(SENT.values())
    for seed in seeds:
        choose, state, sent = Random(seed), model.initial(), travelling(model.sent_at_first())
        yield state, Sight(model, state, sent)
        for number in range(12 + 4 * seed):
            step, state = choose.choice(list(model.steps(state)))
            sent |= travelling(model.items(step.process, step.outcome.sends))
            if number % 6 == 5:
                yield state, Sight(model, state, sent)


WALKED = {"acceptors": 2, "leaders": 2, "slots": 2, "commands": 2, "rounds": 2}
MODEL = Model(small(**WALKED)).recording(SENT.values())
Pair = tuple[str, str]
"""An expression, and the same in Python."""

OF_TYPE: dict[str, dict[str, list[str]]] = {
    "ballot": {kind: ["ballot"] for kind in ("p1a", "p1b", "p2a", "p2b", "adopted", "preempted", "pvalue")},
    "number": {**{kind: ["slot"] for kind in ("propose", "p2a", "decision", "pvalue")}, "p2b": ["to.slot"], "response": ["cid", "result"]},
    "command": {kind: ["command"] for kind in ("request", "propose", "p2a", "decision", "response", "pvalue")},
    "acceptor": {"p1b": ["acceptor"], "p2b": ["acceptor"]},
    "pvalues": {"p1b": ["accepted"], "adopted": ["pvalues"]},
}  # fmt: skip
"""The fields of each type, by the kind of record."""
OF_TYPE["ballot"] |= {"p1b": ["ballot", "to"], "p2b": ["ballot", "to.ballot"]}
CONSTANT = {"ballot": "Ballots", "number": "Slots", "command": "Commands", "acceptor": "Acceptors"}


def terms(bound: tuple[tuple[str, str], ...], type_: str) -> list[Pair]:
    """What one can say of a type without operators; `bound` are variables, each with the kind of record or the type that it is."""
    found = [(name, name) for name, kind in bound if kind == type_]
    found += [(f"{name}.{field}",) * 2 for name, kind in bound for field in OF_TYPE[type_].get(kind, ())]
    ballots = terms(bound, "ballot") if type_ in ("acceptors", "pvalues") else []
    if type_ == "ballot":
        found += [("BOTTOM", "BOTTOM")] + [(f"acceptor[{a}].ballot", f"acceptor({b}).ballot") for a, b in terms(bound, "acceptor")]
    if type_ == "number":
        found += [("1", "1"), ("Cardinality(p2b)", "len(p2b)"), ("Cardinality({z.ballot : z \\in p1b})", "len({z.ballot for z in p1b})")]
    if type_ == "pvalues":
        found += [(f"scout[{a}].pvalues", f"scout({b}).pvalues") for a, b in ballots]
    return found


def acceptors(bound: tuple[tuple[str, str], ...]) -> list[Pair]:
    """Sets of acceptors."""
    found = [("Acceptors", "Acceptors"), ("{x.acceptor : x \\in p2b}", "{x.acceptor for x in p2b}")]
    for a, b in terms(bound, "ballot"):
        found += [(f"scout[{a}].waitfor", f"scout({b}).waitfor"), (f"commander[{a}, 1].waitfor", f"commander({b}, 1).waitfor")]
        found.append((f"{{x.acceptor : x \\in {{y \\in p1b : y.to = {a}}}}}", f"{{x.acceptor for x in p1b if x.to == {b}}}"))
    return found


@st.composite
def predicates(draw: Any, depth: int, bound: tuple[tuple[str, str], ...] = ()) -> Pair:
    """Truths about messages and threads."""

    def some(pairs: list[Pair]) -> Pair:
        found: Pair = draw(st.sampled_from(pairs))
        return found

    form = draw(st.integers(0, 9 if depth else 4))
    if form == 0:
        a, b = some(terms(bound, "ballot")), some(terms(bound, "ballot"))
        operator = draw(st.sampled_from([("<", "<"), ("=", "=="), ("#", "!="), (">=", ">=")]))
        return f"{a[0]} {operator[0]} {b[0]}", f"({a[1]} {operator[1]} {b[1]})"
    if form == 1:
        a, b = some(terms(bound, "number")), some(terms(bound, "number"))
        return f"{a[0]} <= {b[0]}", f"({a[1]} <= {b[1]})"
    if form == 2:
        a, b = some(acceptors(bound)), some(acceptors(bound))
        return (
            f"({a[0]} \\subseteq {b[0]} \\/ IsQuorum1({a[0]} \\ {b[0]}))",
            f"(set({a[1]}) <= set({b[1]}) or quorum1(set({a[1]}) - set({b[1]})))",
        )
    if form == 3:
        a, b = some(terms(bound, "ballot")), some(terms(bound, "number"))
        return some([
            (f"[ballot |-> {a[0]}] \\in p1a", f"(({a[1]},) in p1a)"),
            (f"scout[{a[0]}].running", f"scout({a[1]}).running"),
            (f"commander[{a[0]}, {b[0]}].running", f"commander({a[1]}, {b[1]}).running"),
            (f"(\\E w \\in p2b : w.to = [slot |-> {b[0]}, ballot |-> {a[0]}])", f"any(w.to == ({a[1]}, {b[1]}) for w in p2b)"),
        ])  # fmt: skip
    if form == 4 and (commands := terms(bound, "command")):
        c, n, a = some(commands), some(terms(bound, "number")), some(terms(bound, "ballot"))
        own = f"commander[{a[0]}, {n[0]}]", f"commander({a[1]}, {n[1]})"
        return some([
            (f"[slot |-> {n[0]}, command |-> {c[0]}] \\in decision", f"(({n[1]}, {c[1]}) in decision)"),
            (f"[command |-> {c[0]}] \\in request", f"(({c[1]},) in request)"),
            (f"({own[0]}.running /\\ {own[0]}.command = {c[0]})", f"({own[1]}.running and {own[1]}.command == {c[1]})"),
        ])  # fmt: skip
    if form == 4:
        return draw(st.sampled_from([*FIELDS]).map(lambda kind: (f"{kind} # {{}}", f"bool({kind})")))
    if form == 5:
        a = draw(predicates(depth - 1, bound))
        return f"~({a[0]})", f"(not {a[1]})"
    if form == 6:
        a, b = draw(predicates(depth - 1, bound)), draw(predicates(depth - 1, bound))
        sign = draw(st.sampled_from([("/\\", "{} and {}"), ("\\/", "{} or {}"), ("=>", "not {} or {}"), ("<=>", "{} == {}")]))
        return f"(({a[0]}) {sign[0]} ({b[0]}))", f"({sign[1].format(a[1], b[1])})"
    sets: list[tuple[str, str, str]] = [(kind, kind, kind) for kind in FIELDS]
    sets += [(name, name, type_) for type_, name in CONSTANT.items()] + [(a, b, "pvalue") for a, b in terms(bound, "pvalues")]
    tla, python, kind = draw(st.sampled_from(sets))
    name = f"v{len(bound)}"
    body = draw(predicates(depth - 1, (*bound, (name, kind))))
    every = draw(st.booleans())
    return f"(\\{'A' if every else 'E'} {name} \\in {tla} : {body[0]})", f"{'all' if every else 'any'}({body[1]} for {name} in {python})"


@cache
def seen() -> list[tuple[State, Sight]]:
    return list(sights(WALKED, range(5)))


@given(predicates(4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_generated_expressions_about_messages_and_threads_agree_with_python(pair: Pair) -> None:
    text, python = pair
    code = compile(python, "generated", "eval")
    checks = Checks(MODEL, [expression_as("--find", text, "Generated", MODEL.system, MODEL.protocol)])
    for state, see in seen():
        expected = eval(code, dict(see))
        assert (checks.of_state(state) is not None) == expected
        remembered = [frozenset(filter(checks.model.kept.remembers, view.history)) for view in state]
        thinned = tuple(view._replace(history=history) for view, history in zip(state, remembered, strict=True))
        assert (checks.of_state(thinned) is not None) == expected, "a message that matters is not remembered"


@cache
def everywhere(network: str) -> tuple[Model, list[tuple[int, Sight]]]:
    """All that the oracle meets in a configuration of two leaders, with its depth, the first in depth first."""
    model, met = Model(small(leaders=2, network=network)), list[tuple[int, Sight]]()
    depths: dict[tuple[State, Sent], int] = {}
    sought(model, lambda see: met.append((len(met), see)) or False, depths)
    return model, [(depth, see) for depth, (_, see) in zip(depths.values(), met, strict=True)]


@given(predicates(3), st.sampled_from(["duplicating", "reliable"]), st.sampled_from(NAMES))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_generated_expressions_are_reached_as_soon_as_the_oracle_reaches_them_under_all_reductions(
    pair: Pair, network: str, one: str
) -> None:
    model, met = everywhere(network)
    code = compile(pair[1], "generated", "eval")
    soonest = next((depth for depth, see in met if eval(code, see)), None)
    asked = expression_as("--find", pair[0], "Generated", model.system, model.protocol)
    for reduce in (*QUICK, one):
        assert searched(model, asked, reduce)[:2] == (soonest is not None, soonest), reduce
