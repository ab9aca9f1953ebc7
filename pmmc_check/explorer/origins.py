"""When each message is sent, by the paper's rules, and what is still missing for one that was not."""

from __future__ import annotations

from typing import Any

from pmmc_check.explorer.patterns import MessagePattern, ballot_in, value_of
from pmmc_check.explorer.session import Visit
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import Ballot, ProcessId, commander_id, leader_id, scout_id

SENT_WHEN = {
    "request": "a client sends each of its commands to every replica at the start",
    "propose": "a replica proposes a request for slot_in, as long as slot_in < slot_out + WINDOW, and sends propose to every leader",
    "p1a": "a scout sends p1a(b) to every acceptor when its leader creates it: at the start, and in a higher round after a preemption",
    "p1b": "an acceptor answers each p1a with p1b: its ballot, and all that it has accepted",
    "p2a": "a commander sends p2a(b, s, c) to every acceptor when its leader creates it: once b is adopted, one for each proposal",
    "p2b": "an acceptor answers each p2a with p2b: its ballot",
    "adopted": "a scout sends adopted(b, pvalues) once a quorum of acceptors has answered p1b with its ballot b",
    "preempted": "a scout or commander sends preempted(b') when an acceptor answers with another ballot b' than its own",
    "decision": "a commander sends decision(s, c) to every replica once a quorum of acceptors has answered p2b with its ballot",
    "response": "a replica answers the client when it performs the command, which it does in the order of the slots",
}
"""By kind, without a full stop."""


def obstacle(node: Visit, pattern: MessagePattern) -> str:
    """What is missing now for a message of the pattern to be sent, as far as the pattern says which it is; else empty."""
    model = node.subject.model

    def state_of(process: ProcessId) -> Any:
        return node.state[model.index[process]].state if process in model.index else None

    known = ballot_in(str(value_of(pattern, 1 if pattern.kind in ("p1b", "p2b") else 0) or ""))
    ballot = Ballot(*known) if known else None
    slot = value_of(pattern, 1 if pattern.kind == "p2a" else 0)
    if pattern.kind in ("p1a", "p1b", "adopted") and ballot:
        return _of_scout(scout_id(ballot), state_of, pattern.kind)
    if pattern.kind == "p2a" and ballot:
        return _of_leader(ballot, int(slot) if slot and slot.isdecimal() else None, state_of)
    if pattern.kind == "p2b" and pattern.to is not None:
        return _of_commander(pattern.to, state_of)
    if pattern.kind == "decision" and slot and slot.isdecimal():
        commanders = [each for each in model.processes if each == commander_id(each.ballot, int(slot)) and each.role == "commander"]
        told = [_of_commander(each, state_of) for each in commanders if state_of(each) is not Lifecycle.NOT_STARTED]
        return " ".join(told) or f"No leader has created a commander for slot {slot} yet."
    if pattern.kind in ("propose", "response"):
        return " ".join(_of_replica(each, state_of(each)) for each in model.processes if each.role == "replica")
    return ""


def _of_scout(scout: ProcessId, state_of: Any, kind: str) -> str:
    leader, state = state_of(leader_id(scout.ballot)), state_of(scout)
    if state is None:
        return f"There is no ballot {scout.ballot} in this configuration; --rounds allows more."
    if state is Lifecycle.NOT_STARTED:
        return f"{scout} does not exist yet: {leader_id(scout.ballot)} is {_leader_text(leader)}."
    if kind == "p1b":
        return f"The acceptor has not received p1a({scout.ballot}) yet."
    waits = getattr(state, "waitfor", None)
    return f"{scout} still waits for answers; {_list(waits)} {_have(waits)} not answered." if waits else f"{scout} has exited."


def _of_leader(ballot: Ballot, slot: int | None, state_of: Any) -> str:
    leader = leader_id(ballot)
    state = state_of(leader)
    if state is None:
        return f"There is no ballot {ballot} in this configuration."
    if isinstance(state, Lifecycle | Crashed) or state.ballot != ballot or not state.active:
        return f"{leader} is {_leader_text(state)}."
    if slot is not None and not state.proposes_for(slot):
        return f"{leader} is active in {ballot}, and has no proposal for slot {slot} yet: it has received no propose for it."
    proposed = ", ".join(str(each.command) for each in state.proposals if slot in (None, each.slot))
    return f"{leader} proposes {proposed or 'nothing'} there, and keeps the first command proposed for a slot."


def _leader_text(state: Any) -> str:
    if state is Lifecycle.EXITED:
        return "retired (no round is left; --rounds allows more)"
    if isinstance(state, Crashed):
        return "down"
    return f"active in ballot {state.ballot}" if state.active else f"waiting for ballot {state.ballot} to be adopted"


def _of_commander(commander: ProcessId, state_of: Any) -> str:
    state = state_of(commander)
    if state is Lifecycle.NOT_STARTED:
        return f"{commander} does not exist yet."
    if isinstance(state, Lifecycle):
        return f"{commander} has exited."
    waits: Any = getattr(state, "waitfor", frozenset())
    return f"{commander} asks for {getattr(state, 'command', '?')} and still waits: {_list(waits)} {_have(waits)} not answered."


def _of_replica(replica: ProcessId, state: Any) -> str:
    if isinstance(state, Crashed):
        return f"{replica} is down."
    requests = ", ".join(map(str, sorted(state.requests))) or "none"
    return f"{replica} has slot_in = {state.slot_in}, slot_out = {state.slot_out}, WINDOW bounds the slots between; requests: {requests}."


def _list(processes: Any) -> str:
    *most, last = sorted(map(str, processes)) or ["nobody"]
    return f"{', '.join(most)} and {last}" if most else last


def _have(processes: Any) -> str:
    return "have" if len(processes) != 1 else "has"
