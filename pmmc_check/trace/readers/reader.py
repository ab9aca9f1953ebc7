"""Opens a trace: recognises the format, reads the header, and gives one stream of events for each file.

A trace is one file, or a directory of part files (first line `pmmc-trace 1 part`) beside the one that has the header. Every file is read
as a stream, on demand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice, starmap
from pathlib import Path

from pmmc_check.trace.errors import TraceError, Unfit
from pmmc_check.trace.events import VERSION, Comment, Event, Header, Names, RecordedItem
from pmmc_check.trace.header import HeaderBuilder
from pmmc_check.trace.readers import json_reader
from pmmc_check.trace.readers.event_builder import EventBuilder
from pmmc_check.trace.readers.fast_reader import FastReader
from pmmc_check.trace.readers.grammar_reader import CONFIG, EMPTY, EVENT, LOG, MAGIC, Line
from pmmc_check.trace.readers.json_reader import JsonReader
from pmmc_check.trace.readers.lines import OnRead, lines
from pmmc_check.trace.values import Values

SettingPlaces = dict[str, Callable[[Unfit], TraceError]]
"""For each setting of a header that was read: how to say what is wrong with it, at its place."""

DSL, JSONL = "dsl", "jsonl"
_BATCH = 1000
_NO_TRACE = f"is no trace: expected the line 'pmmc-trace {VERSION}', or the JSON object {{\"pmmc-trace\": {VERSION}, ...}}"


@dataclass
class Trace:
    """An opened trace: the header, and the events of each of its files, to be read once."""

    path: Path
    header: Header
    names: Names
    values: Values
    streams: list[Iterator[RecordedItem]]
    preamble: list[Comment] = field(default_factory=list)

    def events(self) -> Iterator[Iterator[Event]]:
        """One stream of events a file; comments, and what replicas performed, left out."""
        for stream in self.streams:
            yield chain.from_iterable(_batches(iter(stream)))


class OpenedFile:
    """One file, as its lines with their numbers: its header lines go to a builder, then it gives events."""

    def __init__(self, path: Path, numbered: Iterator[tuple[int, str]], grammar_only: bool = False) -> None:
        self.path, self.name = path, str(path)
        self.grammar_only = grammar_only
        self.lines = numbered
        self.comments: list[Comment] = []
        self.held: tuple[int, str] | None = None
        self.format, self.part = DSL, False
        self._begin()

    def _begin(self) -> None:
        """Reads up to the magic line."""
        for number, text in self.lines:
            if not text.strip():
                continue
            if text.lstrip().startswith("#"):
                self.comments.append(_comment(text))
                continue
            if text.lstrip().startswith("{"):
                fields = json_reader.loads(self.name, number, text)
                if "#" in fields:
                    self.comments.append(Comment(json_reader.comment_text(self.name, number, fields)))
                    continue
                self.format, self.held = JSONL, (number, text)
                self._version(number, fields.get("pmmc-trace"), text)
                self.part = fields.get("part", False) is True
                return
            if not text.lstrip().startswith("pmmc-trace"):
                raise TraceError(self.name, number, 1, _NO_TRACE, text[:200])
            version, self.part = Line(self.name, number, text).magic()
            self._version(number, version, text)
            return
        raise TraceError(self.name, 0, 0, f"is empty, so it {_NO_TRACE}")

    def _version(self, number: int, version: object, text: str) -> None:
        if version is None:
            raise TraceError(self.name, number, 1, _NO_TRACE, text[:200])
        if version != VERSION or version is True:
            raise TraceError(
                self.name,
                number,
                1,
                f"version {version} of the trace format is not known here; expected {VERSION}: convert the trace, or update pmmc-check",
                text[:200],
            )

    def configure(self, builder: HeaderBuilder, places: SettingPlaces) -> None:
        """Takes the header lines, and adds the place of each setting; the first event line is held back."""
        if self.format == JSONL:
            assert self.held is not None, "the header object was read"
            number, text = self.held
            self.held = None
            fields = json_reader.loads(self.name, number, text)
            placed = partial(json_reader.header_error, self.name, number, text)
            places |= dict.fromkeys(fields, placed)
            try:
                json_reader.take_settings(builder, fields)
            except Unfit as unfit:
                raise placed(unfit) from None
            return
        for number, text in self.lines:
            if text.lstrip(" \t").startswith("#"):
                self.comments.append(_comment(text))
                continue
            words = text.split(None, 1)
            if not words:
                continue
            if words[0] not in (CONFIG, LOG):
                self.held = number, text
                return
            line = Line(self.name, number, text)
            try:
                if line.form == CONFIG:
                    line.configure(builder)
                elif line.form == LOG:
                    line.contract(builder)
            except Unfit as unfit:
                known = unfit.key in line.columns
                raise (line.error if known else places.get(unfit.key, line.error))(unfit) from None
            places |= dict.fromkeys(line.columns, line.error)
            if line.note is not None:
                self.comments.append(Comment(line.note))

    def items(self, event_builder: EventBuilder) -> Iterator[RecordedItem]:
        """The events, and what stands between them."""
        if self.format == JSONL or self.grammar_only:
            return filter(None, starmap(self.item_reader(event_builder), self.lines_left()))
        return self._fast_reader(event_builder).items(self.lines_left())

    def item_reader(self, event_builder: EventBuilder) -> Callable[[int, str], RecordedItem | None]:
        """What gives the event or comment of a line; None for an empty one."""
        if self.format == JSONL:
            return JsonReader(event_builder, self.name).item
        return partial(self._by_grammar, event_builder) if self.grammar_only else self._fast_reader(event_builder).item

    def _fast_reader(self, event_builder: EventBuilder) -> FastReader:
        return FastReader(event_builder, self.name, partial(self._by_grammar, event_builder))

    def lines_left(self) -> Iterator[tuple[int, str]]:
        """The lines after the header."""
        return self.lines if self.held is None else chain((self.held,), self.lines)

    def _by_grammar(self, event_builder: EventBuilder, number: int, text: str) -> RecordedItem | None:
        line = Line(self.name, number, text)
        if line.form == EMPTY:
            return _comment(text) if text.strip(" \t") else None
        if line.form != EVENT:
            what = (
                "a second magic line; one file is one trace"
                if line.form == MAGIC
                else f"a {line.form} line after the first event; move it up"
            )
            raise TraceError(self.name, number, 1, what, text)
        try:
            return line.event(event_builder)
        except Unfit as unfit:
            raise line.error(unfit) from None


def open_trace(
    path: Path, parts: Sequence[Path] = (), grammar_only: bool = False, names: Names | None = None, on_read: OnRead | None = None
) -> Trace:
    """Opens the trace at `path`; `parts` are all files of a trace in parts. `grammar_only` leaves the fast reader out.

    `names` are those of an earlier opening of the same trace: with them the events of both have the same values. `on_read` is told how
    reading goes on.

    Raises:
        TraceError: a file cannot be read or its header is wrong. Errors in events are raised while streams are read.
    """
    opened = [_part(each, grammar_only, on_read) for each in parts] if parts else [OpenedFile(path, lines(path, on_read), grammar_only)]
    header, names, event_builder = header_of_files(path, opened, names)
    comments = [comment for file in opened for comment in file.comments]
    return Trace(path, header, names, event_builder.values, [file.items(event_builder) for file in opened], comments)


def header_of_files(path: Path, opened: Sequence[OpenedFile], names: Names | None = None) -> tuple[Header, Names, EventBuilder]:
    """The header of the files of one trace, whose header lines it reads.

    Raises:
        TraceError: something in a header is wrong, or not exactly one file has one.
    """
    heads = [each for each in opened if not each.part]
    if len(heads) != 1:
        raise TraceError(
            str(path),
            0,
            0,
            f"{len(heads)} files have a header; a trace in parts has exactly one, and the others begin with 'pmmc-trace {VERSION} part'",
        )
    builder = HeaderBuilder()
    places: SettingPlaces = {}
    for file in [heads[0], *(each for each in opened if each.part)]:
        file.configure(builder, places)
    try:
        header = builder.finish()
    except Unfit as unfit:
        nowhere = TraceError(heads[0].name, 0, 0, unfit.problem)
        raise (places[unfit.key](unfit) if unfit.key in places else nowhere) from None
    names = names or Names(header)
    return header, names, EventBuilder(Values(names))


def _part(path: Path, grammar_only: bool, on_read: OnRead | None) -> OpenedFile:
    """A file of a directory that holds one trace."""
    try:
        return OpenedFile(path, lines(path, on_read), grammar_only)
    except TraceError as error:
        error.problem += (
            f"; all traces beside part files are parts of one trace: begin this file with 'pmmc-trace {VERSION} part', "
            f'or {{"pmmc-trace": {VERSION}, "part": true}}, or move it elsewhere'
        )
        raise


def _batches(stream: Iterator[RecordedItem]) -> Iterator[list[Event]]:
    """Events, some hundred at a time: reading and replaying in turns, each long enough to have the processor's caches for itself."""
    while batch := list(islice(stream, _BATCH)):
        yield [each for each in batch if type(each) is Event]


def is_part(path: Path) -> bool | None:
    """Whether a file is a part of a trace in parts; None when it does not even begin like a trace."""
    try:
        return OpenedFile(path, lines(path)).part
    except TraceError as error:
        return False if error.text.lstrip(' \t{"').startswith("pmmc-trace") else None


def _comment(text: str) -> Comment:
    return Comment(text.strip()[1:].strip())
