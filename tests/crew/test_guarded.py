"""A library that ends the process of a search cannot make it say 0 or 1: nobody takes its exit code for a verdict."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from helpers import ROOT, environment, heed_ctrl_c

from pmmc_check.cli.guarded import needs_guard

GUARDED = """
import os, signal, sys, time
from pathlib import Path
from pmmc_check.cli.guarded import guarded

def waits():
    Path({noted!r}).write_text(str(os.getpid()))
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        return 3
    return 0

def terminated(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, terminated)
sys.exit(guarded({run}, sys.exit))
"""


def started(run: str, noted: Path) -> subprocess.Popen[str]:
    text = GUARDED.format(run=run, noted=str(noted))
    return subprocess.Popen(
        [sys.executable, "-c", text], cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c
    )


@pytest.mark.parametrize(
    ("run", "how"),
    [
        ("lambda: os._exit(1)", "with exit code 1"),
        ("lambda: os._exit(0)", "with exit code 0"),
        ("lambda: os.abort()", "by SIGABRT"),
        ("lambda: os.kill(os.getpid(), signal.SIGKILL)", "by SIGKILL"),
    ],
)
def test_what_ends_the_search_gives_no_verdict(run: str, how: str, tmp_path: Path) -> None:
    process = started(run, tmp_path / "noted")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert f"Ray has ended the search, {how}, so there is no verdict" in err


@pytest.mark.parametrize("code", [0, 1, 2, 3, 70])
def test_what_the_search_says_itself_is_the_exit_code(code: int, tmp_path: Path) -> None:
    process = started(f"lambda: {code}", tmp_path / "noted")
    assert (process.communicate(timeout=60)[1], process.returncode) == ("", code)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_passed_on(number: signal.Signals, tmp_path: Path) -> None:
    process = started("waits", tmp_path / "noted")
    _wait_for(tmp_path / "noted")
    process.send_signal(number)
    assert (process.communicate(timeout=30)[1], process.returncode) == ("", 3)


@pytest.mark.skipif(sys.platform != "linux", reason="only there a child is told of its parent's end")
def test_who_kills_the_command_kills_the_search(tmp_path: Path) -> None:
    process = started("waits", tmp_path / "noted")
    searching = int(_wait_for(tmp_path / "noted"))
    process.kill()
    process.communicate(timeout=30)
    until = time.monotonic() + 10
    while psutil.pid_exists(searching) and psutil.Process(searching).status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        time.sleep(0.02)
    assert not psutil.pid_exists(searching) or psutil.Process(searching).status() == psutil.STATUS_ZOMBIE


def _wait_for(noted: Path) -> str:
    until = time.monotonic() + 30
    while not (noted.exists() and noted.read_text()) and time.monotonic() < until:
        time.sleep(0.02)
    return noted.read_text()


def test_only_searches_with_workers_are_guarded() -> None:
    assert needs_guard(["explore", "--workers", "2"]) and needs_guard(["explore", "--cluster=ray://a:1"])
    assert not needs_guard(["explore", "--slots", "2"])
