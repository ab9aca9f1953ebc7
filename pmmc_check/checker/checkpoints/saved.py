"""One checkpoint: a folder with numbers and nothing else, written whole or not at all.

    checkpoint.json     {"pmmc-check-checkpoint": 1, "digest": BLAKE2b of the body, "body": {what was counted, the arrays' digests}}
    arrays.npy          arrays in NumPy's own format, one behind the other

A checkpoint holds no state, message or class of a role, only view numbers, fingerprints and counts: whoever reads one executes nothing that
it contains. What the numbers stand for the roles are asked again (`checker.checkpoints.again`)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from pmmc_check.errors import UsageError
from pmmc_check.replacing import folder_to_disk, replace_text, to_disk

FORMAT = 1
HEADER, ARRAYS = "checkpoint.json", "arrays.npy"
_MAGIC = "pmmc-check-checkpoint"
_PIECE = 1 << 22

SavedFacts = TypeVar("SavedFacts", bound=msgspec.Struct)
Arrays = dict[str, NDArray[Any]]


class DamagedCheckpoint(UsageError):
    """What was read is not what was written, or was written by a newer version."""


class _Placed(msgspec.Struct, forbid_unknown_fields=True):
    """Where an array begins."""

    name: str
    offset: int


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    facts: dict[str, Any]
    arrays: list[_Placed]
    digest: str


class SavedSearch(NamedTuple):
    """What a search needs to go on: what it has counted, as a `msgspec.Struct`, and arrays by name, each made when it is written."""

    facts: msgspec.Struct
    arrays: Iterable[tuple[str, NDArray[Any]]]


def write_checked(path: Path, body: Any) -> None:
    """Writes a small JSON file with its digest, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    built = msgspec.to_builtins(body)
    text = json.dumps({_MAGIC: FORMAT, "digest": _digest_of(built), "body": built}, indent=1) + "\n"
    replace_text(path, text, durable=True)


def read_checked(path: Path, kind: type[SavedFacts]) -> SavedFacts:
    """Reads what `write_checked` wrote.

    Raises:
        DamagedCheckpoint: it is something else.
        OSError: it cannot be read.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        version = told[_MAGIC]
    except (ValueError, TypeError, KeyError):
        raise damaged(path, "it is no checkpoint, or only a part of one") from None
    if not isinstance(version, int) or version > FORMAT:
        raise DamagedCheckpoint(
            f"{path}: the checkpoint has format {version!r}, and this version reads {FORMAT}: "
            f"go on with the version of pmmc-check that wrote it"
        )
    if told.get("digest") != _digest_of(told.get("body")):
        raise damaged(path, "its digest is not that of what it holds")
    return _converted(path, told["body"], kind)


def write_saved(folder: Path, saved: SavedSearch) -> int:
    """Writes a checkpoint to a folder that is not there yet; returns its bytes.

    Raises:
        OSError: it cannot be written; then nothing of it is left.
    """
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        places, digest = _written(unfinished / ARRAYS, saved.arrays)
        write_checked(unfinished / HEADER, _Body(msgspec.to_builtins(saved.facts), places, digest))
        size = sum(each.stat().st_size for each in unfinished.iterdir())
        os.rename(unfinished, folder)
        folder_to_disk(folder.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return size


def read_saved(folder: Path, kind: type[SavedFacts]) -> tuple[SavedFacts, Arrays]:
    """Reads a checkpoint; its arrays stay on disk until they are looked at.

    Raises:
        DamagedCheckpoint: it is not what was written.
        OSError: it cannot be read.
    """

    body = read_checked(folder / HEADER, _Body)
    path = folder / ARRAYS
    if not path.is_file():
        raise damaged(path, "it is missing")
    if _digest_of_file(path) != body.digest:
        raise damaged(path, "its digest is not the one that was written")
    arrays = {each.name: _mapped(path, each.offset) for each in body.arrays}
    return _converted(folder / HEADER, body.facts, kind), arrays


def _converted(path: Path, body: Any, kind: type[SavedFacts]) -> SavedFacts:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise damaged(path, str(error)) from None


def damaged(path: Path, why: str) -> DamagedCheckpoint:
    """The error that says so."""
    return DamagedCheckpoint(
        f"{path}: the checkpoint is damaged: {why}; nothing was changed; begin again with --checkpoint and another folder"
    )


def _mapped(path: Path, offset: int) -> NDArray[Any]:
    """One of the arrays, which stays on disk until it is looked at."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            version = np.lib.format.read_magic(file)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            if version != (1, 0) or fortran or dtype.hasobject:
                raise ValueError("it is no plain array")
            if 0 in shape:  # nothing cannot be mapped
                return np.zeros(shape, dtype)
            return np.memmap(path, dtype, "r", file.tell(), shape)
    except ValueError as error:
        raise damaged(path, str(error)) from None


class _Digesting:
    """A file that takes a digest of what is written to it."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.digest = blake2b(digest_size=16)

    def write(self, data: Any) -> int:
        self.digest.update(data)
        written: int = self._file.write(data)
        return written


def _written(path: Path, arrays: Iterable[tuple[str, NDArray[Any]]]) -> tuple[list[_Placed], str]:
    """Writes arrays; returns where each begins, and the digest of all."""
    places = []
    with open(path, "wb") as file:
        through = _Digesting(file)
        for name, array in arrays:
            places.append(_Placed(name, file.tell()))
            np.lib.format.write_array(through, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
        to_disk(file)
    return places, through.digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _digest_of_file(path: Path) -> str:
    digest = blake2b(digest_size=16)
    for piece in _pieces(path):
        digest.update(piece)
    return digest.hexdigest()


def _digest_of(body: Any) -> str:
    return blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=16).hexdigest()
