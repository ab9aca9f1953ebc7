"""The configuration of a trace as the roles see it, and the applications that replicas run."""

from __future__ import annotations

from typing import Any

from pmmc_check.protocol.role import Configuration, System
from pmmc_check.protocol.values import Command, ProcessId
from pmmc_check.trace.events import Header, Names


class OpaqueResult:
    """The result of an opaque application: known only by its position in the sequence of performed commands."""

    __slots__ = ("position",)

    def __init__(self, position: int) -> None:
        self.position = position

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OpaqueResult) and other.position == self.position

    def __hash__(self) -> int:
        return hash(self.position)

    def __str__(self) -> str:
        return "?"


class Opaque:
    """Somebody's application: its state is how many commands it has performed, its results are unknown but functions of that."""

    def initial(self) -> int:
        """Zero: no command has been performed."""
        return 0

    def apply(self, state: int, command: Command) -> tuple[int, Any]:
        """Counts the command."""
        return state + 1, OpaqueResult(state + 1)


class CountingLog:
    """The model's application (`CommandLog`) as a trace shows it: the result is how many commands are performed."""

    def initial(self) -> int:
        """Zero: no command has been performed."""
        return 0

    def apply(self, state: int, command: Command) -> tuple[int, Any]:
        """Counts the command."""
        return state + 1, str(state + 1)


def system_of(header: Header, names: Names) -> System:
    """The configuration as the roles see it: unbounded unless the header says otherwise; commands are whatever clients send."""

    def processes(names_of_role: tuple[str, ...]) -> tuple[ProcessId, ...]:
        return tuple(names.process_of[name] for name in names_of_role)

    return System(
        clients=processes(header.clients or ()),
        replicas=processes(header.replicas),
        leaders=processes(header.leaders),
        acceptors=processes(header.acceptors),
        configurations=tuple(Configuration(processes(each.leaders), processes(each.acceptors)) for each in header.configurations),
        commands=(),
        window=header.window,
        slots=header.slots,
        rounds=header.rounds,
        quorum1=header.quorum1,
        quorum2=header.quorum2,
        application=CountingLog() if header.application == "log" else Opaque(),
    )
