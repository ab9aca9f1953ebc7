"""Pages, graphs, exports and notebooks of the API's results: what the command writes, as values."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, in_process

import pmmc_check

SIZE: dict[str, Any] = {"acceptors": 1, "leaders": 1, "replicas": 1, "slots": 1}
FAULTY: dict[str, Any] = {"acceptors": 1, "slots": 1, "commands": 2, "variants": ["ignore-pmax"], "invariants": ["Agreement"]}
REACHABLE = r"\E c \in Commands : Decided(1, c)"


def on_the_command_line(options: dict[str, Any]) -> list[str]:
    singular = {"variants": "variant", "invariants": "invariant"}
    pairs = [(singular.get(name, name), value[0] if isinstance(value, list) else value) for name, value in options.items()]
    return [part for name, value in pairs for part in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def broken() -> pmmc_check.Exploration:
    return pmmc_check.explore(**FAULTY)


class Outline(HTMLParser):
    """Whether each element is closed where it should be; the texts, and the names of all elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_pages_exports_graphs_and_tla_files_are_those_of_the_command(
    broken: pmmc_check.Exploration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    files = ["--export", "run.mmd", "--export", "run.puml", "--export", "run.shiviz", "--export-tla", "tla", "--html", "run.html"]
    assert in_process(capsys, "explore", *on_the_command_line(FAULTY), *files, "--quiet").returncode == 1
    for form, name in (("mermaid", "run.mmd"), ("plantuml", "run.puml"), ("shiviz", "run.shiviz")):
        assert broken.export(form) == Path(name).read_text(encoding="utf-8")  # type: ignore[arg-type]
    assert {each.name: each.read_text(encoding="utf-8") for each in Path("tla").iterdir()} == broken.tla()
    assert len(broken.page().splitlines()) == len(Path("run.html").read_text(encoding="utf-8").splitlines())
    assert "counterexample: Agreement" in broken.page()


def test_a_graph_is_that_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    in_process(capsys, "explore", *on_the_command_line(SIZE), "--quiet", "--graph", "a.json", "--observe", "decided", "--find", REACHABLE)
    graph = pmmc_check.explore(**SIZE, find=[REACHABLE]).graph(observe=["decided"])
    assert graph.text("json") == Path("a.json").read_text(encoding="utf-8")
    assert graph.write("a.dot").read_text(encoding="utf-8") == graph.text("dot")
    assert (graph.nodes, graph.limit) == (2, None)
    whole = pmmc_check.explore(**SIZE, reduce="none")
    assert whole.graph().nodes == whole.distinct_states
    cut = whole.graph(max_depth=2)
    assert cut.nodes < whole.distinct_states and "--max-depth" in (cut.limit or "")


def test_counts_for_tlc_are_there_where_all_states_were_counted() -> None:
    counted, reduced = (pmmc_check.explore(**SIZE, reduce=each) for each in ("none", "all"))
    assert json.loads(counted.tla()["expected.json"])["distinct_states"] == counted.distinct_states
    assert json.loads(reduced.tla()["expected.json"])["distinct_states"] is None


def test_without_a_run_there_is_nothing_to_export_and_what_makes_no_sense_is_refused(broken: pmmc_check.Exploration) -> None:
    holds = pmmc_check.explore(**SIZE)
    assert holds.export("mermaid") is None and holds.shown is None
    with pytest.raises(pmmc_check.UsageError, match=r"format='mermade': expected one of itf, .* \(did you mean mermaid\?\)"):
        broken.export("mermade")  # type: ignore[arg-type]
    with pytest.raises(pmmc_check.UsageError, match="states_max=3: there are more than 3 states"):
        holds.graph(states_max=3)
    with pytest.raises(pmmc_check.UsageError, match="there is nothing of that name to see"):
        holds.graph(observe="dicided")
    with pytest.raises(pmmc_check.UsageError, match="form='pdf': expected one of dot"):
        holds.graph().text("pdf")
    with pytest.raises(pmmc_check.UsageError, match="TLC is given no state constraint"):
        pmmc_check.explore(**SIZE, constraints=["TRUE"]).tla()


@pytest.mark.slow
def test_a_result_for_every_number_of_slots_has_a_page_and_no_graph() -> None:
    found = pmmc_check.explore(slots="any", acceptors=1, ballots=2, variants=["ignore-pmax"], invariants=["Agreement"])
    assert "every number of slots" in found.page()
    assert (found.export("mermaid") or "").startswith("sequenceDiagram")
    assert Outline(found._repr_html_()).texts[0] == "violated"
    for method in (found.graph, found.tla):
        with pytest.raises(pmmc_check.UsageError, match="this result is for every number of slots; give a number of slots"):
            method()


def test_a_notebook_shows_verdict_reasons_the_run_and_the_report(broken: pmmc_check.Exploration) -> None:
    shown = Outline(broken._repr_html_())
    assert shown.texts[0] == "violated"
    assert "two different commands are decided in slot 1" in shown.texts[1]
    assert "p2a(0.L1, 1, c2) → A1" in shown.texts
    assert broken.text(120) in shown.texts
    assert not {"script", "iframe", "img", "link", "style"} & set(shown.seen), "it stands by itself"


def test_what_a_user_wrote_cannot_become_html() -> None:
    found = pmmc_check.explore(**SIZE, find=[r"\A a \in Acceptors : acceptor[a].ballot # BOTTOM /\ 1 < 2"])
    (witness,) = found.witnesses
    for html in (found._repr_html_(), witness._repr_html_()):
        shown = Outline(html)
        assert any("/\\ 1 < 2" in each for each in shown.texts)
    assert Outline(witness._repr_html_()).texts[0] == "reached"
    assert (witness.export("mermaid") or "").startswith("sequenceDiagram")


def test_traces_and_gates_have_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    bad, good = ROOT / "traces" / "bad-window.pmmc", ROOT / "traces" / "good-one-command.pmmc"
    one, both = pmmc_check.validate(bad), pmmc_check.validate(good, bad)
    in_process(capsys, "validate", str(bad), "--export", "a.mmd", "--html", "a.html", "--quiet")
    assert one.export("mermaid") == Path("a.mmd").read_text(encoding="utf-8")
    assert one.page(str(bad)) == Path("a.html").read_text(encoding="utf-8")
    shown = Outline(both._repr_html_())
    assert shown.texts[0] == "rejected" and str(good) in shown.texts
    with pytest.raises(pmmc_check.UsageError, match="it writes one run, and there are 2 traces"):
        both.export("mermaid")
    Path("none.pmmc").write_text("no trace\n")
    with pytest.raises(pmmc_check.UsageError, match=r"none\.pmmc"):
        pmmc_check.validate("none.pmmc").export("itf")
    report = pmmc_check.gate(bad, remember=False)
    assert Outline(report._repr_html_()).texts[0] == "not as expected"
    assert "bad-window" in report.page()
