"""Compiled loops that look many visited states up in one partition of the hash table."""

from __future__ import annotations

from typing import Any

from pmmc_check.checker.compilation import kernel, uint64
from pmmc_check.checker.kernel import LEVEL_MASK, look_up


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
