"""Which process ends with which, where the system can be told (Linux)."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


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
