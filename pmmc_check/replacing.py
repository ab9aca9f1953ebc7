"""Files that are written whole or not at all: what is new is written beside the old, and takes its place in one step."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any


def replace_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Makes `text` (UTF-8) the content of a file; whoever reads it meanwhile finds the old or the new. With `durable` it is still the new
    one after the power has failed.

    Raises:
        OSError: it cannot be written; then the file is as it was.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(unfinished, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                to_disk(file)
        os.replace(unfinished, path)
        if durable:
            folder_to_disk(path.parent)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def to_disk(file: IO[Any]) -> None:
    """What was written to an open file is still there after the power has failed.

    Raises:
        OSError: it cannot be written.
    """
    file.flush()
    os.fsync(file.fileno())


def folder_to_disk(folder: Path) -> None:
    """So is what was made, renamed or replaced in a folder.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
