"""One long trace in several processes: those that replay the logs of acceptors, replicas and clients, and this one, which has the leaders'.

The trace must lie in a file for each process, or so that leaders have files of their own, and its logs must be complete. Each worker reads
its files and sends what their logs did, a piece of a file at a time, as this process asks for it. What cannot be accepted so is not
rejected here: whoever asked judges the trace again in one process, so the report is the same, whatever happened to the workers.
"""

from __future__ import annotations

import marshal
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol, Self

from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import Names
from pmmc_check.trace.readers.reader import Trace, open_trace
from pmmc_check.trace.sources import Source
from pmmc_check.validation.habits import as_legal_runs
from pmmc_check.validation.memory_limit import MemoryLimit, MemoryLimitReached
from pmmc_check.validation.rare_collections import rare_collections
from pmmc_check.validation.replay.apart import ROLES_APART, Deed, NotApart, ReplayApart
from pmmc_check.validation.replay.diagnosis import Rejected
from pmmc_check.validation.replay.inflight import Ambiguous
from pmmc_check.validation.replay.together import LogPiece, ReplayTogether

WORTH_BYTES = 4 << 20
"""Smaller traces are judged in one process: in the time that others take to start it is nearly done."""

_PIECE_EVENTS = 2000
_NOT_SO = (NotApart, Rejected, Ambiguous, TraceError, MemoryLimitReached, MemoryError, RecursionError)


@dataclass(frozen=True)
class Accepted:
    """What was read of a trace that is accepted."""

    events: int
    heard: frozenset[str]
    has_performs: bool


@dataclass(frozen=True)
class _Task:
    """What a worker is to do: replay some files of a trace, by their numbers."""

    source: Source
    names: Names
    files: tuple[int, ...]
    late: bool
    memory_bytes_max: int | None


class Reading(Protocol):
    """Is told how far the files of a trace have been read."""

    memory: MemoryLimit

    def read(self, count: int) -> None:
        """So many bytes more."""


def accepted_together(trace: Trace, source: Source, processes: int, late: bool, reading: Reading) -> Accepted | None:
    """What came of replaying a trace, which has just been opened, in several processes; None where that does not show it to be legal."""
    replay = ReplayTogether(trace.header, trace.names, late=late)
    if multiprocessing.current_process().daemon:
        return None  # such a process may have none of its own
    if not replay.exact or trace.header.ordered or sum(each.stat().st_size for each in source.parts) < WORTH_BYTES:
        return None
    streams, apart = _divided(trace, late)
    if not apart:
        return None
    share = None if reading.memory.bytes_max is None else reading.memory.bytes_max // (processes + 1)
    memory = MemoryLimit(share)
    with ExitStack() as stack, suppress(*_NOT_SO, EOFError, OSError):
        tasks = [_Task(source, trace.names, files, late, share) for files in _shares(source, apart, processes)]
        workers = [stack.enter_context(_Worker(each)) for each in tasks]

        def read(count: int) -> None:
            memory.check()
            reading.read(count)

        for worker in workers:
            streams |= {file: worker.pieces(file, read) for file in worker.files}
        events = replay.take_turns([each for _, each in sorted(streams.items())])
        has_performs = trace.values.has_performs or any(each.has_performs for each in workers)
        return Accepted(events + sum(each.events for each in workers), frozenset(replay.heard), has_performs)
    return None


def _divided(trace: Trace, late: bool) -> tuple[dict[int, Iterator[Any]], list[int]]:
    """The events of files that begin with one of a leader, by number; and the numbers of the other files that have events."""
    mine: dict[int, Iterator[Any]] = {}
    apart: list[int] = []
    for number, stream in enumerate(as_legal_runs(trace.events(), trace.header, late)):
        first = next(stream, None)
        if first is not None and first.process.role in ROLES_APART:
            apart.append(number)
        elif first is not None:
            mine[number] = chain((first,), stream)
    return mine, apart


def _shares(source: Source, files: Sequence[int], processes: int) -> list[tuple[int, ...]]:
    """The files of each worker, so that all have about the same to read."""
    shares: list[list[int]] = [[] for _ in range(min(processes, len(files)))]
    sizes = {file: source.parts[file].stat().st_size for file in files}
    for file in sorted(files, key=lambda each: (-sizes[each], each)):
        min(shares, key=lambda share: sum(sizes[each] for each in share)).append(file)
    return [tuple(share) for share in shares]


class _Worker:
    """A process that replays some files, as this one asks for them."""

    def __init__(self, task: _Task) -> None:
        self.files, self.events, self.has_performs = task.files, 0, False
        self._connection, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_work, args=(theirs, task), daemon=True)
        self._process.start()
        theirs.close()
        self._replies: dict[int, _Reply] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()
        self._connection.close()

    def pieces(self, file: int, read: Callable[[int], None]) -> Iterator[LogPiece]:
        """What the logs in a file did. The next piece is made while the last one is taken up."""
        self._connection.send(file)
        whole = False
        while not whole:
            whole, events, count, self.has_performs, by_log = self._reply(file)
            if not whole:
                self._connection.send(file)
            self.events += events
            read(count)
            for log, deeds in by_log.items():
                yield LogPiece(log, deeds)

    def _reply(self, file: int) -> _Reply:
        while file not in self._replies:
            said = self._connection.recv_bytes()
            if not said:
                raise NotApart
            about, *reply = marshal.loads(said)
            self._replies[about] = _Reply(*reply)
        return self._replies.pop(file)


class _Reply(NamedTuple):
    """A piece of a file: whether it is the last, how many events and bytes it is, whether anything was performed, and the deeds by log."""

    whole: bool
    events: int
    bytes_read: int
    has_performs: bool
    by_log: dict[str, list[Deed]]


# ---- in the worker ----


def _work(connection: Connection, task: _Task) -> None:
    """Answers until the other end is closed, or the process is ended. An empty answer: it cannot be replayed so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the parent then ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(EOFError, OSError):
        try:
            with rare_collections():
                _answer(connection, task)
        except _NOT_SO:
            connection.send_bytes(b"")


def _answer(connection: Connection, task: _Task) -> None:
    memory, counted = MemoryLimit(task.memory_bytes_max), [0]

    def read(count: int) -> None:
        memory.check()
        counted[0] += count

    trace = open_trace(task.source.path, task.source.parts, names=task.names, on_read=read)
    replay = ReplayApart(trace.header, trace.names, late=task.late)
    streams = dict(enumerate(as_legal_runs(trace.events(), trace.header, task.late)))
    left = set(task.files)
    while left:
        file = connection.recv()
        events = list(islice(streams[file], _PIECE_EVENTS))
        deeds = replay.deeds(events)
        if whole := len(events) < _PIECE_EVENTS:
            left.remove(file)
            if not left:
                replay.finish()
        bytes_read, counted[0] = counted[0], 0
        connection.send_bytes(marshal.dumps((file, whole, len(events), bytes_read, trace.values.has_performs, deeds)))
    connection.recv()
