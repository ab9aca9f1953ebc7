"""The compiled loop of random walks: step after step by table look-ups, many walks by turns.

A walk holds each process's local state and inbox, so that nothing but single deliveries need be known: which message in which state leads
where. What is not known yet stops a walk, not the others: Python learns for all that wait, and calls again. What was drawn at random for
an incomplete step is drawn again, so walks do not depend on what the tables held, nor on how many go on at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pmmc_check.checker.chains import MISSING, REFUSED
from pmmc_check.checker.compilation import borrowed, kernel, uint64
from pmmc_check.checker.kernel import known_facts

GOES_ON, BOUND, ENDED, BROKEN, UNJUDGED, NO_ENTRY, NO_ROOM = range(7)
"""Why a walk has stopped: it has not; it has as many steps as it may have; nothing can move; the last step, or the state, breaks an
invariant by itself; the facts in the column `DETAIL` are not evaluated; the entry of the table is not known that is of the kind `DETAIL`,
about `ENTRY_FIRST` and `ENTRY_SECOND`, which `SENDER` sends where it is an instant message; an inbox has no room."""

STEPS, DETAIL, ENTRY_FIRST, ENTRY_SECOND, SENDER = range(5)
"""Of `Walkers.place`: steps taken, and what has stopped the walk."""

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
    4): recipient, sender, message, whether it is an instant one. past: messages that history keeps. state (states, 4): whether messages
    can be delivered, the range of its fault steps, whether it breaks an invariant. fault: messages of fault steps. is_shown uint8
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
    fault: Any
    is_shown: Any
    shows_inbox: Any
    state_digest: Any
    message_digest: Any
    shown_digest: Any
    observed: Any
    rules: Any


class Walkers(NamedTuple):
    """Walks, one row each, or one of them: local state, what is shown and how full the inbox is, by process, and room for the same after a
    step; the row of `observed`, or -1; inboxes of (message, sender); fingerprints met (uint64); moves as (process, message, choice,
    sender, outcome); the state of the random numbers (uint64); and `place`."""

    state: Any
    shown: Any
    count: Any
    state_after: Any
    shown_after: Any
    count_after: Any
    look: Any
    inbox: Any
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
        borrowed(tables.fault),
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
    state, shown, look, place, processes = walker.state, walker.shown, walker.look, walker.place, len(walker.state)
    walker.met[place[STEPS]] = fingerprint(tables, walker)
    states, observed = tables.state, tables.observed
    for p in range(processes):
        if states[state[p], 3] != 0:
            return BROKEN
        if look[p] < 0:
            look[p] = found(tables, place, SHOWS, state[p], shown[p], p)
            if look[p] < 0:
                return NO_ENTRY
    for column in range(observed.shape[1]):
        facts = uint64(0)
        for p in range(processes):
            facts += observed[look[p], column]
        if facts != uint64(0) and not known_facts(known, facts):
            place[DETAIL] = column
            return UNJUDGED
    return GOES_ON


@kernel
def fingerprint(tables: DeliveryTables, walker: Walkers) -> Any:
    """A digest of the state: equal for equal states, never 0."""
    state, shown, count, inbox = walker.state, walker.shown, walker.count, walker.inbox
    state_digest, message_digest, shown_digest = tables.state_digest, tables.message_digest, tables.shown_digest
    total = uint64(0)
    ordered = tables.rules[1] != 0
    for p in range(len(state)):
        own = state_digest[state[p]] + shown_digest[shown[p]]
        for k in range(count[p]):
            each = message_digest[inbox[p, k, 0]]
            if ordered:
                ahead = uint64(0)
                for earlier in range(k):
                    if inbox[p, earlier, 1] == inbox[p, k, 1]:
                        ahead += uint64(1)
                each = scrambled(each + ahead * uint64(0x9E3779B97F4A7C15) + uint64(inbox[p, k, 1]))
            own += scrambled(each)
        total += scrambled(own + uint64(p))
    return total if total != uint64(0) else uint64(1)


@kernel
def moved(tables: DeliveryTables, walker: Walkers) -> Any:
    """Takes a step that changes something, each delivery as likely as another: deliveries are drawn until one does, and when as many as
    there are have not, they are tried in turn."""
    state, count, place, random = walker.state, walker.count, walker.place, walker.random
    states, loses = tables.state, tables.rules[2]
    total = 0
    for p in range(len(state)):
        total += count[p] * (1 + loses) + states[state[p], 2] - states[state[p], 1]
    before, which = random[0], 0
    for attempt in range(2 * total):
        in_turn = attempt >= total
        which = (which + 1) % total if in_turn else drawn(random, total)
        process, index = 0, which
        while True:
            here = count[process] * (1 + loses) + states[state[process], 2] - states[state[process], 1]
            if index < here:
                break
            index -= here
            process += 1
        status = delivered(tables, walker, process, index, in_turn)
        if status in (NO_ENTRY, NO_ROOM):
            random[0] = before
            return status
        if status != ENDED:
            place[STEPS] += 1
            walker.met[place[STEPS]] = fingerprint(tables, walker)
            return status
    return ENDED


@kernel
def delivered(tables: DeliveryTables, walker: Walkers, process: Any, index: Any, in_turn: Any) -> Any:
    """Takes the delivery, loss or fault step number `index` of a process, if it changes something, and notes it as the next move.
    Returns `GOES_ON`, `BROKEN`, `ENDED` when it changes nothing, or why it cannot be told. Of several outcomes one is drawn; `in_turn`: the
    first is taken that changes something."""
    state, count, inbox = walker.state[process], walker.count[process], walker.inbox
    if index >= count * (1 + tables.rules[2]):
        message, index = tables.fault[tables.state[state, 1] + index - count * (1 + tables.rules[2])], -1
        sender = -1
    else:
        lost = index >= count
        index = index - count if lost else index
        message, sender = inbox[process, index, 0], inbox[process, index, 1]
        if lost:
            walker.shown_after[process], walker.count_after[process] = walker.shown[process], count
            status = hidden(tables, walker, process, index)
            if status == GOES_ON:
                walker.shown[process] = walker.shown_after[process]
                walker.look[process] = -1
                removed(walker, process, index)
                note_move(walker, process, message, LOST, sender, -1)
            return status
        if tables.state[state, 0] == 0:
            return ENDED
        if tables.rules[1] != 0:
            for earlier in range(index):
                if inbox[process, earlier, 1] == sender:
                    return ENDED
    entry = found(tables, walker.place, STEP, state, message, sender)
    if entry == MISSING:
        return NO_ENTRY
    first, last = tables.entry[entry, 0], tables.entry[entry, 1]
    chosen = first
    if last - first > 1 and not in_turn:
        chosen = first + drawn(walker.random, last - first)
        last = chosen + 1
    for outcome in range(chosen, last):
        status = taken(tables, walker, process, index, outcome)
        if status != ENDED:
            if status in (GOES_ON, BROKEN):
                note_move(walker, process, message, outcome - first, sender, outcome)
            return status
    return ENDED


@kernel
def note_move(walker: Walkers, process: Any, message: Any, choice: Any, sender: Any, outcome: Any) -> None:
    """Writes down the next move."""
    moves, step = walker.moves, walker.place[STEPS]
    moves[step, 0], moves[step, 1], moves[step, 2], moves[step, 3], moves[step, 4] = process, message, choice, sender, outcome


@kernel
def taken(tables: DeliveryTables, walker: Walkers, process: Any, index: Any, outcome: Any) -> Any:
    """Takes an outcome of delivering what is at `index` in a process's inbox (-1: nothing is). Returns `GOES_ON`, `BROKEN`, `ENDED` when it
    changes nothing, or is refused, or why it cannot be told; then nothing is changed."""
    state, shown, count, inbox, place = walker.state, walker.shown, walker.count, walker.inbox, walker.place
    state_after, shown_after, count_after = walker.state_after, walker.shown_after, walker.count_after
    outcomes, items = tables.outcome, tables.item
    keeps = tables.rules[0] != 0
    removes = index >= 0 and not keeps
    broken = outcomes[outcome, 3] != 0
    after, first, last = outcomes[outcome, 0], outcomes[outcome, 1], outcomes[outcome, 2]
    changes = removes or broken or after != state[process]
    if not changes and first == last and outcomes[outcome, 4] == outcomes[outcome, 5]:
        return ENDED
    for p in range(len(state)):
        state_after[p], shown_after[p], count_after[p] = state[p], shown[p], count[p]
    state_after[process] = after
    if not recorded(tables, walker, process, outcome):
        return NO_ENTRY
    for each in range(first, last):
        to, sender, message = items[each, 0], items[each, 1], items[each, 2]
        if items[each, 3] != 0:
            happened = found(tables, place, HAPPENS, state_after[to], message, sender)
            if happened == MISSING:
                return NO_ENTRY
            if happened == REFUSED:
                return ENDED
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
        return ENDED
    if removes:
        status = hidden(tables, walker, process, index)
        if status != GOES_ON:
            return status
    for p in range(len(state)):
        if state_after[p] != state[p] or shown_after[p] != shown[p]:
            walker.look[p] = -1
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
