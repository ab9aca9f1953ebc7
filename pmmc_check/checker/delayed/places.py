"""Where arrays are kept that are written once and read in order: in memory, or in files of a folder that goes when the search ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pmmc_check.errors import UsageError

Array = NDArray[Any]
_PREFIX = "pmmc-check-search-"
_LOCK = "lock"


class DiskFull(Exception):
    """What a search keeps on disk could not be written or read; the text says why."""


class Strip(Protocol):
    """Arrays one behind the other."""

    def append(self, array: Array) -> int:
        """Adds an array; returns the number under which it is read."""

    def read(self, number: int) -> Array:
        """An array that was added."""

    def remove(self) -> None:
        """Frees what it takes."""


class StripPlace(Protocol):
    """Where strips are made."""

    bytes_now: int
    """What all strips take now."""
    bytes_peak: int
    """And what they took at most."""

    def strip(self) -> Strip:
        """A new strip."""

    def close(self) -> None:
        """Frees everything."""


class _Counted:
    """Counts what strips take."""

    def __init__(self) -> None:
        self.bytes_now = 0
        self.bytes_peak = 0

    def count(self, size: int) -> None:
        self.bytes_now += size
        self.bytes_peak = max(self.bytes_peak, self.bytes_now)


class InMemory(_Counted):
    """Strips in memory."""

    def strip(self) -> Strip:
        """A new strip."""
        return _MemoryStrip(self)

    def close(self) -> None:
        """Nothing has to be done."""


class _MemoryStrip:
    def __init__(self, place: InMemory) -> None:
        self._place = place
        self._arrays: list[Array] = []

    def append(self, array: Array) -> int:
        self._arrays.append(array)
        self._place.count(array.nbytes)
        return len(self._arrays) - 1

    def read(self, number: int) -> Array:
        return self._arrays[number]

    def remove(self) -> None:
        self._place.count(-sum(each.nbytes for each in self._arrays))
        self._arrays.clear()


class OnDisk(_Counted):
    """Strips in files of a folder of their own in `parent`.

    Raises:
        UsageError: the folder cannot be made.
    """

    def __init__(self, parent: Path) -> None:
        super().__init__()
        self._made: Path | None = None if parent.exists() else parent
        try:
            parent.mkdir(exist_ok=True)  # a folder above it that is not there is a slip of the pen
            _remove_left_behind(parent)
            self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            self._lock: IO[str] = open(self.folder / _LOCK, "w", encoding="utf-8")  # noqa: SIM115  # open for as long as it is used
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        except OSError as error:
            what = "a folder is needed here" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror or str(error)
            raise UsageError(f"--disk {parent}: cannot be used: {what}; give a folder that can be written") from None
        self._strips = 0

    def strip(self) -> Strip:
        """A new strip."""
        self._strips += 1
        return _FileStrip(self, self.folder / f"{self._strips}")

    def close(self) -> None:
        """Removes the folder, and the one that it is in if that was made for it and nothing else is there by now."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()
        if self._made is not None:
            with suppress(OSError):
                self._made.rmdir()


class _Where(NamedTuple):
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class _FileStrip:
    """A file, open only while it is written or read: there may be more of them than a process may have open."""

    def __init__(self, place: OnDisk, path: Path) -> None:
        self._place = place
        self._path = path
        self._places: list[_Where] = []
        self._size = 0

    def append(self, array: Array) -> int:
        try:
            with open(self._path, "ab") as file:
                np.ascontiguousarray(array).tofile(file)
        except OSError as error:
            raise DiskFull(f"{self._place.folder.parent}: {_why(error)}") from None
        self._places.append(_Where(self._size, array.dtype, array.shape))
        self._size += array.nbytes
        self._place.count(array.nbytes)
        return len(self._places) - 1

    def read(self, number: int) -> Array:
        offset, dtype, shape = self._places[number]
        try:
            found = np.fromfile(self._path, dtype, int(np.prod(shape)), offset=offset) if 0 not in shape else np.zeros(0, dtype)
            return found.reshape(shape)
        except (OSError, ValueError) as error:
            raise DiskFull(f"{self._path}: cannot be read back: {_why(error)}") from None

    def remove(self) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._place.count(-self._size)
        self._size = 0


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _remove_left_behind(parent: Path) -> None:
    """The folders of searches that were killed: nobody holds their locks."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError), open(folder / _LOCK, "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.isdir(folder):
                shutil.rmtree(folder, ignore_errors=True)
