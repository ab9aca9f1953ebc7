"""The log of a running node: one part file of a trace, appended to in one write a batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pmmc_check.errors import UsageError
from pmmc_check.runtime.file_locks import lock
from pmmc_check.trace.events import VERSION, Header, Names
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter

PART_LINE = f"pmmc-trace {VERSION} part"
"""The first line of a part of a trace."""


def write_header(directory: Path, header: Header) -> None:
    """Writes the file that says who takes part."""
    lines = DslWriter(Values(Names(header))).header(header)
    (directory / "cluster.pmmc").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


class LogFile:
    """Appends to one part file, which nobody else writes; marks are lengths in bytes after the first line.

    Raises:
        UsageError: another process writes it.
    """

    records = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)
        try:
            lock(self._file.fileno(), path)
        except UsageError:
            self._file.close()
            raise
        self._start = len(PART_LINE) + 1
        self._length = 0

    def open(self, mark: int) -> None:
        """Begins the file, or cuts off what was written but never committed: nobody has seen anything of it.

        Raises:
            UsageError: what was committed is not there.
        """
        length = os.fstat(self._file.fileno()).st_size
        if mark and length < self._start + mark:
            raise UsageError(
                f"{self.path}: {self._start + mark - length} of the {self._start + mark} bytes that this node has recorded are missing, so "
                "that its trace could not be judged; put them back, or start the node without --trace-dir: its data are whole"
            )
        if length < self._start:
            self._file.truncate(0)
            self._append(f"{PART_LINE}\n".encode())
        self._file.truncate(self._start + mark)
        self._length = mark

    def write(self, lines: Sequence[str]) -> int:
        """Appends all lines. Raises `OSError` where the disk is full or gone; what is there of them is cut off when the node comes back."""
        data = "".join([f"{line}\n" for line in lines]).encode()
        self._append(data)
        self._length += len(data)
        return self._length

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise OSError(error.errno, f"cannot be written: {error.strerror}", str(self.path)) from None

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class NoLog:
    """Records nothing."""

    records = False
    _mark = 0

    def open(self, mark: int) -> None:
        """Nothing to cut; a log that was recorded before stays as long as it was."""
        self._mark = mark

    def write(self, lines: Sequence[str]) -> int:
        """Nothing."""
        return self._mark

    def close(self) -> None:
        """Has nothing to close."""
