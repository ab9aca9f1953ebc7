"""How long step servers run: those that are started within `servers_ended` end with it, all others with this process."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

DEADLINE_SECONDS = 10.0
"""So long a server may take for one answer, unless something else is asked for."""


class Closable(Protocol):
    """What can be ended."""

    def close(self) -> None:
        """Ends it; a second time does nothing."""


_scopes: list[tuple[ExitStack, float]] = []


@contextmanager
def servers_ended(deadline: float | None = None) -> Iterator[None]:
    """At the end, servers that were started within are ended. `deadline` is the time for an answer, in seconds."""
    with ExitStack() as stack:
        scope = (stack, deadline_seconds() if deadline is None else deadline)
        _scopes.append(scope)
        try:
            yield
        finally:
            _scopes.remove(scope)


def deadline_seconds() -> float:
    """The time for an answer of a server that is started now."""
    return _scopes[-1][1] if _scopes else DEADLINE_SECONDS


def ends_in_time(server: Closable) -> None:
    """Has `server` ended with the innermost `servers_ended`, or with this process."""
    if _scopes:
        _scopes[-1][0].callback(server.close)
    else:
        atexit.register(server.close)
