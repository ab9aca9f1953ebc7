"""A limit on the memory that judging one trace takes, so that it ends by itself and no other trace's verdict is lost with it."""

from __future__ import annotations

import psutil


class MemoryLimitReached(MemoryError):
    """Judging a trace would take more memory than it may; the text says how much that is."""


class MemoryLimit:
    """How much the process may grow from now on; None: as much as there is."""

    def __init__(self, bytes_max: int | None = None) -> None:
        self._process = psutil.Process()
        self.bytes_max = bytes_max
        self._before = self._resident()

    def _resident(self) -> int:
        resident: int = self._process.memory_info().rss
        return resident

    def check(self) -> None:
        """Raises `MemoryLimitReached` when the process has grown too much."""
        if self.bytes_max is not None and self._resident() - self._before > self.bytes_max:
            raise MemoryLimitReached(f"judging it takes more than {self.bytes_max / 2**20:,.0f} MiB of memory (--max-memory)")
