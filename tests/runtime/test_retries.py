"""When something is asked for again, and what is handed on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from helpers import A1, A3

from pmmc_check.protocol.messages import Decision, P1a, Propose, Request, Response
from pmmc_check.protocol.values import REPLICA, ProcessId
from pmmc_check.runtime.machines import KeyValueStore
from pmmc_check.runtime.retries import HandingOn, Retries
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.signals import Lacking
from pmmc_check.runtime.simulated_faults import faults_named
from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
from pmmc_check.runtime.simulated_world import SimulatedDisk
from pmmc_check.runtime.surroundings import Commit, Envelope

R2, R3 = ProcessId(REPLICA, 2), ProcessId(REPLICA, 3)


def times_asked(retries: Retries, key: str, until: float, start: float = 0.0) -> list[float]:
    return [start + step / 100 for step in range(round((until - start) * 100)) if retries.due(key, start + step / 100)]


def test_questions_come_later_and_later() -> None:
    asked = times_asked(Retries(0.1, 1.0), "a", 5.0)
    assert [round(later - sooner, 1) for sooner, later in pairwise(asked)] == [0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


def test_who_is_slow_is_given_time() -> None:
    retries = Retries(0.1, 1.0)
    for number in range(50):
        retries.due(number, 0.0)
        retries.answered(number, 0.3)
    assert times_asked(retries, "a", 3.0)[0] > 0.55
    for number in range(50):
        retries.due(number, 0.0)
        retries.answered(number, 0.01)
    assert times_asked(retries, "b", 3.0)[0] < 0.15


def test_no_answer_makes_nobody_wait_for_ever() -> None:
    retries = Retries(0.1, 1.0)
    for number in range(50):
        retries.due(number, 0.0)
        retries.answered(number, 10_000.0)
    assert times_asked(retries, "a", 3.0)[0] <= 1.0


def test_a_clock_that_jumps_back_keeps_nothing_waiting() -> None:
    retries = Retries(0.1, 1.0)
    assert not retries.due("a", 1000.0)
    assert retries.due("a", 1.0)


def test_in_good_weather_one_replica_is_asked_and_answers_and_one_leader_gets_its_proposals() -> None:
    cluster = SimulatedCluster(SimulationPlan(Roster(timing=SIMULATED_TIMING), KeyValueStore(), 1, 20))
    sent: Counter[type] = Counter()
    send = cluster.world.send

    def sends(envelopes: Sequence[Envelope]) -> None:
        sent.update(type(each.content) for each in envelopes)
        send(envelopes)

    cluster.world.send = sends  # type: ignore[method-assign]
    result = cluster.run()
    assert (result.answered, result.decided) == (100, 100)
    assert sent[Decision] >= 300
    assert sent[Request] < 120
    assert sent[Response] < 120
    assert sent[Propose] < 130, "three each until the first decision says who leads"


def test_an_acceptor_that_has_missed_the_ballot_is_asked_on_since_another_may_fail() -> None:
    cluster = SimulatedCluster(SimulationPlan(Roster(timing=SIMULATED_TIMING), KeyValueStore(), 1, 20))
    world, send, start = cluster.world, cluster.world.send, cluster.world.start

    def sends(envelopes: Sequence[Envelope]) -> None:
        send([each for each in envelopes if world.time > 0.3 or not (each.to == A3 and isinstance(each.content, P1a))])

    def starts(me: ProcessId) -> None:
        if me != A1:
            start(me)

    world.send, world.start = sends, starts  # type: ignore[method-assign]
    world.at(0.2, lambda: world.crash(A1))
    assert cluster.run().answered == 100
    assert A1 not in world.nodes


def test_what_is_on_its_way_is_not_handed_on() -> None:
    handing = HandingOn()
    assert list(handing.slots_for(R2, 1, 0)) == []
    assert list(handing.slots_for(R2, 50, 80)) == [], "it gets on by itself"
    assert list(handing.slots_for(R2, 50, 80)) == list(range(50, 81)), "it does not"
    assert list(handing.slots_for(R2, 81, 90)) == list(range(81, 91)), "it has taken all that it was given"
    assert list(handing.slots_for(R2, 85, 90)) == []
    assert list(handing.slots_for(R3, 85, 90)) == [], "each replica for itself"
    assert list(handing.slots_for(R2, 3, 90)) == list(range(3, 91)), "it has come back from a crash"
    assert len(handing.slots_for(R2, 3, 100_000)) == 200


def test_a_client_whom_nobody_answers_does_not_ask_more_and_more() -> None:
    cluster = SimulatedCluster(SimulationPlan(Roster(clients=1, timing=SIMULATED_TIMING), KeyValueStore(), 1, 1, 1.0))
    world = cluster.world
    for me in world.setting.system.replicas:
        world.at(0.001, lambda me=me: world.crash(me))  # type: ignore[misc]
        world.at(200.0, lambda me=me: world.start(me))  # type: ignore[misc]
    (client,) = world.setting.system.clients
    world.at(0.002, lambda: cluster._ask(client, 1, 0.0))
    world.run(200.0)
    counts = world.nodes[client].counts
    assert 10 <= counts["sent request"] <= 20
    assert 150 <= counts["sent again"] <= 400, "about once a second, under its newest number"
    cluster.unanswered = 1
    world.run(230.0, lambda: not cluster.unanswered)
    assert cluster.unanswered == 0


def test_replicas_wait_for_the_disk_before_they_say_what_they_have_performed() -> None:
    """Acceptors forget what a majority of the replicas says that it has; decisions that nobody was told of need not be on the disk."""
    plan = SimulationPlan(Roster(timing=SIMULATED_TIMING), KeyValueStore(), 5, 40, 40.0, faults_named("kill,loss,slow-disk,partition"))
    cluster = SimulatedCluster(plan)
    disks = {me: WatchedDisk(cluster.world.disks[me]) for me in cluster.world.setting.system.replicas}
    said: list[tuple[int, int]] = []
    send = cluster.world.send

    def sent(envelopes: Sequence[Envelope]) -> None:
        said.extend((each.content.slot - 1, disks[each.sender].safe) for each in envelopes if isinstance(each.content, Lacking))
        send(envelopes)

    cluster.world.send = sent  # type: ignore[method-assign]
    assert cluster.run().failures == []
    assert all(performed <= safe for performed, safe in said)
    assert max(performed for performed, _ in said) >= 200
    assert all(each.waits < each.commits / 2 for each in disks.values()), "most commits of a replica are not waited for"


class WatchedDisk:
    """How many slots, from the first, a replica's disk keeps through a power failure."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self.safe = self.commits = self.waits = 0
        self._disk, self._write = disk, disk._written
        disk._written = self._written  # type: ignore[method-assign]

    def _written(self, change: Commit, done: Callable[[], None]) -> None:
        self.commits, self.waits = self.commits + 1, self.waits + change.promises
        if change.promises:
            known = {each.slot for each in (*self._disk.kept.records, *change.records)}
            self.safe = next(slot for slot in range(1, len(known) + 2) if slot not in known) - 1
        self._write(change, done)


def test_questions_that_are_lost_make_nobody_slower() -> None:
    retries = Retries(0.1, 1.0)
    now = 0.0
    for number in range(100):
        retries.due(number, now)
        for _ in range(3):  # three of four are lost
            while not retries.due(number, now):
                now += 0.01
        retries.answered(number, now + 0.02)
    assert times_asked(retries, "a", now + 3.0, now)[0] - now < 0.15
