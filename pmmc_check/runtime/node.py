"""One node: its role processes, the driver with its habits, and the batches in which messages become answers.

All messages that have come in are delivered, one commit makes what they changed durable, and only then the answers go out. Timers,
retransmission and giving way live in the drivers. Each is something that the protocol's network may do anyway (delay a message, lose it,
deliver it twice), or a leader at any time (begin a higher ballot): so every run of a node is a run of PMMC.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from pmmc_check.protocol.messages import Message, Start
from pmmc_check.protocol.values import ProcessId
from pmmc_check.runtime.host import ClusterSetting, Host, Pending
from pmmc_check.runtime.signals import Signal
from pmmc_check.runtime.surroundings import Commit, Envelope, NodeSurroundings
from pmmc_check.trace.events import END, Event
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter

_WAITING_MAX = 1000
"""Messages that wait for a paused node."""


class LiveNode:
    """A node with its driver, which `driven_by` makes."""

    def __init__(self, me: ProcessId, setting: ClusterSetting, around: NodeSurroundings, driven_by: Callable[[LiveNode], Driver]) -> None:
        self.me, self.setting, self.around = me, setting, around
        self.counts: Counter[str] = Counter()
        self.host = Host(me, setting, around.clock.now, self.counts, around.recorder.records)
        self.stopped = self.paused = self._busy = self._scheduled = self._ticking = False
        self._inbox: deque[Envelope | Callable[[], None]] = deque()
        self._tick_seconds = setting.timing.tick
        self._writer = DslWriter(Values(setting.names))
        self.driver = driven_by(self)
        self.host.habits = self.driver

    def start(self) -> None:
        """Begins, or comes back from a crash with what its role keeps."""
        stored = self.around.storage.load()
        self.around.recorder.open(stored.mark if stored is not None else 0)
        self.host.begin(stored)
        self.enter(self.driver.begun)

    def stop(self) -> None:
        """Stops in good order: takes nothing in any more, and says so in the log where that is complete.

        It is not while a batch is under way: that of a node that has just come back would tell of its crash.
        """
        self.stopped = True
        if not self._busy and not self.host.batch.events and self.driver.complete:
            self.around.recorder.write([self._writer.item(Event(self.host.log, self.me, END, None, None))])

    def pause(self, paused: bool) -> None:
        """While it is paused a node delivers nothing; what comes in waits, if it is not too much."""
        self.paused = paused
        self._wake()

    @property
    def state(self) -> Any:
        """The newest state of the node's own role."""
        return self.host.state

    # ---- what comes in ----

    def receive(self, envelope: Envelope) -> None:
        """Something came off the wire. While the node is paused only so much waits; the rest is lost, as on the protocol's network."""
        if self.paused and len(self._inbox) >= _WAITING_MAX:
            self.counts["lost while paused"] += 1
            return
        self._inbox.append(envelope)
        if not self._scheduled:
            self._wake()

    def enter(self, call: Callable[[], None]) -> None:
        """Does `call` within the next batch, if there is one."""
        if not self.stopped:
            self._inbox.append(call)
            self._wake()

    def _wake(self) -> None:
        if self._inbox and not (self._scheduled or self._busy or self.stopped or self.paused):
            self._scheduled = True
            self.around.clock.after(0, self._flush)

    def _tick_later(self) -> None:
        if self.driver.ticks:
            self._ticking = True
            self.around.clock.after(self._tick_seconds * (0.9 + 0.2 * self.around.rng.random()), self._ticked)

    def _ticked(self) -> None:
        self._ticking = False
        if not self.stopped:
            if not self._busy and not self.paused:
                self.enter(self.driver.tick)
            self._tick_later()

    def _take(self, envelope: Envelope) -> None:
        sender, to, content = envelope
        if isinstance(content, Signal):
            self.driver.signal(sender, content)
        elif self.driver.admits(envelope):
            self.driver.deliver(sender, to, content)

    def again(self, sender: ProcessId, recipients: Iterable[ProcessId], content: Message | Signal) -> None:
        """Sends what was sent before once more, or a signal; neither is an event of the protocol."""
        self.host.batch.sends += [Envelope(sender, to, content) for to in recipients]
        self.counts["signals" if isinstance(content, Signal) else "sent again"] += 1

    # ---- batches ----

    def _flush(self) -> None:
        """One batch: delivers what has come in, then commits."""
        self._scheduled = False
        if self.stopped or self.paused or self._busy:
            return
        host, inbox, local = self.host, self._inbox, self.host.local
        for _ in range(len(inbox)):
            entered = inbox.popleft()
            if isinstance(entered, Envelope):
                self._take(entered)
            else:
                entered()
            while local:
                self._take(local.popleft())
        if not self._ticking:
            self._tick_later()
        if not (host.batch.sends or host.batch.is_written):
            return
        batch, host.batch = host.batch, Pending()
        if self.setting.answers_first:
            self.around.transport.send(batch.sends)
            batch.sends = []
        if not batch.is_written:
            self._committed(batch)
            return
        self._busy = True
        recorder = self.around.recorder
        mark = recorder.write([self._writer.item(each) for each in batch.events] if recorder.records else ())
        change = Commit(batch.ballot, batch.records, mark, batch.forgotten, batch.snapshot, batch.promises)
        self.around.storage.commit(change, partial(self._committed, batch))

    def _committed(self, batch: Pending) -> None:
        self._busy = False
        if batch.sends:
            self.around.transport.send(batch.sends)
        self._wake()


class Driver:
    """The habits of a node; this one has none."""

    def __init__(self, node: LiveNode) -> None:
        self.node, self.host, self.me = node, node.host, node.me
        self.system, self.timing, self.rng = node.setting.system, node.setting.timing, node.around.rng
        self.again, self.counts = node.again, node.counts
        self._clock = node.around.clock

    @property
    def now(self) -> float:
        """The clock's time in seconds."""
        return self._clock.now()

    @property
    def state(self) -> Any:
        """The newest state of the node's own role."""
        return self.host.state

    @property
    def complete(self) -> bool:
        """Whether each process of the node has made its last step whole, so that the log may say so."""
        return True

    @property
    def ticks(self) -> bool:
        """Whether something may become overdue without anything coming in."""
        return True

    def begun(self) -> None:
        """The first thing in the first batch."""

    def tick(self) -> None:
        """Looks at what is overdue."""

    def admits(self, envelope: Envelope) -> bool:
        """Whether a message is delivered now. What is not may come again later, or never, as on the protocol's network."""
        return True

    def deliver(self, sender: ProcessId, to: ProcessId, message: Message) -> None:
        """Has a role process take its step."""
        self.host.deliver(sender, to, message)

    def signal(self, sender: ProcessId, signal: Signal) -> None:
        """A signal of another driver."""

    def observe(self, message: Message) -> None:
        """A process of this node sends `message`."""

    def transmits(self, envelope: Envelope) -> bool:
        """Whether a message that was sent leaves now. What does not leave now is on its way until it is sent again."""
        return True

    def runs(self, me: ProcessId, start: Start) -> bool:
        """Whether a scout or commander that was created runs now."""
        return True
