"""The habits of nodes, one scene each: who gives way to whom, and how what got stuck goes on."""

from __future__ import annotations

from collections.abc import Callable

from helpers import A1

from pmmc_check.protocol.messages import Decision, P1a, P2a, P2b
from pmmc_check.protocol.values import BOTTOM, CLIENT, LEADER, REPLICA, Ballot, Command, ProcessId, commander_id, scout_id
from pmmc_check.runtime.leader_driver import LeaderDriver
from pmmc_check.runtime.machines import KeyValueStore
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
from pmmc_check.runtime.simulated_world import SimulatedWorld
from pmmc_check.runtime.surroundings import Commit, Envelope

C1, L1, L2, R1 = ProcessId(CLIENT, 1), ProcessId(LEADER, 1), ProcessId(LEADER, 2), ProcessId(REPLICA, 1)
B1, B2 = Ballot(0, 1), Ballot(0, 2)
PATIENCE = SIMULATED_TIMING.patience


class Scene:
    """One client, some leaders, three acceptors, three replicas; the first leader has its ballot adopted."""

    def __init__(self, leaders: int = 2) -> None:
        self.cluster = SimulatedCluster(SimulationPlan(Roster(clients=1, leaders=leaders, timing=SIMULATED_TIMING), KeyValueStore(), 1))
        self.world: SimulatedWorld = self.cluster.world
        self.passes(1.0)
        assert self.leads(L1)

    def passes(self, seconds: float) -> None:
        self.world.run(self.world.time + seconds)

    def driver(self, me: ProcessId) -> LeaderDriver:
        found = self.world.nodes[me].driver
        assert isinstance(found, LeaderDriver)
        return found

    def leads(self, me: ProcessId) -> bool:
        return self.driver(me).leads

    def asks(self, seconds: float = 3.0) -> bool:
        """Whether a request of the client is answered in time."""
        self.cluster.unanswered = 1
        self.cluster._ask(C1, 1, 0.0)
        self.passes(seconds)
        return not self.cluster.unanswered

    def log(self, me: ProcessId) -> list[str]:
        return self.world.logs[me].lines

    def takes_over(self, me: ProcessId) -> None:
        self.world.nodes[me].enter(self.driver(me)._take_over)


# ---- who leads ----


def test_a_preempted_leader_waits_as_long_as_its_preemptor_lives_and_no_longer() -> None:
    scene = Scene()
    scene.takes_over(L2)
    assert scene.asks()
    assert scene.world.nodes[L1].counts["preemptions"] > 0
    scene.passes(20 * PATIENCE)
    assert (scene.leads(L1), scene.leads(L2)) == (False, True)
    assert scene.driver(L1).state.ballot == B1, "preempted is on its way"
    scene.world.crash(L2)
    scene.passes(5 * PATIENCE)
    assert scene.leads(L1)
    assert scene.driver(L1).state.ballot > B2


def test_who_took_a_leader_for_dead_that_lived_has_twice_the_patience_and_forgets_it_slowly() -> None:
    scene = Scene()
    scene.world.sleep(L1)
    scene.passes(5 * PATIENCE)
    assert (scene.leads(L2), scene.driver(L2)._patience) == (True, PATIENCE)
    scene.world.wake(L1)
    scene.passes(0.5)
    assert 1.9 * PATIENCE < scene.driver(L2)._patience <= 2 * PATIENCE
    scene.passes(200.0)
    assert scene.driver(L2)._patience < 1.01 * PATIENCE


def test_a_leader_that_reaches_no_quorum_of_acceptors_does_not_say_that_it_lives() -> None:
    scene = Scene()
    acceptors = scene.world.setting.system.acceptors
    scene.world.weather.blocked |= {(L1, acceptors[0]), (L1, acceptors[1]), (acceptors[0], L1), (acceptors[1], L1)}
    scene.passes(10 * PATIENCE)
    assert scene.leads(L2)


def test_a_leader_whose_clock_jumps_back_takes_over_as_soon_as_any_other() -> None:
    scene = Scene()
    scene.world.clocks[L2].offset -= 60.0
    scene.world.crash(L1)
    scene.passes(10 * PATIENCE)
    assert scene.leads(L2)


# ---- the stuck slot ----


def test_a_p2a_that_has_overtaken_its_p1a_is_not_answered_until_it_comes_again() -> None:
    scene, ballot = Scene(), Ballot(5, 1)
    acceptor, commander = scene.world.nodes[A1], commander_id(ballot, 1)
    early = Envelope(commander, A1, P2a(ballot, 1, Command(C1, 1, "get k")))
    scene.world.weather.loss = 1.0
    for envelope, answers in ((early, 0), (Envelope(scout_id(ballot), A1, P1a(ballot)), 0), (early, 1)):
        acceptor.receive(envelope)
        scene.passes(0.1)
        assert sum("> p2b" in line for line in scene.log(A1)) == answers
    assert scene.log(A1)[-1].startswith("A1 > p2b b=5.L1 ")


def test_a_slot_that_has_lost_its_commander_is_decided_under_a_new_ballot() -> None:
    scene = Scene(leaders=1)
    away = {(each, L1) for each in scene.world.setting.system.acceptors}
    scene.world.weather.blocked |= away
    assert not scene.asks(0.2)
    scene.world.nodes[L1].receive(Envelope(A1, commander_id(B1, 1), P2b(A1, BOTTOM)))
    scene.passes(0.02)
    assert commander_id(B1, 1) not in scene.world.nodes[L1].host.processes
    scene.world.weather.blocked -= away
    scene.passes(3.0)
    assert scene.cluster.unanswered == 0
    assert scene.driver(L1).state.ballot > B1


def test_a_hole_before_what_is_decided_is_filled() -> None:
    """Slot 1 was never proposed to anybody who lives: whoever had done so is gone, as is the client, and nobody else asks."""
    scene, command = Scene(leaders=1), Command(C1, 1, "put k 7")
    replicas = scene.world.setting.system.replicas
    for me in replicas:
        scene.world.nodes[me].receive(Envelope(commander_id(B1, 2), me, Decision(2, command)))
    scene.passes(5.0)
    assert [scene.world.nodes[me].state.slot_out for me in replicas] == [3, 3, 3]
    assert scene.world.nodes[R1].state.decided_in(1) == [command]


# ---- batches ----


def test_what_comes_in_in_one_turn_is_one_commit_and_is_answered_after_it() -> None:
    scene, ballot, changes, sent = Scene(), Ballot(5, 1), [], []
    disk, commit, world = scene.world.disks[A1], scene.world.disks[A1].commit, scene.world

    def counted(change: Commit, done: Callable[[], None]) -> None:
        changes.append((change, len(sent)))
        commit(change, done)

    disk.commit = counted  # type: ignore[method-assign]
    world.send = sent.extend  # type: ignore[method-assign]
    world.nodes[A1].receive(Envelope(scout_id(ballot), A1, P1a(ballot)))
    for slot in range(1, 11):
        world.nodes[A1].receive(Envelope(commander_id(ballot, slot), A1, P2a(ballot, slot, Command(C1, slot, "get k"))))
    world.run(world.time + 0.05, lambda: bool(sent))
    ((change, before),) = changes
    assert before == 0
    assert (change.ballot, [each.slot for each in change.records]) == (ballot, list(range(1, 11)))
    assert sum(each.sender == A1 for each in sent) == 11
