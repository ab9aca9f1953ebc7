"""A compiled search between two batches, as numbers, and a search that goes on from them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker import kernel
from pmmc_check.checker.checkpoints.again import digest_of_entries, fill_again, filled_entries, otherwise, view_digests
from pmmc_check.checker.checkpoints.saved import Arrays, SavedSearch, damaged
from pmmc_check.checker.counterexample import Suspect
from pmmc_check.checker.delayed.frontier import Block, DelayedFrontier
from pmmc_check.checker.endless import Expanded
from pmmc_check.checker.frontier import Frontier
from pmmc_check.checker.result import Action, ResumedFrom
from pmmc_check.checker.tables import Tables
from pmmc_check.checker.visited import VisitedStates
from pmmc_check.checker.workspace import narrowed

if TYPE_CHECKING:
    from pmmc_check.checker.compiled import CompiledSearch

ActionCounts = list[tuple[str, str, int]]
_WAITS = "waits-"


class SearchFacts(msgspec.Struct, forbid_unknown_fields=True):
    """What a search has counted; `entries` is the digest of all table entries.

    Of states in a hash table `capacities` are the places of its partitions; of states in sorted runs, of which there are some, `lowers`
    are the bounds of their ranges, and `settled` is the level that is being expanded.
    """

    written_at: str
    seconds: float
    entries: int
    distinct_states: int
    generated_states: int
    depth: int
    outside_states: int
    steps_not_deeper: int
    level_sizes: list[tuple[int, int]]
    stale: list[tuple[int, int]]
    taken: ActionCounts
    put_off: ActionCounts
    suspect: tuple[int, int, int, int] | None
    capacities: list[int]
    settled: int
    lowers: list[int]
    states_in_table: int

    def resumed(self) -> ResumedFrom:
        """As reports tell it."""
        return ResumedFrom(self.written_at, self.depth, self.distinct_states, self.seconds)


def saved_search(search: CompiledSearch) -> SavedSearch:
    """The search as it is now, which must be between two batches."""
    delayed = search.visited.delayed
    facts = SearchFacts(
        written_at=now(),
        seconds=search.seconds(),
        entries=digest_of_entries(search.tables),
        distinct_states=search.distinct_states,
        generated_states=search.generated_states,
        depth=search.depth,
        outside_states=search.outside_states,
        steps_not_deeper=search.steps_not_deeper,
        level_sizes=sorted(search.level_sizes.items()),
        stale=sorted(search.visited.frontier.stale.items()),
        taken=counts_as_list(search.actions_taken()),
        put_off=counts_as_list(search.actions_put_off()),
        suspect=(*min(search.suspects),) if search.suspects else None,
        capacities=[] if delayed else [len(each.keys) for each in search.visited.store.partitions],
        settled=delayed.settled if delayed else 0,
        lowers=[lower for lower, *_ in delayed.runs.runs()] if delayed else [],
        states_in_table=search.visited.states_in_table,
    )
    return SavedSearch(facts, _arrays(search))


def _arrays(search: CompiledSearch) -> Iterator[tuple[str, NDArray[Any]]]:
    yield from arrays_of_tables(search.tables)
    yield "known", search.known.known()
    yield from _sorted_states(search.visited.delayed) if search.visited.delayed else _hashed_states(search.visited)
    if search.open_states:
        for name, array in search.open_states.so_far()._asdict().items():
            yield f"open-{name}", array


def _hashed_states(visited: VisitedStates) -> Iterator[tuple[str, NDArray[Any]]]:
    assert isinstance(visited.frontier, Frontier)
    for number, (level, vectors) in enumerate(visited.frontier.waiting()):
        yield f"waits-{level}-{number}", narrowed(vectors)
    for number in range(kernel.PARTITIONS):
        keys, origins = visited.store.entries(number)
        yield f"keys-{number}", keys
        yield f"origins-{number}", origins


def _sorted_states(delayed: DelayedFrontier) -> Iterator[tuple[str, NDArray[Any]]]:
    for number, vectors in enumerate(delayed.waiting_settled()):
        yield f"waits-{delayed.settled}-{number}", narrowed(vectors)
    for number, (level, block) in enumerate(delayed.waiting()):
        yield f"waits-{level}-{number}", narrowed(block.vectors)
        yield f"block-keys-{level}-{number}", block.keys
        yield f"block-origins-{level}-{number}", block.origins
    for number, (_, keys, origins) in enumerate(delayed.runs.runs()):
        yield f"keys-{number}", keys
        yield f"origins-{number}", origins


def restore_search(
    search: CompiledSearch, facts: SearchFacts, arrays: Arrays, where: Path, stopped: Callable[[], str | None]
) -> str | None:
    """Puts a search that has not begun where the checkpoint in the folder `where` was written; returns what has stopped it, if anything.

    Raises:
        OtherAnswers: the roles now answer otherwise.
        DamagedCheckpoint: the numbers do not fit each other.
    """
    _restore_counts(search, facts)
    if passed := _passed(search):
        return f"{passed} had been reached before the search went on"
    if limit := fill_again(search.tables, arrays["filled"], facts.entries, stopped):
        return f"{limit} before the search could go on: first its tables are filled again"
    with parts_fit(where):
        _restore_arrays(search, facts, arrays)
    return None


def _passed(search: CompiledSearch) -> str | None:
    """The limit that had been reached when the checkpoint was written."""
    limits = search.control.limits
    if limits.states_max is not None and search.distinct_states >= limits.states_max:
        return f"{limits.states_max:,} states (--max-states)"
    if limits.depth_max is not None and search.depth > limits.depth_max:
        return f"depth {limits.depth_max} (--max-depth)"
    return None


@contextmanager
def parts_fit(where: Path) -> Iterator[None]:
    """Within, arrays are taken apart that may not be what they should be.

    Raises:
        DamagedCheckpoint: they are not.
    """
    try:
        yield
    except (KeyError, IndexError, ValueError, TypeError, OverflowError) as error:
        raise damaged(where, f"its parts do not fit ({type(error).__name__}: {error})") from error


def _restore_counts(search: CompiledSearch, facts: SearchFacts) -> None:
    search.seconds_before = facts.seconds
    search.distinct_states, search.generated_states = facts.distinct_states, facts.generated_states
    search.depth, search.outside_states, search.steps_not_deeper = facts.depth, facts.outside_states, facts.steps_not_deeper
    search.level_sizes = Counter(dict(facts.level_sizes))
    search.taken_before, search.put_off_before = counts_from_list(facts.taken), counts_from_list(facts.put_off)
    search.suspects = [Suspect(*facts.suspect)] if facts.suspect else []


def _restore_arrays(search: CompiledSearch, facts: SearchFacts, arrays: Arrays) -> None:
    search.known.know(arrays["known"])
    numbers = numbers_now(search.tables, arrays["views"])
    for vectors in (array for name, array in arrays.items() if name.startswith(_WAITS)):
        if vectors.ndim != 2 or vectors.shape[1] != len(search.model.processes):
            raise ValueError(f"states of {vectors.shape[-1]} processes")
    search.visited.states_in_table = facts.states_in_table
    if facts.lowers:
        _restore_sorted(search.visited, facts, arrays, numbers)
    else:
        _restore_hashed(search.visited, facts, arrays, numbers)
    if search.open_states:
        noted = Expanded(*(np.array(arrays[f"open-{name}"]) for name in Expanded._fields))
        if len(noted.taken) and not np.array_equal(numbers, np.arange(len(numbers))):
            raise otherwise()  # steps are noted by their numbers
        search.open_states.note(noted)


def _restore_hashed(visited: VisitedStates, facts: SearchFacts, arrays: Arrays, numbers: NDArray[np.int32]) -> None:
    assert isinstance(visited.frontier, Frontier)
    for level, _, array in _waiting(arrays):
        visited.frontier.put(level, numbers[array])
    visited.frontier.stale.update(dict(facts.stale))
    for number, capacity in enumerate(facts.capacities):
        visited.store.put_back(number, (np.array(arrays[f"keys-{number}"]), np.array(arrays[f"origins-{number}"])), capacity)


def _restore_sorted(visited: VisitedStates, facts: SearchFacts, arrays: Arrays, numbers: NDArray[np.int32]) -> None:
    delayed = visited.empty_delayed()
    for number, lower in enumerate(facts.lowers):
        delayed.runs.begin(lower, np.array(arrays[f"keys-{number}"]), np.array(arrays[f"origins-{number}"]))
    delayed.settled = facts.settled
    for level, number, array in _waiting(arrays):
        if level == facts.settled:
            delayed.put_settled(level, numbers[array])
        else:
            keys, origins = (np.array(arrays[f"block-{name}-{level}-{number}"]) for name in ("keys", "origins"))
            delayed.put(level, Block(numbers[array], keys, origins))
    visited.frontier = delayed


def _waiting(arrays: Arrays) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """The states that wait: their level, the number of the block, and their vectors."""
    for name, array in arrays.items():
        if name.startswith(_WAITS):
            level, number = name.removeprefix(_WAITS).split("-")
            yield int(level), int(number), array


def arrays_of_tables(tables: Tables) -> Iterator[tuple[str, NDArray[Any]]]:
    """What tables are made again from."""
    yield "views", view_digests(tables)
    yield "filled", filled_entries(tables)


def numbers_now(tables: Tables, digests: NDArray[np.uint64]) -> NDArray[np.int32]:
    """The numbers that views, given by their digests, have in tables that were made again."""
    now = view_digests(tables)
    order = np.argsort(now)
    places = np.minimum(np.searchsorted(now, digests, sorter=order), len(now) - 1)
    numbers = order[places]
    if not np.array_equal(now[numbers], digests):
        raise otherwise()
    return numbers.astype(np.int32)


def now() -> str:
    """The time, as a checkpoint tells it."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


def counts_as_list(counts: Counter[Action]) -> ActionCounts:
    """Counts of actions, as JSON can hold them."""
    return [(*action_parts(action), count) for action, count in counts.items()]


def action_parts(action: Action) -> tuple[str, str]:
    """An action by its two names."""
    return action.role, action.message


def counts_from_list(counts: ActionCounts) -> Counter[Action]:
    """The inverse."""
    return Counter({Action(role, message): count for role, message, count in counts})
