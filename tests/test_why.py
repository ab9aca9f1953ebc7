"""Why a run went wrong: the paragraph above a counterexample names the process, the step and the rule that was missed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import pytest
from helpers import L1, counterexample_of, small

from pmmc_check.checker.matrix import searched
from pmmc_check.checker.result import Violation
from pmmc_check.model.faults import Restart
from pmmc_check.model.model import Model
from pmmc_check.properties.deviations import ON_CREATION, ON_RESTART, deviations
from pmmc_check.protocol import PMMC, Acceptor, Leader, Outcome, Send, variant
from pmmc_check.protocol.messages import Message, P1a, P1b, P2a, P2b, Propose
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, LEADER, REPLICA, SCOUT, commander_id, scout_id
from pmmc_check.protocol.variants.catalogue import VARIANTS, protocol_with
from pmmc_check.report.chronicle import chronicle
from pmmc_check.report.why import Why, why

MISSED = {
    "accept-lower-ballot": (ACCEPTOR, "p2a", "accepts only if b is its ballot"),
    "promise-not-kept": (ACCEPTOR, "p1a", "raises its ballot to b"),
    "echo-ballot": (ACCEPTOR, "p2a", "answers the commander of (b, s) with its ballot"),
    "accept-without-raise": (ACCEPTOR, "p2a", "accepts only if b is its ballot"),
    "restart-loses-ballot": (ACCEPTOR, ON_RESTART, "keeps its ballot"),
    "restart-loses-accepted": (ACCEPTOR, ON_RESTART, "all that it has accepted over a restart"),
    "collect-silently": (ACCEPTOR, "performed", "never forgets what it has accepted"),
    "scout-half": (SCOUT, "p1b", "a quorum of different acceptors has promised"),
    "scout-counts-twice": (SCOUT, "p1b", "a quorum of different acceptors has promised"),
    "scout-keeps-last": (SCOUT, "p1b", "passes on all the pvalues"),
    "commander-half": (COMMANDER, "p2b", "a quorum of different acceptors has answered"),
    "commander-counts-twice": (COMMANDER, "p2b", "a quorum of different acceptors has answered"),
    "commander-any-ballot": (COMMANDER, "p2b", "exits on any other ballot"),
    "p2b-any-slot": (ACCEPTOR, "p2a", "answers the commander of (b, s)"),
    "ignore-pmax": (LEADER, "adopted", "pmax(pvals) overrides its own proposals"),
    "reversed-update": (LEADER, "adopted", "pmax(pvals) overrides its own proposals"),
    "pmax-lowest": (LEADER, "adopted", "pmax(pvals) overrides its own proposals"),
    "pmax-last-seen": (SCOUT, "p1b", "passes on all the pvalues"),
    "pmax-previous": (LEADER, "adopted", "pmax(pvals) overrides its own proposals"),
    "stale-adopted": (LEADER, "adopted", "only if b is its ballot"),
    "ballot-without-leader": (LEADER, ON_CREATION, "a ballot is (round, leader)"),
    "overwrite-proposal": (LEADER, "propose", "keeps the first command that is proposed"),
    "restart-reuses-ballot": (LEADER, ON_RESTART, "a round that it has never used"),
    "perform-twice": (REPLICA, "decision", "performs each command once"),
    "drop-loser": (REPLICA, "decision", "loses its slot goes back into the requests"),
    "skip-hole": (REPLICA, "decision", "none before it is decided"),
    "reconfigure-late": (REPLICA, "decision", "takes effect WINDOW slots after its own"),
    "reconfigure-at-once": (REPLICA, "decision", "takes effect WINDOW slots after its own"),
    "no-ballot-bump": (LEADER, "preempted", "goes on with a higher round"),
    "hide-accepted": (ACCEPTOR, "p1a", "answers with its ballot and all that it has accepted"),
    "stays-active": (LEADER, "preempted", "becomes passive"),
    "ignore-window": (REPLICA, "request", "below slot_out + WINDOW only"),
    "restart-loses-decisions": (REPLICA, ON_RESTART, "keeps its decisions over a restart"),
    "after-you": (LEADER, "preempted", "goes on with a higher round"),
    "waits-for-work": (LEADER, ON_CREATION, "begins with a scout for its first ballot"),
    "forget-proposals": (LEADER, "preempted", "and with what was proposed to it"),
}
"""By seeded fault: whose step first leaves the paper's protocol, on what, and words of the rule that it misses."""

ROWS = [(name, broken) for name, each in VARIANTS.items() for broken in each.breaks]
FIRST_BY_DEFAULT = [pytest.param(name, broken, marks=[pytest.mark.slow] * (broken != VARIANTS[name].breaks[0])) for name, broken in ROWS]
"""What a fault breaks first; the other invariants that it breaks are slow tests."""


def test_every_seeded_fault_has_its_rule() -> None:
    assert set(MISSED) == {name for name, each in VARIANTS.items() if not each.safe}


@cache
def _explained(name: str, broken: str) -> tuple[Violation, Model, Why]:
    result = counterexample_of(name, broken)
    assert result.violation is not None
    model = Model(result.config, protocol_with([name]))
    return result.violation, model, why(result.violation, model)


@pytest.mark.parametrize(("name", "broken"), FIRST_BY_DEFAULT)
def test_the_paragraph_names_the_step_the_process_and_the_rule(name: str, broken: str) -> None:
    violation, _, told = _explained(name, broken)
    role, kind, rule = MISSED[name]
    first = told.deviations[0]
    assert (first.process.role, first.trigger.kind if isinstance(first.trigger, Message) else first.trigger) == (role, kind)
    if kind == ON_CREATION:
        assert first.index == 0
    else:
        step = violation.trace[first.index - 1].step
        assert (step.process, ON_RESTART if isinstance(step.message, Restart) else step.message) == (first.process, first.trigger)
    (sentence,) = [each for each in told.sentences if "The rule: " in each]
    assert str(first.process) in sentence
    assert f"Step {first.index} leaves" in sentence or kind == ON_CREATION
    assert rule in sentence
    assert "None" not in sentence
    assert "frozenset" not in sentence


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("name", "broken"), [row for row in ROWS if row[1] == "Agreement"])
def test_of_a_broken_agreement_both_decisions_are_told_with_their_ballots_and_acceptances(name: str, broken: str) -> None:
    violation, model, told = _explained(name, broken)
    decisions = [each for each in told.sentences if re.match(r"Step \d+: .* decides ", each)]
    assert len(decisions) == 2
    for sentence in decisions:
        index = int(sentence.removeprefix("Step ").partition(":")[0])
        step = violation.trace[index - 1].step
        assert f"{step.process} decides" in sentence
        assert any(message.kind == "decision" for _, message in step.outcome.sends)
    accepted = chronicle(violation, model).accepted
    for pvalue, who in accepted.items():
        for acceptor, index in who.items():
            before = violation.trace[index - 2].after if index > 1 else violation.initial
            after = violation.trace[index - 1].after
            states = [each[model.index[acceptor]].state for each in (before, after)]
            assert [pvalue in state.accepted for state in states] == [False, True]


@pytest.mark.parametrize(
    "counts",
    [
        {"acceptors": 2, "leaders": 2, "commands": 2, "slots": 2},
        {"acceptors": 1, "leaders": 2, "rounds": 2, "network": "reliable"},
        {
            "acceptors": 1,
            "leaders": 1,
            "rounds": 2,
            "commands": 2,
            "slots": 2,
            "crashes": 1,
            "restarts": 1,
            "faulty": ("acceptor", "leader"),
        },
        {"acceptors": 1, "slots": 2, "window": 1, "reconfigurations": 1},
    ],
    ids=str,
)
def test_the_papers_own_steps_never_leave_the_papers_protocol(counts: dict[str, object]) -> None:
    model = Model(small(**counts))
    initial = model.initial()
    seen, waiting = {initial}, [initial]
    for _ in range(400):
        if not waiting:
            break
        state = waiting.pop()
        for step, after in model.steps(state):
            assert deviations(model, state, [(step, after)]) == []
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    assert len(seen) > 100


def test_a_stuck_run_is_the_papers_own_and_says_how_it_gets_stuck() -> None:
    result = searched(small(acceptors=3, network="reliable"), PMMC, ["Progress"])
    assert result.violation is not None
    sentences = why(result.violation, Model(result.config)).sentences
    assert sentences[0] == "Every step is one that the paper's protocol takes, too."
    assert "before the p1a of the same ballot" in sentences[1]
    assert "commander(0.L1,1) exits" in sentences[1]


class Forgetful(Leader):
    """A user's leader with a state of its own that the paper's leader cannot read."""

    def start(self, command: object = None) -> Outcome:
        return Outcome(("waiting",), super().start().sends)

    def step(self, state: object, message: Message) -> list[Outcome]:
        return [Outcome(("proposed",))] if isinstance(message, Propose) else [Outcome(state)]


def test_a_state_that_the_paper_cannot_read_is_passed_over() -> None:
    model = Model(small(), variant(Forgetful))
    state, proposed = model.initial(), None
    for step in (each for each, _ in model.steps(state) if each.process.role == REPLICA):
        state = dict(model.steps(state))[step]
    for step, after in model.steps(state):
        if step.process == L1:
            proposed = step, after
    assert proposed is not None
    assert deviations(model, state, [proposed]) == []


@dataclass(frozen=True)
class Odd:
    """A state whose fields have the paper's names and other contents."""

    ballot: object = "none"
    accepted: tuple[object, ...] = ()
    promises: int = 0


class OddAcceptor(Acceptor):
    """A user's acceptor that keeps its own books, and breaks Agreement: it promises and accepts everything."""

    def start(self, command: object = None) -> Outcome:
        return Outcome(Odd())

    def step(self, state: Odd, message: Message) -> list[Outcome]:
        if isinstance(message, P1a):
            return [Outcome(Odd(promises=state.promises + 1), (Send(scout_id(message.ballot), P1b(self.me, message.ballot, frozenset())),))]
        if isinstance(message, P2a):
            return [Outcome(state, (Send(commander_id(message.ballot, message.slot), P2b(self.me, message.ballot)),))]
        return [Outcome(state)]


def test_whatever_a_users_role_keeps_the_paragraph_is_written() -> None:
    protocol = variant(OddAcceptor)
    result = searched(small(leaders=2, replicas=2, commands=2), protocol, ["Agreement"])
    assert result.violation is not None
    told = why(result.violation, Model(result.config, protocol))
    assert [each for each in told.sentences if "nobody has accepted" in each]
