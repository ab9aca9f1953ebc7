"""Shortens a counterexample: steps that are not needed are dropped, and the rest is replayed through the protocol.

Delta debugging (Zeller and Hildebrandt 2002): blocks of steps are left out, large ones first, as long as what remains still
breaks the same invariant. A step that has become impossible is passed over, so leaving a step out also leaves out what
depended on it. The result is a run of the unreduced model in which no single step can be left out; it need not be a
shortest run."""

from __future__ import annotations

from collections.abc import Sequence

from pmmc_check.checker.result import TraceStep, Violation
from pmmc_check.model.model import Model, State, Step
from pmmc_check.properties.checks import Checks, Violated


def shortened(violation: Violation, model: Model, checks: Checks) -> Violation:
    """A violation of the same invariant from which no step can be left out."""
    best = violation
    block = max(1, len(best.trace) // 2)
    while True:
        start, shrunk = 0, False
        while start < len(best.trace):
            steps = [each.step for each in best.trace]
            shorter = replayed([*steps[:start], *steps[start + block :]], violation.invariant, model, checks)
            if shorter is not None and len(shorter.trace) < len(best.trace):
                best, shrunk = shorter, True
            else:
                start += block
        if block == 1 and not shrunk:
            return best
        block = max(1, block // 2)


def replayed(steps: Sequence[Step], invariant: str, model: Model, checks: Checks) -> Violation | None:
    """The run that takes those of `steps` that are possible, in their order, up to the first violation.

    None when there is no violation, or one of another invariant.
    """
    state = initial = model.initial()
    trace: list[TraceStep] = []
    broken: Violated | None = checks.of_state(state)
    for step in steps:
        if broken:
            break
        taken = _taken(model, state, step)
        if taken is not None:
            broken = checks.of_step(state, taken.step) or checks.of_state(taken.after)
            trace.append(taken)
            state = taken.after
    if broken is None and checks.progress is not None and next(model.steps(state), None) is None:
        broken = checks.of_global_end(state)
    return Violation(broken.invariant, broken.how, initial, tuple(trace)) if broken and broken.invariant == invariant else None


def _taken(model: Model, state: State, wanted: Step) -> TraceStep | None:
    """The same delivery to the same process; with the same sends, where there is such an outcome."""
    index = model.index[wanted.process]
    possible = []
    for delivery in model.deliveries(wanted.process, state[index]):
        if delivery.message == wanted.message:
            after = model.taken(state, index, delivery)
            if after is not None and after != state:
                possible.append(TraceStep(Step(wanted.process, delivery.message, delivery.outcome), after))
    return min(possible, key=lambda each: each.step.outcome.sends != wanted.outcome.sends, default=None)
