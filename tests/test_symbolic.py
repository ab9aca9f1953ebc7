"""The symbolic engine says exactly what the explicit ones say: states, transitions, facts, verdicts, shortest counterexamples."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from helpers import GOLDEN, ROOT, VARYING, assert_one_clear_line, compiled, explore, in_process, label, options, small

from pmmc_check.checker import chosen as chosen_module
from pmmc_check.checker.matrix import config_of
from pmmc_check.checker.memory import resident_bytes
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Limits, Result
from pmmc_check.checker.symbolic import diagrams as diagrams_module
from pmmc_check.checker.symbolic.events import FULL
from pmmc_check.checker.symbolic.layout import COUNT, IN_ALL, IN_SOME, UNIT
from pmmc_check.checker.symbolic.level_sets import has_level
from pmmc_check.checker.symbolic.search import SymbolicSearch
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import INVARIANTS, invariants_named
from pmmc_check.properties.observe import Observed
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.variants.catalogue import VARIANTS, Variant, combined
from pmmc_check.report.explore_text import as_text

CONFIRMED: list[dict[str, Any]] = json.loads((ROOT / "specs" / "golden-faults.json").read_text())
SLOW_FROM = 20_000_000
SMALL = [
    {"acceptors": 2, "commands": 2},
    {"leaders": 2, "replicas": 2, "commands": 2},
    {"slots": 2, "commands": 2, "replicas": 2},
    {"leaders": 2, "rounds": 2},
]
FAULTY = [
    {"leaders": 2, "crashes": 1, "restarts": 1, "network": "duplicating"},
    {"acceptors": 2, "crashes": 2, "restarts": 1, "network": "lossy"},
    {"crashes": 1, "network": "fifo"},
    {"slots": 2, "window": 1, "commands": 1, "reconfigurations": 1, "network": "reliable"},
]
LEVELS = pytest.mark.parametrize("messages", [True, False], ids=["messages", "views"])
"""Whether each message has a level, or each view."""
REDUCE = [
    "none",
    "inert,halting,deferral",
    *(pytest.param(each, marks=pytest.mark.slow) for each in ("inert", "inert,halting", "deferral")),
]


def symbolic(config: Config, protocol: Protocol = PMMC, reduce: str = "all", **more: Any) -> tuple[SymbolicSearch, Result]:
    """Runs the symbolic search with the reductions that are sound; returns it, for its tables, and its result."""
    model, invariants = Model(config, protocol), invariants_named(more.pop("invariants", ()))
    reductions, _ = applicable(reductions_named(reduce), model, invariants)
    search = SymbolicSearch(model, invariants, Control(more.pop("limits", Limits())), reductions, **more)
    return search, search.run()


def counted(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in ("distinct_states", "depth")}


def golden(entry: dict[str, Any]) -> Any:
    marks = [pytest.mark.slow] if entry["distinct_states"] > SLOW_FROM else []
    return pytest.param(entry, id=label(counted(entry)), marks=marks)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("entry", [golden(entry) for entry in [*GOLDEN, *CONFIRMED]])
@LEVELS
def test_the_golden_counts(entry: dict[str, Any], messages: bool) -> None:
    _, result = symbolic(Config(**counted(entry)), reduce="none", messages=messages)
    assert (result.verdict, result.distinct_states) == ("holds", entry["distinct_states"])


def facts(observed: Iterable[Observed]) -> set[Any]:
    """The combinations of facts that were evaluated; processes count by their role, as both engines may see them."""
    return {frozenset(Counter((process.role, seen) for process, seen in each.items()).items()) for each in observed}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("reduce", REDUCE)
@pytest.mark.parametrize("network", ["duplicating", "reliable", "lossy", "fifo"])
@pytest.mark.parametrize("counts", SMALL, ids=[label(counts) for counts in SMALL])
def test_states_transitions_steps_and_facts_are_those_of_the_compiled_search(counts: dict[str, Any], network: str, reduce: str) -> None:
    same_as_compiled(small(**counts, network=network), reduce)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("network", ["duplicating", "reliable", "lossy", "fifo"])
@pytest.mark.parametrize("counts", SMALL, ids=[label(counts) for counts in SMALL])
def test_levels_for_views_show_the_same_without_reductions(counts: dict[str, Any], network: str) -> None:
    same_as_compiled(small(**counts, network=network), "none", messages=False)


@pytest.mark.parametrize("reduce", REDUCE)
@pytest.mark.parametrize("counts", FAULTY, ids=[label(counts) for counts in FAULTY])
def test_faults_and_reconfigurations_too(counts: dict[str, Any], reduce: str) -> None:
    same_as_compiled(small(**counts), reduce)


def same_as_compiled(config: Config, reduce: str, **more: Any) -> None:
    search, result = symbolic(config, reduce=reduce, **more)
    explicit, expected = compiled(config, reduce=",".join(result.reductions) or "none")
    assert (result.verdict, result.distinct_states, result.generated_states) == (
        expected.verdict,
        expected.distinct_states,
        expected.generated_states,
    )
    taken, expected_taken = ({a: n for a, n in each.coverage.items() if n} for each in (result, expected))
    if "deferral" in result.reductions:  # which of several equally short paths a step stands for is left open
        assert sum(taken.values()) == sum(expected_taken.values())
    else:
        assert taken == expected_taken
    assert result.unneeded == expected.unneeded
    assert facts(search.relations.observed.values()) == facts(explicit.known.observed.values())


def of_variant(variant: Variant) -> Any:
    config = config_of(variant.smallest)
    large = config.acceptors * config.leaders * config.rounds > VARIANT_SIZE_MAX or config.slots * config.rounds > VARIANT_SIZE_MAX // 2
    return pytest.param(variant, id=variant.name, marks=[pytest.mark.slow] * (large or variant.name in LIKE_ANOTHER))


VARIANT_SECONDS_MAX = 2.0
VARIANT_SIZE_MAX = 6
LIKE_ANOTHER = ("scout-keeps-last", "scout-counts-twice", "commander-counts-twice", "stale-adopted")
"""Large too, and of a role of which the default suite tries another fault: scout-half, commander-half, ignore-pmax."""


@pytest.mark.parametrize("variant", [of_variant(variant) for variant in VARIANTS.values()])
def test_of_every_variant_it_finds_what_the_compiled_search_finds(variant: Variant) -> None:
    """Some faults make so many more states that the whole of them is out of reach: then it must say so. Some more are slow tests."""
    config, protocol = config_of(variant.smallest), combined([variant])
    for name in [each for each in variant.breaks if each in INVARIANTS]:
        _, result = symbolic(config, protocol, invariants=[name], limits=Limits(seconds_max=VARIANT_SECONDS_MAX))
        if result.limit is not None:
            assert result.verdict == "inconclusive"
            continue
        _, expected = compiled(config, protocol, invariants=[name], reduce=reduce_for(config, protocol))
        assert result.violation is not None and expected.violation is not None
        assert (result.verdict, result.violation.invariant) == ("violated", name)
        assert len(result.violation.trace) == len(expected.violation.trace)
    if variant.safe:
        names = [name for name in DEFAULT if name not in variant.waives]
        _, result = symbolic(config, protocol, invariants=names, limits=Limits(seconds_max=VARIANT_SECONDS_MAX))
        assert result.verdict == ("holds" if result.limit is None else "inconclusive")


DEFAULT = [each.name for each in invariants_named(())]


def reduce_for(config: Config, protocol: Protocol) -> str:
    reductions, _ = applicable(reductions_named("all"), Model(config, protocol))
    return ",".join(reductions.names) or "none"


@LEVELS
@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_levels_changes_no_count(seed: int, messages: bool) -> None:
    config = small(leaders=2, replicas=2, commands=2)
    order = list(range(len(Model(config).processes)))
    random.Random(seed).shuffle(order)
    _, shuffled = symbolic(config, reduce="none", order=order, messages=messages)
    _, usual = symbolic(config, reduce="none")
    assert (shuffled.distinct_states, shuffled.generated_states) == (usual.distinct_states, usual.generated_states)
    assert shuffled.coverage == usual.coverage


@pytest.mark.parametrize("counts", [{"acceptors": 2, "leaders": 2, "commands": 2}, {"replicas": 2, "slots": 2, "commands": 2}], ids=label)
@pytest.mark.parametrize(("nodes", "live", "lines"), [(64, 0.25, 64), (256, 0.8, 16), (256, 0.8, 8192), (1024, 0.5, 8192)])
def test_garbage_collection_and_small_caches_change_no_count(
    counts: dict[str, Any], nodes: int, live: float, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small(**counts)
    _, usual = symbolic(config, reduce="none")
    monkeypatch.setattr(diagrams_module, "NODES_FIRST", nodes)
    monkeypatch.setattr(diagrams_module, "_LIVE_MAX", live)
    monkeypatch.setattr(diagrams_module, "_LINES_MAX", lines)
    search, crowded = symbolic(config, reduce="none")
    assert search.diagrams.collections > 1
    assert (crowded.distinct_states, crowded.generated_states, crowded.coverage) == (
        usual.distinct_states,
        usual.generated_states,
        usual.coverage,
    )
    assert crowded.distinct_states == {2: 670_778, 1: 132_820}[config.acceptors]


@pytest.mark.parametrize("network", ["duplicating", "reliable", "fifo"])
def test_of_each_node_it_is_known_on_which_levels_some_and_all_of_its_vectors_have_a_message(network: str) -> None:
    search, _ = symbolic(small(leaders=2, commands=2, network=network), reduce="none", messages=True)
    diagrams, events = search.diagrams, search.events
    some: dict[int, set[int]] = {UNIT: set()}
    every: dict[int, set[int]] = {UNIT: set()}
    rows = [row for row in range(UNIT + 1, diagrams.rows) if diagrams.node[row, COUNT]]
    for row in sorted(rows, key=lambda row: events.height(diagrams.level(row))):
        level = diagrams.level(row)
        absent, edges = events.absent(level), diagrams.edges(row)
        here = [{level} if absent not in (FULL, value) else set() for value, _ in edges]
        some[row] = set().union(*here, *(some[child] for _, child in edges))
        every[row] = set.intersection(*(own | every[child] for own, (_, child) in zip(here, edges, strict=True)))
        for column, expected in ((IN_SOME, some[row]), (IN_ALL, every[row])):
            number = diagrams.node[row, column]
            assert {each for each in range(events.levels + 1) if has_level(diagrams.sets, number, each)} == expected
    assert len(rows) > 100


LIMITS = {
    "time": (Limits(seconds_max=1e-9), "1e-09 seconds (--time-limit) have passed"),
    "memory": (Limits(memory_bytes_max=1), "take a smaller configuration, or raise --max-memory"),
}


@pytest.mark.parametrize(("limits", "text"), LIMITS.values(), ids=LIMITS)
def test_a_limit_makes_the_verdict_inconclusive_and_is_named(limits: Limits, text: str) -> None:
    config = small(leaders=2)
    _, result = symbolic(config, limits=limits)
    assert result.verdict == "inconclusive"
    assert result.limit is not None and text in result.limit
    assert as_text(result, Model(config)).startswith("INCONCLUSIVE")


def test_a_memory_limit_ends_a_search_that_grows_and_says_what_to_do() -> None:
    room = 100 << 20
    limits = Limits(memory_bytes_max=resident_bytes() + room)
    search, result = symbolic(small(acceptors=3, leaders=2, slots=2), reduce="none", limits=limits)
    assert (result.verdict, result.violation) == ("inconclusive", None)
    assert result.limit is not None
    assert "raise --max-memory" in result.limit
    assert result.distinct_states >= 1
    assert search.diagrams.bytes < room


def test_a_diagram_with_more_nodes_than_can_be_numbered_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagrams_module, "NODES_FIRST", 256)
    monkeypatch.setattr(diagrams_module, "_ROWS_MAX", 4000)
    _, result = symbolic(small(acceptors=2, leaders=2, commands=2), reduce="none")
    assert (result.verdict, result.violation) == ("inconclusive", None)
    assert result.limit is not None
    assert result.limit.startswith("memory: the decision diagram has more nodes")
    assert 1 < result.distinct_states < 670_778


@pytest.mark.parametrize("reduce", ["none", "inert,halting,deferral"])
def test_a_counterexample_is_the_same_on_every_run(reduce: str) -> None:
    asked = [*options(acceptors=1, leaders=2, replicas=2, slots=1, commands=2), "--variant", "echo-ballot", "--engine", "symbolic"]
    first, second = (explore(*asked, "--reduce", reduce, env={"PYTHONHASHSEED": seed}) for seed in "12")
    assert (first["verdict"], len(first["violation"]["steps"]), first["depth"]) == ("violated", 14, 15)
    assert same(first) == same(second)


def same(answer: dict[str, Any]) -> dict[str, Any]:
    """What must not differ between two runs."""
    return {key: value for key, value in answer.items() if key not in VARYING}


@pytest.mark.parametrize("after", [1, 3, 6, 12])
def test_a_search_stopped_half_way_says_how_many_states_it_has_found(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagrams_module, "FUEL_FULL", 200)
    config, calls = small(leaders=2, replicas=2, commands=2), 0
    control = Control(Limits())
    search = SymbolicSearch(Model(config), invariants_named(()), control, reductions_named("none"))
    watch = search.diagrams.watch

    def stop_later(more_bytes: int) -> bool:
        nonlocal calls
        calls += 1
        control.stop = calls >= after
        return watch(more_bytes)

    search.diagrams.watch = stop_later
    result = search.run()
    assert (result.verdict, result.limit) == ("inconclusive", "interrupted")
    assert 1 < result.distinct_states < 186_808
    assert as_text(result, Model(config)).startswith("INCONCLUSIVE")


def test_the_command_reports_the_diagram_and_no_depth_and_the_same_in_another_process(capsys: pytest.CaptureFixture[str]) -> None:
    counts = options(acceptors=2, leaders=2, replicas=2, slots=1, commands=2)
    asked = [*counts, "--reduce", "none", "--engine", "symbolic"]
    first = json.loads(in_process(capsys, "explore", *asked, "--format", "json").stdout)
    second = explore(*asked, env={"PYTHONHASHSEED": "1"})
    assert (first["verdict"], first["distinct_states"], first["depth"]) == ("holds", 12_790_938, None)
    assert first["diagram"]["nodes"] < 5_000
    assert same(first) == same(second)
    text = in_process(capsys, "explore", *counts, "--engine", "symbolic").stdout
    assert "nodes" in text
    assert "collision" not in text
    assert "depth" not in text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--max-states", "5"], "--max-states 5: the symbolic engine meets no states one by one"),
        (["--max-depth", "5"], "--max-depth 5: the symbolic engine meets no states one by one"),
        (["--strategy", "random", "--time-limit", "1"], "leave --engine symbolic out"),
    ],
)
def test_what_needs_single_states_is_refused(given: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_clear_line(in_process(capsys, "explore", "--engine", "symbolic", *given), expected)


@pytest.mark.parametrize(
    ("states_first", "given", "engine"),
    [
        (1_000_000, "--reduce none", "compiled"),
        (100, "--reduce none", "symbolic"),
        (1, "--reduce inert", "compiled"),
        (1, "--reduce none --network reliable", "compiled"),
        (1, "--reduce none --network fifo", "compiled"),
    ],
)
def test_auto_begins_with_single_states_and_goes_on_with_a_diagram_where_nothing_is_reduced_or_forgotten(
    states_first: int, given: str, engine: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chosen_module, "STATES_FIRST", states_first)
    counts = options(acceptors=1, leaders=2, replicas=1, slots=1, commands=2)
    run = in_process(capsys, "explore", *counts, *given.split(), "--engine", "auto", "--format", "json")
    answer = json.loads(run.stdout)
    assert (answer["verdict"], answer["engine"]) == ("holds", engine)
    if given == "--reduce none":
        assert answer["distinct_states"] == 8_424


@pytest.mark.parametrize("given", [["--max-depth", "5"], ["--max-states", "50"], ["--invariant", "Progress", "--network", "reliable"]])
def test_auto_takes_single_states_where_these_are_asked_for(
    given: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chosen_module, "STATES_FIRST", 1)
    counts = options(acceptors=1, leaders=1, replicas=1, slots=1, commands=1)
    run = in_process(capsys, "explore", *counts, "--reduce", "none", "--engine", "auto", "--format", "json", *given)
    assert json.loads(run.stdout)["engine"] == "compiled"
