"""The state machines that replicas run; what is around them is in `sessions.py`.

An operation is a text of words; so is a result. `state` may be changed in place: a replica never goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.runtime.operations import NO_VALUE
from pmmc_check.runtime.users_machine import UsersMachine, shown_state


class StateMachine(Protocol):
    """What a replica performs. Results depend on the state and the operation only."""

    def initial(self) -> Any:
        """The state before any operation."""

    def apply(self, state: Any, operation: str) -> tuple[Any, str]:
        """The next state and the result. An operation that makes no sense has a result that says so; it never raises."""

    def key(self, operation: str) -> Hashable:
        """What part of the state an operation is about: operations on different parts do not matter to each other. None: all of it."""

    def sample(self, choose: Callable[[int], int]) -> str:
        """Some operation, for workloads; `choose(n)` gives a number below n."""


class IntegerRegister:
    """One integer: `add N`, `subtract N`, `multiply N`, `read`; the result is its new value."""

    LIMIT = 10**12
    """Values are kept below this, as remainders: a multiplied integer would soon fill the memory."""

    def initial(self) -> int:
        """Zero."""
        return 0

    def apply(self, state: int, operation: str) -> tuple[int, str]:
        """The new value."""
        words = operation.split()
        if words == ["read"]:
            return state, str(state)
        try:
            name, number = words[0], int(words[1])
            changed = {"add": state + number, "subtract": state - number, "multiply": state * number}[name] % self.LIMIT
        except (ValueError, KeyError, IndexError):
            return state, "error: expected add N, subtract N, multiply N or read"
        return changed, str(changed)

    def key(self, operation: str) -> Hashable:
        """There is one integer."""
        return None

    def sample(self, choose: Callable[[int], int]) -> str:
        """One of the three, with a small number."""
        return f"{('add', 'subtract', 'multiply')[choose(3)]} {1 + choose(9)}"


class KeyValueStore:
    """`put KEY VALUE`, `get KEY`, `delete KEY`, `cas KEY OLD NEW`; the result is the value before. `-` is "not there", as a result, as what
    is expected, and as what shall be."""

    def initial(self) -> dict[str, str]:
        """Nothing."""
        return {}

    def apply(self, state: dict[str, str], operation: str) -> tuple[dict[str, str], str]:
        """Changes the store in place."""
        match operation.split():
            case ["get", key]:
                return state, state.get(key, NO_VALUE)
            case ["put", key, value]:
                return state, _set(state, key, value)
            case ["delete", key]:
                return state, state.pop(key, NO_VALUE)
            case ["cas", key, old, new]:
                before = state.get(key, NO_VALUE)
                if before == old:
                    _set(state, key, new)
                return state, before
        return state, "error: expected put KEY VALUE, get KEY, delete KEY or cas KEY OLD NEW"

    def key(self, operation: str) -> Hashable:
        """The key."""
        return [*operation.split(), "", ""][1]

    def sample(self, choose: Callable[[int], int]) -> str:
        """Mostly writes and reads, of few keys and values, so that they meet."""
        key, value = f"k{choose(5)}", str(choose(100))
        return (f"put {key} {value}", f"get {key}", f"get {key}", f"cas {key} {choose(100)} {value}", f"delete {key}")[choose(5)]


def _set(state: dict[str, str], key: str, value: str) -> str:
    """Gives `key` a value, or takes it away; returns the one before."""
    before = state.pop(key, NO_VALUE) if value == NO_VALUE else state.get(key, NO_VALUE)
    if value != NO_VALUE:
        state[key] = value
    return before


MACHINES: dict[str, Callable[[], StateMachine]] = {"integer": IntegerRegister, "kv": KeyValueStore}
"""Those that can be named."""


def loaded_machine(name: str) -> StateMachine:
    """A state machine by its name, or by `module:object`; modules are looked for in the working folder, too.

    Raises:
        UsageError: there is none, or it cannot be loaded, or lacks a method.
    """
    if name in MACHINES:
        return MACHINES[name]()
    module, _, attribute = name.partition(":")
    if not (module and attribute):
        raise UsageError(
            f"--machine {name}: no such state machine{did_you_mean(name, MACHINES)}; expected {', '.join(MACHINES)} or module:object"
        )
    return UsersMachine(name)


def show_machine(state: Any) -> str:
    """What a replica's state machine holds, as text; the same for equal states.

    Raises:
        MachineError: it cannot be shown so.
    """
    return str(shown_state(state.application[0]))
