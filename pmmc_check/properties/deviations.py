"""Where a run leaves the paper's protocol: the steps that the paper's role, in the same state, would not have taken.

Compared is what others can come to know: what a step sends, whether the process exits, and the variables that the paper gives
the role. How a scout or a commander counts is its own affair, and shows in what it sends; so are variables that a variant adds,
and messages of kinds that the paper does not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from pmmc_check.model.faults import FaultStep, Restart
from pmmc_check.model.model import Model, State, Step
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.acceptor import AcceptorState
from pmmc_check.protocol.leader import LeaderState
from pmmc_check.protocol.messages import (
    Adopted,
    Decision,
    Instant,
    Message,
    P1a,
    P1b,
    P2a,
    P2b,
    Preempted,
    Propose,
    Request,
    Response,
    Start,
)
from pmmc_check.protocol.replica import ReplicaState
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome, Send
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, LEADER, REPLICA, SCOUT, ProcessId

ON_CREATION, ON_RESTART, SENDING, EXITING = "start", "restart", "sends", "exits"
"""`ON_CREATION` and `ON_RESTART` stand in a `Deviation` for the message; `SENDING` and `EXITING` in a `Difference` for the field."""

_MESSAGES = (Adopted, Decision, P1a, P1b, P2a, P2b, Preempted, Propose, Request, Response)
_VARIABLES = {
    **{
        role: tuple(each.name for each in fields(state))
        for role, state in ((REPLICA, ReplicaState), (LEADER, LeaderState), (ACCEPTOR, AcceptorState))
    },
    SCOUT: ("pvalues",),
}
_ABSENT = object()


@dataclass(frozen=True)
class Difference:
    """One variable, with its value after the step that was taken and after the paper's; or `SENDING` with two sets of `Send`; or
    `EXITING` with two truth values."""

    field: str
    here: Any
    paper: Any


@dataclass(frozen=True)
class Deviation:
    """A step that the paper's role would not have taken: the step's number in the run, from 1 (0: before the first step).

    `trigger` is the message that was delivered, or `ON_CREATION` or `ON_RESTART`; `differences` are those to the paper's outcome that is
    nearest, never empty."""

    index: int
    process: ProcessId
    trigger: Message | str
    differences: tuple[Difference, ...]


def deviations(model: Model, initial: State, steps: Iterable[tuple[Step, State]]) -> list[Deviation]:
    """All of a run's, in its order. `steps` are the run's steps, each with the state after it.

    A step in a state that the paper's role cannot read, which only a user's role can have, is passed over."""
    paper = _Paper(model)
    found = [each for process in model.processes if process.role not in (SCOUT, COMMANDER) for each in paper.started(0, process, Start())]
    before = initial
    for index, (step, after) in enumerate(steps, 1):
        found += paper.taken(index, step, before[model.index[step.process]].state)
        for to, message in step.outcome.sends:
            if isinstance(message, Start):
                found += paper.started(index, to, message)
        before = after
    return found


class _Paper:
    """The paper's roles, one object for each process of a model."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.roles = {process: PMMC[process.role](process, model.system) for process in model.processes if process.role in PMMC}

    def started(self, index: int, process: ProcessId, start: Start) -> Iterator[Deviation]:
        """How the creation of a process differs, with the creations that follow from it."""
        if process not in self.roles:
            return
        here = self.model.started(process, start)
        yield from self._compared(index, process, ON_CREATION, here, [self.roles[process].start(start.command)])
        for to, message in here.sends:
            if isinstance(message, Start):
                yield from self.started(index, to, message)

    def taken(self, index: int, step: Step, state: Any) -> Iterator[Deviation]:
        """How a step in `state` differs."""
        message = step.message
        if isinstance(state, Lifecycle) or (isinstance(message, FaultStep) and not isinstance(message, Restart)):
            return
        role = self.roles[step.process]
        try:
            if isinstance(state, Crashed):
                restarted = role.restart(state.state)
                outcomes = [restarted] if restarted is not None else []
            else:
                outcomes = list(role.step(state, message))
        except Exception:  # the state is the user's: whatever its fields hold
            return
        trigger = ON_RESTART if isinstance(message, Restart) else message
        yield from self._compared(index, step.process, trigger, step.outcome, outcomes)

    @staticmethod
    def _compared(index: int, process: ProcessId, trigger: Message | str, here: Outcome, paper: Sequence[Outcome]) -> Iterator[Deviation]:
        found = [differences(process.role, here, each) for each in paper]
        if found and all(found):
            yield Deviation(index, process, trigger, min(found, key=len))


def differences(role: str, here: Outcome, paper: Outcome) -> tuple[Difference, ...]:
    """In what two outcomes of a step of `role` differ: variables first, then exits, then what is sent."""
    found = []
    exits = [each.state is Lifecycle.EXITED for each in (here, paper)]
    if exits[0] != exits[1]:
        found.append(Difference(EXITING, *exits))
    elif not exits[0]:
        for name in _VARIABLES.get(role, ()):
            values = getattr(here.state, name, _ABSENT), getattr(paper.state, name, _ABSENT)
            if values[0] != values[1] and _ABSENT not in values:
                found.append(Difference(name, *values))
    sent = _papers_kinds(here.sends), _papers_kinds(paper.sends)
    if sent[0] != sent[1]:
        found.append(Difference(SENDING, *sent))
    return tuple(found)


def _papers_kinds(sends: Iterable[Send]) -> frozenset[Send]:
    """Without messages that the paper does not have, and without what the model does to others within the step."""
    return frozenset(
        each for each in sends if isinstance(each.message, _MESSAGES) or (isinstance(each.message, Instant) and type(each.message) is Start)
    )
