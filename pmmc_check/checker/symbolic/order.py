"""Which process gets which level: the size of a diagram depends on it by orders of magnitude."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pmmc_check.protocol.values import ACCEPTOR, CLIENT, COMMANDER, FAULTS, LEADER, REPLICA, SCOUT, ProcessId


def level_order(processes: Sequence[ProcessId], inert: bool) -> list[int]:
    """The numbers of the processes, that of the highest level first.

    Processes that talk to each other should be close. The acceptors, and the scouts who ask them, talk most, so they come
    last, mixed. Clients and replicas, who only begin and end things, come first, and the leaders with their commanders between.
    Where inert messages are let go, little is left that one leader's part has to know of another's but what the acceptors
    know, so the last leader and its commanders go below the acceptors. (Measured: docs/performance.md.)

    The budget of faults is at the very bottom: what it refuses is refused before anything is made of it.
    """
    last = max((each.number for each in processes if each.role == LEADER), default=0)
    below = inert and last > 1

    def numbers(*roles: str) -> list[int]:
        return [i for role in roles for i, each in enumerate(processes) if each.role == role and not (below and _is_of(each, last))]

    leaders = sorted(numbers(LEADER, COMMANDER), key=lambda i: (processes[i].number, i)) if below else numbers(LEADER, COMMANDER)
    lowest = [i for i, each in enumerate(processes) if below and _is_of(each, last)]
    lowest.sort(key=lambda i: (processes[i].role == LEADER, i))
    return [*numbers(CLIENT, REPLICA), *leaders, *_mixed(numbers(ACCEPTOR), numbers(SCOUT)), *lowest, *numbers(FAULTS)]


def order_of_states(processes: Sequence[ProcessId]) -> list[int]:
    """The same where messages have levels of their own, each below its recipient.

    Then all go down: who begins comes first, and who only answers last. So each step acts on its own level and below, and what acceptors
    answer is closed before anybody else moves.
    """
    roles = (CLIENT, REPLICA, LEADER, SCOUT, COMMANDER, ACCEPTOR, FAULTS)
    return [i for role in roles for i, each in enumerate(processes) if each.role == role]


def _is_of(process: ProcessId, leader: int) -> bool:
    return process.role in (LEADER, COMMANDER) and process.number == leader


def _mixed(*groups: Sequence[int]) -> Iterable[int]:
    """The members of all groups, each group spread evenly."""
    placed = [((k + 0.5) / len(group), number, each) for number, group in enumerate(groups) for k, each in enumerate(group)]
    return [each for _, _, each in sorted(placed)]
