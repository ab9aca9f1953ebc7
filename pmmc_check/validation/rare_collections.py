"""Makes Python look for cyclic garbage less often while traces are replayed."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Thresholds:
    """Those that stood before the first of the replays that are running: in one process several threads may replay."""

    lock = threading.Lock()
    running = 0
    before = (0, 0, 0)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Makes Python look for cyclic garbage less often: a replay makes none, and looking takes a fifth of its time."""
    with _Thresholds.lock:
        _Thresholds.running += 1
        if _Thresholds.running == 1:
            _Thresholds.before = gc.get_threshold()
            gc.set_threshold(200_000, 10, 10)
    try:
        yield
    finally:
        with _Thresholds.lock:
            _Thresholds.running -= 1
            if not _Thresholds.running:
                gc.set_threshold(*_Thresholds.before)
