"""Replays the leaders' logs, and takes up what the logs that were replayed apart did (`apart.py`), each receive after its send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pmmc_check.protocol.messages import P1b
from pmmc_check.protocol.values import SCOUT, Ballot, ProcessId
from pmmc_check.trace.events import DROP, Delta, Event, Header, Names
from pmmc_check.validation.replay.apart import DEED_LOST, DEED_NUMBER, DEED_P1B, DEED_RESULT, DEED_SENT, DEED_TAKEN, Deed, NotApart
from pmmc_check.validation.replay.interleaving import Log
from pmmc_check.validation.replay.plain import Plain
from pmmc_check.validation.replay.replay import Replay

_ELSEWHERE = Event("", ProcessId("nobody", 0), DROP, None, None)
"""Stands for an event that another process has read."""


class LogPiece:
    """Some deeds of a log in a row; the first `done` of them have been taken up."""

    __slots__ = ("deeds", "done", "log")

    def __init__(self, log: str, deeds: Sequence[Deed]) -> None:
        self.log, self.deeds, self.done = log, deeds, 0


class ReplayTogether(Replay):
    """Replays events of leaders, and pieces of the other logs. Raises `NotApart`, `Rejected` or `Ambiguous` where it cannot."""

    def __init__(self, header: Header, names: Names, *, late: bool) -> None:
        super().__init__(header, names, late=late)
        self._plain = Plain(names)
        self._accepted: dict[ProcessId, set[Any]] = {}
        """Of each acceptor: what its p1bs have carried so far."""

    def take_turns(self, streams: Sequence[Iterator[Event | LogPiece]]) -> int:
        """Takes all of all streams, each as far as it gets before the next; returns how many of the items were events."""
        events, at_log, file_of = 0, dict[int, Log](), dict[str, int]()
        active = dict(enumerate(streams))
        while active:
            going = [key for key in active if key not in at_log or not at_log[key].queue]
            for key in going or list(active):
                log = None
                for item in active[key]:
                    events += type(item) is Event
                    log = self.interleaving.take(item)
                    if self.guessed:
                        raise NotApart  # in another order another guess is made, and what comes of it may not depend on how many judge
                    if file_of.setdefault(log.name, key) != key:
                        raise NotApart  # a log in two files, of which nobody knows how they go together
                    if log.queue:
                        break
                if log is None or not log.queue:
                    del active[key]
                else:
                    at_log[key] = log
        if any(log.queue for log in self.interleaving.logs.values()):
            raise NotApart
        self.finish()
        return events

    def _advance(self, log: Log, event: Any) -> bool:
        return self._take_up(log, event) if type(event) is LogPiece else super()._advance(log, event)

    def _take_up(self, log: Log, piece: LogPiece) -> bool:
        """Takes up the deeds of a piece, up to the first that has to wait."""
        network, waiting, wake = self.deliveries.network, self.interleaving.waiting, self.interleaving.wake
        process_of, message_of = self._plain.process_of, self._plain.message_of
        deeds = piece.deeds
        for at in range(piece.done, len(deeds)):
            what, *plain = deeds[at]
            if what in (DEED_TAKEN, DEED_LOST):
                sender, to, message = None if plain[0] is None else process_of(plain[0]), process_of(plain[1]), message_of(plain[2])
                if not (network.take if what == DEED_TAKEN else network.drop)(sender, to, message):
                    piece.done = at
                    return self._wait((to, message), log)
            elif what == DEED_SENT:
                to, message = process_of(plain[1]), message_of(plain[2])
                network.put(process_of(plain[0]), to, message, _ELSEWHERE)
                if waiting:
                    wake((to, message))
                    wake((to, None))
            else:
                self._take_up_other(what, plain)
        return True

    def _take_up_other(self, what: int, plain: Sequence[Any]) -> None:
        if what == DEED_RESULT:
            position, result = plain
            if self.deliveries.agreed_result(position, result) != result:
                raise NotApart
        elif what == DEED_NUMBER:
            if not self.deliveries.agree_number(self._plain.command_of(*plain[0])):
                raise NotApart
        else:
            assert what == DEED_P1B, "there are no others"
            self._take_up_p1b(*plain)

    def _take_up_p1b(self, to: Any, acceptor: Any, ballot: tuple[int, int], added: Sequence[Any], size: int) -> None:
        """A p1b carries what the acceptor's last one did, and what is added."""
        scout, sender = self._plain.process_of(to), self._plain.process_of(acceptor)
        accepted = self._accepted.setdefault(sender, set())
        delta = Delta(self._plain.pvalue_of(*each) for each in added)
        accepted |= delta
        if len(accepted) != size or scout.role != SCOUT:
            raise NotApart
        whole = P1b(sender, Ballot(*ballot), frozenset(accepted))
        self.deliveries.expect_p1b(scout, delta, whole)
        self.deliveries.network.put(sender, scout, whole, _ELSEWHERE)
        if self.interleaving.waiting:
            self.interleaving.wake((scout, whole))
            self.interleaving.wake((scout, None))
