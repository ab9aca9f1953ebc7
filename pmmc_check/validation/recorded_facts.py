"""Safety from recorded facts: invariants that are judged on what the logs themselves say, whatever else is missing.

A recorded event happened, and some events say more: a p2b that answers a commander with the commander's own ballot is an acceptance; a
received message was sent; the whole accepted set of a p1b was accepted by its sender. The events of one log happened in its order. On such
facts the invariants of `properties` decide the relations between processes (Agreement, A4, A5, C1, C2) slot by slot, and the local ones (A1
to A3, R2 to R5) are checked along each log. Nothing is concluded from the absence of an event, except where the contract says that all
events of that kind are recorded. So every run that matches the logs has each violation found here, and a trace with one is rejected.

A long trace is read twice. Whatever breaks a relation between processes names two commands for one slot. So the first reading only notes
which slots those are (`disputed`), in a few bytes for each slot, and judges what can be seen in one log; the second keeps the facts about
these slots.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from pmmc_check.properties.invariants import INVARIANTS, RelationInvariant
from pmmc_check.properties.observe import DECIDED, P2A_SENT, PVALUE_ACCEPTED, Fact
from pmmc_check.properties.quorums import Quorums
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import ACCEPTOR, BOTTOM, COMMANDER, REPLICA, Ballot, ProcessId, Reconfigure
from pmmc_check.trace.events import RECEIVE, SEND, UNKNOWN, Delta, Event, Header, Names
from pmmc_check.trace.values import Values
from pmmc_check.validation.compact_sets import Ledger, Once
from pmmc_check.validation.conflicts import conflict
from pmmc_check.validation.promises import Promises
from pmmc_check.validation.unfounded import Operations

_RELATIONS = [each for each in INVARIANTS.values() if isinstance(each, RelationInvariant)]


class FactViolation(NamedTuple):
    """An invariant that the recorded facts break, and where they are recorded."""

    invariant: str
    statement: str
    how: str
    events: tuple[Event, ...]
    slot: int | None = None
    """The slot that it is about, if it is about one."""


class Facts:
    """Collects facts event by event; `violations` judges them. Only the first violation of each invariant is kept.

    `slots`: those whose facts are kept; None in the first reading, which fills `disputed`.
    """

    def __init__(self, header: Header, names: Names, system: System, slots: Collection[int] | None = None) -> None:
        self.header, self.system, self.slots = header, system, slots
        self.quorums = Quorums(PMMC, system)
        self.ledger = Ledger()
        self.disputed: set[int] = set()
        self.show = Values(names).show
        self.promises = Promises(header, names)
        self.found: dict[str, FactViolation] = {}
        self.by_slot: dict[int, dict[ProcessId, dict[Fact, Event]]] = {}
        self.acceptances: list[tuple[ProcessId, ProcessId, Event]] = []
        self.ballots: dict[ProcessId, tuple[Ballot, Event]] = {}
        self.accepted: dict[ProcessId, tuple[frozenset[Any], Event]] = {}
        self.slot_out: dict[ProcessId, tuple[int, Event]] = {}
        self.decided_at: dict[ProcessId, Once] = {}
        self.changes: dict[ProcessId, dict[int, tuple[ProcessId, ...]]] = {}
        """By replica: the slots in which it has learned that a reconfiguration is decided, and the leaders that it names."""
        self.decided_somewhere: set[ProcessId] = set()
        self.decided_below: dict[ProcessId, int] = {}
        self.responses: dict[tuple[ProcessId, int], dict[ProcessId, Event]] = {}
        self.answered = Once()
        self.performed: dict[ProcessId, int] = {}
        self.operations = Operations()
        self.ambiguous: set[tuple[ProcessId, int]] = set()
        """The numbers of clients that stand for more than one operation: what is performed is not known by them."""

    def add(self, event: Event) -> None:
        """Takes one recorded event."""
        message: Any = event.message
        if message is not None:
            handler = getattr(self, "_" + message.kind, None)
            if handler is not None:
                handler(event, message)
        for key, value in event.post or ():
            getattr(self, "_post_" + key)(event, value)

    # ---- facts about slots ----

    def _fact(self, event: Event, owner: ProcessId, fact: Fact) -> None:
        if fact.slot is UNKNOWN or fact.command is UNKNOWN or fact.ballot is UNKNOWN:
            return
        if self.slots is None:
            if not self.ledger.file(fact.slot, fact.command):
                self.disputed.add(fact.slot)
        elif fact.slot in self.slots:
            self.by_slot.setdefault(fact.slot, {}).setdefault(owner, {}).setdefault(fact, event)

    def _request(self, event: Event, message: Any) -> None:
        if message.command is not UNKNOWN and not self.operations.agree(message.command):
            self.ambiguous.add((message.command.client, message.command.cid))

    def _decision(self, event: Event, message: Any) -> None:
        self._fact(event, event.process, Fact(DECIDED, message.slot, BOTTOM, message.command))
        if event.process.role == REPLICA and event.action == RECEIVE:
            if message.slot is UNKNOWN:
                self.decided_somewhere.add(event.process)
            else:
                self.decided_at.setdefault(event.process, Once()).add(0, message.slot)
                if isinstance(getattr(message.command, "operation", None), Reconfigure):
                    self.changes.setdefault(event.process, {})[message.slot] = message.command.operation.leaders

    def _p2a(self, event: Event, message: Any) -> None:
        if message.ballot is not UNKNOWN:
            self._fact(event, ProcessId(COMMANDER, 0), Fact(P2A_SENT, message.slot, message.ballot, message.command))

    def _p1b(self, event: Event, message: Any) -> None:
        acceptor, accepted = message.acceptor, message.accepted
        if acceptor is UNKNOWN:
            return
        if event.action == SEND:
            self._ballot(event, acceptor, message.ballot)
            if accepted is not UNKNOWN and type(accepted) is not Delta:
                self._accepted(event, acceptor, accepted)
        for pvalue in accepted if accepted is not UNKNOWN else ():
            self._fact(event, acceptor, Fact(PVALUE_ACCEPTED, pvalue.slot, pvalue.ballot, pvalue.command))

    def _p2b(self, event: Event, message: Any) -> None:
        commander = event.process if event.action != SEND else event.peers[0] if event.peers else None
        if message.acceptor is UNKNOWN:
            return
        if commander is not None and message.ballot == commander.ballot and self.slots is not None and commander.slot in self.slots:
            self.acceptances.append((message.acceptor, commander, event))
        if event.action == SEND:
            below = self.ballots.get(event.process)
            if commander is not None and message.ballot == commander.ballot and below is not None and below[0] > message.ballot:
                how = f"{self.show(event.process)} accepted for {self.show(commander)} although it had ballot {self.show(below[0])}"
                self._violated("A2", how, below[1], event)
            self._ballot(event, event.process, message.ballot)

    # ---- facts along one log ----

    def _ballot(self, event: Event, acceptor: ProcessId, ballot: Any) -> None:
        if ballot is UNKNOWN:
            return
        before = self.ballots.get(acceptor)
        if before is not None and before[0] > ballot:
            self._violated(
                "A1", f"the ballot of {self.show(acceptor)} fell from {self.show(before[0])} to {self.show(ballot)}", before[1], event
            )
        self.ballots[acceptor] = (ballot, event)

    def _accepted(self, event: Event, acceptor: ProcessId, accepted: frozenset[Any]) -> None:
        before = self.accepted.get(acceptor)
        if before is not None and (lost := before[0] - accepted):
            shown = self.show(min(lost, key=self.show))
            self._violated("A3", f"{self.show(acceptor)} no longer has {shown} among its accepted pvalues", before[1], event)
        self.accepted[acceptor] = (accepted, event)

    def _post_ballot(self, event: Event, ballot: Ballot) -> None:
        if event.process.role == ACCEPTOR:
            self._ballot(event, event.process, ballot)

    def _post_accepted(self, event: Event, accepted: frozenset[Any]) -> None:
        self._accepted(event, event.process, accepted)
        for pvalue in accepted:
            self._fact(event, event.process, Fact(PVALUE_ACCEPTED, pvalue.slot, pvalue.ballot, pvalue.command))
        ballot = dict(event.post or ()).get("ballot")
        above = [pvalue for pvalue in accepted if ballot is not None and pvalue.ballot > ballot]
        if above:
            how = f"{self.show(event.process)} has accepted {self.show(above[0])}, above its ballot {self.show(ballot)}"
            self._violated("A2", how, event)

    def _post_active(self, event: Event, active: bool) -> None:
        """No invariant speaks of this."""

    def _post_slot_in(self, event: Event, slot_in: int) -> None:
        """No invariant speaks of this."""

    def _post_slot_out(self, event: Event, slot_out: int) -> None:
        replica = event.process
        before = self.slot_out.get(replica)
        if before is not None and before[0] > slot_out:
            self._violated("R4", f"slot_out of {self.show(replica)} fell from {before[0]} to {slot_out}", before[1], event)
        self.slot_out[replica] = (slot_out, event)
        highest = self._slot_out_at_most(replica)
        if highest is not None and slot_out > highest:
            how = f"{self.show(replica)} has slot_out={slot_out}, but had learned no decision for slot {highest}"
            self._violated("R2", how, event)

    def _slot_out_at_most(self, replica: ProcessId) -> int | None:
        """An upper bound of slot_out: one above the decisions without a hole, where all decisions are recorded with their slots."""
        if not self.promises.records(replica, "decision") or replica in self.decided_somewhere:
            return None
        below = self.decided_below.get(replica, 1)
        while replica in self.decided_at and self.decided_at[replica].seen(0, below):
            below += 1
        self.decided_below[replica] = below
        return below

    def _propose(self, event: Event, message: Any) -> None:
        if event.action != SEND or message.slot is UNKNOWN:
            return
        known = dict(event.post or ()).get("slot_out")
        slot_out = known if known is not None else self._slot_out_at_most(event.process)
        if slot_out is not None and message.slot >= slot_out + self.header.window:
            how = f"{self.show(event.process)} proposes for slot {message.slot} with slot_out={slot_out} and WINDOW={self.header.window}"
            self._violated("R5", how, event)
        self._proposed_to_others(event, message.slot)

    def _proposed_to_others(self, event: Event, slot: int) -> None:
        """Of a slot below slot_out + WINDOW all decisions that matter are known: they say which leaders it is proposed to."""
        if event.peers is None or not self.header.configurations or self._slot_out_at_most(event.process) is None:
            return
        changes = self.changes.get(event.process, {})
        effective = [decided for decided in changes if decided <= slot - self.header.window]
        leaders = changes[max(effective)] if effective else self.system.initial_leaders
        others = [each for each in event.peers if each not in leaders]
        if others:
            to, ours = ",".join(map(self.show, others)), ",".join(map(self.show, leaders))
            how = f"{self.show(event.process)} proposes for slot {slot} to {to}; the leaders of its configuration are {ours}"
            self._violated("R5", how, event)

    def _response(self, event: Event, message: Any) -> None:
        if event.action != SEND or event.peers is None or message.cid is UNKNOWN:
            return
        client = event.peers[0]
        if not self.answered.add((event.process, client), message.cid) and (client, message.cid) not in self.ambiguous:
            how = f"{self.show(event.process)} performed {self.show(client)}:{message.cid} twice"
            self._violated("R3", how, event)
            return
        self._performed_in_order(event)
        answered = self.responses.setdefault((client, message.cid), {})
        command = f"{self.show(client)}:{message.cid}"
        for other in answered.values():
            result = getattr(other.message, "result", UNKNOWN)
            if UNKNOWN not in (result, message.result) and result != message.result:
                how = f"{command} had the result {self.show(result)} at one replica and {self.show(message.result)} at another"
                self._violated("R3", how, other, event)
        answered[event.process] = event
        if len(answered) == len(self.system.replicas):
            del self.responses[client, message.cid]

    def _performed_in_order(self, event: Event) -> None:
        """A replica performs no more commands than it has learned decisions without a hole."""
        replica = event.process
        self.performed[replica] = self.performed.get(replica, 0) + 1
        below = self._slot_out_at_most(replica)
        if below is not None and self.performed[replica] >= below:
            what = f"{self.show(replica)} performs a command as number {self.performed[replica]}"
            self._violated("R3", f"{what}, but had learned no decision for slot {below}", event)

    # ---- judgement ----

    def violations(self) -> list[FactViolation]:
        """All that the facts so far break, in the standard order of the invariants."""
        self._name_acceptances()
        for slot in sorted(self.by_slot):
            facts = self.by_slot[slot]
            if len({fact.command for each in facts.values() for fact in each}) > 1:
                self._relations(facts)
        return [self.found[name] for name in INVARIANTS if name in self.found]

    def _name_acceptances(self) -> None:
        """An acceptance says ballot and slot; the command is that of the p2a, where one is recorded."""
        for acceptor, commander, event in self.acceptances:
            proposed = self.by_slot.get(commander.slot, {}).get(ProcessId(COMMANDER, 0), {})
            commands = {fact.command for fact in proposed if fact.ballot == commander.ballot}
            if len(commands) == 1:
                self._fact(event, acceptor, Fact(PVALUE_ACCEPTED, commander.slot, commander.ballot, commands.pop()))
        self.acceptances.clear()

    def _relations(self, facts: dict[ProcessId, dict[Fact, Event]]) -> None:
        observed = {process: frozenset(each) for process, each in facts.items()}
        for invariant in _RELATIONS:
            visible = {process: frozenset(fact for fact in each if fact.kind in invariant.observes) for process, each in observed.items()}
            if invariant.name not in self.found and invariant.check(self.quorums, visible) is not None:
                self._relation_broken(invariant, facts)

    def _relation_broken(self, invariant: RelationInvariant, facts: dict[ProcessId, dict[Fact, Event]]) -> None:
        """Cites two facts that contradict each other, and where one is that a quorum has accepted, its acceptances."""
        known = [(fact, owner, event) for owner, each in facts.items() for fact, event in each.items() if fact.kind in invariant.observes]
        cited, how = conflict(invariant.name, known, self.quorums, self.show)
        self._violated(invariant.name, f"slot {known[0][0].slot}: {how}", *cited, slot=known[0][0].slot)

    def _violated(self, name: str, how: str, *events: Event, slot: int | None = None) -> None:
        self.found.setdefault(name, FactViolation(name, INVARIANTS[name].statement, how, events, slot))
