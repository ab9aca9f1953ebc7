"""The command `run` as tests start it, and the nodes that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import psutil
from helpers import ROOT

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
COMMAND = [sys.executable, "-m", "pmmc_check", "run", "--quiet"]


def ran(*options: str, code: int = 0, timeout: float = 90) -> dict[str, Any]:
    done = subprocess.run(
        [*COMMAND, "--format", "json", *options], env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def assert_right(found: dict[str, Any], requests: int = 50) -> None:
    assert found["failures"] == []
    assert (found["verdict"], found["answered"], found["linearizable"]) == ("accepted", requests, True)
    assert len(set(found["replicas"].values())) == 1


def nodes_of_command(process: psutil.Process) -> list[psutil.Process]:
    """What the command has started, and what that has."""
    return process.children(recursive=True)
