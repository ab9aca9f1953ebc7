"""The folder in which a command keeps its searches, so that they can go on.

    search.json                   what was asked for; another command is refused
    lock                          held by the process that writes here
    SEARCH/000012/                the newest checkpoint of one of the command's searches; SEARCH is a digest of what is searched

There is one checkpoint for each search; while a newer one is written there are two."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import msgspec

from pmmc_check import __version__
from pmmc_check.checker.checkpoints.saved import Arrays, SavedFacts, SavedSearch, read_checked, read_saved, write_checked, write_saved
from pmmc_check.checker.result import CheckpointsUsed, ResumedFrom
from pmmc_check.errors import UsageError

EVERY_SECONDS = 600.0
_COMMAND, _LOCK = "search.json", "lock"
_DIGITS = 6


class _Command(msgspec.Struct, forbid_unknown_fields=True):
    version: str
    asked: dict[str, Any]


@dataclass
class SearchCheckpoints:
    """The checkpoints of one search. `failed` says why the last one could not be written, `size` is the newest one's, in bytes."""

    folder: Path
    every_seconds: float
    may_read: bool
    written: int = 0
    size: int = 0
    failed: str | None = None
    _last: float = field(default_factory=time.monotonic)

    def newest(self, kind: type[SavedFacts]) -> tuple[SavedFacts, Arrays, Path] | None:
        """The newest checkpoint, and where it is; None when there is none.

        Raises:
            DamagedCheckpoint: it is not what was written.
        """
        found = self._all()
        if not found or not self.may_read:
            return None
        try:
            self._last = time.monotonic()
            return *read_saved(found[-1], kind), found[-1]
        except OSError as error:
            raise UsageError(f"--resume {found[-1]}: cannot be read: {error.strerror or error}") from None

    @property
    def due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() - self._last >= self.every_seconds

    def write(self, saved: SavedSearch) -> None:
        """Writes the next one, and removes the one before. Where it cannot be written that one stays, and the search goes on."""
        before = self._all()
        number = 1 + (int(before[-1].name) if before else 0)
        try:
            self.folder.mkdir(exist_ok=True)
            self.size = write_saved(self.folder / f"{number:0{_DIGITS}}", saved)
            self.written, self.failed = self.written + 1, None
        except OSError as error:
            self.failed = error.strerror or str(error)
        else:
            for each in before:
                shutil.rmtree(each, ignore_errors=True)
        self._last = time.monotonic()

    def used(self, resumed: ResumedFrom | None) -> CheckpointsUsed:
        """As reports tell it."""
        return CheckpointsUsed(str(self.folder.parent), self.written, self.size, resumed, self.failed, self.may_read and resumed is None)

    def _all(self) -> list[Path]:
        with suppress(OSError):
            return sorted(each for each in self.folder.iterdir() if each.name.isdigit())
        return []


class Checkpoints:
    """The folder of a command. Within `with`, no other process uses it.

    `asked` is what the command was asked for, as JSON can hold it. With `resume`, the search in the folder must have been asked for the
    same (`begin`: or there is none yet); without, the folder must hold none.

    Raises:
        UsageError: the folder cannot be used, or holds another search.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any], *, resume: bool, begin: bool, every_seconds: float = EVERY_SECONDS) -> None:
        self.folder = folder.absolute()
        self.every_seconds = every_seconds
        self._option = "--resume" if resume else "--checkpoint"
        self._asked = _Command(__version__, json.loads(json.dumps(asked)))
        self._resume = resume
        self._begin = begin
        self._lock: IO[str] | None = None

    def __enter__(self) -> Checkpoints:
        there = self.folder / _COMMAND
        try:
            if self._resume and not self._begin and not there.is_file():
                raise UsageError(f"--resume {self.folder}: there is no search in it; begin one with --checkpoint {self.folder}")
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            if not there.is_file():
                self._check_empty()
                write_checked(there, self._asked)
            elif self._resume:
                self._compare(read_checked(there, _Command))
            else:
                remedy = f"go on with --resume {self.folder}, or give another folder"
                raise UsageError(f"--checkpoint {self.folder}: there is a search in it already; {remedy}")
        except OSError as error:
            self._unlock()
            what = "a folder is needed here" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror or str(error)
            raise UsageError(f"{self._option} {self.folder}: cannot be used: {what}; give a folder that can be written") from None
        except BaseException:
            self._unlock()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        self._unlock()

    def of_search(self, searched: Mapping[str, Any]) -> SearchCheckpoints:
        """The checkpoints of the search for what `searched` says."""
        name = blake2b(json.dumps(searched, sort_keys=True).encode(), digest_size=8).hexdigest()
        return SearchCheckpoints(self.folder / name, self.every_seconds, self._resume)

    def _compare(self, found: _Command) -> None:
        if found.version != self._asked.version:
            raise UsageError(
                f"--resume {self.folder}: the search in it was begun by pmmc-check {found.version}, and this is {self._asked.version}: "
                f"go on with that version, or begin again with --checkpoint and another folder"
            )
        theirs, ours = _flat(found.asked), _flat(self._asked.asked)
        different = [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)]
        if "variants" in different:  # they are why roles differ
            different = [name for name in different if name not in found.asked["roles"]]
        if different:
            told = ", ".join(_difference(name, theirs.get(name), ours.get(name)) for name in different[:3])
            raise UsageError(f"--resume {self.folder}: there is another search in it: {told}; give the options with which it was begun")

    def _check_empty(self) -> None:
        if others := sorted(each.name for each in self.folder.iterdir() if each.name != _LOCK):
            raise UsageError(f"{self._option} {self.folder}: there is something else in it already ({others[0]}); give another folder")

    def _take_lock(self) -> None:
        self._lock = open(self.folder / _LOCK, "a", encoding="utf-8")  # noqa: SIM115  # open for as long as it is held
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{self._option} {self.folder}: another process is searching here; wait for it, or give another folder"
            ) from None
        _remove_unfinished(self.folder)

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _remove_unfinished(folder: Path) -> None:
    """What a process left behind that was killed while it wrote."""
    for each in folder.glob("*/.*.unfinished"):
        shutil.rmtree(each, ignore_errors=True)
    for each in folder.glob(f".{_COMMAND}.*"):
        with suppress(OSError):
            os.unlink(each)


def _flat(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is in it by name, without the names of groups."""
    flat: dict[str, Any] = {}
    for name, value in asked.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat


def _difference(name: str, theirs: Any, ours: Any) -> str:
    if name == "spec" and theirs and ours:
        return "the spec has been changed"
    if isinstance(theirs, str) and isinstance(ours, str):
        theirs, ours = theirs.split(maxsplit=1)[0], ours.split(maxsplit=1)[0]
        if theirs == ours:
            return f"the text of {ours} has been changed"
    return f"{name} {_shown(theirs)} there and {_shown(ours)} here"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "given" if value else "not given"
    return "not given" if value in (None, "") else str(value)
