"""The replica whose `propose()` is a step of its own, taken when it likes: what `proposals=lazy` in a header says of an implementation."""

from __future__ import annotations

from collections.abc import Iterable

from pmmc_check.protocol.replica import Replica, ReplicaState
from pmmc_check.protocol.role import Outcome, Outcomes, Send, replace
from pmmc_check.protocol.values import Command


class LazyReplica(Replica):
    """Proposes nothing while it takes requests and decisions. What has lost its slot waits again, as any request does."""

    def propose(self, state: ReplicaState, sends: tuple[Send, ...] = ()) -> Outcomes:
        """Nothing yet."""
        return [Outcome(state, sends)]

    def ready(self, state: ReplicaState) -> ReplicaState | None:
        """The state in which it can propose for `slot_in`, past slots that are decided; None while the window is full."""
        while self.window_open(state):
            state = self.take_over_configuration(state)
            if not state.decided_in(state.slot_in):
                return state
            state = replace(state, slot_in=state.slot_in + 1)
        return None

    def propose_now(self, state: ReplicaState, slot: int, command: Command) -> Outcome | None:
        """Proposes a command that waits; None if `slot` is not the one that is next, or the window is full."""
        ready = self.ready(state) if command in state.requests and state.slot_in <= slot else None
        return self.assign(ready, command, ()) if ready is not None and ready.slot_in == slot else None

    def proposals(self, state: ReplicaState) -> Iterable[Outcome]:
        """All that it may propose now, each by itself."""
        ready = self.ready(state) if state.requests else None
        return [self.assign(ready, command, ()) for command in sorted(ready.requests)] if ready is not None else []
