"""The eight lessons."""

from __future__ import annotations

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.explorer.tour.lesson import CanHappen, Do, Holds, Lesson, Option, Predict, Say, Sends

_ONE_DECISION = Lesson(
    1,
    "one decision",
    "Two phases, and what a majority is for",
    "section 2.2 (ballots and acceptors), 2.3 (commanders), 2.4 (scouts)",
    "ACCEPTORS 3 LEADERS 1 REPLICAS 1 SLOTS 1 COMMANDS 1 NETWORK reliable",
    (
        Say(
            "One client, one replica R1, one leader L1, three acceptors. The client's request is on its way to R1. L1 has a scout for "
            "its first ballot, 0.L1 (round 0 of L1), and the scout has asked every acceptor to promise it: p1a(0.L1)."
        ),
        Do(("p1a to A1", "p1b(A1) to scout(0.L1)")),
        Predict(
            "The scout has one promise of three. What happens when A2's promise arrives, too?",
            ("p1a to A2", "p1b(A2) to scout(0.L1)"),
            (
                Option("it waits for A3: all must promise", (Sends("adopted", now=False),)),
                Option("it tells L1 that the ballot is adopted", (Sends("adopted to L1"),)),
            ),
            "Two of three are a majority, and any two majorities share an acceptor: whoever asks a majority later meets one of these two.",
        ),
        Do(("adopted to L1", "request to R1")),
        Predict(
            "L1 is active now, and R1 has proposed c1 for slot 1. What does L1 do when the proposal arrives?",
            ("propose to L1",),
            (
                Option("it decides c1 and tells R1", (Sends("decision"),)),
                Option("it creates a commander, which asks the acceptors to accept c1", (Sends("p2a"), Sends("decision", now=False))),
                Option("it asks for promises again, for this slot", (Sends("p1a"),)),
            ),
            "A ballot is adopted once, for all slots. For each slot and command the leader has a commander: phase 2.",
        ),
        Do(("p2a to A1", "p2a to A2")),
        Predict(
            "A1 and A2 have accepted (0.L1, 1, c1). Their answers reach the commander. And now?",
            ("p2b(A1)", "p2b(A2)"),
            (
                Option("c1 is decided in slot 1, whatever A3 does", (Holds("Decided(1, c1)"),)),
                Option("nothing is decided before A3 has accepted", (Holds("decided = {}"),)),
            ),
            "A command is decided once a majority has accepted it under one ballot. A3 was never heard of.",
        ),
    ),
)

_DUEL = Lesson(
    2,
    "duelling leaders",
    "Leaders that preempt each other, and what comes of it",
    "section 2.5 (leaders), 3 (when Paxos works)",
    "ACCEPTORS 1 LEADERS 2 REPLICAS 1 SLOTS 1 ROUNDS 3",
    (
        Say(
            "One acceptor, two leaders. Ballots are ordered by round, then by leader: 0.L1 < 0.L2 < 1.L1. Both scouts have sent p1a to A1."
        ),
        Do(("p1a(0.L1) to A1", "p1b(A1, 0.L1) to scout(0.L1)", "adopted to L1", "request to R1", "propose to L1")),
        Say("L1's ballot is adopted, and its commander asks A1 to accept c1. Before that arrives, L2's p1a does."),
        Predict(
            "A1 has promised 0.L1. What does it do with p1a(0.L2)?",
            ("p1a(0.L2) to A1",),
            (
                Option("it keeps 0.L1, since that is adopted", (Holds("acceptor[A1].ballot.leader = L1"),)),
                Option("it moves up to 0.L2", (Holds("acceptor[A1].ballot.leader = L2"),)),
            ),
            "An acceptor takes every ballot that is higher than its own. That a ballot is adopted is not known to it.",
        ),
        Predict(
            "Now the p2a of L1's commander arrives, for ballot 0.L1.",
            ("p2a(0.L1) to A1",),
            (
                Option("A1 accepts it", (Holds("acceptor[A1].accepted # {}"),)),
                Option("A1 does not, and answers with its ballot 0.L2", (Holds("acceptor[A1].accepted = {}"), Sends("p2b(A1, 0.L2)"))),
            ),
            "An acceptor accepts only under the ballot that it has promised. The answer tells the commander who is in the way.",
        ),
        Do(("p2b(A1, 0.L2) to commander(0.L1,1)",)),
        Predict(
            "The commander has exited, and sent preempted(0.L2) to L1.",
            ("preempted(0.L2) to L1",),
            (
                Option("L1 gives up", (Holds("leader[L1].ballot = BOTTOM"),)),
                Option("L1 tries again with 1.L1", (Holds("leader[L1].ballot.round = 1"), Sends("p1a(1.L1)"))),
                Option("L1 tries 0.L1 again", (Holds("leader[L1].ballot.round = 0"),)),
            ),
            "It goes to the next round, above the ballot that preempted it; so L2 may be preempted in turn, and so on.",
        ),
        CanHappen(
            "Can this duel go on, so that L2 is driven to round 2 with nothing decided?",
            "leader[L2].ballot.round = 2 /\\ decided = {}",
            "Nothing forces a decision: two leaders can preempt each other for ever. The paper's section 3 lets them back off.",
        ),
        CanHappen(
            "Can it lead to two different commands decided in one slot?",
            r"\E s \in Slots : \E c, d \in Commands : Decided(s, c) /\ Decided(s, d) /\ c # d",
            "There is one command here, so this was a trick; but in no configuration can it. Lesson 3 shows why.",
        ),
    ),
    shipped="duelling-leaders.spec",
)

_TWO_DECIDED = r"\E s \in Slots : \E c, d \in Commands : Decided(s, c) /\ Decided(s, d) /\ c # d"

_PMAX = Lesson(
    3,
    "why pmax",
    "A new leader takes over what may have been decided",
    "section 2.4 (scouts), 2.5 (leaders: pmax and the triangle)",
    "ACCEPTORS 1 LEADERS 2 REPLICAS 2 SLOTS 1 COMMANDS 2",
    (
        Say(
            "One acceptor, so that one acceptance is a majority. L1 gets c1 accepted in slot 1: c1 is chosen, though nobody knows it "
            "yet. L2 was proposed c2 for the same slot."
        ),
        Do(
            (
                "request(c1) to R1",
                "request(c2) to R2",
                "p1a(0.L1) to A1",
                "p1b(A1, 0.L1) to scout(0.L1)",
                "adopted to L1",
                "propose(1, c1) to L1",
                "propose(1, c2) to L2",
                "p2a(0.L1, 1, c1) to A1",
            )
        ),
        Predict(
            "L2's scout asks for promises. What does A1 answer?",
            ("p1a(0.L2) to A1",),
            (
                Option("only its ballot, 0.L2", (Sends("p1b(A1, 0.L2, {})"),)),
                Option("its ballot, and that it has accepted (0.L1, 1, c1)", (Sends("p1b(A1, 0.L2, {(0.L1, 1, c1)})"),)),
            ),
            "A promise carries all that the acceptor has accepted: the new leader must learn what may be decided.",
        ),
        Do(("p1b(A1, 0.L2) to scout(0.L2)",)),
        Predict(
            "The scout tells L2: adopted, with {(0.L1, 1, c1)}. Which command does L2 ask for in slot 1?",
            ("adopted(0.L2) to L2",),
            (
                Option("c2, which it was proposed", (Sends("p2a(0.L2, 1, c2)"),)),
                Option("c1, which A1 had accepted", (Sends("p2a(0.L2, 1, c1)"),)),
            ),
            "pmax of the reported pvalues overrides a leader's own proposals. c1 may have been chosen under 0.L1, and it was.",
        ),
        CanHappen("Can two different commands be decided in slot 1 from here?", _TWO_DECIDED, "Whatever happens now, c1 it is."),
        CanHappen(
            "And in a protocol whose leaders ignore pmax?",
            _TWO_DECIDED,
            "pmmc-check explore --acceptors 1 --slots 1 --commands 2 --variant ignore-pmax shows the run.",
            variant="ignore-pmax",
        ),
    ),
)

_STUCK = Lesson(
    4,
    "the stuck slot",
    "A sentence of the paper that is not true",
    "section 2.3 (commanders), which says that a p2b never carries a lower ballot",
    "ACCEPTORS 3 LEADERS 1 REPLICAS 1 SLOTS 1 COMMANDS 1 NETWORK reliable",
    (
        Say("Three acceptors, one leader, no fault at all, a network that loses nothing. A1 and A2 promise 0.L1; p1a to A3 is slow."),
        Do(
            (
                "request to R1",
                "p1a to A1",
                "p1a to A2",
                "p1b(A1)",
                "p1b(A2)",
                "propose to L1",
                "adopted to L1",
            ),
            quietly=True,
        ),
        Predict(
            "The ballot is adopted, and the commander has sent p2a(0.L1, 1, c1) to all. At A3 it overtakes the p1a. A3's ballot is ⊥.",
            ("p2a to A3",),
            (
                Option("A3 accepts: 0.L1 is higher than ⊥", (Holds("acceptor[A3].accepted # {}"),)),
                Option("A3 waits for the p1a", (Sends("p2b", now=False),)),
                Option(
                    "A3 does not accept, and answers with ⊥, a lower ballot", (Holds("acceptor[A3].accepted = {}"), Sends("p2b(A3, ⊥)"))
                ),
            ),
            "The paper's acceptor accepts only if the ballot equals its own. Its text says that a lower answer cannot come.",
        ),
        Predict(
            "The commander receives p2b(A3, ⊥). That is not its ballot.",
            ("p2b(A3, ⊥)",),
            (
                Option("it exits, and tells L1 that it was preempted by ⊥", (Sends("preempted(⊥) to L1"),)),
                Option("it ignores the answer and waits for A1 and A2", (Sends("preempted", now=False),)),
            ),
            "Any other ballot than its own makes it exit.",
        ),
        Predict(
            "L1 receives preempted(⊥).",
            ("preempted(⊥) to L1",),
            (
                Option("it starts a new ballot", (Sends("p1a"),)),
                Option("it ignores it: ⊥ is not above its ballot", (Holds("leader[L1].active"), Sends("p1a", now=False))),
            ),
            "So L1 stays active, and believes that a commander is at work for slot 1.",
        ),
        CanHappen("Can slot 1 still be decided?", "decided # {}", "Nobody will ever ask again. Progress is broken, safety is not."),
        CanHappen(
            "Suppose that commanders ignore lower ballots, and the same happens. Can slot 1 be decided?",
            "decided # {} /\\ acceptor[A3].accepted = {}",
            "This is one of two fixes that pmmc-check variants lists.",
            variant="ignore-lower-p2b",
        ),
    ),
    shipped="stuck-slot.spec",
)

_LOST = Lesson(
    5,
    "the lost slot",
    "A command that loses its slot is proposed again",
    "section 2.1 (clients, replicas and slots)",
    "ACCEPTORS 1 LEADERS 1 REPLICAS 2 SLOTS 2 COMMANDS 2 NETWORK reliable",
    (
        Say("Two replicas receive the two requests in different order. R1 proposes c1 for slot 1, and R2 proposes c2 for slot 1."),
        Do(("request(c1) to R1", "request(c2) to R2")),
        Do(("p1a to A1", "p1b to scout(0.L1)", "adopted to L1", "propose(1, c1) to L1"), quietly=True),
        Predict(
            "L1 has c1 for slot 1. Now R2's proposal arrives.",
            ("propose(1, c2) to L1",),
            (
                Option("it replaces c1 by c2", (Holds("\\E p \\in leader[L1].proposals : p.command = c2"),)),
                Option("it keeps c1", (Holds("\\A p \\in leader[L1].proposals : p.command = c1"),)),
            ),
            "One ballot, one slot, one command: the first one stays (invariant C1).",
        ),
        Do(("p2a to A1", "p2b to commander(0.L1,1)"), quietly=True),
        Predict(
            "c1 is decided in slot 1. R2 learns it, and had proposed c2 there. What becomes of c2?",
            ("decision(1, c1) to R2",),
            (
                Option("R2 forgets it: the client must send it again", (Sends("propose", now=False), Holds("replica[R2].requests = {}"))),
                Option("R2 proposes c2 again, for slot 2", (Sends("propose(2, c2)"),)),
                Option("R2 proposes c2 for slot 1 again", (Sends("propose(1, c2)"),)),
            ),
            "It goes back into R2's requests, and R2 proposes it for the next free slot.",
        ),
        CanHappen("Can c2 be decided from here?", "\\E s \\in Slots : Decided(s, c2)", "In slot 2."),
        CanHappen(
            "Suppose that losers were not put back. Can R2 have learnt slot 1, and have nothing left of c2, which is decided nowhere?",
            "replica[R2].slot_out = 2 /\\ replica[R2].requests = {} /\\ replica[R2].proposals = {} /\\ ~Decided(1, c2) /\\ ~Decided(2, c2)",
            "Then R2's command would be lost. pmmc-check explore --variant drop-loser shows it as a broken Progress.",
            variant="drop-loser",
        ),
    ),
)

_WINDOW = Lesson(
    6,
    "the window",
    "How far a replica may run ahead",
    "section 2.1 (WINDOW)",
    "ACCEPTORS 1 LEADERS 1 REPLICAS 1 SLOTS 2 COMMANDS 2 WINDOW 1 NETWORK reliable",
    (
        Say(
            "WINDOW is 1: a replica may propose for slots below slot_out + 1 only, that is, for the slot it waits for. "
            "R1 has proposed c1 for slot 1."
        ),
        Do(("request(c1) to R1",)),
        Predict(
            "The second request arrives.",
            ("request(c2) to R1",),
            (
                Option("R1 proposes c2 for slot 2", (Sends("propose(2, c2)"),)),
                Option(
                    "R1 keeps c2 among its requests, and proposes nothing",
                    (Sends("propose", now=False), Holds("c2 \\in replica[R1].requests")),
                ),
            ),
            "slot_in is 2, slot_out is 1: slot 2 is outside of the window (invariant R5).",
        ),
        Do(
            ("p1a to A1", "p1b to scout(0.L1)", "adopted to L1", "propose(1, c1) to L1", "p2a to A1", "p2b to commander(0.L1,1)"),
            quietly=True,
        ),
        Predict(
            "c1 is decided in slot 1, and R1 learns it.",
            ("decision(1, c1) to R1",),
            (
                Option("R1 performs c1; c2 waits for another request", (Sends("response"), Sends("propose", now=False))),
                Option("R1 performs c1, and proposes c2 for slot 2 in the same step", (Sends("response"), Sends("propose(2, c2)"))),
            ),
            "Performing slot 1 makes slot_out 2, and the window moves. A larger WINDOW lets more slots be decided at the same time.",
        ),
        CanHappen(
            "Can R1 ever be two slots ahead: slot_in = slot_out + 2?",
            "replica[R1].slot_in = replica[R1].slot_out + 2",
            "With WINDOW 1, slot_in is at most slot_out + 1. It costs speed; lesson 7 shows what the bound is for.",
        ),
    ),
)

_RECONFIGURATION = Lesson(
    7,
    "reconfiguration",
    "A command that changes the leaders, WINDOW slots later",
    "section 2.1 (reconfiguration commands)",
    "ACCEPTORS 1 LEADERS 1 REPLICAS 1 SLOTS 2 COMMANDS 1 WINDOW 1 RECONFIGURATIONS 1",
    (
        Say(
            "L1 with acceptor A1 is the first configuration; L2 with A2 the next. Command c2 is reconfigure(L2). WINDOW is 1. "
            "R1 proposes c2 for slot 1, and it is decided."
        ),
        Do(
            (
                "request(c2) to R1",
                "p1a(0.L1) to A1",
                "p1b to scout(0.L1)",
                "adopted to L1",
                "propose(1, c2) to L1",
                "p2a(0.L1, 1, c2) to A1",
                "p2b(A1, 0.L1) to commander(0.L1,1)",
            ),
            quietly=True,
        ),
        Do(("decision(1, c2) to R1",)),
        Predict(
            "Now the client's request c1 arrives. R1 proposes it for slot 2. To whom?",
            ("request(c1) to R1",),
            (
                Option("to L1", (Sends("propose(2, c1) to L1"), Sends("propose(2, c1) to L2", now=False))),
                Option("to L2", (Sends("propose(2, c1) to L2"), Sends("propose(2, c1) to L1", now=False))),
                Option("to both, to be safe", (Sends("propose(2, c1) to L1"), Sends("propose(2, c1) to L2"))),
            ),
            "Slot 2 is slot 1 + WINDOW: the first slot of the new configuration. Every replica knows that before it proposes for "
            "slot 2, since it must have learnt slot 1 by then.",
        ),
        CanHappen(
            "Can slot 2 be decided without L2's ballot being adopted, from here?",
            "Decided(2, c1) /\\ ~leader[L2].active",
            "Only the leaders of its configuration decide a slot.",
        ),
        CanHappen(
            "And can c1 be decided in slot 2 at all?",
            "Decided(2, c1)",
            "By L2, with A2. That is why the window is bounded: nobody may run ahead of a change.",
        ),
    ),
    shipped="reconfiguration.spec",
)

_CRASH = Lesson(
    8,
    "crash and restart",
    "What an acceptor must keep on disk",
    "section 3 (when Paxos works: keeping state on disk)",
    "ACCEPTORS 1 LEADERS 2 REPLICAS 2 SLOTS 1 COMMANDS 2 CRASHES 1 RESTARTS 1 FAULTY acceptor",
    (
        Say("One acceptor, which may crash once and come back. It has accepted (0.L1, 1, c1), and c1 is decided. Then it crashes."),
        Do(
            (
                "request(c1) to R1",
                "request(c2) to R2",
                "p1a(0.L1) to A1",
                "p1b(A1, 0.L1) to scout(0.L1)",
                "adopted to L1",
                "propose(1, c1) to L1",
                "propose(1, c2) to L2",
                "p2a(0.L1, 1, c1) to A1",
                "p2b(A1, 0.L1) to commander(0.L1,1)",
            ),
            quietly=True,
        ),
        Do(("crash A1", "restart A1")),
        Predict(
            "It is back. L2's scout asks for promises.",
            ("p1a(0.L2) to A1",),
            (
                Option("A1 answers that it has accepted nothing", (Sends("p1b(A1, 0.L2, {})"),)),
                Option("A1 answers that it has accepted (0.L1, 1, c1)", (Sends("p1b(A1, 0.L2, {(0.L1, 1, c1)})"),)),
            ),
            "Ballot and accepted pvalues are kept over a restart: they were written to disk before each answer.",
        ),
        CanHappen("Can two different commands be decided in slot 1 from here?", _TWO_DECIDED, "L2 learns c1, as in lesson 3."),
        CanHappen(
            "And if a restart lost what was accepted?",
            _TWO_DECIDED,
            "An acceptor that forgets breaks its word. specs/forgetful-acceptor.spec is this protocol.",
            variant="restart-loses-accepted",
        ),
    ),
)

LESSONS = (_ONE_DECISION, _DUEL, _PMAX, _STUCK, _LOST, _WINDOW, _RECONFIGURATION, _CRASH)


def lesson_named(text: str) -> Lesson:
    """A lesson by its number, or by its name or the beginning of it.

    Raises:
        UsageError: there is none, or there are several.
    """
    wanted = text.strip().lower().replace("-", " ")
    exact = [each for each in LESSONS if wanted in (str(each.number), each.name, each.name.removeprefix("the "))]
    found = exact or [each for each in LESSONS if each.name.startswith(wanted) and not wanted.isdecimal()]
    if len(found) != 1:
        names = [each.name for each in LESSONS]
        raise UsageError(f"there is no lesson {text[:40]}{did_you_mean(wanted, names)}; they are 1 to {len(LESSONS)}: {', '.join(names)}")
    return found[0]
