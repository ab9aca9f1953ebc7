"""The command's parser: a verb's options are declared by its own module, which is imported only when it is needed."""

from __future__ import annotations

import argparse
import importlib
import sys
import textwrap
from collections.abc import Collection, Sequence
from types import ModuleType
from typing import Any, NoReturn

from pmmc_check.cli.failures import EXIT_USAGE
from pmmc_check.cli.outputs import write_results
from pmmc_check.errors import did_you_mean

VERBS = {
    "explore": "check every interleaving of a configuration",
    "conform": "compare a role of your own with the paper's, step by step",
    "step": "step through a protocol or a recorded run, one delivery at a time, forwards and back",
    "tour": "learn the protocol in eight short lessons, each a run to predict and step",
    "variants": "list the seeded faults, fixes and optimisations that explore --variant takes",
    "validate": "check recorded traces against the protocol",
    "gate": "run all specs and traces of a project, and compare with what is expected",
    "show": "show a recorded run event by event, as text or as a page for a browser",
    "simulate": "write traces of random runs",
    "run": "run a live cluster, or simulated ones, and judge their traces",
    "node": "run one node of a cluster of several machines",
    "ctl": "pause, resume, inspect, reconfigure or stop a running cluster",
    "convert": "convert traces between formats, or other logs to traces",
    "examples": "list the example traces and roles, or copy them to a folder",
    "completion": "print a script that completes verbs and options in your shell",
}

_EPILOG = """\
examples:
  pmmc-check explore            the default configuration, to the end
  pmmc-check explore --acceptors 1 --slots 1 --commands 2 --variant ignore-pmax
                                a seeded fault, and a shortest run that shows it
  pmmc-check validate traces/   all traces in a folder
  pmmc-check VERB --help        all options of a verb, with more examples

exit codes: 0 holds or accepted, 1 violated or rejected, 2 usage or bad input,
            3 inconclusive (a limit or a signal stopped it),
            70 internal error (a bug of pmmc-check)
"""

START_PAGE = f"""\
pmmc-check: which verb? To begin with:

  pmmc-check explore
      checks Multi-Paxos with 3 acceptors and 2 leaders under every interleaving; takes a few seconds
  pmmc-check explore --acceptors 1 --slots 1 --commands 2 --variant ignore-pmax
      finds a seeded fault, and says why it breaks the protocol
  pmmc-check examples my-folder
      copies example traces and roles to a folder
  pmmc-check validate my-folder/traces
      checks recorded runs against the protocol

{textwrap.fill(f"verbs: {', '.join(VERBS)}", 80)}
pmmc-check --help lists them, pmmc-check VERB --help all options of one.
"""
"""What the command says when it is asked for nothing."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors say what was meant, perhaps, and what to do next."""

    def error(self, message: str) -> NoReturn:
        """One line, exit code 2."""
        self.exit(EXIT_USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """The error for arguments that mean nothing here."""
        options = [each for action in self._actions for each in action.option_strings]
        told = [each + did_you_mean(each.partition("=")[0], options) * each.startswith("-") for each in unknown]
        self.error(f"unrecognized arguments: {' '.join(told)}")

    def _print_message(self, message: str, file: Any = None) -> None:
        """As argparse does, which however says nothing when the help cannot be written."""
        if message and file is sys.stdout:
            write_results([message])
        else:
            super()._print_message(message, file)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse's, with a suggestion."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += did_you_mean(str(value), map(str, action.choices or ()))
            raise


def parser(configured: Collection[str] = ()) -> tuple[Parser, dict[str, Parser]]:
    """The whole parser, and that of each verb; those of the verbs in `configured` know their options."""
    whole = Parser(
        prog="pmmc-check",
        description="Model checker and trace validator for PMMC (Paxos Made Moderately Complex).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = whole.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    parsers = {}
    for name, summary in VERBS.items():
        parsers[name] = verbs.add_parser(
            name,
            help=summary,
            description=textwrap.fill(summary[0].upper() + summary[1:] + ".", 80),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name in configured:
            module_of(name).configure(parsers[name])
    return whole, parsers


def parsed(arguments: Sequence[str], verb: str) -> argparse.Namespace | int:
    """What is asked for, or the exit code where the parser has said all that there is to say. `verb` is the first word."""
    whole, parsers = parser([verb])
    try:
        if verb and verb not in VERBS:
            whole.error(f"there is no verb {verb}{did_you_mean(verb, VERBS)}")
        found, unknown = whole.parse_known_args(arguments)
        if unknown:
            parsers.get(found.verb, whole).refuse(unknown)
        if found.verb is None and not found.version:
            whole.exit(EXIT_USAGE, START_PAGE)
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return found


def module_of(verb: str) -> ModuleType:
    """The module that declares a verb's options and runs it."""
    return importlib.import_module(f"pmmc_check.cli.{verb}")
