"""`--export FILE`: the run that a verb shows, for other tools; `explore --export-tla DIR`: the configuration and the run for TLC."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pmmc_check.cli.failures import say
from pmmc_check.cli.outputs import OutputFile, make_folder
from pmmc_check.errors import UsageError

if TYPE_CHECKING:
    from pmmc_check.api.exploration import ShownRun
    from pmmc_check.model.model import Model
    from pmmc_check.report.runs.run import Run


def configure_export(out: argparse._ActionsContainer, what: str) -> None:
    """Declares `--export`; `what` is the run that it writes."""
    out.add_argument(
        "--export",
        metavar="FILE",
        action="append",
        default=[],
        help=f"also write {what} for other tools: .itf.json, .shiviz, .mmd (Mermaid) or .puml (PlantUML); repeatable (docs/exchange.md)",
    )


class ExportFiles:
    """The files that `--export` names, opened before the work whose run they are to hold.

    Raises:
        UsageError: one cannot be written, or its name tells no format.
    """

    def __init__(self, verb: str, names: list[str]) -> None:
        self._verb = verb
        self._stack = ExitStack()
        self._files: list[tuple[OutputFile, Any]] = []
        if names:
            from pmmc_check.report.exchange.formats import run_format_of

            formats = [run_format_of(name) for name in names]
            self._files = [(OutputFile("--export", name), each) for name, each in zip(names, formats, strict=True)]

    def __enter__(self) -> ExportFiles:
        for file, _ in self._files:
            self._stack.enter_context(file)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, run: Callable[[], Run | None] | None) -> None:
        """Writes the run to each file; a sentence says where there is none, or a format cannot hold it."""
        if not self._files:
            return
        from pmmc_check.report.exchange import NotExpressible

        made = run() if run is not None else None
        for file, each in self._files:
            if made is None:
                say(self._verb, f"there is no run to show, so {file.path} was not written")
                continue
            try:
                text = each.write(made)
            except NotExpressible as error:
                say(self._verb, f"{file.path} was not written: {error}")
                continue
            file.write(text)
            file.commit()


class TlaFolder:
    """The folder that `--export-tla` names, made before the search; if nothing is written, it is as it was before.

    Raises:
        UsageError: it cannot be made, or the configuration is none of one size.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.path = Path(arguments.export_tla).absolute()
        if arguments.slots == "any" or arguments.strategy == "compositional":
            raise UsageError(f"--export-tla {self.path}: TLC checks one configuration; give a number of --slots")
        self._made = [each for each in (self.path, *self.path.parents) if not each.exists()]
        make_folder("--export-tla", self.path)

    def __enter__(self) -> TlaFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError):  # what was made for nothing goes again; a folder that holds something stays
            for each in self._made:
                each.rmdir()

    def write(self, model: Model, run: ShownRun | None, counts: dict[str, Any] | None) -> None:
        """The module, what TLC is to check, and what it should find; of variants and roles of one's own only the run.

        `counts` are the states that TLC should find; None: the protocol is not the paper's.
        """
        from pmmc_check.report.exchange.tla_files import tla_files

        texts, problem = tla_files(model, run, counts)
        if problem is not None:
            say("explore", f"{self.path / 'Run.tla'} was not written: {problem}")
        for name, text in texts.items():
            with OutputFile("--export-tla", str(self.path / name)) as file:
                file.write(text)
