"""What the tests of the replica part share: small bounds, and the seeded faults of replicas."""

from __future__ import annotations

from pmmc_check.checker.any_slots.replica_part import REPLICA_INVARIANTS
from pmmc_check.checker.any_slots.surroundings import ReplicaBounds
from pmmc_check.properties.invariants import INVARIANTS

STOCK_INVARIANTS = tuple(INVARIANTS[name] for name in REPLICA_INVARIANTS)
UNBOUNDED = {"early": None, "waiting": None}
TINY = ReplicaBounds(slots=2, commands=1, windows=(1,), reconfigurations=1, restarts=1, **UNBOUNDED)

FAULTS = {
    "perform-twice": ("R3", 2),
    "skip-hole": ("R2", 1),
    "ignore-window": ("R5", 2),
    "restart-loses-decisions": ("R4", 2),
    "reconfigure-late": ("R5", 2),
    "reconfigure-at-once": ("R5", 2),
}
"""By variant: which invariant it breaks, and in how many steps within the default bounds."""
