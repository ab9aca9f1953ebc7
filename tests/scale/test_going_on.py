"""A search that was stopped goes on where it was, and ends with the report that it would have given at once."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from helpers import small

from pmmc_check.checker import frontier
from pmmc_check.config import Config
from pmmc_check.protocol.variants.catalogue import protocol_with
from scale.kept import searched

CONFIG = small(acceptors=2, leaders=2, replicas=2, commands=2)
SEARCHES: dict[str, tuple[Config, dict[str, Any]]] = {
    "holds": (CONFIG, {}),
    "nothing reduced": (small(leaders=2, commands=2), {"reduce": "none"}),
    "steps of several weights": (small(leaders=2, replicas=2, commands=2), {"reduce": "inert,deferral"}),
    "reliable": (small(acceptors=2, leaders=2, network="reliable"), {"reduce": "none"}),
    "fifo": (small(acceptors=2, leaders=2, network="fifo"), {}),
    "crashes": (small(acceptors=3, crashes=1, restarts=1), {}),
    "violated": (small(leaders=2, replicas=2, commands=2), {"protocol": protocol_with(["ignore-pmax"])}),
    "violated by one process": (CONFIG, {"protocol": protocol_with(["accept-lower-ballot"])}),
    "runs that end badly": (
        small(replicas=2, slots=2, commands=2, network="reliable"),
        {"names": ["Progress"], "protocol": protocol_with(["drop-loser"])},
    ),
    "runs that never end": (
        small(leaders=2, replicas=1, commands=1, network="reliable"),
        {"names": ["Progress"], "protocol": protocol_with(["no-ballot-bump"])},
    ),
    "walks": (small(leaders=2, replicas=2, slots=2, rounds=2), {"walks": True}),
}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that searches stop in the middle of a level, too."""
    monkeypatch.setattr(frontier, "BATCH_STATES", 100)


@pytest.mark.parametrize("name", SEARCHES)
def test_it_ends_with_the_same_report(name: str, tmp_path: Path) -> None:
    config, how = SEARCHES[name]
    last = 3_000 if "walks" in how else None
    whole = searched(config, None, [last], **how)
    total = whole.distinct_states
    stops = sorted(random.Random(name).sample(range(1, total), 4))
    assert searched(config, tmp_path, [*stops, last], **how) == whole


def test_the_checkpoints_in_between_change_nothing(tmp_path: Path) -> None:
    whole = searched(CONFIG)
    assert searched(CONFIG, tmp_path / "kept", every_seconds=0.0) == whole
    (search,) = (each for each in (tmp_path / "kept").iterdir() if each.is_dir())
    (newest,) = search.iterdir()  # the ones before are gone
    assert int(newest.name) > 5
