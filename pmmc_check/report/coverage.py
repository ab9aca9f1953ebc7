"""Action coverage: each kind of step that the protocol has, with how often it was taken."""

from __future__ import annotations

from pmmc_check.checker.result import Action, Result
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, COMMANDER, LEADER, REPLICA, SCOUT

ACTIONS = tuple(
    Action(role, message)
    for role, messages in (
        (CLIENT, ("response",)),
        (REPLICA, ("request", "decision")),
        (LEADER, ("propose", "adopted", "preempted")),
        (SCOUT, ("p1b",)),
        (COMMANDER, ("p2b",)),
        (ACCEPTOR, ("p1a", "p2a")),
    )
    for message in messages
)
"""Every kind of step, by who takes it (convention 6: a step delivers one message to one process)."""


def coverage(result: Result) -> dict[Action, int]:
    """How often each kind was taken, in the standard order; kinds that only a variant has come last."""
    others = sorted((action for action in result.coverage if action not in ACTIONS), key=lambda a: (a.role, a.message))
    return {action: result.coverage.get(action, 0) for action in (*ACTIONS, *others)}


def never_taken(result: Result) -> tuple[list[Action], list[Action]]:
    """Kinds that were never taken: those that a reduction left out as of no effect, and those that no run reached."""
    untaken = [action for action, count in coverage(result).items() if count == 0]
    return [each for each in untaken if each in result.unneeded], [each for each in untaken if each not in result.unneeded]
