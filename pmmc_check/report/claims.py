"""What a search says of the claims that it relied on: those that roles make of themselves, so that reductions may use them."""

from __future__ import annotations

from typing import Any

from pmmc_check.checker.result import ClaimsUsed


def claims_line(claims: ClaimsUsed) -> str:
    """For people."""
    if not claims.used:
        return "none used"
    used = ", ".join(claims.used)
    if claims.checked is None:
        return f"{used}; TRUSTED, not checked (--trust-claims): if one is false, the verdict may be, too"
    return f"{used}; each was checked wherever it was used, on {claims.checked:,} local steps"


def claims_json(claims: ClaimsUsed) -> dict[str, Any]:
    """For programs: what was `used`, whether all of it was `checked`, and on how many local `steps`."""
    return {"used": list(claims.used), "checked": claims.checked is not None, "steps": claims.checked or 0}
