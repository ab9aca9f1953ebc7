"""The compiled loop of random walks: step after step by table look-ups, many walks by turns.

A walk holds each process's local state and inbox, so that nothing but single deliveries need be known: which message in which state leads
where. What is not known yet stops a walk, not the others: Python learns for all that wait, and calls again. What was drawn at random for
what could not be told is drawn again, so walks do not depend on what the tables held, nor on how many go on at once.

A delivery that was drawn and changes nothing is marked, and not drawn again while that is so: late in a walk on a network that keeps what
it has delivered nearly all are such."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pmmc_check.checker.compilation import borrowed, kernel, uint64
from pmmc_check.checker.kernel import MISSING, REFUSED, known_facts

GOES_ON, BOUND, ENDED, BROKEN, UNJUDGED, NO_ENTRY, NO_ROOM = range(7)
"""Why a walk has stopped: it has not; it has as many steps as it may have; nothing can move; the last step, or the state, breaks an
invariant by itself; the facts in the column `DETAIL` are not evaluated; the entry of the table is not known that is of the kind `DETAIL`,
about `ENTRY_FIRST` and `ENTRY_SECOND`, which `SENDER` sends where it is an instant message; an inbox has no room."""
IDLE_NOW, IDLE = 7, 8
"""Of a delivery that was tried: it changes nothing; and so it will be until its process's own state is another."""

STEPS, IN_HAND, DETAIL, ENTRY_FIRST, ENTRY_SECOND, SENDER = range(6)
"""Of `Walkers.place`: steps taken, whether the next is being drawn, and what has stopped the walk."""

STEP, HAPPENS, SHOWS, SHOWN, HIDDEN, PAST = range(6)
"""The kinds of entries: (state, message) to the outcomes of its delivery; (state, instant message) to its outcome; (state, shown) to the
row of `observed`; (shown, message) to what is shown once it is in the inbox, has left it, or is in the history."""
TAG_SHIFT, FIRST_SHIFT = 60, 30

LOST = -1
"""In the place of the choice among outcomes: the network has lost the message."""


class DeliveryTables(NamedTuple):
    """What is known of single deliveries, as int32 unless said.

    keys uint64 and values (capacity): the hash table of entries. entry (entries, 2): the range of a delivery's outcomes. outcome
    (outcomes, 6): the state after, the range of its items, whether it breaks an invariant, the range of what history keeps. item (items,
    4): recipient, sender, message, whether it is an instant one. past: messages that history keeps. state (states, 3): whether messages
    can be delivered, its fault step or -1, whether it breaks an invariant. is_shown uint8
    (messages): whether invariants observe it in the inboxes of those processes for which shows_inbox is set. state_digest, message_digest
    and shown_digest, uint64. observed uint64 (rows, columns). rules: (inboxes keep what is delivered, order counts, messages may be lost).
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
def walk_on(tables: DeliveryTables, known: Any, walkers: Walkers, statuses: Any) -> None:
    """Goes on with every walk that does, until there is a reason to stop."""
    lent = DeliveryTables(
        borrowed(tables.keys),
        borrowed(tables.values),
        borrowed(tables.entry),
        borrowed(tables.outcome),
        borrowed(tables.item),
        borrowed(tables.past),
        borrowed(tables.state),
        borrowed(tables.is_shown),
        borrowed(tables.shows_inbox),
        borrowed(tables.state_digest),
        borrowed(tables.message_digest),
        borrowed(tables.shown_digest),
        borrowed(tables.observed),
        borrowed(tables.rules),
    )
    facts = borrowed(known)
    for row in range(len(statuses)):
        if statuses[row] == GOES_ON:
            walker = Walkers(
                borrowed(walkers.state[row]),
                borrowed(walkers.shown[row]),
                borrowed(walkers.count[row]),
                borrowed(walkers.state_after[row]),
                borrowed(walkers.shown_after[row]),
                borrowed(walkers.count_after[row]),
                borrowed(walkers.look[row]),
                borrowed(walkers.inbox[row]),
                borrowed(walkers.idle[row]),
                borrowed(walkers.idles[row]),
                borrowed(walkers.own[row]),
                borrowed(walkers.sums[row]),
                borrowed(walkers.met[row]),
                borrowed(walkers.moves[row]),
                borrowed(walkers.random[row]),
                borrowed(walkers.place[row]),
            )
            while statuses[row] == GOES_ON:
                statuses[row] = looked_at(lent, facts, walker)
                if statuses[row] == GOES_ON and walker.place[STEPS] == len(walker.moves):
                    statuses[row] = BOUND
                if statuses[row] == GOES_ON:
                    statuses[row] = moved(lent, walker)


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
def looked_at(tables: DeliveryTables, known: Any, walker: Walkers) -> Any:
    """Notes the fingerprint of the state, and whether its invariants are known to hold."""
    state, shown, look, place, sums = walker.state, walker.shown, walker.look, walker.place, walker.sums
    if place[IN_HAND] != 0:
        return GOES_ON
    states, observed = tables.state, tables.observed
    columns = observed.shape[1]
    if place[STEPS] == 0:
        fingerprint(tables, walker)
    for p in range(len(state)):
        if look[p] < 0:
            if states[state[p], 2] != 0:
                return BROKEN
            look[p] = found(tables, place, SHOWS, state[p], shown[p], p)
            if look[p] < 0:
                return NO_ENTRY
            for column in range(columns):
                sums[1 + column] += observed[look[p], column]
    for column in range(columns):
        facts = sums[1 + column]
        if facts != sums[1 + columns + column]:
            if facts != uint64(0) and not known_facts(known, facts):
                place[DETAIL] = column
                return UNJUDGED
            sums[1 + columns + column] = facts
    place[IN_HAND] = 1
    return GOES_ON


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
def moved(tables: DeliveryTables, walker: Walkers) -> Any:
    """Takes a step that changes something, each delivery as likely as another: deliveries are drawn, and marked, until one does."""
    place, random = walker.place, walker.random
    while True:
        total = 0
        for p in range(len(walker.state)):
            total += possible(tables, walker, p)
        if total == 0:
            return ENDED
        before = random[0]
        which, process = drawn(random, total), 0
        while True:
            here = possible(tables, walker, process)
            if which < here:
                break
            which -= here
            process += 1
        index = unmarked(tables, walker, process, which)
        status = delivered(tables, walker, process, index)
        if status in (NO_ENTRY, NO_ROOM):
            random[0] = before
            return status
        if status in (GOES_ON, BROKEN):
            place[STEPS] += 1
            place[IN_HAND] = 0
            fingerprint(tables, walker)
            return status
        walker.idle[process, index] = status
        walker.idles[process] += 1


@kernel
def possible(tables: DeliveryTables, walker: Walkers, process: Any) -> Any:
    """How many steps of a process may be drawn: its fault step, its deliveries and its losses, but for those that are marked."""
    state, count = walker.state[process], walker.count[process]
    return (tables.state[state, 1] >= 0) + count * (tables.state[state, 0] + tables.rules[2]) - walker.idles[process]


@kernel
def unmarked(tables: DeliveryTables, walker: Walkers, process: Any, which: Any) -> Any:
    """Number `which` of the steps of a process that may be drawn: 0 its fault step, then what is at each place of its inbox, then the loss
    of each."""
    state, count, idle = walker.state[process], walker.count[process], walker.idle
    if tables.state[state, 1] >= 0 and idle[process, 0] == 0:
        if which == 0:
            return 0
        which -= 1
    if tables.state[state, 0] != 0:
        if walker.idles[process] == 0:
            return 1 + which
        for k in range(1, 1 + count):
            if idle[process, k] == 0:
                if which == 0:
                    return k
                which -= 1
    return 1 + count + which


@kernel
def delivered(tables: DeliveryTables, walker: Walkers, process: Any, index: Any) -> Any:
    """Takes a step of a process, numbered as by `unmarked`, if it changes something, and notes it as the next move. Returns `GOES_ON`,
    `BROKEN`, `IDLE_NOW` or `IDLE` when it changes nothing, or why it cannot be told. Of several outcomes one is drawn, and where it
    changes nothing, the next is taken that does."""
    state, count, inbox = walker.state[process], walker.count[process], walker.inbox
    if index > count:
        return lost(tables, walker, process, index - 1 - count)
    if index == 0:
        message, sender = tables.state[state, 1], -1
    else:
        message, sender = inbox[process, index - 1, 0], inbox[process, index - 1, 1]
        if tables.rules[1] != 0:
            for earlier in range(index - 1):
                if inbox[process, earlier, 1] == sender:
                    return IDLE_NOW
    entry = found(tables, walker.place, STEP, state, message, sender)
    if entry == MISSING:
        return NO_ENTRY
    first, outcomes = tables.entry[entry, 0], tables.entry[entry, 1] - tables.entry[entry, 0]
    choice = drawn(walker.random, outcomes) if outcomes > 1 else 0
    idle = IDLE
    for _ in range(outcomes):
        status = taken(tables, walker, process, index - 1, first + choice)
        if status in (GOES_ON, BROKEN):
            note_move(walker, process, message, choice, sender, first + choice)
        if status not in (IDLE_NOW, IDLE):
            return status
        idle = min(idle, status)
        choice = choice + 1 if choice + 1 < outcomes else 0
    return idle


@kernel
def lost(tables: DeliveryTables, walker: Walkers, process: Any, index: Any) -> Any:
    """The network loses what is at `index` in an inbox."""
    message, sender = walker.inbox[process, index, 0], walker.inbox[process, index, 1]
    walker.shown_after[process], walker.count_after[process] = walker.shown[process], walker.count[process]
    status = hidden(tables, walker, process, index)
    if status == GOES_ON:
        walker.shown[process] = walker.shown_after[process]
        overlooked(tables, walker, process)
        touched(walker, process)
        for p in range(len(walker.state)):
            unmark(walker, p, False)
        removed(walker, process, index)
        note_move(walker, process, message, LOST, sender, -1)
    return status


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
def taken(tables: DeliveryTables, walker: Walkers, process: Any, index: Any, outcome: Any) -> Any:
    """Takes an outcome of delivering what is at `index` in a process's inbox (-1: nothing is). Returns `GOES_ON`, `BROKEN`, `IDLE_NOW` or
    `IDLE` when it changes nothing, or is refused, or why it cannot be told; then nothing is changed."""
    state, shown, count, inbox, place = walker.state, walker.shown, walker.count, walker.inbox, walker.place
    state_after, shown_after, count_after = walker.state_after, walker.shown_after, walker.count_after
    outcomes, items = tables.outcome, tables.item
    keeps = tables.rules[0] != 0
    removes = index >= 0 and not keeps
    broken = outcomes[outcome, 3] != 0
    after, first, last = outcomes[outcome, 0], outcomes[outcome, 1], outcomes[outcome, 2]
    changes = removes or broken or after != state[process]
    if not changes and first == last and outcomes[outcome, 4] == outcomes[outcome, 5]:
        return IDLE
    idle = IDLE
    for p in range(len(state)):
        state_after[p], shown_after[p], count_after[p] = state[p], shown[p], count[p]
    state_after[process] = after
    if not recorded(tables, walker, process, outcome):
        return NO_ENTRY
    for each in range(first, last):
        to, sender, message = items[each, 0], items[each, 1], items[each, 2]
        if items[each, 3] != 0:
            idle = IDLE_NOW
            happened = found(tables, place, HAPPENS, state_after[to], message, sender)
            if happened == MISSING:
                return NO_ENTRY
            if happened == REFUSED:
                return IDLE_NOW
            state_after[to] = outcomes[happened, 0]
            if not recorded(tables, walker, to, happened):
                return NO_ENTRY
            continue
        if keeps and holds(inbox, to, count_after[to], message):
            continue
        if count_after[to] == inbox.shape[1]:
            return NO_ROOM
        inbox[to, count_after[to], 0], inbox[to, count_after[to], 1] = message, sender
        count_after[to] += 1
        changes = True
        if tables.shows_inbox[to] != 0 and tables.is_shown[message] != 0:
            now = found(tables, place, SHOWN, shown_after[to], message, sender)
            if now == MISSING:
                return NO_ENTRY
            shown_after[to] = now
    for p in range(len(state)):
        changes = changes or state_after[p] != state[p] or shown_after[p] != shown[p]
    if not changes:
        return idle
    if removes:
        status = hidden(tables, walker, process, index)
        if status != GOES_ON:
            return status
    for p in range(len(state)):
        other = state_after[p] != state[p]
        if other or shown_after[p] != shown[p]:
            overlooked(tables, walker, p)
        if other or shown_after[p] != shown[p] or count_after[p] != count[p] or (removes and p == process):
            touched(walker, p)
        unmark(walker, p, other)
        state[p], shown[p], count[p] = state_after[p], shown_after[p], count_after[p]
    if removes:
        removed(walker, process, index)
    return BROKEN if broken else GOES_ON


@kernel
def recorded(tables: DeliveryTables, walker: Walkers, process: Any, outcome: Any) -> Any:
    """Adds to a process's history what it keeps of what is sent with an outcome; False where an entry is not known."""
    for each in range(tables.outcome[outcome, 4], tables.outcome[outcome, 5]):
        now = found(tables, walker.place, PAST, walker.shown_after[process], tables.past[each], process)
        if now == MISSING:
            return False
        walker.shown_after[process] = now
    return True


@kernel
def hidden(tables: DeliveryTables, walker: Walkers, process: Any, index: Any) -> Any:
    """Takes what is at `index` in an inbox out of what is shown after the step, unless there is another like it."""
    message, count = walker.inbox[process, index, 0], walker.count[process]
    if tables.shows_inbox[process] == 0 or tables.is_shown[message] == 0:
        return GOES_ON
    for other in range(max(count, walker.count_after[process])):
        if other != index and walker.inbox[process, other, 0] == message:
            return GOES_ON
    now = found(tables, walker.place, HIDDEN, walker.shown_after[process], message, process)
    if now == MISSING:
        return NO_ENTRY
    walker.shown_after[process] = now
    return GOES_ON


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
def noted(seen: Any, met: Any, steps: Any, moves: Any, counted: Any) -> Any:
    """Adds the fingerprints of a walk to those seen, and its deliveries to those counted by (message, process); returns how many of the
    fingerprints are new."""
    mask = uint64(seen.shape[0] - 1)
    new = 0
    for each in range(steps + 1):
        slot = (met[each] >> uint64(20)) & mask
        while seen[slot] != uint64(0) and seen[slot] != met[each]:
            slot = (slot + uint64(1)) & mask
        if seen[slot] == uint64(0) and met[each] != uint64(0):
            seen[slot] = met[each]
            new += 1
    for each in range(steps):
        if moves[each, 2] != LOST:
            counted[moves[each, 1], moves[each, 0]] += 1
    return new


@kernel
def seen_again(old: Any, wider: Any) -> None:
    """Copies a table of fingerprints to a wider one."""
    mask = uint64(wider.shape[0] - 1)
    for each in range(len(old)):
        if old[each] != uint64(0):
            slot = (old[each] >> uint64(20)) & mask
            while wider[slot] != uint64(0):
                slot = (slot + uint64(1)) & mask
            wider[slot] = old[each]


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
