"""The page of `explore --slots any`: premises, the one-slot system, the replica by itself, and the run that confirms a violation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from helpers import in_process

from pages.conftest import Opened
from pages.test_bundle import AXE, needs_npm
from pmmc_check.api.every_slot import searched_every_slot
from pmmc_check.api.options import SearchOptions
from pmmc_check.checker.any_slots.search import AnySlotsResult
from pmmc_check.checker.result import Control
from pmmc_check.report.page.any_slots_sheets import sheets_for_every_slot
from pmmc_check.report.page.page import sheets_in

Open = Callable[..., Opened]


@cache
def every_slot(variant: str | None = None, *invariants: str) -> AnySlotsResult:
    sizes = {"slots": "any", "acceptors": 1, "ballots": 2, "replica_slots": 2, "replica_commands": 2}
    variants = [variant] if variant else []
    return searched_every_slot(SearchOptions(**sizes, variants=variants, invariants=invariants), Control())  # type: ignore[arg-type]  # sizes


def unconfirmed() -> AnySlotsResult:
    """A replica breaks an invariant by itself, and no run of the whole system was found for it."""
    result = every_slot("ignore-window", "R5")
    assert result.replica is not None and result.replica.violation is not None and result.confirmation is not None
    return replace(result, verdict="inconclusive", confirmation=replace(result.confirmation, shown=None))


def test_the_page_shows_each_premise_with_its_count_and_both_parts(opened: Open) -> None:
    result = every_slot()
    assert result.replica is not None
    page = opened(sheets_for_every_slot(result))
    shown = [line.split("\t") for line in page.texts(".premises tbody tr")]
    expected = [(each.name, each.statement, each.steps) for each in result.premises.results]
    expected.append(("replicas only propose", "they send no more than the environment does", result.replica.steps))
    assert [(name.removeprefix("✓"), says, count.split("\n")[0]) for name, says, count in shown] == [
        (name, says, f"{count:,}") for name, says, count in expected
    ]
    assert f"{result.premises.local_steps:,} local steps of {result.premises.systems} small systems" in page.texts(".premises")[0]
    one_slot, replica = page.texts(".part")
    assert f"{result.one_slot.distinct_states:,} distinct" in one_slot and "HOLDS" in one_slot
    assert f"{result.replica.states:,} distinct" in replica and "within\n2 slots" in replica
    assert page.count("rect.bar[x]") == len(result.one_slot.level_sizes)
    assert page.texts(".facts dt")[:3] == ["covers", "bounded", "not covered"]
    verdicts = page.texts(".invariants li")
    assert "Agreement\nholds in every slot" in verdicts[0] and any("R5\nholds for one replica" in each for each in verdicts)


def test_a_violation_is_a_run_to_step_through_beside_the_argument(opened: Open) -> None:
    result = every_slot("ignore-pmax", "Agreement", "R2")
    page = opened(sheets_for_every_slot(result))
    assert page.count(".failing-frame") == 1 and page.texts("h1")[0].startswith("Agreement: two different commands")
    page.page.get_by_role("link", name="every number of slots").click()
    assert "VIOLATED" in page.texts(".headline")[0]
    agreement, other = page.texts(".invariants li")
    assert "violated in every slot" in agreement and "R2\nopen" in other
    assert "NOT REACHED" in page.texts(".part")[1]


def test_what_a_replica_does_by_itself_is_listed_where_no_run_confirms_it(opened: Open) -> None:
    result = unconfirmed()
    assert result.replica is not None and result.replica.violation is not None
    (sheet,) = sheets_for_every_slot(result)
    page = opened([sheet])
    steps = page.texts(".part-run li .sent")
    assert steps == [f"{step.message} → {result.replica.violation.replica}" for step in result.replica.violation.run] and steps
    assert "can break R5" in page.texts(".part")[1]


def test_the_command_writes_this_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    small = ("--acceptors", "1", "--ballots", "2", "--replica-slots", "2", "--quiet")
    assert in_process(capsys, "explore", "--slots", "any", *small, "--html", str(page)).returncode == 0
    (sheet,) = sheets_in(page.read_text(encoding="utf-8"))
    assert sheet["search"]["parts"]["replica"]["verdict"] == "holds" and "lines" not in sheet


@needs_npm
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violations(opened: Open, scheme: str) -> None:
    sheets: list[dict[str, Any]] = [*sheets_for_every_slot(every_slot()), *sheets_for_every_slot(unconfirmed())]
    for fragment in ("#sheet=0", "#sheet=1"):
        page = opened(sheets, fragment, color_scheme=scheme).page
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then(result => result.violations.map(each => [each.id, each.nodes.map(node => node.html)]))")
        assert found == [], fragment
