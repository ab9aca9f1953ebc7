"""Which process ends with which, where the system can be told (Linux); and which signal to end is none of its own."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import suppress

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_ECHO_SECONDS = 0.2


class Echo:
    """Tells signals from their echoes: one that follows on another so soon is the same. `timeout` sends its signal to the command, and to
    its group, so once more."""

    def __init__(self) -> None:
        self._last_at = -_ECHO_SECONDS

    def is_one(self) -> bool:
        """Whether the signal that has just come is an echo of the last one."""
        last, self._last_at = self._last_at, time.monotonic()
        return self._last_at - last < _ECHO_SECONDS


def end_with_parent() -> None:
    """From now on this process is killed when the one that started it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """From now on what a child of this process has started comes to this process when the child ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415  (most commands tell the system nothing)

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value)
