"""The branches of the protocol: each kind of step by its outcome. What a set of runs has reached of them says how much those runs can show.

`branches_of` is a pure function of a step. A replay's sets grow in place, so what the answer needs of the state before is taken down first
(`prior`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from pmmc_check.protocol.messages import Adopted, Decision, Message, P2a, Propose, Request, Start
from pmmc_check.protocol.role import Lifecycle, Send
from pmmc_check.protocol.values import (
    ACCEPTOR,
    COMMANDER,
    LEADER,
    NOOP,
    REPLICA,
    SCOUT,
    Command,
    ProcessId,
    PValue,
    Reconfigure,
    SlotCommand,
    pmax,
)

RESTARTS = "restart"
"""What stands in the place of a message where a process comes back from a crash."""


class Branch(NamedTuple):
    """A kind of step with an outcome: who takes it, at which message, and how it turns out."""

    role: str
    message: str
    outcome: str
    meaning: str

    @property
    def name(self) -> str:
        """As reports and files name it."""
        return f"{self.role}:{self.message} {self.outcome}"


_MEANINGS = {
    (ACCEPTOR, "p1a"): {
        "promised": "it promises a higher ballot, and has accepted nothing",
        "promised with older pvalues": "it promises a higher ballot, and reports what it has accepted",
        "repeated": "it has promised this ballot before",
        "stale": "a lower ballot, answered with its own",
    },
    (ACCEPTOR, "p2a"): {
        "accepted": "it accepts",
        "accepted before": "it has accepted this before",
        "stale": "a lower ballot, answered with its own",
        "not promised": "a higher ballot that it has not promised, answered with its own",
    },
    (ACCEPTOR, RESTARTS): {"with nothing accepted": "after a crash", "with accepted pvalues": "after a crash, with what it had written"},
    (SCOUT, "p1b"): {
        "counted": "a promise that makes no quorum yet",
        "repeated": "a promise of an acceptor that has answered before",
        "adopted without pvalues": "a quorum, which has accepted nothing",
        "adopted with pvalues": "a quorum, with pvalues of earlier ballots",
        "preempted": "another ballot: the leader is told",
        "too late": "the scout is done",
    },
    (COMMANDER, "p2b"): {
        "counted": "an acceptance that makes no quorum yet",
        "repeated": "an acceptance of an acceptor that has answered before",
        "decided": "a quorum: the decision is sent",
        "preempted": "a higher ballot: the leader is told",
        "met a lower ballot": "an acceptor that has not promised its ballot: the slot is stuck until somebody begins again",
        "too late": "the commander is done",
    },
    (LEADER, "propose"): {
        "kept for later": "it is not active: the proposal waits for its ballot",
        "sent at once": "it is active: a commander is created",
        "beaten": "the slot has another proposal already",
        "known": "the slot has this proposal already",
    },
    (LEADER, "adopted"): {
        "with nothing to propose": "it becomes active, and has no proposal",
        "with its own proposals": "it becomes active, and what it proposes is its own",
        "with slots it did not know": "pvalues bring proposals for slots for which it had none",
        "pmax changed a proposal": "pvalues put another command in the place of its own",
        "ignored": "of a ballot that is no longer its own, or a second time",
    },
    (LEADER, "preempted"): {
        "while scouting": "it goes to a higher ballot before its own was adopted",
        "while active": "it goes to a higher ballot after its own was adopted",
        "ignored": "by a ballot that is not above its own",
    },
    (LEADER, RESTARTS): {"with a new ballot": "after a crash, one round up"},
    (REPLICA, "request"): {
        "proposed": "it is proposed at once",
        "waits for the window": "slot_in has reached slot_out + WINDOW",
        "known": "it waits or is proposed already",
        "performed before": "it was performed, and is proposed once more",
        "passes over decided slots": "slot_in moves over slots that others have had decided",
    },
    (REPLICA, "decision"): {
        "performed": "it is the next slot's",
        "kept": "a slot before it has no decision yet",
        "known": "it has learned it before",
        "performed with later ones": "it closes a gap: several slots are performed",
        "lost slot put back": "its own proposal lost the slot, and waits or is proposed again",
        "not performed twice": "the command was performed in an earlier slot",
        "opens the window": "a request that waited is proposed",
        "reconfiguration": "a reconfiguration takes its place among the commands",
        "noop": "a no-op, which nobody performs",
        "other leaders": "a reconfiguration takes effect, WINDOW slots later",
    },
    (REPLICA, RESTARTS): {"with nothing decided": "after a crash", "with decisions": "after a crash, with what it had written"},
}

BRANCHES = {
    branch.name: branch
    for (role, message), outcomes in _MEANINGS.items()
    for branch in (Branch(role, message, outcome, meaning) for outcome, meaning in outcomes.items())
}
"""All of them by name, in the order of the roles."""

_OF_RECONFIGURATION = (f"{REPLICA}:decision reconfiguration", f"{REPLICA}:decision other leaders")
_OF_NOOP = (f"{REPLICA}:decision noop",)


def branches_that_apply(reconfigures: bool, has_noop: bool) -> list[Branch]:
    """Those that runs may have at all: some need more than one configuration, some a leader that proposes the no-op."""
    without = (() if reconfigures else _OF_RECONFIGURATION) + (() if has_noop else _OF_NOOP)
    return [branch for name, branch in BRANCHES.items() if name not in without]


class Prior(NamedTuple):
    """What counts of the state before a step."""

    state: Any
    """For numbers, flags and sets that never grow in place."""
    known: bool = False
    """Whether what the message brings is there already."""
    taken: bool = False
    """Of a proposal: whether its slot has one already; of a request: whether it was performed."""
    waiting: int = 0
    """How many requests a replica has that are not proposed."""


def prior(state: Any, message: Message | None) -> Prior:
    """Takes down what `branches_of` will ask, before the step is made."""
    if isinstance(message, P2a) and hasattr(state, "accepted"):
        return Prior(state, PValue(message.ballot, message.slot, message.command) in state.accepted)
    if isinstance(message, Propose) and hasattr(state, "proposals"):
        return Prior(state, SlotCommand(message.slot, message.command) in state.proposals, state.proposes_for(message.slot))
    if isinstance(message, Decision) and hasattr(state, "decisions"):
        return Prior(state, SlotCommand(message.slot, message.command) in state.decisions, waiting=len(state.requests))
    if isinstance(message, Request) and hasattr(state, "requests"):
        asked = message.command
        known = asked in state.requests or any(command == asked for _, command in state.proposals)
        return Prior(state, known, state.performed(asked), len(state.requests))
    return Prior(state)


class StepTaken(NamedTuple):
    """A step of `me`, a process of the system; `message` None is a restart."""

    me: ProcessId
    before: Prior
    message: Any
    after: Any
    sends: Sequence[Send] = ()


def branches_of(step: StepTaken) -> Iterator[str]:
    """The names of the branches that a step takes: often one, sometimes several."""
    kind = step.message.kind if step.message is not None else RESTARTS
    outcomes_of = _OUTCOMES.get((step.me.role, kind))
    if outcomes_of is not None:
        for outcome in outcomes_of(step):
            yield f"{step.me.role}:{kind} {outcome}"


_Names = Iterator[str]


def _promise(step: StepTaken) -> _Names:
    ballot = step.before.state.ballot
    if step.message.ballot < ballot:
        yield "stale"
    elif step.message.ballot == ballot:
        yield "repeated"
    else:
        yield "promised with older pvalues" if len(step.after.accepted) else "promised"


def _accept(step: StepTaken) -> _Names:
    ballot = step.before.state.ballot
    if step.message.ballot < ballot:
        yield "stale"
    elif step.message.ballot > ballot:
        yield "not promised"
    else:
        yield "accepted before" if step.before.known else "accepted"


def _acceptor_restart(step: StepTaken) -> _Names:
    yield "with accepted pvalues" if len(step.after.accepted) else "with nothing accepted"


def _p1b(step: StepTaken) -> _Names:
    if isinstance(step.before.state, Lifecycle):
        yield "too late"
    elif step.message.ballot != step.me.ballot:
        yield "preempted"
    elif isinstance(step.after, Lifecycle):
        adopted = [sent for _, sent in step.sends if isinstance(sent, Adopted)]
        yield "adopted with pvalues" if any(each.pvalues for each in adopted) else "adopted without pvalues"
    else:
        yield "counted" if step.message.acceptor in step.before.state.waitfor else "repeated"


def _p2b(step: StepTaken) -> _Names:
    if isinstance(step.before.state, Lifecycle):
        yield "too late"
    elif step.message.ballot != step.me.ballot:
        yield "preempted" if step.message.ballot > step.me.ballot else "met a lower ballot"
    elif isinstance(step.after, Lifecycle):
        yield "decided"
    else:
        yield "counted" if step.message.acceptor in step.before.state.waitfor else "repeated"


def _propose(step: StepTaken) -> _Names:
    if step.before.known or step.before.taken:
        yield "known" if step.before.known else "beaten"
    else:
        yield "sent at once" if any(isinstance(sent, Start) for _, sent in step.sends) else "kept for later"


def _adopted(step: StepTaken) -> _Names:
    if step.before.state.active or not getattr(step.after, "active", False):
        yield "ignored"
        return
    own, reported = step.before.state.proposals, {slot: command for choice in pmax(step.message.pvalues) for slot, command in choice}
    mine: dict[int, Command] = {slot: command for slot, command in own if slot in reported}
    if not len(own) and not reported:
        yield "with nothing to propose"
    if len(own) > len(mine):
        yield "with its own proposals"
    if reported.keys() - mine.keys():
        yield "with slots it did not know"
    if any(reported[slot] != command for slot, command in mine.items()):
        yield "pmax changed a proposal"


def _preempted(step: StepTaken) -> _Names:
    if step.message.ballot <= step.before.state.ballot:
        yield "ignored"
    else:
        yield "while active" if step.before.state.active else "while scouting"


def _leader_restart(step: StepTaken) -> _Names:
    yield "with a new ballot"


def _request(step: StepTaken) -> _Names:
    proposed = len({sent.slot for _, sent in step.sends if isinstance(sent, Propose)})
    if step.before.known:
        yield "known"
    elif step.before.taken:
        yield "performed before"
    elif not proposed:
        yield "waits for the window"
    else:
        yield "proposed"
    if step.after.slot_in - step.before.state.slot_in > proposed:
        yield "passes over decided slots"


def _decision(step: StepTaken) -> _Names:
    if step.before.known:
        yield "known"
        return
    first, last = step.before.state.slot_out, step.after.slot_out
    performed = [command for slot in range(first, last) for command in step.after.decided_in(slot)]
    if not performed:
        yield "kept"
    else:
        yield "performed" if len(performed) == 1 else "performed with later ones"
    if any(first <= slot < last and command not in step.after.decided_in(slot) for slot, command in step.before.state.proposals):
        yield "lost slot put back"
    if sum(not command.is_internal for command in performed) > sum(sent.kind == "response" for _, sent in step.sends):
        yield "not performed twice"
    if step.before.waiting and any(isinstance(sent, Propose) for _, sent in step.sends):
        yield "opens the window"
    if any(isinstance(command.operation, Reconfigure) for command in performed):
        yield "reconfiguration"
    if NOOP in performed:
        yield "noop"
    if step.after.leaders != step.before.state.leaders:
        yield "other leaders"


def _replica_restart(step: StepTaken) -> _Names:
    yield "with decisions" if len(step.after.decisions) else "with nothing decided"


_OUTCOMES: dict[tuple[str, str], Callable[[StepTaken], _Names]] = {
    (ACCEPTOR, "p1a"): _promise,
    (ACCEPTOR, "p2a"): _accept,
    (ACCEPTOR, RESTARTS): _acceptor_restart,
    (SCOUT, "p1b"): _p1b,
    (COMMANDER, "p2b"): _p2b,
    (LEADER, "propose"): _propose,
    (LEADER, "adopted"): _adopted,
    (LEADER, "preempted"): _preempted,
    (LEADER, RESTARTS): _leader_restart,
    (REPLICA, "request"): _request,
    (REPLICA, "decision"): _decision,
    (REPLICA, RESTARTS): _replica_restart,
}
