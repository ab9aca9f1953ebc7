"""Follows a trace while it is being written: `Follower` reads what is new, and says what is wrong."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import NamedTuple

from pmmc_check.errors import UsageError
from pmmc_check.protocol import PMMC
from pmmc_check.trace.events import END
from pmmc_check.trace.readers.growing_files import Rewritten
from pmmc_check.trace.readers.growing_trace import STANDARD_INPUT, GrowingTrace
from pmmc_check.validation.judge import JudgeOptions, silent_logs
from pmmc_check.validation.live import Alarm, LiveJudge
from pmmc_check.validation.memory_limit import MemoryLimit, MemoryLimitReached
from pmmc_check.validation.rare_collections import rare_collections
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED

LAG_SECONDS = 0.5
"""By so much a send may be later in its log than its receipt in another, unless something else is asked for."""

NOTICE, SUSPECTED = "notice", "suspected"


class LiveRemark(NamedTuple):
    """Something that showed while following. `kind` is `notice` (about files), `rejected` (final) or `suspected`.

    `text` is one line; `verdict` has the explanation of what is not a notice.
    """

    kind: str
    text: str
    verdict: TraceVerdict | None = None


class Follower:
    """Judges the trace at `path` while it is being written: a file, a directory of part files (new ones are taken in), or `-`, standard
    input. Call `poll` several times a second, and `finish` at the end.

    `lag_seconds`: by so much a send may be later in its log than its receipt in another. A process that writes its log before it sends has
    none. `options` are those of `judge`; there is no search.

    Raises:
        UsageError: `lag_seconds` is negative.
    """

    def __init__(self, path: str, options: JudgeOptions | None = None, lag_seconds: float = LAG_SECONDS) -> None:
        if not lag_seconds >= 0:
            raise UsageError("--lag: must not be negative")
        self.path, self.options, self.lag_seconds = path, options or JudgeOptions(), lag_seconds
        self._memory = MemoryLimit(self.options.memory_bytes_max)
        self._started = time.monotonic()
        self._told: set[tuple[str, str]] = set()
        self.last_event_at = self._started
        """When something was read last, on the monotonic clock."""
        self._begin()

    def _begin(self) -> None:
        self._trace = GrowingTrace(self.path)
        self._judge: LiveJudge | None = None
        self._logs_ended: set[str] = set()
        self._reported = 0

    # ---- while it is written ----

    @property
    def events(self) -> int:
        """How many events were read so far."""
        return self._judge.events if self._judge is not None else 0

    @property
    def rejected(self) -> bool:
        """Whether what was read is rejected for certain."""
        return self._judge is not None and self._judge.rejected

    @property
    def ended(self) -> bool:
        """Whether nothing more can come: standard input is closed, or every log has said that it ends."""
        header = self._trace.header
        promised = {name for name, contract in header.logs.items() if contract.kinds} if header is not None else set()
        return self._trace.ended or (bool(promised) and promised <= self._logs_ended)

    def poll(self, seconds_max: float = 1.0) -> list[LiveRemark]:
        """Reads what has been written since, for about `seconds_max` at most; never waits. Returns what has shown.

        Raises:
            TraceError: something cannot be read, as in `validate`.
            MemoryLimitReached: it takes more memory than it may.
        """
        found: list[LiveRemark] = []
        try:
            with rare_collections():
                self._read(time.monotonic() + seconds_max)
        except Rewritten as rewritten:
            self._trace.close()
            found.append(LiveRemark(NOTICE, f"{rewritten}; everything is read again from its beginning"))
            self._begin()
        found += [LiveRemark(NOTICE, text) for text in self._trace.remarks]
        self._trace.remarks.clear()
        return found + self._alarms()

    def _read(self, until: float) -> None:
        if self._judge is None:
            if not self._trace.begin():
                return
            assert self._trace.header is not None and self._trace.names is not None, "the trace has begun"
            protocol = self.options.protocol or PMMC
            self._judge = LiveJudge(self._trace.header, self._trace.names, protocol, self.lag_seconds)
        judge = self._judge
        for batches in self._trace.rounds(judge.waits):
            self._memory.check()
            judge.take(batches)
            self.last_event_at = time.monotonic()
            self._logs_ended |= {item.log for _, items in batches for item in items if item.action == END}
            if time.monotonic() > until:
                return
        judge.look_at_waiting(time.monotonic())

    def _alarms(self) -> list[LiveRemark]:
        """Those that were not there before, nor before everything was read again."""
        new = self._judge.alarms[self._reported :] if self._judge is not None else []
        self._reported += len(new)
        found = []
        for alarm in [each for each in new if each.certain] or new:
            verdict = self._verdict(alarm)
            what = alarm.failure.rule if alarm.failure else ", ".join(each.invariant for each in alarm.violations) or alarm.reason
            where = f"{alarm.failure.at.file}:{alarm.failure.at.line}: " if alarm.failure else ""
            remark = LiveRemark(REJECTED if alarm.certain else SUSPECTED, f"{where}{what}", verdict)
            if remark[:2] not in self._told:
                self._told.add(remark[:2])
                found.append(remark)
        return found

    # ---- the verdict ----

    def finish(self, stopped: bool = False) -> TraceVerdict:
        """The verdict. `stopped`: by somebody who wants no more of it, so that what is written may not be all.

        Raises:
            TraceError: something cannot be read.
        """
        self._read_to_the_end()
        if not stopped and self._judge is not None:
            self._judge.finish()
        verdict = self._last_verdict(stopped)
        unfinished = [f"{place} was begun and not finished, and is left out" for place in self._trace.unfinished()]
        silent = silent_logs(self._judge.header, self._judge.names, self._judge.heard) if self._judge is not None else ()
        self._trace.close()
        return replace(verdict, notes=(*unfinished, *silent))

    def _read_to_the_end(self) -> None:
        """Reads what is there now; at first it may take a second look to know that a header is whole."""
        for _ in range(3):
            try:
                self._read(math.inf)
            except Rewritten:
                self._trace.close()
                self._begin()

    def _last_verdict(self, stopped: bool) -> TraceVerdict:
        judge = self._judge
        if judge is None or not judge.events:
            return self._inconclusive("nothing was recorded: no event was there")
        if judge.alarms:
            return self._verdict(judge.alarms[-1])
        if stopped:
            return self._inconclusive("stopped while it was being written; nothing is wrong in what was read")
        if judge.accepted:
            return self._made(ACCEPTED, legal_run=True)
        whole = "" if self.path == STANDARD_INPUT else f": pmmc-check validate {self.path}"
        return self._inconclusive(f"nothing is wrong as far as it shows while logs are written; judge the whole for a verdict{whole}")

    def _verdict(self, alarm: Alarm) -> TraceVerdict:
        if alarm.certain:
            return replace(self._made(REJECTED), failure=alarm.failure, violations=alarm.violations)
        return replace(self._inconclusive(f"this may be wrong, but it is not certain: {alarm.reason}"), failure=alarm.failure)

    def _inconclusive(self, reason: str) -> TraceVerdict:
        return replace(self._made(INCONCLUSIVE), reason=reason)

    def _made(self, verdict: str, legal_run: bool = False) -> TraceVerdict:
        seconds = time.monotonic() - self._started
        return TraceVerdict(self.path, verdict, self.events, method="replay", seconds=seconds, legal_run=legal_run)


__all__ = ["LAG_SECONDS", "NOTICE", "SUSPECTED", "Follower", "LiveRemark", "MemoryLimitReached"]
