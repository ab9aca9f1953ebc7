"""The compiled loops of a worker, beside those of one process (`checker.kernel`): taking in what others have found, building new states."""

from __future__ import annotations

from typing import Any

import numpy as np

from pmmc_check.checker.chains import BUNDLE_FACTOR, RECEIVE_SHIFT, VIEW_FACTOR, received
from pmmc_check.checker.compilation import kernel, uint64
from pmmc_check.checker.kernel import DONE, TABLE_FULL, Partition, StepTables
from pmmc_check.checker.looking_up import LEVEL_MASK, table_slot


@kernel
def take_in(  # noqa: PLR0917
    store: Partition, rows: Any, fingerprints: Any, origins: Any, level: Any, is_new: Any, stale: Any, progress: Any
) -> Any:
    """As `kernel.insert`, of candidates `rows` that somebody else has found: says only which `is_new`, or reached at a lower level than
    before.

    `origins` is what is stored of a state that is. `progress` is (position in `rows`, used entries): from where to go on. Returns DONE, or
    TABLE_FULL."""
    keys, known_origins, used_max = store.keys, store.origins, store.used_max
    capacity = uint64(keys.shape[0])
    low = uint64(LEVEL_MASK)
    position, used = progress[0], progress[1]
    status = DONE
    while position < rows.shape[0]:
        if used >= used_max:
            status = TABLE_FULL
            break
        row = rows[position]
        fingerprint = fingerprints[row]
        at = origins[row] & low
        slot = table_slot(fingerprint, capacity)
        while keys[slot] != fingerprint and keys[slot] != uint64(0):
            slot += uint64(1)
            if slot == capacity:
                slot = uint64(0)
        position += 1
        if keys[slot] == uint64(0):
            used += 1
        elif (known_origins[slot] & low) > at:
            stale[(known_origins[slot] & low) - uint64(level)] += 1
        else:
            continue
        keys[slot] = fingerprint
        known_origins[slot] = origins[row]
        is_new[row] = True
    progress[0], progress[1] = position, used
    return status


@kernel
def build(tables: StepTables, vectors: Any, parents: Any, steps: Any, built: Any) -> None:
    """The states that `steps` lead to from the states `parents` of `vectors`."""
    owner, step_view, step_items = tables.owner, tables.step_view, tables.step_items
    item_process, item_bundle = tables.item_process, tables.item_bundle
    receive_keys, receive_views = tables.receive_keys, tables.receive_views
    for each in range(parents.shape[0]):
        parent, step = parents[each], steps[each]
        for p in range(vectors.shape[1]):
            built[each, p] = vectors[parent, p]
        for item in range(step_items[step, 0], step_items[step, 1]):
            p = item_process[item]
            built[each, p] = received(receive_keys, receive_views, vectors[parent, p], item_bundle[item])
        built[each, owner[step_view[step]]] = step_view[step]


@kernel
def receive_entries(entries: Any, keys: Any, views: Any) -> None:
    """Puts entries (view, bundle, view after) into a receive table that has room for them."""
    mask = uint64(keys.shape[0] - 1)
    for row in range(entries.shape[0]):
        view, bundle = uint64(entries[row, 0]), uint64(entries[row, 1])
        slot = ((view * uint64(VIEW_FACTOR) + bundle * uint64(BUNDLE_FACTOR)) >> uint64(RECEIVE_SHIFT)) & mask
        while keys[slot] != uint64(0):
            slot = (slot + uint64(1)) & mask
        keys[slot] = ((view << uint64(32)) | bundle) + uint64(1)
        views[slot] = np.int32(entries[row, 2])
