"""Arrays that grow a row at a time, and are read by compiled loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Growing:
    """A numpy array that grows by doubling; `data` is all of it, `size` what is used. What is appended is written to it when it is looked
    at: many rows together take a small part of the time."""

    def __init__(self, dtype: Any, columns: int | None = None, capacity: int = 1024) -> None:
        shape = (capacity,) if columns is None else (capacity, columns)
        self._array: NDArray[Any] = np.zeros(shape, dtype)
        self._written = 0
        self._rows: list[Any] = []

    @property
    def size(self) -> int:
        """How many rows are used."""
        return self._written + len(self._rows)

    @property
    def data(self) -> NDArray[Any]:
        """The array; its rows may be written to, until the next is appended."""
        if self._rows:
            self._write(np.array(self._rows, self._array.dtype))
            self._rows.clear()
        return self._array

    def append(self, row: Any) -> None:
        """Adds one row."""
        self._rows.append(row)

    def extend(self, rows: NDArray[Any]) -> None:
        """Adds all of `rows`."""
        assert not self._rows, "rows are added singly or together"
        self._write(rows)

    def _write(self, rows: NDArray[Any]) -> None:
        size = self._written + len(rows)
        while size > len(self._array):
            self._array = np.concatenate([self._array, np.zeros_like(self._array)])
        self._array[self._written : size] = rows
        self._written = size
