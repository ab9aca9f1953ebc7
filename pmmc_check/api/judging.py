"""Judges several traces at the same time, each in a process of its own, and survives the loss of such a process; or one in several."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import INCONCLUSIVE

_KILLED = "the process that judged it was killed, as the system does when memory runs out; judge it alone, or on a larger machine"


def judged(
    found: Sequence[Source], options: JudgeOptions, jobs: int, report: Callable[[str], None] = lambda text: None
) -> Iterator[tuple[Source, TraceVerdict]]:
    """The verdict on each trace, as soon as it is there. `report` is told how far a single trace is, or how many are done.

    Where a worker process is killed, those without a verdict are judged again, one at a time: so the one that it happens to is known.
    """
    if len(found) == 1:
        options = replace(options, processes=jobs)
    jobs = min(jobs, len(found))
    if jobs == 1:
        for number, source in enumerate(found, 1):
            which = f"trace {number} of {len(found)}, " if len(found) > 1 else ""
            yield source, judge(source, options, _of(which, report))
        return
    left = list(found)
    while left:
        report(f"{len(found) - len(left)} of {len(found)} traces judged")
        killed = False
        for source, verdict in _at_the_same_time(left, options, jobs):
            if verdict is None:
                killed = True
            else:
                left.remove(source)
                report(f"{len(found) - len(left)} of {len(found)} traces judged")
                yield source, verdict
        if killed and jobs == 1:  # one worker takes them in their order
            yield left[0], TraceVerdict(str(left.pop(0).path), INCONCLUSIVE, reason=_KILLED)
        jobs = 1


def _of(which: str, report: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: report(which + text)


def _at_the_same_time(found: Sequence[Source], options: JudgeOptions, jobs: int) -> Iterator[tuple[Source, TraceVerdict | None]]:
    """Verdicts; None for a trace that got none because a worker was killed."""
    with ProcessPoolExecutor(jobs, initializer=_leave_signals_to_the_parent) as pool:
        futures = {pool.submit(judge, source, options): source for source in found}
        try:
            for future in as_completed(futures):
                try:
                    yield futures[future], future.result()
                except BrokenProcessPool:
                    yield futures[future], None
        except BaseException:
            for each in multiprocessing.active_children():
                each.terminate()
            pool.shutdown(wait=True, cancel_futures=True)  # else its thread may write to a pipe that Python has closed
            raise


def _leave_signals_to_the_parent() -> None:
    """Ctrl-C reaches every process of a terminal; the parent then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
