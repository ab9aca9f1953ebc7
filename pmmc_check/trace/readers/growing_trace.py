"""A trace that is still being written: in a file, in the part files of a directory, new ones among them, or on standard input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pmmc_check.trace.errors import TraceError, Unfit
from pmmc_check.trace.events import VERSION, Event, Header, Names, Perform, RecordedItem
from pmmc_check.trace.header import HeaderBuilder
from pmmc_check.trace.readers.event_builder import EventBuilder
from pmmc_check.trace.readers.growing_files import FileIdentity, GrowingFile, GrowingLines, Numbered, StandardInput
from pmmc_check.trace.readers.reader import JSONL, OpenedFile, SettingPlaces, header_of_files
from pmmc_check.trace.sources import SUFFIXES

STANDARD_INPUT = "-"
"""The path that stands for it."""


class FreshItems(NamedTuple):
    """Events of one file, and what replicas performed, in its order."""

    file: str
    items: list[Event | Perform]


class _Log:
    """One file that grows: up to its header lines as they are, then as events."""

    def __init__(self, growing: GrowingLines) -> None:
        self.growing = growing
        self.path = growing.path
        self.head: list[Numbered] = []
        self.file: OpenedFile | None = None
        self.item: Callable[[int, str], RecordedItem | None] | None = None
        self.first: list[Numbered] = []
        """Lines that were read before the header was known to be whole."""

    def read_head(self) -> bool:
        """Reads what there is of its beginning; whether there was more than before."""
        more = self.growing.read()
        self.head += more
        return bool(more)

    def opened(self) -> OpenedFile | None:
        """The file, if its first line is there."""
        try:
            return OpenedFile(self.path, iter(self.head))
        except TraceError as error:
            if not error.line:
                return None  # nothing yet, or only comments
            raise

    def begin(self, file: OpenedFile, event_builder: EventBuilder) -> None:
        """The header lines have been read; what is left are events."""
        self.file, self.item = file, file.item_reader(event_builder)
        self.first, self.head = list(file.lines_left()), []

    def new_items(self) -> list[Event | Perform]:
        """Those that are there and were not read before, up to a limit."""
        numbered, self.first = self.first, []
        assert self.item is not None, "its header has been read"
        items = (self.item(number, text) for number, text in numbered or self.growing.read())
        return [each for each in items if isinstance(each, Event | Perform)]


class GrowingTrace:
    """The trace at a path: `begin` until it is True, then `rounds` again and again. Neither ever waits.

    All methods raise `TraceError` for what cannot be read, and `Rewritten` where a file no longer holds what was read of it.
    """

    def __init__(self, path: str) -> None:
        self.name = path
        self.path = Path(path)
        self.header: Header | None = None
        self.names: Names | None = None
        self.remarks: list[str] = []
        """What has happened to the files; whoever shows it empties the list."""
        self._event_builder: EventBuilder | None = None
        self._logs: dict[FileIdentity | None, _Log] = {}
        self._known: dict[Path, FileIdentity] = {}
        self._foreign: set[FileIdentity] = set()

    # ---- files ----

    def _look_for_files(self) -> None:
        if self.name == STANDARD_INPUT:
            if not self._logs:
                self._logs[None] = _Log(GrowingLines(StandardInput()))
        elif self.path.is_dir():
            for each in sorted(self.path.iterdir()):
                self._look_at(each)
        else:
            self._look_at(self.path)

    def _look_at(self, path: Path) -> None:
        try:
            status = path.stat()
        except OSError:
            return  # it has gone again
        identity = FileIdentity(status.st_dev, status.st_ino)
        before = self._known.get(path)
        if before == identity or not path.is_file():
            return
        self._known[path] = identity
        if before in self._logs:
            self.remarks.append(f"{path} is another file now; the old one is followed to its end, and the new one goes on")
        if identity not in self._logs and identity not in self._foreign:
            growing = GrowingFile(path)
            self._logs[growing.identity] = _Log(GrowingLines(growing))

    def _is_ours(self, identity: FileIdentity | None, log: _Log) -> bool:
        """Whether a file in the directory is part of the trace: by its name, or because it begins like one."""
        first = next((text for _, text in log.head if text.strip() and not text.lstrip().startswith("#")), None)
        ours = first is None or first.lstrip(' \t{"').startswith("pmmc-trace") or self._must_be_ours(log.path)
        if not ours and identity is not None:
            self._foreign.add(identity)
        return ours

    def _must_be_ours(self, path: Path) -> bool:
        return not self.path.is_dir() or path.name.endswith(SUFFIXES)

    # ---- the header ----

    def begin(self) -> bool:
        """Reads up to the first events, as far as that has been written; whether the header is there."""
        self._look_for_files()
        quiet = not sum(log.read_head() for log in self._logs.values())
        self._logs = {identity: log for identity, log in self._logs.items() if self._is_ours(identity, log)}
        opened = {identity: file for identity, log in self._logs.items() if (file := log.opened()) is not None}
        if all(file.part for file in opened.values()) or not self._header_is_whole(opened, quiet):
            return False
        self.header, self.names, self._event_builder = header_of_files(self.path, list(opened.values()))
        for identity, file in opened.items():
            self._logs[identity].begin(file, self._event_builder)
        return True

    def _header_is_whole(self, opened: dict[FileIdentity | None, OpenedFile], quiet: bool) -> bool:
        """A header in the DSL is followed by an event. One without events is whole when other files have some, and nothing is added."""
        if any(not file.part and (file.format == JSONL or self._has_events(self._logs[each])) for each, file in opened.items()):
            return True
        return quiet and any(file.part and self._has_events(self._logs[each]) for each, file in opened.items())

    def _has_events(self, log: _Log) -> bool:
        words = [text.split(None, 1)[0] for _, text in log.head if text.strip() and not text.lstrip().startswith("#")]
        return any(word not in ("pmmc-trace", "config", "log") and not word.startswith('{"pmmc-trace') for word in words)

    # ---- events ----

    def rounds(self, waits: Callable[[str], bool]) -> Iterator[list[FreshItems]]:
        """All that has been written since, a limited piece of each file at a time.

        `waits` says of a file whether its events wait for those of others; then it is left until the others have been read.
        """
        self._look_for_files()
        while True:
            ahead = [log for log in self._logs.values() if not waits(str(log.path))]
            batches = list(self._read(ahead)) or list(self._read([log for log in self._logs.values() if log not in ahead]))
            if not batches:
                return
            yield batches

    def _read(self, logs: list[_Log]) -> Iterator[FreshItems]:
        for log in logs:
            if log.item is None and not self._take_in(log):
                continue
            items = log.new_items()
            if items:
                yield FreshItems(str(log.path), items)

    def _take_in(self, log: _Log) -> bool:
        """Takes a file that has appeared since; whether its first line is there."""
        log.read_head()
        identity = next(each for each, known in self._logs.items() if known is log)
        if not self._is_ours(identity, log):
            del self._logs[identity]
            return False
        file = log.opened()
        if file is None:
            return False
        assert self._event_builder is not None, "the header has been read"
        if not file.part:
            raise TraceError(
                file.name, 0, 0, f"has a header, and so has another file of this trace; it must begin with 'pmmc-trace {VERSION} part'"
            )
        settings: SettingPlaces = {}
        file.configure(HeaderBuilder(), settings)
        for each in settings.keys() - {"pmmc-trace", "part"}:
            raise settings[each](Unfit("this setting comes too late: the header was taken when the first events were there", each))
        log.begin(file, self._event_builder)
        self.remarks.append(f"{log.path} was taken in")
        return True

    # ---- the end ----

    @property
    def ended(self) -> bool:
        """Whether nothing will be written any more, as far as one can know."""
        return bool(self._logs) and all(log.growing.source.ended for log in self._logs.values())

    def unfinished(self) -> list[str]:
        """The lines that were begun and not finished, as places."""
        return [f"{log.path}:{number}" for log in self._logs.values() if (number := log.growing.unfinished)]

    def close(self) -> None:
        """Closes all files."""
        for log in self._logs.values():
            log.growing.close()
