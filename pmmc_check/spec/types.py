"""The types of expressions: few, and all of them finite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Type:
    """A type by its name; `parts` are what it is made of, `fields` the names of a record's parts."""

    name: str
    parts: tuple[Type, ...] = ()
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.name == "set":
            return f"a set of {self.parts[0].plural}" if self.parts[0] != ANYTHING else "a set"
        if self.name == "sequence":
            return f"a sequence of {self.parts[0].plural}"
        if self.name == "record":
            return f"a record with {', '.join(self.fields)}"
        return {"anything": "anything", "number": "a number", "acceptor": "an acceptor"}.get(self.name, f"a {self.name}")

    @property
    def plural(self) -> str:
        """Of several values."""
        if self.name == "record":
            return f"records with {', '.join(self.fields)}"
        if self.name in ("set", "sequence"):
            return f"{self.name}s"
        return self.name + "s"

    def field(self, name: str) -> Type | None:
        """The type of a record's field."""
        return self.parts[self.fields.index(name)] if name in self.fields else None


BOOLEAN, NUMBER, BALLOT, COMMAND, ANYTHING = map(Type, ("boolean", "number", "ballot", "command", "anything"))
AN_ACCEPTOR, A_LEADER, A_REPLICA = map(Type, ("acceptor", "leader", "replica"))
A_DECISION = Type("record", (NUMBER, COMMAND), ("slot", "command"))
A_PVALUE = Type("record", (BALLOT, NUMBER, COMMAND), ("ballot", "slot", "command"))


def set_of(members: Type) -> Type:
    """Sets."""
    return Type("set", (members,))


def record_of(**fields: Type) -> Type:
    """Records of other fields than those two, in the order in which their types, and `RecordValue`, have them: by name."""
    names = tuple(sorted(fields))
    return Type("record", tuple(fields[name] for name in names), names)


def sequence_of(members: Type) -> Type:
    """Sequences, which count from 1."""
    return Type("sequence", (members,))


def common(one: Type, other: Type) -> Type | None:
    """The type that both have, where one may not be known in full; None when there is none."""
    if one in (ANYTHING, other):
        return other
    if other == ANYTHING:
        return one
    if (one.name, one.fields, len(one.parts)) != (other.name, other.fields, len(other.parts)):
        return None
    parts = [common(a, b) for a, b in zip(one.parts, other.parts, strict=True)]
    return Type(one.name, tuple(part for part in parts if part), one.fields) if all(parts) else None
