"""The driver of an acceptor."""

from __future__ import annotations

from pmmc_check.protocol.messages import P2a
from pmmc_check.protocol.values import ProcessId
from pmmc_check.runtime.node import Driver
from pmmc_check.runtime.signals import Alive, Probe, Signal
from pmmc_check.runtime.surroundings import Envelope


class AcceptorDriver(Driver):
    """Keeps ballot and accepted pvalues on its disk."""

    def admits(self, envelope: Envelope) -> bool:
        """A p2a that has overtaken its p1a waits until it is sent again: answered now, it would end its commander for nothing (the stuck
        slot)."""
        message = envelope.content
        return not (isinstance(message, P2a) and message.ballot > self.state.ballot)

    def signal(self, sender: ProcessId, signal: Signal) -> None:
        """Says that it is there."""
        if isinstance(signal, Probe):
            self.again(self.me, (sender,), Alive())
