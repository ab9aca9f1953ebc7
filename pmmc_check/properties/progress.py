"""Progress: in a network without loss, every maximal run decides every command that it has slots and rounds for, and loses none.

A maximal run either ends in a state where nothing can move, or never ends. So there are two ways to break it, and a search
looks for both: an end at which something is left to decide, and a cycle of states in which something is left to decide (for ever).

Something is left to decide when a requested command is decided in no slot, not all leaders have retired for want of a round, and

- a slot up to the model's bound has no decision; or
- no replica holds the command any more: it is among no replica's requests and proposals, nor on its way to one. Then it is not for
  want of a slot that it is undecided. (In the paper a command that loses its slot goes back into requests, and waits for the next.)

That one replica holds it is enough: the others need not know of it. Decisions are never taken back, and without restarts a command
that all have lost stays lost, so this does not change along a cycle.

Progress assumes no fairness: a run that goes on for ever by itself, while messages to others wait, is a run. The paper's protocol has none,
because each preemption uses up a round, and rounds are bounded.

FairProgress asks only of runs that are **weakly fair** whether they decide everything (docs/liveness.md). An action is the delivery of
one message to one process (on a fifo network, of what one sender has sent), or any delivery to one process. It is possible in a state
from which it leads to another. A run is fair if each action that is possible in all of its states from some moment on is taken again and
again, and only finitely many messages are lost. So a message that waits arrives at last, on a duplicating network any that was ever sent,
as if it were retransmitted; and a cycle counts only if every action is taken on it, or not possible in some state of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pmmc_check.errors import UsageError
from pmmc_check.properties.observe import DECIDED, HELD, Fact
from pmmc_check.protocol.messages import show
from pmmc_check.protocol.role import Lifecycle, System
from pmmc_check.protocol.values import COMMANDER, REPLICA, SCOUT, Command, ProcessId

LocalStates = Mapping[ProcessId, Any]


@dataclass(frozen=True)
class Progress:
    """The property, in the form in which searches take invariants."""

    name: str = "Progress"
    statement: str = "every maximal run decides every command that it has slots and rounds for, and loses none"
    observes: frozenset[str] = frozenset({DECIDED, HELD})
    fair: bool = False
    """Whether only fair runs are asked."""


FAIR = Progress("FairProgress", "every fair run decides every command that it has slots and rounds for, and loses none", fair=True)
"""Progress under weak fairness."""


@dataclass(frozen=True)
class Left:
    """What is left to decide: slots without a decision, and commands that are decided nowhere; without slots, those that are lost."""

    slots: tuple[int, ...]
    commands: tuple[Command, ...]


def left_to_decide(system: System, states: LocalStates, facts: Iterable[Fact]) -> Left | None:
    """What is left to decide, if rounds are left for it, and slots, or commands that nobody will propose for one."""
    known = frozenset(facts)
    taken, done = {each.slot for each in known if each.kind == DECIDED}, {each.command for each in known if each.kind == DECIDED}
    slots = tuple(slot for slot in range(1, (system.slots or 0) + 1) if slot not in taken)
    waiting = {each.command for each in known if each.kind == HELD and not slots}
    commands = tuple(command for command in system.commands if command not in done | waiting)
    retired = all(states[leader] is Lifecycle.EXITED for leader in system.leaders)
    return Left(slots, commands) if commands and not retired else None


def stuck(system: System, states: LocalStates, left: Left) -> str:
    """Why nothing can move, in a sentence."""
    return f"nothing can move any more, but {_what(left)}: {'; '.join(_reasons(system, states, left))}"


def endless(left: Left, steps: int, fair: bool) -> str:
    """That the run need never end, in a sentence; `steps` lead once around."""
    repeated = f"the last {'step' if steps == 1 else f'{steps} steps'} can be repeated for ever"
    return f"{repeated}, {'which keeps no process and no message waiting, but' if fair else 'and'} {_what(left)}"


def check_possible(asked: Progress, network: str, loses: bool, crashes: int) -> None:
    """Whether Progress can be asked for on a network that `loses` messages, or need not deliver them.

    Raises:
        UsageError: messages may be lost, or processes may crash: then nothing need ever be decided.
    """
    if loses and not asked.fair:
        raise UsageError(
            f"--invariant Progress: on the {network} network every message may be lost, so nothing need ever be decided; "
            f"take --network reliable or fifo, or add --fair, for runs in which what is sent arrives"
        )
    if crashes:
        raise UsageError(f"--invariant {asked.name}: a process that has crashed need decide nothing; leave --crashes out")


def check_unconstrained(asked: Progress, constraints: Iterable[Any]) -> None:
    """Whether Progress can be asked for under constraints.

    Raises:
        UsageError: there are some.
    """
    for each in constraints:
        raise UsageError(
            f"--invariant {asked.name}: it asks for runs to their very end, and the constraint {each.name} cuts runs off; "
            f"leave one of them out"
        )


def _what(left: Left) -> str:
    command = show(left.commands[0])
    if not left.slots:
        return f"{command} is decided nowhere, and no replica holds it any more"
    return f"no command is decided in slot {show(left.slots[0])} and {command} is decided nowhere"


def _reasons(system: System, states: LocalStates, left: Left) -> Iterator[str]:
    """What the processes that could decide the first open slot are doing; of a lost command, what the replicas have instead."""
    if left.slots:
        yield from _of_leaders(system, states, left.slots[0])
    for replica in (each for each in states if each.role == REPLICA):
        state = states[replica]
        waiting = ", ".join(map(str, sorted(state.requests))) or "nothing"
        yield f"{replica} has slot_in = {state.slot_in}, slot_out = {state.slot_out} and requests {waiting}"


def _of_leaders(system: System, states: LocalStates, slot: int) -> Iterator[str]:
    for leader in system.leaders:
        state = states[leader]
        if isinstance(state, Lifecycle):
            yield f"{leader} has retired"
            continue
        proposed = [str(command) for each, command in getattr(state, "proposals", ()) if each == slot]
        proposal = f"proposes {' and '.join(proposed)} for slot {slot}" if proposed else f"has no proposal for slot {slot}"
        yield f"{leader} {'is active in' if state.active else 'waits for'} ballot {state.ballot} and {proposal}"
        for process in _own(states, leader, slot, state.active):
            yield f"{process} {'has exited' if states[process] is Lifecycle.EXITED else 'waits for answers that do not come'}"


def _own(states: LocalStates, leader: ProcessId, slot: int, active: bool) -> list[ProcessId]:
    """The scout, or the slot's commander, of the leader's ballot."""
    ballot_round = states[leader].ballot.round
    return [
        each
        for each in states
        if (each.number, each.round) == (leader.number, ballot_round)
        and states[each] is not Lifecycle.NOT_STARTED
        and (each.role == COMMANDER and each.slot == slot if active else each.role == SCOUT)
    ]
