"""When something that has no answer yet is asked for again: late at first, then later and later, so that an overloaded cluster is not
loaded further."""

from __future__ import annotations

from collections.abc import Collection, Hashable

_GROWTH = 2.0


class Retries:
    """Deadlines by key. `first` is how long an answer may take, `most` the longest time between two questions, in seconds."""

    def __init__(self, first: float, most: float) -> None:
        self.first, self.most = first, most
        self._next: dict[Hashable, tuple[float, float]] = {}

    def due(self, key: Hashable, now: float) -> bool:
        """Whether it is time to ask again; then the next time is later. The first call for a key begins to wait."""
        when, interval = self._next.get(key, (None, self.first))
        if when is None:
            self._next[key] = now + interval, interval
            return False
        if now < when <= now + interval:  # a clock that has jumped backwards must not keep anything waiting
            return False
        later = min(self.most, interval * _GROWTH)
        self._next[key] = now + later, later
        return True

    def forget(self, key: Hashable) -> None:
        """It has been answered."""
        self._next.pop(key, None)

    def keep_only(self, keys: Collection[Hashable]) -> None:
        """Forgets all others, if there are many."""
        if len(self._next) > 2 * len(keys) + 100:
            self._next = {key: value for key, value in self._next.items() if key in keys}
