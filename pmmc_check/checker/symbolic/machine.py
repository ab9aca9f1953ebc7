"""The compiled heart of the symbolic engine: images and saturation on decision diagrams.

An *event* is a step of the system: a product of local functions, one for each level that it concerns, the identity on
all others. A function maps a value to values. An even number is *closed*: where it has no entry it has no value. An odd
one is *open*: where it has no entry the caller must make one, so the machine stops and asks. An event fires from a full level,
its highest.

The machine keeps its own stack, in three kinds of frames (a level has at most one of each, so the stack's depth is
bounded by three times the levels), and can stop between any two operations: to ask for an entry, for more room, for a
look at limits. It then goes on where it was.

    UNION       a, b: the union of two nodes
    IMAGE       a, part: the states that a part of an event leads to from a, closed under all events of a's level and below
    FIX         a level and edges in the arena: closed under the level's events, its children being closed already

Why this is exact: a set is closed under events one by one, so unions of closed sets are closed; `FIX` fires every event
whose highest level is its own until nothing new comes, each followed by the closure of what it changed below
(saturation: Ciardo, Lüttgen and Siminiceanu 2001). An event that becomes known later is one of a value that was in no
node closed before."""

from __future__ import annotations

from typing import Any

import numpy as np

from pmmc_check.checker.compilation import borrowed, kernel
from pmmc_check.checker.symbolic.layout import (
    ABSENT,
    ARENA_FULL,
    ARENA_TOP,
    ASK,
    ASK_FUNCTION,
    ASK_VALUE,
    ASKS,
    AT_LEVEL,
    AWAIT,
    BASE,
    CHILD,
    CHOOSES,
    CLOSED,
    COUNT,
    DEPTH,
    DONE_CHILD,
    DONE_LEVEL,
    DONE_OWN,
    EFFECT,
    EITHER,
    ENDS,
    FINISHED,
    FIRST,
    FIX,
    FOR_ANYTHING,
    FOUND,
    FUEL,
    FUNCTION,
    IMAGE,
    IMAGES_MADE,
    ITERATE,
    KEY,
    LEVEL,
    NEXT,
    NO_VECTOR,
    NONE_THERE,
    OP,
    OWN,
    PART_LEVEL,
    PHASE,
    PLACE,
    POINTER,
    PROJECTS,
    READY,
    RELABELS,
    REST,
    RESTRICTS,
    RESULT,
    SHARED,
    SHARED_FIRST,
    SHARED_LAST,
    SIZE,
    STAGE,
    STATUS,
    TICK,
    UNEXPLORED,
    UNION,
    UNITE,
    UNTIL,
    VALUE,
    A,
    B,
)
from pmmc_check.checker.symbolic.nodes import (
    append,
    edge_at,
    edges_at,
    entry_at,
    known_image,
    make,
    pop,
    push,
    push_image,
    remember,
    sort_edges,
    store_images,
    store_union,
    union_step,
)


@kernel
def image_step(
    regs: Any, frames: Any, arena: Any, node: Any, edge: Any, unique: Any, sets: Any, set_index: Any, unions: Any, images: Any,
    parts: Any, levels: Any, keys: Any, ranges: Any, values: Any, place: Any,
) -> None:  # fmt: skip
    """Goes on with an IMAGE. The child's image comes first: only if the lower levels take part is anything asked of this one."""
    frame = frames[regs[DEPTH] - 1]
    a, part, level = frame[A], frame[B], frame[AT_LEVEL]
    here = parts[part, PART_LEVEL] == level
    function = parts[part, FUNCTION] if here else np.int64(NONE_THERE)
    rest = parts[part, REST] if here else part
    either = here and parts[part, ASKS] == EITHER
    size = edges_at(node, a, level)
    while frame[NEXT] < size:
        value, child = edge_at(node, edge, levels, a, level, frame[NEXT])
        at = entry_at(keys, function, value) if function >= 0 else np.int64(NONE_THERE)
        if frame[PHASE] == ITERATE:
            if function >= 0 and has_no_value(ranges, function, at):
                frame[NEXT] += 1
                continue
            known = either and value != levels[level, ABSENT]
            found = child if known else known_image(images, node, levels, parts, sets, child, rest)
            if found == NONE_THERE:
                frame[PHASE] = AWAIT
                push_image(regs, frames, node, levels, parts, sets, child, rest)
                return
            frame[FOUND] = found
        elif frame[PHASE] == AWAIT:
            frame[FOUND] = regs[RESULT]
        elif frame[PHASE] == UNITE:
            store_union(regs, frame, arena, place, ranges, values, at)
        frame[PHASE] = READY
        if frame[FOUND] != NO_VECTOR:
            if function < 0:
                append(regs, frame, arena, value, frame[FOUND])
            elif at == NONE_THERE:
                regs[STATUS], regs[ASK_FUNCTION], regs[ASK_VALUE] = ASK, function, value
                return
            elif not store_images(regs, frames, frame, arena, node, levels, unions, place, ranges, values, at):
                frame[PHASE] = UNITE
                return
        frame[NEXT] += 1
        frame[PLACE], frame[PHASE] = 0, ITERATE
    end_image(regs, frames, frame, arena, node, edge, unique, sets, set_index, images, parts, levels, place)


@kernel
def end_image(
    regs: Any, frames: Any, frame: Any, arena: Any, node: Any, edge: Any, unique: Any, sets: Any, set_index: Any, images: Any,
    parts: Any, levels: Any, place: Any,
) -> None:  # fmt: skip
    """All edges of an IMAGE are there: now they are closed, where they are not yet. Nothing fires from a sparse level."""
    level = frame[AT_LEVEL]
    sort_edges(arena, frame[BASE], frame[SIZE])
    made = make(regs, node, edge, unique, sets, set_index, arena, levels, level, frame[BASE], frame[SIZE])
    if made == NONE_THERE:
        return
    effect = parts[frame[B], EFFECT]
    if made != NO_VECTOR and effect != RELABELS and effect != PROJECTS:
        if effect == RESTRICTS or levels[level, ABSENT] >= 0:
            node[made, CLOSED] = made
        elif node[made, CLOSED] == NONE_THERE:
            begin_fix(frame, arena, place, level, made)
            return
        made = np.int64(node[made, CLOSED])
    remember(images, frame[A], frame[B], made)
    regs[IMAGES_MADE] += 1
    pop(regs, frames, made)


@kernel
def has_no_value(ranges: Any, function: Any, at: Any) -> Any:
    """Whether it is known that a function has no value, from its entry."""
    return ranges[at, 1] == 0 if at != NONE_THERE else function & 1 == 0


@kernel
def begin_fix(frame: Any, arena: Any, place: Any, level: Any, made: Any) -> None:
    """Turns a frame, whose edges are in the arena, into a FIX; `made` is the node with these edges."""
    frame[OP], frame[PHASE], frame[STAGE] = FIX, ITERATE, CHOOSES
    frame[KEY], frame[AT_LEVEL] = made, level
    frame[PLACE] = 0
    for number in range(frame[SIZE]):
        row = frame[BASE] + number
        place[arena[row, VALUE]] = number
        arena[row, DONE_CHILD] = NONE_THERE
        arena[row, DONE_OWN] = NONE_THERE
        arena[row, DONE_LEVEL] = 0


@kernel
def take_edge(regs: Any, frame: Any, arena: Any, own_first: Any, shared: Any) -> Any:
    """The first edge of a FIX from which there is something to fire becomes NEXT; False when there is none, or a question.

    Values are numbered as they are found, so what leads to others mostly comes first; the others are then fired from once, not after each
    change."""
    level = frame[AT_LEVEL]
    frame[NEXT] = 0
    while True:
        if frame[NEXT] == frame[SIZE]:
            return False
        row = frame[BASE] + frame[NEXT]
        value = arena[row, VALUE]
        if own_first[value] == UNEXPLORED:
            regs[STATUS], regs[ASK_FUNCTION], regs[ASK_VALUE] = ASK, NONE_THERE, value
            return False
        same = arena[row, DONE_CHILD] == arena[row, CHILD]
        if not same or arena[row, DONE_OWN] != own_first[value] or arena[row, DONE_LEVEL] != shared[level, 0]:
            frame[STAGE], frame[POINTER] = OWN, own_first[value]
            frame[UNTIL] = arena[row, DONE_OWN] if same else np.int64(NONE_THERE)
            frame[SHARED_FIRST] = arena[row, DONE_LEVEL] if same else np.int64(0)
            frame[SHARED_LAST] = shared[level, 0]
            arena[row, DONE_CHILD] = arena[row, CHILD]
            arena[row, DONE_OWN] = own_first[value]
            arena[row, DONE_LEVEL] = shared[level, 0]
            return True
        frame[NEXT] += 1


@kernel
def fix_step(
    regs: Any, frames: Any, arena: Any, node: Any, edge: Any, unique: Any, sets: Any, set_index: Any, unions: Any, images: Any,
    parts: Any, levels: Any, keys: Any, ranges: Any, values: Any, place: Any, own_first: Any, own: Any, shared: Any,
) -> None:  # fmt: skip
    """Goes on with a FIX: fires events from its edges until that adds nothing."""
    frame = frames[regs[DEPTH] - 1]
    level = frame[AT_LEVEL]
    while True:
        if frame[STAGE] == CHOOSES and not take_edge(regs, frame, arena, own_first, shared):
            if regs[STATUS] == ASK:
                return
            frame[STAGE] = ENDS
        if frame[STAGE] == ENDS:
            end_fix(regs, frames, frame, arena, node, edge, levels, unique, sets, set_index, images)
            return
        if frame[STAGE] == OWN and frame[POINTER] == frame[UNTIL]:
            frame[STAGE], frame[POINTER] = SHARED, frame[SHARED_FIRST]
        if frame[STAGE] == SHARED and frame[POINTER] == frame[SHARED_LAST]:
            frame[STAGE] = CHOOSES
            continue
        row = frame[BASE] + frame[NEXT]
        event = own[frame[POINTER], 0] if frame[STAGE] == OWN else shared[level, 1 + frame[POINTER]]
        if event == NONE_THERE:
            frame[POINTER] = own[frame[POINTER], 1]
            continue
        function, rest = parts[event, FUNCTION], parts[event, REST]
        at = entry_at(keys, function, arena[row, VALUE])
        if frame[PHASE] == ITERATE:
            if has_no_value(ranges, function, at):
                frame[FOUND] = NO_VECTOR
            else:
                found = known_image(images, node, levels, parts, sets, arena[row, CHILD], rest)
                if found != NO_VECTOR and at == NONE_THERE and rest != NONE_THERE and parts[rest, ASKS] == FOR_ANYTHING:
                    regs[STATUS], regs[ASK_FUNCTION], regs[ASK_VALUE] = ASK, function, arena[row, VALUE]
                    return
                if found == NONE_THERE:
                    frame[PHASE] = AWAIT
                    push_image(regs, frames, node, levels, parts, sets, arena[row, CHILD], rest)
                    return
                frame[FOUND] = found
        elif frame[PHASE] == AWAIT:
            frame[FOUND] = regs[RESULT]
        if frame[FOUND] != NO_VECTOR:
            if frame[PHASE] == UNITE:
                store_union(regs, frame, arena, place, ranges, values, at)
            frame[PHASE] = READY
            if at == NONE_THERE:
                regs[STATUS], regs[ASK_FUNCTION], regs[ASK_VALUE] = ASK, function, arena[row, VALUE]
                return
            if not store_images(regs, frames, frame, arena, node, levels, unions, place, ranges, values, at):
                frame[PHASE] = UNITE
                return
        frame[PLACE], frame[PHASE] = 0, ITERATE
        frame[POINTER] = own[frame[POINTER], 1] if frame[STAGE] == OWN else frame[POINTER] + 1


@kernel
def end_fix(
    regs: Any, frames: Any, frame: Any, arena: Any, node: Any, edge: Any, levels: Any, unique: Any, sets: Any, set_index: Any, images: Any,
) -> None:  # fmt: skip
    """Nothing new comes: the edges are closed."""
    sort_edges(arena, frame[BASE], frame[SIZE])
    made = make(regs, node, edge, unique, sets, set_index, arena, levels, frame[AT_LEVEL], frame[BASE], frame[SIZE])
    if made == NONE_THERE:
        return
    node[frame[KEY], CLOSED] = made
    node[made, CLOSED] = made
    if frame[A] != NO_VECTOR:
        remember(images, frame[A], frame[B], made)
        regs[IMAGES_MADE] += 1
    pop(regs, frames, made)


@kernel
def begin_closure(regs: Any, frames: Any, arena: Any, node: Any, edge: Any, place: Any, a: Any) -> None:
    """Begins to close a node whose children are closed."""
    push(regs, frames, FIX, NO_VECTOR, NO_VECTOR, node[a, LEVEL])
    frame = frames[regs[DEPTH] - 1]
    for k in range(node[a, FIRST], node[a, FIRST] + node[a, COUNT]):
        append(regs, frame, arena, edge[k, 0], edge[k, 1])
    begin_fix(frame, arena, place, node[a, LEVEL], a)


@kernel
def run(
    regs: Any, frames: Any, arena: Any, node: Any, edge: Any, unique: Any, sets: Any, set_index: Any, unions: Any, images: Any,
    parts: Any, levels: Any, keys: Any, ranges: Any, values: Any, place: Any, own_first: Any, own: Any, shared: Any,
) -> None:  # fmt: skip
    """Goes on with what is on the stack, until it is done or something stops it: see STATUS.

    A level has no more edges in the making than values, so that much room is always kept."""
    regs, frames, arena, node, edge = borrowed(regs), borrowed(frames), borrowed(arena), borrowed(node), borrowed(edge)
    unique, sets, set_index, unions, images = borrowed(unique), borrowed(sets), borrowed(set_index), borrowed(unions), borrowed(images)
    parts, levels, keys, ranges, values = borrowed(parts), borrowed(levels), borrowed(keys), borrowed(ranges), borrowed(values)
    place, own_first, own, shared = borrowed(place), borrowed(own_first), borrowed(own), borrowed(shared)
    regs[STATUS] = FINISHED
    while regs[DEPTH] > 0:
        if regs[FUEL] <= 0:
            regs[STATUS] = TICK
            return
        regs[FUEL] -= 1
        if arena.shape[0] - regs[ARENA_TOP] < place.shape[0] + 1:
            regs[STATUS] = ARENA_FULL
            return
        op = frames[regs[DEPTH] - 1, OP]
        if op == UNION:
            union_step(regs, frames, arena, node, edge, levels, unique, sets, set_index, unions)
        elif op == IMAGE:
            image_step(regs, frames, arena, node, edge, unique, sets, set_index, unions, images, parts, levels, keys, ranges, values, place)
        else:
            fix_step(
                regs, frames, arena, node, edge, unique, sets, set_index, unions, images,
                parts, levels, keys, ranges, values, place, own_first, own, shared,
            )  # fmt: skip
        if regs[STATUS] != FINISHED:
            return
