"""Makes a `Run` of the events of a trace, one after the other, in the order in which they happen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace as changed
from typing import Any

from pmmc_check.protocol.messages import Adopted, Message, P1b, Response
from pmmc_check.protocol.role import replace
from pmmc_check.protocol.values import (
    BOTTOM,
    COMMANDER,
    LEADER,
    REPLICA,
    SCOUT,
    Ballot,
    ProcessId,
    Reconfigure,
    SlotCommand,
    host_of,
)
from pmmc_check.report.runs.fields import ballot_of, slot_of
from pmmc_check.report.runs.growing_states import StateReader
from pmmc_check.report.runs.run import (
    STATUS_FIELD,
    EventKind,
    EventMark,
    Fate,
    FieldChange,
    Run,
    RunEvent,
    RunMessage,
    RunProcess,
    Status,
)
from pmmc_check.trace.events import CRASH, DROP, END, NETWORK_FLAGS, RECEIVE, RESTART, SEND, Delta, Event, Header, Names, Perform, Unknown
from pmmc_check.trace.fields import BROADCASTS, CALLS, RECIPIENT
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.promises import Promises
from pmmc_check.validation.replay.observed import Happened
from pmmc_check.validation.replay.process import Process

_KINDS = {
    RECEIVE: EventKind.DELIVER,
    SEND: EventKind.SEND,
    DROP: EventKind.DROP,
    CRASH: EventKind.CRASH,
    RESTART: EventKind.RESTART,
    END: EventKind.END,
}
_MEMBERS_SHOWN, _PVALUES_KEPT = 4, 64
_ROLES = ("client", "replica", "leader", "acceptor")


class TraceReader:
    """Takes events, and knows the run so far."""

    def __init__(self, header: Header, names: Names) -> None:
        self.header, self.names = header, names
        self.writer = DslWriter(Values(names, bottom=str(BOTTOM)))
        self.promises = Promises(header, names)
        self.events: list[RunEvent] = []
        self.messages: list[RunMessage] = []
        self.index_at: dict[tuple[str, int], int] = {}
        """The events by file and line."""
        self.own_logs = False
        """Whether a scout or commander has a log of its own."""
        self._states = StateReader(self.show)
        self._ballots: set[Ballot] = set()
        self._seen: dict[ProcessId, None] = dict.fromkeys(names.name_of)
        self._sent: dict[Any, list[int]] = {}
        """By key: the messages that were sent and have not arrived."""
        self._arrived: dict[Any, int] = {}
        """By key: the message that arrived last."""
        self._received_at: dict[ProcessId, int] = {}
        """By process: the event in which it received something last."""
        self._inferred: dict[tuple[ProcessId, Message], int] = {}
        self._performs: dict[tuple[str, int], list[Perform]] = {}
        """By the event before them in their log, which has not happened yet."""
        self._shown: tuple[Any, str] = (None, "")
        """The message that was shown last, and its text."""

    # ---- what is read ----

    def begin(self, running: Iterable[Process]) -> None:
        """Before the first event; `running` are the processes of which a replay knows the states."""
        known = [each for each in running if self.promises.is_replayed(each.me)]
        changes = tuple(change for each in known for change in self._states.changes(each))
        self._seen.update(dict.fromkeys(each.me for each in known))
        self.events.append(RunEvent(0, EventKind.START, None, "the start", changes=changes))

    def acted(self, process: Process) -> None:
        """What a process received last has had its effect: that belongs to the receipt."""
        at = self._received_at.get(process.me)
        if at is not None and self.promises.is_replayed(process.me):
            before = self.events[at]
            changes = (*before.changes, *self._states.changes(process))
            marks = before.marks | set(self._marks_of_changes(changes))
            self.events[at] = changed(before, changes=changes, marks=marks)

    def happened(self, happened: Happened, touched: Iterable[Process] = (), unjudged: bool = False) -> None:
        """One event more; `touched` are the processes whose states it may have changed."""
        event = happened.event
        self._seen[event.process] = None
        self.own_logs = self.own_logs or event.log != self.names.log_of(event.process)
        kind = _KINDS[event.action]
        message = None
        if happened.taken is not None:
            message = self._arrives(event, happened.taken, kind)
        index = len(self.events)
        sends = tuple(self._sends(event, index, to, sent) for to, sent in happened.sent)
        changes = self._changes(event, touched)
        if event.action == RECEIVE:
            self._received_at[event.process] = index
        self.index_at[event.at] = index
        self.events.append(
            RunEvent(
                index,
                kind,
                event.process,
                self._label(event, happened),
                message,
                sends,
                changes,
                event.at if event.file else None,
                marks=frozenset(self._marks(event, changes, unjudged)),
            )
        )

        for performed in self._performs.pop(event.at, ()):
            self._performed(performed)

    def performed(self, item: Perform, after: Event | None) -> None:
        """A line that says what a replica performed; `after` is the event before it in its log. It is no step: nothing changes."""
        if after is None or after.at in self.index_at:
            self._performed(item)
        else:
            self._performs.setdefault(after.at, []).append(item)

    def _performed(self, item: Perform) -> None:
        self._seen[item.process] = None
        label = f"{self.show(item.process)} performs {self.show(item.command)} of slot {item.slot}"
        self.index_at[item.at] = len(self.events)
        self.events.append(RunEvent(len(self.events), EventKind.PERFORM, item.process, label, place=item.at if item.file else None))

    def is_on_its_way(self, key: Any) -> bool:
        """Whether a message with this key was sent and has not arrived."""
        return bool(self._sent.get(key))

    def key_of(self, to: ProcessId, message: Any) -> Any:
        """What two records of one message have in common: what a p1b carries may be recorded as a delta, a result be opaque."""
        if isinstance(message, P1b):
            return to, "p1b", message.acceptor, message.ballot
        if isinstance(message, Response):
            return to, "response", message.cid
        if isinstance(message, Adopted):
            return to, "adopted", message.ballot
        return to, message

    def recipients(self, event: Event) -> tuple[ProcessId, ...]:
        """To whom a send goes, as far as the log says."""
        if event.peers is not None or event.message is None:
            return event.peers or ()
        kind = event.message.kind
        if kind in CALLS:
            return (ProcessId(LEADER, event.process.number),)
        if kind not in BROADCASTS:
            return ()
        return tuple(each for each in self.names.name_of if each.role == RECIPIENT[kind])

    # ---- what comes of it ----

    def run(self, source: str, title: str, verdict: str) -> Run:
        """All that was added."""
        self.messages = [self._finished(each) for each in self.messages]
        return Run(
            source,
            title,
            verdict,
            tuple(self._processes()),
            self.events,
            self.messages,
            tuple(map(self.show, sorted(self._ballots))),
            facts=tuple(self._facts()),
        )

    def _facts(self) -> Iterator[tuple[str, str]]:
        header = self.header
        yield "network", ",".join(flag for flag in NETWORK_FLAGS if flag in header.network)
        yield "window", str(header.window)
        yield from ((f"meta.{key}", value) for key, value in header.meta)

    def _processes(self) -> Iterator[RunProcess]:
        hosts = [each for each in self._seen if each.role in _ROLES]
        hosts.sort(key=lambda each: (_ROLES.index(each.role), each.number))
        for host in hosts:
            yield RunProcess(host, self.show(host))
            if host.role == LEADER:
                owned = [each for each in self._seen if each.role in (SCOUT, COMMANDER) and each.number == host.number]
                yield from (RunProcess(each, self.show(each), host) for each in sorted(owned, key=lambda one: (one.round, one.slot)))

    def _finished(self, message: RunMessage) -> RunMessage:
        if message.received_at or message.dropped_at is not None or self.promises.records(host_of(message.to), message.kind):
            return message
        return changed(message, fate=Fate.UNRECORDED)

    # ---- messages ----

    def _sends(self, event: Event, index: int | None, to: ProcessId, message: Message, sender: ProcessId | None = None) -> int:
        sender = event.process if sender is None else sender
        number = self._made(index, sender, to, message)
        self._sent.setdefault(self.key_of(to, message), []).append(number)
        return number

    def _made(self, index: int | None, sender: ProcessId | None, to: ProcessId, message: Message) -> int:
        number = len(self.messages)
        ballot = ballot_of(message, sender, to)
        if ballot is not None:
            self._ballots.add(ballot)
        self._seen[to] = None
        if sender is not None:
            self._seen[sender] = None
        self.messages.append(
            RunMessage(
                number,
                message.kind,
                self.show_message(message),
                sender,
                to,
                index,
                ballot=None if ballot is None else self.show(ballot),
                slot=slot_of(message, sender, to),
                payload=_kept(message),
            )
        )
        return number

    def _arrives(self, event: Event, taken: Message, kind: EventKind) -> int:
        """Which message is received or dropped; where nobody recorded that it was sent, it must have been."""
        key = self.key_of(event.process, taken)
        sender = event.peers[0] if event.peers else None
        waiting = self._sent.get(key, [])
        number = next((each for each in waiting if sender is None or self.messages[each].sender in (sender, None)), None)
        if number is not None:
            waiting.remove(number)
            if not waiting:
                del self._sent[key]
        elif key in self._arrived and self.header.duplicates:
            number = self._arrived[key]
        else:
            number = self._made(self._inferred_send(event, taken, sender), sender, event.process, taken)
        index, message = len(self.events), self.messages[number]
        if kind is EventKind.DROP:
            self.messages[number] = changed(message, dropped_at=index, fate=Fate.DELIVERED if message.received_at else Fate.DROPPED)
        else:
            self.messages[number] = changed(message, received_at=(*message.received_at, index), fate=Fate.DELIVERED)
            self._arrived[key] = number
        return number

    def _inferred_send(self, event: Event, message: Message, sender: ProcessId | None) -> int | None:
        """The event in which a process that is not recorded must have sent a message; None where that cannot be told."""
        if sender is None or not self.promises.may_be_unsent(sender, message.kind, event.process):
            return None
        broadcast = (sender, message)
        if message.kind in BROADCASTS and broadcast in self._inferred:
            index = self._inferred[broadcast]
        else:
            index = self._inferred[broadcast] = len(self.events)
            label = f"{self.show(sender)} sends {self.show_message(message)} (not recorded)"
            self.events.append(RunEvent(index, EventKind.SEND, sender, label, inferred=True))
        before = self.events[index]
        self.events[index] = changed(before, sends=(*before.sends, len(self.messages)))
        return index

    # ---- states and words ----

    def _changes(self, event: Event, touched: Iterable[Process]) -> tuple[FieldChange, ...]:
        found = list[FieldChange]()
        if event.action == CRASH:
            found.append(FieldChange(event.process, STATUS_FIELD, Status.RUNNING, Status.DOWN))
        elif event.action == RESTART:
            found.append(FieldChange(event.process, STATUS_FIELD, Status.DOWN, Status.RUNNING))
        if self.promises.is_replayed(event.process):  # all that are touched run where the process does
            running = list(touched)
            for each in self._states.different(running):
                self._seen[each.me] = None
                found += self._states.changes(each)
            if running:
                found += self._states.gone(host_of(event.process), running)
        return tuple(found)

    def _marks(self, event: Event, changes: Iterable[FieldChange], unjudged: bool) -> Iterator[EventMark]:
        if event.action == SEND and event.message is not None and event.message.kind == "decision":
            yield EventMark.DECISION
        yield from self._marks_of_changes(changes)
        if unjudged:
            yield EventMark.UNJUDGED

    def _marks_of_changes(self, changes: Iterable[FieldChange]) -> Iterator[EventMark]:
        if any(each.process.role == REPLICA and each.field == "leaders" and each.before is not None for each in changes):
            yield EventMark.RECONFIGURATION

    def _label(self, event: Event, happened: Happened) -> str:
        who = self.show(event.process)
        if event.message is None:
            return f"{who} {({CRASH: 'crashes', RESTART: 'restarts', END: 'ends in good order'})[event.action]}"
        text = self.show_message(happened.taken or event.message)
        if event.action == SEND:
            return f"{who} sends {text}" + (f" to {', '.join(map(self.show, event.peers))}" if event.peers else "")
        return f"{text} → {who}{' is lost' if event.action == DROP else ''}"

    def show_message(self, message: Any) -> str:
        """The message in the words of the DSL; a long set is shown by its size."""
        if message is not self._shown[0]:  # of a broadcast it is the same again and again
            self._shown = (message, self._text(message))
        return self._shown[1]

    def _text(self, message: Any) -> str:
        if not isinstance(message, P1b | Adopted):
            return self.writer.message(message)
        name, pvalues = pvalues_of(message)
        if isinstance(pvalues, Unknown) or len(pvalues) <= _MEMBERS_SHOWN:
            return self.writer.message(message)
        empty = self.writer.message(replace(message, **{name: frozenset()}))
        return empty.replace("{}", f"{'+' * isinstance(pvalues, Delta)}{{{len(pvalues):,} pvalues}}")

    def show(self, value: Any) -> str:
        """Any value in the trace's own names."""
        values = self.writer.values
        if isinstance(value, ProcessId) and value.role in (SCOUT, COMMANDER):
            return f"{value.role}({values.show(value.ballot)}{f',{value.slot}' if value.role == COMMANDER else ''})"
        if isinstance(value, SlotCommand):
            return f"{value.slot}/{values.show(value.command)}"
        if isinstance(value, Reconfigure):
            return f"reconfigure({','.join(map(values.show, value.leaders))})"
        if type(value) is tuple:
            return ",".join(map(self.show, value))
        return str(value) if isinstance(value, bool) else values.show(value)  # as pages of a search have it


def pvalues_of(message: P1b | Adopted) -> tuple[str, Any]:
    """The field that holds the pvalues of a message, and its value."""
    return ("accepted", message.accepted) if isinstance(message, P1b) else ("pvalues", message.pvalues)


def _kept(message: Message) -> Message | None:
    """The message as a value of its own; None where its pvalues are too many to keep them for each message."""
    if not isinstance(message, P1b | Adopted):
        return message
    name, pvalues = pvalues_of(message)
    if isinstance(pvalues, Unknown):
        return message
    return replace(message, **{name: frozenset(pvalues)}) if len(pvalues) <= _PVALUES_KEPT else None
