"""What changes in the states of a replayed run. Its sets grow in place, and are compared by what is new in them, so that a long run takes
linear time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from pmmc_check.protocol.role import Lifecycle
from pmmc_check.protocol.values import COMMANDER, LEADER, SCOUT, ProcessId
from pmmc_check.report.runs.fields import ShowValue, members_of
from pmmc_check.report.runs.run import STATUS_FIELD, FieldChange, Status
from pmmc_check.validation.replay.in_place import GrowingPValues, GrowingSlots
from pmmc_check.validation.replay.open_requests import OpenRequests
from pmmc_check.validation.replay.process import Process

_SETS = (frozenset, GrowingPValues, GrowingSlots, OpenRequests)
_IMMUTABLE = (frozenset, int, str, tuple)


class StateReader:
    """Notices what changes in the states of running processes. Sets that grow in place are compared by what is new in them."""

    def __init__(self, show: ShowValue) -> None:
        self.show = show
        self._states: dict[ProcessId, Any] = {}
        self._owned: dict[int, set[ProcessId]] = {}
        """By leader: its scouts and commanders that run."""
        self._fields: dict[ProcessId, tuple[str, ...]] = {}
        self._grown: dict[tuple[ProcessId, str], Any] = {}
        self._sets: dict[tuple[ProcessId, str], set[Any]] = {}
        self._texts: dict[tuple[ProcessId, str], str] = {}

    def changes(self, process: Process) -> list[FieldChange]:
        """What is different from the last time."""
        me, state = process.me, process.state
        known = self._states.get(me)
        if state is known:
            return []
        self._states[me] = state
        if known is None and me.role in (SCOUT, COMMANDER):
            self._owned.setdefault(me.number, set()).add(me)
        if isinstance(state, Lifecycle):
            return [FieldChange(me, STATUS_FIELD, Status.RUNNING, Status.EXITED)]
        found = [FieldChange(me, STATUS_FIELD, None, Status.RUNNING)] if known is None else []
        if not is_dataclass(state):
            return found
        self._fields[me] = tuple(each.name for each in fields(state))
        for each in fields(state):
            value = getattr(state, each.name)
            if known is not None and value is getattr(known, each.name, None) and isinstance(value, _IMMUTABLE):
                continue
            change = self._of_field(me, each.name, value)
            if change is not None:
                found.append(change)
        return found

    def different(self, processes: Iterable[Process]) -> list[Process]:
        """Those whose states are other than the last time."""
        known = self._states
        return [each for each in processes if each.state is not known.get(each.me)]

    def gone(self, host: ProcessId, running: Sequence[Process]) -> list[FieldChange]:
        """Scouts and commanders of `host` that were there and are no longer; `running` are all that are there, each of them noticed."""
        if host.role != LEADER:
            return []
        owned = self._owned.setdefault(host.number, set())
        if len(running) > len(owned):  # they are all there, and so is the leader
            return []
        changes = []
        for each in sorted(owned - {each.me for each in running}):
            owned.discard(each)
            if not isinstance(self._states.pop(each), Lifecycle):
                changes.append(FieldChange(each, STATUS_FIELD, Status.RUNNING, Status.EXITED))
            for field in self._fields.pop(each, ()):
                for table in (self._sets, self._texts, self._grown):
                    table.pop((each, field), None)
        return changes

    def _of_field(self, me: ProcessId, name: str, value: Any) -> FieldChange | None:
        key = (me, name)
        if isinstance(value, _SETS):
            return self._of_set(key, value)
        text = self.show(value)
        before = self._texts.get(key)
        if text == before:
            return None
        self._texts[key] = text
        return FieldChange(me, name, before, text)

    def _of_set(self, key: tuple[ProcessId, str], value: Any) -> FieldChange | None:
        first = key not in self._sets
        known = self._sets.setdefault(key, set())
        grown = not first and self._grown.get(key) is value
        self._grown[key] = value
        added, removed = _newest(known, value) if grown else _apart(known, value)
        known |= added
        known -= removed
        if not (added or removed or first):
            return None
        return FieldChange(*key, None, None, True, members_of(added, self.show), members_of(removed, self.show))


def _newest(known: set[Any], value: Any) -> tuple[set[Any], set[Any]]:
    """What is new in a set that is still the same object."""
    if isinstance(value, frozenset) or len(value) == len(known):
        return set(), set()
    if isinstance(value, GrowingPValues | GrowingSlots):
        new = set(value.newest(len(value) - len(known)))
        if len(new) == len(value) - len(known) and not new & known:
            return new, set()
    return _apart(known, value)


def _apart(known: set[Any], value: Any) -> tuple[set[Any], set[Any]]:
    """What has come and gone, by a look at everything."""
    now = set(value.members() if isinstance(value, OpenRequests) else value)
    return now - known, known - now
