"""Judging several traces at the same time leaves nothing behind when it is given up."""

from __future__ import annotations

import multiprocessing
import threading
import time
from dataclasses import replace
from pathlib import Path

from pmmc_check.api.judging import judged
from pmmc_check.trace.sources import sources
from pmmc_check.validation.judge import JudgeOptions
from pmmc_check.validation.simulate import Plan, complete_logs
from tests.validation.runs import plan, run


def test_given_up_early_it_leaves_no_process_and_no_thread(tmp_path: Path) -> None:
    """A thread of the pool that is left would write to a closed pipe when Python ends: "Bad file descriptor"."""
    header = plan(0).header
    made = Plan(header=replace(header, logs=complete_logs(header)), seed=0, events=2000, commands=10**6, loss_rate=0.0)
    text = run(made).text()
    for number in range(8):
        (tmp_path / f"{number}.pmmc").write_text(text)
    before = set(threading.enumerate())
    verdicts = judged(sources([str(tmp_path)]), JudgeOptions(), 2)
    next(verdicts)
    verdicts.close()  # what an interrupt does as well
    assert set(threading.enumerate()) <= before
    until = time.monotonic() + 5
    while multiprocessing.active_children() and time.monotonic() < until:
        time.sleep(0.01)
    assert not multiprocessing.active_children()
