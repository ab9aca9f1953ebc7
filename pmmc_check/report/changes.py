"""What a step changed: the fields of local states that differ, as the paper writes them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

from pmmc_check.model.model import Model, State
from pmmc_check.protocol.messages import show, sorted_texts
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import ProcessId

_ENDS = {Lifecycle.EXITED: "exits", Lifecycle.FAILED: "fails"}


class Change(NamedTuple):
    """One field of one process; `field` is empty when the process as a whole started or exited."""

    process: ProcessId
    field: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if not self.field:
            return str(self.after)
        if isinstance(self.before, frozenset) and isinstance(self.after, frozenset):
            gained = [f"+{each}" for each in sorted_texts(self.after - self.before)]
            lost = [f"-{each}" for each in sorted_texts(self.before - self.after)]
            return f"{self.field} {' '.join(gained + lost)}"
        return f"{self.field} {show(self.before)} → {show(self.after)}"


def changes(model: Model, before: State, after: State) -> list[Change]:
    """All fields that differ between two global states; inboxes are not shown."""
    found: list[Change] = []
    for process, old, new in zip(model.processes, before, after, strict=True):
        if old.state != new.state:
            found.extend(_local_changes(process, old.state, new.state))
    return found


def _local_changes(process: ProcessId, before: Any, after: Any) -> list[Change]:
    if isinstance(after, Crashed):
        return [Change(process, "", show(before), "crashes")]
    if isinstance(before, Crashed) and not isinstance(after, Lifecycle):
        return [Change(process, "", "crashed", f"restarts with {show(after)}")]
    if isinstance(after, Lifecycle):
        return [Change(process, "", show(before), _ENDS.get(after, str(after)))]
    if isinstance(before, Lifecycle):
        return [Change(process, "", show(before), f"starts {show(after)}")]
    if not is_dataclass(after):
        return [Change(process, "state", before, after)]
    return [
        Change(process, field.name, getattr(before, field.name, None), getattr(after, field.name))
        for field in fields(after)
        if getattr(before, field.name, None) != getattr(after, field.name)
    ]
