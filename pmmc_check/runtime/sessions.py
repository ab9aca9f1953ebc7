"""Sessions around a state machine: no operation of a client takes effect twice, and no result is lost while somebody waits for it,
unless too many other sessions were used since.

A client numbers what it asks: 1, 2, 3 and so on. Where no answer comes in time it asks again, with another command, that says under which
number it asked first; it also says, now and then, which is the lowest number that it waits for, as in section 6.3 of Ongaro's dissertation
on Raft. That is said before the operation, in a marker that no operation of a user can begin with. Whatever a command holds, performing it
raises nothing: it was decided, so each replica would fail, each time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pmmc_check.protocol.values import Command
from pmmc_check.runtime.machines import StateMachine
from pmmc_check.runtime.operations import MARK, without_marker

LONG_AGO = f"{MARK}of long ago"
"""The result of an operation of which nobody knows any more whether it was performed; it is not performed now."""
REMEMBERED_MAX = 1024
"""So many results are remembered of a session, at most."""
SESSIONS_MAX = 4096
"""So many sessions are remembered: those that were used last."""
RESULTS_CHARACTERS_MAX = 2**25
"""So long are all results that are remembered, together."""


_NUMBER_MAX = 2**64 - 1
"""Larger ones could not be written down."""


class Remembered(NamedTuple):
    """The results of one client, by number. Nobody waits for numbers below `lowest`."""

    lowest: int
    results: dict[int, str]


class SessionsState(NamedTuple):
    """`machine` is the state of the state machine, `sessions` are by the client's number, those that were used last at the end. Of clients
    whose number is not above `forgotten` all others are forgotten: numbers are given in the order of time. All results together are so many
    `characters` long."""

    machine: Any
    sessions: dict[int, Remembered]
    forgotten: int = 0
    characters: int = 0


def is_forgotten(state: Any, client: int) -> bool:
    """Whether client `client` had a session that is forgotten, in a `SessionsState`; that never changes again."""
    return isinstance(state, SessionsState) and client <= state.forgotten and client not in state.sessions


class Sessions:
    """The application of a cluster: `machine`, and the sessions of its clients. What is forgotten depends on the commands before only, so
    that all replicas forget the same."""

    def __init__(self, machine: StateMachine, sessions_max: int = SESSIONS_MAX, characters_max: int = RESULTS_CHARACTERS_MAX) -> None:
        self.machine, self.sessions_max, self.characters_max = machine, sessions_max, characters_max

    def initial(self) -> SessionsState:
        """The machine's, and no sessions."""
        return SessionsState(self.machine.initial(), {})

    def apply(self, state: SessionsState, command: Command) -> tuple[SessionsState, str]:
        """Performs what has not been performed."""
        inner, sessions, forgotten, characters = state
        number, lowest, operation = without_marker(command)
        if not operation:
            return state, "ok"  # it only fills a slot
        client = command.client.number
        if is_forgotten(state, client):
            return state, LONG_AGO
        session = sessions.pop(client, None) or Remembered(0, {})
        if lowest > session.lowest:
            session, characters = _without_lower(session, lowest, characters)
        sessions[client] = session
        result = session.results.get(number)
        if result is None and number < session.lowest:
            result = LONG_AGO
        if result is None:
            inner, result = self.machine.apply(inner, operation)
            session.results[number] = result
            characters += len(result)
            if len(session.results) > REMEMBERED_MAX:
                sessions[client], characters = _without_lower(session, min(session.results) + 1, characters)
        if len(sessions) > self.sessions_max:
            oldest = next(iter(sessions))
            forgotten, characters = max(forgotten, oldest), characters - _characters(sessions.pop(oldest).results)
        if characters > self.characters_max:
            characters = self._with_fewer_results(sessions, characters)
        return SessionsState(inner, sessions, forgotten, characters), result

    def _with_fewer_results(self, sessions: dict[int, Remembered], characters: int) -> int:
        """Forgets results of the sessions that were not used for longest, never of the last: their clients have heard them, as a rule."""
        for client in list(sessions)[:-1]:
            if characters <= self.characters_max:
                break
            session = sessions[client]
            if session.results:
                sessions[client], characters = _without_lower(session, max(session.results) + 1, characters)
        return characters


def _characters(results: dict[int, str]) -> int:
    return sum(map(len, results.values()))


def _without_lower(session: Remembered, lowest: int, characters: int) -> tuple[Remembered, int]:
    lowest = min(lowest, _NUMBER_MAX)
    kept = {each: result for each, result in session.results.items() if each >= lowest}
    return Remembered(lowest, kept), characters - _characters(session.results) + _characters(kept)
