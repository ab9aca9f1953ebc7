"""What a message of a trace consists of: its fields, who sends it, and to whom it goes."""

from __future__ import annotations

from pmmc_check.protocol.values import ACCEPTOR, CLIENT, COMMANDER, LEADER, REPLICA, SCOUT
from pmmc_check.trace.events import CRASH, DROP, END, RECEIVE, RESTART, SEND

FIELDS: dict[str, tuple[str, ...]] = {
    "request": ("c",),
    "propose": ("s", "c"),
    "p1a": ("b",),
    "p1b": ("a", "b", "accepted"),
    "p2a": ("b", "s", "c"),
    "p2b": ("a", "b"),
    "adopted": ("b", "pvalues"),
    "preempted": ("b",),
    "decision": ("s", "c"),
    "response": ("cid", "result"),
}
"""The fields of each message, in the order in which the DSL writes them; `a` may be left out where the acceptor itself sends."""

SENDERS = {
    "request": (CLIENT,),
    "propose": (REPLICA,),
    "p1a": (SCOUT,),
    "p1b": (ACCEPTOR,),
    "p2a": (COMMANDER,),
    "p2b": (ACCEPTOR,),
    "adopted": (SCOUT,),
    "preempted": (SCOUT, COMMANDER),
    "decision": (COMMANDER,),
    "response": (REPLICA,),
}
"""The roles that send each kind of message."""

RECIPIENT = {
    "request": REPLICA,
    "propose": LEADER,
    "p1a": ACCEPTOR,
    "p1b": SCOUT,
    "p2a": ACCEPTOR,
    "p2b": COMMANDER,
    "adopted": LEADER,
    "preempted": LEADER,
    "decision": REPLICA,
    "response": CLIENT,
}
"""The role that receives each kind of message."""

BROADCASTS = frozenset({"request", "propose", "p1a", "p2a", "decision"})
"""Kinds whose sends go to every process of a role where `to` is left out."""

POST_FIELDS = {ACCEPTOR: ("ballot", "accepted"), REPLICA: ("slot_in", "slot_out"), LEADER: ("ballot", "active")}
"""What may be recorded of the state after an event, by role."""

ATTRIBUTE = {
    "c": "command",
    "s": "slot",
    "b": "ballot",
    "a": "acceptor",
    "accepted": "accepted",
    "pvalues": "pvalues",
    "cid": "cid",
    "result": "result",
}
"""The message attribute that each field of a trace stands for."""

ACTION_OF_VERB = {"recv": RECEIVE, "send": SEND, "drop": DROP, "crash": CRASH, "restart": RESTART, "end": END}
"""The actions by their verb in JSON Lines."""
