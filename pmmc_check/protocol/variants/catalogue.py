"""Variants of the protocol by name: seeded faults, fixes, and the paper's optimisations.

Each is a small class, or a few, that override what they change. The faults are the rows of the protocol page's table, and
some that implementations have had."""

from __future__ import annotations

from collections.abc import Iterable

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.variants import acceptors, ballots, leaders, liveness, optimised, replicas
from pmmc_check.protocol.variants import scouts_and_commanders as sc
from pmmc_check.protocol.variants.variant import Options, Variant, check_needs, combined


def _size(acceptors: int, leaders: int, rounds: int, *more: Options, slots: int = 1, **counts: int | str) -> Options:
    """A configuration as the protocol page writes it; 2 replicas and 2 commands unless said."""
    options: dict[str, int | str | tuple[str, ...]] = {"acceptors": acceptors, "leaders": leaders, "rounds": rounds}
    options |= {"replicas": 2, "slots": slots, "commands": 2}
    options |= counts
    for each in more:
        options |= each
    return options


def _restart(role: str) -> Options:
    return {"crashes": 1, "restarts": 1, "faulty": (role,)}


_DUPLICATING = ("duplicating",)
_WITHOUT_LOSS = ("reliable", "fifo")
_A3 = "it forgets accepted pvalues on purpose, where nothing depends on them"

_FAULTS = (
    Variant(
        "accept-lower-ballot",
        "an acceptor accepts a lower ballot and answers with it",
        (acceptors.AcceptLowerBallot,),
        ("A2", "Agreement"),
        _size(1, 2, 1),
    ),
    Variant("promise-not-kept", "a p1a does not raise the ballot", (acceptors.PromiseNotKept,), ("A2", "Agreement"), _size(1, 2, 1)),
    Variant(
        "echo-ballot", "a p2b echoes the p2a's ballot although it was rejected", (acceptors.EchoBallot,), ("Agreement",), _size(1, 2, 1)
    ),
    Variant(
        "accept-without-raise",
        "accepts b ≥ ballot without raising it, and keeps the last arrival per slot",
        (acceptors.AcceptWithoutRaise,),
        ("A2", "Agreement"),
        _size(3, 2, 2),
    ),
    Variant(
        "restart-loses-ballot",
        "a restarted acceptor has lost its ballot",
        (acceptors.ForgetBallot,),
        ("A1", "Agreement"),
        _size(1, 2, 1, _restart("acceptor")),
        needs=_restart("acceptor"),
    ),
    Variant(
        "restart-loses-accepted",
        "a restarted acceptor has lost its accepted pvalues",
        (acceptors.ForgetAccepted,),
        ("A3", "Agreement"),
        _size(1, 2, 1, _restart("acceptor")),
        needs=_restart("acceptor"),
    ),
    Variant(
        "collect-silently",
        "garbage collection without the collected slot in p1b",
        (optimised.CollectingAcceptorSilent, optimised.ReportingReplica),
        ("C2", "Agreement"),
        _size(1, 2, 1),
        own_messages=True,
        waives=("A3",),
        waiver=_A3,
    ),
    Variant(
        "scout-half",
        "a scout adopts with n/2 (rounded down) answers",
        (sc.ScoutHalf,),
        ("C2", "Agreement"),
        _size(3, 2, 1),
    ),
    Variant(
        "scout-counts-twice",
        "a scout counts an acceptor twice",
        (sc.ScoutCountsTwice,),
        ("C2", "Agreement"),
        _size(3, 2, 1),
        networks=_DUPLICATING,
    ),
    Variant(
        "scout-keeps-last",
        "a scout keeps only the last p1b's pvalues",
        (sc.ScoutKeepsLast,),
        ("C2", "Agreement"),
        _size(3, 2, 1),
    ),
    Variant(
        "commander-half",
        "a commander decides with n/2 (rounded down) answers",
        (sc.CommanderHalf,),
        ("Agreement",),
        _size(3, 2, 1),
    ),
    Variant(
        "commander-counts-twice",
        "a commander counts an acceptor twice",
        (sc.CommanderCountsTwice,),
        ("Agreement",),
        _size(3, 2, 1),
        networks=_DUPLICATING,
    ),
    Variant(
        "commander-any-ballot",
        "a commander counts a p2b of any ballot",
        (sc.CommanderAnyBallot,),
        ("Agreement",),
        _size(1, 2, 1),
    ),
    Variant("p2b-any-slot", "a p2b is not matched on its slot", (acceptors.AnswerEverySlot,), ("Agreement",), _size(1, 2, 1, slots=2)),
    Variant("ignore-pmax", "a leader ignores pmax of the pvalues it adopts", (leaders.IgnorePmax,), ("C2", "Agreement"), _size(1, 2, 1)),
    Variant(
        "reversed-update",
        "a leader's own proposals win over pmax (◁ reversed)",
        (leaders.ReversedUpdate,),
        ("C2", "Agreement"),
        _size(1, 2, 1),
    ),
    Variant("pmax-lowest", "pmax picks the lowest ballot", (leaders.LowestPmax,), ("C2", "Agreement"), _size(3, 2, 2)),
    Variant("pmax-last-seen", "pmax picks what was seen last", (sc.ScoutKeepsLastSeen,), ("C2", "Agreement"), _size(3, 2, 2)),
    Variant(
        "pmax-previous",
        "pmax compares with the previous element instead of the running maximum",
        (leaders.PreviousPmax,),
        ("C2", "Agreement"),
        _size(3, 2, 3),
    ),
    Variant("stale-adopted", "a stale adopted is taken", (leaders.StaleAdopted,), ("C2", "Agreement"), _size(1, 2, 2)),
    Variant(
        "ballot-without-leader",
        "a ballot has no leader id, so two leaders share it",
        (ballots.SharedBallotLeader, ballots.SharedBallotScout, ballots.SharedBallotCommander, ballots.SharedBallotAcceptor),
        ("C1", "A4", "Agreement"),
        _size(1, 2, 1),
        own_messages=True,
    ),
    Variant(
        "overwrite-proposal",
        "an active leader lets propose overwrite a slot",
        (leaders.OverwriteProposal,),
        ("C1", "Agreement"),
        _size(1, 1, 1),
    ),
    Variant(
        "restart-reuses-ballot",
        "a restarted leader uses its ballot again",
        (leaders.ReuseBallot,),
        ("C1", "Agreement"),
        _size(1, 1, 1, _restart("leader")),
        needs=_restart("leader"),
    ),
    Variant("perform-twice", "a replica performs without the duplicate check", (replicas.PerformTwice,), ("R3",), _size(1, 1, 1, slots=2)),
    Variant(
        "drop-loser",
        "a command that lost its slot is not put back into requests",
        (replicas.DropLoser,),
        ("Progress",),
        _size(1, 1, 1, slots=2, network="reliable"),
        networks=_WITHOUT_LOSS,
    ),
    Variant(
        "skip-hole", "slot_out skips a slot that is not decided", (replicas.SkipHole,), ("R2", "R3"), _size(1, 1, 1, slots=2, replicas=1)
    ),
    Variant(
        "reconfigure-late",
        "a reconfiguration is looked for after slot_in += 1",
        (replicas.ReconfigureLate,),
        ("R5", "Agreement"),
        _size(1, 1, 1, slots=2, commands=1, window=1, reconfigurations=1),
        needs={"reconfigurations": 1},
    ),
    Variant(
        "reconfigure-at-once",
        "a reconfiguration is applied when its decision arrives, not WINDOW slots later",
        (replicas.ReconfigureAtOnce,),
        ("R5", "Agreement"),
        _size(1, 1, 1, slots=2, commands=1, window=1, reconfigurations=1),
        needs={"reconfigurations": 1},
    ),
    Variant(
        "no-ballot-bump",
        "a preempted leader tries the same ballot again",
        (leaders.NoBallotBump,),
        ("Progress",),
        _size(1, 2, 1, replicas=1, commands=1, network="reliable"),
        networks=_WITHOUT_LOSS,
    ),
    Variant("hide-accepted", "a p1b carries no pvalues", (acceptors.HideAccepted,), ("C2", "Agreement"), _size(1, 2, 1)),
    Variant(
        "stays-active",
        "a preempted leader stays active under its new ballot",
        (leaders.StaysActive,),
        ("C2", "Agreement"),
        _size(1, 2, 2, slots=2),
    ),
    Variant("ignore-window", "a replica proposes beyond its window", (replicas.IgnoreWindow,), ("R5",), _size(1, 1, 1, slots=2, window=1)),
    Variant(
        "restart-loses-decisions",
        "a restarted replica has lost its decisions",
        (replicas.ForgetDecisions,),
        ("R4",),
        _size(1, 1, 1, _restart("replica")),
        needs=_restart("replica"),
    ),
    Variant(
        "after-you",
        "two leaders give way to each other",
        (liveness.AfterYou,),
        ("FairProgress",),
        _size(1, 2, 1, replicas=1, commands=1, network="reliable"),
        own_messages=True,
    ),
    Variant(
        "waits-for-work",
        "a leader takes no proposal before its ballot is adopted, and begins its ballot with the first that it takes",
        (liveness.WaitsForWork, liveness.ProposingAgain),
        ("FairProgress",),
        _size(1, 1, 1, replicas=1, commands=1, network="reliable"),
        own_messages=True,
    ),
    Variant(
        "forget-proposals",
        "a leader that is preempted forgets what was proposed to it",
        (liveness.ForgetProposals,),
        ("FairProgress",),
        _size(1, 2, 2, replicas=1, commands=1, network="reliable"),
        networks=_WITHOUT_LOSS,
    ),
)

_SAFE = (
    Variant(
        "ignore-lower-p2b",
        "fix of the stuck slot: a commander ignores lower ballots",
        (optimised.IgnoreLowerP2b,),
        (),
        _size(3, 1, 1, replicas=1, commands=1, network="reliable"),
        restores=("Progress",),
    ),
    Variant(
        "raise-on-accept",
        "fix of the stuck slot: an acceptor accepts b ≥ ballot and raises its ballot",
        (optimised.RaiseOnAccept,),
        (),
        _size(3, 1, 1, replicas=1, commands=1, network="reliable"),
        restores=("Progress",),
    ),
    Variant(
        "state-reduction",
        "acceptors keep one pvalue per slot",
        (optimised.StateReduction,),
        (),
        _size(3, 2, 2),
        waives=("A3",),
        waiver=_A3,
    ),
    Variant(
        "garbage-collection",
        "acceptors discard what all replicas have performed, and say so in p1b",
        (optimised.CollectingAcceptor, optimised.ReportingReplica, optimised.CollectedScout, optimised.CollectedLeader),
        (),
        _size(1, 2, 1),
        own_messages=True,
        waives=("A3",),
        waiver=_A3,
    ),
    Variant(
        "fill-holes",
        "an adopted leader proposes the no-op for holes below the highest slot that it learns of",
        (optimised.FillHoles,),
        (),
        _size(1, 2, 1, slots=2, replicas=1),
    ),
    Variant(
        "informed-leaders",
        "leaders see decisions, and run no commander for a decided slot",
        (optimised.TellingCommander, optimised.InformedLeader),
        (),
        _size(1, 2, 1),
        own_messages=True,
    ),
    Variant(
        "back-off",
        "a preempted leader gives way as long as the one that preempted it answers",
        (liveness.BackOff,),
        (),
        _size(1, 2, 1, replicas=1, commands=1, network="reliable"),
        own_messages=True,
        promises=("FairProgress",),
    ),
    Variant(
        "send-back",
        "leaders that are not active send proposals back, and replicas propose again",
        (liveness.SendingBack, liveness.ProposingAgain),
        (),
        _size(1, 2, 1, replicas=1, commands=1, network="reliable"),
        own_messages=True,
        promises=("FairProgress",),
    ),
)

VARIANTS: dict[str, Variant] = {each.name: each for each in (*_FAULTS, *_SAFE)}


def variants_named(names: Iterable[str]) -> list[Variant]:
    """The named variants.

    Raises:
        UsageError: a name is unknown, or given twice.
    """
    chosen = list(names)
    for name in chosen:
        if chosen.count(name) > 1:
            raise UsageError(f"--variant {name}: given {chosen.count(name)} times; once is enough")
        if name not in VARIANTS:
            choice = did_you_mean(name, VARIANTS) or f"; choose from {', '.join(VARIANTS)}"
            raise UsageError(f"--variant {name}: no such variant{choice}; pmmc-check variants describes them all")
    return [VARIANTS[name] for name in chosen]


def protocol_with(names: Iterable[str], base: Protocol = PMMC) -> Protocol:
    """`base` with the named variants.

    Raises:
        UsageError: a name is unknown, or two variants change the same method of a role.
    """
    return combined(variants_named(names), base)


__all__ = ["VARIANTS", "Options", "Variant", "check_needs", "combined", "protocol_with", "variants_named"]
