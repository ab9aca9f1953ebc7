"""What the logs of a trace promise to show, process by process.

The header gives each log a contract. A scout or commander has no contract of its own: its leader's holds for it, wherever it is logged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pmmc_check.protocol.values import CLIENT, COMMANDER, LEADER, REPLICA, SCOUT, ProcessId, host_of
from pmmc_check.trace.events import MIDDLE, NOTHING, PARTIAL, Contract, Header, Names
from pmmc_check.trace.fields import CALLS, RECIPIENT, SENDERS


class Promises:
    """The contracts of one trace."""

    def __init__(self, header: Header, names: Names) -> None:
        self.header, self.names = header, names
        self._known: dict[tuple[ProcessId, str], bool] = {}
        self.roles = tuple(process for process in names.process_of.values() if process.role != CLIENT)
        """The replicas, leaders and acceptors."""
        self.replayed = frozenset(each for each in self.roles if self.shows_all(each, but=CALLS if each.role == LEADER else ()))
        """Those whose logs are complete, so that their steps can be replayed. A leader's log may leave out its calls."""
        self.leaves_out_calls = frozenset(each for each in self.replayed if not self.shows_all(each))
        """The leaders among `replayed` whose logs do so."""

    def contract(self, process: ProcessId) -> Contract:
        """What the log that shows `process` promises of a whole run. A process that the header does not name promises nothing, and
        neither does one whose log begins in the middle: what it shows is taken at its word, and what it received before is not known."""
        name = self.names.name_of.get(host_of(process))
        contract = NOTHING if name is None else self.header.contract(name)
        return NOTHING if contract.form == MIDDLE else contract

    def records(self, process: ProcessId, kind: str) -> bool:
        """Whether every send and receive of this kind by `process` is in a log."""
        known = self._known.get((process, kind))
        if known is None:
            known = self.contract(process).records(kind)
            if process.role not in (SCOUT, COMMANDER):
                self._known[process, kind] = known
        return known

    def is_replayed(self, process: ProcessId) -> bool:
        """Whether this process's steps can be replayed."""
        return host_of(process) in self.replayed

    # ---- one process ----

    def shows_all(self, process: ProcessId, but: Sequence[str] = ()) -> bool:
        """Whether a log shows everything that the process sends or receives, a leader's scouts and commanders included."""
        roles = {process.role, SCOUT, COMMANDER} if process.role == LEADER else {process.role}
        kinds = [kind for kind in RECIPIENT if RECIPIENT[kind] in roles or roles & set(SENDERS[kind])]
        return all(self.records(process, kind) for kind in kinds if kind not in but)

    def shows_part(self, process: ProcessId) -> bool:
        """Whether a log shows some of what the process does, but not all."""
        return self.contract(process).form == PARTIAL and not self.shows_all(process)

    def shows_nothing(self, process: ProcessId) -> bool:
        """Whether nothing at all is recorded of the process."""
        return not self.contract(process).kinds

    def shows_all_receives(self, process: ProcessId) -> bool:
        """Whether the process takes no step that is not recorded."""
        return all(self.records(process, kind) for kind, role in RECIPIENT.items() if role == process.role)

    def shows_some_receives(self, process: ProcessId) -> bool:
        """Whether some steps of the process are recorded."""
        return any(self.records(process, kind) for kind, role in RECIPIENT.items() if role == process.role)

    # ---- one kind of message ----

    def is_open_request(self, kind: str, sender: ProcessId | None) -> bool:
        """Whether this is a request of a client whose requests nobody records."""
        return kind == "request" and sender is not None and not self.records(sender, kind)

    def may_be_unsent(self, sender: ProcessId | None, kind: str, to: ProcessId) -> bool:
        """Whether a message may have been sent without a trace in any log; `sender` is None where a receive does not name it."""
        if sender is not None:
            return not self.records(sender, kind)
        if to.role == LEADER and kind == "preempted":
            return not self.records(to, kind)
        hosts = {REPLICA: REPLICA, COMMANDER: LEADER}.get(SENDERS[kind][0])
        return any(not self.records(each, kind) for each in self.roles if each.role == hosts)

    def open_kinds(self, ends: Mapping[str, Sequence[str]]) -> frozenset[str]:
        """The kinds of which some log that shows one of `ends`, the roles that send or receive them, may leave messages out."""
        return frozenset(kind for kind, roles in ends.items() if any(not self._all_record(role, kind) for role in roles))

    def _all_record(self, role: str, kind: str) -> bool:
        if role == CLIENT and self.names.open_clients:
            return False
        host = LEADER if role in (SCOUT, COMMANDER) else role
        return all(self.records(process, kind) for process in self.names.name_of if process.role == host)
