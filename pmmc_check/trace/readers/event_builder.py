"""Turns the words of an event into the event: which role takes it, what the message is, and who is at the other end.

All readers share it, so they cannot disagree about meaning. A reader hands over what it found as text by field. What does not fit raises
an `Unfit` that names the field, and the reader adds the place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

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
)
from pmmc_check.protocol.values import ACCEPTOR, BOTTOM, CLIENT, COMMANDER, LEADER, NOOP, REPLICA, SCOUT, ProcessId, commander_id, scout_id
from pmmc_check.trace.errors import Unfit
from pmmc_check.trace.events import DROP, NONE, RECEIVE, SEND, UNKNOWN, Delta, Event, Perform
from pmmc_check.trace.fields import BALLOT_IS_OWNED, BROADCASTS, FIELDS, POST_FIELDS, RECIPIENT, SENDERS
from pmmc_check.trace.values import Values

Raw = Mapping[str, Any]
"""Field name to text; a set is a pair (is it a delta, its members' texts)."""


class EventBuilder:
    """Builds events for one trace. All methods raise `Unfit`."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self._converters: dict[str, Callable[[str], Any]] = {
            "b": values.ballot,
            "s": values.slot,
            "c": values.command,
            "a": values.process,
            "cid": values.integer,
            "result": values.word,
            "process": values.process,
        }

    def field(self, key: str, raw: Any) -> Any:
        """The value of one field."""
        if raw == "?":
            return UNKNOWN
        try:
            if isinstance(raw, tuple):
                delta, members = raw
                pvalues = frozenset(map(self.values.pvalue, members))
                return Delta(pvalues) if delta else pvalues
            return self._converters[key](raw)
        except Unfit as unfit:
            raise Unfit(unfit.problem, key) from None

    def owner(self, log: str) -> ProcessId:
        """The process whose log this is; it must be one that the header's contract covers."""
        names = self.values.names
        owner = names.process_of.get(log)
        if owner is None and "." in log:
            owner = self.field("process", log)
        if owner is None:
            owner = names.client(log)
        if owner is None:
            raise Unfit(f"{log!r} is no process of the header; it has {', '.join(names.process_of)}", "process")
        return owner

    def event(self, log: str, action: str, kind: str | None, raw: Raw, post: Raw | None, note: str | None, file: str, line: int) -> Event:
        """The event that a reader found."""
        owner = self.owner(log)
        contract = self.values.names.header.contract(self.values.names.log_of(owner))
        process, message, peers = owner, None, None
        if contract.form == NONE:
            shown = self.values.names.log_of(owner)
            raise Unfit(f"{shown} has events, but the header promises none; add a line: log {shown} complete", "process")
        if kind is not None:
            if not contract.records(kind):
                raise Unfit(f"{log} records {contract}, and {kind} is not among it; add {kind} to its log line", "process")
            acting = RECEIVE if action == DROP else action
            message = self.message(kind, raw, owner, acting)
            process = self.taker(kind, message, raw, owner, acting)
            self._own_end("from" if action == SEND else "to", raw, owner, process)
            peers = self.recipients(kind, raw, process) if action == SEND else self.sender(kind, message, raw)
        recorded = None if post is None else self.post(post, process)
        return Event(log, process, action, message, peers, file, line, raw.get("time"), recorded, raw.get("id"), note)

    def perform(self, log: str, raw: Raw, note: str | None, file: str, line: int) -> Perform:
        """What a line says that a replica performed."""
        owner = self.owner(log)
        if owner.role != REPLICA:
            raise Unfit(f"{_article(owner.role)} performs nothing; that is a replica's", "process")
        if self.values.names.header.contract(log).form == NONE:
            raise Unfit(f"{log} performs, but the header promises nothing of it; add a line: log {log} complete", "process")
        slot = self.field("s", raw["s"])
        if slot is UNKNOWN:
            raise Unfit("s= cannot be ? here, it says what was performed", "s")
        self.values.has_performs = True
        return Perform(log, owner, slot, self.field("c", raw["c"]), file, line, raw.get("time"), raw.get("id"), note)

    def message(self, kind: str, raw: Raw, owner: ProcessId, action: str) -> Message:
        """The message of an event in the log of `owner`."""
        found = {key: self.field(key, raw[key]) for key in FIELDS[kind] if key in raw}
        self._check_owned(kind, found)
        if kind in ("p1b", "p2b"):
            self._settle_acceptor(kind, found, owner, action)
        match kind:
            case "request":
                return Request(found["c"])
            case "propose":
                return Propose(found["s"], found["c"])
            case "p1a":
                return P1a(found["b"])
            case "p1b":
                return P1b(found["a"], found["b"], found["accepted"])
            case "p2a":
                return P2a(found["b"], found["s"], found["c"])
            case "p2b":
                return P2b(found["a"], found["b"])
            case "adopted":
                return Adopted(found["b"], found["pvalues"])
            case "preempted":
                return Preempted(found["b"])
            case "decision":
                return Decision(found["s"], found["c"])
            case _:
                return Response(found["cid"], found["result"])

    def _check_owned(self, kind: str, found: dict[str, Any]) -> None:
        """What a message carries must be somebody's."""
        if kind in BALLOT_IS_OWNED and found["b"] == BOTTOM:
            raise Unfit(f"a {kind} has a ballot that some leader owns; - is none", "b")
        if kind == "request" and found["c"] == NOOP:
            raise Unfit("noop is nobody's request; only leaders propose it", "c")

    def _settle_acceptor(self, kind: str, found: dict[str, Any], owner: ProcessId, action: str) -> None:
        if action == SEND:
            if found.setdefault("a", owner) not in (owner, UNKNOWN):
                raise Unfit(f"a {kind} carries its sender, so a={self.values.show_process(owner)} is expected here, or no a= at all", "a")
            found["a"] = owner
        elif "a" not in found:
            raise Unfit(f"a received {kind} must say which acceptor answered: a={self.values._example(ACCEPTOR)} (or a=?)", "")
        elif found["a"] is not UNKNOWN and found["a"].role != ACCEPTOR:
            raise Unfit(f"{self.values.show_process(found['a'])} is no acceptor", "a")

    # ---- who ----

    def taker(self, kind: str, message: Any, raw: Raw, owner: ProcessId, action: str) -> ProcessId:
        """The role process that takes the event: `owner`, or the scout or commander logged under that leader."""
        wanted = SENDERS[kind] if action == SEND else (RECIPIENT[kind],)
        if owner.role in wanted and owner.role not in (SCOUT, COMMANDER):
            return owner
        verb = "sends" if action == SEND else "receives"
        if not (owner.role in wanted or (owner.role == LEADER and {SCOUT, COMMANDER} & set(wanted))):
            taken = (
                f" ({self.values.show_process(owner)}, which the header does not name, is taken for one)" if self._guessed(owner) else ""
            )
            whose = " or ".join(_article(role) for role in wanted)
            raise Unfit(f"{_article(owner.role)} never {verb} {kind}{taken}; that is {whose}'s", "process")
        process = self._spawned(kind, message, raw, action) if owner.role == LEADER else self._own_log(kind, message, raw, owner, action)
        if process.number != owner.number:
            raise Unfit(f"{self.values.show_process(process)} belongs to another leader than {self.values.show_process(owner)}", "process")
        if process.role not in wanted:
            raise Unfit(f"{_article(process.role)} never {verb} {kind}", "from" if action == SEND else "to")
        return process

    def _guessed(self, owner: ProcessId) -> bool:
        """Whether it is a client only because the header does not list the clients."""
        return owner.role == CLIENT and self.values.names.open_clients

    def _spawned(self, kind: str, message: Any, raw: Raw, action: str) -> ProcessId:
        """The scout or commander that a leader's event is about."""
        if action == SEND and kind in ("p1a", "adopted"):
            return scout_id(_known(message.ballot, "b", "the scout"))
        if action == SEND and kind == "p2a":
            return commander_id(_known(message.ballot, "b", "the commander"), _known(message.slot, "s", "the commander"))
        key = "from" if action == SEND else "to"
        if raw.get(key, "?") == "?":
            form = "a ballot (of a scout) or ballot/slot (of a commander)"
            raise Unfit(f"{key}= must say which scout or commander of the leader this is: {form}", key if key in raw else "")
        return self._end(key, raw[key])

    def _own_log(self, kind: str, message: Any, raw: Raw, owner: ProcessId, action: str) -> ProcessId:
        """A scout or commander with a log of its own: what the event says of its identity must be so."""
        key = "from" if action == SEND else "to"
        claims = [(self._end(key, raw[key]), key)] if raw.get(key, "?") != "?" else []
        if action == SEND and kind in BALLOT_IS_OWNED and message.ballot not in (UNKNOWN, owner.ballot):
            raise Unfit(f"this is {self.values.show_process(owner)}, so b={self.values.show(owner.ballot)} is expected", "b")
        if action == SEND and kind in ("p2a", "decision") and message.slot not in (UNKNOWN, owner.slot):
            raise Unfit(f"this is {self.values.show_process(owner)}, so s={owner.slot} is expected", "s")
        for claimed, where in claims:
            if claimed != owner:
                raise Unfit(f"this is the log of {self.values.show_process(owner)}, not of {self.values.show_process(claimed)}", where)
        return owner

    def _end(self, key: str, text: str) -> ProcessId:
        try:
            return self.values.process(text)
        except Unfit as unfit:
            raise Unfit(unfit.problem, key) from None

    def _own_end(self, key: str, raw: Raw, owner: ProcessId, process: ProcessId) -> None:
        """An event may name its own process too; then it must be that one."""
        if raw.get(key, "?") != "?" and self._end(key, raw[key]) not in (owner, process):
            raise Unfit(f"this is an event of {self.values.show_process(process)}, so {key}= can name no other process", key)

    # ---- the other end ----

    def sender(self, kind: str, message: Any, raw: Raw) -> tuple[ProcessId, ...] | None:
        """The sender of a received message, as far as the event says: most messages name it."""
        implied = self._implied_sender(kind, message)
        if raw.get("from", "?") == "?":
            return implied
        named = self._end("from", raw["from"])
        if implied is not None and named.role == LEADER and implied[0].role in (SCOUT, COMMANDER) and named.number == implied[0].number:
            return implied
        if named.role not in SENDERS[kind]:
            hint = f", such as from=0.{self.values.show_process(named)}/1 for a commander" if named.role == LEADER else ""
            raise Unfit(f"{_article(named.role)} never sends {kind}; name {' or '.join(map(_article, SENDERS[kind]))}{hint}", "from")
        if implied is not None and (named,) != implied:
            raise Unfit(f"the message itself names {self.values.show_process(implied[0])} as its sender", "from")
        return (named,)

    def _implied_sender(self, kind: str, message: Any) -> tuple[ProcessId, ...] | None:
        if kind == "request" and message.command is not UNKNOWN:
            return (message.command.client,)
        if kind in ("p1b", "p2b") and message.acceptor is not UNKNOWN:
            return (message.acceptor,)
        if kind in ("p1a", "adopted") and message.ballot is not UNKNOWN:
            return (scout_id(message.ballot),)
        if kind == "p2a" and message.ballot is not UNKNOWN and message.slot is not UNKNOWN:
            return (commander_id(message.ballot, message.slot),)
        return None

    def recipients(self, kind: str, raw: Raw, process: ProcessId) -> tuple[ProcessId, ...] | None:
        """The recipients of a sent message; None: all that the protocol names."""
        text = raw.get("to", "?")
        if text == "?" or (text == "*" and kind in BROADCASTS):
            return None
        if text == "*":
            raise Unfit(f"{kind} goes to one process, not to all", "to")
        ends = tuple(self._recipient(kind, each) for each in text.split(","))
        if len(ends) > 1 and kind not in BROADCASTS:
            raise Unfit(f"{kind} goes to one process", "to")
        return ends

    def _recipient(self, kind: str, text: str) -> ProcessId:
        role = RECIPIENT[kind]
        named = self.values.names.client(text) if role == CLIENT else self._end("to", text)
        if named is None or named.role != role:
            raise Unfit(f"{text} is no {role}; {kind} goes to {_article(role)}", "to")
        return named

    # ---- recorded states ----

    def post(self, raw: Raw, process: ProcessId) -> tuple[tuple[str, Any], ...]:
        """The recorded state after an event, in the order of `POST_FIELDS`."""
        allowed = POST_FIELDS.get(process.role, ())
        for key in raw:
            if key not in allowed:
                has = f"has {', '.join(allowed)}" if allowed else "has no recorded state"
                raise Unfit(f"{_article(process.role)} {has}; {key} is not among them", f"| {key}")
        try:
            return tuple((key, self._post_value(key, raw[key])) for key in allowed if key in raw)
        except Unfit as unfit:
            raise Unfit(unfit.problem, unfit.key or "|") from None

    def _post_value(self, key: str, raw: Any) -> Any:
        if key == "ballot":
            return self.values.ballot(raw)
        if key == "accepted":
            return frozenset(map(self.values.pvalue, raw[1]))
        if key == "active":
            return raw == "yes"
        return self.values.slot(raw)


def _known(value: Any, key: str, what: str) -> Any:
    if value is UNKNOWN:
        raise Unfit(f"{key}= cannot be ? here, it says which one is {what}", key)
    return value


def _article(role: str) -> str:
    return f"an {role}" if role == ACCEPTOR else f"a {role}"
