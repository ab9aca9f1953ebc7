"""Terms to closures: each is called with the world, what is observed of it, and a frame, the values of the bound variables."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pmmc_check.properties.observe import DECIDED, P2A_SENT, PVALUE_ACCEPTED
from pmmc_check.protocol.messages import in_order
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import COMMANDER, LEADER, SCOUT, ProcessId, PValue, SlotCommand, commander_id, scout_id
from pmmc_check.spec.names import EVERYBODY, STATE, WITHOUT_VALUE
from pmmc_check.spec.place import SpecError, TextPlace
from pmmc_check.spec.terms import RecordValue, Term
from pmmc_check.spec.types import A_DECISION, A_PVALUE

SET_MAX = 1_000_000
"""No set may have more members."""


@dataclass(frozen=True)
class World:
    """What an expression sees: facts by their kind (of acceptances: by the acceptor), variables of processes, and, by the kind of fact,
    the messages other than p2a that were sent."""

    decided: frozenset[SlotCommand] = frozenset()
    p2a: frozenset[PValue] = frozenset()
    accepted: Mapping[ProcessId, frozenset[PValue]] | None = None
    variables: Mapping[tuple[ProcessId, str], Any] | None = None
    sent: Mapping[str, frozenset[Any]] | None = None


Frame = list[Any]
Evaluated = Callable[[World, Frame], Any]


class EvaluationError(SpecError):
    """An expression has no value: it chooses from nothing, or reads an item that a sequence does not have."""


def compiled_term(term: Term, system: System, name: str = "") -> Evaluated:
    """The closure that evaluates `term`; its frame needs `frame_size(term)` places. `name` is the property's, for messages."""
    return _Compiler(system, f"{name}: " if name.isidentifier() else "").closure(term)


def frame_size(term: Term) -> int:
    """How many places a frame needs."""
    numbers = [each.value for each in term.all_parts() if each.kind in _BINDING or each.kind == "variable"]
    return max(numbers, default=-1) + 1


_BINDING = {"forall", "exists", "filter", "collect", "choose", "let"}
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "#": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "\\in": lambda one, many: one in many,
    "\\notin": lambda one, many: one not in many,
    "\\subseteq": operator.le,
    "\\cup": operator.or_,
    "\\cap": operator.and_,
    "\\": operator.sub,
    "<=>": lambda one, other: bool(one) == bool(other),
}
"""What operators of two values calculate."""
_NOTHING: frozenset[Any] = frozenset()


class _Compiler:
    def __init__(self, system: System, prefix: str) -> None:
        self.system, self.prefix = system, prefix

    def _no_value(self, term: Term, problem: str) -> EvaluationError:
        """`term` has no value in some state; it was placed when it was resolved."""
        return EvaluationError(term.place or TextPlace("<expression>", 1, 1, ""), f"{self.prefix}{term.text}: {problem}")

    def closure(self, term: Term) -> Evaluated:
        parts = tuple(map(self.closure, term.parts))
        made: Evaluated = getattr(self, "_" + term.kind.replace(" ", "_"))(term, *parts)
        return made

    def _constant(self, term: Term) -> Evaluated:
        value = term.value
        return lambda world, frame: value

    def _variable(self, term: Term) -> Evaluated:
        number = term.value
        return lambda world, frame: frame[number]

    def _and(self, term: Term, *parts: Evaluated) -> Evaluated:
        return lambda world, frame: all(part(world, frame) for part in parts)

    def _or(self, term: Term, *parts: Evaluated) -> Evaluated:
        return lambda world, frame: any(part(world, frame) for part in parts)

    def _not(self, term: Term, part: Evaluated) -> Evaluated:
        return lambda world, frame: not part(world, frame)

    def _operation(self, term: Term, left: Evaluated, right: Evaluated) -> Evaluated:
        if term.value == "=>":
            return lambda world, frame: not left(world, frame) or right(world, frame)
        if term.value == "..":
            return self._numbers(term, left, right)
        calculate = OPERATIONS[term.value]
        return lambda world, frame: calculate(left(world, frame), right(world, frame))

    def _numbers(self, term: Term, left: Evaluated, right: Evaluated) -> Evaluated:
        def evaluate(world: World, frame: Frame) -> frozenset[int]:
            first, last = left(world, frame), right(world, frame)
            if last - first >= SET_MAX:
                bounds = f"n >= {term.parts[0].text} /\\ n <= {term.parts[1].text}"
                raise self._no_value(
                    term, f"{first}..{last} has more than {SET_MAX:,} members; take closer bounds, or ask for them: {bounds}"
                )
            return frozenset(range(first, last + 1))

        return evaluate

    def _if(self, term: Term, condition: Evaluated, yes: Evaluated, no: Evaluated) -> Evaluated:
        return lambda world, frame: (yes if condition(world, frame) else no)(world, frame)

    def _let(self, term: Term, value: Evaluated, body: Evaluated) -> Evaluated:
        number = term.value

        def evaluate(world: World, frame: Frame) -> Any:
            frame[number] = value(world, frame)
            return body(world, frame)

        return evaluate

    def _forall(self, term: Term, members: Evaluated, body: Evaluated) -> Evaluated:
        number = term.value

        def evaluate(world: World, frame: Frame) -> bool:
            return all(body(world, frame) for frame[number] in members(world, frame))

        return evaluate

    def _exists(self, term: Term, members: Evaluated, body: Evaluated) -> Evaluated:
        number = term.value

        def evaluate(world: World, frame: Frame) -> bool:
            return any(body(world, frame) for frame[number] in members(world, frame))

        return evaluate

    def _filter(self, term: Term, members: Evaluated, body: Evaluated) -> Evaluated:
        number = term.value

        def evaluate(world: World, frame: Frame) -> frozenset[Any]:
            found = []
            for each in members(world, frame):
                frame[number] = each
                if body(world, frame):
                    found.append(each)
            return frozenset(found)

        return evaluate

    def _collect(self, term: Term, members: Evaluated, body: Evaluated) -> Evaluated:
        number = term.value

        def evaluate(world: World, frame: Frame) -> frozenset[Any]:
            found: set[Any] = set()
            for frame[number] in members(world, frame):  # noqa: B020
                found |= body(world, frame)
            return frozenset(found)

        return evaluate

    def _choose(self, term: Term, members: Evaluated, body: Evaluated) -> Evaluated:
        number = term.value

        def evaluate(world: World, frame: Frame) -> Any:
            for frame[number] in in_order(members(world, frame)):  # noqa: B020
                if body(world, frame):
                    return frame[number]
            there_is = f"\\E {term.names[0]} \\in {term.parts[0].text} : {term.parts[1].text}"
            raise self._no_value(term, f"there is nothing to choose; guard it: IF {there_is} THEN ... ELSE ...")

        return evaluate

    def _set(self, term: Term, *parts: Evaluated) -> Evaluated:
        return lambda world, frame: frozenset([part(world, frame) for part in parts])

    def _union(self, term: Term, sets: Evaluated) -> Evaluated:
        return lambda world, frame: _NOTHING.union(*sets(world, frame))

    def _size(self, term: Term, part: Evaluated) -> Evaluated:
        return lambda world, frame: len(part(world, frame))

    def _quorum(self, term: Term, part: Evaluated) -> Evaluated:
        enough = self.system.quorum1_of if term.value == "IsQuorum1" else self.system.quorum2_of
        acceptors = len(self.system.acceptors_of(1))
        size = enough(acceptors)
        return lambda world, frame: len(part(world, frame)) >= size

    def _item(self, term: Term, sequence: Evaluated, index: Evaluated) -> Evaluated:
        def evaluate(world: World, frame: Frame) -> Any:
            items, at = sequence(world, frame), index(world, frame)
            if not 1 <= at <= len(items):
                there_is = f"{term.parts[1].text} \\in 1..Len({term.parts[0].text})"
                raise self._no_value(term, f"there is no item {at} in a sequence of {len(items)}; guard it: {there_is} => ...")
            return items[at - 1]

        return evaluate

    def _field(self, term: Term, part: Evaluated) -> Evaluated:
        name, names = term.value, term.parts[0].type.fields
        if names in (A_DECISION.fields, A_PVALUE.fields):
            return lambda world, frame: getattr(part(world, frame), name)
        at = names.index(name)
        return lambda world, frame: part(world, frame).items[at][1]

    def _ballot_part(self, term: Term, part: Evaluated) -> Evaluated:
        if term.value == "round":
            return lambda world, frame: part(world, frame).round
        return lambda world, frame: ProcessId(LEADER, part(world, frame).leader)

    def _record(self, term: Term, *parts: Evaluated) -> Evaluated:
        names = term.value
        if names == A_DECISION.fields:
            return lambda world, frame: SlotCommand(*[part(world, frame) for part in parts])
        if names == A_PVALUE.fields:
            return lambda world, frame: PValue(*[part(world, frame) for part in parts])
        return lambda world, frame: RecordValue(tuple((name, part(world, frame)) for name, part in zip(names, parts, strict=True)))

    def _state(self, term: Term, *index: Evaluated) -> Evaluated:
        role, name = term.value
        if role in (SCOUT, COMMANDER):
            return self._thread(term, scout_id if role == SCOUT else commander_id, index)
        process = index[0]
        return lambda world, frame: world.variables[process(world, frame), name]  # type: ignore[index]

    def _thread(self, term: Term, identity: Callable[..., ProcessId], index: tuple[Evaluated, ...]) -> Evaluated:
        """A variable of a scout or commander: most of them do not run."""
        role, name = term.value
        without_state = STATE[role][name].without_state

        def evaluate(world: World, frame: Frame) -> Any:
            process = identity(*[part(world, frame) for part in index])
            found = world.variables.get((process, name), without_state)  # type: ignore[union-attr]
            if found is EVERYBODY:
                return frozenset(self.system.acceptors_of(process.number))
            if found is WITHOUT_VALUE:
                which = ", ".join(part.text for part in term.parts)
                raise self._no_value(term, f"{process} does not run, and has no {name}; guard it: {role}[{which}].running => ...")
            return found

        return evaluate

    def _facts(self, term: Term) -> Evaluated:
        if term.value == DECIDED:
            return lambda world, frame: world.decided
        if term.value == P2A_SENT:
            return lambda world, frame: world.p2a
        kind = term.value
        return lambda world, frame: world.sent.get(kind, _NOTHING)  # type: ignore[union-attr]

    def _fact(self, term: Term, *parts: Evaluated) -> Evaluated:
        if term.value == DECIDED:
            slot, command = parts
            return lambda world, frame: (slot(world, frame), command(world, frame)) in world.decided
        *acceptor, ballot, slot, command = parts
        if term.value == PVALUE_ACCEPTED:
            who = acceptor[0]
            return lambda world, frame: (
                (ballot(world, frame), slot(world, frame), command(world, frame)) in world.accepted.get(who(world, frame), _NOTHING)  # type: ignore[union-attr]
            )
        return lambda world, frame: (ballot(world, frame), slot(world, frame), command(world, frame)) in world.p2a
