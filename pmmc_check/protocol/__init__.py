"""PMMC as pure step functions: values, messages, and one module a role.

A protocol is a choice of one class for each role; `PMMC` is the paper's, a variant replaces some of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from pmmc_check.protocol.acceptor import Acceptor, AcceptorState
from pmmc_check.protocol.client import Client
from pmmc_check.protocol.commander import Commander, CommanderState
from pmmc_check.protocol.leader import Leader, LeaderState
from pmmc_check.protocol.messages import (
    Adopted,
    Decision,
    Message,
    P1a,
    P1b,
    P2a,
    P2b,
    Preempted,
    Propose,
    Request,
    Response,
    Start,
)
from pmmc_check.protocol.replica import Replica, ReplicaState
from pmmc_check.protocol.role import Lifecycle, Outcome, Role, Send, System, broadcast
from pmmc_check.protocol.scout import Scout, ScoutState
from pmmc_check.protocol.values import Ballot, Command, ProcessId, PValue, SlotCommand

Protocol = Mapping[str, type[Role]]
"""One class for each role, by the role's name."""

PMMC: Protocol = {each.role: each for each in (Client, Replica, Leader, Scout, Commander, Acceptor)}
"""The protocol as the paper has it."""


def variant(*replacements: type[Role], base: Protocol = PMMC) -> Protocol:
    """`base` with the given classes in place of its own."""
    return {**base, **{each.role: each for each in replacements}}


__all__ = [
    "PMMC",
    "Acceptor",
    "AcceptorState",
    "Adopted",
    "Ballot",
    "Client",
    "Command",
    "Commander",
    "CommanderState",
    "Decision",
    "Leader",
    "LeaderState",
    "Lifecycle",
    "Message",
    "Outcome",
    "P1a",
    "P1b",
    "P2a",
    "P2b",
    "PValue",
    "Preempted",
    "ProcessId",
    "Propose",
    "Protocol",
    "Replica",
    "ReplicaState",
    "Request",
    "Response",
    "Role",
    "Scout",
    "ScoutState",
    "Send",
    "SlotCommand",
    "Start",
    "System",
    "broadcast",
    "variant",
]
