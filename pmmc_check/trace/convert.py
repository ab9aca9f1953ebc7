"""Conversion between the DSL and JSON Lines, which keeps comments, notes, ids and times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pmmc_check.trace.readers.reader import DSL, JSONL, Trace
from pmmc_check.trace.writer import DslWriter, JsonWriter

WRITERS: dict[str, type[DslWriter] | type[JsonWriter]] = {DSL: DslWriter, JSONL: JsonWriter}


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
