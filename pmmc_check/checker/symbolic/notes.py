"""What is noted while events are made, so that a run can be found backwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pmmc_check.checker.counterexample import Move
from pmmc_check.checker.tables import Path


class Way(NamedTuple):
    """One step of an event: from `value` of the acting process, by these deliveries."""

    event: int
    value: int
    path: Path


class Breaking(NamedTuple):
    """States in which each of these levels has one of these values break an invariant, or `last` does, a step from there."""

    where: Mapping[int, Sequence[int]]
    last: Move | None


@dataclass
class Notes:
    """`ways`: the steps by process and the value that it has after them."""

    ways: dict[tuple[int, int], list[Way]] = field(default_factory=lambda: defaultdict(list))
    breaking: list[Breaking] = field(default_factory=list)
