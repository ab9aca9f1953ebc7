"""Files that are still being written: their whole lines, as soon as those are there.

What has been written of a line waits for the rest. A file must only ever be added to: `Rewritten` says that what had been read of one is no
longer what it holds.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.readers.lines import GZIP_MAGIC, LINE_BYTES_MAX, decoded, line_too_long

_CHUNK_BYTES = 1 << 17
_MARK_BYTES = 128

Numbered = tuple[int, str]
"""A line with its number."""


class Rewritten(Exception):
    """A file that is followed no longer holds what was read of it; the text says which file, and how."""


class FileIdentity(NamedTuple):
    """Which file this is, whatever it is called."""

    device: int
    inode: int


class GrowingBytes(Protocol):
    """Something that bytes come from, now and later."""

    path: Path

    def read(self) -> bytes:
        """What is there and was not read before, up to a limit; nothing, if there is nothing now."""

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more."""

    def close(self) -> None:
        """Nothing more is read."""


class GrowingFile:
    """A file on a disk. It never ends: more may be added to it."""

    ended = False

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise TraceError(str(path), 0, 0, f"cannot be read: {error.strerror or error}; check the path and its permissions") from None
        status = os.fstat(self._file.fileno())
        self.identity = FileIdentity(status.st_dev, status.st_ino)
        self._position, self._mark = 0, b""

    def read(self) -> bytes:
        """As of all growing bytes. Raises `Rewritten`."""
        size = os.fstat(self._file.fileno()).st_size
        if size < self._position:
            raise Rewritten(f"{self.path} was cut from {self._position:,} to {size:,} bytes")
        if size == self._position:
            return b""
        self._file.seek(self._position - len(self._mark))
        data = self._file.read(len(self._mark) + _CHUNK_BYTES)
        if not data.startswith(self._mark):
            raise Rewritten(f"{self.path} was written anew: its last lines that were read are other ones now")
        fresh = data[len(self._mark) :]
        self._position += len(fresh)
        self._mark = data[-_MARK_BYTES:]
        return fresh

    def close(self) -> None:
        """Closes it."""
        self._file.close()


class StandardInput:
    """Standard input: it ends when whoever writes it closes it."""

    def __init__(self) -> None:
        self.path = Path("-")
        self.ended = False
        self._descriptor = sys.stdin.fileno()

    def read(self) -> bytes:
        """As of all growing bytes: never waits."""
        if self.ended or not select.select([self._descriptor], [], [], 0)[0]:
            return b""
        data = os.read(self._descriptor, _CHUNK_BYTES)
        self.ended = not data
        return data

    def close(self) -> None:
        """It is not ours to close."""


class GrowingLines:
    """The whole lines of something that grows.

    Raises:
        TraceError: it is compressed, is not UTF-8, or has a line that is too long.
    """

    def __init__(self, source: GrowingBytes) -> None:
        self.source = source
        self.path = source.path
        self._number, self._rest = 1, b""

    @property
    def unfinished(self) -> int:
        """The number of the line of which the end is missing; 0 if there is none."""
        return self._number if self._rest else 0

    def read(self) -> list[Numbered]:
        """The lines that are there and were not read before, up to a limit."""
        data = self.source.read()
        if self._number == 1 and (self._rest + data).startswith(GZIP_MAGIC):
            raise TraceError(
                str(self.path), 0, 0, "is compressed; what is followed must be plain text: record it so, and compress it later"
            )
        head, newline, tail = (self._rest + data).rpartition(b"\n")
        if self.source.ended and tail:
            head, newline, tail = self._rest + data, b"\n", b""
        self._rest = tail
        if len(tail) > LINE_BYTES_MAX:
            raise line_too_long(self.path, self._number)
        return list(self._numbered(head)) if newline else []

    def _numbered(self, head: bytes) -> Iterator[Numbered]:
        for text in decoded(self.path, self._number, head).split("\n"):
            yield self._number, text
            self._number += 1

    def close(self) -> None:
        """Nothing more is read."""
        self.source.close()
