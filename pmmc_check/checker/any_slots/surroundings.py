"""All that the rest of a run may do to one replica: its surroundings, and how far they are bounded.

A replica meets the others only through decisions. Agreement and Validity are what the one-slot system shows of these, for
every size: one command in a slot, and one that some client requested. Nothing else is known of them, so the surroundings may

- request any command, at any time, again and again;
- decide any command in any slot that has none yet, whether or not this replica has heard of it, and a command in several slots;
- deliver a decision again, at any time;
- let the replica crash and come back.

What was decided is remembered here, in a **log**, and not read off the replica: one that loses its decisions over a restart must not
be told others afterwards. The log grows only when a decision is delivered. Nothing is lost by that: a decision that never
arrives is one that the replica cannot tell from none.

Beside the counts of slots and commands, three bounds keep the search short. Each of them only withholds messages, so whatever is
found within them is a run without them; what would need more is not looked for, and they are reported:

- `early`: so many decisions may have overtaken the first slot in which the replica knows of none.
- `waiting`: no request arrives while so many wait at the replica (its field `requests`; a command that lost its slot waits, too).
- `restarts`: how often it may come back."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from typing import Any

from pmmc_check.config import Config
from pmmc_check.errors import UsageError
from pmmc_check.protocol.messages import Decision, Message, Request
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import SlotCommand

DecisionLog = frozenset[SlotCommand]
"""What has been decided, as far as the replica was told: one command a slot."""


@dataclass(frozen=True)
class ReplicaBounds:
    """How far the replica part searches.

    `slots`, `commands` and `reconfigurations` as in `Config`: a reconfiguration is one more command. `windows`: each WINDOW is
    searched by itself; a reconfiguration takes effect only where WINDOW < `slots`. `restarts`, `early` and `waiting`: see this
    module; None is no bound.

    Raises:
        UsageError: a bound is too low.
    """

    slots: int = 5
    commands: int = 2
    windows: tuple[int, ...] = (1, 2, 3)
    reconfigurations: int = 1
    restarts: int = 1
    early: int | None = 1
    waiting: int | None = 1

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise UsageError(f"--replica-slots {self.slots}: must be at least 1")
        if self.commands < 1 or not self.windows or min(self.windows) < 1:
            raise UsageError(f"the replica part needs a command and a WINDOW of at least 1; it was given {self}")
        if min(self.reconfigurations, self.restarts, self.early or 0) < 0 or (self.waiting is not None and self.waiting < 1):
            raise UsageError(f"the replica part cannot be bounded by less than nothing, nor without a request; it was given {self}")

    def config(self, window: int, replicas: int) -> Config:
        """The configuration around the replica: two leaders in each set, so that a propose to one of them only can be seen."""
        return Config(
            acceptors=1,
            leaders=2,
            replicas=replicas,
            slots=self.slots,
            commands=self.commands,
            window=window,
            reconfigurations=self.reconfigurations if window < self.slots else 0,
        )


class Surroundings:
    """What can reach one replica of `system` next."""

    def __init__(self, system: System, bounds: ReplicaBounds) -> None:
        self.bounds = bounds
        self._commands = sorted(system.commands)
        self._requests = [Request(command) for command in self._commands]
        self._logs: dict[DecisionLog, DecisionLog] = {}
        self._decisions: dict[DecisionLog, list[tuple[Message, DecisionLog]]] = {}

    def messages(self, log: DecisionLog, state: Any) -> list[tuple[Message, DecisionLog]]:
        """Every message that may be delivered next to a replica in `state`, and the log after it (the same, where none is decided)."""
        decisions = self._decisions.get(log)
        if decisions is None:
            decisions = self._decisions[log] = self._possible(log)
        waiting = getattr(state, "requests", ())
        if self.bounds.waiting is not None and isinstance(waiting, Sized) and len(waiting) >= self.bounds.waiting:
            return decisions
        return [(request, log) for request in self._requests] + decisions

    def _possible(self, log: DecisionLog) -> list[tuple[Message, DecisionLog]]:
        decided = dict(log)
        first_open = next(slot for slot in range(1, self.bounds.slots + 2) if slot not in decided)
        early = sum(slot > first_open for slot in decided)
        possible: list[tuple[Message, DecisionLog]] = []
        for slot in range(1, self.bounds.slots + 1):
            if slot in decided:
                possible.append((Decision(slot, decided[slot]), log))
            elif slot == first_open or self.bounds.early is None or early < self.bounds.early:
                possible += [(Decision(slot, each), self._with(log, SlotCommand(slot, each))) for each in self._commands]
        return possible

    def _with(self, log: DecisionLog, entry: SlotCommand) -> DecisionLog:
        """One object for each log, so that comparing two of them is cheap."""
        longer = log | {entry}
        return self._logs.setdefault(longer, longer)
