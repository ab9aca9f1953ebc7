"""Garbage collection, room, and counting on decision diagrams; the arrays are those of `symbolic.machine`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pmmc_check.checker.compilation import kernel, uint64
from pmmc_check.checker.symbolic.nodes import (
    ARENA_TOP,
    CHILD,
    CLOSED,
    COUNT,
    DEPTH,
    DONE_CHILD,
    EDGES,
    FIRST,
    FOUND,
    HEIGHT,
    KEY,
    LEVEL,
    NO_VECTOR,
    NODES,
    OP,
    RESULT,
    UNION,
    UNIT,
    A,
    B,
    cache_slot,
    edges_hash,
    entry_at,
)

_DEAD = -1
LIMB_BITS = 32
STAYS, POSSIBLE = range(2)
"""Which values of a recipient are counted: those that a function does not change, or those to which it can be applied."""


@kernel
def reach(node: Any, edge: Any, number: Any, stack: Any, root: Any) -> None:
    """Marks in `number` all nodes below `root`."""
    if number[root] != _DEAD:
        return
    number[root] = 0
    stack[0] = root
    waiting = 1
    while waiting > 0:
        waiting -= 1
        a = stack[waiting]
        for k in range(node[a, FIRST], node[a, FIRST] + node[a, COUNT]):
            child = edge[k, 1]
            if number[child] == _DEAD:
                number[child] = 0
                stack[waiting] = child
                waiting += 1


@kernel
def reach_all(regs: Any, frames: Any, arena: Any, node: Any, edge: Any, kept: Any, number: Any, stack: Any) -> None:
    """Marks all nodes that the machine, or the caller (`kept`), can still use."""
    reach(node, edge, number, stack, NO_VECTOR)
    reach(node, edge, number, stack, UNIT)
    reach(node, edge, number, stack, regs[RESULT])
    for k in range(kept.shape[0]):
        reach(node, edge, number, stack, kept[k])
    for depth in range(regs[DEPTH]):
        reach(node, edge, number, stack, frames[depth, A])
        if frames[depth, OP] == UNION:
            reach(node, edge, number, stack, frames[depth, B])
        reach(node, edge, number, stack, frames[depth, FOUND])
        reach(node, edge, number, stack, frames[depth, KEY])
    for row in range(regs[ARENA_TOP]):
        reach(node, edge, number, stack, arena[row, CHILD])


@kernel
def compact(regs: Any, node: Any, edge: Any, number: Any) -> None:
    """Moves the marked nodes together, in their order; `number` is then each node's new number."""
    nodes = edges = 0
    for a in range(regs[NODES]):
        if number[a] == _DEAD:
            continue
        number[a] = nodes
        first = node[a, FIRST]
        for k in range(node[a, COUNT]):
            edge[edges + k, 0] = edge[first + k, 0]
            edge[edges + k, 1] = edge[first + k, 1]
        node[nodes, FIRST], node[nodes, COUNT], node[nodes, LEVEL], node[nodes, CLOSED] = (
            edges,
            node[a, COUNT],
            node[a, LEVEL],
            node[a, CLOSED],
        )
        edges += node[a, COUNT]
        nodes += 1
    for k in range(edges):
        edge[k, 1] = number[edge[k, 1]]
    for a in range(nodes):
        if node[a, CLOSED] >= 0:
            node[a, CLOSED] = number[node[a, CLOSED]]
    regs[NODES] = nodes
    regs[EDGES] = edges


@kernel
def renumber_machine(regs: Any, frames: Any, arena: Any, kept: Any, number: Any) -> None:
    """What the machine holds, by the new numbers."""
    regs[RESULT] = number[regs[RESULT]]
    for k in range(kept.shape[0]):
        kept[k] = number[kept[k]]
    for depth in range(regs[DEPTH]):
        frames[depth, A] = number[frames[depth, A]]
        if frames[depth, OP] == UNION:
            frames[depth, B] = number[frames[depth, B]]
        frames[depth, FOUND] = number[frames[depth, FOUND]]
        frames[depth, KEY] = number[frames[depth, KEY]]
    for row in range(regs[ARENA_TOP]):
        arena[row, CHILD] = number[arena[row, CHILD]]
        if arena[row, DONE_CHILD] >= 0:
            arena[row, DONE_CHILD] = number[arena[row, DONE_CHILD]]


@kernel
def renew_cache(old: Any, new: Any, number: Any, b_is_node: Any) -> None:
    """Results between nodes that still exist go to a new cache."""
    for k in range(old.shape[0]):
        a, b, result = old[k, 0], old[k, 1], old[k, 2]
        if a == NO_VECTOR or number[a] == _DEAD or number[result] == _DEAD or (b_is_node and number[b] == _DEAD):
            continue
        to_a = number[a]
        to_b = number[b] if b_is_node else b
        slot = cache_slot(new, to_a, to_b)
        new[slot, 0], new[slot, 1], new[slot, 2] = to_a, to_b, number[result]


@kernel
def fill_unique(node: Any, edge: Any, unique: Any, nodes: Any) -> None:
    """Enters all nodes into an empty table."""
    mask = uint64(unique.shape[0] - 1)
    for a in range(UNIT + 1, nodes):
        mixed = uint64(node[a, COUNT])
        for k in range(node[a, FIRST], node[a, FIRST] + node[a, COUNT]):
            mixed = edges_hash(node[a, LEVEL], edge[k, 0], edge[k, 1], mixed)
        slot = mixed & mask
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
def estimate(node: Any, edge: Any, rising: Any, counts: Any) -> None:
    """How many vectors each of the nodes `rising`, sorted by height, stands for, roughly."""
    for i in range(rising.shape[0]):
        a = rising[i]
        counts[a] = 0.0
        for k in range(node[a, FIRST], node[a, FIRST] + node[a, COUNT]):
            counts[a] += counts[edge[k, 1]]


@kernel
def count_below(
    node: Any, edge: Any, levels: Any, rising: Any, from_height: Any, lower: Any, counts: Any,
    functions: Any, which: Any, barred: Any, keys: Any, ranges: Any, values: Any,
) -> None:  # fmt: skip
    """How many vectors each of the nodes `rising`, sorted by height, stands for. The counts of children below `from_height` are in `lower`,
    the others in `counts`. `functions` has one for each level, or -1: what counts there (see `counts_here`)."""
    limbs = counts.shape[1]
    for i in range(rising.shape[0]):
        a = rising[i]
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
    node: Any, edge: Any, levels: Any, rising: Any, counts: Any,
    functions: Any, which: Any, barred: Any, keys: Any, ranges: Any, values: Any,
) -> None:  # fmt: skip
    """On how many paths from the root each of the nodes `rising`, sorted by height, lies; the root, the last of them, has its count."""
    limbs = counts.shape[1]
    for i in range(rising.shape[0] - 1, -1, -1):
        a = rising[i]
        function = functions[node[a, LEVEL]]
        carry(counts, a)
        for k in range(node[a, FIRST], node[a, FIRST] + node[a, COUNT]):
            child = edge[k, 1]
            if passes(node, levels, barred, a, child) and counts_here(function, which, edge[k, 0], keys, ranges, values):
                for limb in range(limbs):
                    counts[child, limb] += counts[a, limb]


@kernel
def count_by_value(
    node: Any, edge: Any, levels: Any, nodes: Any, from_height: Any, above: Any, lower: Any, below: Any, barred: Any, totals: Any
) -> None:
    """How many vectors have each value at the level of `nodes`; the counts of children are where `count_below` has them."""
    limbs = totals.shape[1]
    low = uint64((1 << LIMB_BITS) - 1)
    for i in range(nodes.shape[0]):
        a = nodes[i]
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
def note_values(node: Any, edge: Any, nodes: Any, seen: Any) -> None:
    """Marks the values on the edges of `nodes`."""
    for i in range(nodes.shape[0]):
        for k in range(node[nodes[i], FIRST], node[nodes[i], FIRST] + node[nodes[i], COUNT]):
            seen[edge[k, 0]] = 1


@kernel
def carry(counts: Any, a: Any) -> None:
    """Makes limbs of a count that fit their bits."""
    over = np.int64(0)
    for limb in range(counts.shape[1]):
        total = counts[a, limb] + over
        counts[a, limb] = total & ((1 << LIMB_BITS) - 1)
        over = total >> LIMB_BITS
