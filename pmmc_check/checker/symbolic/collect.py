"""Garbage collection, room, and counting on decision diagrams; the arrays are those of `symbolic.machine`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pmmc_check.checker.compilation import kernel, uint64
from pmmc_check.checker.symbolic.layout import (
    ARENA_TOP,
    CHILD,
    CLOSED,
    COUNT,
    DEPTH,
    DONE_CHILD,
    EDGES,
    FIRST,
    FOUND,
    FREE,
    HEIGHT,
    IN_ALL,
    IN_SOME,
    IN_USE,
    KEY,
    LEVEL,
    NO_VECTOR,
    NODES,
    NONE_THERE,
    OP,
    RESULT,
    TURN,
    UNION,
    UNIT,
    A,
    B,
)
from pmmc_check.checker.symbolic.level_sets import NO_LEVEL, has_level
from pmmc_check.checker.symbolic.nodes import (
    edge_hash,
    entry_at,
    place_by,
    remember,
)

LIMB_BITS = 32
STAYS, POSSIBLE = range(2)
"""Which values of a recipient are counted: those that a function does not change, or those to which it can be applied."""


@kernel
def reach(node: Any, edge: Any, live: Any, stack: Any, root: Any) -> None:
    """Marks in `live` all nodes below `root`."""
    if live[root]:
        return
    live[root] = True
    stack[0] = root
    waiting = 1
    while waiting > 0:
        waiting -= 1
        a = stack[waiting]
        for k in range(node[a, FIRST], node[a, FIRST] + node[a, COUNT]):
            child = edge[k, 1]
            if not live[child]:
                live[child] = True
                stack[waiting] = child
                waiting += 1


@kernel
def reach_all(regs: Any, frames: Any, arena: Any, node: Any, edge: Any, kept: Any, live: Any, stack: Any) -> None:
    """Marks all nodes that the machine, or the caller (`kept`), can still use."""
    reach(node, edge, live, stack, NO_VECTOR)
    reach(node, edge, live, stack, UNIT)
    reach(node, edge, live, stack, regs[RESULT])
    for k in range(kept.shape[0]):
        reach(node, edge, live, stack, kept[k])
    for depth in range(regs[DEPTH]):
        reach(node, edge, live, stack, frames[depth, A])
        if frames[depth, OP] == UNION:
            reach(node, edge, live, stack, frames[depth, B])
        reach(node, edge, live, stack, frames[depth, FOUND])
        reach(node, edge, live, stack, frames[depth, KEY])
    for row in range(regs[ARENA_TOP]):
        reach(node, edge, live, stack, arena[row, CHILD])


@kernel
def sweep(regs: Any, node: Any, edge: Any, moved: Any, arena: Any, live: Any) -> None:
    """Frees the rows of all other nodes; the edges of those that are left go to `moved`, without gaps."""
    edges = in_use = 0
    last_free = regs[FREE] = NO_VECTOR
    for a in range(regs[NODES]):
        if live[a]:
            first = node[a, FIRST]
            for k in range(node[a, COUNT]):
                moved[edges + k, 0] = edge[first + k, 0]
                moved[edges + k, 1] = edge[first + k, 1]
            node[a, FIRST] = edges
            edges += node[a, COUNT]
            in_use += 1
            if node[a, CLOSED] >= 0 and not live[node[a, CLOSED]]:
                node[a, CLOSED] = NONE_THERE
            continue
        if last_free == NO_VECTOR:
            regs[FREE] = a
        else:
            node[last_free, FIRST] = a
        last_free = a
        node[a, FIRST], node[a, COUNT], node[a, IN_SOME], node[a, IN_ALL] = NO_VECTOR, 0, NO_LEVEL, NO_LEVEL
    regs[EDGES], regs[IN_USE] = edges, in_use
    for row in range(regs[ARENA_TOP]):
        if arena[row, DONE_CHILD] >= 0 and not live[arena[row, DONE_CHILD]]:
            arena[row, DONE_CHILD] = NONE_THERE


@kernel
def forget_dead(cache: Any, live: Any, b_is_node: Any) -> None:
    """Drops results from a cache that concern a node which is no more."""
    for line in range(cache.shape[0]):
        for at in range(0, TURN, 3):
            a, b, result = cache[line, at], cache[line, at + 1], cache[line, at + 2]
            if a != NO_VECTOR and not (live[a] and live[result] and (not b_is_node or live[b])):
                cache[line, at] = NO_VECTOR


@kernel
def copy_cache(old: Any, new: Any) -> None:
    """Copies all results to another cache."""
    for line in range(old.shape[0]):
        for at in range(0, TURN, 3):
            if old[line, at] != NO_VECTOR:
                remember(new, old[line, at], old[line, at + 1], old[line, at + 2])


@kernel
def fill_unique(node: Any, edge: Any, unique: Any, nodes: Any) -> None:
    """Enters all nodes, in the rows below `nodes`, into an empty table."""
    mask = uint64(unique.shape[0] - 1)
    for a in range(UNIT + 1, nodes):
        if node[a, COUNT] == 0:
            continue
        first, size = node[a, FIRST], node[a, COUNT]
        mixed, last = uint64(size), np.int64(edge[first + size - 1, 1])
        for k in range(first, first + size):
            mixed = edge_hash(node[a, LEVEL], edge[k, 0], np.int64(edge[k, 1]), last, mixed)
        slot = place_by(mixed, last, mask)
        while unique[slot] != NO_VECTOR:
            slot = (slot + uint64(1)) & mask
        unique[slot] = a


@kernel
def counts_here(function: Any, which: Any, value: Any, keys: Any, ranges: Any, values: Any) -> Any:
    """Whether a value is one of those that are counted: all without a function, else by what the function makes of it."""
    if function < 0:
        return True
    at = entry_at(keys, function, value)
    if at < 0:
        return False
    if which == STAYS:
        return ranges[at, 1] == 1 and values[ranges[at, 0]] == value
    return ranges[at, 1] > 0


@kernel
def passes(node: Any, levels: Any, barred: Any, a: Any, child: Any) -> Any:
    """Whether an edge passes by no level whose absent value is not counted; `barred[h]` says how many of these are no higher than h."""
    return barred[levels[node[a, LEVEL], HEIGHT] - 1] == barred[levels[node[child, LEVEL], HEIGHT]]


@kernel
def estimate(node: Any, edge: Any, first: Any, counts: Any) -> None:
    """How many vectors each of the nodes from `first` on, sorted by height, stands for, roughly."""
    for a in range(first, node.shape[0]):
        counts[a] = 0.0
        for k in range(node[a, FIRST], node[a, FIRST] + node[a, COUNT]):
            counts[a] += counts[edge[k, 1]]


@kernel
def count_below(
    node: Any, edge: Any, levels: Any, first: Any, last: Any, from_height: Any, lower: Any, counts: Any,
    functions: Any, which: Any, barred: Any, keys: Any, ranges: Any, values: Any,
) -> None:  # fmt: skip
    """How many vectors each of the nodes from `first` to `last`, sorted by height, stands for. The counts of children below `from_height`
    are in `lower`, the others in `counts`. `functions` has one for each level, or -1: what counts there (see `counts_here`)."""
    limbs = counts.shape[1]
    for a in range(first, last):
        function = functions[node[a, LEVEL]]
        for limb in range(limbs):
            counts[a, limb] = 0
        for k in range(node[a, FIRST], node[a, FIRST] + node[a, COUNT]):
            child = edge[k, 1]
            if passes(node, levels, barred, a, child) and counts_here(function, which, edge[k, 0], keys, ranges, values):
                known = lower if levels[node[child, LEVEL], HEIGHT] < from_height else counts
                for limb in range(limbs):
                    counts[a, limb] += known[child, limb]
        carry(counts, a)


@kernel
def count_above(
    node: Any, edge: Any, levels: Any, first: Any, counts: Any,
    functions: Any, which: Any, barred: Any, keys: Any, ranges: Any, values: Any,
) -> None:  # fmt: skip
    """On how many paths from the root each of the nodes from `first` on, sorted by height, lies; the root has its count."""
    limbs = counts.shape[1]
    for a in range(node.shape[0] - 1, first - 1, -1):
        function = functions[node[a, LEVEL]]
        carry(counts, a)
        for k in range(node[a, FIRST], node[a, FIRST] + node[a, COUNT]):
            child = edge[k, 1]
            if passes(node, levels, barred, a, child) and counts_here(function, which, edge[k, 0], keys, ranges, values):
                for limb in range(limbs):
                    counts[child, limb] += counts[a, limb]


@kernel
def count_by_value(
    node: Any, edge: Any, levels: Any, first: Any, last: Any, from_height: Any, above: Any, lower: Any, below: Any, barred: Any, totals: Any
) -> None:
    """How many vectors have each value at the level of the nodes from `first` to `last`; the counts of children are where `count_below` has
    them."""
    limbs = totals.shape[1]
    low = uint64((1 << LIMB_BITS) - 1)
    for a in range(first, last):
        for k in range(node[a, FIRST], node[a, FIRST] + node[a, COUNT]):
            child = edge[k, 1]
            if not passes(node, levels, barred, a, child):
                continue
            known = lower if levels[node[child, LEVEL], HEIGHT] < from_height else below
            for x in range(limbs):
                if above[a, x] == 0:
                    continue
                for y in range(limbs - x):
                    product = uint64(above[a, x]) * uint64(known[child, y])
                    totals[edge[k, 0], x + y] += np.int64(product & low)
                    if x + y + 1 < limbs:
                        totals[edge[k, 0], x + y + 1] += np.int64(product >> uint64(LIMB_BITS))
    for value in range(totals.shape[0]):
        carry(totals, value)


@kernel
def count_having(node: Any, edge: Any, sets: Any, first: Any, last: Any, level: Any, absent: Any, below: Any, counts: Any) -> None:
    """How many vectors of each of the nodes from `first` to `last`, sorted by height, are not absent at a sparse level. `below` counts all
    vectors. Most nodes have no such vector, or no other."""
    limbs = counts.shape[1]
    for a in range(first, last):
        if has_level(sets, node[a, IN_ALL], level):
            for limb in range(limbs):
                counts[a, limb] = below[a, limb]
            continue
        for limb in range(limbs):
            counts[a, limb] = 0
        if not has_level(sets, node[a, IN_SOME], level):
            continue
        here = node[a, LEVEL] == level
        for k in range(node[a, FIRST], node[a, FIRST] + node[a, COUNT]):
            child = edge[k, 1]
            if here and edge[k, 0] != absent:
                for limb in range(limbs):
                    counts[a, limb] += below[child, limb]
            elif not here and has_level(sets, node[child, IN_SOME], level):
                for limb in range(limbs):
                    counts[a, limb] += counts[child, limb]
        carry(counts, a)


@kernel
def carry(counts: Any, a: Any) -> None:
    """Makes limbs of a count that fit their bits."""
    over = np.int64(0)
    for limb in range(counts.shape[1]):
        total = counts[a, limb] + over
        counts[a, limb] = total & ((1 << LIMB_BITS) - 1)
        over = total >> LIMB_BITS
