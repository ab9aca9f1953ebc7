"""Action coverage: each kind of step that the configuration has, with how often it was taken, and why some never were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pmmc_check.checker.result import Action, Result
from pmmc_check.config import Config
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
"""Every kind of step without faults, by who takes it (convention 6: a step delivers one message to one process)."""


class Untaken(NamedTuple):
    """Kinds of steps that were never taken: a reduction has left them out, as nothing checked depends on them; it has, if any run has
    them; the message was delivered but changed nothing, which is no step; or no run has them at all."""

    left_out: list[Action]
    left_out_if_any: list[Action]
    idle: list[Action]
    never: list[Action]


def kinds(config: Config) -> tuple[Action, ...]:
    """Every kind of step that a configuration is meant to have."""
    crashes = [Action(role, "crash") for role in config.faulty] if config.crashes else []
    restarts = [Action(role, "restart") for role in config.faulty] if config.restarts else []
    return (*ACTIONS, *crashes, *restarts)


def coverage(result: Result) -> dict[Action, int]:
    """How many deliveries of each kind there were, in the standard order; kinds that only a variant has come last."""
    standard = kinds(result.config)
    others = sorted((action for action in result.coverage if action not in standard), key=lambda a: (a.role, a.message))
    return {action: result.coverage.get(action, 0) for action in (*standard, *others)}


def untaken(result: Result) -> Untaken:
    """The kinds without any delivery that counts."""
    found = Untaken([], [], [], [])
    for action, count in coverage(result).items():
        if not count:
            perhaps = found.left_out_if_any if action in result.perhaps_unneeded else found.never
            idle = found.idle if action in result.exercised.offered else perhaps
            (found.left_out if action in result.unneeded else idle).append(action)
    return found


def coverage_lines(result: Result) -> Iterator[tuple[str, str]]:
    """For people: label and text."""
    if result.limit and not result.coverage:
        yield "steps taken", "not counted"
        return
    counted = coverage(result)
    yield "steps taken", _counts({action: count for action, count in counted.items() if count}) or "none"
    if put_off := {action: result.exercised.put_off[action] for action in counted if action in result.exercised.put_off}:
        yield "", f"of these put off by deferral: {_counts(put_off)}"
    left_out, left_out_if_any, idle, _ = untaken(result)
    if left_out:
        yield "", f"left out by reductions, since nothing checked depends on them: {named(left_out)}"
    if left_out_if_any:
        yield "", f"left out likewise, if any run has them: {named(left_out_if_any)}"
    if idle:
        yield "", f"delivered, but without any effect: {named(idle)}"


def named(actions: list[Action]) -> str:
    """Kinds of steps in a sentence."""
    return ", ".join(map(_name, actions))


def _counts(counts: dict[Action, int]) -> str:
    return ", ".join(f"{_name(action)} {count:,}" for action, count in counts.items())


def _name(action: Action) -> str:
    return f"{action.role}:{action.message}"
