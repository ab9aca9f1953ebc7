"""Random walks between two walks, as numbers, and walks that go on from them.

What the tables hold need not be kept: walks do not depend on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pmmc_check.checker.checkpoints.of_search import ActionCounts, counts_as_list, counts_from_list, now, parts_fit
from pmmc_check.checker.checkpoints.saved import Arrays, SavedSearch
from pmmc_check.checker.result import ResumedFrom

if TYPE_CHECKING:
    from pmmc_check.checker.walks import RandomWalks


class WalkFacts(msgspec.Struct, forbid_unknown_fields=True):
    """What walks have counted, and what has happened on them."""

    written_at: str
    seconds: float
    walks: int
    steps_taken: int
    depth: int
    seen: int
    decided: bool
    commands: list[str]
    unchanged: list[str]
    unsent: list[tuple[str, str]]
    taken: ActionCounts

    def resumed(self) -> ResumedFrom:
        """As reports tell it."""
        return ResumedFrom(self.written_at, self.depth, self.seen, self.seconds)


def saved_walks(walks: RandomWalks) -> SavedSearch:
    """The walks that were completed by now."""
    facts = WalkFacts(
        written_at=now(),
        seconds=walks.seconds(),
        walks=walks.walks,
        steps_taken=walks.steps_taken,
        depth=walks.depth,
        seen=walks.met.count,
        decided=walks.happened.decided,
        commands=sorted(walks.happened.commands),
        unchanged=sorted(walks.unchanged()),
        unsent=list(walks.unsent()),
        taken=counts_as_list(walks.coverage()),
    )
    return SavedSearch(facts, (("seen", walks.met.fingerprints()),))


def restore_walks(walks: RandomWalks, facts: WalkFacts, arrays: Arrays, where: Path) -> None:
    """Puts walks that have not begun where the checkpoint in the folder `where` was written.

    Raises:
        DamagedCheckpoint: the numbers do not fit each other.
    """
    walks.walks, walks.steps_taken, walks.depth = facts.walks, facts.steps_taken, facts.depth
    walks.seconds_before = facts.seconds
    happened = walks.happened
    happened.decided, happened.commands, happened.unchanged = facts.decided, set(facts.commands), frozenset(facts.unchanged)
    happened.unsent, happened.taken = frozenset(facts.unsent), counts_from_list(facts.taken)
    with parts_fit(where):
        walks.met.restore(arrays["seen"], facts.seen)
