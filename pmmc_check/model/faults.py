"""Fault steps: a process crashes, or comes back; a message is dropped. Their number is bounded by a budget for the whole run.

A fault step is a step of the process that it befalls, so it commutes with the steps of all others just as a delivery
does. The budget is held by one more process, which exists only where crashes are allowed: it takes no steps of its own, a crash or
restart spends from it, and is no step where the budget refuses. What a role keeps over a restart is not
said here but by the role (`Role.restart`).

While a process is down nothing is delivered to it; what is on its way to it stays on its way. When a leader
crashes its scouts and commanders exit with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pmmc_check.protocol.messages import Instant, Message, Stop
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome, Outcomes, Role, Send, System
from pmmc_check.protocol.values import COMMANDER, FAULTS, LEADER, SCOUT, Command, ProcessId

FAULTS_ID = ProcessId(FAULTS, 1)
_CRASH, _RESTART = "crash", "restart"


@dataclass(frozen=True, slots=True)
class FaultStep(Message):
    """Base of what a process undergoes without a message: it is delivered by nobody and never on the network."""


@dataclass(frozen=True, slots=True)
class Crash(FaultStep):
    """The process goes down."""


@dataclass(frozen=True, slots=True)
class Restart(FaultStep):
    """The process comes back with what its role keeps."""


@dataclass(frozen=True, slots=True)
class Drop(FaultStep):
    """The network loses `message`."""

    message: Message


@dataclass(frozen=True, slots=True)
class Spend(Instant):
    """A fault step → the budget: one `what` less."""

    what: str


@dataclass(frozen=True, slots=True)
class Budget:
    """How many crashes and restarts this run may still have."""

    crash: int
    restart: int


class FaultBudget(Role):
    """Holds the budget."""

    role = FAULTS
    symmetric = True
    starts_once = True

    def start(self, command: Command | None = None) -> Outcome:
        """Starts with the whole budget."""
        return Outcome(Budget(self.system.faults.crashes, self.system.faults.restarts))

    def step(self, state: Budget, message: Message) -> Outcomes:
        """Receives no messages."""
        return [Outcome(state)]


def spent(budget: Budget, spend: Spend) -> Budget | None:
    """The budget after `spend`; None when there is nothing left."""
    left = getattr(budget, spend.what) - 1
    return replace(budget, **{spend.what: left}) if left >= 0 else None


def fault_steps(system: System, process: ProcessId, state: Any) -> tuple[FaultStep, ...]:
    """What may befall `process` in `state`, as far as the budget goes."""
    if not system.faults.crashes or process.role not in system.faults.roles:
        return ()
    if isinstance(state, Crashed):
        return (Restart(),) if system.faults.may_restart(process.role) else ()
    return () if isinstance(state, Lifecycle) else (Crash(),)


def only_stops(system: System, process: ProcessId, step: FaultStep) -> bool:
    """Whether the run without this step is a run, too, and shows the same: for the halting reduction."""
    return isinstance(step, Drop) or (isinstance(step, Crash) and not system.faults.may_restart(process.role))


def fault_outcome(role: Role, state: Any, step: FaultStep, processes: Iterable[ProcessId], restarted: Outcome | None) -> Outcome:
    """What a fault step leads to; `restarted` is what the role says of a restart, if it is one."""
    if isinstance(step, Crash):
        down = [each for each in processes if each.role in (SCOUT, COMMANDER) and each.number == role.me.number]
        stops = tuple(Send(each, Stop()) for each in down) if role.role == LEADER else ()
        return Outcome(Crashed(state), (Send(FAULTS_ID, Spend(_CRASH)), *stops))
    if restarted is not None:
        return restarted._replace(sends=(Send(FAULTS_ID, Spend(_RESTART)), *restarted.sends))
    return Outcome(state)
