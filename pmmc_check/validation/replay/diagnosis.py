"""What is wrong when a replay ends: the mismatch with its rule, what was expected and what was observed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from pmmc_check.protocol.messages import Adopted, P1b, Propose
from pmmc_check.protocol.role import replace
from pmmc_check.protocol.values import LEADER, REPLICA, ProcessId
from pmmc_check.trace.events import END, RECEIVE, SEND, UNKNOWN, Delta, Event, Header, is_chosen
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.citation import by_message, cut, in_short, sets_apart
from pmmc_check.validation.replay.deadlock import Wait, cycle
from pmmc_check.validation.replay.open_requests import OpenRequests
from pmmc_check.validation.replay.process import Process, Processes

_SENDS, _REQUESTS, _LOGS = 4, 3, 12


class Mismatch(NamedTuple):
    """Why the logs are not a legal run: the event, the rule that it breaks, and the values."""

    event: Event
    rule: str
    expected: str
    observed: str
    process: Process | None = None
    awaited: bool = False
    """Whether the event waits for a message that was never sent."""
    cycle: tuple[str, ...] = ()
    """The logs that wait for each other, one line for each."""

    stands_still: bool = False
    """Whether it is that a log cannot go on: then the fault may be in another log."""

    @property
    def begins_late(self) -> bool:
        """Whether the event is one of a replica that must have begun long before its log does: it has performed nothing, and is far on."""
        process, message = self.process, self.event.message
        if process is None or process.exited or process.me.role != REPLICA or message is None or self.event.action != SEND:
            return False
        state: Any = process.state
        slots = [getattr(message, "slot", 0)] if message.kind == "propose" else [slot for slot, _ in state.decisions]
        known = [slot for slot in slots if slot is not UNKNOWN]
        return state.slot_out == 1 and bool(known) and min(known) > process.role.system.window


class Rejected(Exception):
    """Ends a replay with its `Mismatch`."""

    def __init__(self, mismatch: Mismatch) -> None:
        super().__init__(mismatch.rule)
        self.mismatch = mismatch


class Diagnosis:
    """Makes mismatches of what one replay knows; it changes nothing."""

    def __init__(self, header: Header, processes: Processes, writer: DslWriter) -> None:
        self.header, self.processes, self.writer = header, processes, writer
        self.show: Callable[[Any], str] = writer.values.show
        """A value in the trace's own names."""
        self.show_message: Callable[[Any], str] = writer.message
        """A message in the words of the DSL."""

    def unfinished(self, event: Event, process: Process) -> Rejected:
        """The process goes on, or its log ends, before its last step is whole."""
        cause = f" caused by {process.last.place}" if process.last is not None else " of its creation"
        return self.rejected(
            event,
            "a step sends all that it must before the process goes on",
            f"{self.show(process.me)} to send {self._pending(process)}: the step{cause} is not complete",
            ("the end of the log" if event.action == END else "the next receive")
            + (self._of_another_configuration(process) or self._of_a_habit(event, process)),
            process,
        )

    def _of_another_configuration(self, process: Process) -> str:
        """Where a broadcast went to some of its recipients only, the others may belong to another configuration."""
        if self.header.configurations or not process.pending:
            return ""
        message, missing = process.pending[0].message, [send.to for send in process.pending if send.message == process.pending[0].message]
        everyone = {"propose": self.header.leaders, "p1a": self.header.acceptors, "p2a": self.header.acceptors}.get(message.kind, ())
        if not 0 < len(missing) < len(everyone):
            return ""
        return f"; if {self._listed(missing)} belongs to another configuration, say so by configurations= in the config line"

    def _of_a_habit(self, event: Event, process: Process) -> str:
        """Where a replica takes something before it has acted on the last, that may be a habit that the header does not state."""
        received = getattr(event.message, "kind", "") if process.me.role == REPLICA and event.action == RECEIVE else ""
        before = getattr(getattr(process.last, "message", None), "kind", "")
        if received == "request" and self.header.proposals == "eager" and all(type(send.message) is Propose for send in process.pending):
            return "; if replicas take several requests before they propose any, say so by proposals=lazy in the config line"
        if received == before == "decision" and self.header.decisions == "single":
            return "; if replicas take several decisions before they act on any, say so by decisions=batched in the config line"
        return ""

    def not_enabled(self, event: Event, process: Process) -> Rejected:
        """The process sends what its last step does not."""
        to = f" to {self._listed(event.peers)}" if event.peers else ""
        expected = self._pending(process) or f"no send: {self.show(process.me)} must receive a message first"
        observed = self.show_message(event.message)
        if (alike := self._same_but_for_its_set(event, process)) is not None:
            expected, observed = alike
        return self.rejected(event, "a process sends only what its last step makes it send", expected, f"{observed}{to}", process)

    def _same_but_for_its_set(self, event: Event, process: Process) -> tuple[str, str] | None:
        """The two sets, as expected and as observed, of a p1b or adopted that differs from a pending one only in its pvalues."""
        message: Any = event.message
        if not isinstance(message, P1b | Adopted):
            return None
        key = "accepted" if isinstance(message, P1b) else "pvalues"
        for send in process.pending:
            whole: Any = getattr(send.message, key, None)
            if whole is not None and replace(message, **{key: whole}) == send.message:
                recorded = getattr(message, key)
                expected = process.added(whole) if type(recorded) is Delta else whole
                texts = zip(sets_apart(expected, recorded, self.show), (" to " + self.show(send.to), ""), strict=True)
                shown = self.show_message(replace(message, **{key: frozenset()}))
                first, second = (shown.replace("{}", text) + to for text, to in texts)
                return first, second
        return None

    def may_not_restart(self, event: Event, process: Process) -> Rejected:
        """The process comes back from a crash, which no process of its role does."""
        return self.rejected(event, "only a process whose role says how may restart", "no restart", f"{self.show(process.me)} restarts")

    def rejected(self, event: Event, rule: str, expected: str, observed: str, process: Process | None = None) -> Rejected:
        """A mismatch at `event`, in the words given."""
        return Rejected(Mismatch(event, rule, expected, observed, process))

    def other_state(self, event: Event, process: Process, key: str, recorded: Any) -> Rejected:
        """The state of the process is not the one that is recorded after the event."""
        actual = getattr(process.state, key)
        shown = sets_apart(actual, recorded, self.show) if key == "accepted" else (self.show(actual), self.show(recorded))
        return self.rejected(
            event,
            f"the recorded {key} is that of the protocol's state after this step",
            f"{key}={shown[0]}",
            f"{key}={shown[1]}",
            process,
        )

    # ---- logs that stand still ----

    def stuck(self, waiting: Sequence[Wait]) -> Mismatch:
        """A log that waits for something that never comes, if there is one; otherwise the logs wait for each other."""
        return self._reason(waiting)._replace(stands_still=True)

    def _reason(self, waiting: Sequence[Wait]) -> Mismatch:
        hopeless = sorted((wait for wait in waiting if wait.ender is None), key=lambda wait: (not wait.created, wait.event.at))
        if not hopeless:
            return self._in_a_cycle(cycle(waiting))
        first = hopeless[0]
        return self._never_sent(first.event) if first.created else self._never_created(first.event)

    def _never_sent(self, event: Event) -> Mismatch:
        who, shown = self.show(event.process), self.brief(event.message)
        order = ", or it was sent in another order" if self.header.ordered else ""
        copies = "" if self.header.duplicates else ", or it was received before and the network does not duplicate"
        return Mismatch(
            event,
            "no message is received that was not sent",
            f"a send of {shown} to {who}",
            f"no such send{copies}{order}",
            self.processes.running.get(event.process),
            awaited=True,
        )

    def _never_created(self, event: Event) -> Mismatch:
        who = self.show(event.process)
        return Mismatch(
            event,
            "a scout or commander acts only after its leader has created it",
            f"its leader to create {who} first",
            f"{who} acts before that: {self.show_message(event.message)}",
            self.processes.running.get(ProcessId(LEADER, event.process.number)),
        )

    def _in_a_cycle(self, waiting: Sequence[Wait]) -> Mismatch:
        lines = [self._waiting(wait, after.event) for wait, after in zip(waiting, (*waiting[1:], waiting[0]), strict=True)]
        more = [f"and {len(lines) - _LOGS} more logs"] if len(lines) > _LOGS else []
        who = f"{len(lines)} logs wait for each other" if len(lines) > 1 else f"{waiting[0].event.log} waits for its own later send"
        return Mismatch(
            waiting[0].event,
            "no message is received before it is sent",
            "an order of all logs in which each receive comes after its send",
            f"no such order: {who}",
            cycle=(*lines[:_LOGS], *more),
        )

    def _waiting(self, wait: Wait, after: Event) -> str:
        event = wait.event
        if wait.sent is None:
            what = f"until {wait.ender} creates {self.show(event.process)}"
        else:
            what = f"for `{cut(self.brief(event.message))}`, sent at {wait.sent.place}"
        return f"{event.place}: {event.log} waits {what}, which comes after {after.place}"

    # ---- values as a reader knows them ----

    def brief(self, message: Any) -> str:
        """As `show_message`, but a long set is shown by its size."""
        shown = self.show_message(message)
        if isinstance(message, P1b | Adopted):
            pvalues = message.accepted if isinstance(message, P1b) else message.pvalues
            return shown.replace(self.show(pvalues), in_short(pvalues, self.show))
        return shown

    def shown_pending(self, process: Process) -> list[str]:
        """What a process still has to send. Where it may choose a request, the waiting ones are listed."""
        return [f"{self._open_message(message, process)} to {self._listed(to)}" for message, to in by_message(process.pending)]

    def _pending(self, process: Process) -> str:
        shown = self.shown_pending(process)
        return ", ".join(shown[:_SENDS]) + (f" and {len(shown) - _SENDS} more" if len(shown) > _SENDS else "")

    def _open_message(self, message: Any, process: Process) -> str:
        shown = self.brief(message)
        if not isinstance(message, Propose) or is_chosen(message.command):
            return shown
        requests: Any = process.state.requests
        waiting: Collection[Any] = requests.members() if isinstance(requests, OpenRequests) else ()
        if not 0 < len(waiting) <= _REQUESTS:
            return shown
        listed = " or ".join(map(self.show, waiting))
        return shown.replace(self.show(message.command), f"({listed})" if len(waiting) > 1 else listed)

    def _listed(self, processes: Sequence[ProcessId]) -> str:
        return ",".join(map(self.show, processes))
