"""The sheets of `explore --slots any`: the run that confirms a violation, and what each part of the argument has covered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pmmc_check.checker.any_slots.search import AnySlotsResult
from pmmc_check.protocol.messages import show
from pmmc_check.report.any_slots_text import facts_for_every_slot, headline_of_every_slot
from pmmc_check.report.any_slots_words import acceptors, of_slot, replica_bounds
from pmmc_check.report.explore_text import headline
from pmmc_check.report.page.sheets import Sheet, coverage_rows, grouped, violation_sheet
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED
from pmmc_check.words import counted

_SHOWN_APART = ("premises", "one slot", "replica")
"""Facts that have a part of the sheet of their own."""


def sheets_for_every_slot(result: AnySlotsResult) -> list[Sheet]:
    """The counterexample that confirms a violation, if there is one, and the argument."""
    shown = result.confirmation.shown if result.confirmation else None
    runs = [violation_sheet(each, shown[1]) for each in shown[0].violations] if shown is not None else []
    return [*runs, every_slot_sheet(result)]


def every_slot_sheet(result: AnySlotsResult) -> Sheet:
    """Premises, the one-slot system, the replica by itself: what was checked of each, and what it covers."""
    shown = result.confirmation.shown if result.confirmation else None
    one_slot = result.one_slot
    return {
        "name": "every number of slots",
        "verdict": result.verdict,
        "summary": f"any number of slots, {acceptors(result.scope.config)}",
        "search": {
            "headline": (headline(shown[0]) if shown else headline_of_every_slot(result)).plain,
            "facts": [[label, text] for label, text in grouped(facts_for_every_slot(result)) if label not in _SHOWN_APART],
            "levels": list(one_slot.level_sizes),
            "coverage": coverage_rows(one_slot),
            "invariants": list(_invariants(result)),
            "parts": {"premises": _premises(result), "oneSlot": _one_slot(result), "replica": _replica(result)},
        },
    }


def _invariants(result: AnySlotsResult) -> Iterator[list[str]]:
    """Name, verdict, and for what it was checked."""
    for name in result.invariants:
        if name in of_slot(result):
            yield [name, _settled(result, name, result.one_slot.verdict), "in every slot"]
        else:
            yield [name, _settled(result, name, result.replica.verdict if result.replica else INCONCLUSIVE), "for one replica"]


def _settled(result: AnySlotsResult, name: str, part: str) -> str:
    """What is known of one invariant, when its part ended with `part`: a violation counts once a run has confirmed it."""
    shown = result.confirmation.shown if result.confirmation else None
    if shown and any(each.invariant == name for each in shown[0].violations):
        return VIOLATED
    return HOLDS if part == HOLDS else INCONCLUSIVE


def _premises(result: AnySlotsResult) -> dict[str, Any]:
    premises = result.premises
    rows: list[list[Any]] = [[each.name, each.statement, each.steps, each.weaker] for each in premises.results]
    if result.replica and not result.replica.violation:
        rows.append(["replicas only propose", "they send no more than the environment does", result.replica.steps, 0])
    whole = "" if premises.complete else "; not all of them were searched to the end"
    note = f"Checked on all {premises.local_steps:,} local steps of {premises.systems} small systems, not proved for larger ones{whole}."
    return {"rows": rows, "note": note}


def _one_slot(result: AnySlotsResult) -> dict[str, Any]:
    part = result.one_slot
    depth = f", depth {part.depth}" if part.depth else ""
    facts = [
        ["states", f"{part.distinct_states:,} distinct, {part.generated_states:,} generated{depth}"],
        ["reductions", ", ".join(part.reductions) or "none"],
        ["engine", part.engine],
        ["invariants", ", ".join(of_slot(result)) or "none: it is only a premise of the replica's part"],
    ]
    return {"verdict": part.verdict, "facts": facts, "run": []}


def _replica(result: AnySlotsResult) -> dict[str, Any]:
    names = ", ".join(name for name in result.invariants if name not in of_slot(result)) or "none: it is only a premise"
    part = result.replica
    if part is None:
        return {"verdict": "not reached", "facts": [["invariants", names]], "run": []}
    facts = [
        ["states", f"{part.states:,} distinct, {counted(part.steps, 'step')}" + (f", depth {part.depth}" if part.depth else "")],
        ["within", replica_bounds(part.bounds)],
        ["invariants", names],
    ]
    found = part.violation
    if found is None:
        return {"verdict": part.verdict, "facts": facts, "run": []}
    facts.append(["found", f"a replica with WINDOW {found.window}, by itself, can break {found.invariant}: {found.how}"])
    run = [[f"{step.message} → {found.replica}", show(step.outcome.state)] for step in found.run]
    return {"verdict": part.verdict, "facts": facts, "run": run}
