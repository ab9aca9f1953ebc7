"""What has no ground in logs that would show it: a decision that no quorum accepted, a command that no client requested.

Nothing is searched. Where the logs of all acceptors show every p2b, a decision needs a quorum of them, sent for one ballot; where they show
every p1b, so does whatever a leader proposes. Where the logs of all clients show every request, a command needs one. And a client gives
each of its commands a number of its own. Only what is nowhere in the whole trace is missed, so the order of events does not matter.

A trace is read twice: the first reading notes what there is, in a bit for each slot or number; the second finds what has no ground.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from zlib import crc32

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import CLIENT, COMMANDER, LEADER, NOOP, SCOUT, Ballot, Command, ProcessId
from pmmc_check.trace.events import SEND, UNKNOWN, Event, Names
from pmmc_check.trace.fields import SET_FIELDS
from pmmc_check.trace.values import Values
from pmmc_check.validation.compact_sets import Once
from pmmc_check.validation.promises import Promises
from pmmc_check.words import counted

_PAGE = 1024


class Finding(NamedTuple):
    """An event without ground, the rule that it breaks, and the slot and ballot that it is about (0 and None: none)."""

    event: Event
    rule: str
    expected: str
    observed: str
    slot: int = 0
    ballot: Ballot | None = None

    def concerns(self, event: Event) -> bool:
        """Whether an event is one of those that are too few: an acceptance in its slot, or an answer to its ballot."""
        if event.action != SEND or event.message is None or not event.peers:
            return False
        if self.slot:
            return event.message.kind == "p2b" and event.peers[0].slot == self.slot
        return self.ballot is not None and event.message.kind == "p1b" and event.peers[0].ballot == self.ballot


class Operations:
    """Which operation each number of a client stands for, in 8 bytes a number: a checksum, so that one conflict in 2³² is not seen."""

    def __init__(self) -> None:
        self._pages: dict[tuple[int, int], array[int]] = {}

    def agree(self, command: Command) -> bool:
        """Whether this is the first command of its number, or the same again. The no-op has none."""
        if command == NOOP:
            return True
        page, offset = divmod(command.cid, _PAGE)
        known = self._pages.get((command.client.number, page))
        if known is None:
            known = self._pages[command.client.number, page] = array("q", [-1]) * _PAGE
        checksum = crc32(str(command.operation).encode())
        if known[offset] < 0:
            known[offset] = checksum
        return known[offset] == checksum


class Grounds:
    """What the logs of a trace show of promises, acceptances and requests. `add` takes every event of a first reading."""

    def __init__(self, names: Names, system: System, promises: Promises, protocol: Protocol = PMMC) -> None:
        self.system, self.show = system, Values(names).show
        counts = {"p1b": (SCOUT, LEADER), "p2b": (COMMANDER,)}
        """Who counts them: a variant may do it in another way."""
        self.whole = {
            kind
            for kind, roles in counts.items()
            if all(promises.records(each, kind) for each in system.acceptors) and all(protocol[role] is PMMC[role] for role in roles)
        }
        """The kinds of which every send is recorded, and says enough: only of them is anything concluded from what is absent."""
        if not names.open_clients and all(promises.records(each, "request") for each in names.name_of if each.role == CLIENT):
            self.whole.add("request")
        self._answers, self._quorums, self._requested = Once(), Once(), Once()
        self._operations = Operations()

    def add(self, event: Event) -> None:
        """Takes one event."""
        message: Any = event.message
        if message is None or event.action != SEND or message.kind not in self.whole:
            return
        if message.kind == "request":
            if message.command is UNKNOWN:
                self.whole.discard("request")
            else:
                self._requested.add(message.command.client, message.command.cid)
        elif event.peers is None or message.ballot is UNKNOWN:
            self.whole.discard(message.kind)
        else:
            for peer in event.peers:
                if peer.ballot == message.ballot and self._answers.add((message.kind, event.process, peer.ballot), peer.slot):
                    self._count(message.kind, peer.ballot, peer.slot)

    def _count(self, kind: str, ballot: Ballot, slot: int) -> None:
        if len(self._answering(kind, ballot, slot)) == self._needed(kind, ballot):
            self._quorums.add((kind, ballot), slot)
            self._quorums.add(kind, slot)

    def _answering(self, kind: str, ballot: Ballot, slot: int) -> list[ProcessId]:
        return [each for each in self.system.acceptors_of(ballot.leader) if self._answers.seen((kind, each, ballot), slot)]

    def _needed(self, kind: str, ballot: Ballot) -> int:
        acceptors = len(self.system.acceptors_of(ballot.leader))
        return self.system.quorum1_of(acceptors) if kind == "p1b" else self.system.quorum2_of(acceptors)

    # ---- the second reading ----

    def lacking(self, event: Event) -> Finding | None:
        """Why the event has no ground, if it has none."""
        message: Any = event.message
        if message is None:
            return None
        return self._two_operations(event, message) or self._unasked(event, message) or self._without_quorum(event, message)

    def _two_operations(self, event: Event, message: Any) -> Finding | None:
        if message.kind != "request" or message.command is UNKNOWN or self._operations.agree(message.command):
            return None
        return Finding(event, *two_operations(message.command, self.show))

    def _unasked(self, event: Event, message: Any) -> Finding | None:
        if "request" not in self.whole:
            return None
        for command in _commands_of(event, message):
            if command != NOOP and not self._requested.seen(command.client, command.cid):
                asked = f"{self.show(command.client)} to have requested {self.show(command)}"
                return Finding(event, "Validity: only requested commands are proposed, accepted, decided", asked, "no such request")
        return None

    def _without_quorum(self, event: Event, message: Any) -> Finding | None:
        """A decision needs a quorum of acceptances, and what is proposed under a ballot a quorum of promises."""
        if message.kind == "decision" and "p2b" in self.whole and message.slot is not UNKNOWN:
            commander = event.process if event.process.role == COMMANDER else event.peers[0] if event.peers else None
            return self._not_accepted(event, message.slot, commander.ballot if commander is not None else None)
        if message.kind in ("adopted", "p2a") and "p1b" in self.whole and message.ballot is not UNKNOWN:
            return self._not_promised(event, message.ballot)
        return None

    def _not_accepted(self, event: Event, slot: int, ballot: Ballot | None) -> Finding | None:
        if self._quorums.seen("p2b" if ballot is None else ("p2b", ballot), slot):
            return None
        ballots = [ballot] if ballot is not None else [each[2] for each in self._answers if each[0] == "p2b"]
        best = max(ballots, key=lambda each: len(self._answering("p2b", each, slot)), default=None)
        accepted = self._answering("p2b", best, slot) if best is not None else []
        needed = self._needed("p2b", best) if best is not None else self.system.quorum2_of(len(self.system.acceptors))
        under = f" under {self.show(best)}" if accepted else ""
        return Finding(
            event,
            "a decision follows the acceptances of a quorum under one ballot",
            f"acceptances of {counted(needed, 'acceptor')} for slot {slot}",
            f"{self._listed(accepted)} accepted for slot {slot}{under}, and the logs of all acceptors are whole",
            slot,
        )

    def _not_promised(self, event: Event, ballot: Ballot) -> Finding | None:
        if self._quorums.seen(("p1b", ballot), 0):
            return None
        return Finding(
            event,
            "a leader proposes only under a ballot that a quorum has promised",
            f"promises of {counted(self._needed('p1b', ballot), 'acceptor')} for {self.show(ballot)}",
            f"{self._listed(self._answering('p1b', ballot, 0))} promised {self.show(ballot)}, and the logs of all acceptors are whole",
            ballot=ballot,
        )

    def _listed(self, acceptors: list[ProcessId]) -> str:
        return f"only {', '.join(map(self.show, acceptors))}" if acceptors else "nobody"


def two_operations(command: Command, show: Callable[[Any], str]) -> tuple[str, str, str]:
    """The rule that a second operation of one number breaks, what was expected, and what was observed."""
    number = f"{show(command.client)}:{command.cid}"
    return (
        "a client gives each of its commands a number of its own",
        f"{number} to stand for one operation",
        f"one client number stands for two operations: {show(command)}, and another before",
    )


def _commands_of(event: Event, message: Any) -> Iterator[Command]:
    """The commands that an event names, but those that a client requests itself."""
    if message.kind == "request" and event.action == SEND:
        return
    command = getattr(message, "command", UNKNOWN)
    if command is not UNKNOWN:
        yield command
    for key in SET_FIELDS:
        pvalues = getattr(message, key, UNKNOWN)
        yield from (each.command for each in pvalues) if pvalues is not UNKNOWN else ()
