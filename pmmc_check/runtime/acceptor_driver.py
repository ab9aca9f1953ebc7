"""The driver of an acceptor."""

from __future__ import annotations

from pmmc_check.protocol.messages import P2a
from pmmc_check.protocol.role import replace
from pmmc_check.protocol.values import ProcessId
from pmmc_check.runtime.collecting import ReplicasProgress
from pmmc_check.runtime.growing import AcceptedPValues, LiveAcceptorState
from pmmc_check.runtime.node import Driver, LiveNode
from pmmc_check.runtime.signals import Alive, Lacking, Probe, Signal
from pmmc_check.runtime.surroundings import Envelope


class AcceptorDriver(Driver):
    """Keeps ballot and accepted pvalues on its disk, and forgets those of slots that a majority of the replicas has performed."""

    def __init__(self, node: LiveNode) -> None:
        super().__init__(node)
        self._forgets = node.setting.forgets
        self._progress = ReplicasProgress(self.system.replicas, node.setting.keep)

    def admits(self, envelope: Envelope) -> bool:
        """A p2a that has overtaken its p1a waits until it is sent again: answered now, it would end its commander for nothing (the stuck
        slot)."""
        message = envelope.content
        return not (isinstance(message, P2a) and message.ballot > self.state.ballot)

    def signal(self, sender: ProcessId, signal: Signal) -> None:
        """Says that it is there; hears how far replicas are."""
        if isinstance(signal, Probe):
            self.again(self.me, (sender,), Alive())
        elif isinstance(signal, Lacking):
            self._progress.heard(sender, signal.slot)
            self._forget()

    @property
    def ticks(self) -> bool:
        """It only answers."""
        return False

    def _forget(self) -> None:
        state = self.state
        if not self._forgets or not isinstance(state, LiveAcceptorState):
            return
        accepted = state.accepted
        assert isinstance(accepted, AcceptedPValues)
        slot = self._progress.collectable(state.collected, accepted.characters)
        if slot is not None:
            accepted.forget(slot)
            self.host.forget(replace(state, collected=slot), slot)
