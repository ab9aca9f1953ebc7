"""A run as a sequence diagram, before it is written in anyone's notation: arrows and remarks, in their order.

Such diagrams have no arrows that cross others: a message is drawn where it arrives or gets lost, however long ago it was sent. What never
arrives is told at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pmmc_check.protocol.values import ProcessId
from pmmc_check.report.runs.run import STATUS_FIELD, EventKind, EventMark, Fate, FieldChange, Run, RunEvent, RunProcess, Status

LISTED_MAX = 20
"""So many messages that never arrive are named; the others are counted."""

_HIGHLIGHTED = (EventMark.FAILING, EventMark.DEVIATION, EventMark.DECISION)


@dataclass(frozen=True)
class Arrow:
    """A message that arrives, `again` if not for the first time, or is `lost`. `sender` None: nobody records who sent it."""

    sender: ProcessId | None
    to: ProcessId
    text: str
    again: bool = False
    lost: bool = False


@dataclass(frozen=True)
class Remark:
    """Lines beside a process; None is about all."""

    about: ProcessId | None
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Moment:
    """What is drawn of one event, and what is special about it, if anything. Without an `event` it is about the whole run."""

    parts: tuple[Arrow | Remark, ...]
    mark: EventMark | None = None
    event: int | None = None


UNRECORDED = "unknown"
"""The alias of the lifeline from which messages come whose sender nobody records."""


@dataclass(frozen=True)
class Aliases:
    """Short names of the lifelines, for notations that cannot use processes' own."""

    names: dict[ProcessId, str]

    @classmethod
    def of(cls, run: Run) -> Aliases:
        """The processes numbered in their order."""
        return cls({each.id: f"p{number}" for number, each in enumerate(run.processes, 1)})

    def sender(self, arrow: Arrow) -> str:
        """Where the arrow begins."""
        return UNRECORDED if arrow.sender is None else self.names.get(arrow.sender, UNRECORDED)

    def beside(self, remark: Remark) -> tuple[str, ...]:
        """The lifeline that the remark is about, or the first and the last."""
        if remark.about in self.names:
            return (self.names[remark.about],)
        ends = [*self.names.values()]
        return (ends[0],) if len(ends) == 1 else (ends[0], ends[-1])

    def any_unrecorded(self, drawn: Iterable[Moment]) -> bool:
        """Whether the diagram needs a lifeline for senders that nobody records."""
        return any(isinstance(part, Arrow) and part.sender not in self.names for moment in drawn for part in moment.parts)


def lifelines(run: Run) -> list[tuple[str, list[RunProcess]]]:
    """The processes in their order, grouped: a leader with its scouts and commanders, every other process by itself; with the group's name,
    empty where there is but one."""
    groups: dict[ProcessId, list[RunProcess]] = {}
    for each in run.processes:
        groups.setdefault(each.owner or each.id, []).append(each)
    return [(run.names.get(owner, str(owner)) if len(members) > 1 else "", members) for owner, members in groups.items()]


def moments(run: Run) -> Iterator[Moment]:
    """The diagram, from top to bottom."""
    for event in run.events:
        parts = tuple(_parts(event, run))
        if parts:
            yield Moment(parts, next((mark for mark in _HIGHLIGHTED if mark in event.marks), None), event.index)
    never = [f"{each.text} → {run.names.get(each.to, each.to)}" for each in run.messages if each.fate is Fate.PENDING]
    if never and not run.loop:
        more = [f"and {len(never) - LISTED_MAX:,} more"] if len(never) > LISTED_MAX else []
        yield Moment((Remark(None, ("never delivered:", *never[:LISTED_MAX], *more)),))
    if run.title:
        yield Moment(
            (Remark(None, (run.title,)),), EventMark.FAILING if any(EventMark.FAILING in each.marks for each in run.events) else None
        )


def stem_and_loop(run: Run, drawn: Iterable[Moment]) -> tuple[list[Moment], list[Moment], list[Moment]]:
    """What is drawn once, what is repeated for ever, and what is said at the end."""
    parts: tuple[list[Moment], list[Moment], list[Moment]] = ([], [], [])
    for each in drawn:
        parts[2 if each.event is None else 1 if run.loop and each.event >= run.loop else 0].append(each)
    return parts


def changes_told(event: RunEvent) -> dict[ProcessId, tuple[str, ...]]:
    """What an event changes, by process. Of one that exits or goes down that is all: what it has then is of no use."""
    changed: dict[ProcessId, list[FieldChange]] = {}
    for change in event.changes:
        changed.setdefault(change.process, []).append(change)
    told = {}
    for process, changes in changed.items():
        ends = [each for each in changes if each.field == STATUS_FIELD and each.after in (Status.EXITED, Status.DOWN)]
        told[process] = tuple(str(each) for each in ends or changes if ends or not _starts_empty(each))
    return told


def _starts_empty(change: FieldChange) -> bool:
    return change.is_set and not change.added and not change.removed


def _parts(event: RunEvent, run: Run) -> Iterator[Arrow | Remark]:
    """The arrow of what arrives, then what changes where. What exists from the start is not told."""
    number = f"{event.index}{' (inferred)' * event.inferred}"
    if event.message is not None:
        message = run.messages[event.message]
        again = event.kind is EventKind.DELIVER and event.index != message.received_at[0]
        yield Arrow(message.sender, message.to, f"{number} {message.text}{' again' * again}", again, event.kind is EventKind.DROP)
    elif event.kind not in (EventKind.START, EventKind.SEND):
        yield Remark(event.process, (f"{number} {event.label}",))
    if event.kind is not EventKind.START:
        for process, lines in changes_told(event).items():
            yield Remark(process, lines)
    if EventMark.DEVIATION in event.marks:
        yield Remark(event.process, ("the paper's protocol would not have taken this step",))
