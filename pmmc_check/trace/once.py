"""Remembers which numbers were seen, in memory that follows the gaps between them and not how many there are."""

from __future__ import annotations

from collections.abc import Hashable


class Once:
    """Numbers under keys. Numbers usually come nearly in order, so each key keeps one run without gaps and the few beyond it."""

    def __init__(self) -> None:
        self._runs: dict[Hashable, tuple[int, int]] = {}
        self._beyond: dict[Hashable, set[int]] = {}

    def seen(self, key: Hashable, number: int) -> bool:
        """Whether `add` was called with these."""
        first, after = self._runs.get(key, (0, 0))
        return first <= number < after or number in self._beyond.get(key, ())

    def add(self, key: Hashable, number: int) -> bool:
        """Remembers; False if it was known."""
        run = self._runs.get(key)
        if run is None:
            self._runs[key] = (number, number + 1)
            return True
        first, after = run
        if first <= number < after:
            return False
        if number != after:
            beyond = self._beyond.setdefault(key, set())
            known = number in beyond
            beyond.add(number)
            return not known
        after += 1
        beyond = self._beyond.get(key, set())
        while after in beyond:
            beyond.discard(after)
            after += 1
        self._runs[key] = (first, after)
        return True
