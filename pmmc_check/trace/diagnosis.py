"""What is wrong when a replay ends: the mismatch with its rule, what was expected and what was observed."""

from __future__ import annotations

from typing import Any, NamedTuple

from pmmc_check.trace.events import END, Event, Header
from pmmc_check.trace.process import Process, Processes
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter


class Mismatch(NamedTuple):
    """Why the logs are no legal run: the event, the rule it breaks, and the values."""

    event: Event
    rule: str
    expected: str
    observed: str
    process: Process | None = None
    awaited: bool = False
    """Whether the event waits for a message that never was sent."""


class Rejected(Exception):
    """Ends a replay with its `Mismatch`."""

    def __init__(self, mismatch: Mismatch) -> None:
        super().__init__(mismatch.rule)
        self.mismatch = mismatch


class Diagnosis:
    """Makes mismatches. What a replay knows is all it needs; it changes nothing."""

    header: Header
    processes: Processes
    values: Values
    writer: DslWriter

    def _unfinished(self, event: Event, process: Process) -> Rejected:
        missing = ", ".join(f"{self.show_message(send.message)} to {self.show(send.to)}" for send in process.pending[:4])
        more = f" and {len(process.pending) - 4} more" if len(process.pending) > 4 else ""
        cause = f" caused by {process.last.place}" if process.last is not None else " of its creation"
        return self._rejected(
            event,
            "a step sends all that it must before the process goes on",
            f"{self.show(process.me)} to send {missing}{more}: the step{cause} is not complete",
            "the end of the log" if event.action == END else "the next receive",
            process,
        )

    def _not_enabled(self, event: Event, process: Process) -> Rejected:
        to = f" to {', '.join(map(self.show, event.peers))}" if event.peers else ""
        expected = ", ".join(f"{self.show_message(send.message)} to {self.show(send.to)}" for send in process.pending[:4])
        more = f" and {len(process.pending) - 4} more" if len(process.pending) > 4 else ""
        return self._rejected(
            event,
            "a process sends only what its last step makes it send",
            f"{expected}{more}" if expected else f"no send: {self.show(process.me)} must receive a message first",
            f"{self.show_message(event.message)}{to}",
            process,
        )

    def _rejected(self, event: Event, rule: str, expected: str, observed: str, process: Process | None = None) -> Rejected:
        return Rejected(Mismatch(event, rule, expected, observed, process))

    def _stuck(self, event: Event, cyclic: bool, created: bool) -> Mismatch:
        who = self.show(event.process)
        shown = self.show_message(event.message)
        if not created:
            return Mismatch(
                event,
                "a scout or commander acts only after its leader has created it",
                f"its leader to create {who} first",
                f"{who} at work: {shown}",
            )
        if cyclic:
            return Mismatch(
                event,
                "no message is received before it is sent",
                "an order of all logs in which each receive comes after its send",
                f"{shown} is sent only after its own receipt, through a cycle of logs",
                awaited=True,
            )
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

    def show(self, value: Any) -> str:
        """A value in the trace's own names."""
        return self.values.show(value)

    def show_message(self, message: Any) -> str:
        """A message in the words of the DSL."""
        return self.writer.message(message)
