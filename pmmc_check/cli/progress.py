"""The progress of a search on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pmmc_check.words import counted

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from pmmc_check.checker.result import Snapshot

SECONDS_UNTIL_SHOWN = 2.0
SECONDS_BETWEEN_LINES = 60.0
"""Where stderr is no terminal."""


class _Line:
    """The line as it stands now; rich asks for it several times a second, so the time goes on while the search is silent."""

    def __init__(self) -> None:
        self.started_at = time.monotonic()
        self.text = "starting"

    def seconds(self) -> float:
        """Since the search began."""
        return time.monotonic() - self.started_at

    def __str__(self) -> str:
        return f"{clock(self.seconds())}  {self.text}"

    def __rich__(self) -> Text:
        from rich.text import Text

        return Text(str(self), no_wrap=True, overflow="ellipsis")


@contextmanager
def progress_line(quiet: bool) -> Iterator[Callable[[str], None]]:
    """What is called with a text now and then shows it on stderr with the time elapsed, from the third second on.

    On a terminal that is one line, which is gone before anything else is printed; elsewhere a line a minute."""
    line = _Line()
    if quiet:
        yield lambda text: None
    elif sys.stderr.isatty():
        yield from _on_a_terminal(line)
    else:
        yield from _a_line_a_minute(line)


def _on_a_terminal(line: _Line) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.live import Live

    live: Live | None = None

    def report(text: str) -> None:
        nonlocal live
        line.text = text
        if live is None and line.seconds() >= SECONDS_UNTIL_SHOWN:
            live = Live(line, console=Console(stderr=True), transient=True, refresh_per_second=4, redirect_stdout=False)
            live.start()

    try:
        yield report
    finally:
        if live is not None:
            live.stop()


def _a_line_a_minute(line: _Line) -> Iterator[Callable[[str], None]]:
    due = SECONDS_BETWEEN_LINES

    def report(text: str) -> None:
        nonlocal due
        line.text = text
        if line.seconds() >= due:
            due += SECONDS_BETWEEN_LINES
            print(f"pmmc-check: {line}", file=sys.stderr, flush=True)

    yield report


def clock(seconds: float) -> str:
    """`1:05` or `2:00:09`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def search_progress(report: Callable[[str], None]) -> Callable[[Snapshot], None]:
    """Tells `report` of the moments of a search: its counts, its rate, and whether the frontier grows from level to level or shrinks."""
    started_at = time.monotonic()
    trend = _Trend()

    def tell(snapshot: Snapshot) -> None:
        if snapshot.diagram_nodes:
            report(f"{snapshot.diagram_nodes:,} nodes of the decision diagram, {snapshot.memory_bytes / 2**20:,.0f} MiB")
            return
        rate = snapshot.generated_states / max(time.monotonic() - started_at, 1e-9)
        frontier = f"frontier {snapshot.frontier_states:,}{trend.of(snapshot)}, " if snapshot.frontier_states else ""
        report(
            f"depth {snapshot.depth}, {counted(snapshot.distinct_states, 'state')}, {frontier}"
            f"{rate:,.0f} generated/s, {snapshot.memory_bytes / 2**20:,.0f} MiB"
        )

    return tell


class _Trend:
    """Compares the largest frontier of each level with that of the level before."""

    def __init__(self) -> None:
        self._depth, self._now, self._before = 0, 0, 0

    def of(self, snapshot: Snapshot) -> str:
        """The word for it, where there is something to compare."""
        if snapshot.depth != self._depth:
            self._depth, self._before, self._now = snapshot.depth, self._now, 0
        self._now = max(self._now, snapshot.frontier_states)
        if not self._before or self._now == self._before:
            return ""
        return " and growing" if self._now > self._before else " and shrinking"
