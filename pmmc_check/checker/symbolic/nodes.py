"""Nodes of decision diagrams and frames of the machine that works on them: layout, look-ups, unions. Compiled.

A node stands for a set of vectors of its level and those below it. It has edges, sorted by value, each to a node of the
next lower level; level 0 has one node, `UNIT`, and the node `NO_VECTOR` is the empty set on every level. Equal nodes are made
once, so equal sets have equal numbers.

    node[i]     first edge, number of edges, level, and the node's saturation (-1: not known)
    edge[k]     value and child
    unique      where the search for a node by its edges begins; open addressing"""

from __future__ import annotations

from typing import Any

import numpy as np

from pmmc_check.checker.compilation import kernel, uint32, uint64

NO_VECTOR, UNIT = 0, 1
"""The empty set, and the one vector of no values."""
FIRST, COUNT, LEVEL, CLOSED = range(4)
"""The columns of `node`."""
UNION, IMAGE, FIX = range(3)
"""The kinds of frames."""
OP, A, B, NEXT, BASE, SIZE, PHASE, FOUND, PLACE, KEY, AT_LEVEL, CHANGED, STAGE, POINTER, UNTIL, SHARED_FIRST, SHARED_LAST = range(17)
"""The columns of a frame: its kind; operands; the next edge; its rows of the arena; where it stands; the child being
stored, and which image is next. FIX: the node that is being closed, its level, whether this pass over the edges has
changed anything, and which events are fired from the edge: first its value's own, a linked list from POINTER until UNTIL,
then those that are shared by all values of the level, from number SHARED_FIRST to SHARED_LAST."""
FRAME_COLUMNS = 17
VALUE, CHILD, DONE_CHILD, DONE_OWN, DONE_LEVEL = range(5)
"""The columns of the arena: an edge in the making; FIX: what has been fired from it already."""
DEPTH, NODES, EDGES, ARENA_TOP, RESULT, STATUS, ASK_FUNCTION, ASK_VALUE, FUEL, IMAGES_MADE, UNIONS_MADE = range(11)
"""The registers."""
FINISHED, TICK, NODES_FULL, EDGES_FULL, ARENA_FULL, ASK = range(6)
"""Why the machine has stopped: finished, its fuel spent, no room, or a question (of a function at a value; -1 asks for
the value's own events)."""
UNEXPLORED = -2
"""In the place of the first own event of a value: nobody has asked for them yet."""
ITERATE, AWAIT, READY, UNITE = range(4)
"""The phases of frames: take the next edge; the child's image is being made; it is there; a union is being made."""
OWN, SHARED = range(2)
_MISSING = -1


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
    return np.int64(_MISSING)


@kernel
def cache_slot(cache: Any, a: Any, b: Any) -> Any:
    """Where the result of an operation on a and b is kept."""
    mixed = (uint64(uint32(a)) * uint64(0x9E3779B97F4A7C15)) ^ (uint64(uint32(b)) * uint64(0xC2B2AE3D27D4EB4F))
    return np.int64((mixed ^ (mixed >> uint64(29))) & uint64(cache.shape[0] - 1))


@kernel
def cached(cache: Any, a: Any, b: Any) -> Any:
    """The result of an operation that has been done before, else -1."""
    slot = cache_slot(cache, a, b)
    if cache[slot, 0] == a and cache[slot, 1] == b:
        return np.int64(cache[slot, 2])
    return np.int64(_MISSING)


@kernel
def remember(cache: Any, a: Any, b: Any, result: Any) -> None:
    """Keeps a result; an older one in its place is forgotten."""
    slot = cache_slot(cache, a, b)
    cache[slot, 0] = a
    cache[slot, 1] = b
    cache[slot, 2] = result


@kernel
def known_union(unions: Any, a: Any, b: Any) -> Any:
    """The union of two nodes where it needs no work, else -1."""
    if a == b or b == NO_VECTOR:
        return np.int64(a)
    if a == NO_VECTOR:
        return np.int64(b)
    return cached(unions, min(a, b), max(a, b))


@kernel
def known_image(images: Any, node: Any, events: Any, a: Any, event: Any) -> Any:
    """The image of a node where it needs no work, else -1."""
    if a == NO_VECTOR or node[a, LEVEL] < events[event, 0]:
        return np.int64(a)
    return cached(images, a, event)


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
def edges_hash(level: Any, values: Any, children: Any, count: Any) -> Any:
    """Mixes one edge into a hash."""
    mixed = (uint64(level) + (uint64(values) << uint64(32)) + uint64(children)) * uint64(0x9E3779B97F4A7C15)
    mixed = (count ^ mixed ^ (mixed >> uint64(31))) * uint64(0xD6E8FEB86659FD93)
    return mixed ^ (mixed >> uint64(32))


@kernel
def make(regs: Any, node: Any, edge: Any, unique: Any, arena: Any, level: Any, base: Any, size: Any) -> Any:
    """The node with the given sorted edges; -1 when there is no room for it."""
    if size == 0:
        return np.int64(NO_VECTOR)
    mixed = uint64(size)
    for k in range(base, base + size):
        mixed = edges_hash(level, arena[k, VALUE], arena[k, CHILD], mixed)
    mask = uint64(unique.shape[0] - 1)
    slot = mixed & mask
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
    new = regs[NODES]
    if new >= node.shape[0] or regs[EDGES] + size > edge.shape[0]:
        regs[STATUS] = NODES_FULL if new >= node.shape[0] else EDGES_FULL
        regs[ASK_VALUE] = size
        return np.int64(_MISSING)
    node[new, FIRST], node[new, COUNT], node[new, LEVEL], node[new, CLOSED] = regs[EDGES], size, level, _MISSING
    for k in range(size):
        edge[regs[EDGES] + k, 0] = arena[base + k, VALUE]
        edge[regs[EDGES] + k, 1] = arena[base + k, CHILD]
    regs[NODES] = new + 1
    regs[EDGES] += size
    unique[slot] = new
    return np.int64(new)


@kernel
def push(regs: Any, frames: Any, op: Any, a: Any, b: Any) -> None:
    """Begins an operation; its edges in the making come behind those of the one below it."""
    depth = regs[DEPTH]
    frame = frames[depth]
    frame[OP], frame[A], frame[B], frame[PHASE] = op, a, b, ITERATE
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
    arena[row, DONE_CHILD] = _MISSING
    arena[row, DONE_OWN] = _MISSING
    arena[row, DONE_LEVEL] = 0
    frame[SIZE] += 1
    regs[ARENA_TOP] = row + 1


@kernel
def union_step(regs: Any, frames: Any, arena: Any, node: Any, edge: Any, unique: Any, unions: Any) -> None:
    """Goes on with a UNION: merges the edges of a (next: NEXT) and b (next: PLACE)."""
    frame = frames[regs[DEPTH] - 1]
    a, b = frame[A], frame[B]
    if frame[PHASE] == UNITE:
        append(regs, frame, arena, edge[node[a, FIRST] + frame[NEXT], 0], regs[RESULT])
        frame[NEXT] += 1
        frame[PLACE] += 1
        frame[PHASE] = ITERATE
    i, j = frame[NEXT], frame[PLACE]
    first_a, first_b, size_a, size_b = node[a, FIRST], node[b, FIRST], node[a, COUNT], node[b, COUNT]
    while i < size_a or j < size_b:
        if j == size_b or (i < size_a and edge[first_a + i, 0] < edge[first_b + j, 0]):
            append(regs, frame, arena, edge[first_a + i, 0], edge[first_a + i, 1])
            i += 1
        elif i == size_a or edge[first_b + j, 0] < edge[first_a + i, 0]:
            append(regs, frame, arena, edge[first_b + j, 0], edge[first_b + j, 1])
            j += 1
        else:
            left, right = edge[first_a + i, 1], edge[first_b + j, 1]
            child = known_union(unions, left, right)
            if child == _MISSING:
                frame[NEXT], frame[PLACE], frame[PHASE] = i, j, UNITE
                push(regs, frames, UNION, min(left, right), max(left, right))
                return
            append(regs, frame, arena, edge[first_a + i, 0], child)
            i += 1
            j += 1
    frame[NEXT], frame[PLACE] = i, j
    result = make(regs, node, edge, unique, arena, node[a, LEVEL], frame[BASE], frame[SIZE])
    if result != _MISSING:
        if node[a, CLOSED] == a and node[b, CLOSED] == b:
            node[result, CLOSED] = result
        remember(unions, a, b, result)
        regs[UNIONS_MADE] += 1
        pop(regs, frames, result)


@kernel
def store_images(regs: Any, frames: Any, frame: Any, arena: Any, unions: Any, place: Any, ranges: Any, values: Any, at: Any) -> Any:
    """Adds the child FOUND to the edges of all values that entry `at` lists, from PLACE on.

    Whether that is done; if not, a UNION has been begun whose result belongs to the edge of value number PLACE.
    """
    first, count = ranges[at, 0], ranges[at, 1]
    while frame[PLACE] < count:
        value = values[first + frame[PLACE]]
        row = frame[BASE] + place[value]
        if place[value] < frame[SIZE] and arena[row, VALUE] == value:
            child = known_union(unions, arena[row, CHILD], frame[FOUND])
            if child == _MISSING:
                left, right = arena[row, CHILD], frame[FOUND]
                push(regs, frames, UNION, min(left, right), max(left, right))
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
