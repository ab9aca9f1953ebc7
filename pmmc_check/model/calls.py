"""Calls of a role's methods, which may be a user's: each answer is looked at before anything is made of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from itertools import islice
from typing import Any

from pmmc_check.errors import FailedStep, ProtocolError
from pmmc_check.protocol.messages import Message, show
from pmmc_check.protocol.role import Lifecycle, Outcome, Outcomes, Role, Send, System
from pmmc_check.protocol.values import Command, ProcessId
from pmmc_check.users_code import fate, users_code

_OUTCOMES_MAX = 10_000
"""More choices than the paper leaves anywhere: a step that yields more will not end."""


def made(role: type[Role], process: ProcessId, system: System) -> Role:
    """A role object for `process`."""
    with users_code(f"{role.__name__}({process}, system)"):
        return role(process, system)


def called(role: Role, method: str, arguments: tuple[Any, ...], known: Collection[ProcessId]) -> tuple[Outcome, ...]:
    """Calls `start`, `step` or `restart` of a role and checks the answer; `known` are the processes that there are.

    Raises:
        FailedStep: an assertion of its own failed, or it is a program that crashed.
        ProtocolError: it raised something, changed what it was given, or answered with what is no outcome.
    """
    name = name_of(type(role).__name__, method, role.me)
    try:
        return _answers(name, method, lambda: getattr(role, method)(*arguments), arguments, known)
    except ProtocolError as error:
        if isinstance(error.__cause__, AssertionError):
            raise FailedStep(str(error), f"{name} {fate(error.__cause__)}", is_assertion=True) from error.__cause__
        if isinstance(error, FailedStep) or error.in_lines:
            raise
        raise with_evidence(error, role) from error.__cause__


def with_evidence(error: ProtocolError, role: Role) -> ProtocolError:
    """The error, with what a role that another program plays was asked and answered last."""
    evidence = getattr(role, "evidence", None)
    if evidence is None:
        return error
    told = ProtocolError(f"{error}{evidence()}")
    told.in_lines = True
    return told


@lru_cache(maxsize=4096)
def name_of(role_class: str, method: str, process: ProcessId) -> str:
    """A method of a role (its class by name), for a message."""
    return f"{role_class}.{method} of {process}"


def checked(role_class: type[Role]) -> type[Role]:
    """The same role with each call checked as `called` does, for whoever calls its methods directly; recipients are not looked at."""

    class Checked(role_class):  # type: ignore[valid-type,misc]  # a class that is known only now
        """As `role_class`; no claims are inherited."""

        def start(self, command: Command | None = None) -> Outcome:
            return self._answers("start", command)[0]

        def step(self, state: Any, message: Message) -> Outcomes:
            return self._answers("step", state, message)

        def restart(self, state: Any) -> Outcome | None:
            return None if role_class.restart is Role.restart else self._answers("restart", state)[0]

        def _answers(self, method: str, *arguments: Any) -> tuple[Outcome, ...]:
            call = getattr(super(), method)
            return _answers(name_of(role_class.__name__, method, self.me), method, lambda: call(*arguments), arguments, None)

    return Checked


def _answers(
    name: str, method: str, call: Callable[[], Any], arguments: tuple[Any, ...], known: Collection[ProcessId] | None
) -> tuple[Outcome, ...]:
    with users_code(name, lambda: f" (called with {shown(arguments)})"):
        before = hash(arguments)
        answer = call()
        is_list = method != "step" or (isinstance(answer, Iterable) and not isinstance(answer, Outcome))
        outcomes = (tuple(islice(answer, _OUTCOMES_MAX + 1)) if method == "step" else (answer,)) if is_list else ()
        changed = hash(arguments) != before
    if not is_list:
        raise _no_list(name, answer, arguments)
    if not outcomes:
        raise ProtocolError(f"{name} returned no outcome (called with {shown(arguments)}); to ignore a message return [Outcome(state)]")
    if len(outcomes) > _OUTCOMES_MAX:
        raise ProtocolError(f"{name} returned more than {_OUTCOMES_MAX:,} outcomes (called with {shown(arguments)}); does it ever end?")
    for outcome in outcomes:
        _check_outcome(name, outcome, known)
    if changed:
        raise ProtocolError(f"{name} changed the state or message that it was given ({shown(arguments)}); return a new one instead")
    return outcomes if len(outcomes) == 1 else tuple(dict.fromkeys(outcomes))


def _no_list(name: str, answer: Any, arguments: tuple[Any, ...]) -> ProtocolError:
    """A step that answered with a single thing, or with nothing."""
    with users_code(f"showing what {name} returned"):
        what = "an Outcome by itself" if isinstance(answer, Outcome) else repr(answer)
    forgot = "; does it end without a return?" if answer is None else ""
    expected = "a list, [Outcome(state, messages)], with one outcome for each choice"
    return ProtocolError(f"{name} returned {what} (called with {shown(arguments)}); expected {expected}{forgot}")


def _check_outcome(name: str, outcome: Any, known: Collection[ProcessId] | None) -> None:
    if not isinstance(outcome, Outcome):
        raise ProtocolError(f"{name} returned {outcome!r}; expected an Outcome(state, sends)")
    if not isinstance(outcome.sends, tuple):
        raise ProtocolError(f"{name} sends {outcome.sends!r}; expected a tuple of Send(to, message)")
    for send in outcome.sends:
        if not isinstance(send, Send) or not isinstance(send.message, Message):
            raise ProtocolError(f"{name} sends {send!r}; expected a Send(to, message)")
        if known is not None and send.to not in known:
            raise ProtocolError(f"{name} sends {send.message} to {send.to}, which does not exist in this configuration")
    try:
        hash(outcome)
    except TypeError as error:
        raise ProtocolError(
            f"{name} returned a state or message that is not immutable ({error}); use frozen dataclasses, tuples and frozensets"
        ) from error


def shown(arguments: tuple[Any, ...]) -> str:
    """What a method was called with, for a message."""
    return "; ".join(map(show, arguments))


def shown_outcomes(outcomes: Iterable[Outcome]) -> str:
    """An answer, for a message."""
    return " or ".join(sorted(map(_outcome, outcomes)))


def _outcome(outcome: Outcome) -> str:
    after = {Lifecycle.EXITED: "exits", Lifecycle.FAILED: "fails"}.get(outcome.state) or show(outcome.state)
    return after + "".join(f", sends {message} to {to}" for to, message in outcome.sends)
