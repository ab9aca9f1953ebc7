"""Leads through a lesson: lines in, what to show out. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pmmc_check.checker.result import Control, Limits
from pmmc_check.config import Config
from pmmc_check.errors import PmmcError
from pmmc_check.explorer.commands import Dialogue, answered, command_named
from pmmc_check.explorer.screen import step_parts
from pmmc_check.explorer.session import CannotStep, ChoicePath, Session, Subject, begun, node_at, path_text
from pmmc_check.explorer.tour.lesson import CanHappen, Do, Lesson, Predict, Say
from pmmc_check.explorer.until import UNTIL_SECONDS_MAX, goal_of, way
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.report.layout import Layout
from pmmc_check.spec.document import COUNTED, LISTED, spec_from
from pmmc_check.spec.parse import SourceText
from pmmc_check.words import counted

LOOKING = ("list", "state", "history", "invariants", "why", "help")
"""The commands of `step` that may be used before a question is answered: those that only look."""
_LETTERS = "abcdef"


@dataclass(frozen=True)
class Guide:
    """Where in a lesson we are: before the beat number `at`, in `session`; how many questions were answered, and how many rightly."""

    lesson: Lesson
    session: Session
    at: int = 0
    answered: int = 0
    right: int = 0
    layout: Layout = field(default_factory=Layout)

    @property
    def question(self) -> Predict | CanHappen | None:
        """The question that waits for an answer; None at the end."""
        if self.at >= len(self.lesson.beats):
            return None
        beat = self.lesson.beats[self.at]
        assert isinstance(beat, Predict | CanHappen), "what is no question is passed at once"
        return beat


@dataclass(frozen=True)
class Told:
    """A guide, and what to show."""

    guide: Guide
    shown: tuple[RenderableType, ...]


def subject_of_lesson(lesson: Lesson, variant: str | None = None) -> Subject:
    """What a lesson is about, with a change of the protocol if one is named."""
    settings = spec_from(SourceText(f"lesson {lesson.number}", lesson.spec)).settings
    given: dict[str, Any] = {name: each.values if name in LISTED else each.values[0] for name, each in settings.items()}
    counts: dict[str, Any] = {name: int(value) if name in COUNTED else value for name, value in given.items()}
    variants = tuple(each for each in (lesson.variant, variant) if each)
    model = Model(Config(**counts), protocol_with(variants))
    return Subject(model, tuple(invariants_named([])), (), variants)


def opened(lesson: Lesson, layout: Layout) -> Told:
    """Begins a lesson; goes on to its first question."""
    title = Text.assemble((f"Lesson {lesson.number}: {lesson.name}", "bold"), f". {lesson.summary}")
    where = Text(f"The paper: {lesson.section}.", style="dim")
    told = _to_the_next_question(Guide(lesson, begun(subject_of_lesson(lesson)), layout=layout))
    return Told(told.guide, (title, where, "", *told.shown))


def replied(guide: Guide, line: str) -> Told:
    """Takes an answer (a letter, yes or no; an empty line leaves it open), or a command that only looks.

    Raises:
        PmmcError: it is neither.
    """
    question = guide.question
    assert question is not None, "the lesson has ended"
    word = line.strip().lower()
    choices = _choices(question)
    known = {each: number for number, names in enumerate(choices) for each in names}
    if word and word not in known:
        return Told(guide, _looked(guide, line))
    after, right, shown = _answer(guide, question)
    given = known.get(word)
    verdict = _verdict(question, given, right)
    asked = replace(
        guide, session=after, at=guide.at + 1, answered=guide.answered + (given is not None), right=guide.right + (given == right)
    )
    told = _to_the_next_question(asked)
    return Told(told.guide, (*shown, verdict, Text(question.because), "", *told.shown))


def _choices(question: Predict | CanHappen) -> list[tuple[str, ...]]:
    if isinstance(question, CanHappen):
        return [("yes", "y", "a"), ("no", "n", "b")]
    return [(letter,) for letter in _LETTERS[: len(question.options)]]


def _looked(guide: Guide, line: str) -> tuple[RenderableType, ...]:
    question = guide.question
    assert question is not None
    listed = " or ".join(names[0] for names in _choices(question))
    name = line.strip().split(maxsplit=1)[0].lower()
    try:
        known = command_named(name) in LOOKING
    except CannotStep:
        known = False
    if not known:
        raise CannotStep(f"answer {listed}, or an empty line to be told; to look around first: {', '.join(LOOKING)}")
    return answered(line, guide.session, Dialogue(guide.layout)).shown


def _verdict(question: Predict | CanHappen, given: int | None, right: int) -> Text:
    answers = [each.text for each in question.options] if isinstance(question, Predict) else list(question.answers)
    told = answers[right]
    if given is None:
        return Text.assemble(("The engine", "bold"), f": {told}.")
    if given == right:
        return Text.assemble(("Right", "bold green"), f": {told}.")
    return Text.assemble(("No", "bold red"), f": you said {answers[given]}; the engine: {told}.")


def _answer(guide: Guide, question: Predict | CanHappen) -> tuple[Session, int, list[RenderableType]]:
    """The session after the question, the number of the right answer, and what the engine did."""
    if isinstance(question, Predict):
        after = guide.session
        for line in question.steps:
            after = answered(line, after, Dialogue(guide.layout)).session
        return after, right_option(question, guide.session, after), list(_steps(guide.session, after, guide.layout))
    found = search_for(guide, question)
    return guide.session, 0 if found.reached else 1, [Text(found.text, style="dim")]


def right_option(question: Predict, before: Session, after: Session) -> int:
    """The number of the one option that is true.

    Raises:
        PmmcError: none is, or several are: then the lesson is wrong.
    """
    right = [number for number, each in enumerate(question.options) if each.is_right(before, after)]
    if len(right) != 1:
        raise PmmcError(f"the lesson is wrong: {len(right)} answers to {question.question!r} are true; please report it")
    return right[0]


@dataclass(frozen=True)
class Searched:
    """Whether a state was reached, and a sentence about the search."""

    reached: bool
    text: str


def search_for(guide: Guide, question: CanHappen) -> Searched:
    """Looks for a state as a question asks.

    Raises:
        CannotStep: the search was stopped before it could tell.
    """
    return _searched(guide.lesson, guide.session.here.path if question.variant is None else (), question)


@lru_cache(maxsize=64)
def _searched(lesson: Lesson, path: ChoicePath, question: CanHappen) -> Searched:
    start = node_at(subject_of_lesson(lesson, question.variant), path)
    goal = goal_of(start.subject, question.expression)
    where = "from here" if question.variant is None else f"from the start, with --variant {question.variant}"
    checks = Checks(start.subject.model, goal.invariants)
    if checks.of_state(start.state):
        return Searched(True, f"It is so {where} already.")
    try:
        steps = way(start, goal, checks, Control(Limits(seconds_max=UNTIL_SECONDS_MAX)))
    except CannotStep as error:
        if "before the search was stopped" in str(error):
            raise
        found = str(error).removeprefix(f"until {goal.text}: ").replace("from here", where)
        return Searched(False, f"The engine searched: {found}.")
    return Searched(True, f"The engine found a shortest run {where}: {counted(len(steps), 'step')}.")


def _steps(before: Session, after: Session, layout: Layout) -> Iterator[RenderableType]:
    for node in after.here.trail[before.here.depth + 1 :]:
        yield from step_parts(node, layout)


def _to_the_next_question(guide: Guide) -> Told:
    """Says and does all that comes before the next question, and asks it."""
    shown: list[RenderableType] = []
    while guide.at < len(guide.lesson.beats):
        beat = guide.lesson.beats[guide.at]
        if isinstance(beat, Say):
            shown += [Text(beat.text), ""]
        elif isinstance(beat, Do):
            session = guide.session
            for line in beat.lines:
                session = answered(line, session, Dialogue(guide.layout)).session
            if not beat.quietly:
                shown += [*_steps(guide.session, session, guide.layout), ""]
            guide = replace(guide, session=session)
        else:
            return Told(guide, (*shown, *_asked(beat)))
        guide = replace(guide, at=guide.at + 1)
    return Told(guide, (*shown, *_ending(guide)))


def _asked(question: Predict | CanHappen) -> Iterator[RenderableType]:
    yield Text.assemble(("? ", "bold cyan"), (question.question, "bold"))
    if isinstance(question, Predict):
        for letter, option in zip(_LETTERS, question.options, strict=False):
            yield Text(f"  {letter}) {option.text}")
    else:
        yield Text("  yes or no")


def _ending(guide: Guide) -> Iterator[RenderableType]:
    questions = sum(isinstance(each, Predict | CanHappen) for each in guide.lesson.beats)
    yield Text(f"End of lesson {guide.lesson.number}: {guide.right} of {counted(questions, 'prediction')} right.", style="bold")
    if guide.lesson.shipped:
        path = path_text(guide.session.here.path) or "start"
        yield Text(f"To go on by yourself: pmmc-check step specs/{guide.lesson.shipped}; then goto {path}")
