"""Terms: expressions after their names are resolved and their types are known. Operators are put in the place of their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pmmc_check.protocol.messages import show
from pmmc_check.spec.place import TextPlace
from pmmc_check.spec.types import Type


@dataclass(frozen=True, eq=False)
class Term:
    """`kind` says what is done with `parts`; `value` is what is not a term: a constant, a variable's number, an operator.

    `text` is how it is written in the spec, `names` what the variables are called that it binds; `place` is where it stands, of a term that
    may have no value, and of a number."""

    kind: str
    type: Type
    parts: tuple[Term, ...] = ()
    value: Any = None
    text: str = ""
    names: tuple[str, ...] = ()
    place: TextPlace | None = None

    def all_parts(self) -> Iterator[Term]:
        """The term and all that it is made of."""
        yield self
        for part in self.parts:
            yield from part.all_parts()


@dataclass(frozen=True)
class RecordValue:
    """A record that is none of the protocol's values: its fields, sorted by name."""

    items: tuple[tuple[str, Any], ...]

    def __getattr__(self, name: str) -> Any:
        found = dict(object.__getattribute__(self, "items"))
        if name not in found:
            raise AttributeError(name)
        return found[name]

    def __str__(self) -> str:
        return "[" + ", ".join(f"{name} |-> {show(value)}" for name, value in self.items) + "]"


def record_value(**fields: Any) -> RecordValue:
    """The record of these fields."""
    return RecordValue(tuple(sorted(fields.items())))
