"""The invariants of PMMC (protocol page, "Invariants"), each a small function that returns None or says how it is broken.

Three forms, by what they need to see:

- `StateInvariant`: the state of one process (R2, R3, Validity);
- `StepInvariant`: one step of one process (R4, R5, A1, A2, A3);
- `RelationInvariant`: facts of several processes about one slot (Agreement, A4, A5, C1, C2).

The compiled search checks the first two while it fills its tables, once for each local state or step, and the third
once for each distinct combination of observed facts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.properties.observe import DECIDED, P2A_SENT, PVALUE_ACCEPTED, Fact, Observed
from pmmc_check.properties.progress import FAIR, Progress
from pmmc_check.properties.quorums import Quorums
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.messages import Message, Propose
from pmmc_check.protocol.role import Lifecycle, Outcome, System
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, LEADER, NOOP, REPLICA, Command, ProcessId, Reconfigure, SlotCommand

Broken = str | None
"""How an invariant is broken, as a sentence; None when it holds."""


@dataclass(frozen=True)
class StateInvariant:
    """Holds of every local state of the processes in `roles`."""

    name: str
    statement: str
    roles: frozenset[str]
    check: Callable[[System, ProcessId, Any], Broken]
    tells_apart: str | None = None
    """How it tells interchangeable processes or commands apart, as a predicate; None: it does not, as symmetry asks."""


@dataclass(frozen=True)
class StepInvariant:
    """Holds of every step of the processes in `roles`: (state before, message, outcome)."""

    name: str
    statement: str
    roles: frozenset[str]
    check: Callable[[System, ProcessId, Any, Message, Outcome], Broken]
    tells_apart: str | None = None
    """As in `StateInvariant`."""
    of_change: bool = False
    """Whether it is about the change of the state alone, and so holds of every step that leaves the state as it is."""


@dataclass(frozen=True)
class RelationInvariant:
    """Holds of the facts of the kinds `observes` of all processes about any one slot."""

    name: str
    statement: str
    observes: frozenset[str]
    check: Callable[[Quorums, Observed], Broken]
    tells_apart: str | None = None
    """As in `StateInvariant`."""


Invariant = StateInvariant | StepInvariant | RelationInvariant | WrittenInvariant | Progress


def agreement(quorums: Quorums, observed: Observed) -> Broken:
    """R1. Replicas that performed different commands in one slot would diverge for good."""
    decided = sorted({fact.command for fact in _all(observed, DECIDED)})
    if len(decided) < 2:
        return None
    slot = next(_all(observed, DECIDED)).slot
    return f"two different commands are decided in slot {slot}: {' and '.join(map(str, decided))}"


def validity(system: System, process: ProcessId, state: Any) -> Broken:
    """A command out of nowhere is no command of any client, unless it is the no-op. All requests are sent before the first step."""
    for what, command in _commands(process.role, state):
        if command not in system.commands and command != NOOP:
            return f"{process} has {what} {command}, which no client requested"
    return None


def slots_below_decided(system: System, process: ProcessId, state: Any) -> Broken:
    """R2. Performing past a hole would give replicas different histories."""
    decided = {slot for slot, _ in state.decisions}
    holes = sorted(set(range(1, state.slot_out)) - decided)
    return f"{process} has slot_out = {state.slot_out}, but nothing is decided in slot {holes[0]}" if holes else None


def application_follows_log(system: System, process: ProcessId, state: Any) -> Broken:
    """R3. The state is the decided commands in slot order, each once, reconfigurations and no-ops skipped."""
    expected = [system.application.initial()]
    performed: list[Command] = []
    for slot in range(1, state.slot_out):
        for command in sorted(state.decided_in(slot))[:1]:
            if command not in performed and not command.is_internal:
                expected.append(system.application.apply(expected[-1], command)[0])
            performed.append(command)
    if state.application == expected[-1]:
        return None
    return (
        f"{process} has performed {_shown(state.application)}; slots 1 to {state.slot_out - 1} of its decisions give {_shown(expected[-1])}"
    )


def slot_out_grows(system: System, process: ProcessId, before: Any, message: Message, after: Outcome) -> Broken:
    """R4. A performed command cannot be taken back."""
    if isinstance(after.state, Lifecycle) or after.state.slot_out >= before.slot_out:
        return None
    return f"slot_out of {process} fell from {before.slot_out} to {after.state.slot_out}"


def proposals_in_window(system: System, process: ProcessId, before: Any, message: Message, after: Outcome) -> Broken:
    """R5. A replica proposes only for slots whose configuration it knows, and to exactly the leaders of that configuration."""
    if isinstance(after.state, Lifecycle):
        return None
    recipients: dict[Propose, set[ProcessId]] = {}
    for to, sent in after.sends:
        if isinstance(sent, Propose):
            recipients.setdefault(sent, set()).add(to)
    for sent, told in recipients.items():
        proposes = f"{process} proposes for slot {sent.slot}"
        if sent.slot >= after.state.slot_out + system.window:
            return f"{proposes} with slot_out = {after.state.slot_out} and WINDOW = {system.window}"
        leaders = _leaders_of(sent.slot, system, after.state.decisions)
        if told != leaders:
            return f"{proposes} to {_listed(told)}; by its decisions the leaders of that slot are {_listed(leaders)}"
    return None


def ballot_grows(system: System, process: ProcessId, before: Any, message: Message, after: Outcome) -> Broken:
    """A1. A promise not to accept lower ballots must last."""
    if isinstance(after.state, Lifecycle) or after.state.ballot >= before.ballot:
        return None
    return f"the ballot of {process} fell from {before.ballot} to {after.state.ballot}"


def accepts_own_ballot(system: System, process: ProcessId, before: Any, message: Message, after: Outcome) -> Broken:
    """A2. It accepts (b, s, c) only while b is its ballot."""
    if isinstance(after.state, Lifecycle):
        return None
    for pvalue in sorted(after.state.accepted - before.accepted):
        if pvalue.ballot != after.state.ballot:
            return f"{process} accepted {pvalue} while its ballot is {after.state.ballot}"
    return None


def accepted_grows(system: System, process: ProcessId, before: Any, message: Message, after: Outcome) -> Broken:
    """A3. What was accepted may have been decided and must not be forgotten."""
    lost = before.accepted - (frozenset() if isinstance(after.state, Lifecycle) else after.state.accepted)
    return f"{process} no longer has {min(lost)} among its accepted pvalues" if lost else None


def accepted_unique(quorums: Quorums, observed: Observed) -> Broken:
    """A4. One ballot carries one command a slot, across acceptors."""
    return _one_command_a_ballot(observed, PVALUE_ACCEPTED, "accepted")


def commander_unique(quorums: Quorums, observed: Observed) -> Broken:
    """C1. One leader owns a ballot, and it has one command a slot."""
    return _one_command_a_ballot(observed, P2A_SENT, "sent in p2a")


def chosen_stays_accepted(quorums: Quorums, observed: Observed) -> Broken:
    """A5. Once a quorum has accepted a command, no higher ballot may accept another."""
    return _chosen_stays(quorums, observed, PVALUE_ACCEPTED, "accepted")


def chosen_stays_proposed(quorums: Quorums, observed: Observed) -> Broken:
    """C2. As A5, one step earlier: no commander of a higher ballot may ask for another."""
    return _chosen_stays(quorums, observed, P2A_SENT, "sent in p2a")


def _all(observed: Observed, kind: str) -> Iterator[Fact]:
    return (fact for facts in observed.values() for fact in facts if fact.kind == kind)


def _one_command_a_ballot(observed: Observed, kind: str, verb: str) -> Broken:
    known: dict[Any, Command] = {}
    for fact in sorted(_all(observed, kind)):
        first = known.setdefault(fact.ballot, fact.command)
        if first != fact.command:
            return f"ballot {fact.ballot} has two commands {verb} for slot {fact.slot}: {first} and {fact.command}"
    return None


def _chosen_stays(quorums: Quorums, observed: Observed, kind: str, verb: str) -> Broken:
    later = sorted(_all(observed, kind), reverse=True)
    for chosen in sorted(set(_all(observed, PVALUE_ACCEPTED))):
        fact = next((each for each in later if each.ballot > chosen.ballot and each.command != chosen.command), None)
        if fact is not None and quorums.include(chosen.ballot, chosen.slot, {each for each, facts in observed.items() if chosen in facts}):
            return (
                f"a quorum accepted {chosen.command} in slot {chosen.slot} under ballot {chosen.ballot}, "
                f"but {fact.command} was {verb} under the higher ballot {fact.ballot}"
            )
    return None


def _commands(role: str, state: Any) -> Iterator[tuple[str, Command]]:
    """Every command that a state of `role` proposes, has accepted or knows decided."""
    if role == REPLICA:
        yield from (("proposed", command) for _, command in state.proposals)
        yield from (("decided", command) for _, command in state.decisions)
    elif role == LEADER:
        yield from (("proposed", command) for _, command in state.proposals)
    elif role == ACCEPTOR:
        yield from (("accepted", command) for _, _, command in state.accepted)
    elif role == COMMANDER:
        yield "proposed", state.command


def _leaders_of(slot: int, system: System, decisions: Collection[SlotCommand]) -> set[ProcessId]:
    """Those of the last reconfiguration decided at least WINDOW slots before; without one, the initial leaders."""
    leaders = system.initial_leaders
    for decided, command in sorted(decisions):
        if decided <= slot - system.window and isinstance(command.operation, Reconfigure):
            leaders = command.operation.leaders
    return set(leaders)


def _listed(processes: Collection[ProcessId]) -> str:
    return " and ".join(map(str, sorted(processes)))


def _shown(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


_REPLICA, _ACCEPTOR = frozenset({REPLICA}), frozenset({ACCEPTOR})

INVARIANTS: dict[str, Invariant] = {
    each.name: each
    for each in (
        RelationInvariant("Agreement", "no two different commands are decided in one slot", frozenset({DECIDED}), agreement),
        StateInvariant(
            "Validity",
            "only requested commands and the no-op are proposed, accepted, decided",
            frozenset({REPLICA, LEADER, ACCEPTOR, COMMANDER}),
            validity,
        ),
        StateInvariant("R2", "every slot below slot_out is decided at that replica", _REPLICA, slots_below_decided),
        StateInvariant("R3", "a replica's state is its decided commands, in order, each once", _REPLICA, application_follows_log),
        StepInvariant("R4", "slot_out never decreases", _REPLICA, slot_out_grows, of_change=True),
        StepInvariant(
            "R5",
            "every propose is for a slot below slot_out + WINDOW, and to the leaders of its configuration",
            _REPLICA,
            proposals_in_window,
        ),
        StepInvariant("A1", "an acceptor's ballot never decreases", _ACCEPTOR, ballot_grows, of_change=True),
        StepInvariant("A2", "an acceptor accepts (b, s, c) only while b is its ballot", _ACCEPTOR, accepts_own_ballot, of_change=True),
        StepInvariant("A3", "accepted never shrinks", _ACCEPTOR, accepted_grows, of_change=True),
        RelationInvariant("A4", "accepted pvalues of one ballot and slot carry one command", frozenset({PVALUE_ACCEPTED}), accepted_unique),
        RelationInvariant(
            "A5", "no higher ballot accepts other than a quorum accepted", frozenset({PVALUE_ACCEPTED}), chosen_stays_accepted
        ),
        RelationInvariant("C1", "at most one command for a ballot and slot is sent in p2a", frozenset({P2A_SENT}), commander_unique),
        RelationInvariant(
            "C2",
            "no p2a of a higher ballot carries other than a quorum accepted",
            frozenset({PVALUE_ACCEPTED, P2A_SENT}),
            chosen_stays_proposed,
        ),
    )
}
"""All invariants, in the order in which reports list them and in which a tie between violations is broken."""


ASSERTION = StepInvariant("Assertion", "no step of a role fails, by an assertion of its own say", frozenset(), lambda *step: None)
"""Checked wherever roles of a user's own are; `Checks` knows a step that failed by the state after it."""

PROPERTIES: dict[str, Invariant] = {**INVARIANTS, "Progress": Progress(), FAIR.name: FAIR, ASSERTION.name: ASSERTION}
"""What can be asked for by name. Progress is checked only when it is: it needs a network without loss, and costs reductions."""


def with_assertions(invariants: Sequence[Invariant], protocol: Protocol) -> Sequence[Invariant]:
    """The invariants, and where some role is not of this package, that no step of it fails."""
    own = any(not each.__module__.startswith(("pmmc_check.protocol.", "pmmc_check.model.")) for each in protocol.values())
    return [*invariants, ASSERTION] if own and ASSERTION not in invariants else invariants


def under_fairness(names: Iterable[str]) -> tuple[str, ...]:
    """The names, with FairProgress in the place of Progress.

    Raises:
        UsageError: neither is among them.
    """
    fair = tuple(FAIR.name if name.lower() == "progress" else name for name in names)
    if FAIR.name.lower() not in map(str.lower, fair):
        raise UsageError("--fair: only Progress asks about whole runs, which may be fair; add --invariant Progress, or leave --fair out")
    return fair


def invariants_named(names: Collection[str], without: Collection[str] = ()) -> Sequence[Invariant]:
    """The named invariants in the standard order; when `names` is empty, all but those about progress and those in `without`.

    Raises:
        UsageError: a name is unknown.
    """
    known = {name.lower() for name in PROPERTIES}
    wanted = {name.lower() for name in names}
    for name in names:
        if name.lower() not in known:
            raise UsageError(f"--invariant {name}: no such invariant{did_you_mean(name, PROPERTIES)}; choose from {', '.join(PROPERTIES)}")
    if not wanted:
        return [each for each in INVARIANTS.values() if each.name not in without]
    return [each for each in PROPERTIES.values() if each.name.lower() in wanted]
