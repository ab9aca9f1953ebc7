"""How promising an unrecorded step is: a heuristic that orders the search and decides nothing.

The next event of each log says which slots, commands and ballots matter now, and the whole trace says which way the run went. Steps that
serve an awaited message score high. Steps score low that raise ballots which nobody mentions, end a scout or commander, or put a command
into a slot for which the trace has another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pmmc_check.protocol.messages import Adopted, Decision, P1a, P1b, P2a, P2b, Preempted, Propose, Request
from pmmc_check.protocol.values import Ballot, Command, ProcessId
from pmmc_check.trace.events import UNKNOWN
from pmmc_check.validation.search.completion import Completion
from pmmc_check.validation.search.steps import Point

_ORDER = ("request", "p1a", "p1b", "propose", "adopted", "p2a", "p2b", "decision", "response")
"""The kinds of message, roughly in the order in which a command causes them."""


class Relevance:
    """Scores for one trace."""

    def __init__(self, system: Completion) -> None:
        self.system = system
        self.commands: dict[int, set[Command]] = {}
        self.ballots: set[Ballot] = set()
        for log in system.logs:
            for event in log:
                message: Any = event.message
                slot, command, ballot = (getattr(message, name, UNKNOWN) for name in ("slot", "command", "ballot"))
                if slot is not UNKNOWN and command is not UNKNOWN and message.kind in ("decision", "p2a"):
                    self.commands.setdefault(slot, set()).add(command)
                if ballot is not UNKNOWN:
                    self.ballots.add(ballot)
                if event.process.role in ("scout", "commander"):
                    self.ballots.add(event.process.ballot)

    def of(self, node: Point) -> Callable[[tuple[ProcessId, Any, Point]], float]:
        """The function that scores a step from `node`."""
        awaited = [event for index in range(len(node.positions)) if (event := self.system.next_event(node, index)) is not None]
        wanted: list[Any] = [event.message for event in awaited if event.message is not None]
        slots = {message.slot for message in wanted if getattr(message, "slot", UNKNOWN) is not UNKNOWN}
        slots |= {event.process.slot for event in awaited if event.process.slot}
        commands = {message.command for message in wanted if getattr(message, "command", UNKNOWN) is not UNKNOWN}
        ballots = {message.ballot for message in wanted if getattr(message, "ballot", UNKNOWN) is not UNKNOWN}
        preempting = any(ballot.round > 0 and not self._running(node, ballot) for ballot in ballots)
        before = sum(node.positions)

        def score(step: tuple[ProcessId, Any, Point]) -> float:
            process, message, after = step
            value = 100.0 * (self._gain(after) - before)
            value += self._fitness(process, message, after)
            value += 3.0 * (getattr(message, "slot", None) in slots or process.slot in slots)
            value += 3.0 * (getattr(message, "command", None) in commands)
            value += 3.0 * (getattr(message, "ballot", None) in ballots)
            value += 20.0 * (preempting and isinstance(message, Preempted))
            return value + _ORDER.index(message.kind) if message.kind in _ORDER else value

        return score

    def _running(self, node: Point, ballot: Ballot) -> bool:
        return any(process.role == "scout" and process.ballot == ballot for process, _ in node.cells)

    def _gain(self, after: Point) -> int:
        """How many events are matched after the step, with those that can follow at once."""
        gained = sum(after.positions)
        for index in range(len(after.positions)):
            event = self.system.next_event(after, index)
            if event is not None and self.system.take(after, index):
                gained += 1
        return gained

    def _fitness(self, process: ProcessId, message: Any, after: Point) -> float:
        """How well the step fits what the trace says of slots and ballots."""
        if isinstance(message, P1a):
            return 0.0 if message.ballot in self.ballots or not self.ballots else -30.0
        if isinstance(message, P2a | Propose | Decision):
            known = self.commands.get(message.slot)
            return -40.0 if known and message.command not in known else 0.0
        if isinstance(message, P1b | P2b):
            return -25.0 if message.ballot != process.ballot else 1.0
        if isinstance(message, Preempted):
            return -20.0
        if isinstance(message, Request):
            return self._proposals(process, after)
        return 2.0 if isinstance(message, Adopted) else 0.0

    def _proposals(self, process: ProcessId, after: Point) -> float:
        state: Any = next(cell.state for me, cell in after.cells if me == process)
        wrong = sum(1 for slot, command in state.proposals if (known := self.commands.get(slot)) is not None and command not in known)
        return -40.0 * wrong
