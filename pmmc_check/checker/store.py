"""The set of visited states: an open-addressing hash table of fingerprints, with each state's predecessor and level.

16 bytes a place: the fingerprint, and the upper 48 bits of the predecessor's fingerprint with the level in the lower
16. The table is split into partitions by the fingerprint's top bits; each grows by itself, so growing never needs
twice the memory. The places' use stays between 0.53 and 0.75, that is 21 to 30 bytes a state."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import kernel

_CAPACITY_FIRST = 256
_GROWTH = 1.4
_USE_MAX = 0.75
_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
_PREDECESSOR_BITS = np.uint64(0xFFFFFFFFFFFF0000)

LEVEL_MAX = kernel.LEVEL_MASK - 256
"""Deeper than this a level does not fit its 16 bits."""


class Entry(NamedTuple):
    """What is stored of a visited state."""

    fingerprint: int
    predecessor_prefix: int
    level: int


class Store:
    """The visited states."""

    def __init__(self) -> None:
        self.tables: list[NDArray[np.uint64]] = [np.zeros((_CAPACITY_FIRST, 2), np.uint64) for _ in range(kernel.PARTITIONS)]
        self.used = [0] * kernel.PARTITIONS

    @property
    def states(self) -> int:
        """How many states are stored."""
        return sum(self.used)

    @property
    def bytes(self) -> int:
        """Memory of all tables."""
        return sum(table.nbytes for table in self.tables)

    def used_max(self, partition: int) -> int:
        """How many entries a partition takes before it must grow."""
        return int(_USE_MAX * len(self.tables[partition]))

    def grow(self, partition: int) -> None:
        """Makes one partition larger."""
        old = self.tables[partition]
        new = np.zeros((int(_GROWTH * len(old)), 2), np.uint64)
        kernel.rehash(old, new)
        self.tables[partition] = new

    def add_first(self, fingerprint: int) -> None:
        """The initial state: level 1, its own predecessor."""
        partition = fingerprint >> (64 - kernel.PARTITION_BITS)
        table = self.tables[partition]
        slot = int(kernel.table_slot(np.uint64(fingerprint), np.uint64(len(table))))
        table[slot] = (fingerprint, (fingerprint & int(_PREDECESSOR_BITS)) | 1)
        self.used[partition] = 1

    def find(self, fingerprint: int) -> Entry:
        """The entry of a visited state."""
        return self._find(fingerprint, _ALL_BITS)

    def find_prefix(self, prefix: int) -> Entry:
        """The entry of the state whose fingerprint begins with the 48 bits of `prefix`."""
        return self._find(prefix, _PREDECESSOR_BITS)

    def levels(self, fingerprints: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The level of each of some visited states."""
        levels: NDArray[np.int64] = np.zeros(len(fingerprints), np.int64)
        partitions = fingerprints >> np.uint64(64 - kernel.PARTITION_BITS)
        for partition, table in enumerate(self.tables):
            kernel.look_up_levels(table, fingerprints, np.flatnonzero(partitions == partition), levels)
        return levels

    def _find(self, fingerprint: int, mask: np.uint64) -> Entry:
        table = self.tables[fingerprint >> (64 - kernel.PARTITION_BITS)]
        slot = kernel.look_up(table, np.uint64(fingerprint), mask)
        assert slot >= 0, "a visited state is not in the table"
        found, predecessor_and_level = (int(word) for word in table[slot])
        return Entry(found, predecessor_and_level & int(_PREDECESSOR_BITS), predecessor_and_level & kernel.LEVEL_MASK)
