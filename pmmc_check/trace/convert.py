"""Conversion between the DSL and JSON Lines; comments, notes, ids and times stay."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pmmc_check.errors import PmmcError, UsageError
from pmmc_check.trace.readers.reader import DSL, JSONL, Trace
from pmmc_check.trace.writer import DslWriter, JsonWriter

WRITERS: dict[str, type[DslWriter] | type[JsonWriter]] = {DSL: DslWriter, JSONL: JsonWriter}


_TEXT: Any = {"encoding": "utf-8", "newline": "\n"}


def converted(trace: Trace, to: str) -> Iterator[str]:
    """The lines of `trace` in the other format; a trace in parts becomes one file."""
    writer = WRITERS[to](trace.values)
    header = list(writer.header(trace.header))
    comments = [writer.item(comment) for comment in trace.preamble]
    yield from (header + comments)
    for stream in trace.streams:
        for item in stream:
            yield writer.item(item)


def format_of(path: Path) -> str:
    """The format that a file's name asks for."""
    name = path.name.removesuffix(".gz")
    return JSONL if name.endswith((".jsonl", ".json", ".ndjson")) else DSL


@contextmanager
def writing(path: Path) -> Iterator[IO[str]]:
    """A text file, compressed if its name ends in .gz. Where what is to be written turns out to be bad input, nothing is left of it.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        with gzip.open(path, "wt", **_TEXT) if path.name.endswith(".gz") else path.open("w", **_TEXT) as stream:
            yield stream
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None
    except PmmcError:
        if path.is_file():
            path.unlink()
        raise
