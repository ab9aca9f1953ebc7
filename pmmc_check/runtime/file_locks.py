"""Files that one process has for itself. The lock goes with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from pmmc_check.errors import UsageError

_WAIT_SECONDS, _LOOK_SECONDS = 1.0, 0.01
"""A process that was just killed may still be on its way out."""


def lock(file: int, path: Path) -> None:
    """Takes the lock of the open `file`, which is that at `path`.

    Raises:
        UsageError: another process has it.
    """
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise UsageError(f"{path}: is in use by another process{_holder(file)}; stop that one first") from None
            time.sleep(_LOOK_SECONDS)
        else:
            return


def _holder(file: int) -> str:
    """Which process that is, where the system tells."""
    number = str(os.fstat(file).st_ino)
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    for words in map(str.split, lines):  # 1: FLOCK ADVISORY WRITE pid major:minor:inode 0 EOF
        if len(words) >= 6 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == number and int(words[4]) > 0:
            return f" (pid {words[4]})"
    return ""
