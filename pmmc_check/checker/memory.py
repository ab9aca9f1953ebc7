"""How much memory the process uses and may use. psutil reads the machine; a container's limit is read from its control group."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import psutil

_PROCESS = psutil.Process()
_SHARE_OF_FREE = 0.85


def resident_bytes() -> int:
    """Memory in use now."""
    resident: int = _PROCESS.memory_info().rss
    return resident


def peak_memory_bytes() -> int:
    """The most that was ever in use. Linux's own count is preferred: `getrusage` also counts the program that started this one."""
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    except (OSError, IndexError, ValueError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def affordable_bytes() -> int:
    """What this process may grow to before the machine would swap or kill it: most of what is free, within the container's limit."""
    free = psutil.virtual_memory().available
    for limit_file, usage_file in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            free = min(free, int(Path(limit_file).read_text()) - int(Path(usage_file).read_text()))
        except (OSError, ValueError):
            continue
    return resident_bytes() + int(_SHARE_OF_FREE * free)
