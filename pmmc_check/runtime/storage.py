"""The disk of a node: a SQLite file in WAL mode. One transaction a batch of messages; the disk is waited for only where something was
promised.

Every record carries a CRC-32 of its own; the newest commit says how many records there are and how many commits there were, and a file
beside this one how many there must be (`CommitCounter`). The file says which node of which cluster it belongs to. So what is read is what
this node wrote, and all of it.
"""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import Ballot
from pmmc_check.runtime.commit_counter import CommitCounter, Damaged
from pmmc_check.runtime.surroundings import Commit, Record, Stored
from pmmc_check.runtime.wire import Foreign, decode_record, encode_record

STORAGE_VERSION = 3
FULL_ON_PURPOSE = "no space is left, on purpose"
"""What is said of a disk that a scenario has filled."""
_SCHEMA = """
create table about (name text primary key, value text not null) without rowid;
create table latest (name text primary key, value blob not null, crc integer not null) without rowid;
create table record (number integer primary key, slot integer not null, value blob not null, crc integer not null);
"""
_NO_ROOM = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_TRUNCATE")
_NO_ACCESS = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_IOERR_SHMOPEN")


class _Newest(NamedTuple):
    """What the newest commit says: its number, how long the log was, how many records there are and whether a snapshot is."""

    commits: int = 0
    mark: int = 0
    records: int = 0
    forgotten: int = 0
    has_snapshot: bool = False
    ballot: Ballot | None = None


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(_Newest).decode


class SqliteStorage:
    """The storage of the node called `name` of the cluster called `cluster`. Unless it `waits_for_disk`, promises outlive the process, but
    not the machine. `settings` are those of the cluster that must not change (`Roster.settings`).

    Raises:
        UsageError: the file belongs to another node, cluster or version, or other settings, is damaged or lacks something, is in use, or
            cannot be opened. It is left as it was.
    """

    def __init__(self, path: Path, name: str, cluster: str, waits_for_disk: bool = True, settings: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.waits_for_disk = waits_for_disk
        self._is_waiting = False
        self.delay, self.full = 0.0, False
        """On purpose: so many seconds more for each promise, and no room at all."""
        owner = {"version": str(STORAGE_VERSION), "node": name, "cluster": cluster}
        try:
            self._counter = CommitCounter(path.with_suffix(".commits"))
        except OSError as error:
            raise UsageError(f"{error.filename}: cannot be opened for writing: {error.strerror}") from None
        try:
            self._open(owner, dict(settings or {}))
        except BaseException as error:
            self._counter.close()
            if isinstance(error, sqlite3.Error):
                raise self._refusal(error) from None
            if isinstance(error, (Foreign, Damaged, ValueError)):
                raise self._damaged(error) from None
            if isinstance(error, OSError):
                raise UsageError(f"{error.filename or path}: {error.strerror}") from None
            raise

    # ---- opening ----

    def _open(self, owner: dict[str, str], settings: dict[str, str]) -> None:
        about: dict[str, str] = {}
        if _is_there(self.path):
            about = self._checked_about(owner, settings)
        else:
            self._begin(owner | settings)
        self._database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._database.execute("pragma synchronous=normal")
        changed = {key: value for key, value in settings.items() if about and about.get(key) != value}
        if changed:
            self._database.executemany("insert or replace into about values (?, ?)", changed.items())
        self._newest = self._read_newest(self._database)
        self._counter.go_on(self._newest.commits)

    def _begin(self, about: dict[str, str]) -> None:
        """A new file, whole from the first moment on, of which nothing was counted."""
        counted = self._counter.read()
        if counted is not None and counted.commits > 0:
            raise Damaged(f"it is gone or empty, and {self._counter.path} says that {counted.commits} commits are in it")
        if _is_there(_beside(self.path, "-wal")):
            raise Damaged(f"it is gone or empty, and {_beside(self.path, '-wal')} is not")
        store = secrets.token_bytes(16)
        self._counter.begin(store, self.waits_for_disk)
        new = _beside(self.path, "-new")
        for end in ("", "-wal", "-shm", "-journal"):  # of a process that was killed here
            _beside(new, end).unlink(missing_ok=True)
        with closing(sqlite3.connect(new, isolation_level=None)) as database:
            database.execute(f"pragma synchronous={'full' if self.waits_for_disk else 'off'}")
            database.executescript(f"begin; {_SCHEMA}")
            database.executemany("insert into about values (?, ?)", (about | {"store": store.hex()}).items())
            database.execute("insert into latest values ('newest', ?, ?)", _with_crc(_ENCODE(_Newest())))
            database.execute("commit")
            # Last: a checkpoint that finds no room while the file is closed says nothing of it, and its journal is not moved along.
            database.execute("pragma journal_mode=wal").fetchall()  # to its end, which commits
        os.replace(new, self.path)
        if self.waits_for_disk:
            _sync_folder(self.path.parent)

    def _checked_about(self, owner: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
        """Whose it is and with what settings; reads only, so that a file that is refused stays as it is."""
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as database:
            about = dict(database.execute("select name, value from about"))
            for key, value in owner.items():
                if key not in about:
                    raise Damaged(f"it does not say which {key} it belongs to")
                if about[key] != value:
                    raise UsageError(f"{self.path}: belongs to {key} {about[key]}, not {value}; give each node a folder of its own")
            for key, value in settings.items():
                if not _may_follow(key, about.get(key, ""), value):
                    rule = "others may only be added behind those" if key == "configurations" else f"{key} must stay as it was"
                    raise UsageError(
                        f"{self.path}: belongs to a cluster with {key} {about.get(key)}, not {value}; {rule} as long as the data are used"
                    )
            self._check_all_there(self._read_newest(database), about.get("store", ""))
        return about

    def _check_all_there(self, newest: _Newest, store: str) -> None:
        beside, counted = self._counter.path, None
        try:
            counted = self._counter.read()
        except Damaged as error:
            raise Damaged(f"{beside}, which says how many commits are in it, is damaged: {error}") from None
        if counted is None:
            raise Damaged(f"{beside}, which says how many commits are in it, is gone, empty or all zeros")
        if counted.store.hex() != store:
            raise Damaged(f"{beside} counts the commits of another file")
        if newest.commits < counted.least:
            raise Damaged(
                f"{counted.least - newest.commits} of {counted.least} commits are missing at its end; {_beside(self.path, '-wal')}, which "
                "has the newest, was damaged, cut or deleted"
            )

    def _read_newest(self, database: sqlite3.Connection) -> _Newest:
        for value, crc in database.execute("select value, crc from latest where name = 'newest'"):
            return _decoded_newest(value, crc)
        raise Damaged("it does not say how many commits there were")

    def _damaged(self, error: object) -> UsageError:
        files = ", ".join(str(_beside(self.path, each)) for each in ("", "-wal")) + f" and {self._counter.path}"
        return UsageError(
            f"{self.path}: cannot be used: {error}; restore {files} from a copy made since the node last ran, or delete all three only if "
            "this node has never promised anything"
        )

    def _refusal(self, error: sqlite3.Error) -> UsageError:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name in _NO_ROOM:
            return UsageError(f"{self.path}: {_no_room(error)}; nothing is damaged: start the node again when there is")
        if name.startswith(_NO_ACCESS):
            return UsageError(f"{self.path}: cannot be opened for writing: {error}; the node must own this file and its folder")
        return self._damaged(error)

    # ---- reading ----

    def load(self) -> Stored | None:
        """What was committed.

        Raises:
            UsageError: something in it is not what was written.
        """
        newest = self._newest
        if newest.commits == 0:
            return None
        try:
            records = tuple(self._records())
            snapshot = [_checked(*each) for each in self._database.execute("select value, crc from latest where name = 'snapshot'")]
            if len(records) != newest.records or bool(snapshot) != newest.has_snapshot:
                raise Damaged(f"{len(records)} records are there where {newest.records} were written, or a snapshot is missing")
        except sqlite3.Error as error:
            raise self._refusal(error) from None
        except (Foreign, Damaged, ValueError) as error:
            raise self._damaged(error) from None
        return Stored(newest.ballot, records, newest.mark, newest.forgotten, snapshot[0] if snapshot else None)

    def _records(self) -> Iterator[Record]:
        for slot, value, crc in self._database.execute("select slot, value, crc from record order by number"):
            record = decode_record(_checked(value, crc))
            if record.slot != slot:
                raise Damaged(f"a record of slot {record.slot} is filed under {slot}")
            yield record

    # ---- writing ----

    def commit(self, change: Commit, done: Callable[[], None]) -> None:
        """Commits before it returns. Raises `OSError` where the disk is full or gone: then nothing was promised, and the node must stop."""
        if change.promises:
            if self.delay:
                time.sleep(self.delay)
            if self.full:
                raise OSError(errno.ENOSPC, f"cannot be written: {FULL_ON_PURPOSE}", str(self.path))
        waits = change.promises and self.waits_for_disk
        try:
            self._newest = self._written(change, waits)
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            raise OSError(None, f"cannot be written: {_no_room(error) if name in _NO_ROOM else error}", str(self.path)) from None
        self._counter.add(waits)
        done()

    def _written(self, change: Commit, waits: bool) -> _Newest:
        database, before = self._database, self._newest
        if waits != self._is_waiting:
            self._is_waiting = waits
            database.execute(f"pragma synchronous={'full' if waits else 'normal'}")
        database.execute("begin immediate")
        database.executemany(
            "insert into record (slot, value, crc) values (?, ?, ?)",
            [(each.slot, *_with_crc(encode_record(each))) for each in change.records],
        )
        records, forgotten = before.records + len(change.records), before.forgotten
        if change.forgotten is not None:
            records -= database.execute("delete from record where slot <= ?", (change.forgotten,)).rowcount
            forgotten = change.forgotten
        if change.snapshot is not None:
            database.execute("insert or replace into latest values ('snapshot', ?, ?)", _with_crc(change.snapshot))
        newest = _Newest(
            before.commits + 1,
            change.mark,
            records,
            forgotten,
            before.has_snapshot or change.snapshot is not None,
            change.ballot if change.ballot is not None else before.ballot,
        )
        database.execute("update latest set value = ?, crc = ? where name = 'newest'", _with_crc(_ENCODE(newest)))
        database.execute("commit")
        return newest

    def close(self) -> None:
        """Closes the files."""
        self._database.close()
        self._counter.close()


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


def _may_follow(key: str, before: str, now: str) -> bool:
    """Whether data that were written with one setting may be used with another: configurations may be added behind those there were,
    and replicas come and go."""
    if key == "configurations":
        return now.split()[: len(before.split())] == before.split()
    return key == "replicas" or now == before


def _decoded_newest(value: object, crc: object) -> _Newest:
    try:
        return _DECODE(_checked(value, crc))
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Foreign(str(error)) from None


def _checked(value: object, crc: object) -> bytes:
    if not isinstance(value, bytes) or zlib.crc32(value) != crc:
        raise Foreign("a record has a wrong check sum")
    return value


def _with_crc(value: bytes) -> tuple[bytes, int]:
    return value, zlib.crc32(value)


def _no_room(error: sqlite3.Error) -> str:
    return f"no room: the file cannot grow, because the disk is full or a limit (ulimit -f, a quota) is reached ({error})"


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _is_there(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _sync_folder(folder: Path) -> None:
    """Has the names of new files outlive a power failure."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
