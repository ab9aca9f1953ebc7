"""Sessions around a state machine: no operation of a client takes effect twice, and no result is lost while somebody waits for it.

A client numbers what it asks: 1, 2, 3 and so on. Where no answer comes in time it asks again, with another command, that says under which
number it asked first; it also says, now and then, which is the lowest number that it waits for, as in section 6.3 of Ongaro's dissertation
on Raft. That is said before the operation, in a marker that no operation of a user can begin with. Whatever a command holds, performing it
raises nothing: it was decided, so each replica would fail, each time.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import Command
from pmmc_check.runtime.machines import StateMachine
from pmmc_check.users_code import users_code

MARK = "\x01"
"""What a marker begins with."""
LONG_AGO = f"{MARK}of long ago"
"""The result of an operation of which nobody knows any more whether it was performed; it is not performed now."""
OPERATION_BYTES_MAX = 2**21
REMEMBERED_MAX = 1024
"""So many results are remembered of a session, at most."""
SESSIONS_MAX = 4096
"""So many sessions are remembered: those that were used last."""
_MARKER = re.compile(rf"{MARK}([1-9][0-9]{{0,17}}) ([1-9][0-9]{{0,17}}) ", re.ASCII)


class RefusedOperation(UsageError, ValueError):
    """No cluster can perform such an operation, whatever its state machine."""


def checked_operation(text: str) -> str:
    """An operation that a user asks for.

    Raises:
        RefusedOperation: it is no text, too long, or begins as a marker does.
    """
    if text.startswith(MARK):
        raise RefusedOperation("an operation cannot begin with the control character U+0001: the sessions of clients use it")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        wrong = f"U+{ord(text[error.start]):04X}"
        raise RefusedOperation(f"an operation must be Unicode text: character {error.start + 1} is {wrong}, one half of a pair") from None
    if size > OPERATION_BYTES_MAX:
        raise RefusedOperation(f"an operation of {size} bytes is too long: at most {OPERATION_BYTES_MAX}")
    return text


class MarkedOperation(NamedTuple):
    """An operation with the number under which its client asked first; all lower than `lowest` are answered."""

    number: int
    lowest: int
    operation: str


def marked(asked: MarkedOperation) -> str:
    """The operation, with its marker."""
    return f"{MARK}{asked.number} {asked.lowest} {asked.operation}"


def numbered(command: Command) -> MarkedOperation:
    """What a command asks for. What is no marker is a part of the operation."""
    text = str(command.operation)
    if text.startswith(MARK) and (found := _MARKER.match(text)):
        number, lowest = map(int, found.groups())
        if lowest <= number <= command.cid:
            return MarkedOperation(number, lowest, text[found.end() :])
    return MarkedOperation(command.cid, 0, text)


class Remembered(NamedTuple):
    """The results of one client, by number. Nobody waits for numbers below `lowest`."""

    lowest: int
    results: dict[int, str]


class SessionsState(NamedTuple):
    """`machine` is the state of the state machine, `sessions` are by the client's number, those that were used last at the end. Of clients
    whose number is not above `forgotten` all others are forgotten: numbers are given in the order of time."""

    machine: Any
    sessions: dict[int, Remembered]
    forgotten: int = 0


def is_forgotten(state: Any, client: int) -> bool:
    """Whether client `client` had a session that is forgotten, in a `SessionsState`; that never changes again."""
    return isinstance(state, SessionsState) and client <= state.forgotten and client not in state.sessions


class Sessions:
    """The application of a cluster: `machine`, and the sessions of its clients. What is forgotten depends on the commands before only, so
    that all replicas forget the same."""

    def __init__(self, machine: StateMachine, sessions_max: int = SESSIONS_MAX) -> None:
        self.machine, self.sessions_max = machine, sessions_max

    def initial(self) -> SessionsState:
        """The machine's, and no sessions."""
        return SessionsState(self.machine.initial(), {})

    def apply(self, state: SessionsState, command: Command) -> tuple[SessionsState, str]:
        """Performs what has not been performed."""
        inner, sessions, forgotten = state
        number, lowest, operation = numbered(command)
        if not operation:
            return state, "ok"  # it only fills a slot
        client = command.client.number
        if is_forgotten(state, client):
            return state, LONG_AGO
        session = sessions.pop(client, None) or Remembered(0, {})
        if lowest > session.lowest:
            session = Remembered(lowest, {each: result for each, result in session.results.items() if each >= lowest})
        sessions[client] = session
        results = session.results
        if number in results:
            return state, results[number]
        if number < session.lowest:
            return state, LONG_AGO
        with users_code(f"{type(self.machine).__name__}.apply", lambda: f"; the operation is {operation!r}"):
            inner, result = self.machine.apply(inner, operation)
        results[number] = str(result)
        if len(results) > REMEMBERED_MAX:
            del results[lowest := min(results)]
            sessions[client] = Remembered(lowest + 1, results)
        if len(sessions) > self.sessions_max:
            forgotten = max(forgotten, oldest := next(iter(sessions)))
            del sessions[oldest]
        return SessionsState(inner, sessions, forgotten), str(result)
