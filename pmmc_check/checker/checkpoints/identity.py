"""What makes two searches the same: one may go on only where the other stopped."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pmmc_check.checker.reductions import Reductions
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.written import WrittenInvariant


def roles_told(model: Model) -> dict[str, str]:
    """Each role's class, with a digest of the modules in which it and the classes that it changes are written."""
    return {
        role: f"{each.__qualname__} {each.__module__} {_sources(base.__module__ for base in each.__mro__[:-1])}"
        for role, each in model.protocol.items()
    }


def search_identity(model: Model, checks: Checks, reductions: Reductions, how: Mapping[str, Any]) -> dict[str, Any]:
    """What one search is about."""
    return {
        "config": model.config.as_dict(),
        "roles": roles_told(model),
        "invariants": [told(each) for each in checks.invariants],
        "constraints": [told(each) for each in checks.constraints],
        "reductions": list(reductions.names),
        **how,
    }


def told(invariant: Any) -> str:
    """An invariant by its name; one of the user's with its text, or a digest of the module of its Python function."""
    if not isinstance(invariant, WrittenInvariant):
        return str(invariant.name)
    module, colon, _ = invariant.name.partition(":")
    text = _sources([module]) if colon and module in sys.modules else f"({invariant.statement})"
    return f"{invariant.name} {text}"


def _sources(modules: Iterable[str]) -> str:
    """A digest of the files of these modules; of one that has none, of its name."""
    digest = blake2b(digest_size=8)
    for module in dict.fromkeys(modules):
        file = getattr(sys.modules.get(module), "__file__", None)
        try:
            digest.update(Path(file).read_bytes() if file else module.encode())
        except OSError:
            digest.update(module.encode())
    return digest.hexdigest()
