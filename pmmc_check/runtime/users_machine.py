"""The border to a state machine that a user hands in: each answer is looked at, and whatever is wrong with it is one clear message."""

from __future__ import annotations

import copy
import dataclasses
import signal
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from pmmc_check.errors import MachineError, ProtocolError, UsageError
from pmmc_check.runtime.operations import beginning_of, why_no_operation, why_no_text
from pmmc_check.users_code import loaded_object, raised_by, users_code

_LOOKS = 10
"""So often a call is looked at before it counts as one that does not return."""
_METHODS = ("initial", "apply", "key", "sample")


class UsersMachine:
    """The state machine `module:object`, as `pmmc_check.runtime.machines.StateMachine`. Every method raises `MachineError` where the
    user's own raises, tries to end the process, or returns what it must not.

    Raises:
        MachineError: there is none, it cannot be loaded or made, lacks a method, or its first state makes no sense.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.doing, self.calls = "", 0
        """Which of the user's code is being called now, and how many calls of it there were."""
        module, _, attribute = name.partition(":")
        try:
            found = loaded_object(f"machine {name}", module, attribute)
        except (ProtocolError, UsageError) as error:
            raise MachineError(str(error)) from error.__cause__
        with self.called("making it"):
            self._machine: Any = found() if isinstance(found, type) else found
            missing = [each for each in _METHODS if not callable(getattr(self._machine, each, None))]
        if missing:
            raise MachineError(f"machine {name}: has no method {missing[0]}; see the example in docs/run.md")
        self.initial()

    @contextmanager
    def called(self, what: str, given: Callable[[], str] = lambda: "") -> Iterator[None]:
        """Within, code of the user is called: `what` says which, `given` with what (a clause that follows the message)."""
        before, self.doing = self.doing, f"machine {self._name}: {what}"
        self.calls += 1
        try:
            with users_code(self.doing):
                yield
        except ProtocolError as error:
            place = raised_by(error.__cause__) if error.__cause__ is not None else None
            raise MachineError(f"{error}{f' ({place})' if place else ''}{given()}") from error.__cause__
        finally:
            self.doing = before

    def _wrong(self, method: str, why: str, operation: str | None = None) -> MachineError:
        return MachineError(f"machine {self._name}: {method} {why}{_of(operation) if operation is not None else ''}")

    def initial(self) -> Any:
        """The state before any operation; each replica gets one of its own, and one that can be compared."""
        with self.called("initial"):
            state = copy.deepcopy(self._machine.initial())
        with self.called("showing its state"):
            shown_state(state)
        return state

    def apply(self, state: Any, operation: str) -> tuple[Any, str]:
        """The next state and the result."""
        with self.called("apply", lambda: _of(operation)):
            answer = self._machine.apply(state, operation)
            shown = "" if isinstance(answer, tuple) and len(answer) == 2 else beginning_of(repr(answer))
        if shown:
            forgot = "; does it end without a return?" if answer is None else ""
            raise self._wrong("apply", f"returned {shown}; expected a pair, the state after and the result{forgot}", operation)
        after, result = answer
        if why := why_no_text(result):
            raise self._wrong("apply", f"returned as the result {self._repr(result)}: {why}", operation)
        return after, result if type(result) is str else str.__str__(result)

    def key(self, operation: str) -> Hashable:
        """What part of the state an operation is about."""
        with self.called("key", lambda: _of(operation)):
            key = self._machine.key(operation)
            hash(key)
        return key  # type: ignore[no-any-return]  # it is hashable

    def sample(self, choose: Callable[[int], int]) -> str:
        """Some operation."""
        with self.called("sample"):
            operation = self._machine.sample(choose)
        if why := why_no_operation(operation):
            raise self._wrong("sample", f"returned {self._repr(operation)}: {why}")
        return str.__str__(operation)

    def _repr(self, value: object) -> str:
        with self.called("showing what it returned"):
            return beginning_of(repr(value))


def _of(operation: str) -> str:
    return f"; the operation is {beginning_of(repr(operation))}"


@contextmanager
def machine_watched(machine: object, seconds: float = 10.0) -> Iterator[None]:
    """Within, a call of a user's machine that has not returned after so long raises `MachineError`: a node that waits for it would hear
    nobody who wants to stop it. Time in which the process was stopped does not count. Nothing is watched but in a process's main thread."""
    possible = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not (possible and isinstance(machine, UsersMachine)):
        yield
        return
    call, looks = -1, 0

    def look(number: int, frame: object) -> None:
        nonlocal call, looks
        looks = looks + 1 if machine.doing and machine.calls == call else 0
        call = machine.calls
        if looks >= _LOOKS:
            raise MachineError(f"{machine.doing} has not returned for {seconds:g} s")

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, seconds / _LOOKS, seconds / _LOOKS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def shown_state(state: Any) -> str:
    """A state of a state machine as text: the same for equal states, in whatever order a dictionary or a set has come to hold its parts.

    Raises:
        MachineError: it has a part that Python shows only by its address.
    """
    if state is None or isinstance(state, str | bytes | bool | int | float):
        return repr(state)
    if isinstance(state, dict):
        entries = sorted((shown_state(key), shown_state(value)) for key, value in state.items())
        return f"[{', '.join(f'({key}, {value})' for key, value in entries)}]"
    if isinstance(state, set | frozenset):
        return f"{{{', '.join(sorted(map(shown_state, state)))}}}"
    if isinstance(state, list | tuple):
        named = "" if type(state) in (list, tuple) else type(state).__name__
        ends = "[]" if isinstance(state, list) else "()"
        return f"{named}{ends[0]}{', '.join(map(shown_state, state))}{ends[1]}"
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        fields = (f"{each.name}={shown_state(getattr(state, each.name))}" for each in dataclasses.fields(state))
        return f"{type(state).__name__}({', '.join(fields)})"
    text = repr(state)
    if " at 0x" in text:
        raise MachineError(
            f"the state machine holds {beginning_of(text)}, which has no __repr__ of its own, so that the states of two replicas cannot be "
            "compared; give it one, or hold texts, numbers, lists and dictionaries"
        )
    return text
