"""What leaves in another tool's notation: that tool's parser reads it, and it says what the run says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import itf_py
import networkx as nx
import pytest

from exchange.runs import HOSTILE, NAMES, NETWORKS, counterexample, eventful, hostile, run_named
from pmmc_check.protocol.values import ACCEPTOR, REPLICA, SCOUT, ProcessId
from pmmc_check.report.exchange import NotExpressible, itf, mermaid, shiviz
from pmmc_check.report.exchange.itf import run_as_itf
from pmmc_check.report.exchange.mermaid import run_as_mermaid
from pmmc_check.report.exchange.plantuml import run_as_plantuml
from pmmc_check.report.exchange.shiviz import NETWORK, PARSER, host_events, run_as_shiviz
from pmmc_check.report.runs.run import EventKind, Run

HERE = Path(__file__).parent
ON_NETWORKS = pytest.mark.parametrize("network", NETWORKS)
EVERY_RUN = pytest.mark.parametrize("name", NAMES)


def arrivals(run: Run) -> list[tuple[ProcessId | None, ProcessId, str]]:
    """What arrives or gets lost, in order: sender, recipient, text."""
    numbers = [event.message for event in run.events if event.message is not None]
    return [(run.messages[each].sender, run.messages[each].to, run.messages[each].text) for each in numbers]


def in_one_line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


# ITF


@EVERY_RUN
def test_itf_is_read_by_itf_py_with_a_state_for_each_event(name: str) -> None:
    run = run_named(name)
    trace = itf_py.trace_from_json(json.loads(run_as_itf(run)))
    assert len(trace.states) == len(run.events)
    assert all(set(state.values) == set(trace.vars) for state in trace.states)
    assert [state.values["event"].label for state in trace.states] == [event.label for event in run.events]


@ON_NETWORKS
def test_itf_has_the_states_of_the_model(network: str) -> None:
    found = eventful(network)
    trace = itf_py.trace_from_json(json.loads(run_as_itf(found.run)))
    model = found.model
    for state, shown in zip([found.violation.initial, *(each.after for each in found.violation.trace)], trace.states, strict=True):
        views = dict(zip(model.processes, state, strict=True))
        for process, view in views.items():
            local = getattr(view.state, "state", view.state)  # of one that is down, what it went down with
            if process.role == ACCEPTOR:
                there = shown.values["acceptors"][str(process)]
                assert there.ballot == str(local.ballot)
                assert there.accepted == frozenset(map(str, local.accepted))
                assert there.status == ("down" if local is not view.state else "running")
            elif process.role == REPLICA:
                there = shown.values["replicas"][str(process)]
                assert (there.slot_in, there.slot_out) == (str(local.slot_in), str(local.slot_out))
                assert there.decisions == frozenset(map(str, local.decisions))
            elif process.role == SCOUT:
                scouts = shown.values["scouts"]
                status = scouts[str(process)].status if str(process) in scouts else "not started"
                assert status == (str(local) if hasattr(local, "name") else "running")
        if network != "duplicating":
            waiting = {f"{m} → {process}" for process, view in views.items() for m, _ in model.network.contents(view.inbox)}
            assert shown.values["undelivered"] == waiting


def test_what_is_too_long_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(itf, "RECORDS_MAX", 100)
    with pytest.raises(NotExpressible, match="15 events of 11 processes are 165 records, and at most 100 are written"):
        run_as_itf(counterexample().run)
    monkeypatch.setattr(shiviz, "ENTRIES_MAX", 100)
    with pytest.raises(NotExpressible, match="165 entries, and at most 100 are written"):
        run_as_shiviz(counterexample().run)
    monkeypatch.setattr(mermaid, "CHARACTERS_MAX", 300)
    with pytest.raises(NotExpressible, match="Mermaid draws at most 300 characters"):
        run_as_mermaid(counterexample().run)


# ShiViz


@EVERY_RUN
def test_a_shiviz_log_follows_the_documented_regular_expression(name: str) -> None:
    run = run_named(name)
    log = run_as_shiviz(run)
    found = list(re.finditer(PARSER.replace("(?<", "(?P<"), log))
    assert "".join(f"{each.group()}\n" for each in found) == log  # nothing is left over
    counts: Counter[str] = Counter()
    for each in found:
        clock = json.loads(each["clock"])
        counts[each["host"]] += 1
        assert clock[each["host"]] == counts[each["host"]]  # as ShiViz demands
        assert all(0 < count <= counts[host] for host, count in clock.items())


def happened_before(run: Run) -> nx.DiGraph:
    """The graph of what directly precedes what: nodes are (event, host); written without the code under test."""
    graph = nx.DiGraph()
    latest: dict[str, Any] = {}
    sent_in: dict[tuple[int, str], Any] = {}

    def put(index: int, host: str, *after: Any) -> None:
        node = (index, host)
        graph.add_node(node)
        graph.add_edges_from((each, node) for each in (*after, latest.get(host)) if each is not None)
        latest[host] = node
        sent_in[index, host] = node

    def name(process: ProcessId) -> str:
        return "_".join(run.names[process].split())

    for event in run.events:
        own = NETWORK if event.kind is EventKind.DROP else name(event.process) if event.process else None
        if own is None:
            there = {change.process for change in event.changes} | {run.messages[each].sender for each in event.sends}
            for each in sorted(run.processes, key=lambda each: each.owner is not None):
                if each.id in there:
                    put(event.index, name(each.id), sent_in.get((event.index, name(each.owner))) if each.owner else None)
            continue
        source = None
        if event.message is not None:
            message = run.messages[event.message]
            if message.sent_at is not None:
                by = run.events[message.sent_at].process
                source = sent_in.get((message.sent_at, name(message.sender))) if message.sender else None
                source = source or (sent_in.get((message.sent_at, name(by))) if by else None)
        put(event.index, own, source)
        if event.kind is not EventKind.DROP:
            for change in event.changes:
                if (event.index, name(change.process)) not in graph:
                    put(event.index, name(change.process), (event.index, own))
    return graph


@EVERY_RUN
def test_vector_clocks_say_what_happened_before_what(name: str) -> None:
    run = run_named(name)
    events = list(host_events(run))
    before = nx.transitive_closure_dag(happened_before(run))
    assert {(each.index, each.host) for each in events} == set(before)
    for one in events:
        for other in events:
            if one is not other:
                by_clock = all(count <= other.clock.get(host, 0) for host, count in one.clock.items())
                assert by_clock == before.has_edge((one.index, one.host), (other.index, other.host)), (one, other)


# Mermaid

needs_mermaid = pytest.mark.skipif(
    shutil.which("node") is None or not (HERE / "node_modules" / "mermaid").is_dir(),
    reason="Mermaid is not installed: npm ci --prefix tests/exchange",
)


@pytest.fixture(scope="module")
def understood() -> dict[str, Any]:
    """What Mermaid's own parser has understood of every run, in one process."""
    texts = [run_as_mermaid(run) for run in map(run_named, NAMES)]
    done = subprocess.run(
        ["node", str(HERE / "mermaid.mjs")], input=json.dumps(texts), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(NAMES, json.loads(done.stdout), strict=True))


def decoded(text: str) -> str:
    """Mermaid keeps entities in a form of its own until it draws them."""
    return re.sub(r"ﬂ°°(\d+)¶ß", lambda found: chr(int(found[1])), text)


@needs_mermaid
@EVERY_RUN
def test_mermaid_understands_each_delivery_as_one_arrow_and_each_loss_as_one_cross(name: str, understood: dict[str, Any]) -> None:
    run, seen = run_named(name), understood[name]
    kinds = {number: kind for kind, number in seen["lines"].items()}
    actors = {alias: decoded(text) for alias, text in seen["actors"]}
    drawn = [each for each in seen["messages"] if kinds[each["type"]] in ("SOLID", "DOTTED", "SOLID_CROSS")]
    expected = [
        (in_one_line(run.names[sender]) if sender else "not recorded", in_one_line(run.names[to]), in_one_line(text))
        for sender, to, text in arrivals(run)
    ]
    assert [(actors[each["from"]], actors[each["to"]]) for each in drawn] == [each[:2] for each in expected]
    assert all(text in decoded(each["message"]) for each, (*_, text) in zip(drawn, expected, strict=True))
    lost = sum(event.kind is EventKind.DROP for event in run.events)
    doubled = sum(len(each.received_at) - 1 for each in run.messages if each.received_at)
    assert Counter(kinds[each["type"]] for each in drawn) == Counter(
        {"SOLID_CROSS": lost, "DOTTED": doubled, "SOLID": len(drawn) - lost - doubled}
    )
    folded = {in_one_line(run.names[each.owner]) for each in run.processes if each.owner}
    assert {decoded(box).removesuffix(" with its scouts and commanders") for box, _ in seen["boxes"]} == folded


@needs_mermaid
def test_hostile_texts_are_only_texts_to_mermaid(understood: dict[str, Any]) -> None:
    seen = understood["hostile"]
    told = " | ".join(decoded(each.get("message") or "") for each in seen["messages"])
    assert [text for text in HOSTILE if in_one_line(text) not in told] == []
    assert len(seen["actors"]) == 4  # the three, and who is not recorded


# PlantUML


@EVERY_RUN
def test_plantuml_has_an_arrow_for_each_delivery_and_loss(name: str) -> None:
    run = run_named(name)
    text = run_as_plantuml(run)
    aliases = {alias: readable(name) for name, alias in re.findall(r'^participant "(.*)" as (\w+)$', text, re.M)}
    arrows = [
        (aliases[sender], aliases[to], readable(said)) for sender, _, to, said in re.findall(r"^(\w+) (--?>x?) (\w+) : (.*)$", text, re.M)
    ]
    expected = arrivals(run)
    assert [each[:2] for each in arrows] == [
        (in_one_line(run.names[sender]) if sender else "not recorded", in_one_line(run.names[to])) for sender, to, _ in expected
    ]
    assert all(in_one_line(told) in said for (*_, said), (*_, told) in zip(arrows, expected, strict=True))


def readable(text: str) -> str:
    return re.sub(r"<U\+([0-9A-F]{4,6})>", lambda found: chr(int(found[1], 16)), text)


@pytest.mark.skipif(shutil.which("plantuml") is None, reason="PlantUML is not installed: apt-get install plantuml")
def test_plantuml_takes_every_diagram(tmp_path: Path) -> None:
    for number, run in enumerate(map(run_named, NAMES)):
        (tmp_path / f"{number}.puml").write_text(run_as_plantuml(run), encoding="utf-8")
    (tmp_path / "wrong.puml").write_text("@startuml\nthis is no diagram\n@enduml\n", encoding="utf-8")
    files = [str(tmp_path / f"{number}.puml") for number in range(len(NAMES))]
    done = subprocess.run(["plantuml", "-charset", "UTF-8", "-checkonly", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = subprocess.run(["plantuml", "-checkonly", str(tmp_path / "wrong.puml")], capture_output=True, text=True, check=False)
    assert wrong.returncode != 0, "the check can fail"


def everything(run: Run) -> Iterator[str]:
    return iter((run_as_itf(run), run_as_shiviz(run), run_as_mermaid(run), run_as_plantuml(run)))


@ON_NETWORKS
def test_a_run_with_everything_in_it_is_told_in_every_format(network: str) -> None:
    """Crash, restart, reconfiguration, and what the network can do to a message."""
    run = eventful(network).run
    kinds = {event.kind for event in run.events}
    assert {EventKind.CRASH, EventKind.RESTART, EventKind.DELIVER} <= kinds
    assert (EventKind.DROP in kinds) == (network == "lossy")
    for text in everything(run):
        assert "crashes" in text
        assert "restarts" in text
        assert "reconfigure(L2)" in text or "c2" in text
        assert bool(re.search(r"\) (→ \S+ )?is lost", text)) == (network == "lossy")


def test_hostile_texts_leave_no_control_characters_in_any_format() -> None:
    for text in everything(hostile()):
        assert all(each.isprintable() or each == "\n" for each in text)
