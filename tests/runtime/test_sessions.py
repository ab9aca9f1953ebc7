"""Sessions: no operation takes effect twice, no result is lost while somebody waits for it, and nothing that a client sends fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pmmc_check.protocol.messages import Request, Response
from pmmc_check.protocol.values import CLIENT, LEADER, NOBODY, REPLICA, Command, ProcessId, Reconfigure
from pmmc_check.runtime.client_driver import ClientDriver
from pmmc_check.runtime.collecting import decode_application, encode_application
from pmmc_check.runtime.machines import MACHINES, IntegerRegister, KeyValueStore
from pmmc_check.runtime.operations import MARK, MarkedOperation, marked, why_no_operation, without_marker
from pmmc_check.runtime.replica_driver import ReplicaDriver
from pmmc_check.runtime.retries import RecentResponses
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.sessions import LONG_AGO, Sessions
from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
from pmmc_check.runtime.surroundings import Envelope
from pmmc_check.trace.sources import sources
from pmmc_check.validation.judge import judge
from pmmc_check.verdicts import ACCEPTED

CLIENT_1, CLIENT_2 = ProcessId(CLIENT, 1), ProcessId(CLIENT, 2)
REPLICAS = tuple(ProcessId(REPLICA, number) for number in (1, 2, 3))


class Performed:
    """The results of commands, one after the other."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions, self.state = sessions, sessions.initial()

    def __call__(self, number: int, operation: str, client: ProcessId = CLIENT_1) -> str:
        self.state, result = self.sessions.apply(self.state, Command(client, number, operation))
        return result


def again(number: int, operation: str, lowest: int = 1) -> str:
    return marked(MarkedOperation(number, lowest, operation))


def test_a_question_that_is_asked_again_is_performed_once_whichever_comes_first() -> None:
    for first_comes_first in (True, False):
        do = Performed(Sessions(IntegerRegister()))
        asked = (7, "add 5"), (9, again(7, "add 5"))
        assert [do(*each) for each in (asked if first_comes_first else asked[::-1])] == ["5", "5"]
        assert do(7, "add 1", CLIENT_2) == "6"


@pytest.mark.parametrize(
    "text",
    [
        "again 1 get x",
        f"{MARK}9 1 get x",
        f"{MARK}1 2 get x",
        f"{MARK}{'1' * 5000} 1 get x",
        f"{MARK}0 0 x",
        f"{MARK}-1 1 x",
        f"{MARK}1",
        MARK,
    ],
)
def test_what_is_no_marker_is_an_operation(text: str) -> None:
    """Of a number above its own nobody can have asked yet; whoever could claim it would keep its operation from being performed."""
    do = Performed(Sessions(KeyValueStore()))
    assert do(1, "put x 1") == "-"
    assert do(2, text).startswith("error: expected put KEY VALUE")
    assert [do(number, f"put x {number}") for number in (9, 10)] == ["1", "9"]


def test_nobody_hears_what_another_client_was_told() -> None:
    do = Performed(Sessions(KeyValueStore()))
    do(1, "put secret hunter2")
    assert do(2, "get secret") == "hunter2"
    assert do(3, again(2, "get other"), CLIENT_2) == "-"


WORDS = ("add", "multiply", "put", "cas", "get", "delete", "again")
operations = st.one_of(
    st.text(),
    st.builds(lambda *parts: " ".join(parts), st.sampled_from(WORDS), st.text(), st.text()),
    st.builds(lambda head, *parts: head + " ".join(parts), st.just(MARK), st.text("0123456789-٣²"), st.text("0123456789"), st.text()),
    st.builds(marked, st.builds(MarkedOperation, st.integers(), st.integers(), st.text())),
)


@example("integer", [(1, 2**64 - 1, "add 1"), (2, 0, f"multiply {'7' * 20}"), (3, 1, "0")])
@given(st.sampled_from(sorted(MACHINES)), st.lists(st.tuples(st.integers(-1, 3), st.integers(-(2**63), 2**64 - 1), operations)))
def test_whatever_was_decided_is_performed_without_an_error_and_can_be_written_down(
    machine: str, commands: list[tuple[int, int, str]]
) -> None:
    do = Performed(Sessions(MACHINES[machine](), sessions_max=2, characters_max=30))
    for client, number, text in commands:
        do(number, text, ProcessId(CLIENT, client))
    assert do.state.characters == sum(len(result) for each in do.state.sessions.values() for result in each.results.values())
    data = encode_application(do.state)
    assert data is not None
    assert decode_application(data) == do.state


@pytest.mark.parametrize("text", [f"{MARK}1 1 get x", MARK, f"{MARK} put x 1", "put x \ud800", "x" * (2**20 + 1), "é" * (2**19 + 1), ""])
def test_users_cannot_ask_for_what_is_no_operation(text: str) -> None:
    assert why_no_operation(text)


def test_what_nobody_waits_for_is_forgotten_and_performed_no_more() -> None:
    do = Performed(Sessions(IntegerRegister()))
    for number in range(1, 11):
        do(number, "add 1")
    assert do(11, again(11, "add 1", lowest=10)) == "11"
    assert list(do.state.sessions[1].results) == [10, 11]
    assert do(12, again(9, "add 1")) == LONG_AGO
    assert do(10, "add 1") == "10"
    assert do(13, "read") == "11"


def test_a_session_remembers_a_bounded_number_of_results() -> None:
    do = Performed(Sessions(IntegerRegister()))
    for number in range(1, 2001):
        do(number, "add 1")
    assert len(do.state.sessions[1].results) == 1024
    assert do(3, "add 1") == LONG_AGO


def test_the_sessions_that_were_used_last_are_remembered() -> None:
    do = Performed(Sessions(IntegerRegister(), sessions_max=3))
    clients = [ProcessId(CLIENT, number) for number in (1, 10, 20, 30, 40)]
    for each in clients[:3]:
        do(1, "add 1", each)
    do(2, "add 1", clients[0])
    do(1, "add 1", clients[3])
    assert list(do.state.sessions) == [20, 1, 30]
    assert do(1, "add 1", clients[1]) == LONG_AGO
    assert do(3, "read", clients[0]) == "5"
    assert do(1, "add 1", clients[4]) == "6"
    assert (list(do.state.sessions), do.state.forgotten) == ([30, 1, 40], 20)
    assert do(2, "add 1", clients[2]) == LONG_AGO


def test_long_results_of_sessions_that_were_not_used_for_long_are_forgotten_and_the_sessions_are_not() -> None:
    do = Performed(Sessions(KeyValueStore(), characters_max=2500))
    clients = [ProcessId(CLIENT, number) for number in (1, 2, 3)]
    do(1, f"put x {'v' * 1000}", clients[2])
    for each in clients:
        assert len(do(2, "get x", each)) == 1000
    assert do.state.characters == 2001 == sum(len(result) for each in do.state.sessions.values() for result in each.results.values())
    assert do(3, again(2, "get x"), clients[0]) == LONG_AGO
    assert do(4, "put y 1", clients[0]) == "-"
    assert len(do(3, again(2, "get x"), clients[1])) == 1000
    assert [each.lowest for each in do.state.sessions.values()] == [0, 3, 1]


class Quiet:
    """A simulated cluster, of whose clients the first is looked at; `drops` says which messages are lost."""

    def __init__(self, clients: int = 1, keep: int = 1000, sessions_max: int = 4096) -> None:
        roster = Roster(clients=clients, timing=SIMULATED_TIMING, keep=keep, window=200)
        self.cluster = SimulatedCluster(SimulationPlan(roster, KeyValueStore(), 1, 1, 1.0))
        self.world = self.cluster.world
        sessions = self.world.setting.system.application
        assert isinstance(sessions, Sessions)
        sessions.sessions_max = sessions_max
        self.driver, self._send = self.client(1), self.world.send
        self.world.send = self._sent  # type: ignore[method-assign]
        self.world.run(2.0)

    def client(self, number: int) -> ClientDriver:
        driver = self.world.nodes[ProcessId(CLIENT, number)].driver
        assert isinstance(driver, ClientDriver)
        return driver

    def drops(self, envelope: Envelope) -> bool:
        return False

    def _sent(self, envelopes: Sequence[Envelope]) -> None:
        self._send([each for each in envelopes if not self.drops(each)])

    def replica(self, number: int = 0) -> ReplicaDriver:
        driver = self.world.nodes[REPLICAS[number]].driver
        assert isinstance(driver, ReplicaDriver)
        return driver

    def ask_in_turn(self, count: int, at_once: int) -> list[str]:
        results: list[str] = []

        def more() -> None:
            if len(results) + len(self.driver._open) + len(self.driver._waiting) < count:
                number = len(results)
                self.driver.ask(f"put k{number % 7} {number}", answered)

        def answered(result: str) -> None:
            results.append(result)
            more()

        for _ in range(at_once):
            more()
        return results

    def assert_accepted(self, folder: Path) -> None:
        for node in list(self.world.nodes.values()):
            node.stop()
        (source,) = sources([str(self.cluster.write_trace(folder))])
        assert judge(source).verdict == ACCEPTED


def quiet(**options: Any) -> Quiet:
    return Quiet(**options)


@pytest.mark.parametrize("what", [Request, Response])
def test_one_operation_may_be_lost_for_long_while_many_others_are_answered(what: type, tmp_path: Path) -> None:
    """The numbers of a session need not follow each other: what is waited for is remembered until it is heard."""
    scene = quiet()
    slow, until = scene.driver._cid + 1, scene.world.time + 3.0
    found: list[str] = []

    def drops(envelope: Envelope) -> bool:
        content = envelope.content
        number = content.command.cid if isinstance(content, Request) else getattr(content, "cid", 0)
        return isinstance(content, what) and number == slow and scene.world.time < until

    scene.drops = drops  # type: ignore[method-assign]
    scene.driver.ask("put slow yes", found.append)
    results = scene.ask_in_turn(1500, 50)
    scene.world.run(2.9)
    assert 300 < len(results) <= 1000, "others go on, though not for ever"
    scene.world.run(40.0, lambda: len(results) == 1500)
    assert (found, len(results)) == (["-"], 1500)
    for number in range(3):
        state = scene.replica(number).state
        assert state.application.machine["slow"] == "yes"
        assert len(state.application.sessions[1].results) < 250, "what is answered is forgotten"
    scene.assert_accepted(tmp_path)


def test_recent_responses_are_bounded_whatever_their_numbers() -> None:
    kept = RecentResponses(of_client_max=10, characters_max=10_000)
    for number in range(0, 300, 3):
        kept.add(CLIENT_1, Response(number, "x"))
    assert [number for number in range(300) if kept.get(CLIENT_1, number)] == list(range(270, 300, 3))
    kept.add(CLIENT_2, Response(1, "x" * 8000))
    assert kept.get(CLIENT_2, 1) is not None
    assert len(kept) < 8
    kept.add(CLIENT_2, Response(2, "x" * 20_000))
    assert len(kept) == 0


def test_what_is_withdrawn_is_not_asked_any_more() -> None:
    scene = quiet()
    scene.drops = lambda envelope: isinstance(envelope.content, Request)  # type: ignore[method-assign]
    results: list[str] = []
    questions = [scene.driver.ask(f"put k {number}", results.append) for number in range(300)]
    scene.world.run(10.0)
    assert len(scene.driver._open) == 100
    for each in questions:
        scene.driver.withdraw(each)
    assert not scene.driver._open
    assert not scene.driver._waiting
    scene.drops = lambda envelope: False  # type: ignore[method-assign]
    scene.driver.ask("get k", results.append)
    scene.world.run(20.0)
    assert results == ["-"]


def test_a_client_is_told_that_its_session_is_forgotten(tmp_path: Path) -> None:
    scene = quiet(clients=60, keep=10, sessions_max=20)
    lost: list[str] = []
    scene.driver.ask("put k first", lost.append)
    scene.world.run(4.0)
    for number in range(2, 61):
        for _ in range(3):
            scene.client(number).ask(f"put k{number} v", lambda result: None)
        scene.world.run(scene.world.time + 0.2)
    scene.driver.ask("put k second", lost.append, lambda: lost.append("lost"))
    scene.world.run(scene.world.time + 5)
    assert lost == ["-", "lost"]
    assert scene.driver.forgotten
    for number in range(3):
        state = scene.replica(number).state
        assert state.application.machine["k"] == "first"
        assert len(state.application.sessions) == 20
        assert len(state.decisions.forgotten_commands.listed()) <= 20
    scene.assert_accepted(tmp_path)


def test_a_request_that_is_decided_after_its_session_was_forgotten_is_answered(tmp_path: Path) -> None:
    """It was taken while the session was known; for the protocol it is a request as any other, so no replica may pass over it."""
    scene = quiet(clients=4, keep=10, sessions_max=2)
    heard: list[str] = []
    scene.driver.ask("put k first", heard.append)
    scene.world.run(scene.world.time + 1)
    for number in (2, 3, 4):
        scene.client(number).ask(f"put k{number} v", lambda result: None)
    scene.driver.ask("put k second", heard.append, lambda: heard.append("lost"))
    scene.world.run(scene.world.time + 5)
    assert heard == ["-", "lost"]
    assert not scene.driver.forgotten, "the result says so, and no signal: the request was decided"
    assert [scene.replica(number).state.application.machine["k"] for number in range(3)] == ["first"] * 3
    scene.assert_accepted(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        Command(NOBODY, 1, "put x 1"),
        Command(ProcessId(CLIENT, 2**64 - 1), 1, "put x 1"),
        Command(ProcessId(LEADER, 1), 1, "put x 1"),
        Command(CLIENT_1, 0, "put x 1"),
        Command(CLIENT_1, 1, Reconfigure((ProcessId(LEADER, 9),))),
    ],
)
def test_what_is_no_command_is_not_proposed(command: Command) -> None:
    scene = quiet()
    for replica in REPLICAS:
        scene.world.nodes[replica].receive(Envelope(command.client, replica, Request(command)))
    scene.world.run(5.0)
    assert [scene.replica(number).state.slot_out for number in range(3)] == [1, 1, 1]
    assert scene.replica().counts["bad frames"] == 1


def test_numbers_say_what_they_stand_for() -> None:
    assert without_marker(Command(CLIENT_1, 9, again(7, "add  5", 3))) == (7, 3, "add  5")
    assert without_marker(Command(CLIENT_1, 9, "add 5")) == (9, 0, "add 5")
