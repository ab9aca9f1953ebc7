"""Every claim of the stock roles is true: proved by closing each role's local state graph over all messages of a small
system and looking at every state that can follow the one the claim is made in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, combinations, product
from typing import Any

import pytest
from helpers import rename, small, system

from pmmc_check.checker.reductions import Reductions, applicable
from pmmc_check.checker.symmetry import renamings
from pmmc_check.model.model import Model
from pmmc_check.protocol import (
    PMMC,
    Adopted,
    Ballot,
    Decision,
    Lifecycle,
    Message,
    Outcome,
    P1a,
    P1b,
    P2a,
    P2b,
    Preempted,
    ProcessId,
    Propose,
    PValue,
    Request,
    Response,
    Role,
    Scout,
    System,
    variant,
)
from pmmc_check.protocol.role import states_claim
from pmmc_check.protocol.values import BOTTOM, commander_id, scout_id
from pmmc_check.protocol.variants.catalogue import VARIANTS

STOPPED = Lifecycle.EXITED
VARIED = [role for each in VARIANTS.values() for role in each.roles]


@dataclass
class Graph:
    """All local states of one process, and the outcome of every message in each."""

    role: Role
    system: System
    messages: list[Message]
    steps: dict[Any, dict[Message, tuple[Outcome, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pending = [self.role.start(command).state for command in self.system.commands]
        while pending:
            state = pending.pop()
            if state in self.steps or state is STOPPED:
                continue
            self.steps[state] = {message: tuple(self.role.step(state, message)) for message in self.messages}
            pending.extend(outcome.state for outcomes in self.steps[state].values() for outcome in outcomes)
        self.following = {
            state: {o.state for outcomes in row.values() for o in outcomes} - {state, STOPPED} for state, row in self.steps.items()
        }

    @cache  # noqa: B019  (a graph lives as long as the test module)
    def reachable(self, state: Any) -> frozenset[Any]:
        """`state` and all running states that can follow it."""
        seen, pending = {state}, [state]
        while pending:
            new = self.following[pending.pop()] - seen
            seen |= new
            pending.extend(new)
        return frozenset(seen)

    __hash__ = object.__hash__


def _subsets(items: list[PValue], at_most: int) -> Iterator[frozenset[PValue]]:
    return map(frozenset, chain.from_iterable(combinations(items, n) for n in range(min(at_most, len(items)) + 1)))


def _universe(role: str, bounds: System) -> list[Message]:
    """Every message that a process of `role` could be sent in a system of these bounds, and some that it could not."""
    assert bounds.rounds and bounds.slots
    ballots = [Ballot(r, leader.number) for r in range(bounds.rounds) for leader in bounds.leaders]
    slotted = list(product(range(1, bounds.slots + 1), bounds.commands))
    earlier = [PValue(b, s, c) for b in ballots[:2] for s, c in slotted]
    sets = list(_subsets(earlier, 4 if role == "leader" or len(earlier) <= 4 else 1))
    match role:
        case "client":
            return [Response(cid, result) for cid in (1, 2) for result in (1, 2)]
        case "replica":
            return [*map(Request, bounds.commands), *(Decision(s, c) for s, c in slotted)]
        case "leader":
            adopted = [Adopted(b, each) for b in ballots for each in sets]
            return [*(Propose(s, c) for s, c in slotted), *adopted, *map(Preempted, [BOTTOM, *ballots])]
        case "scout":
            return [P1b(a, b, each) for a in bounds.acceptors for b in [BOTTOM, *ballots] for each in sets]
        case "commander":
            return [P2b(a, b) for a in bounds.acceptors for b in [BOTTOM, *ballots]]
    return [*map(P1a, ballots), *(P2a(b, s, c) for b in ballots for s, c in slotted)]


def _one_of(role: str, bounds: System, number: int) -> ProcessId:
    """A process of `role`: of leader `number` in the highest round, where it is a scout or commander."""
    top = Ballot((bounds.rounds or 1) - 1, number)
    return {"scout": scout_id(top), "commander": commander_id(top, 1)}.get(role, ProcessId(role, number))


BOUNDS: dict[str, dict[str, int]] = {
    "one-round": {"rounds": 1},
    "one-round-window-1": {"rounds": 1, "window": 1},
    "two-rounds": {"rounds": 2, "slots": 1},
}


@cache
def _graph(role_class: type[Role], bounds: str, number: int) -> Graph:
    limits = system(**BOUNDS[bounds])
    role = role_class(_one_of(role_class.role, limits, number), limits)
    return Graph(role, limits, _universe(role_class.role, limits))


def _claiming(claim: str) -> pytest.MarkDecorator:
    """Every class that states `claim`, with all bounds that matter to it. Of the variants' classes one in five is tried by default; the
    rest are slow tests."""
    classes = [each for each in [*PMMC.values(), *VARIED] if states_claim(each, claim)]
    pairs = [(each, bounds) for each in classes for bounds in BOUNDS if each.role == "replica" or bounds != "one-round-window-1"]
    slow = [each not in PMMC.values() and number % 5 > 0 for number, (each, _) in enumerate(pairs)]
    return pytest.mark.parametrize(
        ("role_class", "bounds"),
        [
            pytest.param(each, bounds, id=f"{each.__name__}-{bounds}", marks=[pytest.mark.slow] * late)
            for (each, bounds), late in zip(pairs, slow, strict=True)
        ],
    )


every_number = pytest.mark.parametrize("number", [1, 2])


@_claiming("ignores")
@every_number
def test_an_ignored_message_changes_and_sends_nothing_now_or_later(role_class: type[Role], bounds: str, number: int) -> None:
    graph = _graph(role_class, bounds, number)
    claims = 0
    for message in graph.messages:
        claimed = [state for state in graph.steps if graph.role.ignores(state, message)]
        claims += len(claimed)
        for later in frozenset().union(*map(graph.reachable, claimed)):
            assert graph.steps[later][message] == (Outcome(later),), f"{message} in {later}"
    assert claims or role_class in VARIED, "the universe of messages exercises no claim"  # a fault may make it true of no message


def _ballots_no_lower(sent: Message, claimed: Message) -> bool:
    return getattr(sent, "ballot", BOTTOM) >= getattr(claimed, "ballot", BOTTOM)


def _only_halts(graph: Graph, message: Message, claimed: Any, later_states: Set[Any]) -> None:
    """In all of `later_states`, `message` leaves the process as it is or stops it, and sends are like the claimed ones."""
    for later in later_states:
        for outcome in graph.steps[later][message]:
            assert outcome.state in (later, STOPPED), f"{message} in {later}"
            for to, sent in outcome.sends:
                like = [c for t, c in claimed if t == to and type(c) is type(sent) and _ballots_no_lower(sent, c)]
                assert like, f"{message} in {later} sends {sent} to {to}, claimed were {claimed}"


@_claiming("only_halts")
@every_number
def test_a_message_that_only_halts_stops_the_process_at_most_and_sends_only_the_like_of_what_is_claimed(
    role_class: type[Role], bounds: str, number: int
) -> None:
    graph = _graph(role_class, bounds, number)
    claims: dict[tuple[Message, Any], set[Any]] = defaultdict(set)
    for message, state in product(graph.messages, graph.steps):
        claimed = graph.role.only_halts(state, message, None)
        if claimed is not None:
            claims[message, tuple(claimed)] |= graph.reachable(state)
    assert claims, "the universe of messages exercises no claim"
    for (message, claimed), later_states in claims.items():
        _only_halts(graph, message, claimed, later_states)


def _senders(role: str, me: ProcessId, bounds: System) -> Iterator[tuple[ProcessId, Any]]:
    """Who may send to `me`, with what is known of its state once that process exists."""
    if role == "leader":
        for round_number in range(bounds.rounds or 1):
            ballot = Ballot(round_number, me.number)
            for sender in (scout_id(ballot), commander_id(ballot, 1)):
                yield sender, lambda state, ballot=ballot: state.ballot >= ballot
    else:
        for sender in bounds.acceptors:
            yield sender, lambda state: True


@_claiming("only_halts")
@every_number
def test_a_claim_about_every_state_once_the_sender_exists_is_true_of_all_of_them(role_class: type[Role], bounds: str, number: int) -> None:
    graph = _graph(role_class, bounds, number)
    for (sender, possible), message in product(_senders(role_class.role, graph.role.me, graph.system), graph.messages):
        claimed = graph.role.only_halts(None, message, sender)
        if claimed is not None:
            _only_halts(graph, message, claimed, frozenset(filter(possible, graph.steps)))


def _as_sets(outcomes: Any) -> frozenset[Any]:
    return frozenset((outcome.state, frozenset(outcome.sends)) for outcome in outcomes)


@_claiming("symmetric")
def test_a_symmetric_step_commutes_with_every_renaming(role_class: type[Role], bounds: str) -> None:
    graph = _graph(role_class, bounds, 1)
    messages = graph.messages if len(graph.messages) * len(graph.steps) < 3000 else graph.messages[:: 1 + len(graph.messages) // 20]
    states = list(graph.steps)[:: 1 + len(graph.steps) // 30]
    group = renamings(graph.system)
    generators = group[:: 1 + len(group) // 4]
    for renaming in generators:
        other = role_class(renaming.get(graph.role.me, graph.role.me), graph.system)  # type: ignore[arg-type]
        for command in graph.system.commands:
            renamed_start = rename(_as_sets([graph.role.start(command)]), renaming)
            assert _as_sets([other.start(renaming[command])]) == renamed_start  # type: ignore[arg-type]
        for state, message in product(states, messages):
            expected = rename(_as_sets(graph.steps[state][message]), renaming)
            assert _as_sets(other.step(rename(state, renaming), rename(message, renaming))) == expected, f"{message} in {state}"


@pytest.mark.parametrize("claim", ["ignores", "only_halts", "symmetric"])
@pytest.mark.parametrize("role_class", PMMC.values(), ids=lambda each: each.__name__)
def test_a_claim_is_not_inherited_by_a_subclass(role_class: type[Role], claim: str) -> None:
    class Changed(role_class):  # type: ignore[valid-type,misc]
        pass

    assert not states_claim(Changed, claim)


def test_symmetry_is_off_for_a_role_that_does_not_claim_it_and_a_note_says_so() -> None:
    class Changed(Scout):
        pass

    everything = Reductions(inert=True, deferral=True, halting=True, symmetry=True)
    reductions, notes = applicable(everything, Model(small(), variant(Changed)))
    assert reductions.names == ("inert", "deferral", "halting")
    assert notes == ["symmetry is off: Changed does not state `symmetric = True`"]
    assert applicable(everything, Model(small())) == (everything, [])
