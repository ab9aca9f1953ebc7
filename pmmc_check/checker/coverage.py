"""What a search has had occasion to see: how often it took each kind of step, and whether there was anything to see at all.

Coverage counts **deliveries**. In an exhaustive search each delivery that is possible in a state counts once for that state. With deferral
a process's internal deliveries are no steps of the search: they are looked at together with the state in which they become possible
(its views' steps are computed from all of them). They are counted as well, and apart: `put_off`. In random walks the
deliveries of the moves count, and each internal delivery once for each view that was met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.claims import Claims
from pmmc_check.checker.result import Action, Exercised
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.observe import SENT
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.protocol.messages import Decision, Message, Start
from pmmc_check.protocol.role import Lifecycle, states_claim
from pmmc_check.protocol.values import REPLICA

if TYPE_CHECKING:  # the reference search, which needs no compiled kernels, counts here, too
    from pmmc_check.checker.tables import Tables, ViewId


def taken_from(tables: Tables, taken: NDArray[np.int64]) -> Counter[Action]:
    """The deliveries that moves consist of, step s having been taken `taken[s]` times; internal ones excepted."""
    counts: Counter[Action] = Counter()
    for step in np.flatnonzero(taken).tolist():
        counts[_action(tables, step, -1)] += int(taken[step])
    return counts


def put_off_in_states(tables: Tables, met: Mapping[ViewId, int]) -> Counter[Action]:
    """The internal deliveries that are possible in the states of a search in which view v occurred `met[v]` times."""
    counts: Counter[Action] = Counter()
    for view, times in met.items():
        for action, deliveries in tables.put_off.get(view, {}).items():
            counts[action] += deliveries * times
    return +counts


def exercised(checks: Checks, put_off: Counter[Action] | None = None, claims: Claims | None = None) -> Exercised:
    """What the roles were asked for by a search that makes these checks."""
    model = checks.model
    trusted = claims is not None and claims.trusted
    offered, commands, decided = set(), set(model.system.commands), False
    for process, _, message, outcomes in model.known_steps():
        offered.add(Action(process.role, message.kind))
        for state, sends in outcomes:
            decided = decided or any(isinstance(sent, Decision) for _, sent in sends)
            commands.update(sent.command for _, sent in sends if isinstance(sent, Start) and sent.command is not None)
            if process.role == REPLICA and not isinstance(state, Lifecycle):
                decided = decided or bool(getattr(state, "decisions", ()))
    unchanged = [
        model.protocol[role]
        for role in sorted(model.deviations.comparing)
        if not (trusted and any(states_claim(model.protocol[role], claim) for claim in ("ignores", "only_halts")))
    ]
    names = tuple((each.__name__, each.role) for each in unchanged)
    return Exercised(decided, len(commands), dict(put_off or {}), frozenset(offered), names, unsent(checks, _sent(model)))


def unsent(checks: Checks, sent: Iterable[Message]) -> tuple[tuple[str, str], ...]:
    """Which messages an invariant reads, and are not among those that steps which were asked for send."""
    read = [
        (each.name, SENT[kind])
        for each in checks.invariants
        if isinstance(each, WrittenInvariant)
        for kind in sorted(each.observes & SENT.keys())
    ]
    if not read:
        return ()
    kinds = set(map(type, sent))
    return tuple((name, kind.kind) for name, kind in read if not any(issubclass(each, kind) for each in kinds))


def _sent(model: Model) -> Iterator[Message]:
    """What the steps and creations that were asked for send."""
    steps = [outcome for *_, outcomes in model.known_steps() for outcome in outcomes]
    steps += [outcome for *_, outcome in model.known_creations()]
    return (message for _, sends in steps for _, message in sends)


def _action(tables: Tables, step: int, place: int) -> Action:
    process = tables.model.processes[tables.owner.data[tables.step_view.data[step]]]
    return Action(process.role, tables.locals.messages[tables.paths[step].deliveries[place].message].kind)
