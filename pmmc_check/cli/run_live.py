"""`run --live`: the trace is judged while the cluster runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pmmc_check.api.following import NOTICE, Follower
from pmmc_check.trace.errors import TraceError
from pmmc_check.verdicts import REJECTED
from pmmc_check.words import counted


class LiveWatch:
    """Reads what the nodes have written, and says at once what is wrong. A node that was killed takes back what it had not committed: then
    everything is read again."""

    def __init__(self, logs: Path, report: Callable[[str], None], say: Callable[[str], None]) -> None:
        self._follower = Follower(str(logs))
        self._report, self._say = report, say

    def has_enough(self) -> bool:
        """Reads on; whether what was read is wrong for certain, so that the run need not go on."""
        try:
            remarks = self._follower.poll(0.2)
        except TraceError as error:
            self._say(f"--live: {error}")
            return True
        for kind, text, _ in remarks:
            if kind != NOTICE:
                self._say(f"--live: {kind} after {counted(self._follower.events, 'event')}: {text}")
        self._report(f"{counted(self._follower.events, 'event')} judged")
        return any(kind == REJECTED for kind, _, _ in remarks)
