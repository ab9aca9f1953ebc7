"""An exploration session: a tree of states that have been visited, and the one that is looked at. No I/O.

A state is named by its **path**: the numbers of the choices that lead to it from the start, such as `3.1.4`. Choices are numbered in an
order that depends on content only, so a path means the same state on every machine and in every session over the same `Subject`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random
from typing import Any

from pmmc_check.checker.result import TraceStep, Violation
from pmmc_check.errors import PmmcError
from pmmc_check.model.faults import Crash, Drop, FaultStep, Restart
from pmmc_check.model.model import Model, State, Step
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import Invariant
from pmmc_check.properties.observe import SENT
from pmmc_check.words import counted

ChoicePath = tuple[int, ...]
RANDOM_STEPS_MAX = 2_000
"""More steps at once are refused: nobody could look at them."""


class CannotStep(PmmcError):
    """What was asked for cannot be done here; the text says why, and what can."""


@dataclass(frozen=True)
class Choice:
    """A step that can be taken now, by its number (from 1), and the state that it leads to."""

    number: int
    step: Step
    after: State

    @property
    def is_fault(self) -> bool:
        """Whether it is a crash, a restart or a loss, and no delivery."""
        return isinstance(self.step.message, FaultStep)


@dataclass(frozen=True)
class Subject:
    """What is explored. `witnesses` are the negations of what should be reachable. `variants` are named for whoever validates what is
    saved. Its model records every message: an expression that is typed in anywhere may ask for it."""

    model: Model
    invariants: tuple[Invariant, ...]
    witnesses: tuple[Invariant, ...] = ()
    variants: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", self.model.recording(SENT.values()))

    @cached_property
    def root(self) -> Visit:
        """The initial state."""
        return Visit(self, None, None, self.model.initial())

    @cached_property
    def checks(self) -> dict[str, Checks]:
        """What is checked in each state, by name."""
        return {each.name: Checks(self.model, (each,)) for each in self.invariants}

    @cached_property
    def reaching(self) -> dict[str, Checks]:
        """The witnesses by name; one is reached where its negation is broken."""
        return {each.name: Checks(self.model, (each,)) for each in self.witnesses}


@dataclass(frozen=True, eq=False)
class Visit:
    """A state that has been visited, and how it was reached: by `choice` from `before`; both None at the start."""

    subject: Subject
    before: Visit | None
    choice: Choice | None
    state: State
    depth: int = 0
    known: dict[int, Visit] = field(default_factory=dict)
    """The nodes behind its choices that have been looked at, by number, so that each is made once."""

    @property
    def path(self) -> ChoicePath:
        """The numbers of the choices from the start to here."""
        return tuple(node.choice.number for node in self.trail if node.choice is not None)

    @cached_property
    def trail(self) -> tuple[Visit, ...]:
        """All nodes from the start to here."""
        found = [self]
        while (before := found[-1].before) is not None:
            found.append(before)
        return tuple(reversed(found))

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """What can happen next: deliveries first, then restarts, crashes and losses."""
        model = self.subject.model
        found = sorted(model.steps(self.state), key=lambda each: (_kind(each[0]), model.index[each[0].process], str(each[0].message)))
        return tuple(Choice(number, step, after) for number, (step, after) in enumerate(found, 1))

    @cached_property
    def broken(self) -> dict[str, str]:
        """The invariants that this state, or the step to it, breaks, and how."""
        found: dict[str, str] = {}
        for name, checks in self.subject.checks.items():
            of_step = checks.of_step(self.before.state, self.choice.step) if self.before is not None and self.choice is not None else None
            violated = of_step or checks.of_state(self.state)
            if violated is None and checks.progress and not self.choices:
                violated = checks.of_global_end(self.state)
            if violated:
                found[name] = violated.how
        return found

    @cached_property
    def reached(self) -> frozenset[str]:
        """The witnesses that this state is."""
        return frozenset(name for name, checks in self.subject.reaching.items() if checks.of_state(self.state))

    def child(self, choice: Choice) -> Visit:
        """The node behind one of its choices; the same one each time."""
        known = self.known.get(choice.number)
        if known is None:
            known = self.known[choice.number] = Visit(self.subject, self, choice, choice.after, self.depth + 1)
        return known

    def run(self, invariant: str = "", how: str = "") -> Violation:
        """The steps from the start to here, in the form in which reports take runs."""
        steps = tuple(TraceStep(node.choice.step, node.state) for node in self.trail if node.choice is not None)
        return Violation(invariant, how, self.subject.root.state, steps)


_KINDS = (Restart, Crash, Drop)


def _kind(step: Step) -> int:
    """Deliveries before faults."""
    return next((i for i, kind in enumerate(_KINDS, 1) if isinstance(step.message, kind)), 0)


@dataclass(frozen=True)
class Session:
    """Where somebody is, and where they have been: `visited` in the order in which states were first met."""

    subject: Subject
    here: Visit
    visited: tuple[Visit, ...]

    def moved(self, node: Visit) -> Session:
        """The session at `node`; its trail counts as visited."""
        new = tuple(each for each in node.trail if each not in self._known)
        return replace(self, here=node, visited=self.visited + new)

    def entered(self, node: Visit) -> frozenset[int]:
        """The numbers of the choices of `node` that were taken."""
        return frozenset(number for number, each in node.known.items() if each in self._known)

    @cached_property
    def _known(self) -> frozenset[Visit]:
        return frozenset(self.visited)


def begun(subject: Subject) -> Session:
    """A session at the start."""
    return Session(subject, subject.root, (subject.root,))


def take(session: Session, number: int) -> Session:
    """Takes a choice.

    Raises:
        CannotStep: there is none of this number.
    """
    choices = session.here.choices
    if not choices:
        raise CannotStep("nothing can happen any more; `back` goes back a step")
    if not 1 <= number <= len(choices):
        there = f"the steps are 1 to {len(choices)}" if len(choices) > 1 else "only step 1 is there"
        raise CannotStep(f"there is no step {number} here; {there}")
    return session.moved(session.here.child(choices[number - 1]))


def back(session: Session, steps: int = 1) -> Session:
    """Goes back; branches are kept.

    Raises:
        CannotStep: there are not so many steps.
    """
    depth = session.here.depth
    if steps > depth:
        raise CannotStep(
            "this is the start already" if depth == 0 else f"only {counted(depth, 'step')} {'was' if depth == 1 else 'were'} taken"
        )
    return session.moved(session.here.trail[depth - steps])


def goto(session: Session, path: ChoicePath) -> Session:
    """Goes to the state that a path names, visited or not.

    Raises:
        CannotStep: there is no such path.
    """
    return session.moved(node_at(session.subject, path))


def node_at(subject: Subject, path: ChoicePath) -> Visit:
    """The state that a path names.

    Raises:
        CannotStep: there is no such path.
    """
    node = subject.root
    for position, number in enumerate(path, 1):
        if not 1 <= number <= len(node.choices):
            shown = path_text(path[: position - 1]) or "the start"
            there = f"there {'is' if len(node.choices) == 1 else 'are'} {counted(len(node.choices), 'choice')}"
            raise CannotStep(f"the path {path_text(path)} ends at its step {position}: after {shown} {there}")
        node = node.child(node.choices[number - 1])
    return node


def path_text(path: ChoicePath) -> str:
    """A path as it is written; the start is empty."""
    return ".".join(map(str, path))


def path_from(text: str) -> ChoicePath:
    """A path as it was written.

    Raises:
        CannotStep: it is none.
    """
    parts = text.split(".") if text else []
    if not all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts):
        raise CannotStep(f"{text[:60]!r} is no path: expected numbers of choices with dots between them, such as 3.1.4")
    return tuple(map(int, parts))


def at_random(session: Session, steps: int, seed: int) -> Session:
    """Takes so many deliveries at random (faults never), or as many as there are.

    Raises:
        CannotStep: there is none, or too many are asked for.
    """
    if not 1 <= steps <= RANDOM_STEPS_MAX:
        raise CannotStep(f"random takes 1 to {RANDOM_STEPS_MAX:,} steps at once")
    walk, node = Random(f"{seed} {path_text(session.here.path)}"), session.here
    for _ in range(steps):
        deliveries = [each for each in node.choices if not each.is_fault]
        if not deliveries:
            break
        node = node.child(walk.choice(deliveries))
    if node is session.here:
        raise CannotStep("nothing can be delivered any more; `back` goes back a step")
    return session.moved(node)


def along(session: Session, steps: Sequence[TraceStep]) -> Session:
    """Takes the steps of a run that begins here, of a model that may record less."""
    node = session.here
    for each in steps:
        after = _but_history(each.after)
        leading = [one for one in node.choices if _but_history(one.after) == after]
        node = node.child(next((one for one in leading if one.step == each.step), leading[0]))
    return session.moved(node)


def _but_history(state: State) -> list[tuple[Any, Any]]:
    return [(view.state, view.inbox) for view in state]
