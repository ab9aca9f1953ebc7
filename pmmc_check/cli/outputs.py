"""All that the command writes: its results on standard output, and files beside that.

A file is opened before the work that fills it, so that hours of search are not lost to a typo, and it is written whole or not at all. A
regular file is replaced in one step and keeps its mode. A device, a pipe or a link is written through and stays what it is."""

from __future__ import annotations

import codecs
import gzip
import io
import itertools
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TextIO

from pmmc_check.errors import PmmcError, UsageError

PLAIN_TEXT = "pmmc-check-plain"
"""An error handler for encodings: signs that a stream cannot show are spelt with those that it can."""

_PLAIN = {"→": "->", "⊥": "_|_", "≤": "<=", "≥": ">=", "…": "...", "⟨": "<", "⟩": ">", "─": "-", "│": "|", "━": "-", "·": "."}
_numbers = itertools.count(1)


class OutputError(PmmcError):
    """The result could not be written: the disk is full, or the reader has gone."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


codecs.register_error(PLAIN_TEXT, _plain)


class _Results:
    """Standard output, which carries the result and nothing else."""

    apart: TextIO | None = None
    """Where it has been put while `sys.stdout` is lent to the user's code."""


def results_stream() -> TextIO:
    """Standard output, wherever `sys.stdout` leads just now: to ask whether it is a terminal, say."""
    return _Results.apart or sys.stdout


def print_results(*lines: str) -> None:
    """Prints lines of the result on standard output.

    Raises:
        OutputError: they cannot be written.
    """
    write_results(f"{line}\n" for line in lines)


def write_results(texts: Iterable[str]) -> None:
    """Writes to standard output.

    Raises:
        OutputError: it cannot be written.
    """
    stream = results_stream()
    for text in texts:  # not in the try: what makes the texts may fail, too
        try:
            stream.write(text)
        except (OSError, ValueError) as error:
            raise _not_written(error) from None
    try:
        stream.flush()
    except (OSError, ValueError) as error:
        raise _not_written(error) from None


def _not_written(error: Exception) -> OutputError:
    if isinstance(error, BrokenPipeError):
        return OutputError("the result was not written: whoever reads standard output has stopped reading")
    return OutputError(f"the result was not written to standard output: {_reason(error)}")


@contextmanager
def prints_to_stderr() -> Iterator[None]:
    """Within, what is printed goes to stderr, from wherever it is printed; `print_results` still writes to standard output.

    Code of the user may also close `sys.stdout`, or descriptor 1: neither is what results are written to.
    """
    out = sys.stdout
    descriptor = _descriptor(out)
    sys.stdout = sys.stderr if descriptor is None else open(os.dup(2), "w", buffering=1, encoding="utf-8", errors=PLAIN_TEXT)
    if descriptor is None:
        _Results.apart = out
    else:
        out.flush()
        _Results.apart = open(os.dup(descriptor), "w", encoding=out.encoding, errors=out.errors)
        os.dup2(2, descriptor)
    try:
        yield
    finally:
        apart, _Results.apart, sys.stdout = _Results.apart, None, out
        if descriptor is not None:
            with suppress(OSError):
                apart.flush()
            os.dup2(apart.fileno(), descriptor)
            apart.close()
            if out.closed:
                sys.stdout = open(descriptor, "w", encoding=out.encoding, errors=out.errors, closefd=False)


def _descriptor(stream: TextIO) -> int | None:
    """The descriptor of a stream; None of one that is none of the system's, such as a test's."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


class OutputFile:
    """A text file that an option names. What is written to it counts with `commit`, or when the `with` block ends well and something was
    written; else all is left as it was. A name that ends in .gz asks for compression.

    Raises:
        UsageError: it cannot be opened, or (later) written; the text begins with `option` and the name.
    """

    def __init__(self, option: str, name: str) -> None:
        self._name = f"{option} {name}".strip()
        self._written = False
        self._unfinished: Path | None = None
        self._through: IO[bytes] | None = None
        with self._failing():
            self.path = Path(name).absolute()
            self._binary = self._opened()
        compressed: Any = gzip.GzipFile("", "wb", fileobj=self._binary, mtime=0) if self.path.name.endswith(".gz") else self._binary
        self._text = io.TextIOWrapper(compressed, encoding="utf-8", errors="replace", newline="\n")

    def write(self, text: str) -> None:
        """Adds text."""
        self._written = True
        try:  # no `with`: this is called for each line of a trace
            self._text.write(text)
        except (OSError, ValueError) as error:
            raise self._given_up(error) from None

    def commit(self) -> None:
        """Makes what was written count."""
        if self._binary.closed:
            return
        with self._failing():
            packed = self._text.detach()
            if packed is not self._binary:
                packed.close()
            if self._through is not None:
                self._binary.seek(0)
                shutil.copyfileobj(self._binary, self._through)
                self._through.truncate()
                self._through.close()
            self._binary.close()
            if self._unfinished is not None:
                os.replace(self._unfinished, self.path)

    def discard(self) -> None:
        """Leaves what was there as it was; after `commit` it does nothing."""
        if self._unfinished is not None and not self._binary.closed:
            with suppress(OSError):
                self._unfinished.unlink()
        for each in (self._binary, self._through):
            if each is not None:
                with suppress(OSError):
                    each.close()

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and self._written:
            self.commit()
        else:
            self.discard()

    def _opened(self) -> IO[bytes]:
        """A regular file of one's own gets a new file beside it, which takes its place in the end; all else is opened itself."""
        for standard in (1, 2):
            if self.path.exists() and os.path.samestat(self.path.stat(), os.fstat(standard)):
                return open(os.dup(standard), "wb")  # opened anew it would begin at its beginning
        try:
            there = self.path.lstat()
        except FileNotFoundError:
            return self._beside(0o666)
        if stat.S_ISREG(there.st_mode) and there.st_nlink == 1 and there.st_uid == _user():
            os.close(os.open(self.path, os.O_WRONLY))  # a file that is protected is not replaced either
            with suppress(PermissionError):
                beside = self._beside(0o600)
                os.chmod(beside.name, stat.S_IMODE(there.st_mode))
                return beside
        return self._itself()

    def _beside(self, mode: int) -> IO[bytes]:
        unfinished = self.path.with_name(f".pmmc-check-{os.getpid()}-{next(_numbers)}.unfinished")
        beside = open(unfinished, "xb", opener=lambda path, flags: os.open(path, flags, mode))
        self._unfinished = unfinished
        return beside

    def _itself(self) -> IO[bytes]:
        """A pipe or a device takes everything at once; a regular file (behind a link, or another user's) only when all is made."""
        keeping = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOCTTY", 0)  # what is there stays until there is something else
        itself = open(self.path, "wb", opener=lambda path, flags: os.open(path, keeping, 0o666))
        if not stat.S_ISREG(os.fstat(itself.fileno()).st_mode):
            return itself
        self._through = itself
        return tempfile.TemporaryFile()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            raise self._given_up(error) from None

    def _given_up(self, error: Exception) -> UsageError:
        if hasattr(self, "_binary"):
            self.discard()
        return UsageError(f"{self._name}: cannot be written: {_reason(error)}{_remedy(error)}")


def make_folder(option: str, folder: Path) -> None:
    """Makes the folder that an option names, and those above it; one that is there is taken as it is.

    Raises:
        UsageError: it cannot be made; the text says what is in the way.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        with suppress(OSError, ValueError):
            blocking = next((each for each in (folder, *folder.parents) if os.path.lexists(each) and not each.is_dir()), None)
        what = f"{'it' if blocking == folder else blocking} is a file" if blocking is not None else f"it cannot be made: {_reason(error)}"
        name = f"{option} {folder}".strip()
        raise UsageError(f"{name}: a folder is needed here, but {what}; give the name of a folder, which need not be there yet") from None


def check_apart(named: Iterable[tuple[str, str | None]]) -> None:
    """That no two options name the same file.

    Raises:
        UsageError: two do.
    """
    known: dict[str, str] = {}
    for option, name in named:
        if name is None or (os.path.exists(name) and not os.path.isfile(name)):
            continue  # a device or a pipe takes one after the other
        try:
            place = os.path.realpath(name)
        except OSError:
            continue  # the current folder is gone: opening it will say so
        if place in known:
            raise UsageError(f"{known[place]} and {option} both name {name}; give each a file of its own")
        known[place] = option


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _remedy(error: Exception) -> str:
    if isinstance(error, IsADirectoryError):
        return "; give the name of a file"
    return "; give a file in a folder that exists" if isinstance(error, FileNotFoundError | NotADirectoryError) else ""


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
