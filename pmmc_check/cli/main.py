"""The `pmmc-check` command: one module a verb, loaded only when its verb is used, so that `--help` answers at once.

A verb's module has `configure(parser)`, which declares its options, and `run(arguments) -> int`, which returns the
exit code."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from pmmc_check.cli.failures import EXIT_HOLDS, EXIT_USAGE, exit_for, say, show_traceback
from pmmc_check.cli.guarded import guarded, needs_guard
from pmmc_check.cli.interrupts import exit_at_once, interrupted, signals_handled
from pmmc_check.cli.outputs import PLAIN_TEXT, print_results
from pmmc_check.cli.parser import module_of, parsed
from pmmc_check.errors import UsageError
from pmmc_check.external.lifetime import servers_ended
from pmmc_check.users_code import anything_handed_in, nothing_handed_in


def main(argv: Sequence[str] | None = None, ends_process: bool = False) -> int:
    """Runs the command; returns the exit code. `ends_process`: nothing else will run in this process."""
    os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")  # else numba ends with an escape sequence, NO_COLOR or not
    _open_streams()
    nothing_handed_in()
    arguments = list(sys.argv[1:] if argv is None else argv)
    verb = next((argument for argument in arguments if not argument.startswith("-")), "")
    if sys.stdout is None:
        say(verb, "standard output is closed, so no result can be shown; to discard it, write > /dev/null")
        return EXIT_USAGE
    try:
        with signals_handled(to_the_end=ends_process):
            code = _run(parsed(arguments, verb))
        sys.stdout.flush()
    except BaseException as error:
        text, code = exit_for(error)
        show_traceback(error)
        say(verb, text)
        _discard_what_cannot_be_written()
    return code


def entry() -> NoReturn:
    """The command as a process: no handler or thread that code of the user leaves behind can change the exit code any more."""
    gc.set_threshold(400_000, 10, 10)  # what a command makes it mostly keeps, so that looking for cycles often is a tenth of a short search
    if needs_guard(sys.argv[1:]):
        sys.exit(guarded(lambda: main(ends_process=True), _end))
    _end(main(ends_process=True))


def _end(code: int) -> NoReturn:
    gc.freeze()  # else Python looks for cycles in all that is left, at its end
    # Where a signal has been raised out of a text that is run, as those of dataclasses are while modules load, Python would end itself by
    # that signal at its end, whatever was done about it and whatever the exit code is.
    if anything_handed_in() or interrupted():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        exit_at_once(code)
    sys.exit(code)


def _run(asked: argparse.Namespace | int) -> int:
    if isinstance(asked, int):
        return asked
    if asked.version:
        from pmmc_check import __version__

        print_results(f"pmmc-check {__version__}")
        return EXIT_HOLDS
    try:
        with servers_ended(getattr(asked, "step_deadline", None)):
            code: int = module_of(asked.verb).run(asked)
    except UsageError as error:
        if not (settings := getattr(asked, "from_spec", None)):
            raise
        from pmmc_check.spec.refused import at_its_place

        raise at_its_place(error, settings) from error
    return code


def _open_streams() -> None:
    """Makes stdout and stderr show any text, and puts something in the place of those that are closed: else the next file that is opened
    would be taken for stderr."""
    with suppress(OSError):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) in (0, 2):
            pass
        os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=PLAIN_TEXT)


def _discard_what_cannot_be_written() -> None:
    """What is left in the buffer of a stdout that is full or has no reader: Python would try it again at its end, and exit with 120."""
    with suppress(OSError, ValueError):
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
