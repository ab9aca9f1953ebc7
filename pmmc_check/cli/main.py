"""The `pmmc-check` command: one module a verb, loaded only when its verb is used, so that `--help` answers at once.

A verb's module has `configure(parser)`, which declares its options, and `run(arguments) -> int`, which returns the
exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from pmmc_check.errors import PmmcError

EXIT_HOLDS, EXIT_VIOLATED, EXIT_USAGE, EXIT_INCONCLUSIVE = 0, 1, 2, 3

VERBS = {
    "explore": "check every interleaving of a configuration",
    "variants": "list the seeded faults, fixes and optimisations that explore --variant takes",
    "validate": "check recorded traces against the protocol",
    "simulate": "write traces of random runs",
    "convert": "convert traces between the DSL and JSON Lines",
}

_EPILOG = """\
examples:
  pmmc-check explore                                the default configuration, to the end
  pmmc-check explore --acceptors 1 --slots 1 --commands 2 --variant ignore-pmax
                                                    a seeded fault, and a shortest run that shows it
  pmmc-check validate traces/                       all traces in a folder
  pmmc-check VERB --help                            all options of a verb, with more examples

exit codes: 0 holds or accepted, 1 violated or rejected, 2 usage or bad input, 3 inconclusive (a limit stopped it)
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors say what to do next."""

    def error(self, message: str) -> NoReturn:
        """One line, exit code 2."""
        self.exit(EXIT_USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = Parser(
        prog="pmmc-check",
        description="Model checker and trace validator for PMMC (Paxos Made Moderately Complex).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    for verb, summary in VERBS.items():
        verb_parser = verbs.add_parser(
            verb,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if verb == chosen:
            _module(verb).configure(verb_parser)
    return _run(parser, parser.parse_args(arguments))


def _run(parser: Parser, parsed: argparse.Namespace) -> int:
    if parsed.version:
        from pmmc_check import __version__

        print(f"pmmc-check {__version__}")
        return EXIT_HOLDS
    if parsed.verb is None:
        parser.error("which verb? " + " | ".join(VERBS))
    try:
        code: int = _module(parsed.verb).run(parsed)
        sys.stdout.flush()
        return code
    except PmmcError as error:
        text = str(error) if error.in_lines else " ".join(str(error).split())
        print(f"pmmc-check {parsed.verb}: {text}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print(f"pmmc-check {parsed.verb}: interrupted before there was a result", file=sys.stderr)
        return EXIT_INCONCLUSIVE
    except MemoryError:
        print(f"pmmc-check {parsed.verb}: out of memory; take a smaller configuration, or set --max-memory lower", file=sys.stderr)
        return EXIT_INCONCLUSIVE
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"pmmc-check {parsed.verb}: cannot read or write: {error.strerror or error}", file=sys.stderr)
        return EXIT_USAGE


def _module(verb: str) -> ModuleType:
    return importlib.import_module(f"pmmc_check.cli.{verb}")
