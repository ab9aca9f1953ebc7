"""The same with workers that are processes of Ray. Most of it is slow: Ray takes ten seconds to come up."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from helpers import VARYING, assert_one_clear_line, command, in_process

from pmmc_check.checker.crew.actors import Actors
from pmmc_check.checker.crew.search import CrewSearch
from pmmc_check.checker.result import Result, Snapshot

from .test_workers import ASKED, Asked, alone, comparable, prepared

SMALL = ["explore", "--acceptors", "1", "--slots", "1", "--commands", "2", "--format", "json", "--quiet"]
ALIKE = [*SMALL, "--reduce", "inert,deferral,halting,symmetry"]
"""What one process does, too, if it leaves commuting out."""


@pytest.mark.parametrize(("arguments", "said"), [
    (["--workers", "2", "--engine", "symbolic"], "workers are for the compiled engine"),
    (["--workers", "2", "--strategy", "iterative"], "workers are for the exhaustive strategy"),
    (["--workers", "2", "--threads", "2"], "each worker is one thread"),
    (["--workers", "2", "--checkpoint", "kept"], "workers write for themselves"),
    (["--workers", "2", "--slots", "any"], "--slots any is for one process"),
    (["--workers", "2", "--network", "fifo", "--invariant", "Progress"], "it does not go with --invariant Progress"),
    (["--workers", "2", "--constraint", "TRUE"], "it does not go with state constraints"),
    (["--workers", "0"], "at least 1"),
    (["--workers", "5000"], "must be at most 1024"),
    (["--workers", "1024"], "each is a process of this machine; give at most"),
    (["--cluster", "host:10001"], "such as ray://host:10001"),
    (["--recover", "kept"], "add --cluster"),
])  # fmt: skip
def test_what_workers_do_not_go_with_ends_with_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_clear_line(in_process(capsys, "explore", *arguments), said)


def test_without_ray_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('no such module')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    for option in (["--workers", "2"], ["--cluster", "ray://127.0.0.1:1"]):
        done = command(*SMALL, *option, env={"PYTHONPATH": path})
        assert_one_clear_line(done, f"{option[0]}: this needs Ray; install it with: pip install 'ray[client]'")


def of_ray() -> list[psutil.Process]:
    """The processes of a Ray that one of these tests has started."""
    return [
        each for each in psutil.process_iter(["cmdline"]) if "/tmp/pmmc" in " ".join(each.info["cmdline"] or ()) and "ray" in each.name()
    ]


def test_the_command_says_the_same_with_workers_of_ray() -> None:
    skip_without_ray()
    shared = json.loads(command(*SMALL, "--workers", "2").stdout)
    assert shared.pop("workers") == {"workers": 2, "replaced": 0}
    assert shared.pop("notes") == ["commuting is off: it decides by all that has been sent so far, which no worker knows"]
    expected = json.loads(command(*ALIKE).stdout)
    assert {k: v for k, v in shared.items() if k not in VARYING} == {k: v for k, v in expected.items() if k not in VARYING}
    assert not of_ray(), "no process of Ray is left behind"


def skip_without_ray() -> None:
    """Without importing it: only when a search does has it been told to be quiet."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'ray[client]'")


class Kept(Actors):
    """A crew that serves several searches."""

    def close(self) -> None:
        self._stop()

    def end(self) -> None:
        super().close()


@pytest.fixture(scope="module")
def crew() -> Iterator[Kept]:
    skip_without_ray()
    kept = Kept(3)
    yield kept
    kept.end()
    assert not of_ray(), "no process of Ray is left behind"


def shared(asked: Asked, kept: Kept, workers: int, folder: Path) -> Result:
    kept._asked, kept.folder = workers, folder
    return CrewSearch(**prepared(asked, None), make_crew=lambda: kept).run()


@pytest.mark.slow
@pytest.mark.parametrize("name", ASKED)
def test_processes_of_ray_find_what_one_process_finds(name: str, crew: Kept, tmp_path: Path) -> None:
    expected = alone(ASKED[name])
    for workers in (1, 2, 3):
        assert comparable(shared(ASKED[name], crew, workers, tmp_path / str(workers))) == expected


@pytest.mark.slow
@pytest.mark.parametrize(("name", "depth"), [("large", 12), ("wide", 10), ("large", 20)])
def test_a_worker_that_is_killed_in_the_middle_changes_nothing(
    name: str, depth: int, crew: Kept, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    killed: list[int] = []

    def report(now: Snapshot) -> None:
        if now.depth >= depth and not killed:
            killed.append(crew.processes()[-1])
            os.kill(killed[0], signal.SIGKILL)

    crew._asked, crew.folder = 2, tmp_path / "levels"
    how = prepared(ASKED[name], None)
    how["control"].report = report
    found = CrewSearch(**how, make_crew=lambda: crew).run()
    assert killed and found.crew is not None and found.crew.replaced == 1
    assert comparable(found) == alone(ASKED[name])
    assert capfd.readouterr().out == "", "Ray says nothing where results are printed"


@pytest.mark.slow
def test_where_no_cluster_answers_one_sentence_says_so() -> None:
    skip_without_ray()
    assert_one_clear_line(
        command(*SMALL, "--cluster", "ray://127.0.0.1:1"), "no Ray cluster answers there", "is it up, and has this shell its token?"
    )
