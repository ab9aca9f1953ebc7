"""`pmmc-check conform`: what a role does otherwise than the paper's, step by step."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack

from pmmc_check.cli.controlled import controlled, options_given
from pmmc_check.cli.explore_options import configure_bounds
from pmmc_check.cli.failures import EXIT_HOLDS, EXIT_INCONCLUSIVE, EXIT_VIOLATED
from pmmc_check.cli.numbers import number_from_one
from pmmc_check.cli.outputs import print_results, prints_to_stderr, results_stream
from pmmc_check.cli.programs import configure_deadline

_EPILOG = """\
examples:
  pmmc-check conform --protocol 'exec:./target/release/acceptor-step'
      a program's acceptor, on all that it meets in the default configuration
  pmmc-check conform --acceptors 1 --slots 1 --commands 2 \\
    --protocol tidy_acceptor:TidyAcceptor
      a role in Python, in a small configuration
  pmmc-check conform --crashes 1 --restarts 1 --slots 1 \\
    --protocol 'exec:./acceptor-step' --format json
      restarts as well; as JSON, for scripts

exit codes: 0 every step is one of the paper's;
            1 some are not, the shortest way there first;
            2 usage or bad input; 3 inconclusive, a limit stopped the search
            before a difference was found
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    what = parser.add_argument_group("what is compared")
    what.add_argument(
        "--protocol",
        metavar="MODULE:OBJECT|exec:COMMAND",
        action="append",
        default=[],
        help="the role: in Python, or a program in any language (docs/any-language.md); may be repeated",
    )
    what.add_argument("--variant", metavar="NAME", action="append", default=[], help="a built-in variant (pmmc-check variants lists them)")
    configure_deadline(what)
    configure_bounds(parser)
    out = parser.add_argument_group("output")
    out.add_argument(
        "--differences", type=number_from_one, default=10, metavar="N", help="show at most N (default: %(default)s; JSON has all)"
    )
    out.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or one JSON object")
    out.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="colours: auto (default) on a terminal")
    out.add_argument("--quiet", action="store_true", help="no progress line")


def run(arguments: argparse.Namespace) -> int:
    """Compares, and prints what differs."""
    from pmmc_check.api.conforming import compared
    from pmmc_check.api.options import SearchOptions
    from pmmc_check.api.roles import all_roles_from
    from pmmc_check.cli.terminal import layout
    from pmmc_check.verdicts import CONFORMS, DIFFERS

    with ExitStack() as stack:
        if arguments.protocol:
            from pmmc_check.users_code import exits_refused

            stack.enter_context(prints_to_stderr())
            stack.enter_context(exits_refused())
        options = SearchOptions(**options_given(arguments), variants=arguments.variant, roles=all_roles_from(arguments.protocol))
        found = compared(options, lambda: controlled(options, arguments))
        shown = found.report(layout(results_stream(), arguments.color), arguments.differences)
        print_results(json.dumps(found.to_json(), indent=1) if arguments.format == "json" else shown.removesuffix("\n"))
    return {CONFORMS: EXIT_HOLDS, DIFFERS: EXIT_VIOLATED}.get(found.verdict, EXIT_INCONCLUSIVE)
