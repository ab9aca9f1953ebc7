"""The search beside the stepping: in a thread and on a model of its own, with its progress and, in the end, its verdict."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pmmc_check.checker.result import Control, Limits, Result, Snapshot
from pmmc_check.errors import PmmcError
from pmmc_check.explorer.session import Subject, along, begun, path_text
from pmmc_check.users_code import fate

RunSearch = Callable[[Control], Result]


class BackgroundSearch:
    """Begins at once; `stop` ends it with what is known."""

    def __init__(self, subject: Subject, search: RunSearch, limits: Limits) -> None:
        self._subject, self._search = subject, search
        self._control = Control(limits, self._report)
        self._told: dict[str, Any] = {"running": True, "states": 0, "generated": 0, "depth": 0}
        self._thread = threading.Thread(target=self._run, name="search", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the search; waits a moment for it."""
        self._control.stop = True
        self._thread.join(timeout=2.0)

    def answer(self) -> dict[str, Any]:
        """How far it is; when it has ended its `verdict`, and the path of a counterexample."""
        seconds = self._told.get("seconds", self._control.seconds())
        return {**self._told, "seconds": round(seconds, 1)}

    def _report(self, snapshot: Snapshot) -> None:
        self._told = {
            "running": True,
            "states": snapshot.distinct_states,
            "generated": snapshot.generated_states,
            "depth": snapshot.depth,
        }

    def _run(self) -> None:
        try:
            self._told = self._ended(self._search(self._control))
        except PmmcError as error:
            self._told = {"running": False, "seconds": self._control.seconds(), "error": str(error)}
        except BaseException as error:  # the page says it; the stepping goes on
            self._told = {"running": False, "seconds": self._control.seconds(), "error": f"the search {fate(error)}"}

    def _ended(self, result: Result) -> dict[str, Any]:
        found = result.violation
        return {
            "running": False,
            "seconds": result.seconds,
            "states": result.distinct_states,
            "generated": result.generated_states,
            "depth": result.depth,
            "verdict": result.verdict,
            "limit": result.limit,
            "violated": found.invariant if found else None,
            "how": found.how if found else None,
            "path": path_text(along(begun(self._subject), found.trace).here.path) if found else None,
        }
