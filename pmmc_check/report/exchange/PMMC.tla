-------------------------------- MODULE PMMC --------------------------------
(***************************************************************************)
(* Multi-Paxos after R. van Renesse and D. Altinbuken, "Paxos Made         *)
(* Moderately Complex" (ACM Computing Surveys 47(3), 2015), in the exact   *)
(* form that the page `protocol.md' fixes for all engines of pmmc-check.   *)
(* This module is the independent witness of their golden state counts:    *)
(* all networks, crashes and restarts, reconfiguration; no variant.        *)
(*                                                                         *)
(* Conventions, numbered as on the page, with what all engines decided     *)
(* beyond its letter:                                                      *)
(*                                                                         *)
(*  1. Creating a scout or commander, and its broadcast of p1a or p2a, is  *)
(*     part of the leader's step.  There is at most one scout per ballot   *)
(*     and one commander per (ballot, slot); an exited one keeps no state  *)
(*     (the one value Exited) and ignores whatever still arrives.  A not   *)
(*     yet created one is NotStarted.  A running commander's state is its  *)
(*     command and waitfor.                                                *)
(*  2. Initial state: every leader has its round-0 scout, whose p1a is     *)
(*     sent; every request is in flight to every replica.  Commands are    *)
(*     c1..ck, one client each.                                            *)
(*  3. Slots bound propose(): it also stops when slot_in > SlotCount.      *)
(*     Rounds bound ballots: a leader that would need a round >= RoundCount *)
(*     retires.  Like an exited process it then keeps no state (the one    *)
(*     value Retired); its running scouts and commanders go on.            *)
(*  4. A majority of n is more than n/2. Quorums are majorities on the     *)
(*     page; here as many acceptors as Quorum1 (scouts) and Quorum2        *)
(*     (commanders) say.                                                   *)
(*  5. Network `duplicating': `messages' is the set of all messages ever   *)
(*     sent; any of them may be delivered at any time, any number of       *)
(*     times, or never.  A message has only the fields of the page's       *)
(*     table, no sender besides them, plus its addressee (`to') where it   *)
(*     goes to one process: p1b -> scout(ballot), p2b -> commander(ballot, *)
(*     slot), adopted and preempted -> leader, response -> client.  So the *)
(*     same propose of two replicas is one message, and so is the same     *)
(*     preempted of two processes to one leader.  A broadcast is one       *)
(*     element of the set.  Network `fifo': a queue for each pair of       *)
(*     processes, and the first of a queue may be delivered.  Scouts,      *)
(*     commanders and clients are processes of their own; a scout or       *)
(*     commander sends its p1a or p2a itself.                              *)
(*  6. A step delivers one message to one process, with everything the     *)
(*     page makes part of it; loops of a replica run to completion within  *)
(*     the step.  A step that changes nothing is a stuttering step.  A     *)
(*     delivery to a client changes nothing, so it is not an action here.  *)
(*  7. Depth: as TLC counts it with one worker, the initial state being 1. *)
(*                                                                         *)
(* Where the page says "some" or "any", every choice is a successor: the   *)
(* request a replica proposes; and, under faults only, which of several    *)
(* decisions of slot_out it performs and which of several pvalues of equal *)
(* highest ballot pmax takes.                                              *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets, Bags

CONSTANTS
    AcceptorCount,
    Quorum1,        \* so many acceptors of a set are a quorum of phase 1, and of phase 2;
    Quorum2,        \* the page's are majorities
    LeaderCount,
    ReplicaCount,
    SlotCount,      \* propose() stops after this slot
    CommandCount,
    RoundCount,     \* rounds are 0 .. RoundCount - 1
    Window,         \* the page's default is SlotCount
    ReconfigurationCount,  \* so many further sets of leaders and acceptors, and commands that change to them
    Network,        \* "duplicating", "reliable", "lossy" or "fifo"
    CrashCount,     \* at most so many crashes in a run, and so many restarts
    RestartCount,
    Faulty          \* the roles that may crash: a subset of {"acceptor", "replica", "leader"}

ASSUME \A n \in {AcceptorCount, LeaderCount, ReplicaCount, SlotCount,
                 CommandCount, RoundCount, Window} : n \in Nat \ {0}
ASSUME {Quorum1, Quorum2} \subseteq 1 .. AcceptorCount

-----------------------------------------------------------------------------
(* Values.                                                                 *)

\* Counts of acceptors and leaders are those of one set; the sets are numbered on. A leader, with its
\* scouts and commanders, uses the acceptors of its set.
Sets     == 1 .. 1 + ReconfigurationCount
Acceptor == 1 .. AcceptorCount * (1 + ReconfigurationCount)
Leader   == 1 .. LeaderCount * (1 + ReconfigurationCount)
LeadersOf(set) == (set - 1) * LeaderCount + 1 .. set * LeaderCount
SetOf(l)       == CHOOSE set \in Sets : l \in LeadersOf(set)
AcceptorsOf(l) == (SetOf(l) - 1) * AcceptorCount + 1 .. SetOf(l) * AcceptorCount
Replica  == 1 .. ReplicaCount
Slot     == 1 .. SlotCount
Round    == 0 .. RoundCount - 1

\* Command k is the only command of client k, so its cid is always 1. The last ones are the
\* reconfigurations, each to the next set of leaders.
Command == 1 .. CommandCount + ReconfigurationCount
IsReconfiguration(c) == c > CommandCount
NewSet(c)            == c - CommandCount + 1
ClientOf(c) == c
CidOf(c)    == 1

\* A ballot is <<round, leader>>, ordered lexicographically; Bottom is below every ballot.
Ballot == Round \X Leader
Bottom == <<-1, 0>>
RoundOf(b)  == b[1]
LeaderOf(b) == b[2]
Below(b, d) == \/ RoundOf(b) < RoundOf(d)
               \/ RoundOf(b) = RoundOf(d) /\ LeaderOf(b) < LeaderOf(d)
AtMost(b, d) == b = d \/ Below(b, d)

PValue == [ballot : Ballot, slot : Slot, command : Command]

\* Maps from slots to commands (proposals, decisions) are sets of pairs <<slot, command>>.
SlotsOf(map)      == {e[1] : e \in map}
EntriesOf(map, s) == {e \in map : e[1] = s}
CommandsOf(map)   == {e[2] : e \in map}

\* x <| y : the map y, completed by the entries of x whose slot y lacks (y wins).
CompletedBy(y, x) == y \cup {e \in x : e[1] \notin SlotsOf(y)}

\* pmax: for every slot the command of a pvalue with the highest ballot for that slot.
\* The set of all such maps: more than one only if pvalues of equal ballot and slot differ.
PMaxChoices(pvals) ==
    LET slots   == {p.slot : p \in pvals}
        highest == {p \in pvals : \A q \in pvals : q.slot = p.slot => AtMost(q.ballot, p.ballot)}
        picks   == {f \in [slots -> Command] :
                        \A s \in slots : \E p \in highest : p.slot = s /\ p.command = f[s]}
    IN  {{<<s, f[s]>> : s \in slots} : f \in picks}

Answered(waitfor) == AcceptorCount - Cardinality(waitfor)

-----------------------------------------------------------------------------
(* Messages (convention 5).                                                *)

RequestMsg(c)       == [type |-> "request", command |-> c]
\* A propose goes to the leaders of one set: as they are disjoint, that is as good as an addressee.
ProposeMsg(s, c, set) == [type |-> "propose", slot |-> s, command |-> c, set |-> set]
P1aMsg(b)           == [type |-> "p1a", ballot |-> b]
P1bMsg(scout, a, b, r) ==
    [type |-> "p1b", to |-> scout, acceptor |-> a, ballot |-> b, pvalues |-> r]
P2aMsg(b, s, c)     == [type |-> "p2a", ballot |-> b, slot |-> s, command |-> c]
P2bMsg(commander, a, b) ==
    [type |-> "p2b", to |-> commander, acceptor |-> a, ballot |-> b]
AdoptedMsg(b, pvals) ==
    [type |-> "adopted", to |-> LeaderOf(b), ballot |-> b, pvalues |-> pvals]
PreemptedMsg(l, b)  == [type |-> "preempted", to |-> l, ballot |-> b]
DecisionMsg(s, c)   == [type |-> "decision", slot |-> s, command |-> c]
ResponseMsg(c, result) ==
    [type |-> "response", to |-> ClientOf(c), cid |-> CidOf(c), result |-> result]

-----------------------------------------------------------------------------
(* State: one variable a role, and the network.                            *)

VARIABLES
    replicas,    \* [Replica -> [set, slot_in, slot_out, requests, proposals, decisions, performed]]
    acceptors,   \* [Acceptor -> [ballot, accepted]]
    leaders,     \* [Leader -> [status, ballot, active, proposals] or Retired]
    scouts,      \* [Ballot -> NotStarted, [status, waitfor, pvalues] or Exited]
    commanders,  \* [Ballot \X Slot -> NotStarted, [status, command, waitfor] or Exited]
    messages,    \* the set of all messages ever sent
    sent,        \* what the last step has sent: no part of the state, see View
    inflight,    \* "reliable", "lossy": the bag of all <<message, recipient>> on their way;
                 \* "fifo": the queue of each <<sender, recipient>> that has anything on its way
    decidedBy,   \* the commanders that have decided: what Agreement speaks of where decisions get lost
    down,        \* the processes that have crashed and not restarted, as <<role, number>>
    budget       \* <<crashes, restarts>> that this run may still have

roles == <<replicas, acceptors, leaders, scouts, commanders>>
faults == <<down, budget>>
vars == <<roles, messages, sent, inflight, decidedBy, faults>>

\* What tells states apart. A network that forgets keeps of the messages ever sent only the p2a, and
\* where a decision can be lost which commanders have decided: C1, C2 and Agreement speak of them.
Loses == Network = "lossy" \/ CrashCount > 0
View == <<roles, faults,
          IF Network = "duplicating" THEN messages ELSE {m \in messages : m.type = "p2a"},
          inflight, IF Loses THEN decidedBy ELSE {}>>

NotStarted == [status |-> "not started"]
Exited     == [status |-> "exited"]
Retired    == [status |-> "retired"]
Running(p) == p.status = "running"

\* Who a message goes to, as <<role, who>>; Copies: one for each recipient.
Recipients(m) ==
    CASE m.type \in {"request", "decision"} -> {<<"replica", r>> : r \in Replica}
      [] m.type = "propose"                 -> {<<"leader", l>> : l \in LeadersOf(m.set)}
      [] m.type \in {"p1a", "p2a"}          -> {<<"acceptor", a>> : a \in AcceptorsOf(LeaderOf(m.ballot))}
      [] m.type = "p1b"                     -> {<<"scout", m.to>>}
      [] m.type = "p2b"                     -> {<<"commander", m.to>>}
      [] m.type \in {"adopted", "preempted"} -> {<<"leader", m.to>>}
      [] m.type = "response"                -> {<<"client", m.to>>}
Copies(msgs) == UNION {{<<m, to>> : to \in Recipients(m)} : m \in msgs}

\* Who sends m in a step of `actor': what a step creates sends its first message itself.
SenderOf(m, actor) ==
    CASE m.type = "request" -> <<"client", ClientOf(m.command)>>
      [] m.type = "p1a"     -> <<"scout", m.ballot>>
      [] m.type = "p2a"     -> <<"commander", <<m.ballot, m.slot>>>>
      [] OTHER              -> actor

\* Of what one step sends from one process to another, only proposals can be several: in the
\* order of their slots, as propose() makes them.
RECURSIVE InOrder(_)
InOrder(msgs) ==
    IF msgs = {} THEN <<>>
    ELSE LET first == CHOOSE m \in msgs : \A n \in msgs \ {m} :
                         m.type = "propose" /\ n.type = "propose" /\ m.slot < n.slot
         IN  <<first>> \o InOrder(msgs \ {first})

\* Queues, as a function of <<sender, recipient>>; a pair without messages is not in its domain.
NoQueues == [pair \in {} |-> <<>>]
Queued(queues, msgs, actor) ==
    LET new == UNION {{<<SenderOf(m, actor), to>> : to \in Recipients(m)} : m \in msgs}
        NewIn(pair) == {m \in msgs : SenderOf(m, actor) = pair[1] /\ pair[2] \in Recipients(m)}
    IN  [pair \in DOMAIN queues \cup new |->
            (IF pair \in DOMAIN queues THEN queues[pair] ELSE <<>>) \o InOrder(NewIn(pair))]
WithoutFirst(queues, pair) ==
    IF Len(queues[pair]) > 1 THEN [queues EXCEPT ![pair] = Tail(@)]
    ELSE [other \in DOMAIN queues \ {pair} |-> queues[other]]

NewScout(b)        == [status |-> "running", waitfor |-> AcceptorsOf(LeaderOf(b)), pvalues |-> {}]
NewCommander(b, c) == [status |-> "running", command |-> c, waitfor |-> AcceptorsOf(LeaderOf(b))]
NewReplica(decisions) ==
    [set |-> 1, slot_in |-> 1, slot_out |-> 1, requests |-> {}, proposals |-> {}, decisions |-> decisions,
     performed |-> <<>>]  \* the application state: the commands performed, in order

Init ==
    /\ replicas = [r \in Replica |-> NewReplica({})]
    /\ acceptors = [a \in Acceptor |-> [ballot |-> Bottom, accepted |-> {}]]
    /\ leaders = [l \in Leader |->
          [status |-> "running", ballot |-> <<0, l>>, active |-> FALSE, proposals |-> {}]]
    /\ scouts = [b \in Ballot |-> IF RoundOf(b) = 0 THEN NewScout(b) ELSE NotStarted]
    /\ commanders = [bs \in Ballot \X Slot |-> NotStarted]
    /\ messages = {RequestMsg(c) : c \in Command} \cup {P1aMsg(<<0, l>>) : l \in Leader}
    /\ sent = {}
    /\ inflight = CASE Network = "duplicating" -> EmptyBag
                    [] Network = "fifo"        -> Queued(NoQueues, messages, <<"nobody", 0>>)
                    [] OTHER                   -> SetToBag(Copies(messages))
    /\ decidedBy = {}
    /\ down = {}
    /\ budget = <<CrashCount, RestartCount>>

Send(msgs) == /\ messages' = messages \cup msgs
              /\ sent' = msgs

-----------------------------------------------------------------------------
(* Replica.  Its loops choose, so they give the set of their outcomes:     *)
(* [state, sends], the replica's state and all that the step has sent.     *)

\* A reconfiguration that is decided in slot_in - Window takes effect for slot_in.
TakenOver(rep) ==
    LET sets == {NewSet(c) : c \in {d \in CommandsOf(EntriesOf(rep.decisions, rep.slot_in - Window)) :
                                        IsReconfiguration(d)}}
    IN  IF sets = {} THEN rep ELSE [rep EXCEPT !.set = CHOOSE set \in sets : TRUE]

\* propose(): while slot_in < slot_out + Window and requests is not empty ...
RECURSIVE Propose(_, _)
Propose(before, sends) ==
    IF /\ before.slot_in < before.slot_out + Window
       /\ before.slot_in <= SlotCount                    \* convention 3
       /\ before.requests /= {}
    THEN LET rep == TakenOver(before)
         IN  IF rep.slot_in \in SlotsOf(rep.decisions)
             THEN Propose([rep EXCEPT !.slot_in = @ + 1], sends)
             ELSE UNION {Propose([rep EXCEPT !.slot_in   = @ + 1,
                                             !.requests  = @ \ {c},
                                             !.proposals = @ \cup {<<rep.slot_in, c>>}],
                                 sends \cup {ProposeMsg(rep.slot_in, c, rep.set)}) : c \in rep.requests}
    ELSE {[state |-> before, sends |-> sends]}

\* perform(c): at once if c was decided in no slot below slot_out, and is no reconfiguration.
Perform(rep, c) ==
    IF IsReconfiguration(c) \/ \E e \in rep.decisions : e[1] < rep.slot_out /\ e[2] = c
    THEN [state |-> [rep EXCEPT !.slot_out = @ + 1], sends |-> {}]
    ELSE LET performed == Append(rep.performed, c)
         IN  [state |-> [rep EXCEPT !.slot_out = @ + 1, !.performed = performed],
              sends |-> {ResponseMsg(c, Len(performed))}]

\* decision: while some (slot_out, c) is decided, take slot_out's own proposal back, perform(c).
RECURSIVE PerformDecided(_, _)
PerformDecided(rep, sends) ==
    LET decided  == CommandsOf(EntriesOf(rep.decisions, rep.slot_out))
        proposed == EntriesOf(rep.proposals, rep.slot_out)
        Next1(c) == Perform([rep EXCEPT !.proposals = @ \ proposed,
                                        !.requests  = @ \cup (CommandsOf(proposed) \ {c})], c)
    IN  IF decided = {}
        THEN {[state |-> rep, sends |-> sends]}
        ELSE UNION {PerformDecided(Next1(c).state, sends \cup Next1(c).sends) : c \in decided}

ReplicaTakes(r, outcome) ==
    /\ replicas' = [replicas EXCEPT ![r] = outcome.state]
    /\ Send(outcome.sends)
    /\ UNCHANGED <<acceptors, leaders, scouts, commanders>>

\* request(c): also when c was proposed or decided before.
Request(r, m) ==
    /\ m.type = "request"
    /\ \E outcome \in Propose([replicas[r] EXCEPT !.requests = @ \cup {m.command}], {}) :
          ReplicaTakes(r, outcome)

\* decision(s, c)
Decision(r, m) ==
    /\ m.type = "decision"
    /\ LET told == [replicas[r] EXCEPT !.decisions = @ \cup {<<m.slot, m.command>>}]
       IN  \E caught_up \in PerformDecided(told, {}) :
              \E outcome \in Propose(caught_up.state, caught_up.sends) :
                 ReplicaTakes(r, outcome)

-----------------------------------------------------------------------------
(* Acceptor.                                                               *)

\* p1a(b) from scout b
P1a(a, m) ==
    /\ m.type = "p1a"
    /\ LET acc    == acceptors[a]
           ballot == IF Below(acc.ballot, m.ballot) THEN m.ballot ELSE acc.ballot
       IN  /\ acceptors' = [acceptors EXCEPT ![a].ballot = ballot]
           /\ Send({P1bMsg(m.ballot, a, ballot, acc.accepted)})
    /\ UNCHANGED <<replicas, leaders, scouts, commanders>>

\* p2a(b, s, c) from commander (b, s).  The reply goes out whether or not it accepts: see the
\* page's erratum "Stuck slot", which this module has.
P2a(a, m) ==
    /\ m.type = "p2a"
    /\ LET acc    == acceptors[a]
           pvalue == [ballot |-> m.ballot, slot |-> m.slot, command |-> m.command]
       IN  /\ acceptors' = IF m.ballot = acc.ballot
                           THEN [acceptors EXCEPT ![a].accepted = @ \cup {pvalue}]
                           ELSE acceptors
           /\ Send({P2bMsg(<<m.ballot, m.slot>>, a, acc.ballot)})
    /\ UNCHANGED <<replicas, leaders, scouts, commanders>>

-----------------------------------------------------------------------------
(* Scout, identified by its ballot; commander, by <<ballot, slot>>.        *)

\* p1b(a, b', r): pvalues grow at every answer of equal ballot, a duplicated one too.
P1b(m) ==
    /\ m.type = "p1b"
    /\ Running(scouts[m.to])
    /\ LET b       == m.to
           pvalues == scouts[b].pvalues \cup m.pvalues
           waitfor == scouts[b].waitfor \ {m.acceptor}
       IN  IF m.ballot /= b
           THEN /\ scouts' = [scouts EXCEPT ![b] = Exited]
                /\ Send({PreemptedMsg(LeaderOf(b), m.ballot)})
           ELSE IF Answered(waitfor) >= Quorum1
           THEN /\ scouts' = [scouts EXCEPT ![b] = Exited]
                /\ Send({AdoptedMsg(b, pvalues)})
           ELSE /\ scouts' = [scouts EXCEPT ![b].pvalues = pvalues, ![b].waitfor = waitfor]
                /\ Send({})
    /\ UNCHANGED <<replicas, acceptors, leaders, commanders>>

\* p2b(a, b'): b' may be lower than b, even Bottom (erratum "Stuck slot").
P2b(m) ==
    /\ m.type = "p2b"
    /\ Running(commanders[m.to])
    /\ LET b       == m.to[1]
           s       == m.to[2]
           waitfor == commanders[m.to].waitfor \ {m.acceptor}
       IN  IF m.ballot /= b
           THEN /\ commanders' = [commanders EXCEPT ![m.to] = Exited]
                /\ Send({PreemptedMsg(LeaderOf(b), m.ballot)})
           ELSE IF Answered(waitfor) >= Quorum2
           THEN /\ commanders' = [commanders EXCEPT ![m.to] = Exited]
                /\ Send({DecisionMsg(s, commanders[m.to].command)})
           ELSE /\ commanders' = [commanders EXCEPT ![m.to].waitfor = waitfor]
                /\ Send({})
    /\ UNCHANGED <<replicas, acceptors, leaders, scouts>>

-----------------------------------------------------------------------------
(* Leader.                                                                 *)

\* Spawn Commander(b, s, c) for every <<s, c>> of the map, and send their p2a (convention 1).
SpawnCommanders(b, map) ==
    /\ commanders' = [bs \in DOMAIN commanders |->
          IF bs[1] = b /\ bs[2] \in SlotsOf(map)
          THEN NewCommander(b, CHOOSE c \in Command : <<bs[2], c>> \in map)
          ELSE commanders[bs]]
    /\ Send({P2aMsg(b, e[1], e[2]) : e \in map})

\* propose(s, c)
ProposeToLeader(l, m) ==
    /\ m.type = "propose"
    /\ Running(leaders[l])
    /\ m.slot \notin SlotsOf(leaders[l].proposals)
    /\ LET proposal == <<m.slot, m.command>>
       IN  /\ leaders' = [leaders EXCEPT ![l].proposals = @ \cup {proposal}]
           /\ SpawnCommanders(leaders[l].ballot, IF leaders[l].active THEN {proposal} ELSE {})
    /\ UNCHANGED <<replicas, acceptors, scouts>>

\* adopted(b, pvals), only if b = ballot and not active
Adopted(m) ==
    /\ m.type = "adopted"
    /\ Running(leaders[m.to])
    /\ m.ballot = leaders[m.to].ballot
    /\ ~leaders[m.to].active
    /\ \E pmax \in PMaxChoices(m.pvalues) :
          LET proposals == CompletedBy(pmax, leaders[m.to].proposals)
          IN  /\ leaders' = [leaders EXCEPT ![m.to].proposals = proposals, ![m.to].active = TRUE]
              /\ SpawnCommanders(m.ballot, proposals)
    /\ UNCHANGED <<replicas, acceptors, scouts>>

\* preempted(b'), only if b' > ballot: a new round and its scout (convention 1), or retirement
\* (convention 3).
Preempted(m) ==
    /\ m.type = "preempted"
    /\ Running(leaders[m.to])
    /\ Below(leaders[m.to].ballot, m.ballot)
    /\ LET b == <<RoundOf(m.ballot) + 1, m.to>>
       IN  IF RoundOf(b) \in Round
           THEN /\ leaders' = [leaders EXCEPT ![m.to].ballot = b, ![m.to].active = FALSE]
                /\ scouts' = [scouts EXCEPT ![b] = NewScout(b)]
                /\ Send({P1aMsg(b)})
           ELSE /\ leaders' = [leaders EXCEPT ![m.to] = Retired]
                /\ UNCHANGED scouts
                /\ Send({})
    /\ UNCHANGED <<replicas, acceptors, commanders>>

-----------------------------------------------------------------------------
(* One step delivers one message to one process (convention 6).            *)

Handle(m, to) ==
    \/ to[1] = "replica" /\ (Request(to[2], m) \/ Decision(to[2], m))
    \/ to[1] = "acceptor" /\ (P1a(to[2], m) \/ P2a(to[2], m))
    \/ to[1] = "leader" /\ (ProposeToLeader(to[2], m) \/ Adopted(m) \/ Preempted(m))
    \/ P1b(m)
    \/ P2b(m)

\* Messages that their recipient takes no notice of: the guards of the actions above, negated.
TakenNoNoticeOf(m, to) ==
    \/ m.type = "response"
    \/ m.type = "p1b" /\ ~Running(scouts[m.to])
    \/ m.type = "p2b" /\ ~Running(commanders[m.to])
    \/ /\ to[1] = "leader"
       /\ IF ~Running(leaders[to[2]]) THEN TRUE  \* it has no other fields then
          ELSE \/ m.type = "propose" /\ m.slot \in SlotsOf(leaders[to[2]].proposals)
               \/ m.type = "adopted" /\ (m.ballot /= leaders[to[2]].ballot \/ leaders[to[2]].active)
               \/ m.type = "preempted" /\ ~Below(leaders[to[2]].ballot, m.ballot)

Decides(m) == decidedBy' = IF m.type = "p2b" /\ \E n \in sent' : n.type = "decision"
                           THEN decidedBy \cup {m.to} ELSE decidedBy

\* What is on its way after a step of `actor' that has left `rest' of it.
AndSent(rest, actor) ==
    CASE Network = "duplicating" -> rest
      [] Network = "fifo"        -> Queued(rest, sent', actor)
      [] OTHER                   -> rest (+) SetToBag(Copies(sent'))

\* m is delivered to a process; what is then still on its way is `rest'.
DeliverOne(m, to, rest) ==
    /\ to \notin down
    /\ \/ Handle(m, to)
       \/ Network /= "duplicating" /\ TakenNoNoticeOf(m, to) /\ Send({}) /\ UNCHANGED roles
    /\ Decides(m)
    /\ inflight' = AndSent(rest, to)
    /\ UNCHANGED faults

Without(each) == inflight (-) SetToBag({each})

Deliver ==
    CASE Network = "duplicating" -> \E m \in messages : \E to \in Recipients(m) : DeliverOne(m, to, inflight)
      [] Network = "fifo" -> \E pair \in DOMAIN inflight :
            DeliverOne(Head(inflight[pair]), pair[2], WithoutFirst(inflight, pair))
      [] OTHER -> \E each \in BagToSet(inflight) : DeliverOne(each[1], each[2], Without(each))

Drop ==
    /\ Network = "lossy"
    /\ \E each \in BagToSet(inflight) : inflight' = Without(each)
    /\ Send({})
    /\ UNCHANGED <<roles, decidedBy, faults>>

-----------------------------------------------------------------------------
(* Crashes and restarts.  A process that is down receives nothing, and     *)
(* what is on its way to it stays so.  A leader takes its scouts and its   *)
(* commanders with it.                                                     *)

MayCrash ==
    (IF "acceptor" \in Faulty THEN {<<"acceptor", a>> : a \in Acceptor} ELSE {}) \cup
    (IF "replica" \in Faulty THEN {<<"replica", r>> : r \in Replica} ELSE {}) \cup
    (IF "leader" \in Faulty THEN {<<"leader", l>> : l \in {k \in Leader : Running(leaders[k])}} ELSE {})

Stopped(p) == IF Running(p) THEN Exited ELSE p

Crash ==
    /\ budget[1] > 0
    /\ \E p \in MayCrash \ down :
          /\ down' = down \cup {p}
          /\ scouts' = [b \in Ballot |-> IF p = <<"leader", LeaderOf(b)>> THEN Stopped(scouts[b]) ELSE scouts[b]]
          /\ commanders' = [bs \in Ballot \X Slot |->
                IF p = <<"leader", LeaderOf(bs[1])>> THEN Stopped(commanders[bs]) ELSE commanders[bs]]
    /\ budget' = <<budget[1] - 1, budget[2]>>
    /\ Send({})
    /\ UNCHANGED <<replicas, acceptors, leaders, inflight, decidedBy>>

\* An acceptor comes back with all it had.
RestartAcceptor(a) == UNCHANGED roles /\ Send({})

\* A replica comes back with its decisions, and with what follows from them; it sends nothing.
RestartReplica(r) ==
    /\ \E again \in PerformDecided(NewReplica(replicas[r].decisions), {}) :
          replicas' = [replicas EXCEPT ![r] = again.state]
    /\ Send({})
    /\ UNCHANGED <<acceptors, leaders, scouts, commanders>>

\* A leader comes back in a round that it never used, or retires where there is none.
RestartLeader(l) ==
    /\ LET b == <<RoundOf(leaders[l].ballot) + 1, l>>
       IN  IF RoundOf(b) \in Round
           THEN /\ leaders' = [leaders EXCEPT ![l] =
                      [status |-> "running", ballot |-> b, active |-> FALSE, proposals |-> {}]]
                /\ scouts' = [scouts EXCEPT ![b] = NewScout(b)]
                /\ Send({P1aMsg(b)})
           ELSE /\ leaders' = [leaders EXCEPT ![l] = Retired]
                /\ UNCHANGED scouts
                /\ Send({})
    /\ UNCHANGED <<replicas, acceptors, commanders>>

Restart ==
    /\ budget[2] > 0
    /\ \E p \in down :
          /\ down' = down \ {p}
          /\ \/ p[1] = "acceptor" /\ RestartAcceptor(p[2])
             \/ p[1] = "replica" /\ RestartReplica(p[2])
             \/ p[1] = "leader" /\ RestartLeader(p[2])
          /\ inflight' = AndSent(inflight, p)
    /\ budget' = <<budget[1], budget[2] - 1>>
    /\ UNCHANGED decidedBy

Next == Deliver \/ Drop \/ Crash \/ Restart

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* Invariants, named as on the page.                                       *)

Sent(type) == {m \in messages : m.type = type}
Accepted   == UNION {acceptors[a].accepted : a \in Acceptor}
Decided    == {<<m.slot, m.command>> : m \in Sent("decision")}
                  \cup UNION {replicas[r].decisions : r \in Replica}

\* pvalues that a quorum of the acceptors has accepted
Chosen == {p \in Accepted : Cardinality({a \in Acceptor : p \in acceptors[a].accepted}) >= Quorum2}

\* R1: no two different commands are decided in one slot, over all decision messages ever sent
\* and all replicas.
Agreement == \A d, e \in Decided : d[1] = e[1] => d[2] = e[2]

\* Only requested commands are proposed, accepted, decided.
Validity ==
    LET proposed == {m.command : m \in Sent("propose") \cup Sent("p2a")}
                        \cup UNION {CommandsOf(replicas[r].proposals) : r \in Replica}
        accepted == {p.command : p \in Accepted}
    IN  proposed \cup accepted \cup CommandsOf(Decided) \subseteq {m.command : m \in Sent("request")}

\* Every slot below slot_out is decided at that replica.
R2 == \A r \in Replica : 1 .. (replicas[r].slot_out - 1) \subseteq SlotsOf(replicas[r].decisions)

\* The application state is the decided commands of slots 1 .. slot_out - 1 applied in order,
\* each command once, reconfigurations skipped.  (There is one such history while decisions agree.)
RECURSIVE AppliedInOrder(_)
AppliedInOrder(history) ==
    IF history = <<>> THEN <<>>
    ELSE LET before == SubSeq(history, 1, Len(history) - 1)
             c      == history[Len(history)]
         IN  IF IsReconfiguration(c) \/ \E i \in DOMAIN before : before[i] = c
             THEN AppliedInOrder(before)
             ELSE Append(AppliedInOrder(before), c)
R3 == \A r \in Replica :
        \E history \in [1 .. (replicas[r].slot_out - 1) -> Command] :
           /\ \A s \in DOMAIN history : <<s, history[s]>> \in replicas[r].decisions
           /\ replicas[r].performed = AppliedInOrder(history)

\* R5, first half: every propose is for a slot below slot_out + Window at the time it is sent.  As a state
\* predicate: propose() comes last in a step, so what the step has proposed is in proposals, and
\* slot_out is what it was then, in the state after it; later slot_out only grows (R4).
R5 == \A r \in Replica : \A s \in SlotsOf(replicas[r].proposals) : s < replicas[r].slot_out + Window

\* Accepted pvalues with equal ballot and slot carry the same command, across acceptors.
A4 == \A p, q \in Accepted : p.ballot = q.ballot /\ p.slot = q.slot => p.command = q.command

\* If a quorum has accepted (b, s, c), whatever is accepted in s with a higher ballot is c.
A5 == \A p \in Chosen : \A q \in Accepted :
         q.slot = p.slot /\ Below(p.ballot, q.ballot) => q.command = p.command

\* At most one command per (ballot, slot) is ever sent in p2a.
C1 == \A m, n \in Sent("p2a") : m.ballot = n.ballot /\ m.slot = n.slot => m.command = n.command

\* As A5, for p2a messages (commanders) instead of acceptances.
C2 == \A p \in Chosen : \A m \in Sent("p2a") :
         m.slot = p.slot /\ Below(p.ballot, m.ballot) => m.command = p.command

-----------------------------------------------------------------------------
(* What a state cannot say: properties of single steps.                    *)

\* An acceptor's ballot never decreases.
A1 == [][\A a \in Acceptor : AtMost(acceptors[a].ballot, acceptors'[a].ballot)]_vars

\* An acceptor accepts (b, s, c) only while b is its ballot.
A2 == [][\A a \in Acceptor : \A p \in acceptors'[a].accepted \ acceptors[a].accepted :
            p.ballot = acceptors[a].ballot /\ p.ballot = acceptors'[a].ballot]_vars

\* Accepted never shrinks.
A3 == [][\A a \in Acceptor : acceptors[a].accepted \subseteq acceptors'[a].accepted]_vars

\* R5, second half: a propose goes to the leaders of its slot's configuration: those of the last
\* reconfiguration that is decided, as the replica knows, at least Window slots before.
SetFor(rep, s) ==
    LET changes == {e \in rep.decisions : e[1] <= s - Window /\ IsReconfiguration(e[2])}
        last    == {e \in changes : \A d \in changes : d[1] <= e[1]}
    IN  IF changes = {} THEN 1 ELSE NewSet((CHOOSE e \in last : TRUE)[2])
R5Leaders == [][\A r \in Replica : \A m \in sent' :
                  m.type = "propose" /\ <<m.slot, m.command>> \in replicas'[r].proposals \ replicas[r].proposals
                      => m.set = SetFor(replicas'[r], m.slot)]_vars

\* slot_out never decreases.
R4 == [][\A r \in Replica : replicas[r].slot_out <= replicas'[r].slot_out]_vars

=============================================================================
