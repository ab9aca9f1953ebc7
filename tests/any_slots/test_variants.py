"""Every variant with every number of slots: a fault is found or refused, and what is safe holds."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable
from typing import Any

import pytest
from helpers import in_process

from pmmc_check.protocol.variants.catalogue import VARIANTS, Variant

FAULTS = [each for each in VARIANTS.values() if not each.safe and each.breaks != ("Progress",)]
REFUSED = {
    "p2b-any-slot": "slotwise",
    "overwrite-proposal": "opaque commands",
    "collect-silently": "replicas only propose",
    "stale-adopted": "ballotwise",
    "ballot-without-leader": "ballotwise",
    "restart-reuses-ballot": "ballotwise",
    "stays-active": "ballotwise",
}
"""The faults that no search can be trusted with, by the premise that says so."""
QUICK = {
    "echo-ballot",
    "scout-half",
    "commander-half",
    "ignore-pmax",
    "p2b-any-slot",
    "perform-twice",
}
"""One of each role, and one that is refused; the others are slow tests."""


def marked(names: Iterable[str], quick: Container[str]) -> list[Any]:
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


def options_of(variant: Variant, *bounds: str) -> list[str]:
    faults = [
        part
        for name, value in variant.needs.items()
        if name != "reconfigurations"
        for part in (f"--{name}", ",".join(value) if isinstance(value, tuple) else str(value))
    ]
    return ["--acceptors", str(variant.smallest["acceptors"]), *bounds, "--variant", variant.name, *faults]


def ballots_of(variant: Variant) -> list[str]:
    return ["--ballots", str(max(2, int(str(variant.smallest["leaders"])) * int(str(variant.smallest["rounds"]))))]


def any_slots(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any], str]:
    done = in_process(capsys, "explore", "--slots", "any", "--quiet", "--format", "json", *options)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


@pytest.mark.parametrize("name", marked((each.name for each in FAULTS), QUICK))
def test_a_fault_is_found_or_refused(capsys: pytest.CaptureFixture[str], name: str) -> None:
    variant = VARIANTS[name]
    code, answer, said = any_slots(capsys, *options_of(variant, *ballots_of(variant)))
    if name in REFUSED:
        assert code == 2
        assert f"the premise “{REFUSED[name]}” does not hold" in said
        return
    assert code == 1, said or answer["limit"]
    assert answer["verdict"] == "violated"
    assert answer["violation"]["property"] in (*variant.breaks, "C2"), "C2 may be broken on the way to Agreement"
    assert answer["violation"]["steps"]
    assert answer["confirmation"]["config"]["slots"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, premise in REFUSED.items() if premise == "ballotwise"])
def test_a_fault_whose_ballots_depend_on_each_other_is_found_with_leaders_and_rounds(capsys: pytest.CaptureFixture[str], name: str) -> None:
    variant = VARIANTS[name]
    bounds = [f"--{each}" if i % 2 == 0 else str(variant.smallest[each]) for each in ("leaders", "rounds") for i in range(2)]
    code, answer, said = any_slots(capsys, *options_of(variant, *bounds))
    assert code == 1, said or answer["limit"]
    assert answer["violation"]["property"] in variant.breaks


@pytest.mark.parametrize("name", marked(["ignore-lower-p2b", "raise-on-accept", "state-reduction"], {"raise-on-accept"}))
def test_what_is_safe_holds(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, answer, said = any_slots(capsys, "--variant", name, "--ballots", "3", "--replica-slots", "3")
    assert code == 0, said
    assert answer["verdict"] == "holds"
    weaker = sum(each["weaker"] for each in answer["premises"]["checked"])
    assert bool(weaker) == (name == "raise-on-accept")


@pytest.mark.slow
def test_leaders_that_hear_of_decisions_hold_with_leaders_and_rounds(capsys: pytest.CaptureFixture[str]) -> None:
    variant = ["--variant", "informed-leaders", "--replica-slots", "3"]
    code, _, said = any_slots(capsys, *variant)
    assert code == 2
    assert "“ballotwise” does not hold" in said
    code, answer, _ = any_slots(capsys, *variant, "--leaders", "2", "--rounds", "1")
    assert (code, answer["verdict"]) == (0, "holds")


@pytest.mark.slow
def test_replicas_that_report_to_acceptors_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, said = any_slots(capsys, "--variant", "garbage-collection", "--leaders", "2", "--rounds", "1", "--acceptors", "1")
    assert code == 2
    assert "“replicas only propose” does not hold: R1 sends performed(R1, 1) to A1" in said
