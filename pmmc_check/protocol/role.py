"""What a role is: a pure step function, and the claims about it that reductions may use.

A role object belongs to one process and holds nothing but constants (who it is, who the others are, the bounds).
All that changes is in the state, an immutable value that goes in and comes out:

    step(state, message) -> the possible outcomes, each (state', sends)

There is no clock, no randomness and no I/O here. A process that is not yet created is `Lifecycle.NOT_STARTED`, one
that has exited is `Lifecycle.EXITED`; it keeps no state, and `step` is not called for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from pmmc_check.protocol.application import Application, CommandLog
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import Command, ProcessId, majority, new_tuple


class Lifecycle(Enum):
    """The states of a process that is not running."""

    NOT_STARTED = "not started"
    EXITED = "exited"
    FAILED = "failed"
    """A step of it failed: by an assertion of its own, say. Nothing follows."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Crashed:
    """The state of a process that is down: what it was in. What of it a restart brings back is said by `Role.restart`."""

    state: Any


class Configuration(NamedTuple):
    """The leaders that decide a range of slots, and the acceptors that these leaders use."""

    leaders: tuple[ProcessId, ...]
    acceptors: tuple[ProcessId, ...]


class Faults(NamedTuple):
    """How many crashes and restarts a run may have, and of which roles."""

    crashes: int = 0
    restarts: int = 0
    roles: frozenset[str] = frozenset()

    def may_restart(self, role: str) -> bool:
        """Whether a process of `role` may lose its state and go on."""
        return self.crashes > 0 and self.restarts > 0 and role in self.roles


@dataclass(frozen=True, slots=True)
class System:
    """Who takes part, and the bounds; the same for every process.

    `configurations` are those that reconfiguration commands lead through, the initial one first; empty stands for a
    single one of all leaders and acceptors.
    `quorum1` and `quorum2` are how many acceptors a scout and a commander wait for; None means a majority of their configuration's.
    `slots` and `rounds` bound `propose()` and the ballots for model checking (conventions 3 of the protocol page);
    None means unbounded. `window` is the paper's WINDOW.
    """

    clients: tuple[ProcessId, ...]
    replicas: tuple[ProcessId, ...]
    leaders: tuple[ProcessId, ...]
    acceptors: tuple[ProcessId, ...]
    commands: tuple[Command, ...]
    window: int
    slots: int | None = None
    rounds: int | None = None
    application: Application = field(default_factory=CommandLog)
    configurations: tuple[Configuration, ...] = ()
    faults: Faults = field(default_factory=Faults)
    quorum1: int | None = None
    quorum2: int | None = None

    @property
    def initial_leaders(self) -> tuple[ProcessId, ...]:
        """The leaders that replicas begin with."""
        return self.configurations[0].leaders if self.configurations else self.leaders

    def acceptors_of(self, leader: int) -> tuple[ProcessId, ...]:
        """The acceptors that leader number `leader`, with its scouts and commanders, uses."""
        for configuration in self.configurations:
            if any(each.number == leader for each in configuration.leaders):
                return configuration.acceptors
        return self.configurations[0].acceptors if self.configurations else self.acceptors

    def quorum1_of(self, acceptors: int) -> int:
        """How many of so many acceptors are a quorum of phase 1."""
        return self.quorum1 or majority(acceptors)

    def quorum2_of(self, acceptors: int) -> int:
        """How many of so many acceptors are a quorum of phase 2."""
        return self.quorum2 or majority(acceptors)

    def round_exists(self, round_number: int) -> bool:
        """Whether ballots of this round are within the bound."""
        return self.rounds is None or round_number < self.rounds


class Send(NamedTuple):
    """One message to one process."""

    to: ProcessId
    message: Message


class Outcome(NamedTuple):
    """What one step may lead to: the new state and what is sent, in the paper's order."""

    state: Any
    sends: tuple[Send, ...] = ()


Outcomes = Iterable[Outcome]


def broadcast(to: Iterable[ProcessId], message: Message) -> tuple[Send, ...]:
    """`message` to each of `to`."""
    return tuple([new_tuple(Send, (process, message)) for process in to])


AnyState = TypeVar("AnyState")
_create = object.__new__


class _Slotted(dict[type, bool]):
    """Whether instances of a class have no `__dict__`; to look for what is not there would take half the time of `replace`."""

    def __missing__(self, key: type) -> bool:
        self[key] = found = hasattr(key, "__slots__")
        return found


_slotted = _Slotted()


def replace(state: AnyState, **changes: Any) -> AnyState:
    """`state` with some of its fields changed.

    As `dataclasses.replace`, in a quarter of the time: steps are taken by the million, and nothing is initialised a second time. That
    is why states have no `__slots__`; one that has (a user's) takes the long way.
    """
    kind = type(state)
    if _slotted[kind]:
        return dataclasses.replace(state, **changes)  # type: ignore[type-var]  # states are dataclasses
    changed = _create(kind)
    fields = changed.__dict__
    fields |= state.__dict__
    fields |= changes
    return changed


class Role:
    """The program of one process. Subclasses define `start` and `step`; the claims are optional.

    A claim is honoured only when the very class that is run states it (it is not inherited): whoever changes `step`
    must state the claims anew, because they are about the new step. A class that states none is checked correctly,
    with more states. No claim is believed: a search checks those that it uses (`checker.claims`)."""

    role: str
    """Which of the six roles this class plays."""

    symmetric: bool = False
    """Claim: the step treats acceptors, replicas and commands alike, never by number."""

    starts_once: bool = False
    """Claim: what this process creates has never been created before, so that a process which has exited stays so."""

    def __init__(self, me: ProcessId, system: System) -> None:
        self.me = me
        self.system = system

    def start(self, command: Command | None = None) -> Outcome:
        """The initial state, and what the process sends on creation; `command` is what a commander is created with."""
        raise NotImplementedError(f"{type(self).__name__} does not define start()")

    def step(self, state: Any, message: Message) -> Outcomes:
        """All outcomes of delivering `message` in `state`: one, but for the choices that the paper leaves open."""
        raise NotImplementedError(f"{type(self).__name__} does not define step()")

    def restart(self, state: Any) -> Outcome | None:
        """What the process is and sends when it comes back after a crash in `state`.

        This is the one place that says what a role keeps over a restart. None: a process of this role cannot restart.
        """
        return None

    def ignores(self, state: Any, message: Message) -> bool:
        """Claim: in `state`, and in every state that can follow it, delivering `message` changes and sends nothing."""
        return False

    def only_halts(self, state: Any, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """Claim: now and later, all that delivering `message` can do is to stop this process, or to send messages
        like the returned ones, or both.

        With `state` None the claim is about every state that this process may have once `sender` exists (it is checked in
        all that a search meets; where this process alone creates the sender, in those from then on); else `sender` may be
        None. "Like": to the same process, of the same kind, with ballots that are no lower. Whether the returned messages
        matter is asked of their recipients in turn. None makes no claim. Sound for safety only: a process that never stops
        is a run too."""
        return None


@runtime_checkable
class AskedAhead(Protocol):
    """A role that answers from elsewhere, and is faster when it knows what it will be asked."""

    def expect(self, method: str, arguments: tuple[Any, ...], times: int) -> None:
        """`method` will be called with `arguments` so many times."""


CLAIMS = ("ignores", "only_halts", "symmetric", "starts_once")


def states_claim(role_class: type[Role], claim: str) -> bool:
    """Whether `role_class` itself states `claim`; a claim inherited from the class that it changes does not count, nor does False."""
    return bool(vars(role_class).get(claim))
