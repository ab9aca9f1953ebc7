"""Recorded runs become sessions: accepted ones to their end, rejected ones to where they leave the protocol."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import ROOT, small

from pmmc_check.checker.result import Control, Limits
from pmmc_check.config import Config
from pmmc_check.errors import UsageError
from pmmc_check.explorer import recorded
from pmmc_check.explorer.loading import loaded, recording_in
from pmmc_check.explorer.saving import saved_text
from pmmc_check.explorer.session import Session, Subject, at_random, begun, take
from pmmc_check.explorer.until import until
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.trace.events import DUPLICATING as DUPLICATES
from pmmc_check.trace.events import FIFO, LOSSY, RELIABLE
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge
from pmmc_check.validation.simulate import Plan, Simulation, complete_logs

TRACES = ROOT / "traces"
NO_BOUNDS: dict[str, int | None] = {}


def load(path: Path, *variants: str) -> tuple[Session, str]:
    session, told = loaded(recording_in(str(path)), protocol_with(variants), variants, NO_BOUNDS)
    return session, "\n".join(told)


@pytest.mark.parametrize("name", sorted(each.name for each in TRACES.iterdir() if each.name.startswith(("good", "partial", "parts"))))
def test_an_accepted_trace_is_followed_to_its_end(name: str) -> None:
    session, told = load(TRACES / name)
    events = len(recording_in(str(TRACES / name)).events)
    assert told.startswith(f"{name}: accepted. {events} of {events} events")
    assert "goes no further" not in told
    assert session.here.depth > 0
    assert not any(each.broken for each in session.here.trail)


@pytest.mark.parametrize(
    ("name", "line", "steps"),
    [
        ("bad-decision-without-majority.pmmc", 19, 6),
        ("bad-post-state.pmmc", 21, 7),
        ("bad-duplicate-on-reliable.pmmc", 24, 9),
        ("bad-pmax-ignored.pmmc", 19, 11),
        ("bad-decision-changed.pmmc", 21, 7),
    ],
)
def test_a_rejected_trace_is_followed_to_the_event_that_does_not_follow(name: str, line: int, steps: int) -> None:
    session, told = load(TRACES / name)
    assert f"It goes no further: {TRACES / name}:{line}:" in told
    assert session.here.depth == steps
    assert not any(each.broken for each in session.here.trail)  # the model does not leave the protocol
    verdict = judge(Source(TRACES / name))
    if verdict.failure is not None:
        assert verdict.failure.rule in told


def _simulated(folder: Path, network: str, seed: int, crash_rate: float = 0.0) -> Path:
    from pmmc_check.api.simulating import simulated_header  # noqa: PLC0415
    from pmmc_check.trace.writer import DslWriter  # noqa: PLC0415

    sizes = {"acceptors": 3, "leaders": 2, "replicas": 2, "clients": 2}
    header = simulated_header(sizes, {"quorum1": None, "quorum2": None}, 3, network.split(","), [], silent_crashes=False)
    plan = Plan(header=header, seed=seed, events=160, commands=3, crash_rate=crash_rate)
    assert complete_logs(header) == header.logs
    walk = Simulation(plan)
    events = list(walk.events())
    writer = DslWriter(walk.values)
    path = folder / f"{network}-{seed}.pmmc"
    path.write_text("\n".join([*writer.header(header), *map(writer.item, events)]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("network", [RELIABLE, FIFO, LOSSY, f"{LOSSY},{DUPLICATES}"])
@pytest.mark.parametrize("crash_rate", [0.0, 0.03])
def test_random_runs_of_every_network_are_followed_to_their_end(tmp_path: Path, network: str, crash_rate: float) -> None:
    path = _simulated(tmp_path, network, 11, crash_rate)
    session, told = load(path)
    events = len(recording_in(str(path)).events)
    assert f"accepted. {events} of {events} events" in told
    assert not any(each.broken for each in session.here.trail)


@pytest.mark.parametrize(
    "config",
    [Config(acceptors=2, network=network, rounds=2, crashes=1, restarts=1) for network in ("duplicating", "reliable", "lossy", "fifo")],
    ids=lambda config: config.network,
)
def test_what_a_session_saves_validates_and_loads_again(tmp_path: Path, config: Config) -> None:
    session = at_random(begun(Subject(Model(config), tuple(invariants_named([])))), 30, seed=2)
    fault = next(each for each in session.here.choices if each.step.message.kind == "crash")
    session = take(session, fault.number)
    session = take(session, next(each for each in session.here.choices if each.step.message.kind == "restart").number)
    session = at_random(session, 5, seed=3)
    path = tmp_path / "saved.pmmc"
    path.write_text(saved_text(session), encoding="utf-8")
    assert judge(Source(path)).verdict == "accepted"
    again, told = load(path)
    assert again.here.depth == session.here.depth, told
    assert _states(again) == _states(session)


def _states(session: Session) -> dict[str, object]:
    model = session.subject.model
    return {
        str(process): view.state
        for process, view in zip(model.processes, session.here.state, strict=True)
        if process.role in ("acceptor", "leader", "replica")
    }


def test_a_counterexample_is_loaded_with_the_variant_that_it_notes_and_one_goes_on_from_any_point(tmp_path: Path) -> None:
    config = small(leaders=2, replicas=2, commands=2)
    subject = Subject(Model(config, protocol_with(["ignore-pmax"])), tuple(invariants_named([])), (), ("ignore-pmax",))
    found = until(begun(subject), "violated", control=Control(Limits()))
    path = tmp_path / "found.pmmc"
    path.write_text(saved_text(found), encoding="utf-8")
    assert recording_in(str(path)).variants == ("ignore-pmax",)
    session, told = load(path, "ignore-pmax")
    assert "rejected" in told
    assert "C2" in session.here.broken
    before = session.moved(session.here.trail[6])
    assert until(before, "violated").here.broken
    paper, told = load(path)  # the paper's protocol does not take the last steps
    assert "It goes no further" in told
    assert not any(each.broken for each in paper.here.trail)


def test_what_is_too_long_or_empty_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmmc_check.explorer.loading.RECORDED_EVENTS_MAX", 10)
    with pytest.raises(UsageError, match="more than 10 events"):
        recording_in(str(TRACES / "good-one-command.pmmc"))
    assert recorded.RECORDED_EVENTS_MAX > 1_000


def test_of_logs_that_show_little_as_much_is_followed_as_the_protocol_can_do_and_then_it_says_why() -> None:
    """Only what two replicas learn is recorded: a whole decision has to be found for the first; for the second there is none."""
    session, told = load(TRACES / "bad-two-decisions.pmmc")
    assert "1 of 2 events, 12 steps" in told
    assert f"It goes no further: {TRACES / 'bad-two-decisions.pmmc'}:7: R2 < decision s=1 c=C2:1" in told
    assert "Nobody has sent decision(1, c2) → R2 yet." in told
    assert "The rule: a commander sends decision(s, c)" in told
    assert [each.choice.step.message.kind for each in session.here.trail if each.choice is not None][-1] == "decision"


def test_a_send_that_no_step_makes_is_told_with_its_rule() -> None:
    _, told = load(TRACES / "bad-window.pmmc")
    assert "Nobody has sent propose(3, c1:3) yet." in told
    assert "as long as slot_in < slot_out + WINDOW" in told


def test_in_a_folder_copies_that_a_build_has_made_are_passed_by(tmp_path: Path) -> None:
    text = (TRACES / "good-one-command.pmmc").read_text()
    for place in (".", "build/lib", "dist", ".git", "node_modules"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / "run.pmmc").write_text(text)
    assert recording_in(str(tmp_path)).source.path == tmp_path / "run.pmmc"
    assert recording_in(str(tmp_path / "build")).source.path == tmp_path / "build/lib/run.pmmc"
    (tmp_path / "other.pmmc").write_text(text)
    with pytest.raises(UsageError, match="2 traces are in this directory; give one of them"):
        recording_in(str(tmp_path))
