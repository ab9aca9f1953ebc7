"""Messages ever sent, and the states of scouts and commanders, in written expressions: compared with an oracle in plain Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import NETWORKS, in_process, small
from message_oracle import QUICK, searched, sought

import pmmc_check
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import NAMES, applicable, reductions_named
from pmmc_check.checker.result import Control
from pmmc_check.explorer.session import Subject, begun
from pmmc_check.explorer.until import until
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.observe import sent_kind
from pmmc_check.protocol.values import BOTTOM
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.report.vacuity import vacuous
from pmmc_check.spec.document import expression_as
from pmmc_check.spec.place import SpecError

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


@pytest.mark.one_in(2)
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
