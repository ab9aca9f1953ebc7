"""A session: a tree of states, named by the choices that lead to them."""

from __future__ import annotations

import pytest
from helpers import A1, C1, C2, L1, R1, small

from pmmc_check.checker.result import Control, Limits
from pmmc_check.config import Config
from pmmc_check.explorer.faults import crash_of, drop_of, restart_of
from pmmc_check.explorer.patterns import pattern_from
from pmmc_check.explorer.session import CannotStep, Session, Subject, at_random, back, begun, goto, path_from, path_text, take
from pmmc_check.explorer.until import PLAIN_STATES_MAX, goal_of, reduced_from, until
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.messages import P1a, Request
from pmmc_check.protocol.role import Crashed
from pmmc_check.protocol.values import Ballot
from pmmc_check.protocol.variants.catalogue import protocol_with


def session_of(config: Config, *variants: str, invariants: tuple[str, ...] = ()) -> Session:
    model = Model(config, protocol_with(variants))
    return begun(Subject(model, tuple(invariants_named(invariants)), (), variants))


def test_the_choices_are_the_steps_of_the_model_deliveries_first() -> None:
    session = session_of(small(network="lossy", crashes=1))
    model = session.subject.model
    steps = list(model.steps(session.here.state))
    choices = session.here.choices
    assert [each.number for each in choices] == list(range(1, len(steps) + 1))
    assert {(each.step, each.after) for each in choices} == set(steps)
    assert [each.is_fault for each in choices] == sorted(each.is_fault for each in choices)
    assert {each.step.message for each in choices if not each.is_fault} == {Request(C1), P1a(Ballot(0, 1))}


def test_taking_and_going_back_keeps_branches() -> None:
    session = take(take(session_of(small()), 1), 2)
    assert session.here.path == (1, 2)
    there = session.here
    before = back(session)
    assert before.here is there.before
    other = take(before, 1)
    assert other.here.path == (1, 1)
    assert {each.path for each in other.visited} == {(), (1,), (1, 2), (1, 1)}
    assert goto(other, (1, 2)).here is there
    assert back(other, 2).here is session.subject.root


def test_a_path_names_the_same_state_in_every_session() -> None:
    one = at_random(session_of(Config()), 25, seed=3)
    again = goto(session_of(Config()), path_from(path_text(one.here.path)))
    assert again.here.state == one.here.state
    assert again.here.depth == 25
    assert at_random(session_of(Config()), 25, seed=3).here.path == one.here.path
    assert at_random(session_of(Config()), 25, seed=4).here.path != one.here.path


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (lambda session: take(session, 99), "there is no step 99"),
        (lambda session: take(session, 0), "there is no step 0"),
        (back, "the start already"),
        (lambda session: back(take(session, 1), 2), "only 1 step was taken"),
        (lambda session: goto(session, (1, 99)), "ends at its step 2"),
        (lambda session: path_from("1.x"), "is no path"),
        (lambda session: path_from("١"), "is no path"),
        (lambda session: at_random(session, 100_000, 1), "at once"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(asked: object, told: str) -> None:
    with pytest.raises(CannotStep, match=told):
        asked(session_of(small()))  # type: ignore[operator]


def test_at_the_end_nothing_can_be_taken() -> None:
    end = until(session_of(small(network="reliable")), "end")
    assert end.here.choices == ()
    with pytest.raises(CannotStep, match="nothing can happen any more"):
        take(end, 1)


def test_invariants_are_judged_in_each_state_and_stay_where_they_broke() -> None:
    session = session_of(small(leaders=2, commands=2, replicas=2), "ignore-pmax")
    at = until(session, "violated")
    assert set(at.here.broken) == {"C2"}
    assert all(not each.broken for each in at.here.trail[:-1])
    assert not back(at).here.broken
    assert "Agreement" in until(at, "Agreement").here.broken


def test_progress_is_judged_where_nothing_can_move() -> None:
    session = session_of(small(acceptors=3, network="reliable"), invariants=("Progress",))
    stuck = until(session, "violated")
    assert stuck.here.choices == ()
    assert "no command is decided in slot 1" in stuck.here.broken["Progress"]


def test_crash_and_restart_are_steps_where_the_configuration_has_them() -> None:
    session = session_of(small(crashes=1, restarts=1, faulty=("acceptor",)))
    down = take(session, crash_of(session.here, A1).number)
    index = session.subject.model.index[A1]
    assert isinstance(down.here.state[index].state, Crashed)
    up = take(down, restart_of(down.here, A1).number)
    assert up.here.state[index].state == session.here.state[index].state
    for asked, told in (
        (lambda: crash_of(up.here, A1), "--crashes 2"),
        (lambda: crash_of(session.here, L1), "--faulty acceptor,leader"),
        (lambda: restart_of(session.here, A1), "A1 is not down"),
        (lambda: crash_of(session_of(small()).here, R1), "--crashes 1"),
        (lambda: restart_of(_crashed(small(crashes=1)), A1), "--restarts 1"),
    ):
        with pytest.raises(CannotStep, match=told):
            asked()


def _crashed(config: Config) -> object:
    session = session_of(config)
    return take(session, crash_of(session.here, A1).number).here


def test_a_message_is_dropped_where_the_network_loses_some() -> None:
    session = session_of(small(network="lossy"))
    model = session.subject.model
    lost = take(session, drop_of(session.here, pattern_from("p1a to A1", model)).number)
    with pytest.raises(CannotStep, match=r"was lost in step 1"):
        drop_of(lost.here, pattern_from("p1a to A1", model))
    for network, told in (("duplicating", "by never delivering it"), ("reliable", "--network lossy")):
        other = session_of(small(network=network))
        with pytest.raises(CannotStep, match=told):
            drop_of(other.here, pattern_from("p1a to A1", other.subject.model))
    several = session_of(small(network="lossy", acceptors=3))
    with pytest.raises(CannotStep, match="several messages fit"):
        drop_of(several.here, pattern_from("p1a", several.subject.model))


def test_until_goes_a_shortest_way() -> None:
    session = session_of(small())
    decided = until(session, "decided")
    assert decided.here.depth == _distance(session, r"decided # {}")
    assert until(session, "leader[L1].active").here.depth == 3
    with pytest.raises(CannotStep, match="true here already"):
        until(decided, "decided")
    with pytest.raises(CannotStep, match="no state that can be reached"):
        until(session, "leader[L1].ballot.round > 7")
    with pytest.raises(CannotStep, match=r"did you mean decided\?"):
        until(session, "decidd")


def _distance(session: Session, expression: str) -> int:
    """By the plainest breadth-first search."""
    checks = Checks(session.subject.model, goal_of(session.subject, expression).invariants)
    level, seen, depth = {session.here.state}, {session.here.state}, 0
    while not any(checks.of_state(each) for each in level):
        level = {after for state in level for _, after in session.subject.model.steps(state)} - seen
        seen |= level
        depth += 1
    return depth


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("network", ["duplicating", "reliable"])
def test_a_compiled_search_that_begins_in_any_state_finds_what_the_plain_one_finds(network: str, seed: int) -> None:
    """`until` begins the compiled search, with all reductions, in the middle of a run."""
    from pmmc_check.checker.compiled import CompiledSearch  # noqa: PLC0415
    from pmmc_check.checker.reference import ReferenceSearch  # noqa: PLC0415

    session = session_of(small(leaders=2, replicas=2, commands=2, network=network))
    here = at_random(session, 2 + 5 * seed, seed).here
    goal = goal_of(session.subject, r"\A r \in Replicas : Len(replica[r].application) = 1")
    begun_here, reductions = reduced_from(session.subject.model, here.state, goal.invariants)
    assert reductions.symmetry
    found = CompiledSearch(begun_here, goal.invariants, Control(Limits()), reductions, 1, trust_claims=True).run().violation
    plain = ReferenceSearch(begun_here, goal.invariants, Control(Limits())).run().violation
    assert (found is None) == (plain is None)
    if found and plain:
        assert len(found.trace) == len(plain.trace)
        assert found.initial == here.state


def test_until_goes_on_with_the_compiled_search_where_the_plain_one_gives_up() -> None:
    """The default configuration has more states within reach than the plain search looks at."""
    session = session_of(Config())
    decided = until(session, "decided")
    assert decided.here.depth == 11
    checks = Checks(session.subject.model, goal_of(session.subject, "decided").invariants)
    assert [bool(checks.of_state(each.state)) for each in decided.here.trail] == [False] * 11 + [True]
    assert PLAIN_STATES_MAX < 10_000


def test_commands_and_names_of_other_processes_are_refused_with_a_guess() -> None:
    model = Model(small(commands=2), PMMC)
    assert str(C2) == "c2"
    for text, told in (
        ("p1aa to A1", r"did you mean p1a\?"),
        ("p1a to R1", "R1 is a replica, and p1a goes to acceptors"),
        ("p1a to A9", "there is no process A9"),
        ("!!", "is no message"),
    ):
        with pytest.raises(CannotStep, match=told):
            pattern_from(text, model)
