"""The set of visited states: an open-addressing hash table of fingerprints, with each state's predecessor and level.

16 bytes a place: the fingerprint, and the upper 48 bits of the predecessor's fingerprint with the level in the lower
16. The table is split into partitions by the fingerprint's top bits; each grows by itself, so growing never needs
twice the memory. The places' use stays between 0.53 and 0.75, that is 21 to 30 bytes a state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import kernel, looking_up

_CAPACITY_FIRST = 256
_GROWTH = 1.4
_USE_MAX = 0.75
_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
_PREDECESSOR_BITS = np.uint64(0xFFFFFFFFFFFF0000)

LEVEL_MAX = looking_up.LEVEL_MASK - kernel.WEIGHTS
"""Deeper than this a level does not fit its 16 bits."""


class Entry(NamedTuple):
    """What is stored of a visited state."""

    fingerprint: int
    predecessor_prefix: int
    level: int


class Ancestry(Protocol):
    """What knows how visited states were reached."""

    def chains(self, fingerprint: int, first: int) -> Iterator[list[list[int]]]:
        """See `Store.chains`."""


class Store:
    """The visited states."""

    def __init__(self) -> None:
        self.partitions = [_empty(_CAPACITY_FIRST) for _ in range(looking_up.PARTITIONS)]
        self.used = [0] * looking_up.PARTITIONS

    @property
    def states(self) -> int:
        """How many states are stored."""
        return sum(self.used)

    @property
    def bytes(self) -> int:
        """Memory of all partitions."""
        return sum(each.keys.nbytes + each.origins.nbytes for each in self.partitions)

    def grow(self, number: int) -> None:
        """Makes one partition larger."""
        old = self.partitions[number]
        new = _empty(int(_GROWTH * len(old.keys)))
        looking_up.rehash(old.keys, old.origins, new.keys, new.origins)
        self.partitions[number] = new

    def add_first(self, fingerprint: int) -> None:
        """The initial state: level 1, its own predecessor."""
        number = fingerprint >> (64 - looking_up.PARTITION_BITS)
        partition = self.partitions[number]
        slot = int(looking_up.table_slot(np.uint64(fingerprint), np.uint64(len(partition.keys))))
        partition.keys[slot] = fingerprint
        partition.origins[slot] = (fingerprint & int(_PREDECESSOR_BITS)) | 1
        self.used[number] = 1

    def entries(self, number: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """The fingerprints and origins of one partition, without its empty places."""
        partition = self.partitions[number]
        used = partition.keys != 0
        return partition.keys[used], partition.origins[used]

    def put_back(self, number: int, entries: tuple[NDArray[np.uint64], NDArray[np.uint64]], capacity: int) -> None:
        """Fills one partition with what `entries` gave, `capacity` being its places."""
        self.partitions[number] = _empty(capacity)
        looking_up.rehash(*entries, self.partitions[number].keys, self.partitions[number].origins)
        self.used[number] = len(entries[0])

    def find(self, fingerprint: int) -> Entry:
        """The entry of a visited state."""
        return self._find(fingerprint, _ALL_BITS)

    def find_prefix(self, prefix: int) -> Entry:
        """The entry of the state whose fingerprint begins with the 48 bits of `prefix`."""
        return self._find(prefix, _PREDECESSOR_BITS)

    def look_for(self, fingerprint: int, *, prefix: bool) -> Entry | None:
        """As `find` or `find_prefix`; None where no state is stored under it."""
        return self._looked_up(fingerprint, _PREDECESSOR_BITS if prefix else _ALL_BITS)

    def levels(self, fingerprints: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The level of each of some visited states."""
        levels: NDArray[np.int64] = np.zeros(len(fingerprints), np.int64)
        numbers = fingerprints >> np.uint64(64 - looking_up.PARTITION_BITS)
        for number, partition in enumerate(self.partitions):
            rows = np.flatnonzero(numbers == number)
            looking_up.look_up_levels(partition.keys, partition.origins, fingerprints, rows, levels)
        return levels

    def predecessors(self, fingerprints: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """The upper 32 bits of the predecessor's fingerprint of each of some visited states."""
        found: NDArray[np.uint32] = np.zeros(len(fingerprints), np.uint32)
        numbers = fingerprints >> np.uint64(64 - looking_up.PARTITION_BITS)
        for number, partition in enumerate(self.partitions):
            rows = np.flatnonzero(numbers == number)
            looking_up.look_up_predecessors(partition.keys, partition.origins, fingerprints, rows, found)
        return found

    def chains(self, fingerprint: int, first: int) -> Iterator[list[list[int]]]:
        """The fingerprints after the initial state's, which is `first`, up to `fingerprint`: those that a run to that state meets, each as
        a list of what may be there. Here there is one chain, and one fingerprint in each place of it."""
        found: list[list[int]] = []
        entry = self.find(fingerprint)
        while entry.level > 1:
            found.append([entry.fingerprint])
            entry = self.find_prefix(entry.predecessor_prefix)
        yield found[::-1]

    def _find(self, fingerprint: int, mask: np.uint64) -> Entry:
        found = self._looked_up(fingerprint, mask)
        assert found is not None, "a visited state is not in the table"
        return found

    def _looked_up(self, fingerprint: int, mask: np.uint64) -> Entry | None:
        partition = self.partitions[fingerprint >> (64 - looking_up.PARTITION_BITS)]
        slot = looking_up.look_up(partition.keys, np.uint64(fingerprint), mask)
        if slot < 0:
            return None
        origin = int(partition.origins[slot])
        return Entry(int(partition.keys[slot]), origin & int(_PREDECESSOR_BITS), origin & looking_up.LEVEL_MASK)


def _empty(capacity: int) -> kernel.Partition:
    return kernel.Partition(np.zeros(capacity, np.uint64), np.zeros(capacity, np.uint64), int(_USE_MAX * capacity))
