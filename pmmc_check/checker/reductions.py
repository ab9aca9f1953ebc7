"""The reductions of the compiled search: what each leaves out, and why that is sound.

All keep the verdict of every invariant in `properties.invariants`, the reachable combinations of observed facts
(symmetry: up to renaming; commuting: those that no other contains), and the length of a shortest counterexample. None is sound for
progress properties unless its entry says so.

inert
    A message that can have no effect in any future of its recipient leaves the recipient's view. Delivering it is no
    transition, now or later, so runs with and without it are the same but for that message. The roles state it
    (`Role.ignores`); an exited process ignores everything, for good where the leader claims `starts_once` (checked
    whenever something is created). On a fifo network such a message may stand before others; it can always be delivered first,
    to no effect, and a counterexample shows these deliveries: there it may be longer than the shortest by as many. Sound
    for progress, too, and under fairness: a message of which nothing can come keeps nobody waiting, since as many can be delivered at any
    time, and where it is let go every action that waits does so in the unreduced run, too.

halting
    A delivery whose only effect is that some process stops need not happen: no network forces a delivery, and in the
    run where it does not happen the process merely does nothing further. All that is observed is the same, and the
    run is shorter. It cascades: a message that can only lead to such deliveries (a p2b with a higher ballot in the
    last round leads to a preemption that can only retire a leader) leaves the view, too (`Role.only_halts`). Not
    sound for progress, nor on a network where an undelivered message holds up others. What such a delivery sends is of the
    kinds that the claim names; where an invariant reads messages of one of these ever sent, the claim is not used. Losing a
    message, and a crash without a restart, show nothing that withholding messages does not show: these steps are left out, too.

deferral
    A step that sends nothing and changes nothing that an invariant observes commutes with every step of every other
    process: it reads and writes only its own process's view, and others only add to that view, or end or begin the process
    whatever its state was. (A crash or restart is the process's own step: all internal steps before it are tried.) So it can be put off
    until just before the next visible step of the same process; where none follows, it can be left out. A step of the
    reduced search is "some internal steps, then one visible step", and its weight is the number of deliveries. Levels
    are counted in deliveries, which keeps shortest counterexamples shortest. Invariants of one process are checked on
    every local state that the internal steps lead to, while the view's steps are computed.

commuting
    A step after which its process can still do all that it could have done without is taken alone, and all other steps of the
    state are left out. What that rests on is told in `checker.commuting`.

symmetry
    Renaming acceptors, replicas or commands maps runs to runs, because no role looks at their numbers. (Leaders are
    ordered by their ballots and stay.) States are identified up to renaming by a fingerprint that all images have in
    common; see `checker.symmetry`. Not sound under fairness: a cycle of such classes may lead from one process that waits to another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import Invariant
from pmmc_check.properties.progress import Progress
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.protocol.role import states_claim
from pmmc_check.protocol.values import LEADER

NAMES = ("inert", "deferral", "halting", "commuting", "symmetry")
_OF_STOPPING = ("p1b", "p2b", "preempted")


@dataclass(frozen=True)
class Reductions:
    """Which reductions are on."""

    inert: bool = False
    deferral: bool = False
    halting: bool = False
    commuting: bool = False
    symmetry: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the reductions that are on."""
        return tuple(name for name in NAMES if getattr(self, name))


def reductions_named(text: str) -> Reductions:
    """From the option's value: `all`, `none`, or names separated by commas.

    Raises:
        UsageError: a name is unknown.
    """
    names: Iterable[str] = {"all": NAMES, "none": ()}.get(text, [name.strip() for name in text.split(",")])
    for name in names:
        if name not in NAMES:
            guess = did_you_mean(name, NAMES)
            raise UsageError(f"--reduce {text}: no reduction is called {name!r}{guess}; give all, none, or a list of {', '.join(NAMES)}")
    return Reductions(**dict.fromkeys(names, True))


def applicable(wanted: Reductions, model: Model, invariants: Iterable[Invariant] = ()) -> tuple[Reductions, list[str]]:
    """Those of `wanted` that are sound for `model` and `invariants`, and a sentence for each that is not.

    A role handed in by the user that states no claims costs no more than the reductions that need them.
    """
    invariants, notes = list(invariants), []
    symmetry, halting, deferral = wanted.symmetry, wanted.halting, wanted.deferral
    unclaimed = [each.__name__ for each in model.protocol.values() if not states_claim(each, "symmetric")]
    if symmetry and unclaimed:
        symmetry = False
        notes.append(f"symmetry is off: {', '.join(unclaimed)} does not state `symmetric = True`")
    if symmetry and any(isinstance(each, Progress) and each.fair for each in invariants):
        symmetry = False
        notes.append("symmetry is off: FairProgress tells apart who is kept waiting")
    telling = [f"{each.name} {each.tells_apart}" for each in invariants if not isinstance(each, Progress) and each.tells_apart]
    if symmetry and telling:
        symmetry = False
        notes.append(f"symmetry is off: {telling[0]}")
    if halting and (seeing := next((each for each in invariants if getattr(each, "sees_stops", False)), None)):
        halting = False
        notes.append(f"halting is off: {seeing.name} reads what a process loses when it stops")
    if halting and (answers := _answers_read(invariants)):
        notes.append(f"halting leaves out less: {answers}, which steps that it leaves out may send")
    if halting and not model.network.may_withhold:
        halting = False
        notes.append(f"halting is off: on the {model.network.name} network an undelivered message holds up others")
    if (halting or deferral) and any(isinstance(each, Progress) for each in invariants):
        halting = deferral = False
        notes.append("halting and deferral are off: Progress asks for runs to their very end, and these reductions leave steps out")
    if deferral and not model.network.may_withhold and not starts_once(model):
        deferral = False
        notes.append(
            f"deferral is off: {model.protocol[LEADER].__name__} may create a process twice, and on the {model.network.name} network "
            f"it matters what the first one had received"
        )
    commuting = wanted.commuting
    if commuting and (why := _not_commuting(model, invariants)):
        commuting = False
        notes.append(f"commuting is off: {why}")
    return Reductions(wanted.inert, deferral, halting, commuting, symmetry), notes


def _not_commuting(model: Model, invariants: Iterable[Invariant]) -> str | None:
    """Why no step may be taken alone, if that is so."""
    if any(isinstance(each, Progress) for each in invariants):
        return "Progress asks for runs to their very end"
    if written := next((each for each in invariants if isinstance(each, WrittenInvariant) and not each.accumulates), None):
        return f"what {written.name} reads need not accumulate"
    if not model.network.may_withhold:
        return f"on the {model.network.name} network a delivery makes way for others"
    if model.config.crashes:
        return "crashes share a budget, so they do not commute"
    own = next((each for each in model.protocol.values() if not each.__module__.startswith("pmmc_check.protocol.")), None)
    if own:
        return f"{own.__name__} would be asked for steps that no run takes"
    return None if starts_once(model) else f"{model.protocol[LEADER].__name__} may create a process twice"


def _answers_read(invariants: Iterable[Invariant]) -> str:
    """Which invariant reads messages that a process sends when it stops, or to one that would stop; nothing: none does."""
    for each in invariants:
        read = [kind for kind in _OF_STOPPING if isinstance(each, WrittenInvariant) and f"{kind} sent" in each.observes]
        if read:
            return f"{each.name} reads {' and '.join(read)}"
    return ""


def starts_once(model: Model) -> bool:
    """Whether the leader claims that a process which has exited stays so."""
    return states_claim(model.protocol[LEADER], "starts_once")
