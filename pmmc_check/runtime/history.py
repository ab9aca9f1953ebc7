"""What clients asked and were told, and when; and whether all of it could have happened one at a time, each between its call and its
return.

The check is the algorithm of Wing and Gong with Lowe's memoisation, as in Knossos and Porcupine: try every operation that could be next,
never twice from the same set of done operations and the same state; and, where the state machine says that operations are about different
keys, for each key by itself. An operation that could be next, has the right result and changes nothing is taken at once, without trying
any other: in an order that has it later it may as well come now, since nothing that is still to be done must come before it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from pmmc_check.runtime.machines import StateMachine
from pmmc_check.runtime.users_machine import UsersMachine, shown_state


class Asked(NamedTuple):
    """One operation of a client, with the times of its call and its return in seconds; without a result it may have happened later, or
    never."""

    client: str
    operation: str
    called: float
    returned: float = inf
    result: str | None = None

    def __str__(self) -> str:
        end = "..." if self.result is None else f"{self.returned:.6f}"
        return f"{self.client} {self.operation} -> {self.result if self.result is not None else '?'} [{self.called:.6f}, {end}]"


@dataclass(frozen=True)
class Linearizability:
    """`holds` is None where the check was given up after `ORDER_STEPS_MAX` tries. `stuck`: the operations of one key among which no order
    fits."""

    holds: bool | None
    operations: int
    stuck: tuple[Asked, ...] = ()


ORDER_STEPS_MAX = 2_000_000
"""Operations that a check of one key tries before it gives up: with very many at the same time that can be exponentially many."""


def linearizable(history: Iterable[Asked], machine: StateMachine, steps_max: int = ORDER_STEPS_MAX) -> Linearizability:
    """Whether the history has a legal order.

    Raises:
        MachineError: the machine is a user's, and breaks its contract, or has states that can be neither copied nor compared.
    """
    with machine.called("comparing its states") if isinstance(machine, UsersMachine) else nullcontext():
        return _linearizable(history, machine, steps_max)


def _linearizable(history: Iterable[Asked], machine: StateMachine, steps_max: int) -> Linearizability:
    listed = list(history)
    parts: dict[Hashable, list[Asked]] = {}
    for each in listed:
        parts.setdefault(machine.key(each.operation), []).append(each)
    unknown = False
    for part in parts.values():
        answer = _Search(sorted(part, key=lambda each: each.called), machine, steps_max).run()
        if answer is False:
            return Linearizability(False, len(listed), tuple(part))
        unknown = unknown or answer is None
    return Linearizability(None if unknown else True, len(listed))


class _Search:
    """Depth first over the operations that may come next. Done are all below `low`, and those in `beyond`."""

    def __init__(self, operations: Sequence[Asked], machine: StateMachine, steps_max: int) -> None:
        self.operations, self.machine, self.steps_left = operations, machine, steps_max
        self.must = sum(each.result is not None for each in operations)

    def run(self) -> bool | None:
        """True, False, or None for given up."""
        start = self.machine.initial()
        seen: set[Hashable] = set()
        stack: list[tuple[int, frozenset[int], int, Any]] = [(0, frozenset(), 0, start)]
        while stack:
            low, beyond, done, state = stack.pop()
            if done == self.must:
                return True
            found = self._possible(low, beyond, state)
            if self.steps_left < 0:
                return None
            for index, after in found:
                new_low, new_beyond = low, beyond | {index}
                while new_low in new_beyond:
                    new_beyond -= {new_low}
                    new_low += 1
                key = (new_low, new_beyond, shown_state(after))
                if key not in seen:
                    seen.add(key)
                    stack.append((new_low, new_beyond, done + (self.operations[index].result is not None), after))
        return False

    def _possible(self, low: int, beyond: frozenset[int], state: Any) -> list[tuple[int, Any]]:
        """The operations that may come next with their results, and the states after them; one that changes nothing is enough."""
        found = []
        for index in self._next(low, beyond):
            self.steps_left -= 1
            operation = self.operations[index]
            after, result = self.machine.apply(state if isinstance(state, int | str) else deepcopy(state), operation.operation)
            if operation.result is None:
                if after != state:  # it may as well never have happened
                    found.append((index, after))
            elif operation.result == result:
                if after == state:
                    return [(index, after)]
                found.append((index, after))
        return found

    def _next(self, low: int, beyond: frozenset[int]) -> list[int]:
        """Those that were called before any that is not done has returned; the last called first, so that the first is tried first."""
        earliest, found = inf, []
        for index in range(low, len(self.operations)):
            operation = self.operations[index]
            if operation.called > earliest:
                break
            if index not in beyond:
                found.append(index)
                earliest = min(earliest, operation.returned)
        return found[::-1]
