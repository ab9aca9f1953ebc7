"""The same search gives the same answer, whatever the number of threads and the hash seed."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import VARYING, explore, options

SEARCHES: dict[str, list[str]] = {
    "holds": options(acceptors=2, leaders=2, replicas=1, slots=1, commands=2),
    "holds-unreduced": options(acceptors=1, leaders=2, replicas=2, slots=1, commands=2, reduce="none"),
    "holds-reliable": options(acceptors=2, leaders=1, replicas=2, slots=2, network="reliable"),
    "violated-accept-lower-ballot": options(acceptors=1, slots=1, commands=2, variant="accept-lower-ballot"),
    "violated-agreement": options(acceptors=1, slots=1, commands=2, variant="ignore-pmax", invariant="Agreement"),
    "violated-without-reductions": options(acceptors=1, slots=1, commands=2, variant="ignore-pmax", reduce="none"),
    "stopped-by-max-states": options(max_states=10_000),
    "stopped-by-max-depth": options(max_depth=14),
}


def _without_what_varies(answer: dict[str, Any]) -> dict[str, Any]:
    assert set(VARYING) <= set(answer)
    return {key: value for key, value in answer.items() if key not in VARYING}


def _answers(arguments: list[str], runs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [_without_what_varies(explore(*arguments, "--threads", threads, env={"PYTHONHASHSEED": seed})) for threads, seed in runs]


DEFAULT = {"holds", "violated-agreement"}


@pytest.mark.parametrize(
    "runs",
    [pytest.param([("1", "1"), ("2", "1")], marks=pytest.mark.slow), [("1", "1"), ("2", "77")]],
    ids=["threads", "threads and hash seed"],
)
@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in DEFAULT else [pytest.mark.slow]) for name in SEARCHES])
def test_the_output_depends_neither_on_threads_nor_on_the_hash_seed(name: str, runs: list[tuple[str, str]]) -> None:
    first, *others = _answers(SEARCHES[name], runs)
    assert first["verdict"] == {"h": "holds", "v": "violated", "s": "inconclusive"}[name[0]]
    for other in others:
        assert other == first


def test_the_default_configuration_gives_the_same_output_with_one_thread_and_with_two() -> None:
    first, second = _answers(options(acceptors=3, slots=2), [("1", "1"), ("2", "2")])
    assert first == second
    assert first["verdict"] == "holds"


def test_the_reference_search_does_not_depend_on_the_hash_seed() -> None:
    arguments = options(acceptors=1, slots=1, commands=2, replicas=1, variant="accept-lower-ballot", engine="reference")
    first, second = (_without_what_varies(explore(*arguments, env={"PYTHONHASHSEED": seed})) for seed in ("1", "2"))
    assert first == second
    assert first["verdict"] == "violated"
