"""When something that has no answer yet is asked for again: late at first, then later and later, so that an overloaded cluster is not
loaded further."""

from __future__ import annotations

from collections.abc import Collection, Hashable

from pmmc_check.protocol.messages import Response
from pmmc_check.protocol.values import ProcessId
from pmmc_check.runtime.sessions import REMEMBERED_MAX

_GROWTH = 2.0
_DECISIONS_AT_ONCE = 200
_ENTRY = 400
"""What an entry takes besides its text, about."""


class Retries:
    """Deadlines by key. `first` is how long an answer may take, or twice what answers have taken of late, if that is more; `most` is the
    longest time between two questions, in seconds."""

    def __init__(self, first: float, most: float) -> None:
        self.first, self.most = first, most
        self._usual = 0.0
        self._next: dict[Hashable, tuple[float, float, float]] = {}

    def due(self, key: Hashable, now: float) -> bool:
        """Whether it is time to ask again; then the next time is later. The first call for a key begins to wait."""
        known = self._next.get(key)
        if known is None:
            interval = min(self.most, max(self.first, 2 * self._usual))
            self._next[key] = now, now + interval, interval
            return False
        _, when, interval = known
        if now < when <= now + interval:  # a clock that has jumped backwards must not keep anything waiting
            return False
        later = min(self.most, interval * _GROWTH)
        self._next[key] = now, now + later, later
        return True

    def answered(self, key: Hashable, now: float) -> None:
        """It has an answer. How long that took is counted from the last question: the ones before may have been lost, and what is lost must
        not make everybody slower."""
        known = self._next.pop(key, None)
        if known is not None:
            self._usual += (min(self.most, abs(now - known[0])) - self._usual) / 8

    def forget(self, key: Hashable) -> None:
        """Nobody asks any more."""
        self._next.pop(key, None)

    def keep_only(self, keys: Collection[Hashable]) -> None:
        """Forgets all others, if there are many."""
        if len(self._next) > 2 * len(keys) + 100:
            self._next = {key: value for key, value in self._next.items() if key in keys}


class RecentResponses:
    """What clients were answered, for those who have not heard it: so many of one client, and so many characters of all, the newest. A
    client that needs an older one asks for it under a new number."""

    def __init__(self, of_client_max: int = REMEMBERED_MAX, characters_max: int = 2**24) -> None:
        self._of_client_max, self._characters_max = of_client_max, characters_max
        self._of_client: dict[ProcessId, dict[int, Response]] = {}
        """Those who were answered last are at the end."""
        self._characters = 0

    def __len__(self) -> int:
        return sum(map(len, self._of_client.values()))

    def get(self, client: ProcessId, number: int) -> Response | None:
        """The response to a command, if it is kept."""
        return self._of_client.get(client, {}).get(number)

    def add(self, client: ProcessId, response: Response) -> None:
        """Keeps one."""
        kept = self._of_client.pop(client, {})
        self._of_client[client] = kept
        self._leave(kept, response.cid)
        kept[response.cid] = response
        self._characters += _size(response)
        if len(kept) > self._of_client_max:
            self._leave(kept, next(iter(kept)))
        while self._characters > self._characters_max:
            longest_silent = next(iter(self._of_client))
            of_client = self._of_client[longest_silent]
            self._leave(of_client, next(iter(of_client)))
            if not of_client:
                del self._of_client[longest_silent]

    def _leave(self, kept: dict[int, Response], number: int) -> None:
        response = kept.pop(number, None)
        self._characters -= _size(response) if response is not None else 0


def _size(response: Response) -> int:
    return len(str(response.result)) + _ENTRY


class HandingOn:
    """Which decisions a replica gets once more that says from where on it lacks them. What it lacks may be on its way; so it gets none as
    long as it gets on without."""

    def __init__(self) -> None:
        self._lacked: dict[ProcessId, int] = {}
        self._handed: dict[ProcessId, int] = {}

    def slots_for(self, replica: ProcessId, first: int, highest: int) -> range:
        """The slots to hand on, none above `highest`: where it lacks the same as before, or has just taken all that it got here."""
        gets_on = first > self._lacked.get(replica, 0) and first != self._handed.get(replica)
        self._lacked[replica] = first
        if gets_on:
            return range(0)
        end = self._handed[replica] = min(highest + 1, first + _DECISIONS_AT_ONCE)
        return range(first, max(first, end))
