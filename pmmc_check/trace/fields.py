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

CALLS = ("adopted", "preempted")
"""Messages within one machine: there they are function calls, so a leader's log often leaves them out."""

BALLOT_IS_OWNED = frozenset({"p1a", "p2a", "adopted"})
"""Kinds whose ballot is that of a scout or commander, so some leader's, never ⊥."""

NAMES_ITS_SENDER = frozenset({"request", "p1a", "p1b", "p2a", "p2b", "adopted"})
"""Kinds whose fields say who sent them."""

FROM_IS_NEEDED, TO_IS_NEEDED = frozenset({"preempted", "decision"}), frozenset({"p1b", "p2b"})
"""Kinds of which a leader's log must name its scout or commander: who sends them, or who receives them."""

SET_FIELDS, NUMBER_FIELDS = ("accepted", "pvalues"), ("s", "cid")
"""The fields whose values are sets of pvalues, and those whose values are numbers; all others are words."""

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

JSON_KEYS = frozenset(("#", "at", "do", "msg", "to", "from", "id", "t", "note", "post", *(key for keys in FIELDS.values() for key in keys)))
"""What the keys of an event may be in JSON Lines."""

ACTION_OF_VERB = {"recv": RECEIVE, "send": SEND, "drop": DROP, "crash": CRASH, "restart": RESTART, "end": END}
"""The actions by their verb in JSON Lines."""
