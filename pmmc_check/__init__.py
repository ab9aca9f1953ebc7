"""A model checker and trace validator for PMMC, multi-Paxos as in "Paxos Made Moderately Complex".

What is listed in `__all__` is the Python API (docs/api.md). It is imported on first use, so `import pmmc_check` costs nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pmmc_check.api.drawing import DrawnGraph
    from pmmc_check.api.exploration import Exploration, Witness
    from pmmc_check.api.exploring import explore
    from pmmc_check.api.failure import CheckFailed
    from pmmc_check.api.following import Follower, LiveRemark
    from pmmc_check.api.gatekeeping import GateReport, gate
    from pmmc_check.api.roles import step_server
    from pmmc_check.api.simulating import SimulatedRun, simulate
    from pmmc_check.api.validating import Validation, validate
    from pmmc_check.checker.result import Snapshot
    from pmmc_check.errors import PmmcError, ProtocolError, UsageError
    from pmmc_check.gating.checks import CheckResult
    from pmmc_check.properties.invariants import INVARIANTS
    from pmmc_check.protocol import PMMC, Acceptor, Client, Commander, Leader, Replica, Role, Scout
    from pmmc_check.protocol.variants.catalogue import VARIANTS
    from pmmc_check.trace.recorder import TraceWriter
    from pmmc_check.validation.verdict import TraceVerdict

__version__ = "0.1.0"

_HOMES = {
    "api.drawing": ("DrawnGraph",),
    "api.exploration": ("Exploration", "Witness"),
    "api.exploring": ("explore",),
    "api.failure": ("CheckFailed",),
    "api.following": ("Follower", "LiveRemark"),
    "api.gatekeeping": ("GateReport", "gate"),
    "api.roles": ("step_server",),
    "api.simulating": ("SimulatedRun", "simulate"),
    "api.validating": ("Validation", "validate"),
    "checker.result": ("Snapshot",),
    "errors": ("PmmcError", "ProtocolError", "UsageError"),
    "gating.checks": ("CheckResult",),
    "properties.invariants": ("INVARIANTS",),
    "protocol": ("PMMC", "Acceptor", "Client", "Commander", "Leader", "Replica", "Role", "Scout"),
    "protocol.variants.catalogue": ("VARIANTS",),
    "trace.recorder": ("TraceWriter",),
    "validation.verdict": ("TraceVerdict",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "INVARIANTS",
    "PMMC",
    "VARIANTS",
    "Acceptor",
    "CheckFailed",
    "CheckResult",
    "Client",
    "Commander",
    "DrawnGraph",
    "Exploration",
    "Follower",
    "GateReport",
    "Leader",
    "LiveRemark",
    "PmmcError",
    "ProtocolError",
    "Replica",
    "Role",
    "Scout",
    "SimulatedRun",
    "Snapshot",
    "TraceVerdict",
    "TraceWriter",
    "UsageError",
    "Validation",
    "Witness",
    "__version__",
    "explore",
    "gate",
    "simulate",
    "step_server",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
