"""The disk of a node: a SQLite file in WAL mode. One transaction a batch of messages; the disk is waited for only where something was
promised.

Every record carries a CRC-32 of its own, and the file says which node of which cluster it belongs to, so that what is read is what this
node wrote.
"""

from __future__ import annotations

import errno
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pmmc_check.errors import UsageError
from pmmc_check.runtime.surroundings import Commit, Record, Stored
from pmmc_check.runtime.wire import Foreign, decode_ballot, decode_record, encode_ballot, encode_record

STORAGE_VERSION = 2
_SCHEMA = """
create table if not exists about (name text primary key, value text not null) without rowid;
create table if not exists latest (name text primary key, value blob not null, crc integer not null) without rowid;
create table if not exists record (number integer primary key, slot integer not null, value blob not null, crc integer not null);
"""


class SqliteStorage:
    """The storage of the node called `name` of the cluster called `cluster`. Unless it `waits_for_disk`, promises outlive the process, but
    not the machine.

    Raises:
        UsageError: the file belongs to another node, cluster or version, or is damaged, or cannot be opened.
    """

    def __init__(self, path: Path, name: str, cluster: str, waits_for_disk: bool = True) -> None:
        self.path = path
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("pragma journal_mode=wal")
            self._database.execute("pragma synchronous=normal")
            self._database.executescript(_SCHEMA)
            self._check_owner({"version": str(STORAGE_VERSION), "node": name, "cluster": cluster})
        except sqlite3.Error as error:
            raise UsageError(self._damaged(error)) from None
        self.waits_for_disk = waits_for_disk
        self._is_waiting = False
        self.delay, self.full = 0.0, False
        """On purpose: so many seconds more for each promise, and no room at all."""

    def _damaged(self, error: object) -> str:
        return f"{self.path}: cannot be used: {error}; restore it from a copy, or delete it only if this node has never promised anything"

    def _check_owner(self, expected: dict[str, str]) -> None:
        found = dict(self._database.execute("select name, value from about"))
        for name, value in expected.items():
            if found.setdefault(name, value) != value:
                raise UsageError(f"{self.path}: belongs to {name} {found[name]}, not {value}; give each node a folder of its own")
        self._database.executemany("insert or ignore into about values (?, ?)", expected.items())

    def load(self) -> Stored | None:
        """What was committed.

        Raises:
            UsageError: something in it is not what was written.
        """
        try:
            latest = {name: self._checked(value, crc) for name, value, crc in self._database.execute("select name, value, crc from latest")}
            if not latest:
                return None
            ballot = decode_ballot(latest["ballot"]) if "ballot" in latest else None
            return Stored(ballot, tuple(self._records()), int(latest["mark"]), int(latest.get("forgotten", b"0")), latest.get("snapshot"))
        except (sqlite3.Error, Foreign, ValueError) as error:
            raise UsageError(self._damaged(error)) from None

    def _records(self) -> Iterator[Record]:
        for value, crc in self._database.execute("select value, crc from record order by number"):
            yield decode_record(self._checked(value, crc))

    def _checked(self, value: bytes, crc: int) -> bytes:
        if zlib.crc32(value) != crc:
            raise Foreign("a record has a wrong check sum")
        return value

    def commit(self, change: Commit, done: Callable[[], None]) -> None:
        """Commits before it returns. Raises `OSError` where the disk is full or gone: then nothing was promised, and the node must stop."""
        database = self._database
        if change.promises:
            if self.delay:
                time.sleep(self.delay)
            if self.full:
                raise OSError(errno.ENOSPC, "cannot be written: no space is left, on purpose", str(self.path))
        try:
            waits = change.promises and self.waits_for_disk
            if waits != self._is_waiting:
                self._is_waiting = waits
                database.execute(f"pragma synchronous={'full' if waits else 'normal'}")
            database.execute("begin immediate")
            database.executemany(
                "insert into record (slot, value, crc) values (?, ?, ?)",
                [(each.slot, *_with_crc(encode_record(each))) for each in change.records],
            )
            latest = {"mark": str(change.mark).encode()}
            if change.forgotten is not None:
                database.execute("delete from record where slot <= ?", (change.forgotten,))
                latest["forgotten"] = str(change.forgotten).encode()
            if change.snapshot is not None:
                latest["snapshot"] = change.snapshot
            if change.ballot is not None:
                latest["ballot"] = encode_ballot(change.ballot)
            database.executemany(
                "insert or replace into latest values (?, ?, ?)", [(name, *_with_crc(value)) for name, value in latest.items()]
            )
            database.execute("commit")
        except sqlite3.Error as error:
            raise OSError(None, f"cannot be written: {error}", str(self.path)) from None
        done()

    def close(self) -> None:
        """Closes the file."""
        self._database.close()


class NoStorage:
    """Keeps nothing: a node without durability must not come back after a crash."""

    def load(self) -> Stored | None:
        """Nothing."""
        return None

    def commit(self, change: Commit, done: Callable[[], None]) -> None:
        """Forgets it."""
        done()

    def close(self) -> None:
        """Has nothing to close."""


def _with_crc(value: bytes) -> tuple[bytes, int]:
    return value, zlib.crc32(value)
