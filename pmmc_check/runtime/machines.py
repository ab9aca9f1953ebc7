"""The state machines that replicas run. `sessions.py` has what is around them.

An operation is a text of words; so is a result. `state` may be changed in place: a replica never goes back.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Hashable
from typing import Any, Protocol
from urllib.parse import quote, unquote

from pmmc_check.errors import PmmcError, UsageError, did_you_mean
from pmmc_check.users_code import users_code

NO_VALUE = "-"
"""The result of looking for a key that is not there."""


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
    """`put KEY VALUE`, `get KEY`, `delete KEY`, `cas KEY OLD NEW` (`-` is "not there"); the result is the value before, or `ok`."""

    def initial(self) -> dict[str, str]:
        """Nothing."""
        return {}

    def apply(self, state: dict[str, str], operation: str) -> tuple[dict[str, str], str]:
        """Changes the store in place."""
        match operation.split():
            case ["get", key]:
                return state, state.get(key, NO_VALUE)
            case ["put", key, value]:
                before, state[key] = state.get(key, NO_VALUE), value
                return state, before
            case ["delete", key]:
                return state, state.pop(key, NO_VALUE)
            case ["cas", key, old, new]:
                before = state.get(key, NO_VALUE)
                if before == old:
                    state[key] = new
                return state, before
        return state, "error: expected put KEY VALUE, get KEY, delete KEY or cas KEY OLD NEW"

    def key(self, operation: str) -> Hashable:
        """The key."""
        return [*operation.split(), "", ""][1]

    def sample(self, choose: Callable[[int], int]) -> str:
        """Mostly writes and reads, of few keys and values, so that they meet."""
        key, value = f"k{choose(5)}", str(choose(100))
        return (f"put {key} {value}", f"get {key}", f"get {key}", f"cas {key} {choose(100)} {value}", f"delete {key}")[choose(5)]


def word_of(text: str) -> str:
    """Any text as one word of an operation, never `-`."""
    return "%" if not text else "%2D" if text == NO_VALUE else quote(text, safe="/:@!$&'()*+,;=~-._")


def text_of(word: str) -> str:
    """The inverse of `word_of`."""
    return "" if word == "%" else unquote(word)


MACHINES: dict[str, Callable[[], StateMachine]] = {"integer": IntegerRegister, "kv": KeyValueStore}
"""Those that can be named."""


def machine_named(name: str, load: Callable[[str], Any] | None = None) -> StateMachine:
    """A state machine by its name, or by `module:object`.

    Raises:
        UsageError: there is none.
    """
    if name in MACHINES:
        return MACHINES[name]()
    if ":" not in name or load is None:
        raise UsageError(
            f"--machine {name}: no such state machine{did_you_mean(name, MACHINES)}; expected {', '.join(MACHINES)} or module:object"
        )
    made = load(name)
    return made() if isinstance(made, type) else made  # type: ignore[no-any-return]  # whatever it is, it is asked for these methods


def loaded_machine(name: str) -> StateMachine:
    """As `machine_named`; modules are looked for in the working folder, too.

    Raises:
        UsageError: there is none, or it cannot be loaded, or lacks a method.
    """
    found = machine_named(name, _load)
    missing = [each for each in ("initial", "apply", "key", "sample") if not callable(getattr(found, each, None))]
    if missing:
        raise UsageError(f"--machine {name}: has no method {missing[0]}; see the example in docs/run.md")
    return found


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with users_code(f"loading {module}"):
            return getattr(importlib.import_module(module), attribute)
    except PmmcError as error:
        raise UsageError(f"--machine {name}: {error}; looked for in {here}, on PYTHONPATH and among the installed packages") from None


def show_machine(state: Any) -> str:
    """What a replica's state machine holds, as text; the same for equal states."""
    inner = state.application[0]
    return str(sorted(inner.items()) if isinstance(inner, dict) else inner)
