"""Steps that are taken alone, one after the other: what the compiled loops do between two states that are worth keeping.

Where a step may be taken alone it is the only one that is taken, so a state where that is so needs not be kept: it is met on the way to the
one state to which its chain of steps leads, and whatever it shows, that one shows (`checker.commuting`). A chain is followed
in `kernel.expand`, to see where it ends, and in `kernel.insert` once more for those ends that are new."""

from __future__ import annotations

from typing import Any

import numpy as np

from pmmc_check.checker.compilation import kernel, uint64

VIEW_FACTOR, BUNDLE_FACTOR, RECEIVE_SHIFT = 0x9E3779B1, 0x85EBCA77, 7
"""The hash of an entry of the receive table: (view * VIEW_FACTOR + bundle * BUNDLE_FACTOR) >> RECEIVE_SHIFT."""
NOT_ALONE, ALONE = -2, -1
"""What `step_alone` says of a step; 0 or more is the number of the process that must have exited for the step to be taken alone."""
MISSING, REFUSED = -1, -2
"""In the place of a view that has received something: there is no entry yet; the recipient refuses, so there is no such step."""
CHAIN_WEIGHT_MAX = 200
"""A chain of more deliveries is cut: the weight of a step is a uint8, with that of the chain behind it."""


@kernel
def received(keys: Any, views: Any, view: Any, bundle: Any) -> Any:
    """The view after `bundle` has reached `view`, or `MISSING`, or `REFUSED`."""
    key = ((uint64(view) << uint64(32)) | uint64(bundle)) + uint64(1)
    mask = uint64(keys.shape[0] - 1)
    slot = ((uint64(view) * uint64(VIEW_FACTOR) + uint64(bundle) * uint64(BUNDLE_FACTOR)) >> uint64(RECEIVE_SHIFT)) & mask
    while True:
        if keys[slot] == key:
            return views[slot]
        if keys[slot] == uint64(0):
            return np.int32(MISSING)
        slot = (slot + uint64(1)) & mask


@kernel
def follow_chain(  # noqa: PLR0917  # compiled as one loop
    vector: Any, weight: Any,
    step_range: Any, step_view: Any, step_items: Any, step_weight: Any, step_halts: Any, step_alone: Any, has_alone: Any, exited: Any,
    item_process: Any, item_bundle: Any, receive_keys: Any, receive_views: Any,
    trail: Any, n_trail: Any, misses: Any, n_misses: Any,
) -> Any:  # fmt: skip
    """Takes steps alone from `vector`, to which `weight` deliveries have led, until there are none; it becomes the state at the end.

    The steps go to `trail`, as far as there is room, and missing entries to `misses`. Returns whether nothing was missing, the weight, and
    how many steps and missing entries there are now.
    """
    p = 0
    while p < vector.shape[0]:
        view = vector[p]
        step = step_range[view, 0]
        if has_alone[view] != 0 and step < 0:
            if n_misses < misses.shape[0]:
                misses[n_misses, 0], misses[n_misses, 1] = view, -1
                n_misses += 1
            return False, weight, n_trail, n_misses
        taken = False
        while has_alone[view] != 0 and step < step_range[view, 1] and not taken:
            condition = step_alone[step]
            if condition == ALONE or (condition >= 0 and exited[vector[condition]] != 0):
                lacking, possible, moved = False, True, False
                for item in range(step_items[step, 0], step_items[step, 1]):
                    old = vector[item_process[item]]
                    new = received(receive_keys, receive_views, old, item_bundle[item])
                    lacking, possible, moved = lacking or new == MISSING, possible and new != REFUSED, moved or new != old
                    if new == MISSING and n_misses < misses.shape[0]:
                        misses[n_misses, 0], misses[n_misses, 1] = old, item_bundle[item]
                        n_misses += 1
                if lacking:
                    return False, weight, n_trail, n_misses
                taken = possible and (moved or (step_view[step] != view and step_halts[step] == 0))
            step += 1
        if not taken:
            p += 1
            continue
        step -= 1
        if weight + step_weight[step] > CHAIN_WEIGHT_MAX:
            break
        for item in range(step_items[step, 0], step_items[step, 1]):
            vector[item_process[item]] = received(receive_keys, receive_views, vector[item_process[item]], item_bundle[item])
        vector[p] = step_view[step]
        weight += step_weight[step]
        if n_trail < trail.shape[0]:
            trail[n_trail] = step
        n_trail, p = n_trail + 1, 0
    return True, weight, n_trail, n_misses


@kernel
def count_steps(trail: Any, count: Any, followed: Any) -> None:
    """Counts how often each step is among the first `count` of `trail`."""
    for place in range(count):
        followed[trail[place]] += 1
