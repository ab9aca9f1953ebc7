"""Quorums: as many acceptors as the configuration says, or as a role says; safety depends on their meeting, and A5 and C2 speak of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from helpers import A1, A2, A3, B01, assert_one_clear_line, compiled, in_process, reference, small

from pmmc_check.checker.iterative import smaller
from pmmc_check.checker.matrix import config_of, searched
from pmmc_check.checker.result import HOLDS, VIOLATED
from pmmc_check.config import Config
from pmmc_check.errors import ProtocolError, UsageError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import INVARIANTS, invariants_named
from pmmc_check.properties.quorums import Quorums, judgeable
from pmmc_check.protocol import Commander, CommanderState, Lifecycle, Message, Outcome, P2b, ProcessId, Role, Scout, variant
from pmmc_check.protocol.role import Outcomes
from pmmc_check.protocol.values import COMMANDER, majority
from pmmc_check.protocol.variants.catalogue import VARIANTS, combined, protocol_with

PAIRS = [(n, one, two) for n in (1, 2, 3, 4) for one, two in product(range(1, n + 1), repeat=2)]
"""Acceptors, and every size of quorums of both phases."""


def contested(acceptors: int, quorum1: int = 0, quorum2: int = 0, **more: Any) -> Config:
    """Two leaders and two commands for one slot: what Agreement needs to break."""
    return small(acceptors=acceptors, leaders=2, replicas=2, commands=2, quorum1=quorum1, quorum2=quorum2, **more)


@pytest.mark.parametrize(("acceptors", "quorum1", "quorum2"), PAIRS)
def test_the_protocol_is_safe_exactly_where_quorums_of_the_two_phases_meet(acceptors: int, quorum1: int, quorum2: int) -> None:
    config = contested(acceptors, quorum1, quorum2)
    if config.quorums_meet:
        assert searched(config, variant(), []).verdict == HOLDS
    else:
        for name in ("Agreement", "A5", "C2"):
            result = searched(config, variant(), [name])
            assert result.violation is not None and result.violation.invariant == name


@pytest.mark.parametrize("network", ["duplicating", "reliable"])
@pytest.mark.parametrize(("quorum1", "quorum2"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_both_engines_count_the_same_states_whatever_the_quorums(quorum1: int, quorum2: int, network: str) -> None:
    counted = small(acceptors=2, commands=2, quorum1=quorum1, quorum2=quorum2, network=network)
    plain, (_, fast) = reference(counted), compiled(counted, reduce="none")
    assert (plain.verdict, plain.distinct_states, plain.depth, plain.generated_states) == (
        HOLDS,
        fast.distinct_states,
        fast.depth,
        fast.generated_states,
    )


@pytest.mark.parametrize("network", ["duplicating", "reliable"])
def test_no_reduction_hides_or_lengthens_what_breaks_without_a_common_acceptor(network: str) -> None:
    config = contested(2, 1, 1, network=network)
    unreduced = searched(config, variant(), ["C2"], reduce="none")
    assert unreduced.verdict == VIOLATED
    for reduce in ("inert", "halting", "deferral", "symmetry", "all"):
        assert _steps(searched(config, variant(), ["C2"], reduce=reduce)) == _steps(unreduced), reduce


@pytest.mark.slow
def test_the_reference_search_finds_what_breaks_without_a_common_acceptor() -> None:
    config = contested(2, 1, 1, network="reliable")
    plain, fast = reference(config, invariants=["C2"]), searched(config, variant(), ["C2"])
    assert plain.verdict == VIOLATED and _steps(plain) == _steps(fast)


def _steps(result: Any) -> int | None:
    return len(result.violation.trace) if result.violation else None


@pytest.mark.parametrize("acceptors", [1, 2, 3, 4])
def test_majorities_are_the_default_and_the_same_when_they_are_asked_for(acceptors: int) -> None:
    asked_for = contested(acceptors, majority(acceptors), majority(acceptors))
    assert asked_for.quorums == contested(acceptors).quorums
    one, other = (compiled(each)[1] for each in (asked_for, contested(acceptors)))
    assert (one.distinct_states, one.generated_states, one.depth) == (other.distinct_states, other.generated_states, other.depth)


@pytest.mark.parametrize(("name", "size"), [("quorum1", 4), ("quorum2", 4), ("quorum1", -1)])
def test_a_quorum_has_from_one_to_all_acceptors(name: str, size: int) -> None:
    with pytest.raises(UsageError, match=f"--{name} {size}: must be from 1 to the number of acceptors, 3"):
        Config(acceptors=3, **{name: size})


def test_in_smaller_configurations_a_majority_stays_one_and_a_quorum_is_no_more_than_all() -> None:
    sizes = {each.acceptors: each.quorums for each in smaller(small(acceptors=4, quorum2=3))}
    assert sizes == {1: (1, 1), 2: (2, 2), 3: (2, 3), 4: (3, 3)}


def test_every_set_of_a_reconfiguration_has_quorums_of_the_same_size() -> None:
    config = small(acceptors=3, slots=2, window=1, reconfigurations=1, quorum1=1, quorum2=3)
    sizes = {(role.quorum_size, len(role.acceptors)) for role in Model(config).roles.values() if isinstance(role, Scout | Commander)}
    assert sizes == {(1, 3), (3, 3)}
    assert searched(config, variant(), []).verdict == HOLDS


# --- roles with quorums of their own


class ReadOne(Scout):
    symmetric = True

    def enough(self, answers: int) -> bool:
        return answers >= 1


class WriteAll(Commander):
    symmetric = True

    def is_quorum(self, acceptors: frozenset[ProcessId]) -> bool:
        return acceptors == frozenset(self.acceptors)


class CountsAll(Commander):
    """The same without stating it."""

    symmetric = True

    def enough(self, answers: int) -> bool:
        return answers >= len(self.acceptors)


def judged(config: Config, *roles: type[Role]) -> tuple[list[str], list[str]]:
    """The names of the invariants that can be judged, and the notes."""
    kept, notes = judgeable(Model(config, variant(*roles)), invariants_named([]))
    return [each.name for each in kept], notes


def test_read_one_write_all_is_judged_by_its_own_quorums_where_it_states_them_and_holds() -> None:
    assert judged(contested(3), ReadOne, WriteAll) == (list(INVARIANTS), ["A5 and C2 go by the quorums of WriteAll: any 3 of 3 acceptors"])
    assert searched(contested(3), variant(ReadOne, WriteAll), []).verdict == HOLDS
    assert searched(contested(3), variant(ReadOne), ["C2"]).verdict == VIOLATED, "a majority need not meet one acceptor"
    others = [name for name in INVARIANTS if name not in ("A5", "C2")]
    names, (note,) = judged(contested(3), ReadOne, CountsAll)
    assert names == others and "CountsAll does not decide when A1 and A2 accepted, a quorum of this configuration" in note
    assert searched(contested(3), variant(ReadOne, CountsAll), others).verdict == HOLDS


GRID = ("A1", "A2"), ("A3", "A4")


class ReadRow(Scout):
    """Acceptors in two rows: a quorum of phase 1 is a row."""

    def is_quorum(self, acceptors: frozenset[ProcessId]) -> bool:
        return any({str(each) for each in acceptors} >= {*row} for row in GRID)


class WriteColumn(Commander):
    """A quorum of phase 2 is a column: one acceptor of each row."""

    def is_quorum(self, acceptors: frozenset[ProcessId]) -> bool:
        return any({str(each) for each in acceptors} >= {*column} for column in zip(*GRID, strict=True))


class WriteRow(Commander):
    """The wrong way round: two rows have no acceptor in common."""

    def is_quorum(self, acceptors: frozenset[ProcessId]) -> bool:
        return any({str(each) for each in acceptors} >= {*row} for row in GRID)


def test_quorums_may_be_certain_sets_of_acceptors() -> None:
    names, notes = judged(contested(4), ReadRow, WriteColumn)
    assert names == list(INVARIANTS)
    (note,) = notes
    assert "{A1, A3}" in note and "{A2, A4}" in note and "{A1, A2}" not in note.replace("{A1, A2, A", "")
    quorums = Quorums(variant(WriteColumn), contested(4).system())
    accepted = {(A1, A2): False, (A1, A3): True, (A1, A2, A3): True, (A2, A3): False}
    assert {each: quorums.include(B01, 1, frozenset(each)) for each in accepted} == accepted


@pytest.mark.slow
def test_rows_and_columns_of_a_grid_meet_and_two_rows_do_not() -> None:
    config = contested(4, network="reliable")
    result = searched(config, variant(ReadRow, WriteRow), ["C2"])
    assert result.violation is not None and result.violation.how.startswith("a quorum accepted")
    assert searched(config, variant(ReadRow, WriteColumn), ["Agreement", "A5", "C2"]).verdict == HOLDS


class CountsOtherwise(Commander):
    """Decides after one acceptance, by a step of its own, and inherits what it says of quorums."""

    def step(self, state: CommanderState, message: Message) -> Outcomes:
        if isinstance(message, P2b) and message.ballot == self.ballot:
            return [Outcome(Lifecycle.EXITED, self.decide(state.command))]
        return super().step(state, message)


class NeverEnough(Commander):
    """Collects answers for ever."""

    def step(self, state: CommanderState, message: Message) -> Outcomes:
        return [Outcome(state)]


class Contradicts(CountsAll):
    """Decides by others than it states."""

    def step(self, state: CommanderState, message: Message) -> Outcomes:
        return CountsOtherwise.step(self, state, message)  # type: ignore[arg-type]  # as a mixin

    def is_quorum(self, acceptors: frozenset[ProcessId]) -> bool:
        return len(acceptors) == 2


class FromScratch(Role):
    """Not made from the paper's commander, and without a word about quorums."""

    role = COMMANDER

    def start(self, command: Any = None) -> Outcome:
        return Commander(self.me, self.system).start(command)

    def step(self, state: CommanderState, message: Message) -> Outcomes:
        return Commander(self.me, self.system).step(state, message)


class AsksNobody(Commander):
    def start(self, command: Any = None) -> Outcome:
        return Outcome(super().start(command).state)


@pytest.mark.parametrize(
    ("role", "why"),
    [
        (
            CountsOtherwise,
            "CountsOtherwise decides when A1 accepted, no quorum of this configuration; to have others, ...",
        ),
        (
            NeverEnough,
            "NeverEnough does not decide when A1 and A2 accepted, a quorum of this configuration; to have others, ...",
        ),
        (Contradicts, "Contradicts decides when A1 accepted, no quorum by its is_quorum"),
        (AsksNobody, "AsksNobody sends no p2a when it is created"),
    ],
)
def test_a_commander_that_does_not_decide_by_quorums_is_not_judged_by_a5_and_c2(role: type[Role], why: str) -> None:
    names, notes = judged(contested(2), role)
    assert names == [name for name in INVARIANTS if name not in ("A5", "C2")]
    assert notes == ["A5 and C2 cannot be judged, and are not checked: " + why.replace("...", "define is_quorum(acceptors)")]


def test_a_step_that_is_changed_but_counts_as_before_is_judged_as_before() -> None:
    class Same(Commander):
        def step(self, state: CommanderState, message: Message) -> Outcomes:
            return super().step(state, message)

    assert judged(contested(3), Same) == judged(contested(3), FromScratch) == (list(INVARIANTS), [])


def test_a_quorum_that_cannot_be_asked_for_is_a_clear_error() -> None:
    class Raises(Commander):
        def is_quorum(self, acceptors: frozenset[ProcessId]) -> bool:
            raise ValueError("no idea")

    with pytest.raises(ProtocolError, match=r"Raises.*no idea"):
        judged(contested(1), Raises)


COMMANDERS = [each for each in VARIANTS.values() if COMMANDER in each.concerns]


@pytest.mark.parametrize("each", COMMANDERS, ids=lambda each: each.name)
def test_every_commander_of_the_catalogue_but_half_decides_by_the_quorums_of_the_configuration(each: Any) -> None:
    config = replace(config_of(each.smallest), acceptors=3)
    kept, notes = judgeable(Model(config, combined([each])), invariants_named([]))
    if each.name == "commander-half":
        assert len(kept) == len(INVARIANTS) - 2 and "CommanderHalf decides when A1 accepted, no quorum" in notes[0]
    else:
        assert len(kept) == len(INVARIANTS) and not notes


@pytest.mark.parametrize("name", ["scout-half", "commander-half"])
def test_half_stays_half_whatever_the_quorums_of_the_configuration(name: str) -> None:
    for quorum1, quorum2 in ((0, 0), (3, 3)):
        config = contested(3, quorum1, quorum2)
        safe = quorum1 == 3 or (name == "scout-half" and quorum2 == 3)
        assert searched(config, protocol_with([name]), ["Agreement"]).verdict == (HOLDS if safe else VIOLATED)


# --- the command


def test_the_report_names_quorums_that_are_no_majorities(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("explore", "--acceptors", "3", "--slots", "1", "--leaders", "1")
    assert "checked      3 acceptors, 1 leader, 2 replicas, 1 command\n" in in_process(capsys, *asked).stdout
    done = in_process(capsys, *asked, "--quorum1", "1", "--quorum2", "3")
    assert done.returncode == 0
    assert "checked      3 acceptors (quorums: 1 in phase 1, 3 in phase 2), 1 leader, 2 replicas, 1 command\n" in done.stdout
    assert "in common" not in done.stdout
    done = in_process(capsys, *asked, "--quorum1", "1")
    assert "need not have an acceptor in common" in done.stdout


def test_the_json_configuration_has_the_sizes_of_quorums(capsys: pytest.CaptureFixture[str]) -> None:
    printed = in_process(
        capsys, "explore", "--acceptors", "3", "--slots", "1", "--leaders", "1", "--quorum2", "3", "--format", "json"
    ).stdout
    assert '"quorum1": 2' in printed and '"quorum2": 3' in printed


@pytest.mark.parametrize("size", ["0", "4", "some"])
def test_a_quorum_out_of_range_is_one_clear_line(capsys: pytest.CaptureFixture[str], size: str) -> None:
    assert_one_clear_line(in_process(capsys, "explore", "--acceptors", "3", "--quorum2", size), "--quorum2")


def test_asking_for_what_cannot_be_judged_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("explore", "--slots", "1", "--commands", "2", "--protocol", f"{__name__}:CountsOtherwise")
    assert_one_clear_line(in_process(capsys, *asked, "--invariant", "C2"), "--invariant C2: A5 and C2 cannot be judged")
    done = in_process(capsys, *asked)
    assert done.returncode == 1 and "VIOLATED: Agreement" in done.stdout and "A5 and C2 cannot be judged" in done.stdout


def test_any_number_of_slots_is_judged_by_the_same_invariants(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("explore", "--acceptors", "2", "--slots", "any", "--ballots", "2", "--replica-slots", "2")
    asked += ("--protocol", f"{__name__}:CountsOtherwise")
    done = in_process(capsys, *asked, "--invariant", "Agreement", "--invariant", "C2")
    assert done.returncode == 0 and "covers Agreement: every number" in " ".join(done.stdout.split())
    assert "A5 and C2 cannot be judged" in done.stdout
    assert_one_clear_line(in_process(capsys, *asked, "--invariant", "C2"), "--invariant C2: A5 and C2 cannot be judged")
