"""How many commits the data file of a node must hold, in a file of its own beside it.

SQLite takes a write-ahead log up to its first damaged frame, silently: what was committed behind that is gone, as if it had never been
promised. So each commit has a number, and once it is in the data file, and before anybody is answered, its number is written here. A data
file that holds less is damaged.

Two slots are written in turn, so that one that was torn leaves the other. Each has a number that holds whatever happens, that of the last
commit for which the disk was waited, and one that holds until the machine starts again, that of the last commit.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from pmmc_check.runtime.file_locks import lock

_SLOT = struct.Struct(">8s16s16sQQQ")
_CRC = struct.Struct(">I")
_MARK = b"pmmccnt1"
_SLOT_BYTES = 512
"""As much as a disk writes at once, at the least."""
_FILE_BYTES = 2 * _SLOT_BYTES


class Damaged(Exception):
    """What is in the file is not what was written."""


class Counted(NamedTuple):
    """`store` is the data file whose commits are counted; `boot` names the time since the machine was started, or is zeros where the system
    does not tell. `written` counts how often this was written."""

    store: bytes
    boot: bytes
    commits: int
    synced: int
    written: int = 0

    @property
    def least(self) -> int:
        """So many commits must be there now."""
        return self.commits if self.boot == this_boot() and any(self.boot) else self.synced


def this_boot() -> bytes:
    """What no other start of the machine has; zeros where the system does not tell."""
    try:
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", ""))
    except (OSError, ValueError):
        return bytes(16)


class CommitCounter:
    """The file at `path`, for this process alone.

    Raises:
        UsageError: another process has it.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0)
        try:
            lock(self._file.fileno(), path)
        except BaseException:
            self._file.close()
            raise
        self._now = Counted(bytes(16), this_boot(), 0, 0)

    def read(self) -> Counted | None:
        """What was counted; None where nothing was ever written, or only zeros are there: a power failure while it was made leaves those.

        Raises:
            Damaged: neither slot is whole.
        """
        data = os.pread(self._file.fileno(), _FILE_BYTES + 1, 0)
        if not any(data) and len(data) <= _FILE_BYTES:
            return None
        found = [each for at in (0, _SLOT_BYTES) if (each := _read_slot(data[at : at + _SLOT_BYTES])) is not None]
        if len(data) != _FILE_BYTES or not found:
            raise Damaged("what it holds was not written by a node")
        self._now = max(found, key=lambda each: each.written)
        return self._now

    def begin(self, store: bytes, waits: bool) -> None:
        """Counts for a new data file from now on."""
        self._now = Counted(store, this_boot(), 0, 0)
        try:
            self._write(_slot(self._now) * 2, 0)
        except OSError:
            os.ftruncate(self._file.fileno(), 0)  # half of it would pass for damage
            raise
        if waits:
            os.fsync(self._file.fileno())

    def go_on(self, commits: int) -> None:
        """Counts on from what the data file holds."""
        self._now = self._now._replace(boot=this_boot(), commits=commits)

    def add(self, waited: bool) -> None:
        """One commit more is in the data file; the disk was `waited` for, so all commits before it are there for good, too."""
        store, boot, before, synced, written = self._now
        commits = before + 1
        self._now = now = Counted(store, boot, commits, commits if waited else synced, written + 1)
        self._write(_slot(now), _SLOT_BYTES * (now.written % 2))

    def _write(self, data: bytes, at: int) -> None:
        try:
            if os.pwrite(self._file.fileno(), data, at) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise OSError(error.errno, f"cannot be written: {error.strerror}", str(self.path)) from None

    def close(self) -> None:
        """Lets others have it."""
        self._file.close()


def _slot(counted: Counted) -> bytes:
    data = _SLOT.pack(_MARK, *counted)
    return (data + _CRC.pack(zlib.crc32(data))).ljust(_SLOT_BYTES, b"\0")


def _read_slot(data: bytes) -> Counted | None:
    body, crc = data[: _SLOT.size], data[_SLOT.size : _SLOT.size + _CRC.size]
    if len(crc) < _CRC.size or _CRC.unpack(crc) != (zlib.crc32(body),):
        return None
    mark, *counted = _SLOT.unpack(body)
    return Counted(*counted) if mark == _MARK else None
