"""Messages ever sent, and the states of scouts and commanders, in written expressions: compared with an oracle that has neither histories
nor expressions. It searches pairs of a state and all that was sent on the way, and asks in Python."""

from __future__ import annotations

import json
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from helpers import NETWORKS, in_process, small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pmmc_check
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import NAMES, applicable, reductions_named
from pmmc_check.checker.reference import ReferenceSearch
from pmmc_check.checker.result import Control
from pmmc_check.checker.symbolic.search import SymbolicSearch
from pmmc_check.explorer.session import Subject, begun
from pmmc_check.explorer.until import until
from pmmc_check.model.model import Item, Model, State
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.observe import SENT, sent_kind
from pmmc_check.protocol.messages import Instant, Message
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import BOTTOM, LEADER, Ballot, ProcessId, commander_id, scout_id
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.report.vacuity import vacuous
from pmmc_check.spec.document import expression_as
from pmmc_check.spec.place import SpecError

Sent = frozenset[tuple[ProcessId, Message]]

FIELDS = {
    "request": "command", "propose": "slot command", "p1a": "ballot", "p1b": "acceptor ballot accepted to", "p2a": "ballot slot command",
    "p2b": "acceptor ballot to", "adopted": "ballot pvalues", "preempted": "ballot to", "decision": "slot command",
    "response": "cid result command",
}  # fmt: skip
RECORDS: dict[str, Any] = {kind: namedtuple(kind, names) for kind, names in FIELDS.items()}
AT = namedtuple("AT", "ballot slot")


class Sight(dict[str, Any]):
    """What Python sees of a state and of all that was sent: the names of expressions, with values of its own."""

    def __init__(self, model: Model, state: State, sent: Sent) -> None:
        system = model.system
        commands = {(each.client, each.cid): each for each in system.commands}

        def record(to: ProcessId, message: Message) -> Any:
            more = {
                "p1b": lambda: {"to": to.ballot}, "p2b": lambda: {"to": AT(to.ballot, to.slot)}, "preempted": lambda: {"to": to},
                "response": lambda: {"command": commands[to, message.cid]},  # type: ignore[attr-defined]
            }.get(message.kind, dict)()  # fmt: skip
            own = [name for name in FIELDS[message.kind].split() if name not in more]
            return RECORDS[message.kind](**{name: getattr(message, name) for name in own}, **more)

        def state_of(process: ProcessId) -> Any:
            local = state[model.index[process]].state if process in model.index else Lifecycle.NOT_STARTED
            local = local.state if isinstance(local, Crashed) else local
            if not isinstance(local, Lifecycle):
                return SimpleNamespace(**{**{name: getattr(local, name) for name in vars(local)}, "running": True})
            return SimpleNamespace(running=False, waitfor=frozenset(system.acceptors), pvalues=frozenset())

        super().__init__(
            {kind: {record(*each) for each in sent if each[1].kind == kind} for kind in FIELDS},
            scout=lambda b: state_of(scout_id(b)),
            commander=lambda b, s: state_of(commander_id(b, s)),
            acceptor=state_of,
            leader=state_of,
            Ballots=[Ballot(r, each.number) for r in range(system.rounds or 0) for each in system.leaders],
            Slots=range(1, (system.slots or 0) + 1),
            Acceptors=frozenset(system.acceptors),
            Commands=system.commands,
            BOTTOM=BOTTOM,
            quorum1=lambda acceptors: len(acceptors) >= system.quorum1_of(len(system.acceptors)),
            quorum2=lambda acceptors: len(acceptors) >= system.quorum2_of(len(system.acceptors)),
            leader_of=lambda b: ProcessId(LEADER, b.leader),
        )


def travelling(items: Iterable[Item]) -> Sent:
    return frozenset((each.to, each.message) for each in items if not isinstance(each.message, Instant))


class Found(NamedTuple):
    """Whether some state satisfies what is looked for, and how many steps lead to the first; and how many pairs there are."""

    reached: bool
    steps: int | None
    pairs: int


def sought(model: Model, wanted: Callable[[Sight], bool], depths: dict[tuple[State, Sent], int] | None = None) -> Found:
    """The oracle: plain breadth-first search over states of a model that records nothing, each with what was sent on the way.

    `depths` is filled with all that it meets, in the order in which it is asked."""
    initial = (model.initial(), travelling(model.sent_at_first()))
    depths = {} if depths is None else depths
    depths[initial], pending = 0, [initial]
    for state, sent in pending:
        if wanted(Sight(model, state, sent)):
            return Found(True, depths[state, sent], len(depths))
        for step, after in model.steps(state):
            pair = (after, sent | travelling(model.items(step.process, step.outcome.sends)))
            if pair not in depths:
                depths[pair] = depths[state, sent] + 1
                pending.append(pair)
    return Found(False, None, len(depths))


ASKED: list[tuple[str, Callable[[Any], bool], dict[str, Any]]] = [
    (r"preempted # {}", lambda see: bool(see["preempted"]), {"leaders": 2}),
    (r"\E m \in p2b : m.ballot # m.to.ballot", lambda see: any(m.ballot != m.to.ballot for m in see["p2b"]), {"leaders": 2}),
    (
        r"\E m \in p1b : m.ballot # m.to /\ m.accepted # {}",
        lambda see: any(m.ballot != m.to and m.accepted for m in see["p1b"]),
        {"leaders": 2},
    ),
    (r"\E m \in p1b : m.to < m.ballot", lambda see: any(m.to < m.ballot for m in see["p1b"]), {"leaders": 2}),
    (r"\E m \in preempted : m.to = m.ballot.leader", lambda see: any(m.to == see["leader_of"](m.ballot) for m in see["preempted"]),
     {"acceptors": 2, "rounds": 2}),
    (r"\E m, n \in propose : m.command # n.command", lambda see: len({m.command for m in see["propose"]}) > 1,
     {"replicas": 2, "commands": 2}),
    (r"\E m \in response : m.result = 2 /\ [slot |-> 1, command |-> m.command] \in decision",
     lambda see: any(m.result == 2 and (1, m.command) in see["decision"] for m in see["response"]), {"slots": 2, "commands": 2}),
    (r"\E m \in response, q \in request : m.command = q.command /\ m.cid = 1 /\ adopted # {} /\ [ballot |-> BOTTOM] \notin p1a",
     lambda see: bool(see["response"]) and (BOTTOM,) not in see["p1a"], {}),
    (r"\E b \in Ballots : scout[b].running /\ scout[b].pvalues # {}",
     lambda see: any(see["scout"](b).running and see["scout"](b).pvalues for b in see["Ballots"]), {"leaders": 2, "acceptors": 2}),
    (r"\A b \in Ballots : scout[b].running /\ scout[b].waitfor # Acceptors",
     lambda see: all(see["scout"](b).running and see["scout"](b).waitfor != see["Acceptors"] for b in see["Ballots"]),
     {"leaders": 2, "acceptors": 2}),
    (r"\A b \in Ballots, s \in Slots : commander[b, s].running",
     lambda see: all(see["commander"](b, s).running for b in see["Ballots"] for s in see["Slots"]), {"leaders": 2}),
    (r"\E b \in Ballots, s \in Slots : commander[b, s].running /\ IsQuorum2(Acceptors \ commander[b, s].waitfor)",
     lambda see: any(see["commander"](b, s).running and see["quorum2"](see["Acceptors"] - see["commander"](b, s).waitfor)
                     for b in see["Ballots"] for s in see["Slots"]), {"acceptors": 2}),
    (r"\E b, c \in Ballots : b < c /\ commander[b, 1].running /\ commander[c, 1].running"
     r" /\ commander[b, 1].command # commander[c, 1].command",
     lambda see: any(b < c and see["commander"](b, 1).running and see["commander"](c, 1).running
                     and see["commander"](b, 1).command != see["commander"](c, 1).command for b in see["Ballots"] for c in see["Ballots"]),
     {"leaders": 2, "replicas": 2, "commands": 2}),
]  # fmt: skip
"""What is looked for, the same in Python, and where: reached in some configurations, in others not."""
QUICK = ("all", "none")


def searched(model: Model, asked: Any, reduce: str, constraints: Any = ()) -> tuple[bool, int | None, int]:
    """Whether a state is found that breaks `asked`, in how many steps, and how many states there are."""
    search: Any
    reductions = applicable(reductions_named(reduce if reduce in (*NAMES, *QUICK) else "none"), model, [asked, *constraints])[0]
    if reduce == "reference":
        search = ReferenceSearch(model, [asked], Control(), constraints)
    elif reduce == "symbolic":
        search = SymbolicSearch(model, [asked], Control(), reductions)
    else:
        search = CompiledSearch(model, [asked], Control(), reductions, 1, constraints=constraints)
    result = search.run()
    return result.violation is not None, len(result.violation.trace) if result.violation else None, result.distinct_states


@pytest.mark.parametrize("network", [*NETWORKS, "fifo"])
@pytest.mark.parametrize(("text", "wanted", "counts"), [*ASKED[:-1], pytest.param(*ASKED[-1], marks=pytest.mark.slow)])
def test_each_reduction_finds_what_the_oracle_finds_and_as_soon(text: str, wanted: Any, counts: dict[str, Any], network: str) -> None:
    model = Model(small(**counts, network=network))
    expected = sought(model, wanted)
    asked = expression_as("--find", text, "Sought", model.system, model.protocol)
    for reduce in (*QUICK, *NAMES):
        assert searched(model, asked, reduce)[:2] == expected[:2], reduce


@pytest.mark.parametrize(
    ("faults", "numbers"),
    [
        ({"network": "lossy"}, (1, 2, 10)),
        ({"crashes": 1, "faulty": ("leader",)}, (1, 10)),
        ({"crashes": 1, "restarts": 1, "rounds": 2, "leaders": 1, "faulty": ("acceptor", "leader")}, (1, 7, 8, 10)),
    ],
)
def test_what_is_lost_was_sent_and_who_is_down_does_not_run(faults: dict[str, Any], numbers: tuple[int, ...]) -> None:
    for text, wanted, counts in (ASKED[number] for number in numbers):
        model = Model(small(**{**counts, **faults}))
        asked = expression_as("--find", text, "Sought", model.system, model.protocol)
        expected = sought(model, wanted)
        for reduce in QUICK:
            assert searched(model, asked, reduce)[:2] == expected[:2], (text, reduce)


@pytest.mark.parametrize(("text", "wanted", "counts"), [ASKED[number] for number in (1, 3, 4, 7, 10)])
def test_the_reference_and_the_symbolic_engine_find_the_same(text: str, wanted: Any, counts: dict[str, Any]) -> None:
    model = Model(small(**counts))
    asked = expression_as("--find", text, "Sought", model.system, model.protocol)
    none = searched(model, asked, "none")
    assert searched(model, asked, "symbolic")[:2] == searched(model, asked, "reference")[:2] == none[:2] == sought(model, wanted)[:2]
    if not none[0]:
        assert searched(model, asked, "symbolic") == searched(model, asked, "reference") == none


def test_histories_count_no_state_twice_where_inboxes_tell_as_much() -> None:
    """On the duplicating network, of what only one process can send; what two can send is remembered by both."""
    never = "[ballot |-> BOTTOM] \\in p1a"
    for read, counts, more in (
        (never, {"acceptors": 2}, 0),
        (rf"{never} /\ p1b # {{}} /\ p2b # {{}} /\ adopted # {{}} /\ request # {{}}", {"leaders": 2, "rounds": 1}, 0),
        (rf"{never} /\ propose # {{}}", {"replicas": 2, "commands": 2}, 1),
    ):
        model = Model(small(**counts))
        asked = expression_as("--find", read, "Never", model.system, model.protocol)
        states, pairs = searched(model, asked, "none")[2], sought(model, lambda see: False).pairs
        plain = CompiledSearch(model, [], Control(), reductions_named("none"), 1).run().distinct_states
        assert (states > plain) == bool(more), read
        assert states >= pairs == plain


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (r"\A m \in p1b : \A v \in m.accepted : v.ballot <= m.ballot", False),
        (r"\E m \in p2b : m.ballot = BOTTOM /\ preempted # {}", False),
        (r"p2b = {} \/ \E m \in p2b : m.ballot = BOTTOM", True),
        (r"\A m \in p1b : m.ballot <= acceptor[m.acceptor].ballot", True),
        (r"LET own == {m \in p2b : m.ballot # m.to.ballot} IN Cardinality(own) < 9", False),
        (r"Cardinality({m \in p2b : m.ballot # m.to.ballot}) + Cardinality({m.to : m \in p2b}) < 9", True),
        (r"\A m \in p2b : (CHOOSE b \in Ballots : b = m.ballot) # BOTTOM", True),
        (r"\A b \in Ballots : \E m \in p1b : m.ballot = BOTTOM /\ m.to = b", False),
        (r"\A a \in Acceptors : \A m \in p1b : m.acceptor = a => m.ballot # m.to", True),
    ],
)
def test_a_message_that_can_make_no_difference_is_not_remembered(text: str, kept: bool) -> None:
    """Here an acceptor answers its only leader; so nothing is refused, and no ballot is BOTTOM."""
    model = Model(small())
    checks = Checks(model, [expression_as("--invariant", text, "Mine", model.system, model.protocol)])
    sent = [checks.model.recorded(outcome.sends) for _, _, _, outcomes in _known_steps(model) for outcome in outcomes]
    answers = {sent_kind(each) for each in frozenset().union(*sent)} & {"p1b sent", "p2b sent"}
    assert bool(answers) == kept


def _known_steps(model: Model) -> list[Any]:
    CompiledSearch(model, [], Control(), reductions_named("none"), 1).run()
    return list(model.known_steps())


BEHIND_EACH_DECISION = r"""\A d \in decision : \E v \in p2a :
    /\ v.slot = d.slot /\ v.command = d.command
    /\ LET answers == {m \in p2b : m.to = [ballot |-> v.ballot, slot |-> v.slot] /\ m.ballot = m.to.ballot}
       IN IsQuorum2({m.acceptor : m \in answers})"""


@pytest.mark.parametrize(
    ("variant", "counts"),
    [
        ([], {"acceptors": 3}),
        ([], {"leaders": 2, "commands": 2}),
        (["commander-half"], {"acceptors": 2}),
        (["commander-any-ballot"], {"leaders": 2}),
        (["commander-counts-twice"], {"acceptors": 2}),
    ],
    ids=str,
)
def test_a_quorum_has_answered_before_each_decision(variant: list[str], counts: dict[str, Any]) -> None:
    model = Model(small(**counts), protocol_with(variant))
    mine = expression_as("--invariant", BEHIND_EACH_DECISION, "Mine", model.system, model.protocol)
    found = {reduce: searched(model, mine, reduce)[:2] for reduce in (*QUICK, *NAMES)}
    assert set(found.values()) == {found["none"]}
    assert found["none"][0] == bool(variant)


@pytest.mark.parametrize("engine", ["compiled", "reference", "symbolic"])
def test_what_is_asked_of_messages_that_nobody_sends_is_said_to_hold_of_none(engine: str) -> None:
    asked = [r"\A m \in preempted : FALSE", r"\A m \in response : m.result = 1"]
    one = dict.fromkeys(("acceptors", "leaders", "replicas", "slots"), 1)
    alone = pmmc_check.explore(**one, invariants=asked, engine=engine)
    said = [f"no preempted is sent in any run, so whatever {asked[0]} asks of these holds of none"]
    assert [each for each in vacuous(alone.result) if "asks of these" in each] == said
    assert "of these" not in str(vacuous(pmmc_check.explore(**{**one, "leaders": 2}, invariants=asked[1:], engine=engine).result))


def test_halting_leaves_out_less_with_a_note_and_is_off_where_scouts_are_read() -> None:
    model = Model(small(leaders=2))

    def notes(text: str) -> list[str]:
        given = applicable(reductions_named("all"), model, [expression_as("--find", text, "Mine", model.system, model.protocol)])[1]
        return [each for each in given if each.startswith(("halting", "symmetry"))]

    assert notes(r"\E m \in p1a : m.ballot = BOTTOM") == notes("decision # {}") == notes("propose = decision") == []
    assert notes("p1b # {} /\\ preempted # {}") == [
        "halting leaves out less: Mine reads p1b and preempted, which steps that it leaves out may send"
    ]
    for thread in (r"\E b \in Ballots : scout[b].running", r"\E b \in Ballots : commander[b, 1].running"):
        assert notes(thread) == ["halting is off: Mine reads what a process loses when it stops"]
    assert notes("[command |-> c1] \\in request") == ["symmetry is off: Mine names c1"]


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
SEEN = list(sights(WALKED, range(5)))
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


@given(predicates(4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_generated_expressions_about_messages_and_threads_agree_with_python(pair: Pair) -> None:
    text, python = pair
    code = compile(python, "generated", "eval")
    checks = Checks(MODEL, [expression_as("--find", text, "Generated", MODEL.system, MODEL.protocol)])
    for state, see in SEEN:
        expected = eval(code, dict(see))
        assert (checks.of_state(state) is not None) == expected
        remembered = [frozenset(filter(checks.model.kept.remembers, view.history)) for view in state]
        thinned = tuple(view._replace(history=history) for view, history in zip(state, remembered, strict=True))
        assert (checks.of_state(thinned) is not None) == expected, "a message that matters is not remembered"


def test_messages_are_read_wherever_expressions_are(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In constraints, with --continue, in growing configurations, on random walks, in graphs."""

    def explored(*more: str) -> Any:
        counts = [each for name in ("acceptors", "replicas", "slots", "commands") for each in (f"--{name}", "1")]
        return json.loads(in_process(capsys, "explore", *counts, "--leaders", "2", "--quiet", "--format", "json", *more).stdout)

    assert explored("--constraint", "p1b = {}", "--find", "adopted # {}")["witnesses"][0]["reached"] is False
    both = explored("--invariant", "preempted = {}", "--invariant", "response = {}", "--continue")
    assert [each["verdict"] for each in both["properties"]] == ["violated"] * 2
    grown = explored("--strategy", "iterative", "--acceptors", "3", "--invariant", r"\A m \in p2b : m.ballot = m.to.ballot")
    assert (grown["verdict"], grown["config"]["acceptors"], grown["config"]["leaders"]) == ("violated", 3, 1), "the stuck slot"
    assert explored("--strategy", "random", "--max-states", "9999", "--invariant", "preempted = {}")["verdict"] == "violated"
    explored("--graph", str(tmp_path / "graph.json"), "--observe", "Cardinality(p1b)", "--invariant", "Agreement")
    classes = json.loads((tmp_path / "graph.json").read_text())["nodes"]
    assert len(classes) == 1 + max(int(each["label"].split()[-1]) for each in classes) > 4


@pytest.mark.parametrize("plain_max", [3_000, 5])
def test_until_goes_to_messages_and_threads(plain_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmmc_check.explorer.until.PLAIN_STATES_MAX", plain_max)
    session = begun(Subject(Model(small(leaders=2)), ()))
    for text, depth in (("p1b # {}", 1), (r"\E b \in Ballots : commander[b, 1].running", 5), ("preempted # {}", 8)):
        session = until(session, text)
        assert session.here.depth == depth, text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (r"\A m \in p1b : m.ballot >= m.to", "p1b is a set of messages, of which only p2a and decisions are shown to be kept"),
        (r"decision = {}", "decision is a set of messages"),
        (r"\A b \in Ballots : ~scout[b].running", "scout[b].running reads a scout, of which nothing is shown to be kept"),
        (r"\A b \in Ballots : ~commander[b, 1].running", "commander[b, 1].running reads a commander"),
    ],
)
def test_any_number_of_slots_refuses_them_by_name(text: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert reason in (said := in_process(capsys, "explore", "--slots", "any", "--invariant", text)).stderr
    assert said.returncode == 2


def test_a_commander_that_does_not_run_has_no_command() -> None:
    model = Model(small())
    asked = expression_as("--find", r"\E b \in Ballots, c \in Commands : commander[b, 1].command = c", "Mine", model.system, model.protocol)
    with pytest.raises(SpecError) as unguarded:
        Checks(model, [asked]).of_state(model.initial())
    assert unguarded.value.problem == (
        "Mine: commander[b, 1].command: commander(0.L1,1) does not run, and has no command; guard it: commander[b, 1].running => ..."
    )


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
