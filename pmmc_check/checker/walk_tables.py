"""What the compiled loop of random walks reads and writes: tables of single deliveries, and walks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pmmc_check.checker.chains import MISSING
from pmmc_check.checker.compilation import kernel, uint64

GOES_ON, BOUND, ENDED, BROKEN, UNJUDGED, NO_ENTRY, NO_ROOM = range(7)
"""Why a walk has stopped: it has not; it has as many steps as it may have; nothing can move; the last step, or the state, breaks an
invariant by itself; the facts in the column `DETAIL` are not evaluated; the entry of the table is not known that is of the kind `DETAIL`,
about `ENTRY_FIRST` and `ENTRY_SECOND`, which `SENDER` sends where it is an instant message; an inbox has no room."""
IDLE_NOW, IDLE = 7, 8
"""Of a delivery that was tried: it changes nothing; and so it will be until its process's own state is another."""

STEPS, IN_HAND, DETAIL, ENTRY_FIRST, ENTRY_SECOND, SENDER = range(6)
"""Of `Walkers.place`: steps taken, whether the next is being drawn, and what has stopped the walk."""

STEP, HAPPENS, SHOWS, SHOWN, HIDDEN, PAST, STEP_OF_ALIKE = range(7)
"""The kinds of entries: (state, message) to the outcomes of its delivery; (state, instant message) to its outcome; (state, shown) to the
row of `observed`; (shown, message) to what is shown once it is in the inbox, has left it, or is in the history; (number of states that
are alike, message) to the outcomes of its delivery in all of them."""
TAG_SHIFT, FIRST_SHIFT = 60, 30

AS_BEFORE = -1
"""In the place of the state after: the state before."""

LOST = -1
"""In the place of the choice among outcomes: the network has lost the message."""


class DeliveryTables(NamedTuple):
    """What is known of single deliveries, as int32 unless said.

    keys uint64 and values (capacity): the hash table of entries. entry (entries, 2): the range of a delivery's outcomes. outcome
    (outcomes, 6): the state after or `AS_BEFORE`, the range of its items, whether it breaks an invariant, the range of what history keeps.
    item (items, 4): recipient, sender, message, whether it is an instant one. past: messages that history keeps. state (states, 4):
    whether messages can be delivered, its fault step or -1, whether it breaks an invariant, the number of those that it is like, or -1.
    is_shown uint8 (messages): whether invariants observe it in the inboxes of those processes for which shows_inbox is set. state_digest,
    message_digest and shown_digest, uint64. observed uint64 (rows, columns). rules: (inboxes keep what is delivered, order counts,
    messages may be lost).
    """

    keys: Any
    values: Any
    entry: Any
    outcome: Any
    item: Any
    past: Any
    state: Any
    is_shown: Any
    shows_inbox: Any
    state_digest: Any
    message_digest: Any
    shown_digest: Any
    observed: Any
    rules: Any


class Walkers(NamedTuple):
    """Walks, one row each, or one of them: local state, what is shown and how full the inbox is, by process, and room for the same after a
    step; the row of `observed`, or -1; inboxes of (message, sender). idle: of the fault step of a process, and of what is at each place of
    its inbox, 0, `IDLE_NOW` or `IDLE`; idles: how many are not 0. own (uint64): the digest of each process, 0 when it has changed. sums
    (uint64): that of the state, those of its facts by column, and the same when they were evaluated. Fingerprints met (uint64); moves as
    (process, message, choice, sender, outcome); the state of the random numbers (uint64); and `place`."""

    state: Any
    shown: Any
    count: Any
    state_after: Any
    shown_after: Any
    count_after: Any
    look: Any
    inbox: Any
    idle: Any
    idles: Any
    own: Any
    sums: Any
    met: Any
    moves: Any
    random: Any
    place: Any


@kernel
def found(tables: DeliveryTables, place: Any, kind: Any, first: Any, second: Any, sender: Any) -> Any:
    """The value of an entry; where it is not known, `MISSING`, and `place` says which it is."""
    keys = tables.keys
    key = ((uint64(kind) << uint64(TAG_SHIFT)) | (uint64(first) << uint64(FIRST_SHIFT)) | uint64(second)) + uint64(1)
    mask = uint64(keys.shape[0] - 1)
    slot = mixed_key(key) & mask
    while keys[slot] != uint64(0):
        if keys[slot] == key:
            return tables.values[slot]
        slot = (slot + uint64(1)) & mask
    place[DETAIL], place[ENTRY_FIRST], place[ENTRY_SECOND], place[SENDER] = kind, first, second, sender
    return np.int32(MISSING)


@kernel
def mixed_key(key: Any) -> Any:
    """Where the search for a key begins, before masking."""
    return (key * uint64(0x9E3779B97F4A7C15)) >> uint64(32)


@kernel
def enter(keys: Any, values: Any, new_keys: Any, new_values: Any) -> None:
    """Adds entries to a table that has room for them."""
    mask = uint64(keys.shape[0] - 1)
    for each in range(len(new_keys)):
        slot = mixed_key(new_keys[each]) & mask
        while keys[slot] != uint64(0):
            slot = (slot + uint64(1)) & mask
        keys[slot] = new_keys[each]
        values[slot] = new_values[each]


@kernel
def overlooked(tables: DeliveryTables, walker: Walkers, process: Any) -> None:
    """What a process shows has changed, or may have."""
    look, observed = walker.look, tables.observed
    if look[process] >= 0:
        for column in range(observed.shape[1]):
            walker.sums[1 + column] -= observed[look[process], column]
        look[process] = -1


@kernel
def fingerprint(tables: DeliveryTables, walker: Walkers) -> None:
    """Notes a digest of the state: equal for equal states, never 0."""
    own, sums = walker.own, walker.sums
    for p in range(len(own)):
        if own[p] == uint64(0):
            own[p] = digest_of(tables, walker, p)
            sums[0] += own[p]
    walker.met[walker.place[STEPS]] = sums[0] if sums[0] != uint64(0) else uint64(1)


@kernel
def touched(walker: Walkers, process: Any) -> None:
    """A process is no longer what its digest is of."""
    walker.sums[0] -= walker.own[process]
    walker.own[process] = uint64(0)


@kernel
def digest_of(tables: DeliveryTables, walker: Walkers, process: Any) -> Any:
    """A digest of a process and its inbox, never 0."""
    count, inbox, message_digest = walker.count, walker.inbox, tables.message_digest
    own = tables.state_digest[walker.state[process]] + tables.shown_digest[walker.shown[process]] + uint64(process)
    ordered = tables.rules[1] != 0
    for k in range(count[process]):
        each = message_digest[inbox[process, k, 0]]
        if ordered:
            ahead = uint64(0)
            for earlier in range(k):
                if inbox[process, earlier, 1] == inbox[process, k, 1]:
                    ahead += uint64(1)
            each = scrambled(each + ahead * uint64(0x9E3779B97F4A7C15) + uint64(inbox[process, k, 1]))
        own += scrambled(each)
    own = scrambled(own)
    return own if own != uint64(0) else uint64(1)


@kernel
def removed(walker: Walkers, process: Any, index: Any) -> None:
    """Takes a message out of an inbox; the others keep their order."""
    for each in range(index, walker.count[process] - 1):
        walker.inbox[process, each, 0] = walker.inbox[process, each + 1, 0]
        walker.inbox[process, each, 1] = walker.inbox[process, each + 1, 1]
    walker.count[process] -= 1


@kernel
def holds(inbox: Any, process: Any, count: Any, message: Any) -> Any:
    """Whether a message is among the first `count` of an inbox."""
    for each in range(count):
        if inbox[process, each, 0] == message:
            return True
    return False


@kernel
def note_move(walker: Walkers, process: Any, message: Any, choice: Any, sender: Any, outcome: Any) -> None:
    """Writes down the next move."""
    moves, step = walker.moves, walker.place[STEPS]
    moves[step, 0], moves[step, 1], moves[step, 2], moves[step, 3], moves[step, 4] = process, message, choice, sender, outcome


@kernel
def unmark(walker: Walkers, process: Any, other: Any) -> None:
    """A step is being taken, which leaves a process in another state (`other`) or not: drops its marks that hold no longer."""
    idle, left = walker.idle, 0
    if walker.idles[process] != 0:
        for k in range(walker.count[process] + 1):
            if other or idle[process, k] == IDLE_NOW:
                idle[process, k] = 0
            elif idle[process, k] != 0:
                left += 1
        walker.idles[process] = left


@kernel
def add_new(table: Any, fingerprints: Any, rarity: Any) -> Any:
    """Adds those fingerprints whose last `rarity` binary digits are 0 to a table that has room; 0 is none. Returns how many are new."""
    mask, left_out = uint64(table.shape[0] - 1), (uint64(1) << uint64(rarity)) - uint64(1)
    new = 0
    for each in range(len(fingerprints)):
        one = fingerprints[each]
        if one != uint64(0) and one & left_out == uint64(0):
            slot = (one >> uint64(20)) & mask
            while table[slot] != uint64(0) and table[slot] != one:
                slot = (slot + uint64(1)) & mask
            if table[slot] == uint64(0):
                table[slot] = one
                new += 1
    return new


@kernel
def count_moves(counted: Any, moves: Any) -> None:
    """Adds the deliveries among the moves of a walk to those counted by (message, process)."""
    for each in range(len(moves)):
        if moves[each, 2] != LOST:
            counted[moves[each, 1], moves[each, 0]] += 1


@kernel
def scrambled(value: Any) -> Any:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    value = (value ^ (value >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> uint64(27))) * uint64(0x94D049BB133111EB)
    return value ^ (value >> uint64(31))


@kernel
def drawn(random: Any, total: Any) -> Any:
    """A number below `total`, by SplitMix64."""
    random[0] += uint64(0x9E3779B97F4A7C15)
    return np.int64(((scrambled(random[0]) >> uint64(32)) * uint64(total)) >> uint64(32))
