"""The progress of a search on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pmmc_check.checker.result import Snapshot


@contextmanager
def progress_line(quiet: bool) -> Iterator[Callable[[Snapshot], None]]:
    """A line on stderr, from the third second on, when stderr is a terminal."""
    from tqdm import tqdm

    with tqdm(bar_format="{desc}", delay=2, leave=False, disable=quiet or not sys.stderr.isatty()) as bar:

        def report(snapshot: Snapshot) -> None:
            rate = snapshot.generated_states / max(bar.format_dict["elapsed"], 1e-9)
            bar.set_description_str(
                f"depth {snapshot.depth}, {snapshot.distinct_states:,} states, {rate:,.0f} generated/s, "
                f"frontier {snapshot.frontier_states:,}, {snapshot.memory_bytes / 2**20:,.0f} MiB"
            )

        yield report
