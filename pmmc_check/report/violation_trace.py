"""A counterexample as a trace (docs/trace-format.md): `validate` replays it, up to the step that leaves the paper's protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pmmc_check.checker.result import Violation
from pmmc_check.model.faults import Crash, Drop, FaultStep, Restart
from pmmc_check.model.model import Item, Model, Step
from pmmc_check.protocol.messages import Instant, Message, Start
from pmmc_check.protocol.values import COMMANDER, SCOUT, ProcessId
from pmmc_check.trace.events import ALL, CRASH, DROP, KINDS, RECEIVE, RESTART, SEND, Event, Header, Names
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter


class NotWritable(Exception):
    """The run has something that the format cannot record; the text says what."""


def trace_lines(violation: Violation, model: Model) -> Iterator[str]:
    """The lines of the trace: the header, what is sent before the first step, and each step with what it sends.

    Raises:
        NotWritable: a variant has messages of its own or ballots without a leader, or leaders are reconfigured.
    """
    if model.config.reconfigurations:
        raise NotWritable("a trace has one set of leaders from the start")
    if model.system.quorum1 or model.system.quorum2:
        raise NotWritable("a trace cannot say that quorums are not majorities")
    header = _header(violation, model)
    names = Names(header)
    writer = DslWriter(Values(names))
    yield from writer.header(header)
    try:
        for event in _events(violation, model, names):
            yield writer.item(event)
    except (KeyError, AttributeError) as error:
        raise NotWritable(f"a trace has no name for {error.args[0]}") from error


def _header(violation: Violation, model: Model) -> Header:
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
        meta=(("violates", violation.invariant),),
        logs=dict.fromkeys((name for group in everyone.values() for name in group), ALL),
    )


def _events(violation: Violation, model: Model, names: Names) -> Iterator[Event]:
    for process in model.processes:
        if process.role not in (SCOUT, COMMANDER):
            yield from _sends(model.items(process, model.started(process, Start()).sends), names)
    for each in violation.trace:
        yield _taken(each.step, names)
        yield from _sends(model.items(each.step.process, each.step.outcome.sends), names)


def _taken(step: Step, names: Names) -> Event:
    """What the process underwent."""
    message = step.message
    if isinstance(message, Drop):
        return _event(step.process, DROP, message.message, names)
    if isinstance(message, FaultStep):
        return _event(step.process, {Crash: CRASH, Restart: RESTART}[type(message)], None, names)
    return _event(step.process, RECEIVE, message, names)


def _sends(items: Iterable[Item], names: Names) -> Iterator[Event]:
    """Each message once, with all that it goes to."""
    groups: dict[tuple[ProcessId, Message], list[ProcessId]] = {}
    for to, sender, message in items:
        if not isinstance(message, Instant):
            groups.setdefault((sender, message), []).append(to)
    for (sender, message), recipients in groups.items():
        yield _event(sender, SEND, message, names, tuple(recipients))


def _event(process: ProcessId, action: str, message: Message | None, names: Names, peers: tuple[ProcessId, ...] | None = None) -> Event:
    if message is not None and message.kind not in KINDS:
        raise NotWritable(f"a trace has no {message.kind} messages")
    return Event(names.log_of(process), process, action, message, peers)
