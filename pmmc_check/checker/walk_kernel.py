"""The compiled loop of random walks: step after step by table look-ups, many walks by turns.

A walk holds each process's local state and inbox, so that nothing but single deliveries need be known: which message in which state leads
where. What is not known yet stops a walk, not the others: Python learns for all that wait, and calls again. What was drawn at random for
what could not be told is drawn again, so walks do not depend on what the tables held, nor on how many go on at once.

A delivery that was drawn and changes nothing is marked, and not drawn again while that is so: late in a walk on a network that keeps what
it has delivered nearly all are such."""

from __future__ import annotations

from typing import Any

from pmmc_check.checker.compilation import borrowed, kernel, uint64
from pmmc_check.checker.kernel import MISSING, REFUSED, known_facts
from pmmc_check.checker.walk_tables import (
    AS_BEFORE,
    BOUND,
    BROKEN,
    DETAIL,
    ENDED,
    GOES_ON,
    HAPPENS,
    HIDDEN,
    IDLE,
    IDLE_NOW,
    IN_HAND,
    LOST,
    NO_ENTRY,
    NO_ROOM,
    PAST,
    SHOWN,
    SHOWS,
    STEP,
    STEP_OF_ALIKE,
    STEPS,
    UNJUDGED,
    DeliveryTables,
    Walkers,
    drawn,
    fingerprint,
    found,
    holds,
    note_move,
    overlooked,
    removed,
    touched,
    unmark,
)


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
def moved(tables: DeliveryTables, walker: Walkers) -> Any:
    """Takes a step that changes something, each delivery as likely as another: deliveries are drawn, and marked, until one does."""
    place, random = walker.place, walker.random
    while True:
        total = 0
        for p in range(len(walker.state)):
            total += drawable(tables, walker, p)
        if total == 0:
            return ENDED
        before = random[0]
        which, process = drawn(random, total), 0
        while True:
            here = drawable(tables, walker, process)
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
def drawable(tables: DeliveryTables, walker: Walkers, process: Any) -> Any:
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
    entry = MISSING
    if index > 0 and tables.state[state, 3] >= 0:
        entry = found(tables, walker.place, STEP_OF_ALIKE, tables.state[state, 3], message, sender)
    if entry == MISSING:
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
def taken(tables: DeliveryTables, walker: Walkers, process: Any, index: Any, outcome: Any) -> Any:
    """Takes an outcome of delivering what is at `index` in a process's inbox (-1: nothing is). Returns `GOES_ON`, `BROKEN`, `IDLE_NOW` or
    `IDLE` when it changes nothing, or is refused, or why it cannot be told; then nothing is changed."""
    state, shown, count, outcomes = walker.state, walker.shown, walker.count, tables.outcome
    state_after, shown_after, count_after = walker.state_after, walker.shown_after, walker.count_after
    first, last, broken = outcomes[outcome, 1], outcomes[outcome, 2], outcomes[outcome, 3] != 0
    removes = index >= 0 and tables.rules[0] == 0
    after = outcomes[outcome, 0] if outcomes[outcome, 0] != AS_BEFORE else state[process]
    changes = removes or broken or after != state[process]
    if not changes and first == last and outcomes[outcome, 4] == outcomes[outcome, 5]:
        return IDLE
    for p in range(len(state)):
        state_after[p], shown_after[p], count_after[p] = state[p], shown[p], count[p]
    state_after[process] = after
    status = reached(tables, walker, process, outcome)
    if status != GOES_ON:
        return status
    for p in range(len(state)):
        changes = changes or state_after[p] != state[p] or shown_after[p] != shown[p] or count_after[p] != count[p]
    if not changes:
        for each in range(first, last):
            if tables.item[each, 3] != 0:
                return IDLE_NOW
        return IDLE
    if removes:
        status = hidden(tables, walker, process, index)
        if status != GOES_ON:
            return status
    for p in range(len(state)):
        other, shows = state_after[p] != state[p], shown_after[p] != shown[p]
        if other or shows:
            overlooked(tables, walker, p)
        if other or shows or count_after[p] != count[p] or (removes and p == process):
            touched(walker, p)
        unmark(walker, p, other)
        state[p], shown[p], count[p] = state_after[p], shown_after[p], count_after[p]
    if removes:
        removed(walker, process, index)
    return BROKEN if broken else GOES_ON


@kernel
def reached(tables: DeliveryTables, walker: Walkers, process: Any, outcome: Any) -> Any:
    """What is sent with an outcome reaches the others, and the history. Returns `GOES_ON`, `IDLE_NOW` when somebody refuses it, or why it
    cannot be told."""
    inbox, items, place = walker.inbox, tables.item, walker.place
    state_after, shown_after, count_after = walker.state_after, walker.shown_after, walker.count_after
    if not recorded(tables, walker, process, outcome):
        return NO_ENTRY
    for each in range(tables.outcome[outcome, 1], tables.outcome[outcome, 2]):
        to, sender, message = items[each, 0], items[each, 1], items[each, 2]
        if items[each, 3] != 0:
            happened = found(tables, place, HAPPENS, state_after[to], message, sender)
            if happened == MISSING:
                return NO_ENTRY
            if happened == REFUSED:
                return IDLE_NOW
            state_after[to] = tables.outcome[happened, 0]
            if not recorded(tables, walker, to, happened):
                return NO_ENTRY
        elif tables.rules[0] == 0 or not holds(inbox, to, count_after[to], message):
            if count_after[to] == inbox.shape[1]:
                return NO_ROOM
            inbox[to, count_after[to], 0], inbox[to, count_after[to], 1] = message, sender
            count_after[to] += 1
            if tables.shows_inbox[to] != 0 and tables.is_shown[message] != 0:
                now = found(tables, place, SHOWN, shown_after[to], message, sender)
                if now == MISSING:
                    return NO_ENTRY
                shown_after[to] = now
    return GOES_ON


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
