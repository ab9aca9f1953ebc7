"""The fingerprints of all states that were expanded, sorted, with 32 bits of each one's predecessor: 12 bytes a state.

They are cut into ranges, each of which is read, merged and written as a whole. A range that has grown too large becomes two."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.delayed.merging import merge, not_among
from pmmc_check.checker.delayed.places import Strip, StripPlace

Keys = NDArray[np.uint64]
Origins = NDArray[np.uint32]

RANGE_MAX = 1 << 20
"""States of a range: merging takes some times 12 MiB, however many states there are."""
_ALL = 1 << 64


class _Range(NamedTuple):
    """The states whose fingerprints are at least `lower`, and below the next range's."""

    lower: int
    states: int
    strip: Strip

    @property
    def bytes(self) -> int:
        return self.states * (np.dtype(np.uint64).itemsize + np.dtype(np.uint32).itemsize)

    def keys(self) -> Keys:
        return self.strip.read(0)

    def origins(self) -> Origins:
        return self.strip.read(1)


class SortedRuns:
    """The states that were expanded."""

    def __init__(self, place: StripPlace) -> None:
        self._place = place
        self._ranges: list[_Range] = []

    @property
    def states(self) -> int:
        """How many there are."""
        return sum(each.states for each in self._ranges)

    @property
    def bytes_per_state(self) -> float:
        """What a state takes."""
        return sum(each.bytes for each in self._ranges) / max(1, self.states)

    def begin(self, lower: int, keys: Keys, origins: Origins) -> None:
        """Adds a range behind the last one; the first begins at 0, and `keys` are sorted."""
        self._ranges += self._written(lower, keys, origins)

    def add_new(self, keys: Keys, origins: Origins) -> NDArray[np.bool_]:
        """Adds those that are not here yet, and says which they were. `keys` are sorted, without duplicates."""
        new: NDArray[np.bool_] = np.zeros(len(keys), np.bool_)
        ranges, self._ranges = self._ranges, []
        bounds = [*(each.lower for each in ranges[1:]), _ALL]
        begin = 0
        for each, upper in zip(ranges, bounds, strict=True):
            end = len(keys) if upper == _ALL else int(np.searchsorted(keys, np.uint64(upper)))
            self._ranges += self._with(each, keys[begin:end], origins[begin:end], new[begin:end])
            begin = end
        return new

    def cuts(self, parts: int) -> list[tuple[int, int]]:
        """So many intervals of fingerprints, or fewer, that together are all; each consists of whole ranges."""
        lowers = [each.lower for each in self._ranges[:: max(1, len(self._ranges) // parts)]]
        return list(zip(lowers, [*lowers[1:], _ALL], strict=True))

    def runs(self) -> Iterator[tuple[int, Keys, Origins]]:
        """Every range: its lower bound, fingerprints and origins."""
        return ((each.lower, each.keys(), each.origins()) for each in self._ranges)

    def chains(self, fingerprint: int, first: int) -> Iterator[list[list[int]]]:
        """As `checker.store.Store.chains`: of a predecessor the first 32 bits are known, which several states may have in common, so each
        place of a chain says which states may be there; and there may be several chains, one of which is right."""
        layers = [[fingerprint]]
        met = {fingerprint, first}
        while layers[-1]:
            before = {key for prefix in map(self._origin, layers[-1]) for key in self._beginning_with(prefix)}
            if first in before or fingerprint == first:
                yield [] if fingerprint == first else layers[::-1]
            layers.append(sorted(before - met))
            met |= before

    def _with(self, there: _Range, keys: Keys, origins: Origins, new: NDArray[np.bool_]) -> list[_Range]:
        """A range with those of `keys` that are not in it; marks them in `new`."""
        if not len(keys):
            return [there]
        old_keys = there.keys()
        not_among(old_keys, keys, new)
        count = int(np.count_nonzero(new))
        if not count:
            return [there]
        merged = np.empty(there.states + count, np.uint64), np.empty(there.states + count, np.uint32)
        merge(old_keys, there.origins(), keys[new], origins[new], *merged)
        ranges = self._written(there.lower, *merged)
        there.strip.remove()
        return ranges

    def _written(self, lower: int, keys: Keys, origins: Origins) -> list[_Range]:
        ranges = []
        parts = 1 + len(keys) // RANGE_MAX
        for part in range(parts):
            begin, end = (len(keys) * cut // parts for cut in (part, part + 1))
            strip = self._place.strip()
            strip.append(keys[begin:end] if parts == 1 else keys[begin:end].copy())  # a part would keep the whole alive
            strip.append(origins[begin:end] if parts == 1 else origins[begin:end].copy())
            ranges.append(_Range(int(keys[begin]) if part else lower, end - begin, strip))
        return ranges

    def _origin(self, fingerprint: int) -> int:
        each = self._ranges[bisect_right([r.lower for r in self._ranges], fingerprint) - 1]
        place = int(np.searchsorted(each.keys(), np.uint64(fingerprint)))
        return int(each.origins()[place])

    def _beginning_with(self, prefix: int) -> list[int]:
        lower, upper = prefix << 32, (prefix + 1) << 32
        found: list[int] = []
        bounds = [*(each.lower for each in self._ranges[1:]), _ALL]
        for each, next_lower in zip(self._ranges, bounds, strict=True):
            if each.lower < upper and next_lower > lower:
                keys = each.keys()
                begin, end = np.searchsorted(keys, np.array([lower, upper - 1], np.uint64))
                found += [key for key in keys[begin : end + 1].tolist() if lower <= key < upper]
        return found
