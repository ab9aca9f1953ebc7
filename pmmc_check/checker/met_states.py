"""How many different states random walks have met: counted, and where they are very many, estimated from a sample.

What is kept does not grow without end: when there are `KEPT_MAX` fingerprints, those that are odd are let go, from then on only even ones
count, twice each; and so on, by their next digit (adaptive sampling, of M. Wegman; Flajolet 1990). The estimate is within a
thousandth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import walk_tables as tables

KEPT_MAX = 1 << 23


class MetStates:
    """A set of fingerprints. Beyond `kept_max` it is a sample: those whose last `rarity` binary digits are 0."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._table: NDArray[np.uint64] = np.zeros(1 << 14, np.uint64)
        self._kept = 0
        self.rarity = 0

    @property
    def count(self) -> int:
        """How many states there are; an estimate once `rarity` is not 0."""
        return self._kept << self.rarity

    def fingerprints(self) -> NDArray[np.uint64]:
        """All that are kept."""
        found: NDArray[np.uint64] = self._table[self._table != 0]
        return found

    def add(self, fingerprints: NDArray[np.uint64]) -> None:
        """Adds states; some may be there already."""
        while 2 * (self._kept + len(fingerprints)) > len(self._table):
            self._replace(np.zeros(2 * len(self._table), np.uint64))
        self._kept += int(tables.add_new(self._table, fingerprints, self.rarity))
        while self._kept > self._kept_max:
            self.rarity += 1
            self._replace(np.zeros_like(self._table))

    def restore(self, fingerprints: NDArray[np.uint64], count: int) -> None:
        """Puts an empty set where another was that kept these of `count`."""
        self.rarity = max(0, (count // max(1, len(fingerprints))).bit_length() - 1)
        self.add(fingerprints)

    def _replace(self, table: NDArray[np.uint64]) -> None:
        """Moves to an empty table what is to be kept."""
        self._kept = int(tables.add_new(table, self._table, self.rarity))
        self._table = table
