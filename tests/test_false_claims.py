"""No claim is believed: a role that claims what is not true ends the search with exit code 2 and the step that shows it."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from helpers import assert_one_clear_line, compiled, in_process, options, small

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.false_claim import FalseClaim
from pmmc_check.checker.iterative import grow
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import ClaimsUsed, Control, Limits, Result
from pmmc_check.checker.symmetry import generators, renamings
from pmmc_check.checker.walks import RandomWalks
from pmmc_check.config import Config
from pmmc_check.errors import ProtocolError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import (
    Acceptor,
    AcceptorState,
    Commander,
    CommanderState,
    Decision,
    Leader,
    LeaderState,
    Message,
    Outcome,
    P1b,
    P2a,
    P2b,
    Preempted,
    ProcessId,
    Propose,
    PValue,
    Replica,
    ReplicaState,
    Request,
    Role,
    Scout,
    ScoutState,
    Send,
    System,
    variant,
)
from pmmc_check.protocol.role import Outcomes, replace, states_claim
from pmmc_check.protocol.values import Command, Proposals
from pmmc_check.protocol.variants.acceptors import AcceptLowerBallot
from pmmc_check.protocol.variants.catalogue import VARIANTS
from pmmc_check.protocol.variants.leaders import NoBallotBump, OverwriteProposal
from pmmc_check.protocol.variants.variant import combined
from pmmc_check.verdicts import HOLDS, VIOLATED

TWO = {"leaders": 2, "commands": 2}


class Picky(Leader):
    """Loses what it adopts of one client."""

    symmetric = True
    starts_once = True

    def merge(self, proposals: Proposals, pvalues: frozenset[PValue]) -> Any:
        """Client 1 has no luck."""
        return super().merge(proposals, frozenset(each for each in pvalues if each.command.client.number != 1))


class FirstAcceptorNods(Acceptor):
    """One acceptor says yes to everything, because of what its constructor has looked at."""

    symmetric = True

    def __init__(self, me: ProcessId, system: System) -> None:
        super().__init__(me, system)
        self.nods = me.number == 1

    def p2b(self, state: AcceptorState, asked: P2a) -> Send:
        """The p2a's own ballot."""
        return super().p2b(replace(state, ballot=asked.ballot) if self.nods else state, asked)


class LuckySlot(Replica):
    """Forgets to perform one command, and only in the last slot, after the other: deep in the search."""

    symmetric = True

    def perform(self, state: ReplicaState, command: Command) -> Outcome:
        """Client 2 is passed over where it comes second."""
        if state.slot_out == 2 and command.client.number == 2:
            return Outcome(replace(state, slot_out=3))
        return super().perform(state, command)


class DeafReplica(Replica):
    """Claims to ignore requests."""

    def ignores(self, state: ReplicaState, message: Message) -> bool:
        """False from the start."""
        return isinstance(message, Request)


class BusyLeader(Leader):
    """Takes no proposals while it is passive. That is true of the state; but it does not stay passive."""

    def propose(self, state: LeaderState, message: Propose) -> Outcome:
        """Only while active."""
        return super().propose(state, message) if state.active else Outcome(state)

    def ignores(self, state: LeaderState, message: Message) -> bool:
        """True now, and false later: the message would have left the view for good."""
        return isinstance(message, Propose) and not state.active


class ForgetfulReplica(Replica):
    """Takes no decision for slot 2 before slot 1 is performed, and claims to ignore it: false two decisions later."""

    def step(self, state: ReplicaState, message: Message) -> Outcomes:
        """Decisions out of order are passed over."""
        if self.ignores(state, message):
            return [Outcome(state)]
        return super().step(state, message)

    def ignores(self, state: ReplicaState, message: Message) -> bool:
        """True until slot 1 is performed."""
        return isinstance(message, Decision) and message.slot > state.slot_out


class AcceptsAfterAll(AcceptLowerBallot):
    """Takes the paper's claim over, though it accepts lower ballots."""

    only_halts = Acceptor.only_halts


class QuietScout(Scout):
    """Claims that a preemption stops it and nothing else."""

    def only_halts(self, state: ScoutState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """It tells its leader, too."""
        return () if isinstance(message, P1b) and message.ballot != self.ballot else None


class UnmovedLeader(Leader):
    """Claims of every state that a preemption can only stop it, as if there were no further round."""

    starts_once = True

    def only_halts(self, state: LeaderState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """Only true in the last round."""
        return () if isinstance(message, Preempted) else None


class PatientCommander(Commander):
    """Takes any ballot for an acceptance once it has one acceptance; claims of the first state that any other ballot stops it."""

    def step(self, state: CommanderState, message: Message) -> Outcomes:
        """The second answer counts, whatever it says."""
        if isinstance(message, P2b) and len(state.waitfor) < len(self.acceptors):
            return super().step(state, replace(message, ballot=self.ballot))
        return super().step(state, message)

    def only_halts(self, state: CommanderState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """True of the first state, not of the second."""
        fresh = state is not None and len(state.waitfor) == len(self.acceptors)
        return self.preempted(message.ballot) if fresh and isinstance(message, P2b) and message.ballot != self.ballot else None


class OverwritesOnce(OverwriteProposal):
    """Creates a slot's commander a second time, and denies it."""

    starts_once = True


class TriesOnce(NoBallotBump):
    """Creates the same scout again and again, and denies it."""

    starts_once = True


FALSE: dict[str, tuple[tuple[type[Role], ...], dict[str, Any], list[str]]] = {
    "symmetric, of commands": ((Picky,), TWO, ["Picky claims symmetric", "does not treat c1 and c2 alike"]),
    "symmetric, of acceptors": ((FirstAcceptorNods,), {"acceptors": 2, "leaders": 2}, ["FirstAcceptorNods claims symmetric", "A1 and A2"]),
    "symmetric, deep": ((LuckySlot,), {"slots": 2, "commands": 2}, ["LuckySlot claims symmetric", "decision(", "slot_out 3"]),
    "ignores, at once": ((DeafReplica,), TWO, ["DeafReplica claims ignores request(", "takes notice of it;"]),
    "ignores, in the next state": ((BusyLeader,), TWO, ["BusyLeader claims ignores propose(1", "in a state that follows", "claimed in"]),
    "ignores, deep": (
        (ForgetfulReplica,),
        {"slots": 2, "commands": 2},
        ["ForgetfulReplica claims ignores decision(2", "in a state that follows", "slot_out 2"],
    ),
    "only_halts, but it changes": ((AcceptsAfterAll,), TWO, ["AcceptsAfterAll claims only_halts of p2a(", "the state changes"]),
    "only_halts, but it sends": ((QuietScout,), TWO, ["QuietScout claims only_halts of p1b(", "is not like what the claim says is sent"]),
    "only_halts, of every state": (
        (UnmovedLeader,),
        {"leaders": 2, "rounds": 2},
        ["UnmovedLeader claims only_halts of preempted(", "the state changes", "every state that it may have once the sender exists"],
    ),
    "only_halts, in a later state": (
        (PatientCommander,),
        {"leaders": 2, "acceptors": 3},
        ["PatientCommander claims only_halts of p2b(", "decision(1, c1)"],
    ),
    "starts_once, of a commander": (
        (OverwritesOnce,),
        {"commands": 2, "replicas": 2},
        ["OverwritesOnce claims starts_once", "a second time"],
    ),
    "starts_once, of a scout": ((TriesOnce,), {"leaders": 2, "acceptors": 2}, ["TriesOnce claims starts_once", "a second time"]),
}
"""Roles, the counts of the configuration, and what the message must say."""

every_false_claim = pytest.mark.parametrize(("roles", "counts", "said"), FALSE.values(), ids=FALSE)


def searched(roles: Sequence[type[Role]], counts: dict[str, Any], **how: Any) -> Result:
    model, invariants = Model(small(**counts), variant(*roles)), invariants_named([])
    reductions, _ = applicable(reductions_named("all"), model, invariants)
    return CompiledSearch(model, invariants, Control(), reductions, **how).run()


@every_false_claim
def test_a_false_claim_ends_the_search_and_the_step_is_shown(roles: Sequence[type[Role]], counts: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(FalseClaim) as caught:
        searched(roles, counts)
    for text in [*said, "  process     ", "  state       ", "  message     "]:
        assert text in str(caught.value)


@every_false_claim
def test_random_walks_rely_on_no_claim(roles: Sequence[type[Role]], counts: dict[str, Any], said: list[str]) -> None:
    model, limits = Model(small(**counts), variant(*roles)), Limits(states_max=500)
    try:
        result = RandomWalks(model, invariants_named(["Validity"]), Control(limits)).run()
    except FalseClaim as refuted:
        assert "starts_once" in str(refuted), "that a process is created once is looked at wherever one is created"
    else:
        assert result.claims.used == () and result.verdict != HOLDS


def test_an_iterative_search_finds_it_in_the_smallest_configuration_that_shows_it() -> None:
    asked = []

    def search(model: Model) -> Result:
        asked.append(model.config)
        reductions, _ = applicable(reductions_named("all"), model, [])
        return CompiledSearch(model, invariants_named([]), Control(), reductions).run()

    with pytest.raises(FalseClaim, match="DeafReplica claims ignores"):
        grow(small(**TWO), variant(DeafReplica), search)
    assert asked == [small()]


@pytest.mark.parametrize("name", ["symmetric, deep", "only_halts, but it changes"])
def test_trusted_it_would_have_made_a_search_hold_that_is_violated(name: str) -> None:
    roles, counts, _ = FALSE[name]
    trusted = searched(roles, counts, trust_claims=True)
    assert (trusted.verdict, trusted.claims.checked) == (HOLDS, None)
    assert compiled(small(**counts), variant(*roles), "none")[1].verdict == VIOLATED


@pytest.mark.parametrize("reduce", ["none", "deferral"])
def test_a_false_claim_that_nothing_uses_is_not_looked_at(reduce: str) -> None:
    result = compiled(small(**TWO), variant(DeafReplica), reduce)[1]
    assert (result.verdict, result.claims) == (HOLDS, ClaimsUsed((), 0))


def test_symmetric_set_to_false_is_no_claim() -> None:
    class Honest(Picky):
        symmetric = False

    assert not states_claim(Honest, "symmetric")
    reductions, notes = applicable(reductions_named("all"), Model(small(**TWO), variant(Honest)))
    assert not reductions.symmetry
    assert "symmetry is off: Honest does not state `symmetric = True`" in notes


class Capricious(Replica):
    """Claims now this, now that."""

    asked = 0

    def ignores(self, state: ReplicaState, message: Message) -> bool:
        """Every second time."""
        Capricious.asked += 1
        return Capricious.asked % 2 == 0


class Vague(Acceptor):
    """Says yes where a list of what is sent is asked for."""

    def only_halts(self, state: AcceptorState | None, message: Message, sender: ProcessId | None) -> Any:
        """No answer to the question."""
        return True


class Misaddressed(Acceptor):
    """Says that something is sent to nobody."""

    def only_halts(self, state: AcceptorState | None, message: Message, sender: ProcessId | None) -> Sequence[Send]:
        """There is no A9."""
        return (Send(ProcessId("acceptor", 9), message),)


@pytest.mark.parametrize(
    ("role", "said"),
    [
        (Capricious, "Capricious.ignores is not deterministic: R1 answered"),
        (Vague, "Vague.only_halts of A1 returned True; expected None or a tuple of Send(to, message)"),
        (Misaddressed, "Misaddressed.only_halts of A1 returned"),
    ],
)
def test_an_answer_that_is_no_claim_is_bad_input(role: type[Role], said: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        searched((role,), {})
    assert said in str(caught.value)


class Echoing(Acceptor):
    """Would answer a p1a by one that only halts if ..."""

    def only_halts(self, state: AcceptorState | None, message: Message, sender: ProcessId | None) -> Sequence[Send]:
        """... the same were true of the other acceptor, and so on for ever."""
        return (Send(self.system.acceptors[self.me.number % 2], message),)


def test_claims_that_rest_on_each_other_are_not_taken() -> None:
    result = searched((Echoing,), {"acceptors": 2, "leaders": 2})
    assert (result.verdict, result.distinct_states) == (HOLDS, searched((_Plain,), {"acceptors": 2, "leaders": 2}).distinct_states)


class _Plain(Acceptor):
    """Claims nothing."""


class Later(Commander):
    """Says that it ignores an acceptor's second answer, in words of its own: not of every state in which it would be true."""

    symmetric = True

    def ignores(self, state: CommanderState, message: Message) -> bool:
        """Only in one state, though it is true of all that follow."""
        first = isinstance(message, P2b) and message.ballot == self.ballot and message.acceptor not in state.waitfor
        return first and len(state.waitfor) == len(self.acceptors) - 1


def test_a_claim_that_is_true_later_need_not_be_made_again_there() -> None:
    assert searched((Later,), {"acceptors": 3}).verdict == HOLDS


@pytest.mark.parametrize("network", ["duplicating", "reliable", "lossy", "fifo"])
@pytest.mark.parametrize("faults", [{}, {"crashes": 1, "restarts": 1}, {"reconfigurations": 1, "slots": 2, "window": 1}], ids=str)
def test_the_stock_roles_claims_are_true_on_every_network_and_with_every_fault(network: str, faults: dict[str, Any]) -> None:
    result = searched((), {"network": network, "rounds": 2, "commands": 2, **faults})
    assert result.verdict == HOLDS
    assert set(result.claims.used) >= {"ignores", "symmetric", "starts_once"}
    assert result.claims.checked


@pytest.mark.parametrize("names", [["scout-half", "commander-half"], ["state-reduction", "hide-accepted"], ["perform-twice", "drop-loser"]])
def test_the_claims_of_combined_variants_are_checked_and_true(names: list[str]) -> None:
    config = Config(acceptors=2, leaders=2, replicas=1, slots=1, commands=2)
    result = compiled(config, combined([VARIANTS[name] for name in names]), invariants=["R4"])[1]
    assert result.verdict == HOLDS and result.claims.checked


def test_a_combined_variant_is_symmetric_only_if_all_its_parts_say_so() -> None:
    class Silent(Replica):
        """Changes nothing, and claims nothing."""

        def take_back(self, state: ReplicaState, decided: Command) -> ReplicaState:
            """As in the paper."""
            return super().take_back(state, decided)

    silent = dataclasses.replace(VARIANTS["drop-loser"], name="silent", roles=(Silent,))
    both = combined([VARIANTS["perform-twice"], silent])["replica"]
    assert not states_claim(both, "symmetric")


def test_generators_are_their_own_inverses_and_generate_the_group() -> None:
    bounds = Config(acceptors=3, replicas=2, commands=3).system()
    group = {_frozen(each) for each in renamings(bounds)}
    found, pending = {_frozen(renamings(bounds)[0])}, [renamings(bounds)[0]]
    for each in generators(bounds):
        assert all(each[each[atom]] == atom for atom in each)
    while pending:
        one = pending.pop()
        for each in generators(bounds):
            following = {atom: each.get(image, image) for atom, image in one.items()}
            if _frozen(following) not in found:
                found.add(_frozen(following))
                pending.append(following)
    assert found == group


def _frozen(renaming: Any) -> frozenset[Any]:
    return frozenset(renaming.items())


def _command(capsys: pytest.CaptureFixture[str], *arguments: str, role: str = "Picky") -> Any:
    sys.modules.setdefault("test_false_claims", sys.modules[__name__])
    size = options(acceptors=1, leaders=2, replicas=1, slots=1, commands=2)
    return in_process(capsys, "explore", *size, "--protocol", f"test_false_claims:{role}", *arguments)


@pytest.mark.parametrize("how", [[], ["--strategy", "iterative"]], ids=str)
def test_the_command_exits_with_2_and_shows_the_step(capsys: pytest.CaptureFixture[str], how: list[str]) -> None:
    done = _command(capsys, *how)
    assert (done.returncode, done.stdout) == (2, "")
    first, *lines = done.stderr.splitlines()
    assert "pmmc-check explore: Picky claims symmetric, but L2 does not treat c1 and c2 alike" in first
    assert "  message     adopted(0.L2, {(0.L1, 1, c1)})" in lines


def test_both_reports_say_whether_claims_were_checked(capsys: pytest.CaptureFixture[str]) -> None:
    checked = json.loads(_command(capsys, "--format", "json", role="_Plain").stdout)["claims"]
    assert checked["used"] == ["ignores", "only_halts", "starts_once"] and checked["checked"] and checked["steps"] > 20
    trusted = json.loads(_command(capsys, "--format", "json", "--trust-claims").stdout)
    assert trusted["verdict"] == "holds"
    assert trusted["claims"] == {"used": ["ignores", "only_halts", "symmetric", "starts_once"], "checked": False, "steps": 0}
    assert "TRUSTED, not checked (--trust-claims)" in " ".join(_command(capsys, "--trust-claims").stdout.split())
    reference = _command(capsys, "--engine", "reference", "--max-states", "50")
    assert "claims       none used" in reference.stdout or "claims       none used" in reference.stdout.replace("  ", " ")
    plain = json.loads(_command(capsys, "--engine", "reference", "--format", "json").stdout)
    assert (plain["verdict"], plain["claims"]) == ("holds", {"used": [], "checked": True, "steps": 0})


def test_there_is_nothing_to_trust_in_the_reference_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_clear_line(_command(capsys, "--engine", "reference", "--trust-claims"), "the reference engine uses no claims")
