"""Whether a role that is not the paper's has done anything yet that the paper's would not have done.

Every answer that such a role gives to the checker is compared with that of the paper's role in the same state, until the first that
differs. A state that adds fields to the paper's is compared without them: what a role keeps for itself is no behaviour until it shows
in what it sends, or in the paper's own fields. Where states are of another type altogether nothing can be told."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pmmc_check.protocol import PMMC
from pmmc_check.protocol.role import Lifecycle, Outcome, Role, System
from pmmc_check.protocol.values import ProcessId


class _Incomparable(Exception):
    """The paper's role has no such state."""


class Deviations:
    """Compares roles with the paper's; `comparing` are those that have not differed so far, by the role's name."""

    def __init__(self, roles: Mapping[ProcessId, Role], system: System) -> None:
        changed = {process: role for process, role in roles.items() if PMMC.get(process.role) not in (None, type(role))}
        self.comparing = {process.role for process in changed}
        self._papers = {process: PMMC[process.role](process, system) for process in changed}
        self._state_types = {process: type(role.start(system.commands[0]).state) for process, role in self._papers.items()}

    def note(self, process: ProcessId, method: str, arguments: Sequence[Any], outcomes: Iterable[Outcome]) -> None:
        """Takes an answer that `process` has given to `method` (start, step or restart) into account."""
        if process.role not in self.comparing:
            return
        try:
            same = self._same(process, method, arguments, outcomes)
        except Exception:  # the paper's role cannot read what this one made; then it is not the paper's, but nothing is known of its deeds
            same = False
        if not same:
            self.comparing.discard(process.role)

    def _same(self, process: ProcessId, method: str, arguments: Sequence[Any], outcomes: Iterable[Outcome]) -> bool:
        role, kind = self._papers[process], self._state_types[process]
        given = arguments if method == "start" else [_as_papers(kind, arguments[0]), *arguments[1:]]
        answer = getattr(role, method)(*given)
        expected = answer if method == "step" else [answer]
        return _comparable(kind, expected) == _comparable(kind, outcomes)


def _comparable(kind: type, outcomes: Iterable[Outcome]) -> frozenset[Any]:
    return frozenset((_as_papers(kind, state), frozenset(Counter(sends).items())) for state, sends in outcomes)


def _as_papers(kind: type, state: Any) -> Any:
    """`state` with the fields of the paper's state alone."""
    if isinstance(state, Lifecycle) or type(state) is kind:
        return state
    if not isinstance(state, kind):
        raise _Incomparable
    return kind(**{field.name: getattr(state, field.name) for field in dataclasses.fields(kind)})
