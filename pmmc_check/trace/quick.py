"""Meanings of the most frequent events, put together from words whose values are known.

The readers hand over the values of a message's fields as text, in the grammar's order. Each text is looked up in a
memo that only ever holds texts the elaborator has accepted in that field; anything unknown, unusual or wrong gives
None, and the reader goes the long way (which fills the memos). So this can only repeat what the elaborator would say,
faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pmmc_check.protocol.messages import Decision, P2a, P2b, Propose, Request, Response
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, LEADER, REPLICA, ProcessId, commander_id
from pmmc_check.trace.elaborate import Elaborator
from pmmc_check.trace.events import RECEIVE, SEND
from pmmc_check.trace.values import MEMO_SIZE


class Meaning(NamedTuple):
    """What the words of an event mean, who logs it aside."""

    process: ProcessId | None
    """The scout or commander that takes it; None when it is the log's owner."""
    message: Any
    peers: tuple[ProcessId, ...] | None
    post: tuple[tuple[str, Any], ...] | None


Texts = Sequence[str]
Shape = tuple[str, str, str]
"""Role of the log's owner, action, and the fields present, such as `p2a b s c`."""


class Quick:
    """Composes meanings for one trace."""

    def __init__(self, elaborator: Elaborator) -> None:
        self._elaborator = elaborator
        self._known: dict[str, dict[str, Any]] = {key: {} for key in ("b", "s", "c", "end")}
        self.shapes: dict[Shape, Callable[[ProcessId, Texts], Meaning | None]] = {
            (ACCEPTOR, RECEIVE, "p2a b s c"): self._p2a_received,
            (ACCEPTOR, SEND, "p2b b to"): self._p2b_sent,
            (LEADER, RECEIVE, "p2b a b to"): self._p2b_received,
            (LEADER, SEND, "p2a b s c"): self._p2a_sent,
            (LEADER, SEND, "p2a b s c to"): self._p2a_sent,
            (LEADER, SEND, "decision s c from"): self._decision_sent,
            (LEADER, SEND, "decision s c from to"): self._decision_sent,
            (LEADER, RECEIVE, "propose s c"): self._propose_received,
            (LEADER, RECEIVE, "propose s c from"): self._propose_received,
            (REPLICA, RECEIVE, "request c"): self._request_received,
            (REPLICA, RECEIVE, "decision s c"): self._decision_received,
            (REPLICA, RECEIVE, "decision s c from"): self._decision_received,
            (REPLICA, SEND, "propose s c"): self._propose_sent,
            (REPLICA, SEND, "propose s c to"): self._propose_sent,
            (REPLICA, SEND, "response cid result to"): self._response_sent,
        }

    def _value(self, key: str, text: str) -> Any:
        known = self._known[key]
        value = known.get(text)
        if value is None:
            value = self._read(key, text)
            if len(known) >= MEMO_SIZE:
                known.clear()
            known[text] = value
        return value

    def _read(self, key: str, text: str) -> Any:
        """Raises `Unfit`; an unknown value (?) is for the long way."""
        if text == "?" or "," in text or text == "*":
            raise KeyError(text)
        return self._elaborator.values.process(text) if key == "end" else self._elaborator.field(key, text)

    def _end(self, text: str, role: str) -> ProcessId:
        process: ProcessId = self._value("end", text)
        if process.role != role:
            raise KeyError(text)
        return process

    def _hosted(self, owner: ProcessId, process: ProcessId) -> ProcessId:
        if process.number != owner.number or process.role != COMMANDER:
            raise KeyError(process)
        return process

    def _p2a(self, texts: Texts) -> P2a:
        ballot = self._value("b", texts[0])
        if ballot.round < 0:
            raise KeyError(texts[0])
        return P2a(ballot, self._value("s", texts[1]), self._value("c", texts[2]))

    def _p2a_received(self, owner: ProcessId, texts: Texts) -> Meaning:
        message = self._p2a(texts)
        return Meaning(None, message, (commander_id(message.ballot, message.slot),), None)

    def _p2a_sent(self, owner: ProcessId, texts: Texts) -> Meaning:
        message = self._p2a(texts)
        peers = (self._end(texts[3], ACCEPTOR),) if len(texts) > 3 else None
        return Meaning(self._hosted(owner, commander_id(message.ballot, message.slot)), message, peers, None)

    def _p2b_sent(self, owner: ProcessId, texts: Texts) -> Meaning:
        return Meaning(None, P2b(owner, self._value("b", texts[0])), (self._end(texts[1], COMMANDER),), None)

    def _p2b_received(self, owner: ProcessId, texts: Texts) -> Meaning:
        acceptor = self._end(texts[0], ACCEPTOR)
        process = self._hosted(owner, self._value("end", texts[2]))
        return Meaning(process, P2b(acceptor, self._value("b", texts[1])), (acceptor,), None)

    def _decision_sent(self, owner: ProcessId, texts: Texts) -> Meaning:
        process = self._hosted(owner, self._value("end", texts[2]))
        peers = (self._end(texts[3], REPLICA),) if len(texts) > 3 else None
        return Meaning(process, Decision(self._value("s", texts[0]), self._value("c", texts[1])), peers, None)

    def _decision_received(self, owner: ProcessId, texts: Texts) -> Meaning:
        peers = (self._end(texts[2], COMMANDER),) if len(texts) > 2 else None
        return Meaning(None, Decision(self._value("s", texts[0]), self._value("c", texts[1])), peers, None)

    def _propose_received(self, owner: ProcessId, texts: Texts) -> Meaning:
        peers = (self._end(texts[2], REPLICA),) if len(texts) > 2 else None
        return Meaning(None, Propose(self._value("s", texts[0]), self._value("c", texts[1])), peers, None)

    def _propose_sent(self, owner: ProcessId, texts: Texts) -> Meaning:
        peers = (self._end(texts[2], LEADER),) if len(texts) > 2 else None
        return Meaning(None, Propose(self._value("s", texts[0]), self._value("c", texts[1])), peers, None)

    def _request_received(self, owner: ProcessId, texts: Texts) -> Meaning:
        command = self._value("c", texts[0])
        return Meaning(None, Request(command), (command.client,), None)

    def _response_sent(self, owner: ProcessId, texts: Texts) -> Meaning:
        client = self._elaborator.values.names.process_of[texts[2]]
        if client.role != "client" or not texts[1].isalnum() or not texts[0].isdigit() or len(texts[0]) > 15 or not texts[0].isascii():
            raise KeyError(texts[2])
        if not texts[1].isascii():
            raise KeyError(texts[1])
        return Meaning(None, Response(int(texts[0]), texts[1]), (client,), None)
