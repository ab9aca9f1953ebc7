"""Random small runs for the tests: configurations, traces as text, and their verdicts without files."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pmmc_check.trace.errors import TraceError, Unfit
from pmmc_check.trace.events import ALL, KINDS, NOTHING, Contract, Event, Header, Names, partial
from pmmc_check.trace.readers.event_builder import EventBuilder
from pmmc_check.trace.readers.fast_reader import FastReader
from pmmc_check.trace.readers.grammar_reader import Line
from pmmc_check.trace.sources import Source
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.validation.simulate import Plan, Simulation, complete_logs, thinned, two_configurations
from pmmc_check.validation.verdict import TraceVerdict

NETWORKS = (
    ("reliable",),
    ("lossy",),
    ("duplicating",),
    ("fifo",),
    ("fifo", "lossy"),
    ("fifo", "duplicating"),
    ("lossy", "duplicating"),
)


@dataclass
class Run:
    """A trace as its lines, with what is needed to read them."""

    header: Header
    lines: list[str]

    def read(self) -> tuple[Names, list[Event]]:
        names = Names(self.header)
        event_builder = EventBuilder(Values(names))
        fast = FastReader(event_builder, "run")
        events = []
        for number, text in enumerate(self.lines, 1):
            event = fast.event(number, text)
            if event is None:
                line = Line("run", number, text)
                try:
                    event = line.event(event_builder)
                except Unfit as unfit:
                    raise line.error(unfit) from None
            events.append(event)
        return names, events

    def text(self) -> str:
        """The trace as a file."""
        header = DslWriter(Values(Names(self.header))).header(self.header)
        return "\n".join([*header, *self.lines]) + "\n"

    def judged(self, budget: SearchBudget | None = None) -> TraceVerdict:
        """What `pmmc-check validate` says of it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.pmmc"
            path.write_text(self.text(), encoding="utf-8")
            return judge(Source(path), JudgeOptions(budget or SearchBudget(4000, 5)))


def small_header(rng: random.Random, network: Iterable[str], sizes: tuple[int, ...] = (1, 2, 3)) -> Header:
    def some(letter: str, count: int) -> tuple[str, ...]:
        return tuple(f"{letter}{number}" for number in range(1, count + 1))

    header = Header(
        replicas=some("R", rng.randint(1, 2)),
        leaders=some("L", rng.randint(1, 2)),
        acceptors=some("A", rng.choice(sizes)),
        clients=some("C", rng.randint(1, 2)),
        window=rng.randint(1, 3),
        network=frozenset(network),
        application="log",
    )
    return replace(header, logs=complete_logs(header))


def plan(seed: int, events: int = 60, **changes: object) -> Plan:
    rng = random.Random(seed)
    made = replace(
        Plan(
            header=small_header(rng, NETWORKS[seed % len(NETWORKS)]),
            seed=seed,
            events=events,
            commands=rng.randint(1, 4),
            own_logs=rng.random() < 0.4,
            crash_rate=rng.choice([0, 0, 0.02]),
            reconfiguration_rate=rng.choice([0, 0, 0.2]),
        ),
        **changes,  # type: ignore[arg-type]
    )
    if made.reconfiguration_rate:
        configurations = two_configurations(made.header)
        if seed % 2:  # the second half of the leaders uses the same acceptors
            configurations = tuple(each._replace(acceptors=made.header.acceptors) for each in configurations)
        made = replace(made, header=replace(made.header, configurations=configurations))
    return made


def run(plan: Plan, contract: Callable[[str], Contract] | None = None) -> Run:
    walk = Simulation(plan)
    writer = DslWriter(walk.values)
    header = plan.header
    if contract is not None:
        header = replace(header, logs={name: contract(name) for name in header.logs})
        if plan.crash_rate and NOTHING in header.logs.values():
            header = replace(header, restarts="any")
    return Run(header, [writer.item(event) for event in thinned(walk.events(), header.contract, walk.names)])


def some_contract(rng: random.Random) -> Contract:
    choice = rng.random()
    if choice < 0.4:
        return ALL
    if choice < 0.6:
        return NOTHING
    return partial(frozenset(kind for kind in KINDS if rng.random() < 0.6) or frozenset({"decision"}))


__all__ = ["NETWORKS", "Run", "TraceError", "plan", "run", "small_header", "some_contract"]
