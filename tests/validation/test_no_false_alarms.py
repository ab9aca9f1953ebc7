"""Whatever `simulate` writes from the unmodified protocol is accepted, and faulty protocols are caught."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.trace.events import NOTHING
from pmmc_check.trace.system import system_of
from pmmc_check.validation.recorded_facts import Facts
from pmmc_check.validation.simulate import complete_logs
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED
from tests.validation.runs import plan, run, small_header, some_contract


def judged(seed: int, events: int, thin: bool, **changes: object) -> str:
    rng = random.Random(seed)
    contracts = {}

    def contract(name: str) -> object:
        return contracts.setdefault(name, some_contract(rng))

    walked = run(plan(seed, events, **changes), contract if thin else None)  # type: ignore[arg-type]
    if not walked.lines or all(each is NOTHING for each in walked.header.logs.values()):
        return ACCEPTED
    names, found = walked.read()
    answer = walked.judged().verdict
    assert answer != REJECTED, f"seed {seed}\n" + "\n".join(walked.lines)
    facts = Facts(walked.header, names, system_of(walked.header, names))
    for event in found:
        facts.add(event)
    facts = Facts(walked.header, names, system_of(walked.header, names), facts.disputed)
    for event in found:
        facts.add(event)
    assert not facts.violations(), f"seed {seed}: {facts.violations()[0].how}"
    return answer


@pytest.mark.parametrize("first", [0, 100])
def test_complete_logs_are_accepted(first: int) -> None:
    answers = Counter(judged(seed, 150, thin=False) for seed in range(first, first + 100))
    assert answers[INCONCLUSIVE] <= 2


def test_thinned_logs_are_never_rejected() -> None:
    answers = Counter(judged(seed, 40, thin=True) for seed in range(2000, 2008))
    assert answers[ACCEPTED] >= 6, answers


@pytest.mark.slow
def test_thousands_of_complete_logs() -> None:
    answers = Counter(judged(seed, 400, thin=False, commands=1 + seed % 40) for seed in range(10_000, 16_000))
    print(answers)
    assert answers[ACCEPTED] > 0.99 * answers.total(), answers


@pytest.mark.slow
def test_a_thousand_thinned_logs() -> None:
    answers = Counter(judged(seed, 50, thin=True) for seed in range(20_000, 21_000))
    print(answers)
    assert answers[ACCEPTED] > 0.85 * answers.total(), answers


@pytest.mark.parametrize("name", ["accept-lower-ballot", "ignore-pmax", "scout-half", "commander-any-ballot", "perform-twice"])
def test_runs_of_a_faulty_protocol_are_caught(name: str) -> None:
    caught = 0
    for seed in range(20):
        header = small_header(random.Random(seed), ("duplicating",), sizes=(1, 3))
        header = replace(header, leaders=("L1", "L2"))
        header = replace(header, logs=complete_logs(header))
        walked = run(plan(seed, 400, header=header, protocol=protocol_with([name]), delta_rate=0.0, crash_rate=0.0))
        caught += walked.judged().verdict == REJECTED
    assert caught >= 2
