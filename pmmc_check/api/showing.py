"""Results as pages, graphs, notebooks and files of other tools show them: loaded when one of these is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmmc_check.api.asked import AskedProperties
from pmmc_check.api.drawing import DrawnGraph, drawn_graph
from pmmc_check.api.exploration import Exploration, ShownRun, Witness
from pmmc_check.api.exporting import exported
from pmmc_check.api.options import strings, whole_numbers
from pmmc_check.checker.result import Control, Limits, Result
from pmmc_check.checker.state_graph import TooManyStates
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.properties.quorums import judgeable
from pmmc_check.protocol import PMMC
from pmmc_check.report.exchange.tla_files import tla_files
from pmmc_check.report.notebook import steps_table, summary_html
from pmmc_check.report.page.any_slots_sheets import sheets_for_every_slot
from pmmc_check.report.page.contents import sheets_of_search
from pmmc_check.report.page.page import page_html
from pmmc_check.report.runs.of_search import run_of_violation, run_of_witness
from pmmc_check.report.runs.run import Run
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE


def run_as_shown(shown: ShownRun | None) -> Run | None:
    """The run, with its explanation, or as a witness."""
    if shown is None:
        return None
    violation, name, model = shown
    return run_of_violation(violation, model) if name is None else run_of_witness(name, violation, model)


def export_of_run(shown: ShownRun | None, format: str) -> str | None:
    """The run in a format of other tools.

    Raises:
        UsageError: the format is unknown, or has no way to say something.
    """
    run = run_as_shown(shown)
    return exported(run, format) if run else None


def page_of(found: Exploration, title: str) -> str:
    """The page of a search."""
    if not isinstance(found.result, Result):
        return page_html(title, sheets_for_every_slot(found.result))
    result, model = found.of_one_configuration
    return page_html(title, sheets_of_search(result, found.witnesses, model, found.notes))


def drawing_of(found: Exploration, observe: Sequence[str], states_max: int, max_depth: int | None) -> DrawnGraph:
    """The graph of the configuration that was searched.

    Raises:
        UsageError: it is too large, what is to be observed does not exist, or it is about every number of slots.
    """
    whole_numbers({"states_max": states_max, "max_depth": max_depth})
    _, model, asked = _of_one(found, "graph")
    invariants = invariants_named(found.invariants) if asked.built_in else asked.invariants
    checked = judgeable(model, invariants)[0], asked.witnesses, asked.constraints
    try:
        return drawn_graph(model, checked, found.spec, strings("observe", observe), states_max, Control(Limits(depth_max=max_depth)))
    except TooManyStates:
        raise UsageError(
            f"states_max={states_max}: there are more than {states_max:,} states, without reductions; take a smaller configuration, "
            f"raise states_max, or give max_depth"
        ) from None


def tla_of(found: Exploration) -> dict[str, str]:
    """The files for TLC.

    Raises:
        UsageError: it has state constraints, or is about every number of slots.
    """
    result, model, asked = _of_one(found, "tla")
    if asked.constraints:
        raise UsageError(f"tla: TLC is given no state constraint, and {asked.constraints[0].name} is one; leave it out")
    return tla_files(model, found.shown, counts_for_tlc(result, model))[0]


def counts_for_tlc(result: Result, model: Model) -> dict[str, Any] | None:
    """What TLC should find, as far as this search knows it; None where it checks another protocol."""
    if any(model.protocol[role] is not paper for role, paper in PMMC.items()):
        return None
    expected: dict[str, Any] = {"verdict": result.verdict, "distinct_states": None, "depth": None}
    if result.verdict == HOLDS and result.depth and not result.reductions and result.walks is None:
        return expected | {"distinct_states": result.distinct_states, "depth": result.depth}
    return expected  # TLC would stop at the first violation, and reductions leave states out


def _of_one(found: Exploration, method: str) -> tuple[Result, Model, AskedProperties]:
    if found.asked is None:
        raise UsageError(f"{method}: it is about one configuration, and this result is for every number of slots; give a number of slots")
    return *found.of_one_configuration, found.asked


def exploration_in_notebook(found: Exploration) -> str:
    """HTML for a notebook."""
    answer = found.to_json()
    steps = answer["violation"]["steps"] if answer.get("violation") else ()
    tables = [steps_table("the run", steps)]
    tables += [steps_table(f"the run to {each['name']}", each["steps"] or ()) for each in answer.get("witnesses", ())]
    return summary_html(found.verdict, found.explanation(_ONE_LINE), tables, found.text(_WIDE))


def witness_in_notebook(witness: Witness) -> str:
    """HTML for a notebook."""
    words = {True: "reached", False: "none", None: INCONCLUSIVE}
    table = steps_table(f"the run to {witness.name}", witness.to_json()["steps"] or ())
    return summary_html(words[witness.reached], witness.text(_ONE_LINE).splitlines()[0], [table], witness.text(_WIDE))


_ONE_LINE, _WIDE = 1000, 120
"""Columns: notebooks wrap sentences by themselves, but tables are for a fixed width."""
