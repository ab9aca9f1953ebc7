"""The frequent events of long traces, put together from words whose meaning is known.

A reader hands over the words of a message's fields in the grammar's order. Each is looked up in a memo that only ever holds words which
the `EventBuilder` has accepted in that place; anything unknown, unusual or wrong raises, and the reader goes the long way. So this can
only repeat what the `EventBuilder` would say, several times faster.

There is one function for each process, action and kind (`EventComposer.composer`); it makes the event and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pmmc_check.protocol.messages import Decision, P2a, P2b, Preempted, Propose, Request, Response
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, COMMANDER, LEADER, NOOP, REPLICA, SCOUT, ProcessId, commander_id, new_tuple
from pmmc_check.trace.events import RECEIVE, SEND, Event
from pmmc_check.trace.readers.event_builder import EventBuilder
from pmmc_check.trace.values import MEMO_SIZE

_event: Callable[[type[Event], tuple[Any, ...]], Event] = new_tuple

Words = Sequence[Any]
Compose = Callable[[Words, int, str | None], Event]
"""The event of some words, a line number and a time. Raises KeyError, ValueError or `Unfit`: take the long way."""

SHAPES = {
    (ACCEPTOR, RECEIVE, "p2a"): ("b s c",),
    (ACCEPTOR, SEND, "p2b"): ("b to",),
    (LEADER, RECEIVE, "p2b"): ("a b to",),
    (LEADER, SEND, "p2a"): ("b s c", "b s c to"),
    (LEADER, SEND, "preempted"): ("b from",),
    (LEADER, RECEIVE, "preempted"): ("b", "b from"),
    (LEADER, SEND, "decision"): ("s c from", "s c from to"),
    (LEADER, RECEIVE, "propose"): ("s c", "s c from"),
    (REPLICA, RECEIVE, "request"): ("c",),
    (REPLICA, RECEIVE, "decision"): ("s c", "s c from"),
    (REPLICA, SEND, "propose"): ("s c", "s c to"),
    (REPLICA, SEND, "response"): ("cid result to",),
    (CLIENT, SEND, "request"): ("c", "c to"),
    (CLIENT, RECEIVE, "response"): ("cid result", "cid result from"),
}
"""Which events are frequent: role of the log's owner, action, kind, and the fields in the words' order."""


class Known(dict[Any, Any]):
    """Meanings by word (or words); what is not there is read, and kept for a while."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        super().__init__()
        self.read = read

    def __missing__(self, word: Any) -> Any:
        value = self.read(word)
        if len(self) >= MEMO_SIZE:
            self.clear()
        self[word] = value
        return value


class EventComposer:
    """Composes the events of one file.

    `text_of` gives the text of a field from a reader's word, or raises KeyError; `lone` leaves out what cannot be one value.
    """

    def __init__(self, event_builder: EventBuilder, file: str, text_of: Callable[[str, Any], str]) -> None:
        self.event_builder, self.file, self.text_of = event_builder, file, text_of
        self.ballots = Known(lambda word: event_builder.field("b", self._lone("b", word)))
        self.slots = Known(lambda word: event_builder.field("s", self._lone("s", word)))
        self.commands = Known(lambda word: event_builder.field("c", self._lone("c", word)))
        self.cids = Known(lambda word: event_builder.field("cid", self._lone("cid", word)))
        self.processes = Known(event_builder.values.process)
        self._ends_known: dict[tuple[str, tuple[str, ...], ProcessId | None], Known] = {}
        self._named = {key: Known(partial(self._process, key)) for key in ("a", "from", "to")}
        self.acceptors = self._ends("a", ACCEPTOR)
        self.p2as = Known(self._p2a)
        self.p2bs = Known(lambda words: P2b(self.acceptors[words[0]][0], self.ballots[words[1]]))
        self.preemptions = Known(lambda word: Preempted(self.ballots[word]))
        self.decisions = Known(lambda words: Decision(*self._slot_command(words)))
        self.proposes = Known(lambda words: Propose(*self._slot_command(words)))
        self.responses = Known(self._response)

    def composer(self, log: str, owner: ProcessId, action: str, kind: str) -> Compose:
        """Makes the events of one kind in the log of `owner`. Raises KeyError if these are not among the frequent ones."""
        _ = SHAPES[owner.role, action, kind]
        make: Callable[[str, ProcessId], Compose] = getattr(self, f"_{kind}_{'received' if action == RECEIVE else 'sent'}")
        return make(log, owner)

    def _lone(self, key: str, word: Any) -> str:
        text = self.text_of(key, word)
        if text in ("?", "*") or (key in ("to", "from") and "," in text):
            raise KeyError(word)
        return text

    def _ends(self, key: str, *roles: str, owner: ProcessId | None = None) -> Known:
        """Processes of some roles by name, each as a tuple of its own; scouts and commanders of one leader only if that is `owner`."""
        known = self._ends_known.get((key, roles, owner))
        if known is None:
            known = self._ends_known[key, roles, owner] = self._new_ends(key, roles, owner)
        return known

    def _process(self, key: str, word: Any) -> tuple[ProcessId]:
        return (self.processes[self._lone(key, word)],)

    def _new_ends(self, key: str, roles: tuple[str, ...], owner: ProcessId | None) -> Known:
        named = self._named[key]

        def read(word: Any) -> tuple[ProcessId]:
            end: tuple[ProcessId] = named[word]
            (process,) = end
            if process.role not in roles or (owner is not None and process.number != owner.number):
                raise KeyError(word)
            return end

        return Known(read)

    def _p2a(self, words: Words) -> tuple[P2a, tuple[ProcessId]]:
        ballot_word, slot_word, command_word = words
        ballot, slot = self.ballots[ballot_word], self.slots[slot_word]
        if ballot.round < 0:
            raise KeyError(ballot_word)
        return P2a(ballot, slot, self.commands[command_word]), (commander_id(ballot, slot),)

    def _slot_command(self, words: Words) -> tuple[int, Any]:
        slot_word, command_word = words
        return self.slots[slot_word], self.commands[command_word]

    # ---- one function for each process, action and kind ----

    def _p2a_received(self, log: str, owner: ProcessId) -> Compose:
        known, file = self.p2as, self.file

        def compose(words: Words, line: int, time: str | None) -> Event:
            message, commander = known[tuple(words)]
            return _event(Event, (log, owner, RECEIVE, message, commander, file, line, time, None, None, None))

        return compose

    def _p2a_sent(self, log: str, owner: ProcessId) -> Compose:
        known, ends, file, number = self.p2as, self._ends("to", ACCEPTOR), self.file, owner.number

        def compose(words: Words, line: int, time: str | None) -> Event:
            ballot, slot, command, *to = words
            message, (commander,) = known[ballot, slot, command]
            if commander.number != number:
                raise KeyError(log)
            return _event(Event, (log, commander, SEND, message, _option(ends, to), file, line, time, None, None, None))

        return compose

    def _p2b_sent(self, log: str, owner: ProcessId) -> Compose:
        file, ends = self.file, self._ends("to", COMMANDER)
        known = Known(lambda word: P2b(owner, self.ballots[word]))

        def compose(words: Words, line: int, time: str | None) -> Event:
            ballot, to = words
            return _event(Event, (log, owner, SEND, known[ballot], ends[to], file, line, time, None, None, None))

        return compose

    def _p2b_received(self, log: str, owner: ProcessId) -> Compose:
        known, acceptors, ends, file = self.p2bs, self.acceptors, self._ends("to", COMMANDER, owner=owner), self.file

        def compose(words: Words, line: int, time: str | None) -> Event:
            acceptor, ballot, to = words
            return _event(
                Event, (log, ends[to][0], RECEIVE, known[acceptor, ballot], acceptors[acceptor], file, line, time, None, None, None)
            )

        return compose

    def _decision_sent(self, log: str, owner: ProcessId) -> Compose:
        known, mine, ends, file = self.decisions, self._ends("from", COMMANDER, owner=owner), self._ends("to", REPLICA), self.file

        def compose(words: Words, line: int, time: str | None) -> Event:
            slot, command, sender, *to = words
            return _event(Event, (log, mine[sender][0], SEND, known[slot, command], _option(ends, to), file, line, time, None, None, None))

        return compose

    def _preempted_sent(self, log: str, owner: ProcessId) -> Compose:
        known, mine, file = self.preemptions, self._ends("from", SCOUT, COMMANDER, owner=owner), self.file

        def compose(words: Words, line: int, time: str | None) -> Event:
            ballot, sender = words
            return _event(Event, (log, mine[sender][0], SEND, known[ballot], None, file, line, time, None, None, None))

        return compose

    def _preempted_received(self, log: str, owner: ProcessId) -> Compose:
        known, ends, file = self.preemptions, self._ends("from", SCOUT, COMMANDER), self.file

        def compose(words: Words, line: int, time: str | None) -> Event:
            ballot, *sender = words
            return _event(Event, (log, owner, RECEIVE, known[ballot], _option(ends, sender), file, line, time, None, None, None))

        return compose

    def _decision_received(self, log: str, owner: ProcessId) -> Compose:
        return self._of_two(log, owner, RECEIVE, self.decisions, self._ends("from", COMMANDER))

    def _propose_received(self, log: str, owner: ProcessId) -> Compose:
        return self._of_two(log, owner, RECEIVE, self.proposes, self._ends("from", REPLICA))

    def _propose_sent(self, log: str, owner: ProcessId) -> Compose:
        return self._of_two(log, owner, SEND, self.proposes, self._ends("to", LEADER))

    def _response_received(self, log: str, owner: ProcessId) -> Compose:
        return self._of_two(log, owner, RECEIVE, self.responses, self._ends("from", REPLICA))

    def _response_sent(self, log: str, owner: ProcessId) -> Compose:
        return self._of_two(log, owner, SEND, self.responses, self._ends("to", CLIENT))

    def _of_two(self, log: str, owner: ProcessId, action: str, known: Known, ends: Known) -> Compose:
        """Messages of two fields; the other end may be named."""
        file = self.file

        def compose(words: Words, line: int, time: str | None) -> Event:
            if len(words) == 2:
                return _event(Event, (log, owner, action, known[tuple(words)], None, file, line, time, None, None, None))
            first, second, end = words
            return _event(Event, (log, owner, action, known[first, second], ends[end], file, line, time, None, None, None))

        return compose

    def _request_received(self, log: str, owner: ProcessId) -> Compose:
        known, file = Known(self._request), self.file

        def compose(words: Words, line: int, time: str | None) -> Event:
            (command,) = words
            message, client = known[command]
            return _event(Event, (log, owner, RECEIVE, message, client, file, line, time, None, None, None))

        return compose

    def _request_sent(self, log: str, owner: ProcessId) -> Compose:
        known, ends, file = Known(self._request), self._ends("to", REPLICA), self.file

        def compose(words: Words, line: int, time: str | None) -> Event:
            command, *to = words
            return _event(Event, (log, owner, SEND, known[command][0], _option(ends, to), file, line, time, None, None, None))

        return compose

    def _request(self, word: Any) -> tuple[Request, tuple[ProcessId]]:
        command = self.commands[word]
        if command == NOOP:
            raise KeyError(word)
        return Request(command), (command.client,)

    def _response(self, words: Words) -> Response:
        cid, result = words
        text = self.text_of("result", result)
        if not (text.isascii() and text.isalnum()):
            raise KeyError(result)
        return Response(self.cids[cid], text)


def _option(ends: Known, words: Words) -> tuple[ProcessId, ...] | None:
    """The other end, if there is a word for it."""
    if not words:
        return None
    (word,) = words
    end: tuple[ProcessId, ...] = ends[word]
    return end
