"""The arrays that kernels read, as a worker has them: it is sent what is new in those of the head."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import kernel
from pmmc_check.checker.crew.kernels import receive_entries
from pmmc_check.checker.growing import Growing
from pmmc_check.checker.tables import Tables, ViewId

_BY_ROW = tuple(name for name in kernel.StepTables._fields if not name.startswith("receive"))


class News(NamedTuple):
    """What has been filled since the last news: by array, the rows from `sent` on, and those of `views` that were filled; and the entries
    of the receive table: view, bundle and view after, a row each. Also the known combinations of facts."""

    sent: dict[str, int]
    rows: dict[str, NDArray[np.generic]]
    views: NDArray[np.int64]
    filled: dict[str, NDArray[np.generic]]
    received: NDArray[np.int64]
    known: NDArray[np.uint64] | None


class FillLog:
    """What the head has filled in its tables, in order, so that it can be sent to workers that have it up to some moment."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._views: list[ViewId] = []
        self._received: list[tuple[int, int, int]] = []

    def fill(self, view: int, bundle: int) -> None:
        """Makes the entry that a kernel has missed: the steps of a view, or, with a bundle, what the view is after it."""
        if bundle < 0:
            self._tables.fill_view(view)
            self._views.append(view)
        else:
            self._tables.fill_receive(view, bundle)
            self._received.append((view, bundle, self._tables.receive(view, bundle)))

    def moment(self) -> FilledSoFar:
        """How far everything is filled now."""
        return FilledSoFar(tuple(getattr(self._tables, name).size for name in _BY_ROW), len(self._views), len(self._received))

    def since(self, moment: FilledSoFar, known: NDArray[np.uint64] | None = None) -> News:
        """What has been filled since then."""
        views = np.array(self._views[moment.views :], np.int64)
        arrays: dict[str, Growing] = {name: getattr(self._tables, name) for name in _BY_ROW}
        sent = dict(zip(_BY_ROW, moment.rows, strict=True))
        return News(
            sent,
            {name: each.data[sent[name] : each.size].copy() for name, each in arrays.items()},
            views,
            {name: each.data[views].copy() for name, each in arrays.items() if each.size >= self._tables.fingerprints.size},
            np.array(self._received[moment.received :], np.int64).reshape(-1, 3),
            known,
        )


class FilledSoFar(NamedTuple):
    """How many rows of each array there were, how many views had been filled, and how many entries of the receive table."""

    rows: tuple[int, ...]
    views: int
    received: int


NOTHING_FILLED = FilledSoFar((0,) * len(_BY_ROW), 0, 0)


class TableCopies:
    """A worker's arrays."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[np.generic]] = {}
        self._sizes: dict[str, int] = {}
        self._keys: NDArray[np.uint64] = np.zeros(1 << 12, np.uint64)
        self._views: NDArray[np.int32] = np.zeros(1 << 12, np.int32)
        self._entries: NDArray[np.int64] = np.zeros((0, 3), np.int64)
        self.known: NDArray[np.uint64] = np.zeros(1, np.uint64)

    def learn(self, news: News) -> None:
        """Takes in what the head has filled."""
        for name, rows in news.rows.items():
            self._append(name, news.sent[name], rows)
        for name, rows in news.filled.items():
            self._arrays[name][news.views] = rows
        if len(news.received):
            self._entries = np.concatenate([self._entries, news.received])
            if 2 * (len(self._entries) + 1) > len(self._keys):
                capacity = 1 << (4 * len(self._entries)).bit_length()
                self._keys, self._views = np.zeros(capacity, np.uint64), np.zeros(capacity, np.int32)
                receive_entries(self._entries, self._keys, self._views)
            else:
                receive_entries(news.received, self._keys, self._views)
        if news.known is not None:
            self.known = news.known

    def tables(self) -> kernel.StepTables:
        """As kernels take them."""
        return kernel.StepTables(**self._arrays, receive_keys=self._keys, receive_views=self._views)

    @property
    def views(self) -> int:
        """How many views are known."""
        return self._sizes["fingerprints"]

    def _append(self, name: str, size: int, rows: NDArray[np.generic]) -> None:
        known = self._arrays.get(name)
        if known is None or size + len(rows) > len(known):
            grown = np.zeros((max(1024, 2 * (size + len(rows))), *rows.shape[1:]), rows.dtype)
            if known is not None:
                grown[:size] = known[:size]
            self._arrays[name] = known = grown
        known[size : size + len(rows)] = rows
        self._sizes[name] = size + len(rows)
