"""States that are alike to a step: those in which it reads the same.

A step that leaves its state as it is need not have read all of it: an acceptor that refuses a p2a reads its ballot, and not what it has
accepted. So one call tells of all states in which what was read is the same, and a walk need not ask again in each. Nothing is claimed for
that: each step is watched, and what it reads is noted. That works for roles which read their state by its attributes and nothing else,
so only the paper's own are watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome, Role
from pmmc_check.protocol.values import REPLICA, ProcessId

AlikeId = int
NOT_ALIKE = -1


class StatesAlike:
    """Numbers for states that agree in those fields that steps of their role were seen to read."""

    def __init__(self, model: Model, checks: Checks) -> None:
        self._model = model
        self._checks = checks
        self._fields: dict[str, tuple[str, ...]] = {}
        self._numbers: dict[tuple[ProcessId, tuple[Any, ...]], AlikeId] = {}

    def number(self, process: ProcessId, state: Any) -> AlikeId:
        """The number that a state shares with those that are like it; `NOT_ALIKE` where no such fields are known."""
        names = self._fields.get(process.role)
        if names is None or isinstance(state, Lifecycle | Crashed):
            return NOT_ALIKE
        return self._numbers.setdefault((process, tuple([getattr(state, name) for name in names])), len(self._numbers))

    def answer_alike(self, process: ProcessId, state: Any, message: Message, outcomes: Sequence[Outcome]) -> bool:
        """Whether these outcomes, in which the state stays, are those of all states that share its number; this may give it one."""
        role = process.role
        if role == REPLICA or not self._model.is_paper(process) or self._checks.of_unchanged(role):
            return False  # a replica's decisions are looked at after every step
        known = self._fields.get(role)
        read = fields_read(self._model.roles[process], state, message, outcomes)
        if known is None and read:
            known = self._fields[role] = tuple(sorted(read))
        return known is not None and read is not None and read.issubset(known)


def fields_read(role: Role, state: Any, message: Message, outcomes: Sequence[Outcome]) -> frozenset[str] | None:
    """The fields of `state` that the step reads, when it is taken once more; None where that is not some of them only, or where it does
    other than `outcomes`, one in which the state is the very object that was given."""
    if len(outcomes) != 1 or outcomes[0].state is not state or not is_dataclass(state) or not hasattr(state, "__dict__"):
        return None
    kind, names = _watching(type(state))  # type: ignore[arg-type]  # `is_dataclass` is true of classes, too, but no state is one
    read: set[str] = set()
    watched: Any = object.__new__(kind)
    object.__setattr__(watched, "__dict__", {**state.__dict__, _READ: read})
    answer = tuple(role.step(watched, message))
    same = len(answer) == 1 and answer[0].state is watched and answer[0].sends == outcomes[0].sends
    return frozenset(read) if same and read < names else None


_READ = "fields read"


@cache
def _watching(kind: type) -> tuple[type, frozenset[str]]:
    """A class whose instances note what is read of them, and the names of the fields of `kind`, which it is like in all else."""
    names = frozenset(field.name for field in fields(kind))

    def noting(self: Any, name: str) -> Any:
        if name in names:
            object.__getattribute__(self, "__dict__")[_READ].add(name)
        elif name == "__dict__":
            object.__getattribute__(self, "__dict__")[_READ].update(names)
        return object.__getattribute__(self, name)

    return type(kind.__name__, (kind,), {"__getattribute__": noting}), names
