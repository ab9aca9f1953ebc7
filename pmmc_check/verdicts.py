"""The words in which every verb answers, once for all."""

from __future__ import annotations

INCONCLUSIVE = "inconclusive"
"""A limit was reached, or something is missing, before an answer was found."""

HOLDS, VIOLATED = "holds", "violated"
"""What a search says of the invariants."""

CONFORMS, DIFFERS = "conforms", "differs"
"""What a comparison with the paper says of roles."""

ACCEPTED, REJECTED, BAD_INPUT = "accepted", "rejected", "bad input"
"""What validation says of a trace."""
