"""kill -9 at any moment: the search goes on, and its report is that of a search which nothing has stopped."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, VARYING, environment, explore, options

from scale.kept import REDUCED


def _reported(text: str) -> dict[str, Any]:
    return {key: value for key, value in json.loads(text).items() if key not in (*VARYING, "checkpoints")}


def _started(kept: Path, search: list[str]) -> subprocess.Popen[str]:
    both = ["--checkpoint", str(kept), "--resume", str(kept), "--checkpoint-every", "0.0001"]
    return subprocess.Popen(
        [sys.executable, "-m", "pmmc_check", "explore", "--format", "json", "--quiet", *search, *both],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _newest(kept: Path) -> str:
    return max((each.name for each in kept.glob("*/0*")), default="")


def test_a_search_that_is_killed_ends_with_the_same_report(tmp_path: Path) -> None:
    search = options(reduce=REDUCED, acceptors=2, leaders=2, replicas=2, slots=2, commands=2)
    for _ in range(2):
        before = _newest(tmp_path)
        process = _started(tmp_path, search)
        while process.poll() is None and _newest(tmp_path) <= before:
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    out, err = _started(tmp_path, search).communicate()
    assert json.loads(out)["checkpoints"]["resumed"], err
    assert _reported(out) == _reported(json.dumps(explore(*search)))


@pytest.mark.slow
def test_twenty_kills_at_random_moments(tmp_path: Path) -> None:
    """A search that ends before it is killed is compared, and the next begins anew: so that the moments are spread over all of it."""
    search = ["--reduce", REDUCED]
    whole = _reported(json.dumps(explore(*search)))
    moments = random.Random(16)
    killed = ended = 0
    while killed < 20 or not ended:
        process = _started(tmp_path / f"{ended}", search)
        try:
            out, _ = process.communicate(timeout=moments.uniform(0.2, 6) if killed < 20 else None)
            assert _reported(out) == whole
            ended += 1
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
    out, err = _started(tmp_path / f"{ended}", search).communicate()
    assert _reported(out) == whole, err
