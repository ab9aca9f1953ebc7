"""A check that hangs, eats memory or crashes harms no other, and no process is left behind, however the gate ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from helpers import ROOT, environment, heed_ctrl_c, in_process

MODULES = {
    "hangs": "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(987.25)'], start_new_session=True)\n"
    "while True: pass\n",
    "eats": "hoard = []\nwhile True: hoard.append(bytearray(10**7))\n",
    "crashes": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
}
"""What roles of one's own may do when they are imported."""


def configuration(folder: Path, *names: str) -> None:
    for name in names:
        (folder / f"{name}.py").write_text(MODULES[name])
    entries = [
        f'[[check]]\nname = "{name}"\nexplore = {{protocol = "{name}:Role"}}\n' + ("time_limit = 2\n" if name == "hangs" else "")
        for name in names
    ]
    good = f'[[check]]\nname = "good"\nfiles = ["{ROOT / "traces" / "good-one-command.pmmc"}"]\n'
    (folder / "pmmc-check.toml").write_text("[gate]\ntime_limit = 60\nmemory_limit = 400\n" + "".join(entries) + good)


def left_behind(folder: Path) -> list[str]:
    """Processes that work in the folder."""
    found = []
    for each in psutil.process_iter():
        try:
            if Path(each.cwd()) == folder and each.status() != psutil.STATUS_ZOMBIE and each.pid != psutil.Process().pid:
                found.append(" ".join(each.cmdline()))
        except psutil.Error:
            continue
    return found


def test_bad_checks_harm_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configuration(tmp_path, *MODULES)
    done = in_process(capsys, "gate", "--format", "json")
    found = {each["name"]: (each["verdict"], each["reason"]) for each in json.loads(done.stdout)["checks"]}
    good = found.pop(next(name for name in found if name.endswith("good-one-command.pmmc")))
    assert good == ("accepted", None)
    assert found["hangs"] == ("inconclusive", "time limit of 2 s")
    assert found["eats"] == ("inconclusive", "memory limit of 400 MiB")
    assert found["crashes"] == ("crashed", "its process was ended by SIGKILL")
    assert done.returncode == 1
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_gate_with_what_is_known_and_leaves_no_process(tmp_path: Path, number: int) -> None:
    configuration(tmp_path, "hangs")
    text = (tmp_path / "pmmc-check.toml").read_text().replace("time_limit = 2\n", "time_limit = 500\n")
    (tmp_path / "pmmc-check.toml").write_text(text)
    gate = subprocess.Popen(
        [sys.executable, "-m", "pmmc_check", "gate", "--jobs", "2", "--no-cache", "--junit", "out.xml"],
        cwd=tmp_path,
        env=environment({"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    )
    assert gate.stdout is not None
    first = gate.stdout.readline()
    assert "accepted" in first
    until = time.monotonic() + 20
    while not any("987.25" in each for each in left_behind(tmp_path)) and time.monotonic() < until:
        time.sleep(0.05)
    gate.send_signal(number)
    rest = gate.stdout.read()
    assert gate.wait(20) == 3
    assert "interrupted" in rest and "1 check: 1 ok" in rest
    assert 'tests="1"' in (tmp_path / "out.xml").read_text()
    assert left_behind(tmp_path) == []


def test_only_inconclusive_is_exit_code_3_unless_it_is_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    entry = '[[check]]\nname = "short"\nexplore = {slots = 3, max_states = 1, engine = "reference"}\n'
    Path("pmmc-check.toml").write_text(entry)
    assert in_process(capsys, "gate").returncode == 3
    Path("pmmc-check.toml").write_text(entry + "allow_inconclusive = true\n")
    allowed = in_process(capsys, "gate")
    assert allowed.returncode == 0
    assert "ok (inconclusive, allowed): short" in allowed.stdout
