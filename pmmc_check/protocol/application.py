"""The replicated state machine behind one small interface. The model's application is the log of performed commands."""

from __future__ import annotations

from typing import Any, Protocol

from pmmc_check.protocol.values import Command


class Application(Protocol):
    """A deterministic state machine; states are immutable and hashable."""

    def initial(self) -> Any:
        """The state before any command."""

    def apply(self, state: Any, command: Command) -> tuple[Any, Any]:
        """The next state, and the result that the client is sent."""


class CommandLog:
    """The state is the sequence of performed commands, the result how many they are: it forgets nothing, so R3 can read it."""

    def initial(self) -> tuple[Command, ...]:
        """The empty sequence."""
        return ()

    def apply(self, state: tuple[Command, ...], command: Command) -> tuple[tuple[Command, ...], int]:
        """Appends `command`."""
        return (*state, command), len(state) + 1
