"""What `run` says of a run: numbers, text and JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from pmmc_check import __version__
from pmmc_check.report.layout import Layout
from pmmc_check.report.run_json import run_object
from pmmc_check.report.run_text import run_text, seed_line, verdict_of
from pmmc_check.runtime.history import Asked, Linearizability
from pmmc_check.runtime.results import RunResult, percentile
from pmmc_check.validation.verdict import Failure, Place, TraceVerdict
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED

HISTORY = [
    *(Asked("C1", f"put k {number}", float(number), number + number / 1000, "ok") for number in range(1, 11)),
    Asked("C2", "get k", 11.0, 11.5, "10"),
]
COUNTS = Counter(
    {
        "sent request": 11,
        "sent p2b": 1234,
        "received p2b": 1200,
        "sent again": 1005,
        "lost on purpose": 7,
        "bad frames": 2,
        "preemptions": 3,
        "takeovers": 1,
    }
)
RIGHT = RunResult(
    11, HISTORY, {"R1": "10", "R2": "10"}, COUNTS, 10.5, Counter({"kill": 2, "clock-jump": 1}), Linearizability(True, 11), decided=12
)
WRONG = RunResult(
    12,
    [*HISTORY, Asked("C2", "get k", 12.0)],
    {"R1": "10", "R2": "x" * 61},
    Counter(),
    0.0,
    Counter(),
    Linearizability(False, 12, (HISTORY[10],)),
    ["A1: is gone"],
    leaders=("L4", "L5"),
)
PLACE = Place("logs/A1.pmmc", 4, "A1 > p1b b=0.L1 accepted={} to=0.L1")
TRACE_ACCEPTED = TraceVerdict("logs", ACCEPTED, 1077, seconds=0.12, method="replay")
TRACE_REJECTED = TraceVerdict("logs", REJECTED, 9, failure=Failure(PLACE, "a rule", "nothing", "something"), seconds=0.5, method="replay")


def test_a_percentile_is_the_nearest_rank() -> None:
    ten = [float(each) for each in range(10, 0, -1)]
    assert [percentile(ten, share) for share in (0.5, 0.9, 0.91, 0.99, 1.0)] == [5, 9, 10, 10, 10]
    assert percentile([2.0, 1.0], 0.5) == 1, "the median of two is the lower"
    assert percentile([3.0], 0.01) == 3
    assert percentile([float(each) for each in range(1, 101)], 0.07) == 7
    assert percentile([], 0.5) == 0


def test_the_text_of_a_run_in_which_all_is_right() -> None:
    assert (
        run_text(RIGHT, TRACE_ACCEPTED, Layout())
        == """\
answered   11 of 11 requests, 1 to 10 for each of 2 clients, in 10.50 s, 1 a
           second
latency    median 6.0 ms, 90 % 10.0 ms, 99 % 500.0 ms
slots      12 decided, 3 preemptions, 1 takeover
messages   request 11, p2b 1,234, sent again 1,005, lost on purpose 7, bad
           frames 2
faults     clock-jump 1, kill 2
replicas   R1, R2 all hold 10
history    11 operations, linearizable
trace      logs: accepted (1,077 events, 0.12 s)
"""
    )


def test_the_text_of_a_run_in_which_all_is_wrong() -> None:
    told = run_text(WRONG, TRACE_REJECTED, Layout(width=110), kept=False)
    expected = f"""\
answered   11 of 12 requests, 1 to 10 for each of 2 clients, in 0.00 s, 0 a second
latency    median 6.0 ms, 90 % 10.0 ms, 99 % 500.0 ms
slots      0 decided, 0 preemptions, 0 takeovers
messages
leaders    L4, L5 since the reconfiguration
replicas   R1 holds 10; R2 holds {"x" * 57}...
history    12 operations, not linearizable
trace      rejected (9 events, 0.50 s)
  A1: is gone
  1 of 12 requests were not answered
  replicas differ: R1 holds 10; R2 holds {"x" * 61}
  the history is not linearizable: no order of these operations explains their results: C2 get k -> 10
    [11.000000, 11.500000]
  logs/A1.pmmc:4: A1 > p1b b=0.L1 accepted={{}} to=0.L1
    rule      a rule
    expected  nothing
    observed  something
"""
    assert told == expected


def test_a_fault_that_was_switched_on_and_has_not_shown_is_said() -> None:
    assert "note: echo-ballot was switched on, and nothing of it has shown" in run_text(RIGHT, None, Layout(), seeded=["echo-ballot"])
    assert "note" not in run_text(WRONG, None, Layout(), seeded=["echo-ballot"])


def test_where_nothing_was_answered_no_latency_is_made_up() -> None:
    text = run_text(replace(WRONG, history=WRONG.history[-1:], asked=1), None, Layout())
    assert text.startswith("answered   0 of 1 request\nslots ")


def test_the_json_of_a_run() -> None:
    found: dict[str, Any] = run_object(RIGHT, None, 7)
    assert found.pop("latency") == {"p50": pytest.approx(0.006), "p90": pytest.approx(0.01), "p99": pytest.approx(0.5)}
    assert found.pop("requests_per_second") == pytest.approx(11 / 10.5)
    assert found == {
        "verdict": "accepted",
        "seed": 7,
        "asked": 11,
        "answered": 11,
        "seconds": 10.5,
        "slots_decided": 12,
        "messages": {"p2b": 1234, "request": 11},
        "counts": {"bad frames": 2, "lost on purpose": 7, "preemptions": 3, "sent again": 1005, "takeovers": 1},
        "replicas": {"R1": "10", "R2": "10"},
        "faults": {"clock-jump": 1, "kill": 2},
        "linearizable": True,
        "failures": [],
        "leaders": [],
        "seeded_faults": [],
        "trace": None,
        "version": __version__,
    }
    wrong = run_object(WRONG, TRACE_REJECTED, 7)
    assert (wrong["verdict"], wrong["linearizable"], wrong["requests_per_second"]) == ("rejected", False, 0.0)
    assert wrong["failures"] == WRONG.failures
    assert wrong["trace"]["failure"]["at"] == {"file": PLACE.file, "line": 4, "text": PLACE.text}


def test_a_run_is_as_bad_as_the_worst_that_it_shows() -> None:
    assert verdict_of(RIGHT, TRACE_ACCEPTED) == verdict_of(RIGHT, None) == ACCEPTED
    for worse in (
        replace(RIGHT, asked=12),
        replace(RIGHT, errors=["A1: is gone"]),
        replace(RIGHT, linearizability=Linearizability(None, 11)),
    ):
        assert verdict_of(worse, TRACE_ACCEPTED) == INCONCLUSIVE
    assert verdict_of(RIGHT, replace(TRACE_ACCEPTED, verdict=INCONCLUSIVE)) == INCONCLUSIVE
    for worst in (replace(RIGHT, states={"R1": "1", "R2": "2"}), replace(RIGHT, linearizability=Linearizability(False, 11))):
        assert verdict_of(worst, TRACE_ACCEPTED) == REJECTED
    assert verdict_of(RIGHT, TRACE_REJECTED) == REJECTED


def test_one_line_of_many() -> None:
    assert seed_line(7, RIGHT, TRACE_ACCEPTED) == ("seed 7: accepted, 11 of 11 answered after 10.5 virtual seconds, 3 faults, 1,077 events")


def test_without_a_client_of_its_own_nobody_is_told_how_many_answers_each_has() -> None:
    text = run_text(replace(RIGHT, history=HISTORY[:1], asked=1, states={}, linearizability=Linearizability(None, 1)), None, Layout())
    assert text.startswith("answered   1 of 1 request in 10.50 s, 0 a second\n")
    assert "replicas   none is left\n" in text
    assert "history    1 operation, too entangled to tell whether linearizable\ntrace      not recorded\n" in text
