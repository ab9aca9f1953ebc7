"""Reads a trace, counterexample or not, and goes to its end: or to where it leaves the protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pmmc_check.errors import UsageError
from pmmc_check.explorer.following import Followed, followed
from pmmc_check.explorer.patterns import MessagePattern
from pmmc_check.explorer.recorded import RECORDED_EVENTS_MAX, recorded_config
from pmmc_check.explorer.session import Session, Subject, begun
from pmmc_check.explorer.why_not import why_not
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.properties.quorums import judgeable
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.messages import show
from pmmc_check.report.explore_text import rounds_of, slots_of
from pmmc_check.report.violation_trace import VARIANT
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import SEND, UNKNOWN, Event, Header, Names, Perform
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.sources import Source, sources
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.words import counted

_BUILT = frozenset(("build", "dist", "target"))
"""Folders of what builds make; a session is begun from the original."""


@dataclass(frozen=True)
class Recording:
    """A trace in memory: its events, and what replicas say that they performed."""

    source: Source
    header: Header
    names: Names
    events: tuple[Event | Perform, ...]
    writer: DslWriter

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants that its header notes."""
        text = dict(self.header.meta).get(VARIANT, "")
        return tuple(filter(None, text.split(",")))


def recording_in(path: str) -> Recording:
    """Reads a trace.

    Raises:
        UsageError: there is none, there are several, or it is too long.
        TraceError: it cannot be read.
    """
    found = sources([path])
    found = [each for each in found if not _is_built(each.path, path)] or found
    if len(found) > 1:
        raise UsageError(f"--load {path}: {len(found)} traces are in this directory; give one of them, such as {found[0].path}")
    trace = open_trace(found[0].path, found[0].parts)
    items = (each for each in chain.from_iterable(trace.streams) if isinstance(each, Event | Perform))
    events = tuple(islice(items, RECORDED_EVENTS_MAX + 1))
    if len(events) > RECORDED_EVENTS_MAX:
        raise UsageError(f"--load {path}: has more than {RECORDED_EVENTS_MAX:,} events; cut it to the part that is to be stepped through")
    if not events:
        raise TraceError(path, 0, 0, "has a header but no events, so there is nothing to step through")
    return Recording(found[0], trace.header, trace.names, events, DslWriter(trace.values))


def _is_built(trace: Path, below: str) -> bool:
    """Whether a trace in a folder is a copy that a build has made."""
    return not _BUILT.isdisjoint(trace.parent.parts[len(Path(below).parts) :])


def loaded(
    recording: Recording, protocol: Protocol, variants: tuple[str, ...], given: Mapping[str, int | None]
) -> tuple[Session, tuple[str, ...]]:
    """A session at the end of a recorded run, or where it could be followed no further; and sentences about that.

    Raises:
        UsageError: it is too large.
    """
    model = Model(recorded_config(recording.header, recording.names, recording.events, given), protocol)
    invariants = tuple(judgeable(model, invariants_named([]))[0])
    session = begun(Subject(model, invariants, (), variants))
    far = followed(session.here, recording.header, recording.names, recording.events)
    verdict = judge(recording.source, JudgeOptions(protocol=protocol, variants=variants))
    return session.moved(far.node), tuple(_told(recording, far, verdict, model))


def _told(recording: Recording, far: Followed, verdict: TraceVerdict, model: Model) -> list[str]:
    total = len(recording.events)
    name = Path(recording.source.path).name
    told = [f"{name}: {verdict.verdict}. {far.events:,} of {counted(total, 'event')}, {counted(far.node.depth, 'step')}."]
    if far.stopped is not None:
        told.append(f"It goes no further: {far.stopped.place}: {recording.writer.item(far.stopped)}")
    failure = verdict.failure
    if failure is not None:
        told += [f"  rule      {failure.rule}", f"  expected  {failure.expected}", f"  observed  {failure.observed}"]
    elif far.stopped is not None:
        told += [*_why_not_here(far), f"{_LOOKED_FOR}; go on by hand, from here or from before."]
    told += [f"{each.invariant} is broken by what is recorded: {each.how}" for each in verdict.violations[:2]]
    told += _renamed(recording.names)
    config = model.config
    told.append(f"{slots_of(config).capitalize()}, {rounds_of(config)}, {config.network} network; --slots and --rounds allow more.")
    return told


_LOOKED_FOR = "No way there was found by steps that the logs do not show, up to some thousand states"


def _why_not_here(far: Followed) -> Iterator[str]:
    """What is missing in the model for the event at which a recorded run could be followed no further."""
    event = far.stopped
    if not isinstance(event, Event) or event.message is None:
        return
    values: list[Any] = [getattr(event.message, each.name) for each in fields(event.message)]
    texts = tuple("" if each is UNKNOWN or isinstance(each, frozenset) else show(each) for each in values)
    only = event.peers[0] if event.peers and len(event.peers) == 1 else None
    to = only if event.action == SEND else event.process
    yield from why_not(far.node, MessagePattern(event.message.kind, texts, to))


def _renamed(names: Names) -> list[str]:
    """Which process is which, where the trace has names of its own."""
    other = [f"{process} is {name}" for process, name in names.name_of.items() if str(process) != name]
    own = [each for each in other if not each.startswith("C")] + [each for each in other if each.startswith("C")]
    return [f"Names: {', '.join(own)}."] if own else []
