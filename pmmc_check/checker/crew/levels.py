"""What each level has brought each worker, on disk: when a worker dies, all go back to the last level that every one has written.

    LEVEL/WORKER/       a checked folder (`checker.checkpoints.saved`): the states that the level has brought this worker, as they are
                        stored, and those found at that level that wait for later ones

All levels together hold what all workers together hold, so it can be shared out anew among any number of workers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.checkpoints.saved import SavedSearch, read_saved, write_saved

_DIGITS = 6
_SEGMENT = "waiting-{}-{}-{}-{}"


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    level: int
    worker: int


class OfLevel(NamedTuple):
    """What a level has brought one worker: new fingerprints with what is stored of them, and states that wait, by (level, found at, wave,
    finder)."""

    worker: int
    fingerprints: NDArray[np.uint64]
    origins: NDArray[np.uint64]
    waiting: Mapping[Any, NDArray[np.integer]]


def write_level(folder: Path, level: int, brought: OfLevel) -> int:
    """Writes it; returns its bytes.

    Raises:
        OSError: it cannot be written.
    """
    of_level = folder / f"{level:0{_DIGITS}}"
    of_level.mkdir(parents=True, exist_ok=True)
    where = of_level / f"{brought.worker:0{_DIGITS}}"
    return write_saved(where, SavedSearch(_Written(level, brought.worker), _arrays(brought)))


def _arrays(brought: OfLevel) -> Iterator[tuple[str, NDArray[Any]]]:
    yield "fingerprints", brought.fingerprints
    yield "origins", brought.origins
    for key, block in brought.waiting.items():
        yield _SEGMENT.format(*key), block


def written_levels(folder: Path, last: int) -> Iterator[OfLevel]:
    """What was written, level by level up to the `last`, and of each worker.

    Raises:
        DamagedCheckpoint: something is not what was written.
        OSError: it cannot be read.
    """
    for of_level in sorted(each for each in folder.iterdir() if each.name.isdigit() and int(each.name) <= last):
        for where in sorted(each for each in of_level.iterdir() if each.name.isdigit()):
            written, arrays = read_saved(where, _Written)
            waiting = {_key_of(name): np.array(block) for name, block in arrays.items() if name.startswith("waiting")}
            yield OfLevel(written.worker, np.array(arrays["fingerprints"]), np.array(arrays["origins"]), waiting)


def forget_levels(folder: Path, after: int) -> None:
    """Removes what was written of levels after this one: not every worker has."""
    for of_level in folder.iterdir() if folder.is_dir() else ():
        if of_level.name.isdigit() and int(of_level.name) > after:
            shutil.rmtree(of_level, ignore_errors=True)


def _key_of(name: str) -> tuple[int, int, int, int]:
    level, found_at, wave, finder = map(int, name.split("-")[1:])
    return level, found_at, wave, finder
