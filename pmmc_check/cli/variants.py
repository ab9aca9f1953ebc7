"""`pmmc-check variants`: lists the built-in variants, or checks each and writes the page of the documentation."""

from __future__ import annotations

import argparse
import json
import sys

from pmmc_check.cli.failures import EXIT_HOLDS, EXIT_VIOLATED
from pmmc_check.cli.interrupts import interruptible
from pmmc_check.cli.outputs import print_results, write_results

_EPILOG = """\
examples:
  pmmc-check variants
      what there is, what each breaks, and a configuration that shows it
  pmmc-check variants --format json
      the same, for scripts
  pmmc-check variants --matrix > docs/variants.md
      runs all of them, in about a minute; exit code 1 when one does not do
      what it should
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or one JSON object")
    parser.add_argument("--matrix", action="store_true", help="check every variant, and print the documentation's page")


def run(arguments: argparse.Namespace) -> int:
    """Prints the list, or the page."""
    if arguments.matrix:
        return _matrix()
    from pmmc_check.cli.terminal import layout
    from pmmc_check.report.variants import as_list, catalogue_as_json

    listed = as_list(layout(sys.stdout, "auto")).removesuffix("\n")
    print_results(json.dumps(catalogue_as_json(), indent=1) if arguments.format == "json" else listed)
    return EXIT_HOLDS


def _matrix() -> int:
    from pmmc_check.checker.matrix import Row, all_rows, as_published, unmodified
    from pmmc_check.report.variants import as_page

    def report(row: Row) -> None:
        print(f"{row.variant.name}: {row.invariant or 'all'} {row.verdict}, {row.seconds:.1f} s", file=sys.stderr)

    rows = all_rows(report, interruptible)
    without = unmodified(rows, interruptible)
    write_results([as_page(rows, without)])
    good = all(row.expected for row in rows) and all(as_published(rows, *each) for each in without)
    return EXIT_HOLDS if good else EXIT_VIOLATED
