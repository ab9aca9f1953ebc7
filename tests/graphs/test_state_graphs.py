"""`explore --graph`: the graph has the reference search's states and transitions, and what one sees of it is what a plain reading gives."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pydot
import pytest
from helpers import ROOT, assert_one_clear_line, in_process, label, options, reference, small

from pmmc_check.checker.result import Control, Limits
from pmmc_check.checker.state_graph import StateGraph, TooManyStates, quotient, state_graph
from pmmc_check.config import Config
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model, State
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.properties.observables import OBSERVABLES, observables_named
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.messages import Decision
from pmmc_check.protocol.values import ACCEPTOR, REPLICA
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.report.graphs.build import graph_of_classes, graph_of_states
from pmmc_check.report.graphs.files import graph_as_dot, graph_as_graphml, graph_as_json, graph_as_svg
from pmmc_check.spec.values import value_seen

SMALL: list[dict[str, Any]] = [
    {"acceptors": 3},
    {"leaders": 2, "rounds": 2, "network": "reliable"},
    {"network": "lossy"},
    {"acceptors": 2, "commands": 2, "network": "fifo"},
    {"crashes": 1, "restarts": 1, "rounds": 2, "network": "reliable"},
    {"slots": 2, "window": 1, "reconfigurations": 1, "network": "fifo", "rounds": 1},
]
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not installed")


def graph_of(config: Config, protocol: Protocol = PMMC, invariants: tuple[str, ...] = (), **limits: Any) -> tuple[StateGraph, Model]:
    model = Model(config, protocol)
    return state_graph(model, invariants_named(invariants), Control(Limits(**limits)), 20_000), model


@pytest.mark.parametrize("counts", SMALL, ids=label)
def test_there_is_a_node_for_each_state_and_an_edge_for_each_transition_of_the_reference_search(counts: dict[str, Any]) -> None:
    graph, model = graph_of(small(**counts))
    counted = reference(small(**counts))
    drawn = graph_of_states(graph, model)
    assert graph.limit is None
    assert drawn.number_of_nodes() == counted.distinct_states == len(set(graph.states))
    assert drawn.number_of_edges() == counted.generated_states - 1
    assert max(depth for _, depth in drawn.nodes(data="depth")) == counted.depth
    assert [number for number, initial in drawn.nodes(data="initial") if initial] == [0]
    lengths = nx.single_source_shortest_path_length(drawn, 0)
    assert {number: length + 1 for number, length in lengths.items()} == dict(drawn.nodes(data="depth"))


@pytest.mark.parametrize("counts", SMALL[2:], ids=label)
def test_every_edge_is_a_step_of_the_model_with_its_action_on_it(counts: dict[str, Any]) -> None:
    graph, model = graph_of(small(**counts))
    steps = {(state, step.process, step.message, after) for state in graph.states for step, after in model.steps(state)}
    assert steps == {(graph.states[e.source], e.step.process, e.step.message, graph.states[e.target]) for e in graph.transitions}
    drawn = graph_of_states(graph, model)
    taken = Counter((e.source, e.target, str(e.step.process), e.step.message.kind) for e in graph.transitions)
    assert taken == Counter((source, target, edge["process"], edge["action"]) for source, target, edge in drawn.edges(data=True))
    assert all(edge["process"] in edge["label"] for _, _, edge in drawn.edges(data=True))


def test_the_graph_goes_on_behind_a_violation_and_marks_every_state_that_breaks_an_invariant() -> None:
    config, protocol = small(commands=2, replicas=2, network="reliable"), protocol_with(["overwrite-proposal"])
    graph, model = graph_of(config, protocol, ("Agreement",))
    checks = Checks(model, invariants_named(["Agreement"]))
    broken = {number for number, state in enumerate(graph.states) if checks.of_state(state)}
    assert broken
    drawn = graph_of_states(graph, model)
    assert {number for number, name in drawn.nodes(data="violated") if name} == broken
    assert set(nx.get_node_attributes(drawn, "violated").values()) == {"", "Agreement"}
    assert any(graph.depths[each] < max(graph.depths) for each in broken)
    assert len(graph.states) == reference(config, protocol, ("R4",)).distinct_states
    classes = graph_of_classes(seen_by(graph, model, "decided"), graph, model, ["decided"])
    assert sum(count for _, count in classes.nodes(data="violating_states")) == len(broken)
    assert {"decided: {(1, c1), (1, c2)}"} == {node["label"] for _, node in classes.nodes(data=True) if node["violated"]}


def test_steps_that_break_an_invariant_and_states_that_are_witnesses_are_marked() -> None:
    graph, model = graph_of(small(leaders=2, network="reliable"), protocol_with(["accept-lower-ballot"]), ("A2",))
    edges = graph_of_states(graph, model).edges(data=True)
    assert {edge["action"] for _, _, edge in edges if edge["violated"] == "A2"} == {"p2a"}
    assert any(edge["action"] == "p2a" and not edge["violated"] for _, _, edge in edges)


def seen_by(graph: StateGraph, model: Model, *names: str) -> Any:
    observables = observables_named(names)
    return quotient(graph, lambda state: tuple(each.see(model, state) for each in observables))


def what_is_decided(model: Model, state: State) -> frozenset[Any]:
    """Read off plainly: decisions in replicas, or on their way to one."""
    found: set[Any] = set()
    for process, view in zip(model.processes, state, strict=True):
        if process.role == REPLICA:
            found |= {tuple(each) for each in view.state.decisions}
            found |= {(each.slot, each.command) for each, _ in model.network.contents(view.inbox) if isinstance(each, Decision)}
    return frozenset(found)


def ballots_of(model: Model, state: State) -> tuple[Any, ...]:
    return tuple(view.state.ballot for process, view in zip(model.processes, state, strict=True) if process.role == ACCEPTOR)


@pytest.mark.parametrize(
    "counts", [{"acceptors": 3}, {"leaders": 2, "rounds": 2, "network": "reliable"}, {"acceptors": 2, "network": "fifo"}]
)
def test_the_quotient_is_the_one_of_a_direct_computation(counts: dict[str, Any]) -> None:
    model = Model(small(**counts))

    def look(state: State) -> tuple[Any, ...]:
        return what_is_decided(model, state), ballots_of(model, state)

    sizes, crossings, unseen = Counter[Any](), Counter[Any](), 0
    known, waiting = {model.initial()}, [model.initial()]
    while waiting:
        state = waiting.pop()  # depth first: another order than that of the search
        sizes[look(state)] += 1
        for _, after in model.steps(state):
            if look(state) == look(after):
                unseen += 1
            else:
                crossings[look(state), look(after)] += 1
            if after not in known:
                known.add(after)
                waiting.append(after)

    graph, model = graph_of(small(**counts))
    seen = seen_by(graph, model, "decided", "ballots")
    there = [look(graph.states[members[0]]) for members in seen.members]
    assert dict(zip(there, map(len, seen.members), strict=True)) == sizes
    assert {(there[e.source], there[e.target]): sum(e.steps.values()) for e in seen.crossings} == crossings
    assert seen.unseen == unseen
    drawn = graph_of_classes(seen, graph, model, ["decided", "ballots"])
    assert sum(count for _, count in drawn.nodes(data="states")) == len(graph.states)
    assert sum(count for *_, count in drawn.edges(data="transitions")) + unseen == len(graph.transitions)


@pytest.mark.parametrize(("name", "expression"), [
    ("decided", "decided"),
    ("ballots", r"{[slot |-> 1, a |-> a, b |-> acceptor[a].ballot] : a \in Acceptors}"),
    ("accepted", r"{[a |-> a, r |-> acceptor[a].accepted] : a \in Acceptors}"),
    ("decisions", r"{[r |-> r, d |-> replica[r].decisions] : r \in Replicas}"),
])  # fmt: skip
def test_what_has_a_name_is_the_same_as_its_expression(name: str, expression: str) -> None:
    graph, model = graph_of(small(acceptors=2, replicas=2, network="reliable"))
    by_name = seen_by(graph, model, name)
    by_expression = quotient(graph, value_seen("--observe", expression, model)[0])
    assert by_name.members == by_expression.members
    assert len(by_name.members) > 1


def test_everything_that_has_a_name_tells_some_states_apart_and_all_of_it_most_states() -> None:
    graph, model = graph_of(small(leaders=2, crashes=1, network="reliable", faulty=("leader",)))
    never = {"configuration", "requests"}  # there is one only; and what is requested is proposed at once
    alone = {name: len(seen_by(graph, model, name).members) for name in OBSERVABLES}
    assert {name for name, classes in alone.items() if classes < 2} == never
    assert len(seen_by(graph, model, *OBSERVABLES).members) > len(graph.states) / 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pydot")
def test_formats_can_be_read_back() -> None:
    graph, model = graph_of(small(acceptors=1, commands=2, network="reliable"))
    drawn = graph_of_states(graph, model)
    for back in (
        nx.parse_graphml(graph_as_graphml(drawn), node_type=int, force_multigraph=True),
        nx.node_link_graph(json.loads(graph_as_json(drawn)), edges="edges"),
    ):
        assert dict(back.nodes(data=True)) == dict(drawn.nodes(data=True))
        for each in drawn.edges(keys=True):
            assert drawn.edges[each].items() <= back.edges[each].items()
        assert back.number_of_edges() == drawn.number_of_edges()
        assert back.graph["complete"] is True
    parsed = pydot.graph_from_dot_data(graph_as_dot(drawn))
    assert parsed is not None
    assert len([each for each in parsed[0].get_nodes() if each.get_name() not in ("node", "edge", "graph")]) == len(graph.states)
    assert len(parsed[0].get_edges()) == len(graph.transitions)


HOSTILE = [
    'a "quoted" text',
    "back\\slash \\n \\l \\N",
    "<b>bold</b>",
    "a\x00\x1b[31mred\x07",
    "ends in \\",
    "]]> &amp; <!--",
    "\ud800",
    "{a|b}",
]


@needs_dot
def test_hostile_text_stays_text_in_all_formats() -> None:
    graph, model = graph_of(small())
    seen = quotient(graph, lambda state: tuple(HOSTILE) if state == graph.states[0] else ("",) * len(HOSTILE))
    drawn = graph_of_classes(seen, graph, model, [f"name{n}" for n in range(len(HOSTILE))])
    text = drawn.nodes[0]["label"]
    assert nx.parse_graphml(graph_as_graphml(drawn), node_type=int).nodes[0]["label"] == text
    assert json.loads(graph_as_json(drawn).encode())["nodes"][0]["label"] == text
    svg = ElementTree.fromstring(graph_as_svg(drawn))
    first = next(each for each in svg.iter("{http://www.w3.org/2000/svg}g") if each.get("id") == "node1")
    lines = [each.text or "" for each in first.iter("{http://www.w3.org/2000/svg}text")]
    assert [" ".join(line.split()) for line in lines[:-1]] == [" ".join(line.split()) for line in text.split("\n")]


def test_a_graph_that_is_too_large_is_refused_and_one_that_is_cut_says_so_everywhere() -> None:
    with pytest.raises(TooManyStates):
        state_graph(Model(small(acceptors=3)), [], Control(Limits()), 1663)
    assert len(state_graph(Model(small(acceptors=3)), [], Control(Limits()), 1664).states) == 1664
    graph, model = graph_of(small(acceptors=3), depth_max=4)
    counted = reference(small(acceptors=3), limits=Limits(depth_max=4))
    assert (len(graph.states), len(graph.transitions), graph.limit) == (
        counted.distinct_states,
        counted.generated_states - 1,
        counted.limit,
    )
    drawn = graph_of_states(graph, model)
    assert "NOT THE WHOLE GRAPH: depth 4 (--max-depth) was reached" in drawn.graph["title"]
    assert drawn.graph["complete"] is False
    assert {number for number, expanded in drawn.nodes(data="expanded") if not expanded} == {
        number for number, depth in drawn.nodes(data="depth") if depth == 5
    }
    dot = graph_as_dot(drawn)
    assert dot.count('not looked into\\l" ') - 1 == sum(not expanded for _, expanded in drawn.nodes(data="expanded"))
    assert "NOT THE WHOLE GRAPH" in dot
    classes = graph_of_classes(seen_by(graph, model, "decided"), graph, model, ["decided"])
    assert "NOT THE WHOLE GRAPH" in classes.graph["title"]
    assert [expanded for _, expanded in classes.nodes(data="expanded")] == [False]


def test_a_misspelt_name_is_guessed() -> None:
    with pytest.raises(UsageError, match=r"--observe decisons: .*did you mean decisions\?"):
        observables_named(["decisons"])


TINY = options(acceptors=1, leaders=1, replicas=1, slots=1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--graph", "x.png"], "one of .dot, .gv, .graphml, .json, .svg"),
        (["--graph", "x"], "one of .dot"),
        (["--graph", "x.grapml"], "did you mean .graphml?"),
        (["--graph", "no-such-folder/x.dot"], "give a file in a folder that exists"),
        (["--graph", "x.dot", "--observe", "decisons,ballots"], "did you mean decisions?"),
        (["--graph", "x.dot", "--observe", ""], "choose from decided"),
        (["--graph", "x.dot", "--slots", "any"], "give a number of --slots"),
        (["--graph", "x.dot", "--strategy", "compositional"], "one configuration"),
        (["--observe", "decided"], "add --graph FILE"),
        (["--graph-states", "7"], "add --graph FILE"),
        (["--graph", "x.dot", "--graph-states", "7"], "more than 7 states"),
        (["--graph", "x.dot", "--graph-states", "0"], "must be at least 1"),
    ],
)
def test_bad_input_is_told_in_one_line_and_leaves_no_file(
    arguments: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    base = [] if "compositional" in arguments else TINY
    assert_one_clear_line(in_process(capsys, "explore", *base, "--quiet", *arguments), expected)
    assert list(tmp_path.iterdir()) == []


def test_an_expression_that_is_none_is_shown_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", *TINY, "--graph", str(tmp_path / "x.dot"), "--observe", "Cardinality(decidd)")
    assert done.returncode == 2
    assert "--observe:1:13: " in done.stderr
    assert "did you mean decided?" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_graphviz_a_picture_is_refused_before_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_one_clear_line(
        in_process(capsys, "explore", *TINY, "--graph", str(tmp_path / "x.svg")), "`dot` was not found", ".graphml or .json"
    )
    assert list(tmp_path.iterdir()) == []
    done = in_process(capsys, "explore", *TINY, "--graph", str(tmp_path / "x.dot"), "--engine", "reference")
    assert done.returncode == 0


@needs_dot
def test_the_command_draws_beside_its_search_whose_json_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [*TINY, "--engine", "reference", "--format", "json", "--quiet", "--network", "reliable"]
    plain, drawing = (
        in_process(capsys, "explore", *asked, *more) for more in ([], ["--graph", str(tmp_path / "x.svg"), "--observe", r"decided = {}"])
    )
    assert drawing.returncode == 0
    assert drawing.stderr == ""
    varying = ("seconds", "states_per_second", "peak_memory_bytes")
    without, with_graph = ({k: v for k, v in json.loads(done.stdout).items() if k not in varying} for done in (plain, drawing))
    assert without == with_graph
    svg = ElementTree.parse(tmp_path / "x.svg").getroot()
    classes = [each.get("class") for each in svg.iter("{http://www.w3.org/2000/svg}g")]
    assert (classes.count("node"), classes.count("edge")) == (2, 1)
    texts = {each.text for each in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {"decided = {}: TRUE", "decided = {}: FALSE"} <= texts


@needs_dot
def test_a_picture_that_nobody_could_read_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", *options(acceptors=3, leaders=1, replicas=1, slots=1), "--graph", str(tmp_path / "x.svg"))
    assert_one_clear_line(done, "a picture of 1,664 nodes could not be read", "--observe")
    assert list(tmp_path.iterdir()) == []


def test_witnesses_are_marked_and_a_cut_graph_is_told_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = tmp_path / "x.json"
    asked = [*TINY, "--find", r"\E c \in Commands : Decided(1, c)", "--max-depth", "30", "--quiet", "--graph", str(there)]
    assert in_process(capsys, "explore", *asked).returncode == 0
    found = json.loads(there.read_text())
    marked = [each for each in found["nodes"] if each["reached"]]
    assert marked
    assert {each["reached"] for each in marked} == {r"\E c \in Commands : Decided(1, c)"}
    done = in_process(capsys, "explore", *[*TINY, "--max-depth", "3", "--graph", str(there), "--quiet"])
    assert done.returncode == 3
    assert "is not the whole graph, and says so: depth 3 (--max-depth) was reached" in done.stderr
    assert json.loads(there.read_text())["graph"]["complete"] is False


def test_the_page_lists_everything_that_has_a_name() -> None:
    page = (ROOT / "docs" / "graphs.md").read_text()
    assert [f"| `{each.name}` | {each.meaning} |" for each in OBSERVABLES.values()] == [
        line for line in page.split("| name | what is seen |")[1].splitlines() if line.startswith("| `")
    ]


def test_states_outside_a_constraint_are_met_but_left_alone_and_the_graph_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "x.json"
    asked = [*TINY, "--engine", "reference", "--quiet", "--constraint", "decided = {}", "--graph", str(there), "--format", "json"]
    counted = json.loads(in_process(capsys, "explore", *asked).stdout)
    found = json.loads(there.read_text())
    assert len(found["nodes"]) == counted["distinct_states"]
    assert len(found["edges"]) == counted["generated_states"] - 1
    outside = {each["id"] for each in found["nodes"] if each["outside"]}
    assert outside
    assert not outside & {each["source"] for each in found["edges"]}
    assert found["graph"]["complete"] is False
    assert f"NOT THE WHOLE GRAPH: {len(outside):,} states lie outside the constraint" in found["graph"]["title"]
