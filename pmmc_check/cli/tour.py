"""`pmmc-check tour`: lessons in the terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import count

from pmmc_check.cli.failures import EXIT_HOLDS, in_script
from pmmc_check.cli.outputs import print_results, results_stream, write_results
from pmmc_check.cli.step import PROMPT
from pmmc_check.cli.terminal import layout
from pmmc_check.errors import PmmcError

_EPILOG = """\
examples:
  pmmc-check tour               the lessons, one after another
  pmmc-check tour --list        what there is
  pmmc-check tour 3             one lesson; so does: pmmc-check tour pmax
  printf 'b\\nb\\nno\\nyes\\n' | pmmc-check tour 3
                                answers from standard input; where it ends,
                                the engine answers

Which answer is right is not written down anywhere: the engine takes the steps,
or searches all states, and looks.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    parser.add_argument("lessons", metavar="LESSON", nargs="*", help="numbers or names (default: all)")
    parser.add_argument("--list", action="store_true", help="list the lessons and end")
    parser.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colours: auto (default) on a terminal, unless NO_COLOR is set"
    )


def run(arguments: argparse.Namespace) -> int:
    """Gives the lessons."""
    from pmmc_check.explorer.tour.lessons import LESSONS, lesson_named

    if arguments.list:
        print_results(*(f"{each.number}  {each.name:18} {each.summary} ({each.section.partition(' (')[0]})" for each in LESSONS))
        return EXIT_HOLDS
    lessons = [lesson_named(each) for each in arguments.lessons] or LESSONS
    lines = _lines()
    for position, lesson in enumerate(lessons):
        if position:
            print_results("")
        if not _given(lesson, lines, arguments.color):
            break
    return EXIT_HOLDS


def _given(lesson: object, lines: Iterator[tuple[int, str]], color: str) -> bool:
    """Gives one lesson; False when it was left."""
    from pmmc_check.explorer.tour.guide import opened, replied
    from pmmc_check.explorer.tour.lesson import Lesson
    from pmmc_check.report.layout import rendered

    assert isinstance(lesson, Lesson)
    look = layout(results_stream(), color)
    told = opened(lesson, look)
    write_results([rendered(told.shown, look)])
    while told.guide.question is not None:
        number, line = next(lines, (0, ""))
        if line.strip().lower() in ("quit", "q", "exit"):
            return False
        try:
            told = replied(told.guide, line)
        except PmmcError as error:
            if not sys.stdin.isatty():
                raise in_script(number, error) from None
            write_results([rendered([str(error)], look)])
        else:
            write_results(["\n", rendered(told.shown, look)])
    return True


def _lines() -> Iterator[tuple[int, str]]:
    """What is typed, with its number from 1, or the lines of a script, shown as if they were typed."""
    interactive = sys.stdin.isatty()
    for number in count(1):
        write_results([PROMPT])
        line = sys.stdin.readline()
        if not line:
            write_results(["\n"])
            return
        if not interactive:
            write_results([line if line.endswith("\n") else f"{line}\n"])
        yield number, line.rstrip("\n")
