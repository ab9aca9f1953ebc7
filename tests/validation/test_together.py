"""One trace in several processes is judged as in one: what they accept is legal, and what they do not is judged again."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from helpers import ROOT, in_process

from pmmc_check.trace.events import ALL, NOTHING, Contract
from pmmc_check.trace.sources import sources
from pmmc_check.validation import workers
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.memory_limit import MemoryLimit
from pmmc_check.validation.simulate import two_configurations
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, REJECTED
from tests.validation.runs import Run, plan, run
from tests.validation.test_corruptions import corruptions

ONE, SEVERAL = JudgeOptions(), JudgeOptions(processes=3)


def in_parts(folder: Path, text: str, together: Callable[[str], str] = lambda log: log) -> Path:
    """A file for each log, or for those that go `together`; scouts and commanders with logs of their own have files of their own."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    parts: dict[str, list[str]] = {}
    for line in filter(None, text.splitlines()):
        head = line.startswith(("pmmc-trace", "config", "log", "#"))
        parts.setdefault("header" if head else together(line.split(" ", 1)[0]).replace("/", "-"), []).append(line)
    for name, lines in parts.items():
        (folder / f"{name}.pmmc").write_text("\n".join([*(["pmmc-trace 1 part"] if name != "header" else []), *lines]) + "\n")
    return folder


class InThread(workers._Worker):
    """A worker that is no process: started in no time."""

    def __init__(self, task: workers._Task) -> None:
        self.files, self.events, self.has_performs = task.files, 0, False
        self._connection, theirs = multiprocessing.Pipe()
        self._replies = {}
        self._thread = threading.Thread(target=self._work, args=(theirs, task))
        self._thread.start()

    @staticmethod
    def _work(connection: workers.Connection, task: workers._Task) -> None:
        with suppress(EOFError, OSError):
            try:
                workers._answer(connection, task)
            except workers._NOT_SO:
                connection.send_bytes(b"")

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._thread.join()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Counter[bool]:
    """No trace is too small, a piece is a few events, and workers are threads. Counts what several of them accept by themselves."""
    counts: Counter[bool] = Counter()
    real = workers.accepted_together

    def counted(*arguments: object) -> workers.Accepted | None:
        found = real(*arguments)  # type: ignore[arg-type]  # whatever it takes
        counts[found is not None] += 1
        return found

    monkeypatch.setattr("pmmc_check.validation.judge.accepted_together", counted)
    monkeypatch.setattr(workers, "WORTH_BYTES", 0)
    monkeypatch.setattr(workers, "_PIECE_EVENTS", 7)
    monkeypatch.setattr(workers, "_Worker", InThread)
    return counts


def both(folder: Path) -> tuple[TraceVerdict, TraceVerdict]:
    (source,) = sources([str(folder)])
    return replace(judge(source, ONE), seconds=0), replace(judge(source, SEVERAL), seconds=0)


def some_run(seed: int, events: int = 150) -> Run:
    """Of any kind: crashes, reconfigurations, clients whose logs nobody keeps or whom no header names."""
    made = plan(seed, events, commands=1 + seed % 9, own_logs=seed % 4 == 0)
    clients: Contract = NOTHING if seed % 5 == 1 else ALL
    whole = run(made, lambda name: clients if name[0] == "C" else ALL)
    opaque = replace(whole.header, application="opaque" if seed % 3 else "log")
    return replace(whole, header=replace(opaque, clients=None if seed % 5 == 1 else whole.header.clients))


@pytest.mark.parametrize("first", [0, pytest.param(1000, marks=pytest.mark.slow)])
def test_legal_runs_are_accepted_by_several_processes_themselves(tmp_path: Path, small: Counter[bool], first: int) -> None:
    for seed in range(first, first + (42 if first == 0 else 600)):
        whole = some_run(seed)
        together = (lambda log: log) if seed % 2 else (lambda log: "LC"[log[0] in "ARC"] + ("" if log[0] in "ARC" else log))
        alone, several = both(in_parts(tmp_path / "t", whole.text(), together))
        assert alone == several
        assert alone.verdict == ACCEPTED
    assert small[True] >= (15 if first == 0 else 200), "the others keep an order, or have deltas on a network that duplicates"


@pytest.mark.parametrize("seed", [6, 13, 27, 1360])
def test_what_must_be_guessed_is_judged_by_one(tmp_path: Path, small: Counter[bool], seed: int) -> None:
    """What comes of a guess depends on the order of events: a run that one finds by search others may find by replay."""
    alone, several = both(in_parts(tmp_path / "t", some_run(seed).text()))
    assert alone == several
    assert not small[True]


@pytest.mark.parametrize("first", [0, pytest.param(500, marks=pytest.mark.slow)])
def test_what_is_wrong_is_told_as_by_one(tmp_path: Path, small: Counter[bool], first: int) -> None:
    rejected = 0
    for seed in range(first, first + (10 if first == 0 else 100)):
        rng = random.Random(seed)
        whole = some_run(seed, events=60)
        for lines in corruptions(whole.lines, rng, 0.02):
            alone, several = both(in_parts(tmp_path / "t", Run(whole.header, lines).text()))
            assert alone == several
            rejected += alone.verdict == REJECTED
    assert rejected > 20
    assert small[False] > 20


def test_runs_that_reconfigure_and_propose_lazily_are_read_with_their_habits(tmp_path: Path, small: Counter[bool]) -> None:
    for seed in range(6):
        made = plan(7 * seed, 200, commands=8, loss_rate=0.0, delta_rate=0.0)
        header = replace(made.header, leaders=("L1", "L2"), acceptors=("A1", "A2", "A3"), network=frozenset({"lossy", "duplicating"}))
        header = replace(header, configurations=two_configurations(header), proposals="lazy", sends="repeated")
        whole = run(
            replace(
                made,
                header=replace(
                    header,
                    logs={name: ALL for each in (header.replicas, header.leaders, header.acceptors, header.clients or ()) for name in each},
                ),
                reconfiguration_rate=0.1,
            )
        )
        alone, several = both(in_parts(tmp_path / "t", whole.text()))
        assert alone == several
        assert alone.verdict == ACCEPTED
    assert small[True] == 6


def test_a_log_in_two_files_and_logs_that_say_too_little_are_left_to_one(tmp_path: Path, small: Counter[bool]) -> None:
    whole = some_run(2)
    lines = count()
    alone, several = both(in_parts(tmp_path / "t", whole.text(), lambda log: f"{log}-{next(lines) // 10}"))
    assert alone == several
    thin = replace(
        whole,
        header=replace(whole.header, logs={**whole.header.logs, "A1": NOTHING}),
        lines=[each for each in whole.lines if not each.startswith("A1")],
    )
    alone, several = both(in_parts(tmp_path / "t", thin.text()))
    assert alone == several
    assert small == {False: 2}


@pytest.mark.parametrize(("performed", "verdict"), [("s=1 c=C1:1:put", ACCEPTED), ("s=2 c=C1:1:put", REJECTED)])
def test_what_was_performed_is_looked_at(tmp_path: Path, small: Counter[bool], performed: str, verdict: str) -> None:
    text = (ROOT / "traces/good-one-command.pmmc").read_text().replace("R1 > response", f"R1 perform {performed}\nR1 > response")
    alone, several = both(in_parts(tmp_path / "t", text))
    assert alone == several
    assert alone.verdict == verdict
    assert small == {True: 1}


# ---- processes ----


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A trace in parts, not too small for processes."""
    monkeypatch.setattr(workers, "WORTH_BYTES", 0)
    return in_parts(tmp_path / "t", run(plan(0, 3000, commands=10**6, crash_rate=0.0, reconfiguration_rate=0.0)).text())


def test_the_command_says_the_same_with_any_number_of_jobs(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(jobs: int) -> tuple[int, str, str]:
        done = in_process(capsys, "validate", str(real), "--jobs", str(jobs))
        return done.returncode, re.sub(r"[\d.]+ s\)", "s)", done.stdout), done.stderr

    assert said(1)[0] == 0
    assert said(1) == said(2) == said(5)
    for file, line, code in (("A1", "A1 > p2b b=0.L1 to=0.L1/777", 1), ("R1", "R1 < what", 2)):
        with (real / f"{file}.pmmc").open("a") as log:
            print(line, file=log)
        assert said(1)[0] == code
        assert said(1) == said(2)
    assert not multiprocessing.active_children()


def test_a_worker_that_is_killed_is_done_without(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = workers._Worker.__enter__

    def killed(self: workers._Worker) -> workers._Worker:
        os.kill(self._process.pid or 0, signal.SIGKILL)
        return begun(self)

    monkeypatch.setattr(workers._Worker, "__enter__", killed)
    alone, several = both(real)
    assert alone == several
    assert alone.verdict == ACCEPTED
    assert not multiprocessing.active_children()


def test_too_little_memory_is_told_as_by_one_and_an_interrupt_leaves_no_process(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = sources([str(real)])
    grown = count(0, 2**20)  # by so much each time that one looks
    with monkeypatch.context() as patch:
        patch.setattr(MemoryLimit, "_resident", lambda self: next(grown))
        alone, several = (judge(source, replace(each, memory_bytes_max=2**18)) for each in (ONE, SEVERAL))
    assert (alone.verdict, alone.reason) == (several.verdict, several.reason)
    assert "more than 0 MiB" in (alone.reason or "")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(workers.ReplayTogether, "take_turns", interrupted)
    with pytest.raises(KeyboardInterrupt):
        judge(source, SEVERAL)
    assert not multiprocessing.active_children()
