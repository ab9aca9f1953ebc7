"""Nodes of decision diagrams and frames of the machine that works on them: layout, look-ups, unions. Compiled.

A node stands for a set of vectors of its level and those below it. It has edges, sorted by value, each to a node of a
lower level; level 0 has one node, `UNIT`, and the node `NO_VECTOR` is the empty set on every level. Equal nodes are made
once, so equal sets have equal numbers.

A level is *full*, or it is *sparse*: it has a value `ABSENT`, and where an edge passes by the level, that is its value
there. (As in zero-suppressed diagrams: Minato 1993.) So sparse levels can be added at any height at any time, and no node changes.

    node[i]     first edge, number of edges, level, and the node's saturation (-1: not known)
    edge[k]     value and child
    levels[k]   how high level k is, and its absent value (-1: a full level)
    unique      where the search for a node by its edges begins; open addressing"""

from __future__ import annotations

from typing import Any

import numpy as np

from pmmc_check.checker.compilation import kernel, uint32, uint64

NO_VECTOR, UNIT = 0, 1
"""The empty set, and the one vector of no values."""
FIRST, COUNT, LEVEL, CLOSED = range(4)
"""The columns of `node`."""
HEIGHT, ABSENT = range(2)
"""The columns of `levels`."""
PART_LEVEL, FUNCTION, REST, EFFECT = range(4)
"""The columns of `parts`. An event is its highest part: what it does on that level, and the part that follows (-1: none)."""
MOVES, RELABELS, RESTRICTS = range(3)
"""The effects of a part and those that follow. What MOVES is a step: what it leads to must be closed. What RELABELS is no step, and
nothing is closed. What RESTRICTS takes those vectors that have values which no step takes away: of a closed set they are a closed one."""
UNION, IMAGE, FIX = range(3)
"""The kinds of frames."""
OP, A, B, NEXT, BASE, SIZE, PHASE, FOUND, PLACE, KEY, AT_LEVEL, CHANGED, STAGE, POINTER, UNTIL, SHARED_FIRST, SHARED_LAST = range(17)
"""The columns of a frame: its kind; operands; the next edge; its rows of the arena; where it stands; the child being
stored, and which image is next; its level. FIX: the node that is being closed, whether this pass over the edges has
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
def known_image(images: Any, a: Any, part: Any) -> Any:
    """The image of a node where it needs no work, else -1."""
    if a == NO_VECTOR or part == _MISSING:
        return np.int64(a)
    return cached(images, a, part)


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
def make(regs: Any, node: Any, edge: Any, unique: Any, arena: Any, levels: Any, level: Any, base: Any, size: Any) -> Any:
    """The node with the given sorted edges; -1 when there is no room for it."""
    if size == 0:
        return np.int64(NO_VECTOR)
    if size == 1 and arena[base, VALUE] == levels[level, ABSENT]:
        return np.int64(arena[base, CHILD])
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
    arena[row, DONE_CHILD] = _MISSING
    arena[row, DONE_OWN] = _MISSING
    arena[row, DONE_LEVEL] = 0
    frame[SIZE] += 1
    regs[ARENA_TOP] = row + 1


@kernel
def push_union(regs: Any, frames: Any, node: Any, levels: Any, a: Any, b: Any) -> None:
    """Begins the union of two different nodes."""
    higher = a if levels[node[a, LEVEL], HEIGHT] >= levels[node[b, LEVEL], HEIGHT] else b
    push(regs, frames, UNION, min(a, b), max(a, b), node[higher, LEVEL])


@kernel
def push_image(regs: Any, frames: Any, node: Any, levels: Any, parts: Any, a: Any, part: Any) -> None:
    """Begins the image of a node under what is left of an event."""
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
def union_step(regs: Any, frames: Any, arena: Any, node: Any, edge: Any, levels: Any, unique: Any, unions: Any) -> None:
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
            if child == _MISSING:
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
    result = make(regs, node, edge, unique, arena, levels, level, frame[BASE], frame[SIZE])
    if result != _MISSING:
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
            if child == _MISSING:
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
