"""What a result for every number of slots covers, and what not, in the same words in text and JSON.

“Every” is said only of what is covered."""

from __future__ import annotations

from pmmc_check.checker.any_slots.one_slot import OF_ONE_SLOT
from pmmc_check.checker.any_slots.search import AnySlotsResult
from pmmc_check.checker.any_slots.surroundings import ReplicaBounds
from pmmc_check.config import Config
from pmmc_check.protocol.values import majority
from pmmc_check.words import counted


def covered(result: AnySlotsResult) -> str:
    """What there may be any number of, for the invariants of one slot."""
    leaders = ", replicas, leaders and rounds" if result.scope.ballotwise else " and replicas"
    return f"every number of slots, commands, clients{leaders}, every WINDOW, on every network"


def still_bounded(result: AnySlotsResult) -> str:
    """What remains bounded, for the invariants of one slot."""
    config = result.scope.config
    if result.scope.ballots is not None:
        return f"{acceptors(config)} and at most {counted(result.scope.ballots, 'ballot')} in use"
    return f"{acceptors(config)}, {counted(config.leaders, 'leader')} and {counted(config.rounds, 'ballot round')}"


def not_covered() -> str:
    """What no part looks at."""
    return "a change of acceptors by reconfiguration; Progress"


def acceptors(config: Config) -> str:
    """How many there are, and their quorums where these are no majorities."""
    quorum1, quorum2 = config.quorums
    quorums = "" if quorum1 == quorum2 == majority(config.acceptors) else f" (quorums: {quorum1} in phase 1, {quorum2} in phase 2)"
    return counted(config.acceptors, "acceptor") + quorums


def faults(config: Config, ballotwise: bool) -> str:
    """Which crashes are covered. One without a restart is a process that takes no further step, which any run may have."""
    restarted = [role for role in config.faulty if config.restarts and role != "replica"]
    words = ["any process may stop for good at any time"]
    if ballotwise and "leader" in restarted:
        restarted.remove("leader")
        words.append("a leader that restarts is a further leader")
    if restarted:
        words.append(f"at most {counted(config.restarts, 'restart')} in a run, of any {' or '.join(restarted)}")
    return "; ".join(words) if len(words) > 1 else f"{words[0]}; restarts are looked at with --crashes, --restarts and --faulty"


def of_slot(result: AnySlotsResult) -> list[str]:
    """The invariants that are covered for every number of slots."""
    return [name for name in result.invariants if name in (*OF_ONE_SLOT, *result.own)]


def replica_bounds(bounds: ReplicaBounds) -> str:
    """How far a replica by itself was searched."""
    windows = ", ".join(map(str, bounds.windows))
    parts = [
        counted(bounds.slots, "slot"),
        counted(bounds.commands, "command"),
        f"WINDOW {windows}",
        counted(bounds.reconfigurations, "reconfiguration"),
        counted(bounds.restarts, "restart"),
    ]
    if bounds.early is not None:
        parts.append(f"decisions at most {counted(bounds.early, 'slot')} ahead")
    if bounds.waiting is not None:
        parts.append(f"at most {counted(bounds.waiting, 'request')} waiting when another comes")
    return ", ".join(parts)
