"""Whether a recorded message may be one that the protocol sends."""

from __future__ import annotations

from typing import Any

from pmmc_check.trace.events import UNKNOWN, Delta
from pmmc_check.trace.system import OpaqueResult


def undetermined(message: Any) -> bool:
    """Whether a message has a field that was not recorded, so that it may be one of several."""
    for name in message.__dataclass_fields__:  # noqa: SIM110  (`any` takes twice the time)
        if getattr(message, name) is UNKNOWN:
            return True
    return False


def matches(pattern: Any, message: Any, added: Delta | None = None) -> bool:
    """Whether a recorded message may be `message`, a p1b that has `added` since the acceptor's last one.

    A field that was not recorded may be anything, and so may a recorded result of which only the position is known.
    """
    if type(pattern) is not type(message):
        return False
    for name in message.__dataclass_fields__:
        recorded, actual = getattr(pattern, name), getattr(message, name)
        if type(recorded) is Delta:
            if recorded != added:
                return False
        elif recorded is not UNKNOWN and type(actual) is not OpaqueResult and recorded != actual:
            return False
    return True
