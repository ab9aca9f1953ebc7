"""A replay that counts which branches of the protocol its processes take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.branches import Prior, StepTaken, branches_of, prior
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.role import Lifecycle, Outcome, Role, Send
from pmmc_check.protocol.values import LEADER
from pmmc_check.protocol.variants.optimised import FillHoles
from pmmc_check.trace.events import Event, Header, Names
from pmmc_check.validation.replay.interleaving import Log
from pmmc_check.validation.replay.process import ChooseOutcome, Process
from pmmc_check.validation.replay.replay import Replay
from pmmc_check.validation.verdict import BranchCounts

_Count = Callable[[str], None]


class _CountedProcess(Process):
    """Tells of each branch that it takes. What only one of several versions may have done is not counted."""

    __slots__ = ("count",)

    def __init__(self, count: _Count, role: Role, outcome: Outcome) -> None:
        super().__init__(role, outcome)
        self.count = count

    def step(self, message: Message, pick: ChooseOutcome | None = None) -> tuple[Send, ...]:
        """Makes the step as always."""
        before = prior(self.state, message)
        sends = super().step(message, pick)
        self._take_note(before, message, sends)
        return sends

    def restart(self) -> tuple[Send, ...] | None:
        """Comes back as always."""
        before = prior(self.state, None)
        sends = super().restart()
        if sends is not None and not isinstance(before.state, Lifecycle):
            self._take_note(before, None, sends)
        return sends

    def _take_note(self, before: Prior, message: Message | None, sends: tuple[Send, ...]) -> None:
        if not self.others:
            for name in branches_of(StepTaken(self.me, before, message, self.state, sends)):
                self.count(name)


class CoveredReplay(Replay):
    """Replays as `Replay` does; `counts` says what was taken."""

    def __init__(self, header: Header, names: Names, protocol: Protocol = PMMC, *, late: bool | None = None) -> None:
        self._taken: Counter[str] = Counter()
        self._protocol = protocol
        super().__init__(header, names, protocol, make=partial(_CountedProcess, self._add), late=late)

    def _add(self, name: str) -> None:
        self._taken[name] += 1

    def _received_by_none(self, log: Log, event: Event) -> bool:
        me, message = event.process, event.message
        late = self.promises.is_replayed(me) and self.processes.has_exited(me)
        done = super()._received_by_none(log, event)
        if done and late and message is not None:
            for name in branches_of(StepTaken(me, Prior(Lifecycle.EXITED), message, Lifecycle.EXITED)):
                self._add(name)
        return done

    @property
    def counts(self) -> BranchCounts:
        """What was taken so far."""
        reconfigures = len(self.header.configurations) > 1
        return BranchCounts(tuple(self._taken.items()), reconfigures, issubclass(self._protocol[LEADER], FillHoles), self._thin)
