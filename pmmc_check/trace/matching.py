"""Whether a recorded message may be one that the protocol sends."""

from __future__ import annotations

from typing import Any

from pmmc_check.trace.events import UNKNOWN, Delta
from pmmc_check.trace.system import OpaqueResult


def undetermined(message: Any) -> bool:
    """Whether a message has a field that was not recorded, so that it may be one of several."""
    return any(getattr(message, name) is UNKNOWN for name in message.__dataclass_fields__)


def agrees(pattern: Any, message: Any) -> bool:
    """Whether a recorded message, perhaps with unrecorded fields, may be `message`."""
    if type(pattern) is not type(message):
        return False
    return all((value := getattr(pattern, name)) is UNKNOWN or value == getattr(message, name) for name in message.__dataclass_fields__)


def shows(pattern: Any, message: Any, added: Delta | None) -> bool:
    """Whether a recorded message may be `message`, a p1b that brings `added`; an opaque result may be anything."""
    if type(pattern) is not type(message):
        return False
    for name in message.__dataclass_fields__:
        recorded, actual = getattr(pattern, name), getattr(message, name)
        if isinstance(recorded, Delta):
            if recorded != added:
                return False
        elif recorded is not UNKNOWN and not isinstance(actual, OpaqueResult) and recorded != actual:
            return False
    return True
