"""The compiled loop of random walks: from the place of a walk on, step after step by table look-ups.

Like `checker.kernel`, it reports table entries that are missing and combinations of facts that are not evaluated; Python fills them in
and calls again. What was drawn at random for an incomplete step is drawn again, so walks do not depend on what the tables held."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pmmc_check.checker.compilation import kernel, uint64
from pmmc_check.checker.kernel import MISSING, REFUSED, StepTables, known_facts, received

BOUND, ENDED, BROKEN, UNJUDGED, MISSED, GOES_ON = range(6)
"""Why a walk has stopped: it has as many steps as it may have; nothing can move; the process `DETAIL` breaks an invariant by itself; the
facts about the slot `DETAIL` are not evaluated; the step table of the view `DETAIL` is missing, or what `BUNDLE` does to it."""

STEPS, DETAIL, BUNDLE = range(3)


class Walk(NamedTuple):
    """A walk and its working memory: the state it is in, room for the next (both int32 (processes)), the fingerprints it has met (uint64
    (steps + 1)), its moves as (process, step) (steps, 2), how often each step was taken (int64), the state of the random numbers (uint64
    (1)), and (steps taken, detail, bundle)."""

    vector: Any
    after: Any
    met: Any
    moves: Any
    taken: Any
    random: Any
    place: Any


@kernel
def walk(tables: StepTables, known: Any, walker: Walk) -> Any:
    """Goes on until there is a reason to stop."""
    while True:
        status = looked_at(tables, known, walker)
        if status == GOES_ON and walker.place[STEPS] == len(walker.moves):
            status = BOUND
        if status == GOES_ON:
            status = moved(tables, walker)
        if status != GOES_ON:
            return status


@kernel
def looked_at(tables: StepTables, known: Any, walker: Walk) -> Any:
    """Notes the fingerprint of the state, and whether its invariants are known to hold."""
    vector, place, processes = walker.vector, walker.place, len(walker.vector)
    fingerprints, step_range, broken, observed = tables.fingerprints, tables.step_range, tables.broken, tables.observed
    fingerprint = uint64(0)
    for p in range(processes):
        fingerprint ^= fingerprints[vector[p], 0]
        if step_range[vector[p], 0] < 0:
            place[DETAIL], place[BUNDLE] = vector[p], -1
            return MISSED
    walker.met[place[STEPS]] = fingerprint
    for p in range(processes):
        if broken[vector[p]] != 0:
            place[DETAIL] = p
            return BROKEN
    for slot in range(observed.shape[1]):
        facts = uint64(0)
        for p in range(processes):
            facts += observed[vector[p], slot]
        if facts != uint64(0) and not known_facts(known, facts):
            place[DETAIL] = slot
            return UNJUDGED
    return GOES_ON


@kernel
def moved(tables: StepTables, walker: Walk) -> Any:
    """Takes a step that changes something, each as likely as another: steps are drawn until one does, and when as many as there are
    have not, they are tried in turn."""
    vector, step_range, place, random = walker.vector, tables.step_range, walker.place, walker.random
    total = 0
    for p in range(len(vector)):
        total += step_range[vector[p], 1] - step_range[vector[p], 0]
    before, which = random[0], 0
    for attempt in range(2 * total):
        which = drawn(random, total) if attempt < total else (which + 1) % total
        process, step = 0, which
        while step >= step_range[vector[process], 1] - step_range[vector[process], 0]:
            step -= step_range[vector[process], 1] - step_range[vector[process], 0]
            process += 1
        step += step_range[vector[process], 0]
        changes = takes(tables, walker, process, step)
        if changes == MISSING:
            random[0] = before
            return MISSED
        if changes:
            vector[:] = walker.after
            walker.moves[place[STEPS], 0], walker.moves[place[STEPS], 1] = process, step
            walker.taken[step] += 1
            place[STEPS] += 1
            return GOES_ON
    return ENDED


@kernel
def takes(tables: StepTables, walker: Walk, process: Any, step: Any) -> Any:
    """Writes the state after `step` to `after`; returns whether it is a step that changes something, or `MISSING`."""
    vector, after, place = walker.vector, walker.after, walker.place
    after[:] = vector
    after[process] = tables.step_view[step]
    changes = after[process] != vector[process] and tables.step_halts[step] == 0
    for item in range(tables.step_items[step, 0], tables.step_items[step, 1]):
        to, bundle = tables.item_process[item], tables.item_bundle[item]
        new = received(tables.receive_keys, tables.receive_views, vector[to], bundle)
        if new == REFUSED:
            return 0
        if new == MISSING:
            place[DETAIL], place[BUNDLE] = vector[to], bundle
            return MISSING
        changes = changes or new != vector[to]
        after[to] = new
    return 1 if changes else 0


@kernel
def drawn(random: Any, total: Any) -> Any:
    """A number below `total`, by SplitMix64 (Steele, Lea, Flood 2014)."""
    random[0] += uint64(0x9E3779B97F4A7C15)
    mixed = random[0]
    mixed = (mixed ^ (mixed >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> uint64(27))) * uint64(0x94D049BB133111EB)
    mixed ^= mixed >> uint64(31)
    return np.int64(((mixed >> uint64(32)) * uint64(total)) >> uint64(32))
