"""What TLC needs to check a configuration and to replay a run, as the texts of files."""

from __future__ import annotations

import json
from typing import Any

from pmmc_check.checker.result import Violation
from pmmc_check.model.model import Model
from pmmc_check.report.exchange import NotExpressible
from pmmc_check.report.exchange.tla_module import CHECK_COMMAND, model_text, module_text
from pmmc_check.report.exchange.tla_run import REPLAY_COMMAND, tla_run
from pmmc_check.report.why import why


def tla_files(
    model: Model, run: tuple[Violation, str | None, Model] | None, counts: dict[str, Any] | None
) -> tuple[dict[str, str], str | None]:
    """The files by their names, and why the run is not among them, where it cannot be said.

    `run` is with the name of what it is a witness of (None: it is a counterexample), and the model that it is a run of. `counts` are the
    states that TLC should find; None: the protocol is not the paper's, so there is only the run."""
    texts = {"PMMC.tla": module_text()}
    expected: dict[str, Any] = {"config": model.config.as_dict()}
    problem = None
    if counts is not None:
        texts["PMMC.cfg"] = model_text(model.config)
        expected |= {"command": CHECK_COMMAND, **counts}
    if run is not None:
        try:
            files, told = _replayed(*run)
            texts |= files
            expected["run"] = told
        except NotExpressible as error:
            problem = str(error)
    return {**texts, "expected.json": json.dumps(expected, indent=1) + "\n"}, problem


def _replayed(violation: Violation, name: str | None, model: Model) -> tuple[dict[str, str], dict[str, Any]]:
    departs = [each.index for each in why(violation, model).deviations if each.index] if name is None else []
    run = tla_run(violation, model, name or f"{violation.invariant}: {violation.how}", departs)
    told = {
        "command": REPLAY_COMMAND,
        "steps": run.steps,
        "violates": None if departs else run.violates,
        "departs_at": min(departs, default=None),
    }
    return {"Run.tla": run.module, "Run.cfg": run.model}, told
