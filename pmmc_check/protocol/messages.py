"""The messages of PMMC, one class for each row of the protocol's table; fields are those of the table.

`Start` is no message on the network: creating a scout or commander is part of its leader's step.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

from pmmc_check.protocol.values import Ballot, Command, ProcessId, PValue


def show(value: object) -> str:
    """`value` as the paper writes it; sets are sorted so that the text is the same on every run. States print as `field value, ...`."""
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted_texts(value)) + "}"
    if isinstance(value, tuple) and type(value) is tuple:
        return "⟨" + ", ".join(show(item) for item in value) + "⟩"
    if is_dataclass(value) and type(value).__str__ is object.__str__:
        return ", ".join(f"{field.name} {show(getattr(value, field.name))}" for field in fields(value))
    return str(value)


def sorted_texts(values: Iterable[object]) -> list[str]:
    """The texts of the members of a set, in their order."""
    return [show(each) for each in in_order(values)]


def in_order(values: Iterable[Any]) -> list[Any]:
    """The members of a set in an order that is the same on every run: by value where they can be compared, else by text. Sets are not
    compared: `<` says which is part of which."""
    members = list(values)
    if not any(isinstance(each, frozenset) for each in members):
        with suppress(TypeError):
            return sorted(members)
    return sorted(members, key=show)


@dataclass(frozen=True, slots=True)
class Message:
    """Base of all messages: prints as `name(field, ...)`."""

    kind: ClassVar[str]
    """The message's name in the protocol's table, in lower case."""

    def __init_subclass__(cls) -> None:
        cls.kind = vars(cls).get("kind", cls.__name__.lower())

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(show(getattr(self, field.name)) for field in fields(self))})"


@dataclass(frozen=True, slots=True)
class Request(Message):
    """client → every replica."""

    command: Command


@dataclass(frozen=True, slots=True)
class Propose(Message):
    """replica → every leader of its configuration."""

    slot: int
    command: Command


@dataclass(frozen=True, slots=True)
class P1a(Message):
    """scout → every acceptor."""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class P1b(Message):
    """acceptor → the scout that asked."""

    acceptor: ProcessId
    ballot: Ballot
    accepted: frozenset[PValue]


@dataclass(frozen=True, slots=True)
class P2a(Message):
    """commander → every acceptor."""

    ballot: Ballot
    slot: int
    command: Command


@dataclass(frozen=True, slots=True)
class P2b(Message):
    """acceptor → the commander that asked."""

    acceptor: ProcessId
    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Adopted(Message):
    """scout → its leader."""

    ballot: Ballot
    pvalues: frozenset[PValue]


@dataclass(frozen=True, slots=True)
class Preempted(Message):
    """scout or commander → its leader: the higher ballot it met."""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Decision(Message):
    """commander → every replica."""

    slot: int
    command: Command


@dataclass(frozen=True, slots=True)
class Response(Message):
    """replica → client."""

    cid: int
    result: object


@dataclass(frozen=True, slots=True)
class Addressed(Message):
    """A message with whom it went to, as histories keep those that go to one process which their fields do not name."""

    to: ProcessId
    message: Message


@dataclass(frozen=True, slots=True)
class Instant(Message):
    """Base of what never travels on the network: it takes effect within the step that sends it."""


@dataclass(frozen=True, slots=True)
class Start(Instant):
    """leader → the scout or commander that it creates."""

    command: Command | None = None


@dataclass(frozen=True, slots=True)
class Stop(Instant):
    """A leader that crashes → each of its scouts and commanders: they are threads of the leader and die with it."""
