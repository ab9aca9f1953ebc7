"""Nodes of decision diagrams and frames of the machine that works on them: layout, look-ups, unions. Compiled.

A node stands for a set of vectors of its level and those below it. It has edges, sorted by value, each to a node of a
lower level; level 0 has one node, `UNIT`, and the node `NO_VECTOR` is the empty set on every level. Equal nodes are made
once, so equal sets have equal numbers.

A level is *full*, or it is *sparse*: it has a value `ABSENT`, and where an edge passes by the level, that is its value
there. (As in zero-suppressed diagrams: Minato 1993.) So sparse levels can be added at any height at any time, and no node changes.

The arrays are described in `symbolic.layout`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pmmc_check.checker.compilation import kernel, uint32, uint64
from pmmc_check.checker.symbolic.layout import (
    ABSENT,
    ARENA_TOP,
    ASK_VALUE,
    ASKED,
    ASKS,
    AT_LEVEL,
    BASE,
    CHILD,
    CLOSED,
    COUNT,
    DEPTH,
    DONE_CHILD,
    DONE_LEVEL,
    DONE_OWN,
    EDGES,
    EDGES_FULL,
    EFFECT,
    EITHER,
    FIRST,
    FOR_ANYTHING,
    FOR_NOTHING,
    FOR_ONE_OF,
    FOUND,
    FREE,
    HEIGHT,
    IMAGE,
    IN_ALL,
    IN_SOME,
    IN_USE,
    ITERATE,
    KEY,
    LEVEL,
    NEXT,
    NO_VECTOR,
    NODES,
    NODES_FULL,
    NONE_THERE,
    OP,
    PART_LEVEL,
    PHASE,
    PLACE,
    PROJECTS,
    REST,
    RESULT,
    SETS,
    SETS_FULL,
    SIZE,
    STATUS,
    TURN,
    UNION,
    UNIONS_MADE,
    UNITE,
    VALUE,
    A,
    B,
)
from pmmc_check.checker.symbolic.level_sets import first_in_some, has_level, levels_with_messages, one_in_all


@kernel
def entry_at(keys: Any, function: Any, value: Any) -> Any:
    """Where a function's values at `value` are, -1 when there is no entry."""
    key = ((uint64(function) << uint64(32)) | uint64(value)) + uint64(1)
    mask = uint64(keys.shape[0] - 1)
    slot = ((key * uint64(0x9E3779B97F4A7C15)) >> uint64(20)) & mask
    while keys[slot] != uint64(0):
        if keys[slot] == key:
            return np.int64(slot)
        slot = (slot + uint64(1)) & mask
    return np.int64(NONE_THERE)


@kernel
def cache_line(cache: Any, a: Any, b: Any) -> Any:
    """Where the results of operations on a and b are kept. Nodes that are made together have numbers, and so results, side by side."""
    mixed = uint64(uint32(b >> 4)) * uint64(0x9E3779B97F4A7C15)
    return np.int64((uint64(uint32(a)) + uint64(uint32(b & 15)) + (mixed >> uint64(24))) & uint64(cache.shape[0] - 1))


@kernel
def cached(cache: Any, a: Any, b: Any) -> Any:
    """The result of an operation that has been done before, else -1."""
    line = cache_line(cache, a, b)
    for at in range(0, TURN, 3):
        if cache[line, at] == a and cache[line, at + 1] == b:
            return np.int64(cache[line, at + 2])
    return np.int64(NONE_THERE)


@kernel
def remember(cache: Any, a: Any, b: Any, result: Any) -> None:
    """Keeps a result; the oldest one in its line is forgotten."""
    line = cache_line(cache, a, b)
    at = cache[line, TURN]
    cache[line, at] = a
    cache[line, at + 1] = b
    cache[line, at + 2] = result
    cache[line, TURN] = 0 if at + 3 == TURN else at + 3


@kernel
def known_union(unions: Any, a: Any, b: Any) -> Any:
    """The union of two nodes where it needs no work, else -1."""
    if a == b or b == NO_VECTOR:
        return np.int64(a)
    if a == NO_VECTOR:
        return np.int64(b)
    return cached(unions, min(a, b), max(a, b))


@kernel
def known_image(images: Any, node: Any, levels: Any, parts: Any, sets: Any, a: Any, part: Any) -> Any:
    """The image of a node where it needs no work, else -1."""
    if a == NO_VECTOR or part == NONE_THERE:
        return np.int64(a)
    asks, asked = parts[part, ASKS], parts[part, ASKED]
    if parts[part, EFFECT] == PROJECTS:
        part = first_not_above(parts, levels, node, a, part)
        if part == NONE_THERE:
            return np.int64(a)
    elif asks == FOR_ONE_OF:
        if first_in_some(parts, sets, node, a, asked) == NONE_THERE:
            return np.int64(NO_VECTOR)
    elif asks == EITHER:
        part = first_in_some(parts, sets, node, a, part)
        if part == NONE_THERE:
            return np.int64(NO_VECTOR)
        if one_in_all(parts, sets, node, a, part):
            return np.int64(a)
    elif asks != FOR_NOTHING:
        if not has_level(sets, node[a, IN_SOME], asked):
            return np.int64(NO_VECTOR)
        if asks == FOR_ANYTHING and has_level(sets, node[a, IN_ALL], asked):
            return np.int64(a)
    return cached(images, a, part)


@kernel
def first_not_above(parts: Any, levels: Any, node: Any, a: Any, part: Any) -> Any:
    """The first of the parts from `part` whose level is not above a node's, else -1."""
    height = levels[node[a, LEVEL], HEIGHT]
    while part != NONE_THERE and levels[parts[part, PART_LEVEL], HEIGHT] > height:
        part = parts[part, REST]
    return np.int64(part)


@kernel
def sort_edges(arena: Any, base: Any, size: Any) -> None:
    """Sorts edges in the making by value (heap sort; most are sorted or few)."""
    in_order = True
    for k in range(base + 1, base + size):
        if arena[k - 1, VALUE] > arena[k, VALUE]:
            in_order = False
            break
    if in_order:
        return
    start, end = size // 2, size
    while end > 1:
        if start > 0:
            start -= 1
        else:
            end -= 1
            for c in range(2):
                arena[base, c], arena[base + end, c] = arena[base + end, c], arena[base, c]
        root = start
        while 2 * root + 1 < end:
            child = 2 * root + 1
            if child + 1 < end and arena[base + child, VALUE] < arena[base + child + 1, VALUE]:
                child += 1
            if arena[base + root, VALUE] >= arena[base + child, VALUE]:
                break
            for c in range(2):
                arena[base + root, c], arena[base + child, c] = arena[base + child, c], arena[base + root, c]
            root = child


@kernel
def edge_hash(level: Any, value: Any, child: Any, last: Any, mixed: Any) -> Any:
    """Mixes one edge into a hash; its child counts by its distance from that of the last edge (see `place_by`)."""
    edge = (uint64(level) + (uint64(value) << uint64(32)) + uint64(child - last)) * uint64(0x9E3779B97F4A7C15)
    edge = (mixed ^ edge ^ (edge >> uint64(31))) * uint64(0xD6E8FEB86659FD93)
    return edge ^ (edge >> uint64(32))


@kernel
def place_by(mixed: Any, last: Any, mask: Any) -> Any:
    """Where the search for a node begins, by the hash of its edges and its last child: alike nodes whose children were made together are
    side by side."""
    return (mixed + (uint64(last) << uint64(1))) & mask


@kernel
def make(
    regs: Any, node: Any, edge: Any, unique: Any, sets: Any, set_index: Any, arena: Any, levels: Any, level: Any, base: Any, size: Any,
) -> Any:  # fmt: skip
    """The node with the given sorted edges; -1 when there is no room for it."""
    if size == 0:
        return np.int64(NO_VECTOR)
    if size == 1 and arena[base, VALUE] == levels[level, ABSENT]:
        return np.int64(arena[base, CHILD])
    mixed, last = uint64(size), arena[base + size - 1, CHILD]
    for k in range(base, base + size):
        mixed = edge_hash(level, arena[k, VALUE], arena[k, CHILD], last, mixed)
    mask = uint64(unique.shape[0] - 1)
    slot = place_by(mixed, last, mask)
    while unique[slot] != NO_VECTOR:
        other = unique[slot]
        if node[other, COUNT] == size and node[other, LEVEL] == level:
            first = node[other, FIRST]
            same = True
            for k in range(size):
                if edge[first + k, 0] != arena[base + k, VALUE] or edge[first + k, 1] != arena[base + k, CHILD]:
                    same = False
                    break
            if same:
                return np.int64(other)
        slot = (slot + uint64(1)) & mask
    new = regs[FREE] if regs[FREE] != NO_VECTOR else regs[NODES]
    if new >= node.shape[0] or regs[EDGES] + size > edge.shape[0] or regs[SETS] + 2 > sets.shape[0]:
        regs[STATUS] = NODES_FULL if new >= node.shape[0] else EDGES_FULL if regs[EDGES] + size > edge.shape[0] else SETS_FULL
        regs[ASK_VALUE] = size
        return np.int64(NONE_THERE)
    if new == regs[NODES]:
        regs[NODES] += 1
    else:
        regs[FREE] = node[new, FIRST]
    absent = levels[level, ABSENT]
    node[new, FIRST], node[new, COUNT], node[new, LEVEL], node[new, CLOSED] = regs[EDGES], size, level, NONE_THERE
    for column in (IN_SOME, IN_ALL):
        node[new, column] = levels_with_messages(regs, sets, set_index, node, arena, base, size, column, level, absent)
    for k in range(size):
        edge[regs[EDGES] + k, 0] = arena[base + k, VALUE]
        edge[regs[EDGES] + k, 1] = arena[base + k, CHILD]
    regs[IN_USE] += 1
    regs[EDGES] += size
    unique[slot] = new
    return np.int64(new)


@kernel
def push(regs: Any, frames: Any, op: Any, a: Any, b: Any, level: Any) -> None:
    """Begins an operation; its edges in the making come behind those of the one below it."""
    depth = regs[DEPTH]
    frame = frames[depth]
    frame[OP], frame[A], frame[B], frame[PHASE], frame[AT_LEVEL] = op, a, b, ITERATE, level
    frame[NEXT] = frame[SIZE] = frame[PLACE] = 0
    frame[KEY] = frame[FOUND] = NO_VECTOR
    frame[BASE] = regs[ARENA_TOP]
    regs[DEPTH] = depth + 1


@kernel
def pop(regs: Any, frames: Any, result: Any) -> None:
    """Ends an operation."""
    regs[DEPTH] -= 1
    regs[ARENA_TOP] = frames[regs[DEPTH], BASE]
    regs[RESULT] = result


@kernel
def append(regs: Any, frame: Any, arena: Any, value: Any, child: Any) -> None:
    """One more edge in the making; there is room (see `run`)."""
    row = frame[BASE] + frame[SIZE]
    arena[row, VALUE] = value
    arena[row, CHILD] = child
    arena[row, DONE_CHILD] = NONE_THERE
    arena[row, DONE_OWN] = NONE_THERE
    arena[row, DONE_LEVEL] = 0
    frame[SIZE] += 1
    regs[ARENA_TOP] = row + 1


@kernel
def push_union(regs: Any, frames: Any, node: Any, levels: Any, a: Any, b: Any) -> None:
    """Begins the union of two different nodes."""
    higher = a if levels[node[a, LEVEL], HEIGHT] >= levels[node[b, LEVEL], HEIGHT] else b
    push(regs, frames, UNION, min(a, b), max(a, b), node[higher, LEVEL])


@kernel
def push_image(regs: Any, frames: Any, node: Any, levels: Any, parts: Any, sets: Any, a: Any, part: Any) -> None:
    """Begins the image of a node under what is left of an event."""
    if parts[part, ASKS] == EITHER:
        part = first_in_some(parts, sets, node, a, part)
    elif parts[part, EFFECT] == PROJECTS:
        part = first_not_above(parts, levels, node, a, part)
    level = node[a, LEVEL]
    if levels[level, HEIGHT] < levels[parts[part, PART_LEVEL], HEIGHT]:
        level = parts[part, PART_LEVEL]
    push(regs, frames, IMAGE, a, part, level)


@kernel
def edge_at(node: Any, edge: Any, levels: Any, a: Any, level: Any, number: Any) -> Any:
    """Value and child of a node's edge; one that passes by `level` has one edge there, to itself."""
    if node[a, LEVEL] != level:
        return np.int64(levels[level, ABSENT]), np.int64(a)
    row = node[a, FIRST] + number
    return np.int64(edge[row, 0]), np.int64(edge[row, 1])


@kernel
def edges_at(node: Any, a: Any, level: Any) -> Any:
    """How many edges there are for `edge_at`."""
    return np.int64(node[a, COUNT]) if node[a, LEVEL] == level else np.int64(1)


@kernel
def union_step(
    regs: Any, frames: Any, arena: Any, node: Any, edge: Any, levels: Any, unique: Any, sets: Any, set_index: Any, unions: Any,
) -> None:  # fmt: skip
    """Goes on with a UNION: merges the edges of a (next: NEXT) and b (next: PLACE)."""
    frame = frames[regs[DEPTH] - 1]
    a, b, level = frame[A], frame[B], frame[AT_LEVEL]
    i, j = frame[NEXT], frame[PLACE]
    size_a, size_b = edges_at(node, a, level), edges_at(node, b, level)
    if frame[PHASE] == UNITE:
        append(regs, frame, arena, edge_at(node, edge, levels, a, level, i)[0], regs[RESULT])
        i += 1
        j += 1
        frame[PHASE] = ITERATE
    while i < size_a and j < size_b:
        value_a, child_a = edge_at(node, edge, levels, a, level, i)
        value_b, child_b = edge_at(node, edge, levels, b, level, j)
        if value_a < value_b:
            append(regs, frame, arena, value_a, child_a)
            i += 1
        elif value_b < value_a:
            append(regs, frame, arena, value_b, child_b)
            j += 1
        else:
            child = known_union(unions, child_a, child_b)
            if child == NONE_THERE:
                frame[NEXT], frame[PLACE], frame[PHASE] = i, j, UNITE
                push_union(regs, frames, node, levels, child_a, child_b)
                return
            append(regs, frame, arena, value_a, child)
            i += 1
            j += 1
    while i < size_a:
        value_a, child_a = edge_at(node, edge, levels, a, level, i)
        append(regs, frame, arena, value_a, child_a)
        i += 1
    while j < size_b:
        value_b, child_b = edge_at(node, edge, levels, b, level, j)
        append(regs, frame, arena, value_b, child_b)
        j += 1
    frame[NEXT], frame[PLACE] = i, j
    result = make(regs, node, edge, unique, sets, set_index, arena, levels, level, frame[BASE], frame[SIZE])
    if result != NONE_THERE:
        if node[a, CLOSED] == a and node[b, CLOSED] == b:
            node[result, CLOSED] = result
        remember(unions, a, b, result)
        regs[UNIONS_MADE] += 1
        pop(regs, frames, result)


@kernel
def store_images(
    regs: Any, frames: Any, frame: Any, arena: Any, node: Any, levels: Any, unions: Any, place: Any, ranges: Any, values: Any, at: Any,
) -> Any:  # fmt: skip
    """Adds the child FOUND to the edges of all values that entry `at` lists, from PLACE on.

    Whether that is done; if not, a UNION has been begun whose result belongs to the edge of value number PLACE.
    """
    first, count = ranges[at, 0], ranges[at, 1]
    while frame[PLACE] < count:
        value = values[first + frame[PLACE]]
        row = frame[BASE] + place[value]
        if place[value] < frame[SIZE] and arena[row, VALUE] == value:
            child = known_union(unions, arena[row, CHILD], frame[FOUND])
            if child == NONE_THERE:
                push_union(regs, frames, node, levels, arena[row, CHILD], frame[FOUND])
                return False
            arena[row, CHILD] = child
        else:
            place[value] = frame[SIZE]
            append(regs, frame, arena, value, frame[FOUND])
        frame[PLACE] += 1
    return True


@kernel
def store_union(regs: Any, frame: Any, arena: Any, place: Any, ranges: Any, values: Any, at: Any) -> None:
    """The UNION that `store_images` has begun is done."""
    value = values[ranges[at, 0] + frame[PLACE]]
    arena[frame[BASE] + place[value], CHILD] = regs[RESULT]
    frame[PLACE] += 1
