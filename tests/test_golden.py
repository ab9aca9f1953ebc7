"""Exact counts without reductions, which an independent TLA+ module under TLC has confirmed (specs/golden.json)."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import GOLDEN, NETWORKS, compiled, explored, label, options, reference

from pmmc_check.config import Config

SLOW_FROM, REFERENCE_BELOW = 200_000, 4_000
PROTOCOL_PAGE = [
    ({"acceptors": 3, "leaders": 1, "replicas": 1, "slots": 1, "commands": 1, "rounds": 1}, 1_664, 20),
    ({"acceptors": 1, "leaders": 1, "replicas": 2, "slots": 2, "commands": 2, "rounds": 1}, 132_820, 23),
]


def _counts(entry: dict[str, int]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in ("distinct_states", "depth")}


def _marked(entry: dict[str, int]) -> Any:
    marks = [pytest.mark.slow] if entry["distinct_states"] > SLOW_FROM else []
    return pytest.param(entry, id=label(_counts(entry)), marks=marks)


@pytest.mark.parametrize("entry", [_marked(entry) for entry in GOLDEN])
def test_the_compiled_search_without_reductions_finds_the_golden_counts(entry: dict[str, int]) -> None:
    _, result = compiled(Config(**_counts(entry)), reduce="none")
    assert (result.verdict, result.distinct_states, result.depth) == ("holds", entry["distinct_states"], entry["depth"])


@pytest.mark.parametrize("entry", [_marked(entry) for entry in GOLDEN if entry["distinct_states"] < REFERENCE_BELOW])
def test_the_reference_search_finds_the_golden_counts(entry: dict[str, int]) -> None:
    result = reference(Config(**_counts(entry)))
    assert (result.verdict, result.distinct_states, result.depth) == ("holds", entry["distinct_states"], entry["depth"])


@pytest.mark.parametrize(("counts", "distinct_states", "depth"), PROTOCOL_PAGE, ids=[label(counts) for counts, _, _ in PROTOCOL_PAGE])
def test_the_command_prints_the_counts_of_the_protocol_page(
    counts: dict[str, int], distinct_states: int, depth: int, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = explored(capsys, *options(**counts), "--reduce", "none")
    assert (answer["verdict"], answer["distinct_states"], answer["depth"]) == ("holds", distinct_states, depth)


def test_the_reference_search_of_the_command_prints_the_first_count_of_the_protocol_page(capsys: pytest.CaptureFixture[str]) -> None:
    counts, distinct_states, depth = PROTOCOL_PAGE[0]
    answer = explored(capsys, *options(**counts), "--engine", "reference")
    assert (answer["verdict"], answer["distinct_states"], answer["depth"]) == ("holds", distinct_states, depth)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "counts", [pytest.param(_counts(e), id=label(_counts(e))) for e in GOLDEN if e["distinct_states"] < REFERENCE_BELOW]
)
def test_both_engines_agree_on_counts_depth_and_steps_of_each_kind(counts: dict[str, Any], network: str) -> None:
    config = Config(**counts, network=network)
    plain, (_, fast) = reference(config), compiled(config, reduce="none")
    assert (plain.verdict, plain.distinct_states, plain.depth, plain.generated_states) == (
        fast.verdict,
        fast.distinct_states,
        fast.depth,
        fast.generated_states,
    )
    assert {a: n for a, n in plain.coverage.items() if n} == {a: n for a, n in fast.coverage.items() if n}
