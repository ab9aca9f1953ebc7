"""The compiled inner loops: expand states by table look-ups, insert candidates into the fingerprint table.

Numba compiles these functions once and keeps them on disk. They hold no references to Python objects and run without
the interpreter lock, so threads run them side by side. Inside loops no array is sliced and no field of a named tuple
is read: either would count references, by atomic operations on words that all threads share. Two phases never
overlap, so no word of memory is written by two threads:

    expand   reads the tables and a chunk of the frontier, writes the chunk's own candidates, sorted by partition
    insert   takes the candidates of all chunks for one partition, in chunk order, and owns that partition of the table

Because chunks have a fixed size and partitions are a function of the fingerprint, what `insert` sees, and in which
order, does not depend on the number of threads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pmmc_check.checker.chains import MISSING, NOT_ALONE, REFUSED, follow_chain, received
from pmmc_check.checker.compilation import borrowed, kernel, prefetch, uint64
from pmmc_check.checker.fingerprints import canonical
from pmmc_check.checker.looking_up import LEVEL_MASK, PARTITION_BITS, PARTITIONS, table_slot

COUNTERS = 9
STEP_COUNT, CANDIDATE_COUNT, MISS_COUNT, UNKNOWN_COUNT, TRAIL_COUNT, OVERFLOW, BROKEN_STATE, BROKEN_PROCESS, BROKEN_WEIGHT = range(COUNTERS)
"""The entries of a chunk's counters."""
WEIGHTS = 256
"""Weights of steps are below this: they are uint8."""
NOT_BROKEN = WEIGHTS - 1
"""The entry `BROKEN_WEIGHT` of a chunk in which no view is broken."""
FACTS_SHIFT = 20
"""The hash of a combination of facts: its digest >> FACTS_SHIFT."""


class StepTables(NamedTuple):
    """The arrays of `checker.tables`, under the same names.

    By view: fingerprints uint64 (views, renamings), observed uint64 (views, slots), broken, has_alone and exited uint8 (views), owner
    int32 (views), step_range int32 (views, 2). By step: step_view int32 (steps), step_items int32 (steps, 2), step_weight and
    step_halts uint8 (steps), step_alone int16 (steps). By item: item_process and item_bundle int32 (items). The receive
    table: receive_keys uint64 and receive_views int32 (capacity, a power of two).
    """

    fingerprints: Any
    observed: Any
    broken: Any
    owner: Any
    step_range: Any
    step_view: Any
    step_items: Any
    step_weight: Any
    step_halts: Any
    step_alone: Any
    has_alone: Any
    exited: Any
    item_process: Any
    item_bundle: Any
    receive_keys: Any
    receive_views: Any


class Candidates(NamedTuple):
    """Changed states that may be new: fingerprint uint64, number of the parent in the batch int32, the first step taken int32, and how many
    deliveries lead there uint8, each of shape (candidates) or, for a whole batch, (chunks, candidates)."""

    fingerprint: Any
    parent: Any
    step: Any
    weight: Any


class Partition(NamedTuple):
    """One partition of the visited states: fingerprints, and for each its origin (the predecessor's upper 48 bits
    with the level in the lower 16), both uint64 (capacity); full at `used_max` entries."""

    keys: Any
    origins: Any
    used_max: Any


DONE, TABLE_FULL, OUTPUT_FULL = 0, 1, 2
_AHEAD = 12


@kernel
def known_facts(known: Any, digest: Any) -> Any:
    """Whether a combination of facts has been evaluated."""
    mask = uint64(known.shape[0] - 1)
    slot = (digest >> uint64(FACTS_SHIFT)) & mask
    while known[slot] != uint64(0):
        if known[slot] == digest:
            return True
        slot = (slot + uint64(1)) & mask
    return False


@kernel
def expand(
    tables: StepTables,
    known: Any,
    vectors: Any,
    first: Any,
    last: Any,
    parents: Any,
    found: Candidates,
    trail: Any,
    misses: Any,
    unknown: Any,
    counters: Any,
    watch_ends: Any,
    chains: Any,
) -> None:
    """Takes every step of the states `first` to `last` of `vectors`; of a state with a step that may be taken alone, that step only.

    With `chains`, steps that may be taken alone follow at once; they go to `trail`. Writes each state's own fingerprint to `parents`, each
    changed state to `found*`, missing table entries to
    `misses`, unevaluated combinations of facts to `unknown`, and the first state with a broken view to `counters`. With
    `watch_ends`, a state without steps goes to `unknown`, too, with -1 for its slot.
    """
    fingerprints, observed, broken, step_range = tables.fingerprints, tables.observed, tables.broken, borrowed(tables.step_range)
    step_view, step_items, step_halts = borrowed(tables.step_view), borrowed(tables.step_items), borrowed(tables.step_halts)
    step_alone, has_alone, exited = borrowed(tables.step_alone), borrowed(tables.has_alone), borrowed(tables.exited)
    step_weight, item_process, item_bundle = borrowed(tables.step_weight), borrowed(tables.item_process), borrowed(tables.item_bundle)
    receive_keys, receive_views = borrowed(tables.receive_keys), borrowed(tables.receive_views)
    found_fingerprint, found_parent, found_step, found_weight = found.fingerprint, found.parent, found.step, found.weight
    order = fingerprints.shape[1]
    processes = vectors.shape[1]
    slots = observed.shape[1]
    images = np.empty(order, np.uint64)
    changed = np.empty(order, np.uint64)
    vector = np.empty(processes, np.int32)
    following = np.empty(processes, np.int32)
    moves = np.empty((processes, 2), np.int32)
    n_found = n_misses = n_unknown = n_steps = n_trail = 0
    counters[OVERFLOW] = 0
    counters[BROKEN_WEIGHT] = NOT_BROKEN
    for i in range(first, last):
        if n_misses >= misses.shape[0] - 64:
            break
        for p in range(processes):
            vector[p] = vectors[i, p]
        for g in range(order):
            images[g] = fingerprints[vector[0], g]
        for p in range(1, processes):
            for g in range(order):
                images[g] ^= fingerprints[vector[p], g]
        parents[i] = canonical(images)
        for slot in range(slots):
            facts = uint64(0)
            for p in range(processes):
                facts += observed[vector[p], slot]
            if facts != uint64(0) and not known_facts(known, facts):
                unknown[n_unknown, 0] = i
                unknown[n_unknown, 1] = slot
                n_unknown += 1
        steps_before = n_steps
        done = may_be_alone = False
        for p in range(processes):
            view = vector[p]
            may_be_alone = may_be_alone or has_alone[view] != 0
            if step_range[view, 0] < 0:
                done = has_alone[view] != 0
                if n_misses < misses.shape[0]:
                    misses[n_misses, 0] = view
                    misses[n_misses, 1] = -1
                    n_misses += 1
                continue
            if broken[view] != 0:
                weight = broken[view] - 1
                if weight < counters[BROKEN_WEIGHT] or (weight == counters[BROKEN_WEIGHT] and parents[i] < parents[counters[BROKEN_STATE]]):
                    counters[BROKEN_STATE], counters[BROKEN_PROCESS], counters[BROKEN_WEIGHT] = i, p, weight
        for looked in range(0 if may_be_alone else processes, 2 * processes):  # first for a step to take alone, then at all
            if done:
                break
            p = looked % processes
            view = vector[p]
            if step_range[view, 0] < 0 or (looked < processes and has_alone[view] == 0):
                continue
            for step in range(step_range[view, 0], step_range[view, 1]):
                if looked < processes:
                    condition = step_alone[step]
                    if condition == NOT_ALONE or (condition >= 0 and exited[vector[condition]] == 0):
                        continue
                after_view = step_view[step]
                moved = 0
                complete = True
                for item in range(step_items[step, 0], step_items[step, 1]):
                    old = vector[item_process[item]]
                    new = received(receive_keys, receive_views, old, item_bundle[item])
                    if new == REFUSED:
                        complete = False
                    elif new == MISSING:
                        if n_misses < misses.shape[0]:
                            misses[n_misses, 0] = old
                            misses[n_misses, 1] = item_bundle[item]
                            n_misses += 1
                        complete = False
                        done = done or looked < processes
                    elif new != old:
                        moves[moved, 0] = old
                        moves[moved, 1] = new
                        moved += 1
                if not complete or (moved == 0 and (after_view == view or step_halts[step] != 0)):
                    continue
                for g in range(order):
                    changed[g] = images[g] ^ fingerprints[view, g] ^ fingerprints[after_view, g]
                for move in range(moved):
                    for g in range(order):
                        changed[g] ^= fingerprints[moves[move, 0], g] ^ fingerprints[moves[move, 1], g]
                n_steps += 1
                weight = np.int64(step_weight[step])
                if chains:
                    for q in range(processes):
                        following[q] = vector[q]
                    for item in range(step_items[step, 0], step_items[step, 1]):
                        q = item_process[item]
                        following[q] = received(receive_keys, receive_views, vector[q], item_bundle[item])
                    following[p] = after_view
                    trail_before = n_trail
                    complete, weight, n_trail, n_misses = follow_chain(
                        borrowed(following),
                        weight,
                        step_range,
                        step_view,
                        step_items,
                        step_weight,
                        step_halts,
                        step_alone,
                        has_alone,
                        exited,
                        item_process,
                        item_bundle,
                        receive_keys,
                        receive_views,
                        borrowed(trail),
                        n_trail,
                        borrowed(misses),
                        n_misses,
                    )
                    n_steps += n_trail - trail_before
                    if n_trail > trail_before:
                        for g in range(order):
                            changed[g] = fingerprints[following[0], g]
                        for q in range(1, processes):
                            for g in range(order):
                                changed[g] ^= fingerprints[following[q], g]
                if n_found < found_fingerprint.shape[0] and n_trail <= trail.shape[0]:
                    found_fingerprint[n_found] = canonical(changed)
                    found_parent[n_found] = i
                    found_step[n_found] = step
                    found_weight[n_found] = weight
                    n_found += 1
                else:
                    counters[OVERFLOW] = 1
                if looked < processes:
                    done = True
                    break
        if watch_ends and n_steps == steps_before:
            unknown[n_unknown, 0] = i
            unknown[n_unknown, 1] = -1
            n_unknown += 1
    counters[STEP_COUNT] = n_steps
    counters[CANDIDATE_COUNT] = n_found
    counters[MISS_COUNT] = n_misses
    counters[UNKNOWN_COUNT] = n_unknown
    counters[TRAIL_COUNT] = n_trail


@kernel
def partition(count: Any, found: Candidates, recent: Any, level: Any, taken: Any, candidates: Candidates, offsets: Any) -> None:
    """Sorts a chunk's candidates by partition, counts how often each step was `taken`, and leaves out what was just
    found.

    `recent` remembers fingerprints with the level at which they were found: the same one at the same or a higher
    level cannot be new."""
    found_fingerprint, found_parent, found_step, found_weight = found.fingerprint, found.parent, found.step, found.weight
    candidates_fingerprint, candidates_parent = candidates.fingerprint, candidates.parent
    candidates_step, candidates_weight = candidates.step, candidates.weight
    shift = uint64(64 - PARTITION_BITS)
    mask = uint64(recent.shape[0] - 1)
    for each in range(PARTITIONS + 1):
        offsets[each] = 0
    kept = 0
    for k in range(count):
        fingerprint = found_fingerprint[k]
        taken[found_step[k]] += 1
        at = uint64(level + found_weight[k])
        place = (fingerprint >> uint64(13)) & mask
        if recent[place, 0] == fingerprint and recent[place, 1] <= at:
            continue
        recent[place, 0] = fingerprint
        recent[place, 1] = at
        found_fingerprint[kept] = fingerprint
        found_parent[kept] = found_parent[k]
        found_step[kept] = found_step[k]
        found_weight[kept] = found_weight[k]
        kept += 1
        offsets[(fingerprint >> shift) + uint64(1)] += 1
    for each in range(PARTITIONS):
        offsets[each + 1] += offsets[each]
    for k in range(kept):
        which = found_fingerprint[k] >> shift
        to = offsets[which]
        offsets[which] = to + 1
        candidates_fingerprint[to] = found_fingerprint[k]
        candidates_parent[to] = found_parent[k]
        candidates_step[to] = found_step[k]
        candidates_weight[to] = found_weight[k]
    for each in range(PARTITIONS, 0, -1):
        offsets[each] = offsets[each - 1]
    offsets[0] = 0


@kernel
def insert(
    tables: StepTables,
    store: Partition,
    which: Any,
    level: Any,
    candidates: Candidates,
    offsets: Any,
    vectors: Any,
    parents: Any,
    new_vectors: Any,
    new_levels: Any,
    new_parents: Any,
    new_fingerprints: Any,
    stale: Any,
    progress: Any,
    chains: Any,
) -> Any:
    """Inserts the candidates of partition `which`; writes the vectors and fingerprints of those that are new, or reached
    at a lower level than before. With `chains`, steps that may be taken alone have followed.

    `stale` counts by level, from `level` on, the entries that a lower level has replaced; its first place counts the
    steps that led to no deeper level. Returns DONE, or why it stopped; `progress` is (chunk, position, used entries, new
    states): from where to go on."""
    owner, step_view, step_items, step_weight = (
        tables.owner,
        borrowed(tables.step_view),
        borrowed(tables.step_items),
        borrowed(tables.step_weight),
    )
    step_range, step_halts, step_alone = borrowed(tables.step_range), borrowed(tables.step_halts), borrowed(tables.step_alone)
    has_alone, exited = borrowed(tables.has_alone), borrowed(tables.exited)
    item_process, item_bundle = borrowed(tables.item_process), borrowed(tables.item_bundle)
    receive_keys, receive_views = borrowed(tables.receive_keys), borrowed(tables.receive_views)
    keys, origins, used_max = store.keys, store.origins, store.used_max
    candidates_fingerprint, candidates_parent = candidates.fingerprint, candidates.parent
    candidates_step, candidates_weight = candidates.step, candidates.weight
    following = np.empty(vectors.shape[1], np.int32)
    nothing = np.empty(0, np.int32)
    no_misses = np.empty((0, 2), np.int32)
    capacity = uint64(keys.shape[0])
    low = uint64(LEVEL_MASK)
    chunks = offsets.shape[0]
    chunk, position, used = progress[0], progress[1], progress[2]
    n_new = 0
    status = DONE
    while chunk < chunks and status == DONE:
        position = max(position, offsets[chunk, which])
        end = offsets[chunk, which + 1]
        while position < end:
            if position + _AHEAD < end:
                ahead = table_slot(candidates_fingerprint[chunk, position + _AHEAD], capacity)
                prefetch(keys, ahead)
                prefetch(origins, ahead)
            if used >= used_max:
                status = TABLE_FULL
                break
            if n_new >= new_vectors.shape[0]:
                status = OUTPUT_FULL
                break
            fingerprint = candidates_fingerprint[chunk, position]
            step = candidates_step[chunk, position]
            parent = candidates_parent[chunk, position]
            at = uint64(level + candidates_weight[chunk, position])
            slot = table_slot(fingerprint, capacity)
            while keys[slot] != fingerprint and keys[slot] != uint64(0):
                slot += uint64(1)
                if slot == capacity:
                    slot = uint64(0)
            if keys[slot] == uint64(0):
                used += 1
            elif (origins[slot] & low) > at:
                stale[(origins[slot] & low) - uint64(level)] += 1
            else:
                if (origins[slot] & low) < at:
                    stale[0] += 1
                position += 1
                continue
            keys[slot] = fingerprint
            origins[slot] = (parents[parent] & ~low) | at
            new_levels[n_new] = at
            new_parents[n_new] = parent
            new_fingerprints[n_new] = fingerprint
            for p in range(vectors.shape[1]):
                following[p] = vectors[parent, p]
            for item in range(step_items[step, 0], step_items[step, 1]):
                p = item_process[item]
                following[p] = received(receive_keys, receive_views, vectors[parent, p], item_bundle[item])
            following[owner[step_view[step]]] = step_view[step]
            if chains:
                follow_chain(
                    borrowed(following),
                    np.int64(step_weight[step]),
                    step_range,
                    step_view,
                    step_items,
                    step_weight,
                    step_halts,
                    step_alone,
                    has_alone,
                    exited,
                    item_process,
                    item_bundle,
                    receive_keys,
                    receive_views,
                    borrowed(nothing),
                    0,
                    borrowed(no_misses),
                    0,
                )
            for p in range(vectors.shape[1]):
                new_vectors[n_new, p] = following[p]
            n_new += 1
            position += 1
        if status == DONE:
            chunk += 1
            position = 0
    progress[0], progress[1], progress[2], progress[3] = chunk, position, used, n_new
    return status
