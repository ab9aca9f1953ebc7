"""Runs checks, as many at the same time as cores and memory allow."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Sequence

import psutil

from pmmc_check.gating.checks import SEARCH, SPEC, Check, CheckOutcome
from pmmc_check.gating.processes import CheckProcess

_POLL_SECONDS = 0.02
_MEMORY_SHARE = 0.9
"""So much of what is free at the beginning may be promised to checks."""


def outcomes(
    checks: Sequence[Check], jobs: int, cores: int, started: Callable[[Check], None] = lambda check: None
) -> Generator[tuple[int, CheckOutcome], None, None]:
    """The position in `checks` and the outcome of each, as it ends. However this is left, no process is left behind.

    A check waits until its memory limit fits into what the running ones leave of the free memory; one always runs.
    """
    free = int(psutil.virtual_memory().available * _MEMORY_SHARE) // 2**20
    threads = max(1, cores // max(1, min(jobs, len(checks))))
    waiting, running = list(enumerate(checks)), dict[int, CheckProcess]()
    try:
        while waiting or running:
            while waiting and _fits(waiting[0][1], running.values(), jobs, free):
                position, check = waiting.pop(0)
                started(check)
                running[position] = CheckProcess(check, _threads(check, threads))
            for position, process in list(running.items()):
                outcome = process.poll()
                if outcome is not None:
                    del running[position]
                    yield position, outcome
            time.sleep(_POLL_SECONDS)
    finally:
        for each in running.values():
            each.kill()


def _fits(check: Check, running: Collection[CheckProcess], jobs: int, free: int) -> bool:
    promised = sum(each.check.limits.mebibytes for each in running)
    return not running or (len(running) < jobs and promised + check.limits.mebibytes <= free)


def _threads(check: Check, threads: int) -> tuple[str, ...]:
    """The threads of a search, where the check leaves them open: the cores are shared."""
    if check.kind not in (SEARCH, SPEC) or "--threads" in check.arguments:
        return ()
    return ("--threads", str(threads))
