"""Random walks between two walks, as numbers, and walks that go on from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pmmc_check.checker.checkpoints.again import digest_of_entries, fill_again, filled_entries
from pmmc_check.checker.checkpoints.of_search import ActionCounts, counts_as_list, counts_from_list, now, parts_fit
from pmmc_check.checker.checkpoints.saved import Arrays, SavedSearch
from pmmc_check.checker.result import ResumedFrom

if TYPE_CHECKING:
    from pmmc_check.checker.walks import RandomWalks


class WalkFacts(msgspec.Struct, forbid_unknown_fields=True):
    """What walks have counted; `random` is the state of the random numbers, `entries` the digest of all table entries."""

    written_at: str
    seconds: float
    entries: int
    walks: int
    steps_taken: int
    deliveries: int
    depth: int
    seen: int
    random: int
    taken: ActionCounts
    put_off: ActionCounts

    def resumed(self) -> ResumedFrom:
        """As reports tell it."""
        return ResumedFrom(self.written_at, self.depth, self.seen, self.seconds)


def saved_walks(walks: RandomWalks) -> SavedSearch:
    """The walks that were completed by now."""
    facts = WalkFacts(
        written_at=now(),
        seconds=walks.seconds(),
        entries=digest_of_entries(walks.tables),
        walks=walks.walks,
        steps_taken=walks.steps_taken,
        deliveries=walks.deliveries,
        depth=walks.depth,
        seen=len(walks.seen),
        random=int(walks.random[0]),
        taken=counts_as_list(walks.actions_taken()),
        put_off=counts_as_list(walks.actions_put_off()),
    )
    arrays = (
        ("filled", filled_entries(walks.tables)),
        ("known", walks.known.known()),
        ("seen", np.fromiter(walks.seen, np.uint64, len(walks.seen))),
    )
    return SavedSearch(facts, arrays)


def restore_walks(walks: RandomWalks, facts: WalkFacts, arrays: Arrays, where: Path, stopped: Callable[[], str | None]) -> str | None:
    """Puts walks that have not begun where the checkpoint in the folder `where` was written; returns what has stopped it, if anything.

    Raises:
        OtherAnswers: the roles now answer otherwise.
        DamagedCheckpoint: the numbers do not fit each other.
    """
    walks.walks, walks.steps_taken, walks.deliveries, walks.depth = facts.walks, facts.steps_taken, facts.deliveries, facts.depth
    walks.seconds_before = facts.seconds
    walks.taken_before, walks.put_off_before = counts_from_list(facts.taken), counts_from_list(facts.put_off)
    with parts_fit(where):
        walks.seen = set(arrays["seen"].tolist())
        walks.random[0] = facts.random
        walks.known.know(arrays["known"])
    return fill_again(walks.tables, arrays["filled"], facts.entries, stopped)
