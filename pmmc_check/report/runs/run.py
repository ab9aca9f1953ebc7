"""A run, whatever it comes from (a search, a recorded trace, a simulation), as plain data from which pictures and exports are made.

Event 0 is the start; the events of a counterexample have the numbers of its steps. A message is one arrow: a broadcast is a message for
each recipient. States are kept as what each event changes, so a run of 100,000 events stays small; `Run.states` makes whole states of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import ProcessId


class EventKind(StrEnum):
    """What an event is. In runs of a search what a step sends belongs to its delivery; a trace records each send as an event of its own,
    and may say what a replica performed."""

    START = "start"
    DELIVER = "deliver"
    SEND = "send"
    DROP = "drop"
    CRASH = "crash"
    RESTART = "restart"
    END = "end"
    PERFORM = "perform"


class Fate(StrEnum):
    """What became of a message: received at least once; lost in a drop; neither until the run ends; or nobody records what it became."""

    DELIVERED = "delivered"
    DROPPED = "dropped"
    PENDING = "pending"
    UNRECORDED = "unrecorded"


class EventMark(StrEnum):
    """What is to be seen of an event: a command is decided; a reconfiguration takes effect; here the run goes wrong; the paper's protocol
    would not have done this; the explanation names it; it is in the causal past of what goes wrong; it was not judged, because the run
    went wrong before."""

    DECISION = "decision"
    RECONFIGURATION = "reconfiguration"
    FAILING = "failing"
    DEVIATION = "deviation"
    CITED = "cited"
    PAST = "past"
    UNJUDGED = "unjudged"


class Status(StrEnum):
    """The life of a process: the field `STATUS_FIELD` of its state."""

    RUNNING = "running"
    DOWN = "down"
    EXITED = "exited"


STATUS_FIELD: Final = "status"
"""The first field of each state; its values are those of `Status`. A process that does not exist yet has no fields."""

FieldValue = str | tuple[str, ...]
"""A field of a state as text; a set as its members."""

RunState = Mapping[ProcessId, Mapping[str, FieldValue]]
"""What is known of each process; a process without fields is one of which nothing is known."""


@dataclass(frozen=True, slots=True)
class RunProcess:
    """One process. `owner` is the leader of a scout or commander; else None."""

    id: ProcessId
    name: str
    owner: ProcessId | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What an event changes in one field.

    `before` and `after` are texts; None: the field was, or is, not there. Of a set (`is_set`) it is the members that come and go.
    """

    process: ProcessId
    field: str
    before: str | None = None
    after: str | None = None
    is_set: bool = False
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.is_set:
            return " ".join([self.field, *(f"+{each}" for each in self.added), *(f"-{each}" for each in self.removed)])
        if self.field == STATUS_FIELD:
            started = "restarts" if self.before == Status.DOWN else "starts"
            return {Status.DOWN: "crashes", Status.EXITED: "exits"}.get(Status(self.after or Status.RUNNING), started)
        return f"{self.field} {self.after}" if self.before is None else f"{self.field} {self.before} → {self.after or '∅'}"


@dataclass(frozen=True, slots=True)
class RunMessage:
    """One message to one process. `ballot` and `slot` are those that it is about, also where only its sender or recipient tells them.

    `sent_at` is None where nobody records that it was sent. `received_at` has more than one event where the network doubled it, and
    `dropped_at` is the event in which the network lost it. `payload` is the protocol's own value, None where it would be too large to keep.
    """

    id: int
    kind: str
    text: str
    sender: ProcessId | None
    to: ProcessId
    sent_at: int | None
    received_at: tuple[int, ...] = ()
    dropped_at: int | None = None
    fate: Fate = Fate.PENDING
    ballot: str | None = None
    slot: int | None = None
    payload: Message | None = None


@dataclass(frozen=True, slots=True)
class RunEvent:
    """Something that happens to one process (to all, at the start: then `process` is None).

    `message` is what is delivered or dropped, `sends` what leaves in it, both as numbers of messages. `place` is file and line of a
    recorded event. `inferred` says that no log records it, though it must have happened.
    """

    index: int
    kind: EventKind
    process: ProcessId | None
    label: str
    message: int | None = None
    sends: tuple[int, ...] = ()
    changes: tuple[FieldChange, ...] = ()
    place: tuple[str, int] | None = None
    inferred: bool = False
    marks: frozenset[EventMark] = frozenset()


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of an explanation; `event` is what it speaks of, if it names an event."""

    text: str
    event: int | None = None


Paragraph = tuple[Span, ...]


@dataclass(frozen=True)
class Run:
    """One run. `source` is `search`, `trace` or `simulation`; `verdict` the word of the report, `title` what it says in a sentence.

    `ballots` are all ballots that occur, ascending. `facts` tell what the run is of, as label and text. Of a run that never ends the events
    from number `loop` on are repeated for ever; 0: it ends.
    """

    source: str
    title: str
    verdict: str
    processes: tuple[RunProcess, ...]
    events: Sequence[RunEvent]
    messages: Sequence[RunMessage]
    ballots: tuple[str, ...] = ()
    explanation: tuple[Paragraph, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    loop: int = 0
    names: Mapping[ProcessId, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", {each.id: each.name for each in self.processes})

    def states(self) -> Iterator[RunState]:
        """The state after each event, from event 0 on. Each is a copy, made when it is asked for."""
        now: dict[ProcessId, dict[str, str | dict[str, None]]] = {each.id: {} for each in self.processes}
        for event in self.events:
            for change in event.changes:
                _change(now[change.process], change)
            yield {process: {name: _frozen(value) for name, value in fields.items()} for process, fields in now.items()}

    def state_after(self, index: int) -> RunState:
        """The state after event `index`."""
        now: dict[ProcessId, dict[str, str | dict[str, None]]] = {each.id: {} for each in self.processes}
        for event in self.events[: index + 1]:
            for change in event.changes:
                _change(now[change.process], change)
        return {process: {name: _frozen(value) for name, value in fields.items()} for process, fields in now.items()}


def _change(fields: dict[str, str | dict[str, None]], change: FieldChange) -> None:
    if change.is_set:
        members = fields.setdefault(change.field, {})
        assert isinstance(members, dict), "a set stays a set"
        for member in change.removed:
            members.pop(member, None)
        members.update(dict.fromkeys(change.added))
    elif change.after is None:
        fields.pop(change.field, None)
    else:
        fields[change.field] = change.after


def _frozen(value: str | dict[str, None]) -> FieldValue:
    return value if isinstance(value, str) else tuple(value)
