"""Opens the files of traces, plain or compressed, and gives their lines.

Whether a file is compressed with gzip is seen from its content. Text is decoded in blocks, so that reading is fast and memory bounded.
"""

from __future__ import annotations

import gzip
import stat
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import IO

from pmmc_check.trace.errors import TraceError

LINE_BYTES_MAX = 4 * 2**20
"""A longer line is refused: it would be held in memory several times over."""

_BLOCK_BYTES = 1 << 18
GZIP_MAGIC = b"\x1f\x8b"
"""What a compressed file begins with."""


OnRead = Callable[[int], None]
"""Told of so many more bytes of a file, as it lies on the disk, that have been read."""


def lines(path: Path, on_read: OnRead | None = None) -> Iterator[tuple[int, str]]:
    """Each line with its number, without its end.

    Raises:
        TraceError: the file cannot be read, is not UTF-8, or has a line that is too long.
    """
    return enumerate(chain.from_iterable(block.split("\n") for block in _blocks(path, on_read)), 1)


def _blocks(path: Path, on_read: OnRead | None) -> Iterator[str]:
    """Decoded blocks that end where a line ends (the newline itself removed)."""
    number, rest, told = 1, b"", 0
    try:
        with _opened(path) as raw, _decompressed(raw) as stream:
            while data := stream.read(_BLOCK_BYTES):
                if on_read is not None:
                    on_read(raw.tell() - told)
                    told = raw.tell()
                head, newline, tail = (rest + data).rpartition(b"\n")
                if newline:
                    yield decoded(path, number, head)
                    number += head.count(b"\n") + 1
                rest = tail
                if len(rest) > LINE_BYTES_MAX:
                    raise line_too_long(path, number)
        if rest:
            yield decoded(path, number, rest)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceError(
            str(path), number, 0, f"the gzip file is damaged or cut short ({error}); decompress what is left by hand"
        ) from None
    except OSError as error:
        raise TraceError(str(path), 0, 0, f"cannot be read: {error.strerror or error}; check the path and its permissions") from None


def _opened(path: Path) -> BufferedReader:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise TraceError(str(path), 0, 0, "is a pipe or device; traces are read more than once, so write it to a file first")
    return path.open("rb")


def _decompressed(raw: BufferedReader) -> IO[bytes]:
    return gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == GZIP_MAGIC else raw  # type: ignore[return-value]  # it reads bytes, too


def line_too_long(path: Path, number: int) -> TraceError:
    """What is wrong with a line that goes on and on."""
    return TraceError(
        str(path),
        number,
        0,
        f"this line is longer than {LINE_BYTES_MAX // 2**20} MiB; end each event with a newline, "
        f"and record a large accepted set as a delta, +{{...}}",
    )


def decoded(path: Path, number: int, data: bytes) -> str:
    """The text of some lines, of which `number` is the first. Raises `TraceError` where it is not UTF-8."""
    if number == 1 and data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = number + data.count(b"\n", 0, error.start)
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise TraceError(
            str(path),
            line,
            column,
            f"byte 0x{data[error.start]:02x} is not UTF-8 text; traces are UTF-8 (or gzip of it): convert the file first",
        ) from None
    return text.replace("\r\n", "\n").removesuffix("\r") if "\r" in text else text
