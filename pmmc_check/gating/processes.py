"""A check's process: started, watched, and ended with everything that it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

import psutil

from pmmc_check.gating.answers import outcome_of
from pmmc_check.gating.checks import CRASHED, Check, CheckOutcome
from pmmc_check.verdicts import INCONCLUSIVE

GRACE_SECONDS = 3.0
"""A process at its time limit is asked to end, so that it can say how far it came; after this time it is ended."""
_OUTPUT_MAX = 64 * 2**20
_ADDRESS_SPACE_FACTOR, _ADDRESS_SPACE_MORE = 4, 8 * 2**30
"""Memory is watched some times a second; what takes it faster than that meets this wall. Threads and libraries reserve far more addresses
than they use, so that it must stand well apart."""


def check_command() -> tuple[str, ...]:
    """The command that runs pmmc-check as a check; its arguments follow. It finds this very pmmc-check in any folder."""
    package = str(Path(__file__).resolve().parents[2])
    script = f"import sys; sys.path.append({package!r}); from pmmc_check.cli.check_process import check_entry; check_entry({os.getpid()})"
    return sys.executable, "-c", script


class CheckProcess:
    """One check while it runs; `more` are arguments that follow the check's own."""

    def __init__(self, check: Check, more: Sequence[str] = ()) -> None:
        self.check = check
        self._began = time.monotonic()
        self._asked: float | None = None
        self._peak = 0
        self._known: dict[int, psutil.Process] = {}
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by kill
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by kill
        with signals_wait():  # else one could come between the start and the moment from which the process is known
            self._process = subprocess.Popen(
                [*check_command(), *check.arguments, *more],
                cwd=check.folder,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._errors,
                start_new_session=True,
            )
            self._known[self._process.pid] = psutil.Process(self._process.pid)
        self._restrain()

    def poll(self) -> CheckOutcome | None:
        """The outcome, or None while it is running. Then nothing that the check has started is left."""
        code = self._process.poll()
        if code is not None:
            return self._ended(self._asked_or(outcome_of(self.check, code, _text(self._output), _text(self._errors))))
        limits = self.check.limits
        used = self._memory()
        self._peak = max(self._peak, used)
        if used > limits.mebibytes * 2**20:
            return self._ended(CheckOutcome(INCONCLUSIVE, f"memory limit of {limits.mebibytes} MiB"))
        if max(os.fstat(each.fileno()).st_size for each in (self._output, self._errors)) > _OUTPUT_MAX:
            return self._ended(CheckOutcome(CRASHED, f"it wrote more than {_OUTPUT_MAX // 2**20} MiB of output"))
        now = time.monotonic()
        if self._asked is None and now - self._began > limits.seconds:
            self._asked = now
            self._process.terminate()
        if self._asked is not None and now - self._asked > GRACE_SECONDS:
            return self._ended(self._asked_or(CheckOutcome(INCONCLUSIVE)))
        return None

    def kill(self) -> None:
        """Ends the process and all that it has started."""
        with signals_wait():
            self._see_children()
            if hasattr(os, "killpg"):
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            for each in self._known.values():
                with suppress(psutil.Error):
                    each.kill()
            self._process.wait()
            self._output.close()
            self._errors.close()

    def _asked_or(self, outcome: CheckOutcome) -> CheckOutcome:
        """An outcome after the time limit: a verdict counts, else that limit is the reason."""
        if self._asked is None or outcome.verdict not in (INCONCLUSIVE, CRASHED):
            return outcome
        return replace(outcome, verdict=INCONCLUSIVE, reason=f"time limit of {self.check.limits.seconds:g} s")

    def _ended(self, outcome: CheckOutcome) -> CheckOutcome:
        self.kill()
        return replace(outcome, seconds=time.monotonic() - self._began, peak_bytes=self._peak)

    def _memory(self) -> int:
        """Bytes in use by the process and all that it has started, those included that have left its process group."""
        self._see_children()
        used = 0
        for number, each in list(self._known.items()):
            try:
                used += each.memory_info().rss
            except psutil.Error:
                if number != self._process.pid:
                    del self._known[number]
        return used

    def _see_children(self) -> None:
        for each in list(self._known.values()):
            with suppress(psutil.Error):
                self._known.update((child.pid, child) for child in each.children(recursive=True))

    def _restrain(self) -> None:
        """Where the system can: a wall for its addresses, and it is the first to go when the machine runs out of memory."""
        wall = self.check.limits.mebibytes * 2**20 * _ADDRESS_SPACE_FACTOR + _ADDRESS_SPACE_MORE
        with suppress(psutil.Error, AttributeError, OSError, ValueError):
            self._known[self._process.pid].rlimit(psutil.RLIMIT_AS, (wall, wall))
        with suppress(OSError), open(f"/proc/{self._process.pid}/oom_score_adj", "w", encoding="ascii") as file:
            file.write("500")


@contextmanager
def signals_wait() -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM wait. A process started here begins with them waiting, too, and has to end that."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_OUTPUT_MAX).decode("utf-8", "replace")
