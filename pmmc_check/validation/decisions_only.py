"""Logs of decisions alone: which replica learned which decision, and nothing else. They are judged in one reading, without a search.

Nearly anything may have led to a decision that only replicas have logged. One leader, whose first ballot is adopted, proposes what is first
proposed to it for each slot; every replica is asked for each command when its slot is next, and proposes it there. That is a legal run
which shows these logs, if

- no slot has two decisions, no replica learns one twice from a network that does not duplicate, and no command has two slots unless
  requests may come again;
- for each slot there is a replica in time that has learned enough to propose it: slot_out + WINDOW is above it. A replica that logs no
  decisions may have; where all log them, some order of their logs has to let each slot be proposed before it is learned. Learning
  more never hinders, so the greedy order (`interleaving.py`) finds one if there is any.

Only the last can go wrong for good. Wherever anything else is unusual, these logs are `Unusual`, and judged like all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pmmc_check.protocol.messages import Decision
from pmmc_check.protocol.values import NOOP, REPLICA, ProcessId, Reconfigure
from pmmc_check.trace.events import CRASH, DROP, END, NONE, RECEIVE, RESTART, UNKNOWN, Event, Header, Names
from pmmc_check.validation.compact_sets import Bits, Ledger, Once
from pmmc_check.validation.promises import Promises
from pmmc_check.validation.replay.interleaving import Interleaving, Log


class Unusual(Exception):
    """These logs are not as simple as that."""


def shows_decisions_only(header: Header) -> bool:
    """Whether the logs of a trace promise the decisions of replicas, and nothing else."""
    kept = {name for name, contract in header.logs.items() if contract.form != NONE}
    return bool(kept) and kept <= set(header.replicas) and all(header.logs[name].kinds == {"decision"} for name in kept)


class DecisionsOnly:
    """One reading of such logs. `run` gives the first event that no replica could have proposed, or None: they are legal."""

    def __init__(self, header: Header, names: Names) -> None:
        self.header = header
        promises = Promises(header, names)
        replicas = [names.process_of[name] for name in header.replicas]
        self.all_recorded = all(promises.records(each, "decision") for each in replicas)
        self.ledger, self.commands = Ledger(), Once()
        self.learned: dict[ProcessId, Bits] = {each: Bits() for each in replicas}
        self.slot_out = dict.fromkeys(replicas, 1)
        self.furthest = 1
        """The highest slot_out of all replicas."""
        self.again = header.duplicates or header.requests != "once"
        """Whether a replica may be asked for a command a second time."""
        self.interleaving = Interleaving(self._advance)

    @property
    def events(self) -> int:
        """How many events were read."""
        return self.interleaving.events

    @property
    def heard(self) -> Iterable[str]:
        """The logs that have events."""
        return self.interleaving.logs.keys()

    def run(self, streams: Iterable[Iterator[Event]]) -> Event | None:
        """Reads all events.

        Raises:
            Unusual: they have to be judged in another way.
        """
        self.interleaving.take_all(streams)
        stuck = [log.queue[0] for log in self.interleaving.logs.values() if log.queue]
        return min(stuck, key=lambda event: event.message.slot, default=None)  # type: ignore[union-attr]  # decisions wait, nothing else

    def _advance(self, log: Log, event: Event) -> bool:
        if event.action == RECEIVE and not log.crashed and not log.ended:
            return self._learn(log, event, event.message)
        if not log.allows(event.action) or (event.action == DROP and not self.header.duplicates) or event.post is not None:
            raise Unusual
        log.crashed, log.ended = event.action == CRASH or (log.crashed and event.action != RESTART), event.action == END
        return True

    def _learn(self, log: Log, event: Event, decision: Any) -> bool:
        slot, command, me = decision.slot, decision.command, event.process
        if slot is UNKNOWN or command is UNKNOWN or event.peers is not None or command == NOOP or me.role != REPLICA:
            raise Unusual
        if self.all_recorded and slot >= self.furthest + self.header.window:
            return self.interleaving.wait(slot - self.header.window + 1, log)
        new = self.ledger.command(slot) is None
        if not self.ledger.file(slot, command) or (self.header.slots is not None and slot > self.header.slots):
            raise Unusual
        if new and not self.commands.add((command.client, command.operation), command.cid) and not self.again:
            raise Unusual
        if self.header.rounds is not None and isinstance(command.operation, Reconfigure):
            raise Unusual
        if not self.learned[me].add(slot) and not self.header.duplicates:
            raise Unusual
        if slot == self.slot_out[me]:
            self._perform(me)
        if event.post is not None and event.post != (("slot_out", self.slot_out[me]),):
            raise Unusual
        return True

    def _perform(self, me: ProcessId) -> None:
        slot_out, learned = self.slot_out[me], self.learned[me]
        while slot_out in learned:
            slot_out += 1
            if slot_out > self.furthest:
                self.furthest = slot_out
                self.interleaving.wake(slot_out)
        self.slot_out[me] = slot_out


def rejection(event: Event, window: int) -> tuple[str, str, str]:
    """The rule that a decision breaks which no replica could have proposed in time, what was expected, and what was observed."""
    assert isinstance(event.message, Decision), "only a decision can be stuck"
    slot = event.message.slot
    return (
        "R5: a replica proposes only for slots below slot_out + WINDOW, and all replicas log what they learn",
        f"some replica to have learned the decisions of slots 1 to {slot - window} before: then slot {slot} could be proposed",
        f"a decision of slot {slot}",
    )
