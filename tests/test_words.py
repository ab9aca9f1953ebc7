"""Counts, as every report and message has them."""

from __future__ import annotations

import pytest

from pmmc_check.checker.result import seconds_have_passed
from pmmc_check.report.trace_text import summary
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.words import counted


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 steps"), (1, "1 step"), (1_128, "1,128 steps"), (1.0, "1 step"), (0.5, "0.5 steps"), (1e-09, "1e-09 steps")]
)
def test_one_is_singular_and_thousands_have_commas(count: float, told: str) -> None:
    assert counted(count, "step") == told


def test_a_second_has_passed_and_two_have() -> None:
    assert seconds_have_passed(1.0) == "1 second (--time-limit) has passed"
    assert seconds_have_passed(2.0) == "2 seconds (--time-limit) have passed"


def test_the_line_of_a_trace_with_one_event_and_one_state() -> None:
    assert (
        summary(TraceVerdict("a.pmmc", "accepted", events=1, states=1, seconds=0.0))
        == "a.pmmc: accepted (1 event, 1 state searched, 0.00 s)"
    )
