"""The hash table of visited states, one partition of it: where a fingerprint is looked for, and compiled loops that look many up."""

from __future__ import annotations

from typing import Any

import numpy as np

from pmmc_check.checker.compilation import kernel, uint64

PARTITION_BITS = 4
PARTITIONS = 1 << PARTITION_BITS
LEVEL_BITS = 16
LEVEL_MASK = (1 << LEVEL_BITS) - 1


@kernel
def table_slot(fingerprint: Any, capacity: Any) -> Any:
    """Where the search for `fingerprint` begins: the 32 bits below the partition's, scaled to the capacity."""
    return (((fingerprint << uint64(PARTITION_BITS)) >> uint64(32)) * uint64(capacity)) >> uint64(32)


@kernel
def rehash(old_keys: Any, old_origins: Any, new_keys: Any, new_origins: Any) -> None:
    """Moves all entries of the old arrays to the new."""
    capacity = uint64(new_keys.shape[0])
    for k in range(old_keys.shape[0]):
        if old_keys[k] != uint64(0):
            slot = table_slot(old_keys[k], capacity)
            while new_keys[slot] != uint64(0):
                slot += uint64(1)
                if slot == capacity:
                    slot = uint64(0)
            new_keys[slot] = old_keys[k]
            new_origins[slot] = old_origins[k]


@kernel
def look_up(keys: Any, fingerprint: Any, mask: Any) -> Any:
    """The place whose fingerprint agrees with `fingerprint` in the bits of `mask`, or -1."""
    capacity = uint64(keys.shape[0])
    slot = table_slot(fingerprint, capacity)
    while keys[slot] != uint64(0):
        if (keys[slot] & mask) == (fingerprint & mask):
            return np.int64(slot)
        slot += uint64(1)
        if slot == capacity:
            slot = uint64(0)
    return np.int64(-1)


@kernel
def look_up_levels(keys: Any, origins: Any, fingerprints: Any, rows: Any, levels: Any) -> None:
    """The levels of the visited states `fingerprints[rows]`."""
    for row in rows:
        slot = look_up(keys, fingerprints[row], ~uint64(0))
        levels[row] = origins[slot] & uint64(LEVEL_MASK)


@kernel
def look_up_predecessors(keys: Any, origins: Any, fingerprints: Any, rows: Any, predecessors: Any) -> None:
    """The upper 32 bits of the predecessors of the visited states `fingerprints[rows]`."""
    for row in rows:
        predecessors[row] = origins[look_up(keys, fingerprints[row], ~uint64(0))] >> uint64(32)
