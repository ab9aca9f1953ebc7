"""What a gate's check runs in: pmmc-check in a process of its own, which ends when the gate does."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

from pmmc_check.cli.main import entry

_PR_SET_PDEATHSIG = 1


def check_entry(gate: int) -> NoReturn:
    """Runs pmmc-check; `gate` is the process that waits for it. Signals that were held back while this process was started come now."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if hasattr(os, "getppid") and os.getppid() != gate:
        sys.exit(3)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    entry()
