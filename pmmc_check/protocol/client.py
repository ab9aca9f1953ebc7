"""The client (convention of the model): open loop; every request is in flight before the first step, and it keeps no state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pmmc_check.protocol.messages import Message, Request
from pmmc_check.protocol.role import Outcome, Outcomes, Role, Send
from pmmc_check.protocol.values import CLIENT, Command, ProcessId


@dataclass(frozen=True, slots=True)
class ClientState:
    """A client has no state that matters to the protocol."""


class Client(Role):
    """Sends its commands to every replica and takes no notice of the responses."""

    role = CLIENT
    symmetric = True

    def start(self, command: Command | None = None) -> Outcome:
        """Sends each of its commands to every replica."""
        mine = [command for command in self.system.commands if command.client == self.me]
        return Outcome(ClientState(), tuple(Send(to, Request(each)) for each in mine for to in self.system.replicas))

    def step(self, state: ClientState, message: Message) -> Outcomes:
        """A response changes nothing."""
        return [Outcome(state)]

    def ignores(self, state: ClientState, message: Message) -> bool:
        """A client has no state that a message could change."""
        return True

    def only_halts(self, state: ClientState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """Nothing follows from a response."""
        return ()
