"""The driver of a leader with its scouts and commanders: asks acceptors again, gives way to a leader that lives, and takes over from one
that does not."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pmmc_check.protocol.leader import Leader
from pmmc_check.protocol.messages import Decision, Message, P1a, P1b, P2a, P2b, Preempted, Propose, Start
from pmmc_check.protocol.role import Lifecycle, replace
from pmmc_check.protocol.values import BOTTOM, COMMANDER, Ballot, Command, ProcessId, commander_id, leader_id, scout_id
from pmmc_check.runtime.collecting import ReplicasProgress, characters_of
from pmmc_check.runtime.growing import LiveLeaderState
from pmmc_check.runtime.host import Running
from pmmc_check.runtime.node import Driver, LiveNode
from pmmc_check.runtime.retries import HandingOn, Retries
from pmmc_check.runtime.signals import Alive, Heartbeat, Lacking, Probe, Signal
from pmmc_check.runtime.surroundings import Envelope

_FORGIVEN_AFTER = 30.0
"""A leader that was suspected though it lived makes its rivals more patient; in so many seconds most of that is forgotten."""
_PATIENT_REQUESTS = 5
"""So often a replica asks for a decision before a commander gets it decided again."""


class LeaderDriver(Driver):
    """Keeps its ballot on its disk.

    Commanders of slots that some replica has performed are **idle**: they do not run until a replica cannot get the decision from any
    other.

    The other leaders are those of its own configuration: others use other acceptors.

    It **waits** from its start, or restart, until no other leader seems to be at work: the p1a of its first scout stays on its way so long.
    It is **held** from when a scout or commander of its own was preempted until the preemptor seems to have failed: `preempted` stays on
    its way.
    """

    def __init__(self, node: LiveNode) -> None:
        super().__init__(node)
        self.waiting, self.held = True, BOTTOM
        self._rival, self._rival_heard = BOTTOM, self.now
        self._patience = self._least = self.timing.patience
        self._acceptors = self.system.acceptors_of(self.me.number)
        self._leaders = [each for each in self.system.leaders if self.system.acceptors_of(each.number) == self._acceptors]
        self._quorum = max(self.system.quorum1_of(len(self._acceptors)), self.system.quorum2_of(len(self._acceptors)))
        self._heard = dict.fromkeys(self._acceptors, self.now)
        self._promised: set[ProcessId] = set()
        self._began = self._beaten = self.now
        self._retries = Retries(self.timing.retransmit, self.timing.retransmit_max)
        self._suspected: ProcessId | None = None
        self._decided: dict[int, Command] = {}
        self._characters = 0
        self._handing = HandingOn()
        self._open: dict[int, float] = {}
        self._floor = 1
        self._idle: dict[int, tuple[ProcessId, Start]] = {}
        self._missed: Counter[tuple[ProcessId, int]] = Counter()
        self._complete = True
        self._forgets = node.setting.forgets
        self._progress = ReplicasProgress(self.system.replicas, node.setting.keep)

    def begun(self) -> None:
        """The first leader need not wait for others, unless it comes back from a crash."""
        self._rival_heard = self._began = self.now
        rank = self._leaders.index(self.me)
        if self.state.ballot.round == 0 and rank == 0:
            self._begin()
        elif self.state.ballot.round == 0:
            self._rival_heard += rank * self._patience * 0.5

    @property
    def complete(self) -> bool:
        """Not if a commander was idle, which has not taken its first step; nor where slots were forgotten, which had some."""
        return self._complete and not self._collected

    @property
    def leads(self) -> bool:
        """Whether its ballot is adopted, and it does not give way."""
        return bool(getattr(self.state, "active", False)) and not (self.waiting or self.held > self._ballot)

    @property
    def _collected(self) -> int:
        """All slots up to this one are decided and were forgotten."""
        return getattr(self.state, "collected", 0)

    # ---- what is delivered ----

    def admits(self, envelope: Envelope) -> bool:
        """Holds `preempted` back while the preemptor lives; takes no proposals that others will carry out."""
        sender, message = envelope.sender, envelope.content
        if isinstance(message, P1b | P2b):
            self._heard[message.acceptor] = self.now
            if isinstance(message, P1b) and message.ballot == self._ballot:
                self._promised.add(message.acceptor)
        if isinstance(message, Preempted):
            return self._is_preempted(message.ballot)
        if isinstance(message, Propose):
            return self._takes(sender, message)
        return True

    def _is_preempted(self, ballot: Ballot) -> bool:
        if ballot <= self._ballot:
            return True
        self.counts["preemptions"] += 1
        self.held = max(self.held, ballot)
        self._notice(ballot)
        return False

    def _takes(self, sender: ProcessId, message: Propose) -> bool:
        if message.slot <= self._collected:
            return False
        if message.slot in self._decided:
            self.again(commander_id(self._ballot, message.slot), (sender,), Decision(message.slot, self._decided[message.slot]))
            return False
        return not (self.held > self._ballot or self.waiting)

    @property
    def _ballot(self) -> Ballot:
        state = self.state
        return Ballot(1 << 60, 0) if isinstance(state, Lifecycle) else state.ballot

    def observe(self, message: Message) -> None:
        """Knows which slots are under way, and which are decided."""
        if isinstance(message, P2a):
            self._open[message.slot] = self.now
        elif isinstance(message, Decision):
            self._open.pop(message.slot, None)
            self._retries.answered(commander_id(self._ballot, message.slot), self.now)
            self._characters += characters_of(message.command) if message.slot not in self._decided else 0
            self._decided[message.slot] = message.command
        elif isinstance(message, P1a):
            self._promised, self._open, self._began = set(), {}, self.now
            self._idle.clear()
            self._missed.clear()

    def transmits(self, envelope: Envelope) -> bool:
        """The p1a of a leader that waits stays where it is."""
        return not (self.waiting and isinstance(envelope.content, P1a))

    def signal(self, sender: ProcessId, signal: Signal) -> None:
        """Hears of other leaders and of acceptors; hands decisions on."""
        if isinstance(signal, Heartbeat):
            self._notice(signal.ballot)
            if sender == self._suspected:
                self._suspected = None
                self._patience = min(self.timing.patience_max, self._patience * 2)
            if self.waiting or signal.ballot >= self._rival:
                self._rival_heard = self.now
        elif isinstance(signal, Alive) and sender in self._heard:
            self._heard[sender] = self.now
        elif isinstance(signal, Lacking):
            self._progress.heard(sender, signal.slot)
            self._help(sender, signal.slot)

    def _help(self, replica: ProcessId, first: int) -> None:
        """A replica has every decision below `first`, and perhaps none from there on."""
        self._floor = max(self._floor, first)
        if first in self._idle:
            self._missed[replica, first] += 1
            if self._missed[replica, first] >= _PATIENT_REQUESTS:
                self.host.create(*self._idle.pop(first))
        highest = max(self._decided, default=0)
        for slot in self._handing.slots_for(replica, first, highest):
            if slot in self._decided:
                self.again(commander_id(self._ballot, slot), (replica,), Decision(slot, self._decided[slot]))

    def runs(self, me: ProcessId, start: Start) -> bool:
        """A commander of a slot that is decided and performed need not run."""
        idle = me.role == COMMANDER and me.slot < self._floor
        if idle:
            self._idle[me.slot] = me, start
            self._complete = False
        return not idle

    def _notice(self, ballot: Ballot) -> None:
        """A ballot of another leader was seen; whoever begins a higher one is given time to show what it can do."""
        if ballot > self._rival and ballot.leader != self.me.number:
            self._rival, self._rival_heard = ballot, self.now

    # ---- what is overdue ----

    def tick(self) -> None:
        """Gives way, takes over, or goes on."""
        if isinstance(self.state, Lifecycle):
            return
        slot = self._progress.collectable(self._collected, self._characters) if self._forgets else None
        if slot is not None:
            self._forget(slot)
        now = self.now
        self._rival_heard = min(self._rival_heard, now + 2 * self._patience)
        self._patience -= (self._patience - self._least) * self.timing.tick / _FORGIVEN_AFTER
        gives_way = self.waiting or self.held > self._ballot
        if gives_way and now - self._rival_heard > self._patience * (1 + self.rng.random()):
            self._take_over()
        elif not gives_way:
            self._beat()
            self._ask_again()
            if self._is_stuck():
                self._campaign()

    def _forget(self, slot: int) -> None:
        """Nobody asks a leader for these slots any more: they are decided, and a majority of the replicas has performed them."""
        state = self.state
        assert isinstance(state, LiveLeaderState)
        proposals: Any = state.proposals
        proposals.forget(slot)
        self.host.forget(replace(state, collected=slot), slot)
        self._decided = {each: command for each, command in self._decided.items() if each > slot}
        self._characters = sum(map(characters_of, self._decided.values()))
        self._open = {each: since for each, since in self._open.items() if each > slot}
        self._idle = {each: idle for each, idle in self._idle.items() if each > slot}
        self._missed = Counter({key: count for key, count in self._missed.items() if key[1] > slot})
        self._floor = max(self._floor, slot + 1)

    def _take_over(self) -> None:
        """The others seem to have failed."""
        self.counts["takeovers"] += 1
        self._suspected = leader_id(self._rival) if self._rival > BOTTOM else None
        self._begin()
        if self.held > self._ballot:
            held, self.held = self.held, BOTTOM
            self.deliver(scout_id(self._ballot), self.me, Preempted(held))
        elif self._rival > self._ballot:
            self._campaign()

    def _begin(self) -> None:
        """Lets its p1a go: `_ask_again` sends it."""
        self.waiting, self._began = False, self.now
        self.again(scout_id(self._ballot), self._acceptors, P1a(self._ballot))

    def _campaign(self) -> None:
        """Begins a ballot above all that it has seen."""
        process = self.host.processes[self.me]
        assert isinstance(process.role, Leader)
        highest = max(self._rival, self._ballot)
        self.host.became(process, process.role.campaign(process.state, process.role.own_ballot(highest.round + 1)))

    def _is_stuck(self) -> bool:
        """Whether a proposal has no commander any more and is not decided, or a ballot has no scout and is not adopted: nobody would go
        on."""
        state, late = self.state, self.now - self.timing.retransmit
        ballot = state.ballot
        if not state.active:
            return scout_id(ballot) not in self.host.processes and self._began < late
        return any(since < late and commander_id(ballot, slot) not in self.host.processes for slot, since in self._open.items())

    def _beat(self) -> None:
        """Tells other leaders that it lives, as long as it reaches a quorum of acceptors."""
        now, heard = self.now, self._heard
        if abs(now - self._beaten) < self.timing.heartbeat:
            return
        self._beaten = now
        alive = [each for each in self._acceptors if abs(now - heard[each]) < self._patience]
        if len(alive) >= self._quorum or abs(now - self._began) < self._patience:
            self.again(self.me, [each for each in self._leaders if each != self.me], Heartbeat(self._ballot))
        silent = [each for each in self._acceptors if abs(now - heard[each]) >= self.timing.heartbeat]
        if silent:
            self.again(self.me, silent, Probe())

    def _ask_again(self) -> None:
        """Sends p1a and p2a again to acceptors that have not answered. Who has told a former scout of this ballot has not told this one."""
        now, ballot = self.now, self._ballot
        scout = self.host.processes.get(scout_id(ballot))
        lacked = getattr(scout.state, "waitfor", ()) if scout is not None else ()
        unsure = [each for each in self._acceptors if each not in self._promised or each in lacked]
        silent = [each for each in unsure if self._retries.due((ballot, each), now)]
        if silent:
            self.again(scout_id(ballot), silent, P1a(ballot))
        for me, process in self.host.processes.items():
            if me.role == COMMANDER and self._retries.due(me, now):
                self.again(me, _unanswered(process), P2a(me.ballot, me.slot, process.state.command))
        self._retries.keep_only(self.host.processes)


def _unanswered(process: Running) -> list[ProcessId]:
    return sorted(process.state.waitfor)
