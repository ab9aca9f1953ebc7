"""The protocol's values, messages and local states as PMMC.tla writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pmmc_check.config import Config
from pmmc_check.protocol.messages import (
    Adopted,
    Decision,
    Message,
    P1a,
    P1b,
    P2a,
    P2b,
    Preempted,
    Propose,
    Request,
    Response,
)
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import (
    ACCEPTOR,
    CLIENT,
    COMMANDER,
    LEADER,
    NOOP,
    REPLICA,
    SCOUT,
    Ballot,
    Command,
    ProcessId,
    PValue,
    SlotCommand,
)
from pmmc_check.report.exchange import NotExpressible

STATE_VARIABLES = {REPLICA: "replicas", ACCEPTOR: "acceptors", LEADER: "leaders", SCOUT: "scouts", COMMANDER: "commanders"}
"""The variable of PMMC.tla that holds the states of a role."""


class TlaValues:
    """Writes values for one configuration: processes and commands are numbers there.

    Every method raises `NotExpressible` for what PMMC.tla does not have.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sets = [each.leaders for each in config.system().configurations]

    def process(self, process: ProcessId) -> str:
        """`<<role, who>>`."""
        return f'<<"{process.role}", {self.who(process)}>>'

    def who(self, process: ProcessId) -> str:
        """The index of a process among those of its role."""
        if process.role == SCOUT:
            return self.value(process.ballot)
        if process.role == COMMANDER:
            return f"<<{self.value(process.ballot)}, {process.slot}>>"
        return str(process.number)

    def value(self, value: Any) -> str:
        """A ballot, command, pvalue, entry of a map from slots, truth value or number."""
        if isinstance(value, Ballot):
            return f"<<{value.round}, {value.leader}>>"
        if isinstance(value, Command):
            if value == NOOP:
                raise NotExpressible("PMMC.tla has no no-op")
            return str(value.client.number)  # command k is the only one of client k
        if isinstance(value, PValue):
            return record(ballot=self.value(value.ballot), slot=str(value.slot), command=self.value(value.command))
        if isinstance(value, SlotCommand):
            return f"<<{value.slot}, {self.value(value.command)}>>"
        if isinstance(value, bool):
            return str(value).upper()
        if isinstance(value, int):
            return str(value)
        raise NotExpressible(f"PMMC.tla has no value like {value!r}")

    def values(self, members: Iterable[Any]) -> str:
        """A set."""
        return "{" + ", ".join(sorted(map(self.value, members))) + "}"

    def numbers(self, processes: Iterable[ProcessId]) -> str:
        """A set of processes of one role."""
        return "{" + ", ".join(str(number) for number in sorted(each.number for each in processes)) + "}"

    def message(self, message: Message, to: ProcessId) -> str:
        """A message as PMMC.tla addresses it: `to` counts where it goes to one process only."""
        if type(message) not in _MESSAGES:
            raise NotExpressible(f"PMMC.tla has no message like {message}")
        return record(type=f'"{message.kind}"', **_MESSAGES[type(message)](self, message, to))

    def set_of_leader(self, leader: ProcessId) -> int:
        """The number of the set that a leader belongs to."""
        return (leader.number - 1) // self._config.leaders + 1

    def state(self, role: str, state: Any) -> str:
        """A local state; of a process that is down, what it went down with."""
        if isinstance(state, Crashed):
            state = state.state
        if isinstance(state, Lifecycle):
            exited = "Retired" if role == LEADER else "Exited"
            return exited if state is Lifecycle.EXITED else "NotStarted"
        try:
            return record(**_STATES[role](self, state))
        except AttributeError as error:
            raise NotExpressible(f"PMMC.tla has the paper's variables, and this {role} lacks one: {error}") from None

    def _replica(self, state: Any) -> dict[str, str]:
        known = [number for number, leaders in enumerate(self._sets, 1) if set(leaders) == set(state.leaders)]
        if not known:
            raise NotExpressible("PMMC.tla has no set of just these leaders: " + ", ".join(map(str, state.leaders)))
        return {
            "set": str(known[0]),
            "slot_in": self.value(state.slot_in),
            "slot_out": self.value(state.slot_out),
            "requests": self.values(state.requests),
            "proposals": self.values(state.proposals),
            "decisions": self.values(state.decisions),
            "performed": "<<" + ", ".join(map(self.value, state.application)) + ">>",
        }

    def _acceptor(self, state: Any) -> dict[str, str]:
        return {"ballot": self.value(state.ballot), "accepted": self.values(state.accepted)}

    def _leader(self, state: Any) -> dict[str, str]:
        return {
            "status": '"running"',
            "ballot": self.value(state.ballot),
            "active": self.value(state.active),
            "proposals": self.values(state.proposals),
        }

    def _scout(self, state: Any) -> dict[str, str]:
        return {"status": '"running"', "waitfor": self.numbers(state.waitfor), "pvalues": self.values(state.pvalues)}

    def _commander(self, state: Any) -> dict[str, str]:
        return {"status": '"running"', "command": self.value(state.command), "waitfor": self.numbers(state.waitfor)}


def record(**fields: str) -> str:
    """`[field |-> value, ...]`."""
    return "[" + ", ".join(f"{name} |-> {value}" for name, value in fields.items()) + "]"


def _response(values: TlaValues, message: Any, to: ProcessId) -> dict[str, str]:
    if to.role != CLIENT or message.cid != 1:
        raise NotExpressible("in PMMC.tla every client has one command")
    return {"to": values.who(to), "cid": "1", "result": values.value(message.result)}


_STATES: dict[str, Callable[[TlaValues, Any], dict[str, str]]] = {
    REPLICA: TlaValues._replica,
    ACCEPTOR: TlaValues._acceptor,
    LEADER: TlaValues._leader,
    SCOUT: TlaValues._scout,
    COMMANDER: TlaValues._commander,
}
_MESSAGES: dict[type[Message], Callable[[TlaValues, Any, ProcessId], dict[str, str]]] = {
    Request: lambda t, m, to: {"command": t.value(m.command)},
    Propose: lambda t, m, to: {"slot": t.value(m.slot), "command": t.value(m.command), "set": str(t.set_of_leader(to))},
    P1a: lambda t, m, to: {"ballot": t.value(m.ballot)},
    P1b: lambda t, m, to: {
        "to": t.who(to),
        "acceptor": str(m.acceptor.number),
        "ballot": t.value(m.ballot),
        "pvalues": t.values(m.accepted),
    },
    P2a: lambda t, m, to: {"ballot": t.value(m.ballot), "slot": t.value(m.slot), "command": t.value(m.command)},
    P2b: lambda t, m, to: {"to": t.who(to), "acceptor": str(m.acceptor.number), "ballot": t.value(m.ballot)},
    Adopted: lambda t, m, to: {"to": t.who(to), "ballot": t.value(m.ballot), "pvalues": t.values(m.pvalues)},
    Preempted: lambda t, m, to: {"to": t.who(to), "ballot": t.value(m.ballot)},
    Decision: lambda t, m, to: {"slot": t.value(m.slot), "command": t.value(m.command)},
    Response: _response,
}
