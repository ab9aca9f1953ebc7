"""Searches that are kept on disk, to go on after they were stopped. What writes and reads them is only loaded where it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pmmc_check.checker.checkpoints.folder import SearchCheckpoints
    from pmmc_check.checker.reductions import Reductions
    from pmmc_check.checker.result import Control
    from pmmc_check.model.model import Model
    from pmmc_check.properties.checks import Checks


def kept_search(control: Control, model: Model, checks: Checks, reductions: Reductions, how: Mapping[str, Any]) -> SearchCheckpoints | None:
    """The checkpoints of one search, if its command keeps any; `how` says what else makes it another search."""
    if control.checkpoints is None:
        return None
    from pmmc_check.checker.checkpoints.identity import search_identity  # noqa: PLC0415  # most searches are not kept

    return control.checkpoints.of_search(search_identity(model, checks, reductions, how))
