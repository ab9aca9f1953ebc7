"""States in few bytes: for each process the number of its view among the views of this process, in one byte, two or four."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.compilation import kernel
from pmmc_check.checker.growing import Growing
from pmmc_check.checker.workspace import Vectors

_BITS_A_BYTE = 8


class Packed(NamedTuple):
    """States, a row of bytes each; `widths` says how many of them are one process's."""

    rows: NDArray[np.uint8]
    widths: NDArray[np.uint8]

    def chosen(self, which: NDArray[Any] | slice) -> Packed:
        """Those that `which` selects, by mask, by number or by slice."""
        return Packed(self.rows[which], self.widths)


class Packing:
    """Packs and unpacks the states of one search. `owner` says, for each view, which process it is of."""

    def __init__(self, owner: Growing, processes: int) -> None:
        self._owner = owner
        self._processes = processes
        self._first: NDArray[np.int64] = np.zeros(processes, np.int64)
        self._views: NDArray[np.int32] = np.zeros(0, np.int32)
        self._numbers: NDArray[np.int32] = np.zeros(0, np.int32)
        self._widths: NDArray[np.uint8] = np.ones(processes, np.uint8)

    def pack(self, vectors: Vectors) -> Packed:
        """The same states in few bytes."""
        self._take_new_views()
        rows = np.empty((len(vectors), int(self._widths.sum())), np.uint8)
        pack_rows(vectors, self._numbers, self._widths, rows)
        return Packed(rows, self._widths)

    def unpack(self, packed: Packed) -> Vectors:
        """The states as view numbers."""
        self._take_new_views()
        vectors = np.empty((len(packed.rows), self._processes), np.int32)
        unpack_rows(packed.rows, packed.widths, self._first, self._views, vectors)
        return vectors

    def _take_new_views(self) -> None:
        if self._owner.size == len(self._views):
            return
        owner = self._owner.data[: self._owner.size]
        order = np.argsort(owner, kind="stable")
        counts = np.bincount(owner, minlength=self._processes)
        self._views = order.astype(np.int32)
        self._first = np.cumsum(counts) - counts
        self._numbers = np.empty(len(owner), np.int32)
        self._numbers[order] = np.arange(len(owner), dtype=np.int32) - np.repeat(self._first, counts)
        self._widths = np.select([counts <= 1 << 8, counts <= 1 << 16], [1, 2], 4).astype(np.uint8)


@kernel
def pack_rows(vectors: Any, numbers: Any, widths: Any, rows: Any) -> None:
    """Writes each state's numbers, the lowest byte first."""
    for i in range(vectors.shape[0]):
        place = 0
        for p in range(vectors.shape[1]):
            number = numbers[vectors[i, p]]
            for _ in range(widths[p]):
                rows[i, place] = number & 255
                number >>= _BITS_A_BYTE
                place += 1


@kernel
def unpack_rows(rows: Any, widths: Any, first: Any, views: Any, vectors: Any) -> None:
    """The inverse."""
    for i in range(rows.shape[0]):
        place = 0
        for p in range(vectors.shape[1]):
            number = np.int64(0)
            for byte in range(widths[p]):
                number |= np.int64(rows[i, place]) << np.int64(_BITS_A_BYTE * byte)
                place += 1
            vectors[i, p] = views[first[p] + number]
