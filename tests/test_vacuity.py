"""Nothing holds vacuously in silence: what a search never had occasion to see is said, and coverage counts every delivery."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import pytest
from helpers import assert_one_clear_line, compiled, in_process, options, reference, small

from pmmc_check.api.exploring import explore
from pmmc_check.api.failure import CheckFailed
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.matrix import config_of
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Action, Control, Limits, Result
from pmmc_check.checker.walks import RandomWalks
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import PMMC, Acceptor, AcceptorState, Commander, Outcome, P1a, Protocol, Replica, ReplicaState, Scout, variant
from pmmc_check.protocol.role import replace
from pmmc_check.protocol.values import Command
from pmmc_check.protocol.variants.catalogue import VARIANTS, combined
from pmmc_check.report.coverage import coverage, untaken
from pmmc_check.report.explore_text import headline
from pmmc_check.report.vacuity import vacuous

TWO = {"leaders": 2, "commands": 2}
NOTHING_DECIDED = "no command is decided in any run, so whatever is asked of decisions holds of none"
ONE_COMMAND = "there is only one command, so Agreement cannot be violated; give --commands 2"


class NeverDecides(Commander):
    """Off by one: asks for more than all."""

    symmetric = True

    def enough(self, answers: int) -> bool:
        """Too many."""
        return answers > len(self.acceptors)


class Unchanged(Scout):
    """Says everything that the paper says, in words of its own."""

    def enough(self, answers: int) -> bool:
        """The same."""
        return 2 * answers > len(self.acceptors)


@dataclasses.dataclass(frozen=True)
class CountingState(AcceptorState):
    """Also how many p1a there were."""

    asked: int = 0


class Counting(Acceptor):
    """Counts for itself, and does nothing with it."""

    symmetric = True

    def start(self, command: Command | None = None) -> Outcome:
        """Nothing counted."""
        return Outcome(CountingState())

    def promise(self, state: AcceptorState, message: P1a) -> Outcome:
        """One more, up to 3."""
        assert isinstance(state, CountingState)
        return super().promise(replace(state, asked=min(state.asked + 1, 3)), message)


@dataclasses.dataclass(frozen=True)
class OtherState:
    """The acceptor's fields, in a type that has nothing to do with the paper's."""

    ballot: Any
    accepted: frozenset[Any]


class OtherType(Acceptor):
    """The paper's acceptor in other clothes."""

    def start(self, command: Command | None = None) -> Outcome:
        """The same."""
        state = super().start(command).state
        return Outcome(OtherState(state.ballot, state.accepted))


class SkipsAhead(Replica):
    """Counts each slot twice."""

    symmetric = True

    def perform(self, state: ReplicaState, command: Command) -> Outcome:
        """One slot too many."""
        outcome = super().perform(state, command)
        return outcome._replace(state=replace(outcome.state, slot_out=outcome.state.slot_out + 1))


def walked(config: Config, protocol: Protocol = PMMC, seconds: float = 0.3) -> Result:
    return RandomWalks(Model(config, protocol), invariants_named([]), Control(Limits(seconds_max=seconds))).run()


def searched(config: Config, protocol: Protocol = PMMC) -> Result:
    model = Model(config, protocol)
    return compiled(config, protocol, ",".join(applicable(reductions_named("all"), model)[0].names))[1]


def test_the_papers_protocol_holds_for_good_reasons() -> None:
    assert vacuous(searched(small(**TWO))) == []
    assert vacuous(reference(small(**TWO))) == []


@pytest.mark.parametrize("search", [searched, reference], ids=["compiled", "reference"])
def test_that_nothing_was_ever_decided_is_said(search: Any) -> None:
    result = search(small(**TWO), variant(NeverDecides))
    assert result.verdict == "holds"
    steps = "no run has these steps, so nothing was checked about them: client:response, replica:decision"
    assert vacuous(result) == [NOTHING_DECIDED, steps]
    assert headline(result).plain.endswith("satisfies all invariants checked, but no command is ever decided")


@pytest.mark.parametrize("search", [searched, reference], ids=["compiled", "reference"])
def test_that_there_is_but_one_command_is_said_where_agreement_is_asked_for(search: Any) -> None:
    result = search(small(leaders=2))
    assert vacuous(result) == [ONE_COMMAND]
    assert vacuous(dataclasses.replace(result, invariants=("R2",))) == []
    assert ONE_COMMAND not in vacuous(searched(small(slots=2, window=1, reconfigurations=1)))
    fills = compiled(config_of({**VARIANTS["fill-holes"].smallest, "commands": 1}), combined([VARIANTS["fill-holes"]]))[1]
    assert fills.exercised.commands > 1 and ONE_COMMAND not in vacuous(fills)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("role", [Unchanged, Counting], ids=lambda each: each.__name__)
@pytest.mark.parametrize("search", [searched, reference], ids=["compiled", "reference"])
def test_that_a_role_does_what_the_papers_does_is_said(search: Any, role: type[Any]) -> None:
    (said,) = vacuous(search(small(**TWO), variant(role)))
    assert said.startswith(f"{role.__name__} does nothing in any run that the paper's {role.role} would not do")


def test_of_states_of_another_type_nothing_is_said() -> None:
    assert vacuous(searched(small(**TWO), variant(OtherType))) == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", [name for name, each in VARIANTS.items() if name not in ("pmax-previous",)])
def test_every_variant_does_something_else_than_the_paper_in_its_smallest_configuration(name: str) -> None:
    each = VARIANTS[name]
    result = compiled(config_of(each.smallest), combined([each]), invariants=["R4"], limits=Limits(states_max=20_000))[1]
    assert result.exercised.unchanged == (), "some role of the variant has never differed"


def test_a_fault_that_needs_a_restart_is_not_exercised_without_one() -> None:
    protocol = combined([VARIANTS["restart-loses-ballot"]])
    assert ("ForgetBallot", "acceptor") in searched(small(**TWO), protocol).exercised.unchanged
    assert searched(small(**TWO, crashes=1, restarts=1, faulty=("acceptor",)), protocol).exercised.unchanged == ()


def test_with_claims_that_were_trusted_nothing_is_said_of_a_role_that_made_some() -> None:
    class Trusted(Unchanged):
        """Claims as the paper's."""

        symmetric = True
        ignores = Scout.ignores
        only_halts = Scout.only_halts

    checked = searched(small(**TWO), variant(Trusted))
    assert checked.exercised.unchanged == (("Trusted", "scout"),)
    model = Model(small(**TWO), variant(Trusted))
    trusted = CompiledSearch(model, invariants_named([]), Control(), reductions_named("all"), trust_claims=True).run()
    assert trusted.exercised.unchanged == ()


def test_what_a_stopped_search_has_not_seen_it_has_not_seen_so_far() -> None:
    stopped = compiled(small(leaders=2), variant(NeverDecides), limits=Limits(states_max=3))[1]
    assert vacuous(stopped)[:2] == ["no command has been decided so far", ONE_COMMAND]
    assert vacuous(stopped)[-1].startswith("no step of these kinds has been taken so far: ")
    walks = walked(small(**TWO), variant(NeverDecides))
    assert vacuous(walks)[0] == "no command has been decided so far"


def test_of_a_violation_nothing_is_said() -> None:
    result = searched(small(slots=2, commands=2), variant(SkipsAhead))
    assert (result.verdict, vacuous(result)) == ("violated", [])


def test_deliveries_that_deferral_puts_off_count() -> None:
    decision = Action("replica", "decision")
    for config, protocol in ((small(slots=2, commands=2), variant(SkipsAhead)), (small(**TWO), PMMC)):
        result = searched(config, protocol)
        assert coverage(result)[decision] >= result.exercised.put_off[decision] > 0


@pytest.mark.parametrize("network", ["duplicating", "reliable"])
def test_without_reductions_each_delivery_is_a_step_and_counts_once(network: str) -> None:
    config = small(leaders=2, network=network)
    fast, plain = compiled(config, reduce="none")[1], reference(config)
    assert {a: n for a, n in fast.coverage.items() if n} == {a: n for a, n in plain.coverage.items() if n}
    assert fast.exercised == plain.exercised
    assert fast.exercised.put_off == {}


def test_a_reduced_search_sees_every_kind_of_step_that_the_unreduced_has_or_says_who_left_it_out() -> None:
    config = small(**TWO, crashes=1)
    plain, reduced = compiled(config, reduce="none")[1], compiled(config)[1]
    possible = {action for action, count in coverage(plain).items() if count}
    missing = possible - {action for action, count in coverage(reduced).items() if count}
    assert missing == {action for action in untaken(reduced).left_out if coverage(plain)[action]}
    assert Action("acceptor", "crash") in missing
    assert untaken(plain).never == untaken(reduced).never == []


def test_a_response_that_changes_nothing_is_delivered_without_effect_not_impossible() -> None:
    assert untaken(reference(small())).idle == [Action("client", "response")]
    assert untaken(searched(small(**TWO))).left_out == [Action("client", "response"), Action("leader", "preempted")]


def _command(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    sys.modules.setdefault("test_vacuity", sys.modules[__name__])
    return in_process(capsys, "explore", *options(acceptors=1, leaders=2, replicas=1, slots=1, commands=2), *arguments)


def test_strict_makes_it_exit_code_3_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    never = ["--protocol", "test_vacuity:NeverDecides"]
    assert _command(capsys, *never).returncode == 0
    done = _command(capsys, *never, "--strict", "--format", "json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["verdict"]) == (3, "holds")
    assert answer["vacuous"][0] == NOTHING_DECIDED
    assert f"--strict: what holds, holds vacuously: {NOTHING_DECIDED}" in done.stderr
    assert _command(capsys, "--strict").returncode == 0


def test_from_python_it_is_a_property_and_a_test_can_insist_on_it() -> None:
    sizes = {"acceptors": 1, "replicas": 1, "slots": 1, "commands": 2}
    found = explore(**sizes, roles=NeverDecides)
    assert found.assert_holds().vacuous[0] == NOTHING_DECIDED
    with pytest.raises(CheckFailed, match="what holds, holds vacuously: no command is decided"):
        found.assert_holds(strict=True)
    assert explore(**sizes).assert_holds(strict=True).vacuous == ()


def test_both_reports_say_it(capsys: pytest.CaptureFixture[str]) -> None:
    never = ["--protocol", "test_vacuity:NeverDecides"]
    text = _command(capsys, *never).stdout
    assert "vacuous      no command is decided" in text and "put off by deferral" in text
    assert "vacuous" not in _command(capsys).stdout
    answer = json.loads(_command(capsys, *never, "--format", "json").stdout)["coverage"]
    assert answer["never"] == ["client response", "replica decision"]
    assert answer["left_out"] == ["leader preempted"] and answer["idle"] == []
    assert set(answer["put_off"]) <= set(json.loads(_command(capsys, *never, "--format", "json").stdout)["action_coverage"])


@pytest.mark.parametrize("option", ["--strict", "--trust-claims"])
def test_any_number_of_slots_takes_neither_option(capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert_one_clear_line(in_process(capsys, "explore", "--slots", "any", option), f"{option}: --slots any")
