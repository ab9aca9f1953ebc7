"""An oracle for messages ever sent and for the states of scouts and commanders: it has neither histories nor expressions, searches pairs of
a state and all that was sent on the way, and asks in Python. And the searches that are compared with it."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, NamedTuple

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import NAMES, applicable, reductions_named
from pmmc_check.checker.reference import ReferenceSearch
from pmmc_check.checker.result import Control
from pmmc_check.checker.symbolic.search import SymbolicSearch
from pmmc_check.model.model import Item, Model, State
from pmmc_check.protocol.messages import Instant, Message
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import BOTTOM, LEADER, Ballot, ProcessId, commander_id, scout_id

Sent = frozenset[tuple[ProcessId, Message]]

FIELDS = {
    "request": "command", "propose": "slot command", "p1a": "ballot", "p1b": "acceptor ballot accepted to", "p2a": "ballot slot command",
    "p2b": "acceptor ballot to", "adopted": "ballot pvalues", "preempted": "ballot to", "decision": "slot command",
    "response": "cid result command",
}  # fmt: skip
RECORDS: dict[str, Any] = {kind: namedtuple(kind, names) for kind, names in FIELDS.items()}
AT = namedtuple("AT", "ballot slot")


class Sight(dict[str, Any]):
    """What Python sees of a state and of all that was sent: the names of expressions, with values of its own."""

    def __init__(self, model: Model, state: State, sent: Sent) -> None:
        system = model.system
        commands = {(each.client, each.cid): each for each in system.commands}

        def record(to: ProcessId, message: Message) -> Any:
            more = {
                "p1b": lambda: {"to": to.ballot}, "p2b": lambda: {"to": AT(to.ballot, to.slot)}, "preempted": lambda: {"to": to},
                "response": lambda: {"command": commands[to, message.cid]},  # type: ignore[attr-defined]
            }.get(message.kind, dict)()  # fmt: skip
            own = [name for name in FIELDS[message.kind].split() if name not in more]
            return RECORDS[message.kind](**{name: getattr(message, name) for name in own}, **more)

        def state_of(process: ProcessId) -> Any:
            local = state[model.index[process]].state if process in model.index else Lifecycle.NOT_STARTED
            local = local.state if isinstance(local, Crashed) else local
            if not isinstance(local, Lifecycle):
                return SimpleNamespace(**{**{name: getattr(local, name) for name in vars(local)}, "running": True})
            return SimpleNamespace(running=False, waitfor=frozenset(system.acceptors), pvalues=frozenset())

        super().__init__(
            {kind: {record(*each) for each in sent if each[1].kind == kind} for kind in FIELDS},
            scout=lambda b: state_of(scout_id(b)),
            commander=lambda b, s: state_of(commander_id(b, s)),
            acceptor=state_of,
            leader=state_of,
            Ballots=[Ballot(r, each.number) for r in range(system.rounds or 0) for each in system.leaders],
            Slots=range(1, (system.slots or 0) + 1),
            Acceptors=frozenset(system.acceptors),
            Commands=system.commands,
            BOTTOM=BOTTOM,
            quorum1=lambda acceptors: len(acceptors) >= system.quorum1_of(len(system.acceptors)),
            quorum2=lambda acceptors: len(acceptors) >= system.quorum2_of(len(system.acceptors)),
            leader_of=lambda b: ProcessId(LEADER, b.leader),
        )


def travelling(items: Iterable[Item]) -> Sent:
    return frozenset((each.to, each.message) for each in items if not isinstance(each.message, Instant))


class Found(NamedTuple):
    """Whether some state satisfies what is looked for, and how many steps lead to the first; and how many pairs there are."""

    reached: bool
    steps: int | None
    pairs: int


def sought(model: Model, wanted: Callable[[Sight], bool], depths: dict[tuple[State, Sent], int] | None = None) -> Found:
    """The oracle: plain breadth-first search over states of a model that records nothing, each with what was sent on the way.

    `depths` is filled with all that it meets, in the order in which it is asked."""
    initial = (model.initial(), travelling(model.sent_at_first()))
    depths = {} if depths is None else depths
    depths[initial], pending = 0, [initial]
    for state, sent in pending:
        if wanted(Sight(model, state, sent)):
            return Found(True, depths[state, sent], len(depths))
        for step, after in model.steps(state):
            pair = (after, sent | travelling(model.items(step.process, step.outcome.sends)))
            if pair not in depths:
                depths[pair] = depths[state, sent] + 1
                pending.append(pair)
    return Found(False, None, len(depths))


QUICK = ("all", "none")


def searched(model: Model, asked: Any, reduce: str, constraints: Any = ()) -> tuple[bool, int | None, int]:
    """Whether a state is found that breaks `asked`, in how many steps, and how many states there are."""
    search: Any
    reductions = applicable(reductions_named(reduce if reduce in (*NAMES, *QUICK) else "none"), model, [asked, *constraints])[0]
    if reduce == "reference":
        search = ReferenceSearch(model, [asked], Control(), constraints)
    elif reduce == "symbolic":
        search = SymbolicSearch(model, [asked], Control(), reductions)
    else:
        search = CompiledSearch(model, [asked], Control(), reductions, 1, constraints=constraints)
    result = search.run()
    return result.violation is not None, len(result.violation.trace) if result.violation else None, result.distinct_states
