"""From logs to a trace: one file, or a part for each log."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from pmmc_check.trace.convert import WRITERS
from pmmc_check.trace.events import VERSION
from pmmc_check.trace.importing.importer import Imported, Importer
from pmmc_check.trace.readers.reader import DSL

_TURN = 1000


def imported_as_one(importer: Importer, logs: Sequence[Path], to: str) -> Iterator[str]:
    """The lines of one trace. Events of several logs are in the order of their times, where all have some; else the logs take turns.

    Raises:
        TraceError: as `Importer.events`.
    """
    yield from imported_header(importer, to)
    yield from _lines(importer, _together([importer.events(log) for log in logs]), to)


def imported_header(importer: Importer, to: str) -> Iterator[str]:
    """The lines of the header."""
    yield from WRITERS[to](importer.values).header(importer.mapping.header)


def imported_part(importer: Importer, log: Path, to: str) -> Iterator[str]:
    """The lines of a part file, with the events of one log. Raises as `Importer.events`."""
    yield f"pmmc-trace {VERSION} part" if to == DSL else f'{{"pmmc-trace":{VERSION},"part":true}}'
    yield from _lines(importer, importer.events(log), to)


def _lines(importer: Importer, events: Iterator[Imported], to: str) -> Iterator[str]:
    if to == DSL:
        return (each.text for each in events)
    writer = WRITERS[to](importer.values)
    return (writer.item(each.event) for each in events)


def _together(streams: list[Iterator[Imported]]) -> Iterator[Imported]:
    """Any order will do, since only that within a log counts; but the nearer it is to that of the run, the less must be held in memory."""
    firsts = [list(islice(stream, 1)) for stream in streams]
    whole = [chain(first, stream) for first, stream in zip(firsts, streams, strict=True)]
    if all(first[0].event.time is not None for first in firsts if first):
        yield from heapq.merge(*whole, key=_moment)
        return
    while whole:
        for stream in tuple(whole):
            turn = list(islice(stream, _TURN))
            yield from turn
            if len(turn) < _TURN:
                whole.remove(stream)


def _moment(imported: Imported) -> tuple[float, str]:
    """A time as a number if it is one, else as text, such as 2026-11-28T06-13-01.5Z."""
    time = imported.event.time or ""
    try:
        return float(time), ""
    except ValueError:
        return 0.0, time
