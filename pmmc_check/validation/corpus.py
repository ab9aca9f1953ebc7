"""What a corpus of traces has reached of the protocol: the branches of all its runs together, kept in a file from run to run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pmmc_check.errors import PmmcError
from pmmc_check.protocol.branches import Branch, branches_that_apply
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED

COVERAGE_FORMAT = "pmmc-check-coverage"
COVERAGE_VERSION = 1
_FIELDS = {"traces": int, "partial": int, "uncounted": int, "reconfigures": bool, "has_noop": bool}


class CoverageFileError(PmmcError):
    """A file that is no coverage of this version; the text begins with what is wrong."""


@dataclass(frozen=True)
class CorpusCoverage:
    """How often runs took each branch, by its name. `traces` were counted, of which `partial` have logs that are not complete;
    `uncounted` were given and are not accepted, so that there is no run of theirs.

    `reconfigures` and `has_noop`: whether some run might have had the branches that need configurations, or a leader that proposes no-ops.
    """

    steps: Mapping[str, int] = field(default_factory=dict)
    traces: int = 0
    partial: int = 0
    uncounted: int = 0
    reconfigures: bool = False
    has_noop: bool = False

    @property
    def branches(self) -> list[Branch]:
        """Those that these runs might have had."""
        return branches_that_apply(self.reconfigures, self.has_noop)

    @property
    def never(self) -> list[Branch]:
        """Those of `branches` that no run took."""
        return [each for each in self.branches if not self.steps.get(each.name)]

    @property
    def percent(self) -> float:
        """How many of `branches` were taken."""
        return 100 * (1 - len(self.never) / len(self.branches))

    def __add__(self, other: CorpusCoverage) -> CorpusCoverage:
        """Both together."""
        return CorpusCoverage(
            dict(Counter(self.steps) + Counter(other.steps)),
            self.traces + other.traces,
            self.partial + other.partial,
            self.uncounted + other.uncounted,
            self.reconfigures or other.reconfigures,
            self.has_noop or other.has_noop,
        )

    def to_json(self) -> dict[str, Any]:
        """As reports and files have it."""
        steps = {each.name: self.steps.get(each.name, 0) for each in self.branches}
        return {
            COVERAGE_FORMAT: COVERAGE_VERSION,
            **{key: getattr(self, key) for key in _FIELDS},
            "percent": round(self.percent, 1),
            "never": [each.name for each in self.never],
            "branches": steps | {name: count for name, count in self.steps.items() if name not in steps},
        }


def coverage_of(verdicts: Iterable[TraceVerdict]) -> CorpusCoverage:
    """What accepted traces that were judged with `coverage` have reached."""
    total = CorpusCoverage()
    for each in verdicts:
        counted = each.coverage
        if each.verdict != ACCEPTED or counted is None:
            total += CorpusCoverage(uncounted=1)
        else:
            total += CorpusCoverage(dict(counted.steps), 1, int(counted.partial), 0, counted.reconfigures, counted.has_noop)
    return total


def coverage_from(text: str) -> CorpusCoverage:
    """What a file of `to_json` says.

    Raises:
        CoverageFileError: it is no such file, or of another version.
    """
    try:
        fields = json.loads(text)
    except ValueError:
        raise CoverageFileError(
            "is no coverage of validate: it is empty, cut or no JSON at all; name a file that --coverage-file wrote, or a new one"
        ) from None
    if not isinstance(fields, dict) or COVERAGE_FORMAT not in fields:
        raise CoverageFileError(
            f"is no coverage of validate: it has no {COVERAGE_FORMAT}; name a file that --coverage-file wrote, or a new one"
        )
    if fields[COVERAGE_FORMAT] != COVERAGE_VERSION or fields[COVERAGE_FORMAT] is True:
        raise CoverageFileError(f"has version {fields[COVERAGE_FORMAT]} of the coverage; expected {COVERAGE_VERSION}: begin a new file")
    steps = fields.get("branches")
    typed = all(type(fields.get(key)) is kind for key, kind in _FIELDS.items())
    if (
        not isinstance(steps, dict)
        or not typed
        or not all(
            type(count) is int and count >= 0 for count in (*steps.values(), *(fields[key] for key in _FIELDS if _FIELDS[key] is int))
        )
    ):
        raise CoverageFileError("is a damaged coverage: its counts are no whole numbers; begin a new file")
    return CorpusCoverage({name: count for name, count in steps.items() if count}, **{key: fields[key] for key in _FIELDS})
