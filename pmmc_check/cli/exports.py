"""`--export FILE`: the run that a verb shows, for other tools; `explore --export-tla DIR`: the configuration and the run for TLC."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pmmc_check.cli.failures import say
from pmmc_check.cli.outputs import OutputFile, make_folder
from pmmc_check.errors import UsageError

if TYPE_CHECKING:
    from pmmc_check.checker.result import Result, Violation
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

    def write(self, run: Callable[[], Run] | None) -> None:
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


def found_run(result: Result, witnesses: list[Any], model: Model) -> Callable[[], Run] | None:
    """What makes the run that a search shows: its counterexample, else the first witness. None: it shows none."""
    found = _shown(result, witnesses, model)
    if found is None:
        return None
    violation, name, about = found

    def make() -> Run:
        from pmmc_check.report.runs.of_search import run_of_violation, run_of_witness

        return run_of_violation(violation, about) if name is None else run_of_witness(name, violation, about)

    return make


def _shown(result: Result, witnesses: list[Any], model: Model) -> tuple[Violation, str | None, Model] | None:
    """The run, the name of what it is a witness of, and the model that it is a run of: `model` for the counterexample."""
    if result.violation is not None:
        return result.violation, None, model
    return next(((each.result.violation, each.name, each.model) for each in witnesses if each.result.violation is not None), None)


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

    def write(self, result: Result, witnesses: list[Any], model: Model, counts: dict[str, Any] | None) -> None:
        """The module, what TLC is to check, and what it should find; of variants and roles of one's own only the run.

        `counts` are the states that TLC should find; None: the protocol is not the paper's.
        """
        from pmmc_check.report.exchange.tla_module import CHECK_COMMAND, model_text, module_text

        texts = {"PMMC.tla": module_text()}
        expected: dict[str, Any] = {"config": model.config.as_dict()}
        if counts is not None:
            texts["PMMC.cfg"] = model_text(model.config)
            expected |= {"command": CHECK_COMMAND, **counts}
        replayed = self._run(result, witnesses, model)
        if replayed is not None:
            texts |= replayed[0]
            expected["run"] = replayed[1]
        for name, text in {**texts, "expected.json": json.dumps(expected, indent=1) + "\n"}.items():
            with OutputFile("--export-tla", str(self.path / name)) as file:
                file.write(text)

    def _run(self, result: Result, witnesses: list[Any], model: Model) -> tuple[dict[str, str], dict[str, Any]] | None:
        found = _shown(result, witnesses, model)
        if found is None:
            return None
        from pmmc_check.report.exchange import NotExpressible
        from pmmc_check.report.exchange.tla_run import REPLAY_COMMAND, tla_run
        from pmmc_check.report.why import why

        violation, name, model = found
        departs = [each.index for each in why(violation, model).deviations if each.index] if name is None else []
        try:
            run = tla_run(violation, model, name or f"{violation.invariant}: {violation.how}", departs)
        except NotExpressible as error:
            say("explore", f"{self.path / 'Run.tla'} was not written: {error}")
            return None
        told = {
            "command": REPLAY_COMMAND,
            "steps": run.steps,
            "violates": None if departs else run.violates,
            "departs_at": min(departs, default=None),
        }
        return {"Run.tla": run.module, "Run.cfg": run.model}, told
