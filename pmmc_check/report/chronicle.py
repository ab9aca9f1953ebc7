"""What happened in a run, looked at as Paxos does: who accepted what, who adopted which ballot on whose promises, who decided what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pmmc_check.checker.result import Violation
from pmmc_check.model.model import Item, Model, Step
from pmmc_check.protocol.messages import Adopted, Decision, Message, P1b, P2a, P2b, Start
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import ACCEPTOR, BOTTOM, COMMANDER, SCOUT, Ballot, Command, ProcessId, PValue


@dataclass(frozen=True)
class Decided:
    """A step in which `commander` sends decision(slot, command); `pvalue` is what it has asked to accept, `answers` are the p2b that it
    has received until then, in their order."""

    index: int
    commander: ProcessId
    slot: int
    command: Command
    pvalue: PValue
    answers: tuple[P2b, ...]


@dataclass(frozen=True)
class BallotAdopted:
    """A step in which `scout` sends adopted(ballot, ...), with the p1b that it has received until then."""

    index: int
    scout: ProcessId
    ballot: Ballot
    answers: tuple[P1b, ...]


@dataclass
class Chronicle:
    """Steps are numbered from 1; 0 is before the first.

    `accepted`: for each pvalue the acceptors that ever accepted it, each with the first step in which it did. `asked`: each p2a, with
    the first step in which it was sent. `promised`: for each acceptor the ballots that it took, in order, each with its step.
    `stuck`: steps in which a commander exits on a ballot lower than its own, with the answer that it received.
    """

    accepted: dict[PValue, dict[ProcessId, int]] = field(default_factory=lambda: defaultdict(dict))
    asked: dict[PValue, int] = field(default_factory=dict)
    promised: dict[ProcessId, list[tuple[int, Ballot]]] = field(default_factory=lambda: defaultdict(list))
    decided: list[Decided] = field(default_factory=list)
    adopted: list[BallotAdopted] = field(default_factory=list)
    stuck: list[tuple[int, ProcessId, P2b]] = field(default_factory=list)

    def deciding(self, slot: int) -> dict[Command, Decided]:
        """The first decision of each command that is decided in `slot`, in the order of the run."""
        first: dict[Command, Decided] = {}
        for each in self.decided:
            if each.slot == slot:
                first.setdefault(each.command, each)
        return first

    def adoption(self, ballot: Ballot) -> BallotAdopted | None:
        """How `ballot` was adopted, if it was."""
        return next((each for each in self.adopted if each.ballot == ballot), None)


def chronicle(violation: Violation, model: Model) -> Chronicle:
    """Reads a counterexample once from its first step to its last."""
    reader = _Reader()
    for process in model.processes:
        if process.role not in (SCOUT, COMMANDER):
            reader.sent(0, model.items(process, model.started(process, Start()).sends))
    before = violation.initial
    for index, each in enumerate(violation.trace, 1):
        position = model.index[each.step.process]
        reader.taken(index, each.step, before[position].state, each.after[position].state)
        reader.sent(index, model.items(each.step.process, each.step.outcome.sends))
        before = each.after
    return reader.told


class _Reader:
    """What has been told so far, and what is needed to go on: what each commander asks, and what each process has received.

    Of a user's role, what does not look like the paper's is passed over."""

    def __init__(self) -> None:
        self.told = Chronicle()
        self._asks: dict[ProcessId, PValue] = {}
        self._received: dict[ProcessId, list[Message]] = defaultdict(list)

    def taken(self, index: int, step: Step, before: Any, after: Any) -> None:
        """A process took a step."""
        process, message = step.process, step.message
        if isinstance(getattr(message, "ballot", None), Ballot):
            self._received[process].append(message)
        if process.role == ACCEPTOR:
            self._acceptor(index, process, before, after)
        exits = before is not Lifecycle.EXITED and after is Lifecycle.EXITED
        if not (exits and isinstance(message, P2b) and process in self._asks):
            return
        if isinstance(message.ballot, Ballot) and message.ballot < self._asks[process].ballot:
            self.told.stuck.append((index, process, message))

    def _acceptor(self, index: int, acceptor: ProcessId, before: Any, after: Any) -> None:
        states = [each.state if isinstance(each, Crashed) else each for each in (before, after)]
        old, new = map(_accepted, states)
        for pvalue in sorted(new - old):
            self.told.accepted[pvalue].setdefault(acceptor, index)
        ballots = [getattr(each, "ballot", None) for each in states]
        if isinstance(ballots[1], Ballot) and ballots[0] != ballots[1]:
            self.told.promised[acceptor].append((index, ballots[1]))

    def sent(self, index: int, items: Iterable[Item]) -> None:
        """All that left a process in a step, and those that it created."""
        for _, sender, message in items:
            if not isinstance(getattr(message, "ballot", BOTTOM), Ballot):
                continue
            if isinstance(message, P2a):
                self._asks[sender] = PValue(message.ballot, message.slot, message.command)
                self.told.asked.setdefault(self._asks[sender], index)
            elif isinstance(message, Decision) and sender in self._asks:
                answers = tuple(each for each in self._received[sender] if isinstance(each, P2b))
                made = Decided(index, sender, message.slot, message.command, self._asks[sender], answers)
                if made not in self.told.decided:
                    self.told.decided.append(made)
            elif isinstance(message, Adopted):
                promises = tuple(each for each in self._received[sender] if isinstance(each, P1b))
                self.told.adopted.append(BallotAdopted(index, sender, message.ballot, promises))


def _accepted(state: Any) -> frozenset[PValue]:
    accepted = getattr(state, "accepted", ())
    return frozenset(each for each in accepted if isinstance(each, PValue)) if isinstance(accepted, frozenset | tuple) else frozenset()
