"""The run that a trace records, as pictures and exports show it."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import ROOT

from pmmc_check.api.simulating import simulate
from pmmc_check.protocol.values import ACCEPTOR, LEADER, REPLICA
from pmmc_check.report.runs.of_trace import run_of_trace
from pmmc_check.report.runs.run import STATUS_FIELD, EventKind, EventMark, Fate, Run, Status
from pmmc_check.trace.events import DROP, RECEIVE, SEND, Event
from pmmc_check.trace.readers.reader import Trace, open_trace
from pmmc_check.trace.sources import Source, sources
from pmmc_check.validation.judge import judge
from pmmc_check.verdicts import REJECTED

EXAMPLES = sources([str(ROOT / "pmmc_check" / "examples" / "traces")])


def _run(source: Source) -> Run:
    return run_of_trace(source, judge(source))


def _recorded(source: Source) -> tuple[Trace, list[Event]]:
    trace = open_trace(source.path, source.parts)
    return trace, [event for stream in trace.events() for event in stream]


def _simulated(folder: Path, **options: object) -> Source:
    path = simulate(**{"events": 400, "seed": 5, **options}).write(folder / "run.pmmc")  # type: ignore[arg-type]  # its options
    return Source(path)


every_example = pytest.mark.parametrize("source", EXAMPLES, ids=lambda each: each.path.name)


@every_example
def test_every_recorded_event_is_there_once_and_in_the_order_of_its_log(source: Source) -> None:
    run, (_, recorded) = _run(source), _recorded(source)
    logs: dict[str, list[tuple[str, int]]] = {}
    for event in recorded:
        logs.setdefault(event.log, []).append(event.at)
    log_at = {event.at: event.log for event in recorded}
    shown: dict[str, list[tuple[str, int]]] = {}
    for each in run.events:
        if each.place is not None:
            shown.setdefault(log_at[each.place], []).append(each.place)
    assert shown == logs
    assert all(each.inferred for each in run.events[1:] if each.place is None)


@every_example
def test_receives_come_after_sends_and_a_message_is_one_arrow(source: Source) -> None:
    run = _run(source)
    for message in run.messages:
        assert all(message.sent_at is None or message.sent_at < at for at in message.received_at)
        assert all(run.events[at].message == message.id and run.events[at].process == message.to for at in message.received_at)
        assert message.sent_at is None or message.id in run.events[message.sent_at].sends
        assert (message.fate is Fate.DELIVERED) == bool(message.received_at)
    delivered = [each.index for each in run.events if each.kind is EventKind.DELIVER]
    assert sorted(at for each in run.messages for at in each.received_at) == delivered


@every_example
def test_what_is_rejected_has_a_failing_event_with_its_past_and_a_reference_to_it(source: Source) -> None:
    verdict = judge(source)
    run = run_of_trace(source, verdict)
    failing = [each.index for each in run.events if EventMark.FAILING in each.marks]
    assert len(failing) == (verdict.verdict == REJECTED)
    if failing:
        assert any(span.event == failing[0] for paragraph in run.explanation for span in paragraph)
        assert EventMark.UNJUDGED not in run.events[failing[0]].marks
    if verdict.failure is not None:
        assert run.events[failing[0]].place == (verdict.failure.at.file, verdict.failure.at.line)


@pytest.mark.parametrize("network", ["reliable", "lossy", "duplicating", "lossy,fifo"])
def test_recorded_states_are_those_of_the_run(tmp_path: Path, network: str) -> None:
    source = _simulated(tmp_path, network=network.split(","), crash_rate=0.01)
    run, (trace, recorded) = _run(source), _recorded(source)
    states = list(run.states())
    index_at = {each.place: each.index for each in run.events}
    posts = 0
    for event in recorded:
        for name, value in event.post or ():
            shown = states[index_at[event.at]][event.process][name]
            text = str(value) if isinstance(value, bool) else trace.values.show(value)
            whole = set(map(trace.values.show, value)) if isinstance(shown, tuple) else text
            assert (set(shown) if isinstance(shown, tuple) else shown) == whole
            posts += 1
    assert posts > 20


def test_drops_lose_a_message_and_crashed_processes_are_down(tmp_path: Path) -> None:
    source = _simulated(tmp_path, network=["lossy"], loss_rate=0.2, crash_rate=0.05)
    run, (_, recorded) = _run(source), _recorded(source)
    drops = sum(event.action == DROP for event in recorded)
    assert drops and drops == sum(each.fate is Fate.DROPPED for each in run.messages) == sum(
        each.kind is EventKind.DROP for each in run.events
    )
    down = [each for each in run.events if each.kind is EventKind.CRASH]
    assert down and all(run.state_after(each.index)[each.process][STATUS_FIELD] == Status.DOWN for each in down if each.process)


def test_a_doubled_message_is_one_message_received_twice(tmp_path: Path) -> None:
    source = _simulated(tmp_path, network=["duplicating"], duplication_rate=0.4)
    run, (_, recorded) = _run(source), _recorded(source)
    assert sum(event.action == RECEIVE for event in recorded) == sum(len(each.received_at) for each in run.messages)
    assert any(len(each.received_at) > 1 for each in run.messages)
    assert sum(event.action == SEND for event in recorded) == sum(each.kind is EventKind.SEND for each in run.events)


def test_what_was_sent_without_a_record_is_inferred(tmp_path: Path) -> None:
    run = _run(_simulated(tmp_path, events=60, network=["reliable"], contract=["R*=none", "L*=none", "C*=none"]))
    inferred = [each for each in run.events if each.inferred]
    assert inferred and all(each.process is not None and each.process.role != ACCEPTOR for each in inferred)
    known = {process.role for process, fields in run.state_after(len(run.events)).items() if fields}
    assert ACCEPTOR in known and not known & {REPLICA, LEADER}


def test_what_a_receipt_changes_belongs_to_it_also_where_the_log_ends_there() -> None:
    run = _run(next(each for each in EXAMPLES if each.path.name == "good-one-command.pmmc"))
    for event in run.events:
        if event.label.startswith("decision"):
            assert "slot_out 1 → 2" in map(str, event.changes)
        if event.label.startswith("p1a"):
            assert [str(each) for each in event.changes] == ["ballot ⊥ → 0.L1"]
