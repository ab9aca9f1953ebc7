"""What a lesson is made of. Nothing in it says which answer is right: that is asked of the engine, in the state that the lesson is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pmmc_check.explorer.patterns import pattern_from
from pmmc_check.explorer.session import Session
from pmmc_check.explorer.until import goal_of
from pmmc_check.explorer.why_not import sendings
from pmmc_check.properties.checks import Checks


@dataclass(frozen=True)
class Say:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Do:
    """Commands of `step`, carried out one after another; what they do is shown, unless `quietly`."""

    lines: tuple[str, ...]
    quietly: bool = False


@dataclass(frozen=True)
class Holds:
    """An expression is true in a state."""

    expression: str

    def test(self, before: Session, after: Session) -> bool:
        """Asks the engine."""
        goal = goal_of(after.subject, self.expression)
        return Checks(after.subject.model, goal.invariants).of_state(after.here.state) is not None


@dataclass(frozen=True)
class Sends:
    """The steps that were just taken have sent a message that fits a pattern; with `now` false, none."""

    pattern: str
    now: bool = True

    def test(self, before: Session, after: Session) -> bool:
        """Asks the engine."""
        pattern = pattern_from(self.pattern, after.subject.model)
        new = [each for each in sendings(after.here) if each.step > before.here.depth]
        return any(pattern.matches(each.message, each.to) for each in new) == self.now


Condition = Holds | Sends


@dataclass(frozen=True)
class Option:
    """One answer to choose, and what must be so for it to be right: all of `when`."""

    text: str
    when: tuple[Condition, ...]

    def is_right(self, before: Session, after: Session) -> bool:
        """Whether it is, in the state after the question's steps."""
        return all(each.test(before, after) for each in self.when)


@dataclass(frozen=True)
class Predict:
    """What will these steps do? The engine takes them, and looks which option is true."""

    question: str
    steps: tuple[str, ...]
    options: tuple[Option, ...]
    because: str


@dataclass(frozen=True)
class CanHappen:
    """Can a state be reached in which `expression` is true? The engine searches, from the lesson's state; with `variant` from the start of
    a protocol with that change."""

    question: str
    expression: str
    because: str
    variant: str | None = None
    answers: ClassVar[Sequence[str]] = ("yes", "no")


Beat = Say | Do | Predict | CanHappen


@dataclass(frozen=True)
class Lesson:
    """`spec` is the text of a spec, the same as that of the shipped file `shipped` where there is one. `section` is the paper's."""

    number: int
    name: str
    summary: str
    section: str
    spec: str
    beats: tuple[Beat, ...]
    shipped: str | None = None
    variant: str | None = None
