"""The `pmmc-check` command: one module a verb, loaded only when its verb is used, so that `--help` answers at once.

A verb's module has `configure(parser)`, which declares its options, and `run(arguments) -> int`, which returns the
exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import NoReturn

from pmmc_check.cli.failures import EXIT_HOLDS, EXIT_USAGE, exit_for, say, show_traceback
from pmmc_check.cli.interrupts import signals_handled
from pmmc_check.cli.outputs import PLAIN_TEXT, print_results

VERBS = {
    "explore": "check every interleaving of a configuration",
    "variants": "list the seeded faults, fixes and optimisations that explore --variant takes",
    "validate": "check recorded traces against the protocol",
    "simulate": "write traces of random runs",
    "convert": "convert traces between the DSL and JSON Lines",
    "examples": "list the example traces and roles, or copy them to a folder",
}

_EPILOG = """\
examples:
  pmmc-check explore                                the default configuration, to the end
  pmmc-check explore --acceptors 1 --slots 1 --commands 2 --variant ignore-pmax
                                                    a seeded fault, and a shortest run that shows it
  pmmc-check validate traces/                       all traces in a folder
  pmmc-check VERB --help                            all options of a verb, with more examples

exit codes: 0 holds or accepted, 1 violated or rejected, 2 usage or bad input, 3 inconclusive (a limit or a signal stopped it),
            70 internal error (a bug of pmmc-check)
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors say what to do next."""

    def error(self, message: str) -> NoReturn:
        """One line, exit code 2."""
        self.exit(EXIT_USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    _open_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    verb = next((argument for argument in arguments if not argument.startswith("-")), "")
    if sys.stdout is None:
        say(verb, "standard output is closed, so no result can be shown; to discard it, write > /dev/null")
        return EXIT_USAGE
    try:
        with signals_handled():
            code = _run(_parsed(arguments, verb))
        sys.stdout.flush()
    except BaseException as error:
        text, code = exit_for(error)
        show_traceback(error)
        say(verb, text)
        _discard_what_cannot_be_written()
    return code


def _parsed(arguments: list[str], verb: str) -> argparse.Namespace | int:
    """What is asked for, or the exit code where the parser has said all that there is to say."""
    parser = Parser(
        prog="pmmc-check",
        description="Model checker and trace validator for PMMC (Paxos Made Moderately Complex).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    for name, summary in VERBS.items():
        verb_parser = verbs.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == verb:
            _module(verb).configure(verb_parser)
    try:
        parsed = parser.parse_args(arguments)
        if parsed.verb is None and not parsed.version:
            parser.error("which verb? " + " | ".join(VERBS))
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return parsed


def _run(parsed: argparse.Namespace | int) -> int:
    if isinstance(parsed, int):
        return parsed
    if parsed.version:
        from pmmc_check import __version__

        print_results(f"pmmc-check {__version__}")
        return EXIT_HOLDS
    code: int = _module(parsed.verb).run(parsed)
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


def _module(verb: str) -> ModuleType:
    return importlib.import_module(f"pmmc_check.cli.{verb}")
