"""Partial logs, whole and corrupted: the verdict is that of the brute-force oracle, or inconclusive with its reason."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pmmc_check.protocol import variant
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import ALL, Contract
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.validation.simulate import two_configurations
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED
from tests.validation.oracle import Oracle, TooManyStates
from tests.validation.partial_oracle import PartialOracle
from tests.validation.runs import Run, plan, run, some_contract
from tests.validation.test_corruptions import corruptions
from tests.validation.test_habits import LateReplica

_FIELD = re.compile(r"(?<= )(c|s|b|a|accepted|pvalues|cid|result)=\S+")
_NAMING = re.compile(r" > (p1a|p2a|adopted) ")
"""Sends whose ballot and slot say which scout or commander it is."""

Table = Counter[tuple[str, str]]
"""How many logs have (our verdict, the oracle's)."""


def small_run(seed: int, rng: random.Random, **changes: object) -> Run:
    """Few processes and events; often with bounds in the header, so that a search can come to its end."""
    made = plan(seed, rng.randint(10, 26), commands=rng.randint(1, 3), **changes)
    header = replace(made.header, acceptors=made.header.acceptors[: rng.choice([1, 1, 2, 3])])
    if header.configurations:
        header = replace(header, configurations=two_configurations(header))
    if rng.random() < 0.6:
        header = replace(header, slots=rng.randint(1, 2), rounds=rng.randint(1, 2))
    if rng.random() < 0.3:
        header = replace(header, application="opaque")
    header = replace(header, logs={name: ALL for name in header.logs if name[0] != "A" or name in header.acceptors})
    contracts: dict[str, Contract] = {}
    walked = run(replace(made, header=header), lambda name: contracts.setdefault(name, some_contract(rng)))
    blur = rng.choice([0, 0, 0.1])
    return Run(replace(walked.header, requests=rng.choice(["once", "once", "resent"])), [blurred(line, rng, blur) for line in walked.lines])


def blurred(line: str, rng: random.Random, rate: float) -> str:
    """The event with a value or the other not recorded, where the format allows it."""
    event, bar, state = line.partition(" | ")
    named = ("b", "s") if _NAMING.search(event) else ()
    return _FIELD.sub(lambda f: f[0] if f[1] in named or rng.random() >= rate else f"{f[1]}=?", event) + bar + state


def readable(runs: Iterator[Run]) -> Iterator[Run]:
    for each in runs:
        try:
            each.read()
        except TraceError:
            continue
        if each.lines:
            yield each


def compare(seed: int, share: float, states_max: int, **changes: object) -> Table:
    rng = random.Random(seed)
    return compared(small_run(seed, rng, **changes), rng, seed, share, states_max)


def compare_lazy(seed: int, share: float, states_max: int) -> Table:
    """Of replicas that propose when they like, some of which have lost a slot."""
    rng = random.Random(seed)
    lazy = small_run(seed, rng, protocol=variant(LateReplica), loss_rate=0.0)
    header = replace(lazy.header, network=lazy.header.network - {"fifo"} or frozenset({"lossy"}), proposals="lazy")
    return compared(Run(header, lazy.lines), rng, seed, share, states_max)


def compared(thinned: Run, rng: random.Random, seed: int, share: float, states_max: int) -> Table:
    table: Table = Counter()
    for each in readable(Run(thinned.header, lines) for lines in (thinned.lines, *corruptions(thinned.lines, rng, share))):
        names, events = each.read()
        ours = each.judged(SearchBudget(states_max // 2, 3))
        oracle = PartialOracle(each.header, names, events, states_max).verdict()
        table[ours.verdict, oracle] += 1
        assert {ours.verdict, oracle} != {ACCEPTED, REJECTED}, f"seed {seed}: {ours.verdict}, the oracle says {oracle}\n{each.text()}"
        assert ours.verdict != INCONCLUSIVE or ours.reason
    return table


def test_partial_logs_are_judged_as_brute_force_judges_them() -> None:
    table = sum((compare(seed, share=0.03, states_max=800) for seed in range(500, 512)), Counter())
    decided = sum(count for (ours, _), count in table.items() if ours != INCONCLUSIVE)
    assert decided > 0.8 * table.total(), table
    assert table[ACCEPTED, ACCEPTED] and table[REJECTED, REJECTED], table


def test_partial_logs_of_runs_with_many_crashes() -> None:
    table = sum((compare(seed, share=0.03, states_max=600, crash_rate=0.2) for seed in range(530, 538)), Counter())
    assert table[ACCEPTED, ACCEPTED] and table[REJECTED, REJECTED], table


@pytest.mark.slow
def test_hundreds_of_partial_logs_of_runs_with_many_crashes() -> None:
    table = sum((compare(seed, share=0.06, states_max=2500, crash_rate=0.2) for seed in range(5000, 5200)), Counter())
    print(*(f"{ours} | {oracle} | {count}" for (ours, oracle), count in sorted(table.items())), sep="\n")


def test_partial_logs_of_lazy_replicas_are_judged_as_brute_force_judges_them() -> None:
    table = sum((compare_lazy(seed, share=0.03, states_max=600) for seed in range(700, 708)), Counter())
    assert table[ACCEPTED, ACCEPTED] and table[REJECTED, REJECTED], table


@pytest.mark.slow
def test_hundreds_of_partial_logs_of_lazy_replicas() -> None:
    table = sum((compare_lazy(seed, share=0.06, states_max=2500) for seed in range(7000, 7300)), Counter())
    print(*(f"{ours} | {oracle} | {count}" for (ours, oracle), count in sorted(table.items())), sep="\n")


@pytest.mark.slow
def test_hundreds_of_partial_logs() -> None:
    table = sum((compare(seed, share=0.06, states_max=2500) for seed in range(3000, 3300)), Counter())
    print(*(f"{ours} | {oracle} | {count}" for (ours, oracle), count in sorted(table.items())), sep="\n")
    assert table.total() > 1000


def test_on_complete_logs_both_oracles_agree() -> None:
    compared = 0
    for seed in range(7):
        rng = random.Random(seed)
        whole = run(plan(seed, 22))
        for each in readable(Run(whole.header, lines) for lines in (whole.lines, *corruptions(whole.lines, rng, 0.04))):
            names, events = each.read()
            try:
                legal = Oracle(each.header, names, events, 1000).legal()
            except TooManyStates:
                continue
            partial = PartialOracle(each.header, names, events, 1000).verdict()
            assert partial in (ACCEPTED if legal else REJECTED, INCONCLUSIVE), f"seed {seed}\n{each.text()}"
            compared += partial != INCONCLUSIVE
    assert compared > 15
