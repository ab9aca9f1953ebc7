"""What a trace is made of: the header, the observation contract of each process, and events.

All readers (Lark, the fast reader, JSON Lines) produce these values and all writers take them; everything behind the readers knows nothing
of files. A value that was not recorded is `UNKNOWN`. Only the order of events within one log counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, LEADER, NOBODY, NOOP, REPLICA, Command, ProcessId, host_of, majority

VERSION: Final = 1
"""The format's version; see docs/trace-format.md for what may change within one."""

KINDS: Final = ("request", "propose", "p1a", "p1b", "p2a", "p2b", "adopted", "preempted", "decision", "response")
"""The message kinds of the protocol's table, in its order."""

RECEIVE, SEND, DROP, CRASH, RESTART, END = "<", ">", "drop", "crash", "restart", "end"
"""What an event is; the text is the DSL's."""

PERFORM: Final = "perform"
"""The verb of a line that says what a replica performed, in both formats."""

COMPLETE, PARTIAL, NONE = "complete", "partial", "none"
MIDDLE = "complete from=middle"
"""A log that shows everything from some time on; what was before is not known."""

LOSSY, DUPLICATING, FIFO, RELIABLE = "lossy", "duplicating", "fifo", "reliable"
NETWORK_FLAGS: Final = (RELIABLE, LOSSY, DUPLICATING, FIFO)


class Unknown:
    """The value of a field that was not recorded (`?`)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "?"


UNKNOWN: Final[Any] = Unknown()


class Delta(frozenset[Any]):
    """The accepted set of a p1b that is recorded as what was added since the acceptor's previous p1b (`+{...}`)."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Delta) and frozenset.__eq__(self, other)

    def __hash__(self) -> int:
        return hash(("delta", frozenset.__hash__(self)))


@dataclass(frozen=True)
class Contract:
    """What the log of one process promises to show: all its events, those of some message kinds, or nothing."""

    form: str
    kinds: frozenset[str]

    def records(self, kind: str) -> bool:
        """Whether every send and receive of this kind is in the log."""
        return kind in self.kinds

    def __str__(self) -> str:
        return self.form if self.form != PARTIAL else "partial " + ",".join(kind for kind in KINDS if kind in self.kinds)


ALL = Contract(COMPLETE, frozenset(KINDS))
NOTHING = Contract(NONE, frozenset())
FROM_MIDDLE = Contract(MIDDLE, frozenset(KINDS))


def partial(kinds: frozenset[str]) -> Contract:
    """The contract of a log that shows the given kinds only."""
    return Contract(PARTIAL, kinds)


class ConfigurationNames(NamedTuple):
    """Which leaders and which acceptors belong together: a reconfiguration changes from one such configuration to another."""

    leaders: tuple[str, ...]
    acceptors: tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """The configuration of a trace. Process names are the user's own; the order of `leaders` orders ballots.

    `clients` is None when the trace does not list them: then any name may be a client's. `slots` and `rounds` bound a run that comes from a
    bounded model; None is unbounded. `quorum1` and `quorum2` are how many acceptors scouts and commanders wait for; None is a
    majority. `configurations` are those that reconfigurations lead through, the first one first; none: all leaders and all acceptors
    are one. `resent` says that clients repeat requests; `application` is `log` when results are the
    number of commands performed so far, else `opaque`.
    `proposals`, `decisions`, `answers` and `sends` are habits of the implementation, and so is `list` for `requests`
    (`validation/habits.py`). `ignore` are keys of events in JSON Lines that mean nothing here.
    `restarts` is `any` when processes without a log may have restarted, `ballots` when a leader may begin any higher ballot of its own
    at any time.
    """

    replicas: tuple[str, ...] = ()
    leaders: tuple[str, ...] = ()
    acceptors: tuple[str, ...] = ()
    clients: tuple[str, ...] | None = None
    window: int = 0
    network: frozenset[str] = frozenset()
    requests: str = "once"
    application: str = "opaque"
    restarts: str = "logged"
    ballots: str = "next"
    proposals: str = "eager"
    decisions: str = "single"
    answers: str = "heeded"
    sends: str = "once"
    slots: int | None = None
    rounds: int | None = None
    quorum1: int | None = None
    quorum2: int | None = None
    configurations: tuple[ConfigurationNames, ...] = ()
    ignore: tuple[str, ...] = ()
    meta: tuple[tuple[str, str], ...] = ()
    logs: Mapping[str, Contract] = field(default_factory=dict)

    @property
    def quorums_meet(self) -> bool:
        """Whether every quorum of scouts shares an acceptor with every quorum of commanders, which safety depends on."""
        sizes = [len(each.acceptors) for each in self.configurations] or [len(self.acceptors)]
        return all((self.quorum1 or majority(size)) + (self.quorum2 or majority(size)) > size for size in sizes)

    @property
    def duplicates(self) -> bool:
        """Whether the network may deliver a message more often than it was sent."""
        return DUPLICATING in self.network

    @property
    def loses(self) -> bool:
        """Whether the network may drop messages."""
        return LOSSY in self.network or DUPLICATING in self.network

    @property
    def ordered(self) -> bool:
        """Whether the network keeps the order between each pair of processes."""
        return FIFO in self.network

    def contract(self, log: str) -> Contract:
        """What the header says of one process; nothing said means nothing recorded."""
        return self.logs.get(log, NOTHING)


class Event(NamedTuple):
    """One line of a log.

    `log` is the name under which it is logged, `process` the role that takes the event: a scout or commander logged under its leader is
    told from the message. `peers` are the recipients of a send (None: all that the protocol names), or the sender of a receive (None: not
    recorded). `file` and `line` say where it stands; no file, where it was made and not read. `post` is the recorded state after the event.
    `time`, `id` and `note` are the user's and carry no meaning here.
    """

    log: str
    process: ProcessId
    action: str
    message: Message | None
    peers: tuple[ProcessId, ...] | None
    file: str = ""
    line: int = 0
    time: str | None = None
    post: tuple[tuple[str, Any], ...] | None = None
    id: str | None = None
    note: str | None = None

    @property
    def at(self) -> tuple[str, int]:
        """File and line: no two events of a trace have the same."""
        return self.file, self.line

    @property
    def place(self) -> str:
        """File and line, as every report cites them."""
        return f"{self.file}:{self.line}"


class Perform(NamedTuple):
    """A line that says that a replica performed the command of a slot.

    It is no step of PMMC, where performing is part of taking a decision. `command` is `UNKNOWN` where it was not recorded. `time`, `id` and
    `note` are the user's.
    """

    log: str
    process: ProcessId
    slot: int
    command: Any
    file: str = ""
    line: int = 0
    time: str | None = None
    id: str | None = None
    note: str | None = None

    @property
    def action(self) -> str:
        """What it tells, as `Event.action` does."""
        return PERFORM

    @property
    def at(self) -> tuple[str, int]:
        """File and line, as `Event.at`."""
        return self.file, self.line

    @property
    def place(self) -> str:
        """File and line, as every report cites them."""
        return f"{self.file}:{self.line}"


class Comment(NamedTuple):
    """A line that says nothing to the validator; kept so that conversion loses nothing."""

    text: str


RecordedItem = Event | Perform | Comment
"""What stands on a line after the header."""

ROLE_FIELDS: Final = ("replicas", "leaders", "acceptors", "clients")
_ROLE_OF: Final = {"replicas": REPLICA, "leaders": LEADER, "acceptors": ACCEPTOR, "clients": CLIENT}


class Names:
    """The user's names for processes, both ways; clients that the header does not list are numbered as they appear."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.process_of: dict[str, ProcessId] = {}
        self.name_of: dict[ProcessId, str] = {}
        self.open_clients = header.clients is None
        for setting in ROLE_FIELDS:
            for number, name in enumerate(getattr(header, setting) or (), 1):
                self._add(name, ProcessId(_ROLE_OF[setting], number))
        self._clients = len(header.clients or ())

    def _add(self, name: str, process: ProcessId) -> None:
        self.process_of[name] = process
        self.name_of[process] = name

    def client(self, name: str) -> ProcessId | None:
        """The client called `name`; None when there can be none."""
        process = self.process_of.get(name)
        if process is None and self.open_clients:
            self._clients += 1
            process = ProcessId(CLIENT, self._clients)
            self._add(name, process)
        return process if process is not None and process.role == CLIENT else None

    def log_of(self, process: ProcessId) -> str:
        """The log that shows a process unless it has its own: a scout's and a commander's is their leader's."""
        host = host_of(process)
        return self.name_of.get(host) or str(host)


def stand_in(serial: int) -> Command:
    """A command of which the log has not said yet which request it is; `serial`, from 1, tells those of one replica apart."""
    return Command(NOBODY, serial, "")


def is_chosen(command: Command) -> bool:
    """Whether this is a command and no stand-in."""
    return command.client.number != NOBODY.number or command == NOOP
