"""The run from which all pictures are made says what the search, or the trace, says."""

from __future__ import annotations

from typing import Any

import pytest

from pmmc_check.api.options import SearchOptions
from pmmc_check.api.searching import configured, protocol_of, result_of
from pmmc_check.checker.result import Control, Violation
from pmmc_check.model.faults import Crash, Drop, FaultStep, Restart
from pmmc_check.model.model import Model
from pmmc_check.protocol.messages import Instant, Start, show
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import COMMANDER, FAULTS, SCOUT
from pmmc_check.report.runs.causality import causal_past, causes
from pmmc_check.report.runs.of_search import paragraph_of, run_of_violation
from pmmc_check.report.runs.run import STATUS_FIELD, EventKind, EventMark, Fate, Run, Span, Status
from pmmc_check.report.why import why


def _found(network: str, variant: str, invariants: tuple[str, ...] = ("Agreement",), **more: Any) -> tuple[Violation, Model]:
    sizes = {"acceptors": 1, "leaders": 2, "replicas": 2, "slots": 1, "commands": 2, **more}
    options = SearchOptions(network=network, variants=[variant], invariants=invariants, **sizes)
    result, model, _ = result_of(options, Model(configured(options), protocol_of(options)), Control(), None)
    assert result.violation is not None
    return result.violation, model


NETWORKS = ("duplicating", "reliable", "lossy", "fifo")


@pytest.fixture(scope="module", params=NETWORKS)
def found(request: pytest.FixtureRequest) -> tuple[Violation, Model]:
    return _found(request.param, "ignore-pmax")


def test_events_are_the_start_and_the_steps(found: tuple[Violation, Model]) -> None:
    violation, model = found
    run = run_of_violation(violation, model)
    assert [each.index for each in run.events] == list(range(len(violation.trace) + 1))
    assert run.events[0].kind is EventKind.START
    assert [each.process for each in run.events[1:]] == [each.step.process for each in violation.trace]
    assert [each.marks & {EventMark.FAILING} for each in run.events].index({EventMark.FAILING}) == len(violation.trace)


def test_every_send_is_one_message_and_every_delivery_is_of_one(found: tuple[Violation, Model]) -> None:
    violation, model = found
    run = run_of_violation(violation, model)
    outsets = [each for each in model.processes if each.role not in (SCOUT, COMMANDER)]
    sent = [item for each in outsets for item in model.items(each, model.started(each, Start()).sends)]
    sent += [item for each in violation.trace for item in model.items(each.step.process, each.step.outcome.sends)]
    assert [(each.to, each.sender, each.payload) for each in run.messages] == [
        tuple(item) for item in sent if not isinstance(item.message, Instant)
    ]
    for event, taken in zip(run.events[1:], violation.trace, strict=True):
        if not isinstance(taken.step.message, FaultStep):
            assert event.message is not None
            message = run.messages[event.message]
            assert (message.payload, message.to) == (taken.step.message, taken.step.process)
            assert event.index in message.received_at and message.fate is Fate.DELIVERED
            assert message.sent_at is not None and message.sent_at < event.index


def test_states_are_those_of_the_model(found: tuple[Violation, Model]) -> None:
    violation, model = found
    run = run_of_violation(violation, model)
    for state, after in zip(run.states(), [violation.initial, *(each.after for each in violation.trace)], strict=True):
        for process, view in zip(model.processes, after, strict=True):
            if process in state:
                fields = state[process]
                if view.state is Lifecycle.NOT_STARTED:
                    assert not fields
                    continue
                assert fields[STATUS_FIELD] == (Status.EXITED if view.state is Lifecycle.EXITED else Status.RUNNING)
                for name, value in fields.items():
                    if name != STATUS_FIELD:
                        whole = getattr(view.state, name)
                        assert (set(value) == set(map(show, whole))) if isinstance(value, tuple) else (value == show(whole))
    assert run.state_after(3) == list(run.states())[3]


def test_crashes_and_restarts_are_events_and_a_message_that_is_dropped_is_lost() -> None:
    forget, model = _found("lossy", "restart-loses-accepted", ("A3",), crashes=1, restarts=1, faulty=("acceptor",))
    run = run_of_violation(forget, model)
    kinds = {Crash: EventKind.CRASH, Restart: EventKind.RESTART, Drop: EventKind.DROP}
    for event, taken in zip(run.events[1:], forget.trace, strict=True):
        assert event.kind is kinds.get(type(taken.step.message), EventKind.DELIVER)
    down = next(each for each in run.events if each.kind is EventKind.CRASH)
    assert down.process is not None and run.state_after(down.index)[down.process][STATUS_FIELD] == Status.DOWN
    assert isinstance(forget.trace[down.index - 1].after[model.index[down.process]].state, Crashed)


def test_the_budget_of_faults_is_no_process_of_the_picture() -> None:
    violation, model = _found("reliable", "restart-loses-accepted", ("A3",), crashes=1, restarts=1, faulty=("acceptor",))
    assert all(each.id.role != FAULTS for each in run_of_violation(violation, model).processes)


def test_causes_come_before_and_the_past_is_closed_under_them(found: tuple[Violation, Model]) -> None:
    run = run_of_violation(*found)
    before = list(causes(run.events, run.messages))
    past = causal_past(run.events, run.messages, {len(run.events) - 1})
    assert all(cause < index for index, each in enumerate(before) for cause in each)
    assert all(set(before[index]) <= past for index in past)
    assert {each.index for each in run.events if EventMark.PAST in each.marks} == past


def test_numbers_of_steps_in_a_sentence_are_references() -> None:
    shown = paragraph_of("Step 2: A1 (step 1) and A2, see steps 3 and 12.", 5)
    assert [each for each in shown if each.event is not None] == [Span("Step 2", 2), Span("step 1", 1), Span("steps 3", 3)]
    assert "".join(each.text for each in shown) == "Step 2: A1 (step 1) and A2, see steps 3 and 12."


def _texts(run: Run) -> list[str]:
    return ["".join(span.text for span in paragraph) for paragraph in run.explanation]


def test_the_explanation_is_that_of_the_report(found: tuple[Violation, Model]) -> None:
    assert _texts(run_of_violation(*found)) == list(why(*found).sentences)
