"""A shortest way from a state to one in which something is true: `until`.

First a plain breadth-first search over a few thousand states; where that does not suffice, the compiled search with all its reductions,
begun in this state instead of the initial one. (A reduction's argument is about the future of a state, so it holds in any that can be
reached.)"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pmmc_check.checker.reductions import Reductions, applicable, reductions_named
from pmmc_check.checker.result import Control, Limits, TraceStep
from pmmc_check.config import Config
from pmmc_check.errors import did_you_mean
from pmmc_check.explorer.session import CannotStep, Session, Subject, Visit, along, at_random
from pmmc_check.model.model import Model, State
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import Invariant
from pmmc_check.protocol.values import FAULTS
from pmmc_check.spec.document import Spec, expression_as

PLAIN_STATES_MAX = 3_000
UNTIL_SECONDS_MAX = 60.0

NAMED_PREDICATES = {
    "active": (r"\E l \in Leaders : leader[l].active", "some leader is active: its ballot is adopted"),
    "accepted": (r"\E a \in Acceptors : acceptor[a].accepted # {}", "some acceptor has accepted something"),
    "decided": (r"decided # {}", "some command is decided"),
    "performed": (r"\E r \in Replicas : replica[r].slot_out > 1", "some replica has gone past slot 1"),
}
"""Predicates by name, with their expression and what it means. `violated` and `end` are two more."""
VIOLATED_ANY, AT_END = "violated", "end"


@dataclass(frozen=True)
class Goal:
    """What is looked for: a state that breaks one of `invariants`, the negations of what was asked for."""

    text: str
    invariants: tuple[Invariant, ...]


def goal_of(subject: Subject, text: str, spec: Spec | None = None) -> Goal:
    """What `until text` asks for: a named predicate, a witness, an invariant to break, or an expression.

    Raises:
        CannotStep: nothing is asked for.
        SpecError: an expression cannot be read.
    """
    model = subject.model
    if not text:
        raise CannotStep(f"until what? One of {', '.join(known_goals(subject))}, or an expression such as leader[L1].active")
    if text == VIOLATED_ANY:
        return Goal(text, subject.invariants)
    for each in (*subject.witnesses, *subject.invariants):
        if text == each.name:
            return Goal(text, (each,))
    if text == "FALSE":
        raise CannotStep("until FALSE: FALSE is never true, so there is no such state; say what should become true, such as decided # {}")
    if text.isidentifier() and text not in {*NAMED_PREDICATES, "TRUE"} and not _defined(spec, text):
        hint = did_you_mean(text, known_goals(subject))
        raise CannotStep(f"until {text}: no such predicate{hint}; there are {', '.join(known_goals(subject))}, and expressions")
    expression = NAMED_PREDICATES[text][0] if text in NAMED_PREDICATES else text
    return Goal(text, (expression_as("until", expression, text, model.system, model.protocol, spec),))


def _defined(spec: Spec | None, name: str) -> bool:
    return spec is not None and any(part.data == "definition" and str(part.children[0]) == name for part in spec.syntax)


def known_goals(subject: Subject) -> list[str]:
    """The predicates that have names."""
    own = [each.name for each in (*subject.witnesses, *subject.invariants)]
    return [*NAMED_PREDICATES, VIOLATED_ANY, AT_END, *own]


def until(session: Session, text: str, spec: Spec | None = None, control: Control | None = None) -> Session:
    """Goes a shortest way to where `text` is true; `end` goes any way to where nothing can happen.

    Raises:
        CannotStep: there is no such state ahead, or it was not found within the limits.
        SpecError: an expression cannot be read.
    """
    if text == AT_END:
        return _to_the_end(session)
    goal = goal_of(session.subject, text, spec)
    checks = Checks(session.subject.model, goal.invariants)
    if checks.of_state(session.here.state):
        raise CannotStep(f"{text} is true here already")
    return along(session, way(session.here, goal, checks, control or Control(Limits(seconds_max=UNTIL_SECONDS_MAX))))


def _to_the_end(session: Session) -> Session:
    for seed in range(100):
        try:
            session = at_random(session, 1_000, seed)
        except CannotStep:
            return session
    raise CannotStep("this run does not come to an end within 100,000 steps")


def way(start: Visit, goal: Goal, checks: Checks, control: Control) -> tuple[TraceStep, ...]:
    """A shortest way from `start`.

    Raises:
        CannotStep: there is none, or a limit was reached.
    """
    model = start.subject.model
    plain = _plain_way(checks.model, start.state, checks, control)
    if plain is None:
        raise CannotStep(f"until {goal.text}: no state that can be reached from here is one")
    if plain or control.stop:
        return _found(plain, goal, control)
    result = _compiled_search(model, start.state, goal, control).run()
    if result.violation is not None:
        return tuple(result.violation.trace)
    if result.limit is not None:
        raise CannotStep(f"until {goal.text}: not found before the search was stopped: {result.limit}")
    searched = f"{result.distinct_states:,} states were searched, with reductions"
    raise CannotStep(f"until {goal.text}: no state that can be reached from here is one ({searched})")


def _found(steps: tuple[TraceStep, ...], goal: Goal, control: Control) -> tuple[TraceStep, ...]:
    if not steps:
        raise CannotStep(f"until {goal.text}: not found before the search was interrupted")
    return steps


def _plain_way(model: Model, start: State, checks: Checks, control: Control) -> tuple[TraceStep, ...] | None:
    """A shortest way; empty where the search was given up, None where there is none."""
    came_from: dict[State, tuple[State, TraceStep] | None] = {start: None}
    pending = [start]
    for state in pending:  # grows meanwhile
        if control.stop or len(came_from) > PLAIN_STATES_MAX:
            return ()
        for step, after in model.steps(state):
            if after in came_from and not checks.of_step(state, step):
                continue
            taken = TraceStep(step, after)
            if checks.of_step(state, step) or checks.of_state(after):
                return (*_back_to_start(came_from, state), taken)
            came_from[after] = (state, taken)
            pending.append(after)
        if checks.progress and not any(True for _ in model.steps(state)) and checks.of_global_end(state):
            return _back_to_start(came_from, state)
    return None


def _back_to_start(came_from: dict[State, tuple[State, TraceStep] | None], state: State) -> tuple[TraceStep, ...]:
    steps = []
    while (origin := came_from[state]) is not None:
        state, taken = origin
        steps.append(taken)
    return tuple(reversed(steps))


def begun_in(model: Model, state: State) -> Model:
    """The same model with another initial state."""
    other = copy.copy(model)
    other.initial = lambda: state  # type: ignore[method-assign]  # all that differs
    return other


def _compiled_search(model: Model, state: State, goal: Goal, control: Control) -> Any:
    from pmmc_check.checker.compiled import CompiledSearch  # noqa: PLC0415  # numba is slow to load, and seldom needed

    begun, reductions = reduced_from(model, state, goal.invariants)
    return CompiledSearch(begun, goal.invariants, control, reductions, threads=1, trust_claims=True)


def reduced_from(model: Model, state: State, invariants: Sequence[Invariant]) -> tuple[Model, Reductions]:
    """The model begun in `state`, and the reductions that are sound for it.

    The check of claims needs a run from the very start, and is off here; so roles that are not our own, whose claims `explore` may not have
    checked, are searched without reductions. Symmetry takes commands for interchangeable, which recorded ones are not."""
    begun = begun_in(model, state)
    own = all(each.__module__.startswith("pmmc_check.protocol.") for each in model.protocol.values() if each.role != FAULTS)
    wanted = reductions_named("all" if own else "none")
    found, _ = applicable(replace(wanted, symmetry=wanted.symmetry and type(model.config) is Config), begun, invariants)
    return begun, found
