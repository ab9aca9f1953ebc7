"""All states that a search has met: which they are, and which of them wait to be expanded.

While memory is plentiful they are in a hash table (`checker.store`), so that a state which was there before is known at once. When it gets
short they go over to sorted runs, of 12 bytes a state (`checker.delayed`), in memory or, with a folder for them, on disk; the hash table is
then a filter, which knows some of the states and is emptied when it has grown too large. What is found does not depend on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import looking_up
from pmmc_check.checker.delayed.frontier import Block, DelayedFrontier
from pmmc_check.checker.delayed.places import InMemory, OnDisk, StripPlace
from pmmc_check.checker.delayed.runs import SortedRuns
from pmmc_check.checker.fingerprints import state_fingerprints
from pmmc_check.checker.frontier import Frontier
from pmmc_check.checker.packing import Packing
from pmmc_check.checker.result import DiskUsed
from pmmc_check.checker.store import Ancestry, Store
from pmmc_check.checker.tables import Tables
from pmmc_check.checker.workspace import NewStates, Vectors

_SHORT = 0.7
"""Memory is short when a search uses this share of what it may use."""
_ROOM_MIN = 128 << 20
"""What a search on disk shares out, however little it was allowed."""
_BESIDE = 512 << 20
"""And what it may grow by: tables and working memory cannot go to disk."""
_OF_FILTER, _OF_SETTLING = 0.4, 0.25
"""Shares of what is left."""


class VisitedStates:
    """The states of one search. `disk` is the folder in which they may be kept, `memory` tells how much memory is in use, and without
    `may_delay` all states stay in the hash table."""

    def __init__(self, tables: Tables, memory: Callable[[], int], disk: Path | None = None, *, may_delay: bool = True) -> None:
        self._tables = tables
        self._memory = memory
        self._packing = Packing(tables.owner, len(tables.model.processes))
        self._place: StripPlace | None = OnDisk(disk) if disk else None
        self._disk = disk
        self._may_delay = may_delay
        self._filter_max = 0
        self._enough = 0
        self.store = Store()
        self.frontier: Frontier | DelayedFrontier = Frontier(self._packing)
        self.states_in_table = 0
        """How many were met while all of them were in the hash table; 0 as long as they are."""

    @property
    def delayed(self) -> DelayedFrontier | None:
        """The frontier, if states are in sorted runs."""
        return self.frontier if isinstance(self.frontier, DelayedFrontier) else None

    @property
    def ancestry(self) -> Ancestry:
        """What knows how states were reached that were expanded."""
        return self.delayed.runs if self.delayed else self.store

    @property
    def bytes_per_state(self) -> float:
        """What a visited state takes, beside those that wait."""
        if self.delayed:
            return self.delayed.runs.bytes_per_state
        return self.store.bytes / max(1, self.store.states)

    def begin(self, initial: Vectors) -> None:
        """Puts the initial state there."""
        self.store.add_first(int(self.fingerprints(initial)[0]))
        self._hashed().put(1, initial)

    def settle(self, level: int) -> None:
        """Takes the states out of a level that is about to be expanded which belong to a lower one, or were there before."""
        self.frontier.settle(level, lambda vectors: self.store.levels(self.fingerprints(vectors)) == level)

    def add(self, level: int, new: NewStates, predecessors: NDArray[np.uint64]) -> None:
        """Puts new states behind those that wait at `level`; `predecessors` are fingerprints, too."""
        if self.delayed:
            self.delayed.put(level, Block(new.vectors, new.fingerprints, (predecessors >> np.uint64(32)).astype(np.uint32)))
        else:
            self._hashed().put(level, new.vectors)

    def relieve(self, level: int, limit: int | None) -> int:
        """Looks at the memory that is in use, between two batches of `level`, and makes room where it is short. Returns what is in use, as
        far as it counts for the limit."""
        used = self._memory()
        if limit is None or not self._may_delay:
            return used
        if not self.delayed and self._is_short(used, limit):
            self.delay(level)
        if self.delayed and not self._filter_max:
            used = self._memory()
            room = max(_ROOM_MIN, limit - used)
            self._filter_max, self.delayed.room = int(_OF_FILTER * room), int(_OF_SETTLING * room)
            self._enough = max(limit, used + _BESIDE)
        if self.delayed and self.store.bytes > self._filter_max:
            self.store = Store()
        return 0 if self.delayed and self._disk and used < self._enough else used

    def _is_short(self, used: int, limit: int) -> bool:
        return used >= _SHORT * limit

    def delay(self, level: int) -> None:
        """Goes over to sorted runs; `level` is being expanded."""
        delayed = self.empty_delayed()
        before = self._hashed()
        for at, vectors in before.taken_out():
            if at == level:
                delayed.put_settled(level, vectors)
            else:
                keys = self.fingerprints(vectors)
                delayed.put(at, Block(vectors, keys, self.store.predecessors(keys)))
        self.states_in_table = self.store.states
        for number in range(looking_up.PARTITIONS):
            keys, origins = self.store.entries(number)
            expanded = (origins & np.uint64(looking_up.LEVEL_MASK)) <= np.uint64(level)
            self.store.put_back(number, (keys[~expanded], origins[~expanded]), 256 + 2 * int(np.count_nonzero(~expanded)))
            keys, origins = keys[expanded], origins[expanded]
            order = np.argsort(keys)
            delayed.runs.begin(number << (64 - looking_up.PARTITION_BITS), keys[order], (origins[order] >> np.uint64(32)).astype(np.uint32))
        self.frontier = delayed

    def empty_delayed(self) -> DelayedFrontier:
        """A frontier over sorted runs without states."""
        self._place = self._place or InMemory()
        return DelayedFrontier(self._packing, self._place, SortedRuns(self._place), _ROOM_MIN)

    def disk_used(self) -> DiskUsed | None:
        """As reports tell it; None where nothing was kept on disk."""
        if self._disk is None or self._place is None or not self.delayed:
            return None
        return DiskUsed(str(self._disk), self._place.bytes_peak, self.states_in_table)

    def close(self) -> None:
        """Frees what is on disk."""
        if self._place:
            self._place.close()

    def fingerprints(self, vectors: Vectors) -> NDArray[np.uint64]:
        """The canonical fingerprint of each state."""
        fingerprints = np.zeros(len(vectors), np.uint64)
        state_fingerprints(vectors, self._tables.fingerprints.data, fingerprints)
        return fingerprints

    def _hashed(self) -> Frontier:
        assert isinstance(self.frontier, Frontier)
        return self.frontier
