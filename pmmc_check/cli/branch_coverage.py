"""`pmmc-check validate --coverage`: which branches of the protocol the traces reach, and those of earlier runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pmmc_check.cli.numbers import number_of
from pmmc_check.cli.outputs import OutputFile, print_results
from pmmc_check.errors import UsageError
from pmmc_check.report.branch_coverage import branch_lines
from pmmc_check.validation.corpus import CorpusCoverage, CoverageFileError, coverage_from, coverage_of
from pmmc_check.validation.verdict import TraceVerdict


def configure_coverage(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    group = parser.add_argument_group("coverage")
    group.add_argument("--coverage", action="store_true", help="also count which branches of the protocol the accepted runs reach")
    group.add_argument(
        "--coverage-file", metavar="FILE", help="with --coverage: add to what this file has from earlier runs, and keep it there"
    )
    group.add_argument(
        "--fail-under",
        type=number_of("percent, from 0 to 100"),
        metavar="P",
        help="with --coverage: exit with 3 where fewer than P percent are reached",
    )


def check_coverage(arguments: argparse.Namespace) -> None:
    """Whether the options go together. Raises `UsageError` if they do not."""
    for option, given in (("--coverage-file", arguments.coverage_file is not None), ("--fail-under", arguments.fail_under is not None)):
        if given and not arguments.coverage:
            raise UsageError(f"{option}: needs --coverage")
    if arguments.fail_under is not None and not 0 <= arguments.fail_under <= 100:
        raise UsageError(f"--fail-under {arguments.fail_under:g}: must be from 0 to 100")


class CoverageReport:
    """What the traces of this run reach, with those of earlier ones that the file has.

    Raises:
        UsageError: the file cannot be read or written, or is none of ours.
    """

    def __init__(self, arguments: argparse.Namespace, stack: ExitStack) -> None:
        self.fail_under: float | None = arguments.fail_under
        self.asked: bool = arguments.coverage
        self.quiet: bool = arguments.quiet
        self.total = CorpusCoverage()
        self._file: OutputFile | None = None
        if arguments.coverage_file is not None:
            name = arguments.coverage_file
            self.total = _read(name)
            self._file = stack.enter_context(OutputFile("--coverage-file", name))

    def add(self, verdicts: Sequence[TraceVerdict]) -> None:
        """Adds this run, and keeps the sum."""
        if not self.asked:
            return
        self.total += coverage_of(verdicts)
        if self._file is not None:
            self._file.write(json.dumps(self.total.to_json(), indent=1) + "\n")
            self._file.commit()

    def fields(self) -> dict[str, Any]:
        """For the JSON of the report."""
        return {"coverage": self.total.to_json()} if self.asked else {}

    def show(self) -> None:
        """For people."""
        if self.asked:
            first, *rest = branch_lines(self.total, rows=self.fail_under is None or self.too_low)
            print_results(first, *(() if self.quiet else rest))
            if self.too_low:
                print_results(f"coverage is under {self.fail_under:g} % (--fail-under)")

    @property
    def too_low(self) -> bool:
        """Whether fewer branches are reached than should be."""
        return self.asked and self.fail_under is not None and self.total.percent < self.fail_under


def _read(name: str) -> CorpusCoverage:
    path = Path(name)
    if not path.exists():
        return CorpusCoverage()
    try:
        return coverage_from(path.read_text(encoding="utf-8"))
    except CoverageFileError as error:
        raise UsageError(f"--coverage-file {name}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"--coverage-file {name}: cannot be read: {reason}") from None
