"""Random runs without number: correct ones must be accepted, and the rejections of corrupted ones must cite the corruption or what follows.

    python benchmarks/campaigns.py complete|crashes|reconfigurations|rejected [--seconds 540] [--runs N] [--file campaigns.json]

A campaign goes on where the last one in the file ended, for so many seconds or runs, and adds what it found. Exit code 1 where something is
wrong.

- `complete`: complete logs on all networks, some with crashes, some with reconfigurations. Each run is judged whole, once more with leaders
  that may do whatever there is reason for, and thinned to one of five contracts, which must not reject it.
- `crashes`: the same with processes that often crash, also between a receipt and its step.
- `reconfigurations`: the same with many reconfigurations.
- `rejected`: one event of a complete run is corrupted, and the trace thinned to each of the five contracts. What is accepted whole must not
  be rejected then; where both are rejected, what the explanation cites is counted.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the runs belong to the tests, which are not installed

from pmmc_check.protocol import PMMC
from pmmc_check.validation.replay.diagnosis import Rejected
from pmmc_check.validation.replay.inflight import Ambiguous
from pmmc_check.validation.replay.replay import Replay
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.verdicts import ACCEPTED, BAD_INPUT, REJECTED
from tests.validation.runs import Run, plan, run
from tests.validation.test_corruptions import corruptions
from tests.validation.test_thinning import BUDGET, CONTRACTS, Corruption, cited, thin

SHORT = SearchBudget(40, 0.2)
FIRST = {"complete": 10_000, "crashes": 30_000, "reconfigurations": 50_000, "rejected": 400}
RUNS = {"complete": 6000, "crashes": 1000, "reconfigurations": 1000, "rejected": 150}
SHARE = 0.04
"""Of all single-event corruptions of a run, so many are tried."""

Found = Iterator[tuple[str, str]]
"""What was judged, and how it came out."""


def made(campaign: str, seed: int) -> Run:
    """The correct run of a seed."""
    if campaign == "complete":
        return run(plan(seed, 400, commands=1 + seed % 40))
    if campaign == "crashes":
        return run(plan(seed, 200, commands=1 + seed % 20, crash_rate=0.1))
    return run(plan(seed, 300, commands=1 + seed % 30, reconfiguration_rate=0.2))


def correct(campaign: str, seed: int) -> Found:
    """How a correct run is judged: whole, with any leaders, and thinned to a contract."""
    whole = made(campaign, seed)
    if not whole.lines:
        return
    verdict = whole.judged()
    yield "whole", verdict.verdict
    yield "any leaders", with_any_leaders(whole)
    name = list(CONTRACTS)[seed % len(CONTRACTS)]
    less, _ = thin(whole, CONTRACTS[name])
    if less.lines:
        yield name, less.judged(SHORT).verdict


def with_any_leaders(whole: Run) -> str:
    """Whether leaders that may do more than the paper's have a run."""
    names, events = whole.read()
    try:
        Replay(whole.header, names, PMMC, relaxed=True).run([iter(events)])
    except Rejected:
        return REJECTED
    except Ambiguous:
        pass
    return "not rejected"


def corrupted(seed: int) -> Found:
    """How the corruptions of a run are judged whole, and under each contract."""
    whole = run(plan(seed, 60, commands=4))
    for lines in corruptions(whole.lines, random.Random(seed), SHARE):
        changed = Run(whole.header, lines)
        answer = changed.judged().verdict
        yield "whole", answer
        if answer == BAD_INPUT:
            continue
        fault = Corruption(whole, lines) if answer == REJECTED else None
        for name, contract in CONTRACTS.items():
            less, left = thin(changed, contract)
            if less.lines:
                yield name, judged_thinned(less, left, fault)


def judged_thinned(less: Run, left: list[int], fault: Corruption | None) -> str:
    """The verdict on a thinned trace; where it is a rejection, what is cited, and that it should be none where nothing is at `fault`."""
    verdict = less.judged(BUDGET)
    if fault is None:
        return f"{verdict.verdict}, as the whole is legal"
    if verdict.verdict != REJECTED:
        return verdict.verdict
    return fault.relation([left[line] for line in cited(less, verdict) if 0 <= line < len(left)])


def wrong(campaign: str, what: str, answer: str) -> bool:
    """Whether such an answer is a fault."""
    if campaign == "rejected":  # how often an explanation is elsewhere is for the reader
        return answer.startswith(f"{REJECTED},")
    return answer == REJECTED or (what == "whole" and answer != ACCEPTED)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("campaign", choices=list(FIRST))
    parser.add_argument("--seconds", type=float, default=540)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--file", type=Path, default=Path("campaigns.json"))
    arguments = parser.parse_args()
    campaign, until = arguments.campaign, time.monotonic() + arguments.seconds
    kept = json.loads(arguments.file.read_text()) if arguments.file.exists() else {}
    state = kept.setdefault(campaign, {"runs": 0, "cpu_seconds": 0.0, "found": {}, "wrong": []})
    found = Counter({tuple(key.split(": ", 1)): count for key, count in state["found"].items()})
    limit = arguments.runs if arguments.runs is not None else RUNS[campaign] - state["runs"]
    before = time.process_time()
    while limit > 0 and time.monotonic() < until:
        seed = FIRST[campaign] + state["runs"]
        for what, answer in corrupted(seed) if campaign == "rejected" else correct(campaign, seed):
            found[what, answer] += 1
            if wrong(campaign, what, answer):
                state["wrong"].append(f"seed {seed}: {what} {answer}")
        state["runs"] += 1
        limit -= 1
    state["found"] = {f"{what}: {answer}": count for (what, answer), count in sorted(found.items())}
    state["cpu_seconds"] += time.process_time() - before
    arguments.file.write_text(json.dumps(kept, indent=1) + "\n")
    print(json.dumps({campaign: state}, indent=1))
    return 1 if state["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
