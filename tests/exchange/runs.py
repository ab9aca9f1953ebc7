"""Runs with everything in them, for tests of formats: counterexamples of searches, and walks that crash, restart, lose and reconfigure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from helpers import ROOT, compiled, small

from pmmc_check.checker.result import TraceStep, Violation
from pmmc_check.config import Config
from pmmc_check.model.faults import Crash, Drop, Restart
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.protocol import Ballot, ProcessId
from pmmc_check.protocol.values import LEADER, REPLICA
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.report.runs.of_search import run_of_violation, run_of_witness
from pmmc_check.report.runs.of_trace import run_of_trace
from pmmc_check.report.runs.run import EventKind, EventMark, Fate, FieldChange, Run, RunEvent, RunMessage, RunProcess
from pmmc_check.spec.document import expression_as
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge

NETWORKS = ("duplicating", "reliable", "lossy", "fifo")

HOSTILE = (
    "#35; #quot; #lt;b#gt;",
    "a; b ;; c",
    "end",
    "wrap: this",
    "%%{init: {'theme': 'dark'}}%% %% comment",
    "<b>bold</b> <script>alert(1)</script>",
    "@enduml @startuml",
    '**bold** //italic// __under__ --struck-- ~~wave~~ ""mono"" [[http://x]] {{salt}}',
    "back\\slash \\n \\t %date() $x !include x",
    "'quoted' \"quoted\" `quoted`",
    "$$\\sqrt{2}$$ &lt; &amp; ]]>",
    "two\nlines\r\nand\x1b[31m colour\x00",
    "* list",
    "|a|b|",
    "->> p1: text",
)


@dataclass(frozen=True)
class Found:
    """A run as a search has it, and as pictures are made from it."""

    violation: Violation
    model: Model
    run: Run


@cache
def counterexample() -> Found:
    """Agreement broken by a seeded fault."""
    config = Config(acceptors=1, slots=1, commands=2)
    search, result = compiled(config, protocol_with(["ignore-pmax"]), invariants=("Agreement",))
    assert result.violation
    return Found(result.violation, search.model, run_of_violation(result.violation, search.model))


@cache
def without_fault() -> Found:
    """Agreement broken by the paper's own protocol: its quorums do not meet."""
    search, result = compiled(Config(acceptors=2, quorum1=1, quorum2=1, slots=1, commands=2), invariants=("Agreement",))
    assert result.violation
    return Found(result.violation, search.model, run_of_violation(result.violation, search.model))


@cache
def eventful(network: str) -> Found:
    """A walk on `network` with a crash, a restart, a reconfiguration that takes effect, and where the network can, a loss or a double."""
    model = _eventful_model(network)
    for seed in range(2000):
        trace = _walk(model, random.Random(seed))
        if _is_eventful(trace, model):
            violation = Violation("a walk", "reached", model.initial(), tuple(trace))
            return Found(violation, model, run_of_witness("a walk", violation, model))
    raise AssertionError("no walk has everything")


def _eventful_model(network: str) -> Model:
    return Model(small(slots=2, window=1, reconfigurations=1, crashes=1, restarts=1, rounds=2, network=network))


def _walk(model: Model, choose: random.Random) -> list[TraceStep]:
    state, trace = model.initial(), list[TraceStep]()
    while len(trace) < 60:
        steps = list(model.steps(state))
        rare = [each for each in steps if isinstance(each[0].message, Drop)]
        if rare and sum(isinstance(each.step.message, Drop) for each in trace) > 1:
            steps = [each for each in steps if each not in rare]
        if not steps:
            break
        step, state = choose.choice(steps)
        trace.append(TraceStep(step, state))
    return trace


def _is_eventful(trace: list[TraceStep], model: Model) -> bool:
    kinds = {type(each.step.message) for each in trace}
    replicas = [model.index[process] for process in model.processes if process.role == REPLICA]
    reconfigured = trace and any(ProcessId(LEADER, 2) in getattr(trace[-1].after[index].state, "leaders", ()) for index in replicas)
    messages = [(each.step.process, each.step.message) for each in trace]
    doubled = len(set(messages)) < len(messages) and model.config.network == "duplicating"
    special = {"lossy": Drop in kinds, "duplicating": doubled}.get(model.config.network, True)
    return bool({Crash, Restart} <= kinds and reconfigured and special)


@cache
def eventful_counterexample(network: str) -> Found:
    """An invariant is broken by a run with a crash, a restart, a reconfiguration, and where the network can, a loss or a double: that no
    replica ever leaves the first configuration."""
    model = _eventful_model(network)
    stays = expression_as("--invariant", r"\A r \in Replicas : L2 \notin replica[r].leaders", "Stays", model.system, model.protocol)
    checks = Checks(model, (stays,))
    for seed in range(2000):
        trace = _walk(model, random.Random(seed))
        end = next((number for number, each in enumerate(trace, 1) if checks.of_state(each.after)), None)
        if end is not None and _is_eventful(trace[:end], model):
            broken = checks.of_state(trace[end - 1].after)
            assert broken is not None
            violation = Violation(stays.name, broken[1], model.initial(), tuple(trace[:end]))
            return Found(violation, model, run_of_violation(violation, model))
    raise AssertionError("no walk has everything")


def hostile() -> Run:
    """A run made of hostile texts: names, messages, labels, fields and values."""
    one, two, scout = ProcessId(REPLICA, 1), ProcessId(LEADER, 1), ProcessId("scout", 1)
    names = {one: HOSTILE[0], two: HOSTILE[5], scout: HOSTILE[6]}
    processes = tuple(RunProcess(each, name, two if each == scout else None) for each, name in names.items())
    messages, events = (
        [],
        [RunEvent(0, EventKind.START, None, "the start", changes=tuple(FieldChange(each, "status", None, "running") for each in names))],
    )
    for number, text in enumerate(HOSTILE):
        fate, kind = (Fate.DROPPED, EventKind.DROP) if number % 5 == 4 else (Fate.DELIVERED, EventKind.DELIVER)
        at = len(events)
        marks = frozenset({(EventMark.FAILING, EventMark.DECISION, EventMark.DEVIATION)[number % 3]})
        received, dropped = ((at,), None) if fate is Fate.DELIVERED else ((), at)
        sender = None if number == 3 else one
        messages.append(RunMessage(number, "odd", text, sender, two, None if number == 3 else 0, received, dropped, fate))
        change = (FieldChange(two, "state", "", text), FieldChange(two, "members", None, None, True, (text,)))
        events.append(RunEvent(at, kind, two, text, number, (), change if kind is EventKind.DELIVER else (), None, False, marks))
    messages.append(RunMessage(len(messages), "odd", HOSTILE[11], scout, one, 0, ballot=str(Ballot(0, 1))))
    events[0] = RunEvent(0, EventKind.START, None, "the start", sends=tuple(each.id for each in messages), changes=events[0].changes)
    return Run("search", HOSTILE[7], "violated", processes, events, messages, facts=(("configuration", HOSTILE[8]),))


_TRACES = {each.stem: each for each in sorted((ROOT / "traces").glob("*.pmmc"))}
_BROKEN = {f"counterexample on {network}": network for network in NETWORKS}
NAMES = ("counterexample", "without fault", "hostile", *NETWORKS, *_BROKEN, *_TRACES)
"""Every kind of run: found by a search, walked on each network, recorded."""


@cache
def run_named(name: str) -> Run:
    """One of them."""
    if name in _TRACES:
        source = Source(_TRACES[name])
        return run_of_trace(source, judge(source))
    if name in _BROKEN:
        return eventful_counterexample(_BROKEN[name]).run
    if name in NETWORKS:
        return eventful(name).run
    made = {"counterexample": lambda: counterexample().run, "without fault": lambda: without_fault().run, "hostile": hostile}
    return made[name]()
