"""Compiled loops over sorted fingerprints."""

from __future__ import annotations

from typing import Any

from pmmc_check.checker.compilation import kernel


@kernel
def not_among(keys: Any, asked: Any, result: Any) -> None:
    """Which of `asked` are not among `keys`; both are sorted, without duplicates."""
    place = 0
    for i in range(asked.shape[0]):
        while place < keys.shape[0] and keys[place] < asked[i]:
            place += 1
        result[i] = place == keys.shape[0] or keys[place] != asked[i]


@kernel
def merge(  # noqa: PLR0917  # three pairs of arrays
    keys: Any, origins: Any, more_keys: Any, more_origins: Any, out_keys: Any, out_origins: Any
) -> None:
    """Merges two sorted runs that have nothing in common."""
    i = j = 0
    for place in range(out_keys.shape[0]):
        if j == more_keys.shape[0] or (i < keys.shape[0] and keys[i] < more_keys[j]):
            out_keys[place] = keys[i]
            out_origins[place] = origins[i]
            i += 1
        else:
            out_keys[place] = more_keys[j]
            out_origins[place] = more_origins[j]
            j += 1
