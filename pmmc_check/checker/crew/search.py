"""The head of a crew: the compiled search, whose states are elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.counterexample import Suspect
from pmmc_check.checker.crew.arrays import NOTHING, Filled, Moment
from pmmc_check.checker.crew.crews import Crew, WorkerLost, exchange
from pmmc_check.checker.crew.worker import Missing, PartDone, Piece, SegmentKey, owners_of
from pmmc_check.checker.memory import resident_bytes
from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import Control, Result, Snapshot
from pmmc_check.checker.store import LEVEL_MAX, Entry, Store
from pmmc_check.checker.workspace import BATCH_CHUNKS, CHUNK_STATES
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import Invariant

WAVE_CHUNKS = 8 * BATCH_CHUNKS
"""So many chunks of a level a worker expands before what was found is shared out: 262,144 states."""


class Segment(NamedTuple):
    """States that wait at a worker."""

    worker: int
    key: SegmentKey
    states: int


@dataclass
class Progressed:
    """What the head knows at the end of a level, and goes back to when a worker dies. `segments` are in the order of their states."""

    level: int = 0
    distinct_states: int = 0
    generated_states: int = 1
    depth: int = 0
    sizes: dict[int, int] = field(default_factory=dict)
    met: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    taken: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    suspects: list[Suspect] = field(default_factory=list)
    segments: dict[int, list[Segment]] = field(default_factory=dict)
    stale: dict[int, int] = field(default_factory=dict)

    def copied(self) -> Progressed:
        """The same, which further progress does not change."""
        segments = {level: list(each) for level, each in self.segments.items()}
        return replace(self, sizes=dict(self.sizes), suspects=list(self.suspects), segments=segments, stale=dict(self.stale))


class StatesElsewhere(Store):
    """The visited states, as whoever rebuilds a run asks for them: each owner is asked."""

    def __init__(self, crew: Crew) -> None:
        super().__init__()
        self._crew = crew

    def find(self, fingerprint: int) -> Entry:
        """The entry of a visited state."""
        return self._found(fingerprint, prefix=False)

    def find_prefix(self, prefix: int) -> Entry:
        """Of the first, in the order of the partition, that begins so."""
        return self._found(prefix, prefix=True)

    def _found(self, fingerprint: int, *, prefix: bool) -> Entry:
        everyone = range(self._crew.workers)
        answers = self._crew.answers([self._crew.ask(each, "find", fingerprint, prefix) for each in everyone])
        return next(each for each in answers if each is not None)


class CrewSearch(CompiledSearch):
    """A compiled search whose states are kept, and expanded, by the workers of `crew`. `folder` is where they write down what each level
    has brought; without one the search ends when a worker dies."""

    def __init__(  # noqa: PLR0917
        self,
        model: Model,
        invariants: Sequence[Invariant],
        control: Control,
        reductions: Reductions,
        crew: Crew,
        folder: Path | None = None,
        *,
        trust_claims: bool = False,
    ) -> None:
        super().__init__(model, invariants, control, reductions, 1, trust_claims=trust_claims)
        assert self.checks.progress is None, "the graph of what is left to decide is not shared out"
        self.crew = crew
        self.folder = folder
        self.filled = Filled(self.tables)
        self.now = Progressed()
        self._told: list[Moment] = []
        self._workers_bytes = 0

    def run(self) -> Result:
        """Searches until there is an answer or a limit is reached."""
        try:
            self.store = StatesElsewhere(self.crew)
            return super().run()
        finally:
            self.crew.close()

    def _explore(self) -> str | None:
        """Level after level; returns the limit that stopped it."""
        done = self._started()
        while (level := min(self.now.segments, default=None)) is not None:
            if limit := self._ends_before(level):
                return limit if isinstance(limit, str) else None
            try:
                if (wanted := self.crew.wanted()) != self.crew.workers and self.folder:
                    self._go_back(done, wanted)
                if limit := self._level(level):
                    return limit
                done = self._written(level)
            except WorkerLost as lost:
                if self.folder is None:
                    return f"{lost}; where workers can write (--workers-folder), the search goes on without it"
                self._go_back(done, self.crew.wanted())
        return None

    def _ends_before(self, level: int) -> str | bool:
        """Why `level` is not expanded: a limit, or True where a violation is not deeper."""
        if self.now.suspects and min(self.now.suspects).level <= level:
            return True
        depth_max = self.control.limits.depth_max
        if self.depth and depth_max is not None and level > depth_max:
            return f"depth {depth_max} (--max-depth) was reached; deeper states exist"
        return f"depth {LEVEL_MAX} was reached, the deepest that the engine can hold" if level > LEVEL_MAX else False
