"""Rebuilds a counterexample from fingerprints, as single deliveries of the unreduced model.

The store knows each state's predecessor by fingerprint only. From the initial state on, the step is taken that leads
to the next fingerprint of the chain; with symmetry that is some state of the right orbit, which is as good. Each step
is then expanded to the deliveries that it stands for, and these are executed once more by the model itself, whose
invariants must say the same as the search: what is shown is what the protocol's own functions do, whatever the
reductions left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import starmap
from typing import NamedTuple

import numpy as np

from pmmc_check.checker.fingerprints import state_fingerprints
from pmmc_check.checker.local_steps import LocalSteps
from pmmc_check.checker.result import TraceStep, Violation
from pmmc_check.checker.store import Ancestry
from pmmc_check.checker.tables import Path, PathDelivery, Tables
from pmmc_check.model.faults import Drop
from pmmc_check.model.model import Model, State, Step
from pmmc_check.properties.checks import Checks, Violated
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import ProcessId


class Suspect(NamedTuple):
    """Where a violation was met; the least is the one that is shown.

    `level` counts the states on the path to the violation, `invariant` is its number among those checked,
    `fingerprint` the state's from which, with `process` given, that process reaches the violation by itself."""

    level: int
    invariant: int
    fingerprint: int
    process: int = -1


class Move(NamedTuple):
    """A process takes a path of its own."""

    process: int
    path: Path


WayTo = tuple[list[Move], list[int]]
"""Moves from the initial state, and the state to which they lead, as views."""


def rebuild(suspect: Suspect, tables: Tables, store: Ancestry, checks: Checks) -> Violation:
    """The counterexample that ends in `suspect`."""
    moves, vector = _to(suspect.fingerprint, tables, store)
    if suspect.process >= 0:
        breaker = _breaker(vector, suspect, tables)
        moves.append(Move(breaker, tables.broken_by[vector[breaker]].path))
    return executed(moves, tables.locals, checks)


def executed(moves: list[Move], locals_: LocalSteps, checks: Checks) -> Violation:
    """The counterexample that consists of `moves`, as single deliveries of the model."""
    state, trace, broken = _deliveries_of(moves, locals_, checks)
    if broken is None and checks.progress is not None:
        state, trace = _to_the_end(state, trace, locals_.model)
        broken = checks.of_global_end(state)
    assert broken is not None, "the counterexample does not break an invariant when it is executed again"
    return Violation(broken.invariant, broken.how, locals_.model.initial(), tuple(trace))


def rebuild_endless(cycle: list[int], tables: Tables, store: Ancestry, checks: Checks) -> Violation:
    """The run to the first state of `cycle`, which is given by fingerprints, and around until it is where it has been before.

    With symmetry that may take several rounds: one round leads to a renamed image of the state in which it began.
    """
    moves, vector = _to(cycle[0], tables, store)
    rounds: dict[tuple[int, ...], int] = {}
    while tuple(vector) not in rounds:
        rounds[tuple(vector)] = len(moves)
        around, vector = _along(vector, [*cycle[1:], cycle[0]], tables)
        moves += around
    _, trace, broken = _deliveries_of(moves, tables.locals, checks)
    assert broken is None, "a broken invariant would have ended the search before"
    loop = len(moves) - rounds[tuple(vector)]
    how = checks.of_cycle(tables.local_states(vector), tables.all_facts(vector), loop)
    return Violation(how.invariant, how.how, tables.model.initial(), tuple(trace), loop=_around(tables.model.initial(), trace, loop))


def rebuild_fair(start: int, around: list[int], tables: Tables, store: Ancestry, checks: Checks) -> Violation:
    """The run to the state with fingerprint `start`, and by the steps `around` until it is where it has been before.

    Messages that nothing can come of, which the search has let go, are delivered at the end of each round: else they would pile up. On a
    network that keeps its order some of them stand behind others, and so it may take several rounds.
    """
    model = tables.model
    moves, vector = _to(start, tables, store)
    state, trace, broken = _deliveries_of(moves, tables.locals, checks)
    assert broken is None, "a broken invariant would have ended the search before"
    seen: dict[State, int] = {}
    while (state := _without_useless(state, vector, trace, tables)) not in seen:
        seen[state] = len(trace)
        for step in around:
            process = int(tables.owner.data[tables.step_view.data[step]])
            for delivery in tables.paths[step].deliveries:
                message = tables.locals.messages[delivery.message]
                trace += starmap(TraceStep, _delivered(model, state, model.processes[process], message, delivery))
                state = trace[-1].after
            vector = tables.taken(vector, process, step) or []
    loop = len(trace) - seen[state]
    how = checks.of_cycle(tables.local_states(vector), tables.all_facts(vector), loop)
    return Violation(how.invariant, how.how, model.initial(), tuple(trace), shortest=False, loop=loop)


def _without_useless(state: State, vector: list[int], trace: list[TraceStep], tables: Tables) -> State:
    """The state after all messages that nothing can come of have been delivered, as far as they can be; the deliveries go to `trace`."""
    model, locals_ = tables.model, tables.locals
    for index, process in enumerate(model.processes):
        local = tables.views[vector[index]].state
        while useless := next(
            (each for each in model.network.deliverable(state[index].inbox) if not locals_.keeps(local, locals_.message_id(each.message))),
            None,
        ):
            delivered = PathDelivery(locals_.message_id(useless.message), 0, useless.sender)
            step, after = _taken(model, state, process, useless.message, delivered)
            if after == state:
                break
            trace.append(TraceStep(step, after))
            state = after
    return state


def _around(initial: State, trace: list[TraceStep], steps: int) -> int:
    """How many steps lead from the last state back to it; `steps` where messages that nothing can come of pile up, so that none do."""
    states = [initial, *(each.after for each in trace)]
    return next((len(trace) - at for at in range(len(trace) - 1, -1, -1) if states[at] == states[-1]), steps)


def _along(vector: list[int], fingerprints: list[int], tables: Tables) -> tuple[list[Move], list[int]]:
    """The moves from a state through states with these fingerprints, and the last state."""
    moves: list[Move] = []
    for fingerprint in fingerprints:
        move, vector = _step_to(vector, fingerprint, tables)
        moves.append(move)
    return moves, vector


def _to(fingerprint: int, tables: Tables, store: Ancestry) -> WayTo:
    """The moves from the initial state to one with `fingerprint`, and that state."""
    initial = tables.state_of(tables.model.initial())
    for chain in store.chains(fingerprint, fingerprint_of(initial, tables)):
        ways: list[WayTo] = [([], initial)]
        for place in chain:
            ways = [way for each in place for way in _one_step_on(ways, each, tables)]
        if ways:
            return ways[0]
    raise AssertionError("no chain of predecessors is a run")


def _one_step_on(ways: Iterable[WayTo], fingerprint: int, tables: Tables) -> list[WayTo]:
    """Some ways, prolonged by a step to a state with `fingerprint`: to the first such state, as any image of a state is as good as another.

    But not where steps are taken alone, since of two images one may be known to have such a step, and not the other: there, to all.
    """
    found: dict[tuple[int, ...], WayTo] = {}
    for moves, vector in ways:
        for move, reached in steps_from(vector, tables):
            following, after = tables.followed(reached, len(move.path.deliveries))
            if fingerprint_of(after, tables) == fingerprint:
                found.setdefault(tuple(after), ([*moves, move, *(Move(process, tables.paths[step]) for process, step in following)], after))
                if not tables.reductions.commuting:
                    return list(found.values())
    return list(found.values())


def _step_to(vector: list[int], fingerprint: int, tables: Tables) -> tuple[Move, list[int]]:
    """The first step from `vector` to a state with `fingerprint`, and that state."""
    for move, after in steps_from(vector, tables):
        if fingerprint_of(after, tables) == fingerprint:
            return move, after
    raise AssertionError("no step leads to the next fingerprint of the chain")


def steps_from(vector: list[int], tables: Tables) -> Iterator[tuple[Move, list[int]]]:
    """Every step from a state, and the state after."""
    for process, view in enumerate(vector):
        tables.fill_view(view)
        first, last = tables.step_range.data[view].tolist()
        for step in range(first, last):
            after = tables.taken(vector, process, step)
            if after is not None:
                yield Move(process, tables.paths[step]), after


def fingerprint_of(vector: list[int], tables: Tables) -> int:
    """The canonical fingerprint of a state."""
    out = np.zeros(1, np.uint64)
    state_fingerprints(np.array([vector], np.int32), tables.fingerprints.data, out)
    return int(out[0])


def _breaker(vector: list[int], suspect: Suspect, tables: Tables) -> int:
    """The process that breaks the invariant in `vector`, which may be a renamed image of the state that was met."""
    own = [suspect.process, *range(len(vector))]
    lengths: dict[int, int] = {}
    for process in own:
        view = vector[process]
        tables.fill_view(view)
        if view in tables.broken_by:
            lengths.setdefault(process, len(tables.broken_by[view].path.deliveries))
    return min(lengths, key=lengths.__getitem__)


def _deliveries_of(moves: list[Move], locals_: LocalSteps, checks: Checks) -> tuple[State, list[TraceStep], Violated | None]:
    """Executes the deliveries by the model, up to the first state or step that breaks an invariant."""
    model, messages = locals_.model, locals_.messages
    state = model.initial()
    trace: list[TraceStep] = []
    broken = checks.of_state(state)
    deliveries = [(model.processes[move.process], delivery) for move in moves for delivery in move.path.deliveries]
    for process, delivery in deliveries:
        if broken:
            break
        for step, after in _delivered(model, state, process, messages[delivery.message], delivery):
            if not broken:
                broken = checks.of_step(state, step) or checks.of_state(after)
                trace.append(TraceStep(step, after))
                state = after
    return state, trace, broken


def _to_the_end(state: State, trace: list[TraceStep], model: Model) -> tuple[State, list[TraceStep]]:
    """Delivers what the reductions had let go, until nothing is left: only then has the run ended."""
    ended = list(trace)
    while (following := next(model.steps(state), None)) is not None:
        ended.append(TraceStep(*following))
        state = following[1]
    return state, ended


def _delivered(model: Model, state: State, process: ProcessId, message: Message, chosen: PathDelivery) -> Iterator[tuple[Step, State]]:
    """One delivery with the given choice among its outcomes.

    On a network that keeps an order, messages without effect that the reductions had let go are delivered before it.
    """
    index = model.index[process]
    carried = message.message if isinstance(message, Drop) else message
    if chosen.sender is not None:
        for inert in model.network.ahead_of(state[index].inbox, carried, chosen.sender):
            step, state = _taken(model, state, process, inert, chosen._replace(choice=0))
            yield step, state
    yield _taken(model, state, process, message, chosen)


def _taken(model: Model, state: State, process: ProcessId, message: Message, chosen: PathDelivery) -> tuple[Step, State]:
    index = model.index[process]
    outcome = model.outcomes(process, state[index].state, message)[chosen.choice]
    for delivery in model.deliveries(process, state[index]):
        if (delivery.message, delivery.outcome, delivery.sender) == (message, outcome, chosen.sender):
            after = model.taken(state, index, delivery)
            assert after is not None, "the fault budget is the same with and without reductions"
            return Step(process, message, outcome), after
    raise AssertionError(f"{message} cannot be delivered to {process} in the unreduced model")
