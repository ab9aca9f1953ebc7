"""Sets of sparse levels: of each node, on which levels some vector, and on which all vectors, have another value than the absent one.

They tell whether a message is on its way in some state, or in all, without a walk through the diagram. (Half of all images were such
questions.) Few sets occur, compared with nodes, so equal ones are stored once.

    sets[i]     a set, 64 levels to a word; number 0 is the empty one
    set_index   where the search for a set begins; open addressing, 0: no set"""

from __future__ import annotations

from typing import Any

import numpy as np

from pmmc_check.checker.compilation import kernel, uint64
from pmmc_check.checker.symbolic.layout import CHILD, IN_ALL, IN_SOME, NONE_THERE, PART_LEVEL, REST, SETS, VALUE

NO_LEVEL = 0


@kernel
def has_level(sets: Any, number: Any, level: Any) -> Any:
    """Whether a level is in a set."""
    return (sets[number, level >> 6] >> uint64(level & 63)) & uint64(1) != uint64(0)


@kernel
def first_in_some(parts: Any, sets: Any, node: Any, a: Any, part: Any) -> Any:
    """The first of the parts from `part`, which is EITHER, on whose level some vector of a node is not absent, else -1. The image under it
    is that under `part`."""
    while part != NONE_THERE and not has_level(sets, node[a, IN_SOME], parts[part, PART_LEVEL]):
        part = parts[part, REST]
    return np.int64(part)


@kernel
def one_in_all(parts: Any, sets: Any, node: Any, a: Any, part: Any) -> Any:
    """Whether on the level of one of the parts from `part`, which is EITHER, no vector of a node is absent."""
    while part != NONE_THERE and not has_level(sets, node[a, IN_ALL], parts[part, PART_LEVEL]):
        part = parts[part, REST]
    return part != NONE_THERE


@kernel
def levels_with_messages(
    regs: Any, sets: Any, set_index: Any, node: Any, arena: Any, base: Any, size: Any, column: Any, level: Any, absent: Any
) -> Any:
    """The set for IN_SOME or IN_ALL (`column`) of a node with these edges: the union, or what is common, of the sets of its children, and
    its own level where some, or all, of its values are not the `absent` one."""
    first = node[arena[base, CHILD], column]
    same, present = True, absent >= 0
    for k in range(base, base + size):
        same = same and node[arena[k, CHILD], column] == first
        present = present and (column == IN_SOME or arena[k, VALUE] != absent)
    if same and not present:
        return np.int64(first)
    row = regs[SETS]
    for word in range(sets.shape[1]):
        sets[row, word] = sets[first, word]
    for k in range(base + 1, base + size):
        other = node[arena[k, CHILD], column]
        if other != first:
            for word in range(sets.shape[1]):
                both = sets[row, word] & sets[other, word]
                sets[row, word] = both if column == IN_ALL else sets[row, word] | sets[other, word]
    if present:
        sets[row, level >> 6] |= uint64(1) << uint64(level & 63)
    return stored_once(regs, sets, set_index)


@kernel
def stored_once(regs: Any, sets: Any, set_index: Any) -> Any:
    """The number of the set in the first free row, which becomes its place unless the set has one."""
    row = regs[SETS]
    slot = hash_of(sets, row) & uint64(set_index.shape[0] - 1)
    while True:
        other = set_index[slot]
        if other == NO_LEVEL:
            break
        if equal(sets, row, other):
            return np.int64(other)
        slot = (slot + uint64(1)) & uint64(set_index.shape[0] - 1)
    if equal(sets, row, NO_LEVEL):
        return np.int64(NO_LEVEL)
    set_index[slot] = row
    regs[SETS] = row + 1
    return np.int64(row)


@kernel
def hash_of(sets: Any, row: Any) -> Any:
    """A set's hash."""
    mixed = uint64(0)
    for word in range(sets.shape[1]):
        mixed = (mixed ^ sets[row, word]) * uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> uint64(32)
    return mixed


@kernel
def equal(sets: Any, a: Any, b: Any) -> Any:
    """Whether two sets are equal."""
    for word in range(sets.shape[1]):
        if sets[a, word] != sets[b, word]:
            return False
    return True


@kernel
def renew_sets(regs: Any, node: Any, nodes: Any, old: Any, sets: Any, set_index: Any, number: Any) -> None:
    """Stores those of the `old` sets that nodes have in empty arrays; `number` is -1 for each old one but the empty one."""
    regs[SETS] = NO_LEVEL + 1
    for a in range(nodes):
        for column in (IN_SOME, IN_ALL):
            was = node[a, column]
            if number[was] < 0:
                for word in range(old.shape[1]):
                    sets[regs[SETS], word] = old[was, word]
                number[was] = stored_once(regs, sets, set_index)
            node[a, column] = number[was]
