"""Roles that a user hands in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pmmc_check.errors import UsageError
from pmmc_check.protocol import Role
from pmmc_check.protocol.values import ROLES


def role_classes(where: str, given: Any) -> list[type[Role]]:
    """A role class, or a mapping or sequence of them, as a list; `where` says in messages who handed it in.

    Raises:
        UsageError: one is no role, or does not say which role it plays.
    """
    classes = list(given.values()) if isinstance(given, Mapping) else list(given) if isinstance(given, list | tuple) else [given]
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, Role)):
            raise UsageError(f"{where}: {each!r} is no role; expected a subclass of pmmc_check.protocol.Role, or a list of them")
        if getattr(each, "role", None) not in ROLES:
            raise UsageError(f"{where}: {each.__name__} does not say which role it plays; set `role` to one of {', '.join(ROLES)}")
    return classes
