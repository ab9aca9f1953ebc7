"""Logs of decisions alone are judged in one reading, as the brute-force oracle judges them; memory and protocols of `validate`."""

from __future__ import annotations

import random
import resource
from collections import Counter
from pathlib import Path

import pytest
from helpers import in_process

from pmmc_check.api.validating import validate
from pmmc_check.protocol import Acceptor
from pmmc_check.protocol.role import Outcome
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import NOTHING, partial
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED
from tests.validation.partial_oracle import PartialOracle
from tests.validation.runs import Run, plan, run
from tests.validation.test_corruptions import corruptions

DECISIONS = partial(frozenset({"decision"}))


def judged(folder: Path, events: str, settings: str = "", logs: str = "R1,R2") -> TraceVerdict:
    file = folder / "t.pmmc"
    config = f"config replicas=R1,R2 leaders=L1 acceptors=A1,A2,A3 window=3 {settings}"
    file.write_text(f"pmmc-trace 1\n{config}\nlog {logs} partial decision\n{events}")
    return judge(Source(file))


def decisions(replica: str, *slots: int) -> str:
    return "".join(f"{replica} < decision s={slot} c=C1:{slot}\n" for slot in slots)


@pytest.mark.parametrize(
    ("events", "logs", "verdict"),
    [
        (decisions("R1", 1, 2, 3) + decisions("R2", 3, 1, 2), "R1,R2", ACCEPTED),
        (decisions("R2", 4, 5, 6) + decisions("R1", 1, 2, 3), "R1,R2", ACCEPTED),
        (decisions("R1", 4), "R1,R2", REJECTED),
        (decisions("R1", 4), "R1", ACCEPTED),
        (decisions("R1", 4, 1) + decisions("R2", 5, 2), "R1,R2", REJECTED),
        (decisions("R1", 1, 5) + decisions("R2", 2, 1, 5), "R1,R2", ACCEPTED),
        (decisions("R1", 1) + "R2 < decision s=1 c=C1:2\n", "R1,R2", REJECTED),
        (decisions("R1", 1) + "R1 crash\nR1 restart\n" + decisions("R1", 2), "R1", ACCEPTED),
        (decisions("R1", 1) + "R1 end\n" + decisions("R2", 4, 1), "R1,R2", ACCEPTED),
    ],
)
def test_what_could_be_proposed_in_time(tmp_path: Path, events: str, logs: str, verdict: str) -> None:
    found = judged(tmp_path, events, logs=logs)
    assert (found.verdict, found.states) == (verdict, 0)


def test_a_slot_that_nobody_could_propose_is_cited(tmp_path: Path) -> None:
    failure = judged(tmp_path, decisions("R1", 1, 7) + decisions("R2", 2, 5)).failure
    assert failure is not None
    assert failure.at.text == "R2 < decision s=5 c=C1:5"
    assert "learned the decisions of slots 1 to 2 before" in failure.expected


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, 40), marks=pytest.mark.slow)], ids=str)
def test_the_oracle_agrees(seeds: range) -> None:
    table: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        rng = random.Random(seed)
        contracts = {"R1": DECISIONS, "R2": DECISIONS if seed % 3 else NOTHING}
        thinned = run(plan(seed, 60), lambda name: contracts.get(name, NOTHING))  # noqa: B023  (used at once)
        for lines in (thinned.lines, *corruptions(thinned.lines, rng, 0.3)):
            each = Run(thinned.header, lines)
            try:
                names, events = each.read()
            except TraceError:
                continue
            if events:
                ours = each.judged().verdict
                table[ours, oracle := PartialOracle(each.header, names, events, 400).verdict()] += 1
                assert {ours, oracle} != {ACCEPTED, REJECTED}, each.text()
    assert table.total() >= len(seeds)
    assert sum(count for (_, oracle), count in table.items() if oracle != INCONCLUSIVE) > 0.25 * len(seeds), table


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_many_slots_take_little_time_and_memory(tmp_path: Path, replicas: int) -> None:
    names = [f"R{number}" for number in range(1, replicas + 1)]
    file = tmp_path / "long.pmmc"
    with file.open("w") as stream:
        print(f"pmmc-trace 1\nconfig replicas={','.join(names)} leaders=L1 acceptors=A1,A2,A3 window=100", file=stream)
        print(f"log {','.join(names)} partial decision", file=stream)
        for name in names:
            print("\n".join(f"{name} < decision s={slot} c=C1:{slot}" for slot in range(1, 30_001 // replicas)), file=stream)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    verdict = judge(Source(file))
    assert (verdict.verdict, verdict.method) == (ACCEPTED, "decisions")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


# ---- memory, and roles of one's own ----

OPEN = "pmmc-trace 1\nconfig replicas=R1,R2 leaders=L1,L2 acceptors=A1,A2,A3 window=9\nlog R1,R2 partial decision,response\n"


@pytest.mark.slow
def test_one_trace_that_needs_too_much_leaves_the_others_their_verdicts(tmp_path: Path) -> None:
    (tmp_path / "a.pmmc").write_text(OPEN + "".join(f"R1 < decision s={slot} c=C1:{slot}\n" for slot in range(1, 60)))
    (tmp_path / "b.pmmc").write_text(
        "pmmc-trace 1\nconfig replicas=R1 leaders=L1 acceptors=A1 window=9\nlog R1 partial decision\n" + decisions("R1", 1)
    )
    found = validate(tmp_path, max_memory=12, search_seconds=60, search_states=10**9)
    first, second = found.traces
    assert first.verdict == INCONCLUSIVE
    assert "takes more than 12 MiB of memory (--max-memory)" in str(first.reason)
    assert second.verdict == ACCEPTED


class Mine(Acceptor):
    """As the paper's."""


class Sulking(Acceptor):
    """Answers nobody."""

    def step(self, state: object, message: object) -> object:  # type: ignore[override]
        return [Outcome(state)]


def test_roles_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "t.pmmc"
    promise = "A1 < p1a b=0.L1\nA1 > p1b b=0.L1 accepted={} to=0.L1\n"
    file.write_text(f"pmmc-trace 1\nconfig replicas=R1 leaders=L1 acceptors=A1 window=9\nlog A1,L1 complete\nL1 > p1a b=0.L1\n{promise}")
    assert validate(file, roles=Mine).verdict == ACCEPTED
    assert validate(file, roles=[Sulking]).verdict == REJECTED
    told = in_process(capsys, "validate", str(file), "--protocol", "tests.validation.test_decisions_only:Sulking")
    assert told.returncode == 1
    assert "judged by the protocol with tests.validation.test_decisions_only:Sulking" in told.stdout
    assert in_process(capsys, "validate", str(file), "--protocol", "tests.validation.test_decisions_only:missing").returncode == 2
    assert in_process(capsys, "validate", str(file), "--max-memory", "0").returncode == 2
