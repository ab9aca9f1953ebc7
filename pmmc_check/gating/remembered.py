"""Outcomes of earlier runs, kept in this user's cache folder, so that an unchanged check costs nothing."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pmmc_check.checker.kernel_cache import cache_folder
from pmmc_check.gating.checks import CheckOutcome, GateFinding
from pmmc_check.replacing import replace_text
from pmmc_check.verdicts import ACCEPTED, HOLDS, REJECTED, VIOLATED

_KEPT_MAX = 5000
_LASTING = (HOLDS, VIOLATED, ACCEPTED, REJECTED)
"""Other outcomes depend on the machine, on its load, or on what is not there yet."""


class RememberedOutcomes:
    """Outcomes by fingerprint, a small JSON file each. What cannot be read is executed again, what cannot be written is not
    kept."""

    def __init__(self) -> None:
        home = cache_folder()
        self._folder = home / "gate" if home is not None else None

    def find(self, fingerprint: str | None) -> CheckOutcome | None:
        """The outcome of a check with this fingerprint, if it is known."""
        if fingerprint is None or self._folder is None:
            return None
        path = self._folder / f"{fingerprint}.json"
        try:
            outcome = _outcome(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        with suppress(OSError):
            os.utime(path)  # what is used stays
        return outcome if outcome.verdict in _LASTING else None

    def keep(self, fingerprint: str | None, outcome: CheckOutcome) -> None:
        """Keeps an outcome that lasts."""
        if fingerprint is None or self._folder is None or outcome.verdict not in _LASTING:
            return
        path = self._folder / f"{fingerprint}.json"
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_text(path, json.dumps(asdict(outcome)))

    def tidy(self) -> None:
        """Forgets what was not used for longest, where there is too much."""
        if self._folder is None:
            return
        with suppress(OSError):
            kept = sorted(self._folder.iterdir(), key=_last_used)
            for path in kept[: max(0, len(kept) - _KEPT_MAX)]:
                path.unlink(missing_ok=True)


def _last_used(path: Path) -> float:
    return path.stat().st_mtime


def _outcome(kept: dict[str, Any]) -> CheckOutcome:
    findings = tuple(GateFinding(**each) for each in kept.pop("findings"))
    return CheckOutcome(**kept, findings=findings)
