"""The header says which leaders and acceptors belong together; runs that change between such configurations are judged like any others."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from pmmc_check.trace.convert import converted
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, BAD_INPUT, REJECTED
from tests.validation.runs import plan, run

APART, SHARED = "configurations={L1;A1},{L2;A2}", "configurations={L1;A1,A2},{L2;A1,A2}"
TO_L1 = "R1 < request c=C1:1\nR1 > propose s=1 c=C1:1 to=L1\nR1 < request c=C1:2\n"
SCOUT = "L1 > p1a b=0.L1 to=A1\nA1 < p1a b=0.L1\nA1 > p1b b=0.L1 accepted={} to=0.L1\nL1 < p1b a=A1 b=0.L1 accepted={} to=0.L1\n"
ADOPTED = SCOUT + "L1 > adopted b=0.L1 pvalues={}\n"
CHANGED = """\
R1 < request c=C1:1:reconfigure(L2)
R1 > propose s=1 c=C1:1:reconfigure(L2) to=L1
R1 < decision s=1 c=C1:1:reconfigure(L2)
R1 < request c=C1:2
R1 > propose s=2 c=C1:2 to={}
R1 < request c=C1:3
"""


def judged(folder: Path, settings: str, logs: str, events: str, window: int = 1) -> TraceVerdict:
    file = folder / "t.pmmc"
    config = f"config replicas=R1 leaders=L1,L2 acceptors=A1,A2 clients=C1 window={window} {settings}"
    file.write_text(f"pmmc-trace 1\n{config}\nlog {logs} complete\n{events}")
    return judge(Source(file))


@pytest.mark.parametrize(
    ("settings", "logs", "events", "verdict"),
    [
        (APART, "R1", TO_L1, ACCEPTED),
        (SHARED, "R1", TO_L1, ACCEPTED),
        ("", "R1", TO_L1, REJECTED),
        ("configurations={L2;A1},{L1;A2}", "R1", TO_L1, REJECTED),
        (APART, "L1,A1,A2", ADOPTED, ACCEPTED),
        (SHARED, "L1,A1,A2", ADOPTED, REJECTED),
        ("configurations={L2;A2},{L1;A1}", "L1,A1,A2", ADOPTED, ACCEPTED),
        ("configurations={L1;A2},{L2;A1}", "L1,A1,A2", ADOPTED, REJECTED),
        (APART, "R1", CHANGED.format("L2"), ACCEPTED),
        (SHARED, "R1", CHANGED.format("L2"), ACCEPTED),
        (APART, "R1", CHANGED.format("L1"), REJECTED),
        (APART, "R1", CHANGED.format("L1,L2"), REJECTED),
    ],
)
def test_configurations_are_those_of_the_header(tmp_path: Path, settings: str, logs: str, events: str, verdict: str) -> None:
    assert judged(tmp_path, settings, logs, events).verdict == verdict


def test_what_goes_to_the_leaders_of_another_configuration_breaks_r5(tmp_path: Path) -> None:
    assert "R5" in [each.invariant for each in judged(tmp_path, APART, "R1", CHANGED.format("L1")).violations]


def test_a_broadcast_to_some_may_be_one_to_a_configuration_and_the_message_says_so(tmp_path: Path) -> None:
    failure = judged(tmp_path, "", "R1", TO_L1).failure
    assert failure is not None
    assert "if L2 belongs to another configuration, say so by configurations=" in failure.observed


@pytest.mark.parametrize(
    "event",
    ["R1 < request c=C1:1:reconfigure(L2)", "R1 > propose s=1 c=C1:1:reconfigure(L1,L2)", "R1 < decision s=1 c=C1:9:reconfigure(L1)"],
)
def test_a_reconfiguration_without_configurations_is_refused_and_never_rejected(tmp_path: Path, event: str) -> None:
    verdict = judged(tmp_path, "", "R1", f"{event}\n")
    assert verdict.verdict == BAD_INPUT
    assert "the header does not say which leaders and acceptors belong together" in str(verdict.reason)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("configurations={L1;A1},{L2;A1,A9}", "A9 in configurations= is none of acceptors=A1,A2"),
        ("configurations={L1;A1,A2},{L1,L2;A1}", "L1 has two sets of acceptors"),
        ("configurations={L1;A1,A2}", "L2 belongs to none of the configurations="),
        ("configurations={L1;A1},{L2;A1}", "A2 belongs to none of the configurations="),
        ("configurations={L1,L1;A1},{L2;A2}", "names one of its leaders twice"),
        ("quorum1=2 configurations={L1;A1},{L2;A2}", "must be at most the number of acceptors of a configuration"),
        ("configurations={L1;A1}", "L2 belongs to none"),
        ("configurations={L1}", "expected"),
        ("configurations={L1;A1},{L2;A2} configurations={L1;A1}", "is set twice"),
    ],
)
def test_configurations_fit_together(tmp_path: Path, settings: str, problem: str) -> None:
    verdict = judged(tmp_path, settings, "R1", TO_L1)
    assert verdict.verdict == BAD_INPUT
    assert problem in str(verdict.reason)


def test_a_reconfiguration_names_a_configuration_in_any_order(tmp_path: Path) -> None:
    named = CHANGED.replace("c=C1:1:reconfigure(L2)\nR1 > p", "c=C1:1:reconfigure(L2,L1)\nR1 > p").replace("(L2)", "(L1,L2)")
    verdict = judged(tmp_path, "configurations={L1;A1,A2},{L1,L2;A1,A2}", "R1", named.format("L1,L2"))
    assert verdict.verdict == ACCEPTED
    verdict = judged(tmp_path, APART, "R1", named.format("L2"))
    assert "names the leaders of no configuration of the header; it has those of L1 and L2" in str(verdict.reason)


def test_both_formats_keep_them(tmp_path: Path) -> None:
    judged(tmp_path, APART, "R1", CHANGED.format("L2"))
    lines = list(converted(open_trace(tmp_path / "t.pmmc"), "jsonl"))
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    assert json.loads(lines[0])["configurations"] == [{"leaders": ["L1"], "acceptors": ["A1"]}, {"leaders": ["L2"], "acceptors": ["A2"]}]
    assert open_trace(tmp_path / "t.jsonl").header == open_trace(tmp_path / "t.pmmc").header
    for wrong in ('"configurations":3', '"configurations":[{"leaders":["L1"]}]', '"configurations":[{"leaders":1,"acceptors":["A1"]}]'):
        (tmp_path / "w.jsonl").write_text(f'{{"pmmc-trace":1,"replicas":["R1"],"leaders":["L1"],"acceptors":["A1"],"window":1,{wrong}}}\n')
        with pytest.raises(TraceError, match="'configurations' must be"):
            open_trace(tmp_path / "w.jsonl")


@pytest.mark.parametrize("seed", range(40))
def test_runs_that_reconfigure_are_accepted(seed: int) -> None:
    made = plan(seed, 120, reconfiguration_rate=0.4)
    assert run(replace(made, commands=6 + seed % 5)).judged().verdict == ACCEPTED


@pytest.mark.slow
def test_a_thousand_runs_that_reconfigure() -> None:
    for seed in range(50_000, 51_000):
        made = plan(seed, 300, reconfiguration_rate=0.3, crash_rate=random.Random(seed).choice([0, 0.03]))
        walked = run(replace(made, commands=30))
        assert walked.judged().verdict == ACCEPTED, f"seed {seed}\n{walked.text()}"


@pytest.mark.parametrize("number", ["1764298931123456789", "9223372036854775807"])
def test_ballots_may_be_timestamps(tmp_path: Path, number: str) -> None:
    events = f"A1 < p1a b={number}.L1\nA1 > p1b b={number}.L1 accepted={{}} to={number}.L1\n"
    assert judged(tmp_path, "ballots=any", "A1", events).verdict == ACCEPTED
    assert judged(tmp_path, "ballots=any", "A1", events.replace("p1b b=", "p1b b=1")).verdict in (REJECTED, BAD_INPUT)
