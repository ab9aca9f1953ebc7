"""The replica (figure 1 of the paper): proposes requests for slots, learns decisions and performs them in slot order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pmmc_check.protocol.messages import Decision, Message, Propose, Request, Response
from pmmc_check.protocol.role import Outcome, Outcomes, Role, Send, broadcast, replace
from pmmc_check.protocol.values import REPLICA, Command, ProcessId, Reconfigure, SlotCommand


@dataclass(frozen=True)
class ReplicaState:
    """The paper's variables; `application` is the paper's `state`, `leaders` the current configuration."""

    leaders: tuple[ProcessId, ...]
    application: Any
    slot_in: int = 1
    slot_out: int = 1
    requests: frozenset[Command] = frozenset()
    proposals: frozenset[SlotCommand] = frozenset()
    decisions: frozenset[SlotCommand] = frozenset()

    def decided_in(self, slot: int) -> list[Command]:
        """The commands decided in `slot`: at most one while Agreement holds."""
        return [command for s, command in self.decisions if s == slot]

    def proposed_in(self, slot: int) -> list[Command]:
        """The commands that it proposes for `slot`: at most one."""
        return [command for s, command in self.proposals if s == slot]

    def performed(self, command: Command) -> bool:
        """Whether `command` was decided in some slot below slot_out."""
        return any(slot < self.slot_out and each == command for slot, each in self.decisions)


class Replica(Role):
    """`request`, `decision`, and the functions `propose` and `perform` of the paper."""

    role = REPLICA
    symmetric = True

    def start(self, command: Command | None = None) -> Outcome:
        """Nothing proposed, nothing decided; the leaders of the initial configuration."""
        return Outcome(ReplicaState(self.system.initial_leaders, self.system.application.initial()))

    def step(self, state: ReplicaState, message: Message) -> Outcomes:
        """`request(c)` or `decision(s, c)`, then `propose()`."""
        if isinstance(message, Request):
            return self.propose(replace(state, requests=state.requests | {message.command}))
        if isinstance(message, Decision):
            decided = replace(state, decisions=state.decisions | {SlotCommand(message.slot, message.command)})
            return (proposed for performed in self.perform_decided(decided) for proposed in self.propose(*performed))
        return [Outcome(state)]

    def restart(self, state: ReplicaState) -> Outcome:
        """Decisions are durable; all else is computed from them: what was performed, and hence slot_out.

        Requests and proposals are gone. slot_in begins again at 1, so that `propose()` passes over the decided slots and takes
        their reconfigurations over once more; for an undecided slot it may propose another command than before the
        crash, as another replica might. Responses are not sent a second time.
        """
        fresh = replace(self.start().state, decisions=state.decisions)
        return Outcome(self.perform_decided(fresh)[0].state)

    def perform_decided(self, state: ReplicaState, sends: tuple[Send, ...] = ()) -> Sequence[Outcome]:
        """While some `(slot_out, c')` is decided: take back a losing proposal for slot_out and perform c'.

        More than one outcome only where Agreement is broken.
        """
        while decided := state.decided_in(state.slot_out):
            performed = [self.perform(self.take_back(state, command), command) for command in decided]
            if len(performed) > 1:
                return [outcome for after, sent in performed for outcome in self.perform_decided(after, sends + sent)]
            state, sends = performed[0].state, sends + performed[0].sends
        return [Outcome(state, sends)]

    def take_back(self, state: ReplicaState, decided: Command) -> ReplicaState:
        """Drops the proposal for slot_out; when it lost, its command goes back into requests."""
        mine = state.proposed_in(state.slot_out)
        if not mine:
            return state
        lost = {command for command in mine if command != decided}
        proposals = state.proposals.difference([SlotCommand(state.slot_out, command) for command in mine])
        return replace(state, proposals=proposals, requests=state.requests | lost)

    def perform(self, state: ReplicaState, command: Command) -> Outcome:
        """Applies `command` unless it was performed before, or is a reconfiguration or the no-op; always advances slot_out."""
        slot_out = state.slot_out + 1
        if command.is_internal or self.repeated(state, command):
            return Outcome(replace(state, slot_out=slot_out))
        application, result = self.system.application.apply(state.application, command)
        return Outcome(replace(state, slot_out=slot_out, application=application), (Send(command.client, Response(command.cid, result)),))

    def repeated(self, state: ReplicaState, command: Command) -> bool:
        """Whether `command` was already decided in some slot below slot_out."""
        return state.performed(command)

    def propose(self, state: ReplicaState, sends: tuple[Send, ...] = ()) -> Outcomes:
        """Moves requests to proposals while the window is open; **any** request may be picked, so one outcome for each.

        They may be very many: whoever wants only some need not have all made.
        """
        while state.requests and self.window_open(state):
            state = self.take_over_configuration(state)
            if not state.decided_in(state.slot_in):
                return self.choices(state, sends)
            state = replace(state, slot_in=state.slot_in + 1)
        return [Outcome(state, sends)]

    def choices(self, state: ReplicaState, sends: tuple[Send, ...]) -> Iterator[Outcome]:
        """Every request in turn for slot_in, and what `propose()` then does."""
        for command in state.requests:
            yield from self.propose(*self.assign(state, command, sends))

    def assign(self, state: ReplicaState, command: Command, sends: tuple[Send, ...]) -> Outcome:
        """Proposes `command` for slot_in."""
        slot = state.slot_in
        proposals = state.proposals | {SlotCommand(slot, command)}
        after = replace(state, slot_in=slot + 1, requests=state.requests - {command}, proposals=proposals)
        return Outcome(after, sends + broadcast(state.leaders, Propose(slot, command)))

    def window_open(self, state: ReplicaState) -> bool:
        """`slot_in < slot_out + WINDOW`, and slot_in within the model's bound."""
        within = self.system.slots is None or state.slot_in <= self.system.slots
        return within and state.slot_in < state.slot_out + self.system.window

    def take_over_configuration(self, state: ReplicaState) -> ReplicaState:
        """A reconfiguration decided in slot `slot_in - WINDOW` takes effect for slot_in."""
        for command in state.decided_in(state.slot_in - self.system.window):
            if isinstance(command.operation, Reconfigure):
                return replace(state, leaders=command.operation.leaders)
        return state

    def ignores(self, state: ReplicaState, message: Message) -> bool:
        """A decision that is known: decisions only grow, and everything it could cause was caused when it arrived."""
        return isinstance(message, Decision) and SlotCommand(message.slot, message.command) in state.decisions
