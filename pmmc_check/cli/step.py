"""`pmmc-check step`: a dialogue in the terminal, or a script on standard input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from pmmc_check.cli.explore_options import configure_model
from pmmc_check.cli.failures import EXIT_HOLDS, in_script
from pmmc_check.cli.interrupts import interruptible, signals_forgotten
from pmmc_check.cli.outputs import OutputFile, results_stream, write_results
from pmmc_check.cli.terminal import layout
from pmmc_check.errors import PmmcError

if TYPE_CHECKING:
    from pmmc_check.explorer.commands import Dialogue, Reply
    from pmmc_check.explorer.session import Session

_EPILOG = """\
examples:
  pmmc-check step
      the default configuration; `help` says what to type
  pmmc-check step --acceptors 1 --slots 1 --network lossy --crashes 1
      with an acceptor that may crash, and messages that may be lost
  pmmc-check step specs/stuck-slot.spec
      what a spec says
  pmmc-check explore SPEC --trace-out found.pmmc
  pmmc-check step --load found.pmmc
      a counterexample, to step through and to go on from
  printf 'until decided\\nhistory\\nsave run.pmmc\\n' | pmmc-check step
      a script: it ends at the first line that cannot be done (exit code 2)
"""
PROMPT = "> "


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    configure_model(parser)
    parser.add_argument("--load", metavar="FILE", help="begin at the end of a recorded run: a counterexample or any trace")
    parser.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colours: auto (default) on a terminal, unless NO_COLOR is set"
    )


def run(arguments: argparse.Namespace) -> int:
    """Reads commands until they end."""
    from pmmc_check.cli.stepping import session_of, users_code_kept_in

    with users_code_kept_in(arguments):
        session, spec, told = session_of(arguments)
        talk(session, _dialogue(arguments.color, spec), told)
    return EXIT_HOLDS


def _dialogue(color: str, spec: Any) -> Dialogue:
    from pmmc_check.explorer.commands import Dialogue

    return Dialogue(layout(results_stream(), color), spec)


def talk(session: Session, dialogue: Dialogue, told: tuple[Any, ...]) -> None:
    """Talks until `quit` or the end of the input. A script ends at the first line that cannot be carried out.

    Raises:
        UsageError: that line, and what is wrong with it.
    """
    from pmmc_check.explorer.commands import where_parts

    interactive = sys.stdin.isatty() and results_stream().isatty()
    _show((*told, *where_parts(session, dialogue)), dialogue)
    if interactive:
        _show(("", "Type a number, or `help`."), dialogue)
    lines = _typed(session) if interactive else _scripted()
    typed = next(lines, None)
    while typed is not None:
        number, line = typed
        try:
            reply = _carried_out(line, session, dialogue)
        except PmmcError as error:
            if not interactive:
                raise in_script(number, error) from None
            _show((str(error),), dialogue)
        except KeyboardInterrupt:
            signals_forgotten()
            _show(("interrupted",), dialogue)
        else:
            session = reply.session
            if reply.ends:
                return
        try:
            typed = lines.send(session)
        except StopIteration:
            return


def _carried_out(line: str, session: Session, dialogue: Dialogue) -> Reply:
    from dataclasses import replace

    from pmmc_check.checker.result import Control, Limits
    from pmmc_check.explorer.commands import answered
    from pmmc_check.explorer.until import UNTIL_SECONDS_MAX

    control = Control(Limits(seconds_max=UNTIL_SECONDS_MAX))
    with interruptible(control):
        reply = answered(line, session, replace(dialogue, control=lambda: control))
    signals_forgotten()
    if reply.writes is not None:
        name, text = reply.writes
        with OutputFile("save", name) as target:
            target.write(text)
    _show(reply.shown, dialogue)
    return reply


def _show(parts: tuple[Any, ...], dialogue: Dialogue) -> None:
    from pmmc_check.report.layout import rendered

    if parts:
        write_results([rendered(parts, dialogue.layout)])


NumberedLine = tuple[int, str]
"""A line that was typed, and its number, from 1."""


def _scripted() -> Generator[NumberedLine, Session, None]:
    """The lines of standard input, each shown as if it were typed."""
    for number, line in enumerate(sys.stdin, 1):
        text = line.rstrip("\n")
        if text.lstrip().startswith("#"):
            continue
        write_results([f"{PROMPT}{text}\n"])
        yield number, text


def _typed(session: Session) -> Generator[NumberedLine, Session, None]:
    """What is typed, with completion; each `send` tells the session that the next line is about."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer, Completion
    from prompt_toolkit.document import Document

    from pmmc_check.explorer.help_text import completions

    class _Completer(Completer):
        def get_completions(self, document: Document, complete_event: Any) -> Iterator[Completion]:
            last = document.text_before_cursor.rpartition(" ")[2]
            for each in completions(document.text_before_cursor, session):
                yield Completion(each, start_position=-len(last))

    prompt: PromptSession[str] = PromptSession(PROMPT, completer=_Completer(), complete_while_typing=False)
    for number in count(1):
        try:
            text = prompt.prompt()
        except KeyboardInterrupt:
            write_results(["Ctrl-D or `quit` ends.\n"])
            continue
        except EOFError:
            return
        session = (yield number, text) or session
