"""The lessons: each runs to its end, and what it says is what the engine finds."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import pytest
from helpers import ROOT, in_process

from explorer.test_step import Terminal
from pmmc_check.checker.reference import ReferenceSearch
from pmmc_check.checker.result import Control, Limits
from pmmc_check.errors import UsageError
from pmmc_check.explorer.tour.guide import Guide, opened, replied, search_for, subject_of_lesson
from pmmc_check.explorer.tour.lesson import CanHappen, Lesson, Predict
from pmmc_check.explorer.tour.lessons import LESSONS, lesson_named
from pmmc_check.explorer.until import begun_in, goal_of
from pmmc_check.report.layout import Layout, rendered
from pmmc_check.spec.document import read_spec, spec_from
from pmmc_check.spec.parse import SourceText

RIGHT = {
    1: ["b", "b", "a"],
    2: ["b", "b", "b", "yes", "no"],
    3: ["b", "b", "no", "yes"],
    4: ["c", "a", "b", "no", "yes"],
    5: ["b", "b", "yes", "yes"],
    6: ["b", "b", "no"],
    7: ["b", "no", "yes"],
    8: ["b", "no", "yes"],
}
"""What somebody who knows the paper would answer."""
every_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda each: each.name)


def _taught(lesson: Lesson, answers: list[str]) -> tuple[Guide, str]:
    told = opened(lesson, Layout())
    text = rendered(told.shown, Layout())
    for answer in answers:
        told = replied(told.guide, answer)
        text += rendered(told.shown, Layout())
    return told.guide, text


@every_lesson
def test_who_knows_the_paper_is_right(lesson: Lesson) -> None:
    guide, text = _taught(lesson, RIGHT[lesson.number])
    assert guide.question is None
    assert guide.right == guide.answered == len(RIGHT[lesson.number]) >= 3
    assert f"End of lesson {lesson.number}: {guide.right} of {guide.right} predictions right." in text
    assert max(map(len, text.splitlines())) <= 80
    assert lesson.section.startswith("section ")


@every_lesson
def test_every_other_answer_is_wrong_and_an_open_one_is_answered(lesson: Lesson) -> None:
    guide, text = _taught(lesson, [{"a": "b", "b": "a", "c": "a", "yes": "no", "no": "yes"}[each] for each in RIGHT[lesson.number]])
    assert (guide.right, guide.answered) == (0, len(RIGHT[lesson.number]))
    assert text.count("No: you said") == guide.answered
    guide, text = _taught(lesson, [""] * len(RIGHT[lesson.number]))
    assert (guide.right, guide.answered) == (0, 0)
    assert text.count("The engine: ") == len(RIGHT[lesson.number])


@pytest.mark.slow
@every_lesson
def test_what_can_happen_is_what_the_plain_search_finds(lesson: Lesson) -> None:
    told, compared = opened(lesson, Layout()), 0
    while (question := told.guide.question) is not None:
        if isinstance(question, CanHappen):
            start = told.guide.session.here if question.variant is None else subject_of_lesson(lesson, question.variant).root
            goal = goal_of(start.subject, question.expression)
            plain = ReferenceSearch(begun_in(start.subject.model, start.state), goal.invariants, Control(Limits(states_max=60_000))).run()
            if plain.limit is None:
                assert search_for(told.guide, question).reached == (plain.violation is not None)
                compared += 1
        told = replied(told.guide, "")
    assert compared or lesson is LESSONS[0]


def test_the_engine_answers_and_not_the_text() -> None:
    """The same lesson about another protocol has other right answers."""
    told = opened(replace(lesson_named("3"), variant="ignore-pmax"), Layout())
    told = replied(told.guide, "")
    assert isinstance(told.guide.question, Predict)
    answer = rendered(replied(told.guide, "").shown, Layout())
    assert "The engine: c2, which it was proposed." in answer


@every_lesson
def test_the_configuration_is_that_of_the_shipped_spec(lesson: Lesson) -> None:
    own = {name: each.values for name, each in spec_from(SourceText("lesson", lesson.spec)).settings.items()}
    if lesson.shipped is not None:
        shipped = read_spec(str(ROOT / "specs" / lesson.shipped)).settings
        assert {name: each.values for name, each in shipped.items() if name != "expect"} == {"commands": own.get("commands")} | own or own


def test_lessons_are_found_by_number_and_name() -> None:
    assert lesson_named("3") is lesson_named("why pmax") is lesson_named("why-pmax") is LESSONS[2]
    assert lesson_named("stuck slot").number == 4
    assert lesson_named("reconf").number == 7
    for wrong in ("9", "0", "nothing", "the"):
        with pytest.raises(UsageError, match="there is no lesson"):
            lesson_named(wrong)


def _tour(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lines: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    return in_process(capsys, "tour", *arguments)


def test_the_whole_tour_is_a_script_and_where_answers_end_the_engine_answers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _tour(capsys, monkeypatch, "")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("End of lesson") == len(LESSONS) == 8


def test_a_question_can_be_looked_into_and_a_lesson_left(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    done = _tour(capsys, monkeypatch, "state A1\nwhy not p2a to A1\nb\nquit\n", "1", "2")
    assert done.returncode == 0, done.stderr
    assert "Nobody has sent p2a" in done.stdout
    assert "Right: it tells L1" in done.stdout
    assert "Lesson 2" not in done.stdout


def test_what_is_no_answer_is_refused_and_the_list_needs_no_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in ("d", "back", "take 1", "²", "maybe yes"):
        done = _tour(capsys, monkeypatch, f"{line}\n", "1")
        assert done.returncode == 2
        assert "answer a or b, or an empty line to be told" in done.stderr
    listed = _tour(capsys, monkeypatch, "", "--list")
    assert [line[0] for line in listed.stdout.splitlines()] == list("12345678")
    assert "there is no lesson 9" in _tour(capsys, monkeypatch, "", "9").stderr


def test_a_lesson_on_a_terminal() -> None:
    terminal = Terminal("3", verb="tour", ready="What does A1 answer?")
    for answer, told in (("b", "Right"), ("a", "No"), ("no", "Right"), ("yes", "End of lesson 3: 3 of 4")):
        terminal.child.expect_exact("> ")
        terminal.child.send(f"{answer}\r")
        terminal.expect(told)
    assert terminal.ends() == 0
