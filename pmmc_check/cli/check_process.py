"""What a gate's check runs in: pmmc-check in a process of its own, which ends when the gate does."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from pmmc_check.cli.main import entry
from pmmc_check.lifelines import end_with_parent


def check_entry(gate: int) -> NoReturn:
    """Runs pmmc-check; `gate` is the process that waits for it. Signals that were held back while this process was started come now."""
    end_with_parent()
    if hasattr(os, "getppid") and os.getppid() != gate:
        sys.exit(3)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    entry()
