"""Every single-event corruption of a legal trace is judged as the brute-force oracle judges it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import ALL, NOTHING
from pmmc_check.verdicts import ACCEPTED, REJECTED
from tests.validation.oracle import Oracle, TooManyStates
from tests.validation.runs import Run, plan, run

_FIELDS = (
    (re.compile(r"b=(\S+)"), ("b=0.L1", "b=0.L2", "b=1.L1", "b=1.L2", "b=-")),
    (re.compile(r"\bs=\d+"), ("s=1", "s=2", "s=3")),
    (re.compile(r"c=C\S+"), ("c=C1:1", "c=C1:2", "c=C2:1")),
    (re.compile(r"accepted=\+?\{\S*\}"), ("accepted={}", "accepted={0.L1/1/C1:1}", "accepted=+{}")),
    (re.compile(r"pvalues=\{\S*\}"), ("pvalues={}", "pvalues={0.L1/1/C1:1}")),
    (re.compile(r"cid=\d+"), ("cid=1", "cid=2")),
    (re.compile(r"result=\S+"), ("result=1", "result=2")),
    (re.compile(r"\ba=A\d"), ("a=A1", "a=A2", "a=A3")),
    (re.compile(r"to=\S+"), ("to=R1", "to=R2", "to=A1", "to=L1", "to=L2", "to=0.L1", "to=0.L1/1", "to=C1")),
    (re.compile(r"from=\S+"), ("from=R1", "from=R2", "from=0.L1/1", "from=0.L1")),
    (re.compile(r"slot_(in|out)=\d+"), ("slot_in=1", "slot_out=2", "slot_in=3")),
    (re.compile(r"active=\w+"), ("active=yes", "active=no")),
    (re.compile(r"^[RLA]\d"), ("R1", "R2", "L1", "L2", "A1", "A2")),
)


def corruptions(lines: list[str], rng: random.Random, share: float) -> Iterator[list[str]]:
    for index, line in enumerate(lines):
        if rng.random() < share:
            yield lines[:index] + lines[index + 1 :]
        if rng.random() < share:
            yield [*lines[: index + 1], *lines[index:]]
        log = line.split(" ", 1)[0]
        later = next((i for i in range(index + 1, len(lines)) if lines[i].startswith(log + " ")), None)
        if later is not None and rng.random() < share:
            swapped = list(lines)
            swapped[index], swapped[later] = swapped[later], swapped[index]
            yield swapped
        for pattern, values in _FIELDS:
            if pattern.search(line) and rng.random() < share:
                value = rng.choice(values)
                changed = pattern.sub(value, line, count=1)
                if changed != line:
                    yield [*lines[:index], changed, *lines[index + 1 :]]


def compare(seed: int, share: float, events: int, states_max: int = 4000, **changes: object) -> tuple[int, int]:
    """How many corruptions were compared, and how many of them are legal all the same."""
    rng = random.Random(seed)
    clients_logged = seed % 3 != 0
    original = run(plan(seed, events, **changes), lambda name: ALL if clients_logged or name[0] != "C" else NOTHING)
    compared = legal = 0
    for lines in corruptions(original.lines, rng, share):
        corrupted = Run(original.header, lines)
        try:
            names, found = corrupted.read()
            expected = Oracle(corrupted.header, names, found, states_max).legal()
        except (TraceError, TooManyStates):
            continue
        judged = corrupted.judged().verdict
        compared += 1
        legal += expected
        if judged in (ACCEPTED, REJECTED):
            assert (judged == ACCEPTED) == expected, f"seed {seed}: {judged}, the oracle says {expected}\n" + "\n".join(lines)
        else:
            assert not clients_logged or "crash" in "".join(lines) or "+{" in "".join(lines), f"seed {seed}: inconclusive"
    return compared, legal


@pytest.mark.parametrize("seeds", [range(4), pytest.param(range(4, 21), marks=pytest.mark.slow)], ids=str)
def test_corruptions_are_judged_as_the_oracle_judges_them(seeds: range) -> None:
    counts = [compare(seed, share=0.06, events=26) for seed in seeds]
    assert sum(compared for compared, _ in counts) > 5


def test_corruptions_of_runs_with_many_crashes() -> None:
    counts = [compare(seed, share=0.06, events=26, crash_rate=0.15) for seed in range(30, 35)]
    assert sum(compared for compared, _ in counts) > 3
    assert sum(legal for _, legal in counts) > 0


@pytest.mark.slow
def test_hundreds_of_traces_with_many_crashes() -> None:
    counts = [compare(seed, share=0.1, events=30, states_max=2500, crash_rate=0.15) for seed in range(2000, 2200)]
    compared, legal = sum(c for c, _ in counts), sum(n for _, n in counts)
    print(f"{compared} corruptions compared, {legal} of them legal")
    assert 0 < legal < compared


@pytest.mark.slow
def test_hundreds_of_traces() -> None:
    counts = [compare(seed, share=0.12, events=30, states_max=2500) for seed in range(1000, 1300)]
    compared, legal = sum(c for c, _ in counts), sum(n for _, n in counts)
    print(f"{compared} corruptions compared, {legal} of them legal")
    assert compared > 2500
    assert 0 < legal < compared
