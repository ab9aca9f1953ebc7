"""A counterexample as a trace (docs/trace-format.md).

`validate` replays it up to the step that leaves the paper's protocol; with the variant that was searched, to its end, and says what it
breaks. States are recorded after each step: what a faulty role keeps to itself shows nowhere else."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pmmc_check.checker.result import TraceStep, Violation
from pmmc_check.model.faults import Crash, Drop, FaultStep, Restart
from pmmc_check.model.model import Item, Model, State, Step
from pmmc_check.protocol.messages import Instant, Message, Start
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import COMMANDER, SCOUT, ProcessId
from pmmc_check.protocol.variants.variant import Variant
from pmmc_check.report.runs.of_search import sender_of
from pmmc_check.trace.events import ALL, CRASH, DROP, KINDS, RECEIVE, RESTART, SEND, ConfigurationNames, Event, Header, Names
from pmmc_check.trace.fields import BROADCASTS, POST_FIELDS
from pmmc_check.trace.sources import Source
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.judge import JudgeOptions, judge

VARIANT = "variant"
"""The note in a header that says of which variants a run is, so that it can be stepped through."""


class NotWritable(Exception):
    """The run has something that the format cannot record; the text says what."""


def never_writable(variants: Iterable[Variant]) -> str | None:
    """Why no run of these variants can be a trace, where that is known without a run."""
    for each in variants:
        if each.own_messages:
            return f"{each.name} sends what a trace cannot record"
    return None


def trace_text(violation: Violation, model: Model, variants: Sequence[str] = ()) -> str:
    """The whole trace; its header notes the `variants`. It has been read back: a legal run of the protocol that was searched. Of a run that
    never ends it has the way once around.

    Raises:
        NotWritable: a role has messages of its own or ballots without a leader, or the run would not be read as what it was.
    """
    text = "".join(f"{line.rstrip()}\n" for line in _lines(violation, model, variants))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "counterexample.pmmc")
        path.write_text(text, encoding="utf-8")
        verdict = judge(Source(path), JudgeOptions(protocol=model.protocol))
    if not verdict.legal_run:
        failure = f"{verdict.failure.at.text}: {verdict.failure.rule}" if verdict.failure else verdict.reason
        raise NotWritable(f"read back, it would not be the run that was found ({failure})")
    return text


def _lines(violation: Violation, model: Model, variants: Sequence[str]) -> Iterator[str]:
    """The header, what is sent before the first step, and each step with what it sends."""
    header = _header(violation, model, variants)
    names = Names(header)
    writer = DslWriter(Values(names))
    yield from writer.header(header)
    try:
        for event in _events(violation, model, names):
            yield writer.item(event)
    except (KeyError, AttributeError) as error:
        raise NotWritable(f"a trace has no name for {error.args[0]}") from error


def _header(violation: Violation, model: Model, variants: Sequence[str]) -> Header:
    everyone: dict[str, Any] = {
        f"{role}s": tuple(str(process) for process in model.processes if process.role == role)
        for role in ("client", "replica", "leader", "acceptor")
    }
    return Header(
        **everyone,
        window=model.config.window,
        network=frozenset({model.config.network}),
        application="log",
        slots=model.config.slots,
        rounds=model.config.rounds,
        quorum1=model.system.quorum1,
        quorum2=model.system.quorum2,
        configurations=tuple(
            ConfigurationNames(tuple(map(str, each.leaders)), tuple(map(str, each.acceptors)))
            for each in (model.system.configurations if model.config.reconfigurations else ())
        ),
        meta=tuple((key, value) for key, value in (("violates", violation.invariant), (VARIANT, ",".join(variants))) if value),
        logs=dict.fromkeys((name for group in everyone.values() for name in group), ALL),
    )


def _events(violation: Violation, model: Model, names: Names) -> Iterator[Event]:
    for process in model.processes:
        if process.role not in (SCOUT, COMMANDER):
            yield from _sends(model.items(process, model.started(process, Start()).sends), names)
    before = violation.initial
    for each in violation.trace:
        yield _taken(each.step, names)._replace(post=_post(each.step), peers=_sender(model, before, each))
        before = each.after
        yield from _sends(model.items(each.step.process, each.step.outcome.sends), names)


def _taken(step: Step, names: Names) -> Event:
    """What the process underwent."""
    message = step.message
    if isinstance(message, Drop):
        return _event(step.process, DROP, message.message, names)
    if isinstance(message, FaultStep):
        return _event(step.process, {Crash: CRASH, Restart: RESTART}[type(message)], None, names)
    return _event(step.process, RECEIVE, message, names)


def _sender(model: Model, before: State, taken: TraceStep) -> tuple[ProcessId] | None:
    sender = sender_of(model, before, taken)
    return None if sender is None else (sender,)


def _post(step: Step) -> tuple[tuple[str, Any], ...] | None:
    """The state after a step, as far as a trace records states: what a faulty role keeps to itself shows only there."""
    state = step.outcome.state
    if isinstance(step.message, Drop) or isinstance(state, Crashed | Lifecycle):
        return None
    return tuple((name, getattr(state, name)) for name in POST_FIELDS.get(step.process.role, ()) if hasattr(state, name)) or None


def _sends(items: Iterable[Item], names: Names) -> Iterator[Event]:
    """Each message once, with all that it goes to; one that the protocol addresses to a single process, once for each that gets it."""
    groups: dict[tuple[ProcessId, Message], list[ProcessId]] = {}
    for to, sender, message in items:
        if not isinstance(message, Instant):
            groups.setdefault((sender, message), []).append(to)
    for (sender, message), recipients in groups.items():
        for some in [recipients] if message.kind in BROADCASTS else [[each] for each in recipients]:
            yield _event(sender, SEND, message, names, tuple(some))


def _event(process: ProcessId, action: str, message: Message | None, names: Names, peers: tuple[ProcessId, ...] | None = None) -> Event:
    if message is not None and message.kind not in KINDS:
        raise NotWritable(f"a trace has no {message.kind} messages")
    return Event(names.log_of(process), process, action, message, peers)
