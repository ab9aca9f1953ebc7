"""Invariants that a user writes as a Python function: `--invariant module:function`.

The function is given a `StateSeen`, and answers None or True where the invariant holds; a sentence, or False, where it is broken. It may
state

- `reads`, the names of what it looks at, such as ("decided", "leader.ballot"): the less, the less a search has to tell apart.
  Without it, it is shown all that costs a search little (`USUAL`);
- `symmetric = True`: that it has the same answer when acceptors, replicas or commands change places. Without it symmetry is off.

Both are checked: nothing else is shown, and each answer is compared with those to the renamed images. So is that it is a pure function, by
asking twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pmmc_check.errors import ProtocolError, UsageError, did_you_mean
from pmmc_check.model.content import Images, Renaming
from pmmc_check.model.model import Model
from pmmc_check.properties.observe import PVALUE_ACCEPTED, Observed
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, COMMANDER, LEADER, REPLICA, SCOUT
from pmmc_check.spec.evaluate import World
from pmmc_check.spec.names import FACT_SETS, STATE
from pmmc_check.spec.observes import Reads, never_stops
from pmmc_check.spec.worlds import Worlds
from pmmc_check.users_code import users_code

FACT_NAMES = {**{name: kind for name, (kind, _) in FACT_SETS.items()}, "accepted": PVALUE_ACCEPTED}
READABLE = (*FACT_NAMES, *(f"{role}.{name}" for role, variables in STATE.items() for name in variables))
"""All that a function may read."""
USUAL = tuple(name for name in READABLE if name in ("decided", "p2a", "accepted") or name.partition(".")[0] in (ACCEPTOR, LEADER, REPLICA))
"""What it is shown unless it says what it reads. All else costs a search more: what was sent must be remembered."""


class Shown:
    """Fields by name; a field that was not asked for is no field, and says how to ask for it."""

    def __init__(self, fields: Mapping[str, Any], prefix: str) -> None:
        self.__dict__.update(fields)
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        asked = self._prefix + name
        if asked in READABLE:
            raise AttributeError(f"{asked} is not shown to it: add {asked!r} to its `reads`")
        raise AttributeError(f"there is no {asked}{did_you_mean(asked, READABLE)}")


class StateSeen(Shown):
    """What a function is shown of a global state.

    `decided`: set of (slot, command), and `p2a`: set of (ballot, slot, command), of all that have ever been sent. `accepted`: for each
    acceptor all that it has ever accepted, the same. `acceptors`, `leaders`, `replicas`: for each process its variables, under the paper's
    names; a leader that has retired has the ballot BOTTOM, and is not active. `scouts` by their ballots, `commanders` by (ballot, slot):
    the same, of those that run. `request`, `p1b` and the other messages: set of all that have ever been sent, as records with the fields
    that docs/specs.md lists. `system`: who there is.
    """

    system: System

    def __init__(self, world: World, reads: Reads, system: System) -> None:
        facts = {"decided": world.decided, "p2a": world.p2a}
        facts["accepted"] = {each: (world.accepted or {}).get(each, frozenset()) for each in system.acceptors}  # type: ignore[assignment]
        sent: Mapping[str, frozenset[Any]] = world.sent or {}
        facts |= {name: sent.get(kind, frozenset()) for name, kind in FACT_NAMES.items() if name not in facts}
        fields: dict[str, Any] = {name: value for name, value in facts.items() if FACT_NAMES[name] in reads.facts}
        known: Mapping[Any, Any] = world.variables or {}
        for role, processes in ((ACCEPTOR, system.acceptors), (LEADER, system.leaders), (REPLICA, system.replicas)):
            names = [name for each, name in reads.variables if each == role]
            fields[f"{role}s"] = {each: Shown({name: known[each, name] for name in names}, f"{role}.") for each in processes}
        for role in (SCOUT, COMMANDER):
            running = sorted({each for each, _ in known if each.role == role})
            fields[f"{role}s"] = {
                each.ballot if role == SCOUT else (each.ballot, each.slot): Shown(
                    {name: value for (process, name), value in known.items() if process == each}, f"{role}."
                )
                for each in running
            }
        super().__init__({**fields, "system": system}, "")


def function_invariant(reference: str, function: Any, model: Model, renamings: Sequence[Renaming]) -> WrittenInvariant:
    """The invariant that `function` states, found under `reference`. `renamings` are those on which its symmetry is checked.

    Raises:
        UsageError: it is no function, or what it states of itself is not understood.
    """
    if not callable(function) or isinstance(function, type):
        raise UsageError(f"--invariant {reference}: {function!r} is no function; expected one that takes what is seen of a state")
    reads = _reads(reference, function, model)
    check = _Check(reference, function, reads, model.system)
    symmetric = getattr(function, "symmetric", False) is True
    statement = (getattr(function, "__doc__", None) or reference).strip().splitlines()[0]
    return WrittenInvariant(
        reference,
        statement,
        reads.facts,
        reads.variables,
        False,
        check.symmetric(renamings) if symmetric else check,
        None if symmetric else "does not state `symmetric = True`",
        reads.sees_stops,
    )


class _Check:
    """Asks the function about what is observed."""

    def __init__(self, reference: str, function: Callable[[StateSeen], Any], reads: Reads, system: System) -> None:
        self.reference, self.function, self.reads, self.system = reference, function, reads, system
        self._worlds = Worlds(reads, system)

    def __call__(self, slot: int, observed: Observed) -> str | None:
        seen = StateSeen(self._worlds.of(observed), self.reads, self.system)
        with users_code(f"invariant {self.reference}"):
            first, again = self.function(seen), self.function(seen)
        if not (first is None or isinstance(first, bool | str)):
            raise ProtocolError(
                f"invariant {self.reference} returned {first!r}; expected None or True where it holds, a sentence or False where not"
            )
        if first != again:
            raise ProtocolError(
                f"invariant {self.reference} is not deterministic: it answered {first!r}, and then {again!r} to the same; "
                f"it must be a function of what it is shown (no clock, no randomness, no variables of its own)"
            )
        if first is None or first is True:
            return None
        return first or "it is false"

    def symmetric(self, renamings: Sequence[Renaming]) -> Callable[[int, Observed], str | None]:
        """The same, where each answer is compared with those to the images."""
        images = [(each, Images(each)) for each in renamings]

        def check(slot: int, observed: Observed) -> str | None:
            how = self(slot, observed)
            for renaming, image in images:
                renamed = {image.of(process): image.of(facts) for process, facts in observed.items()}
                if (self(slot, renamed) is None) != (how is None):
                    moved = " and ".join(sorted(str(atom) for atom in renaming if getattr(atom, "role", None) != CLIENT))
                    raise ProtocolError(
                        f"invariant {self.reference} states `symmetric = True`, but its answer changes when {moved} change places; "
                        f"leave the statement out"
                    )
            return how

        return check


def _reads(reference: str, function: Any, model: Model) -> Reads:
    stated: Any = getattr(function, "reads", USUAL)
    if isinstance(stated, str) or not isinstance(stated, Iterable):
        raise UsageError(
            f"--invariant {reference}: its `reads` is {stated!r}; expected several names, such as ('decided', 'leader.ballot')"
        )
    names = list(stated)
    for name in names:
        if name not in READABLE:
            raise UsageError(
                f"--invariant {reference}: its `reads` has {name!r}, which nothing is called{did_you_mean(str(name), READABLE)}; "
                f"choose from {', '.join(READABLE)}"
            )
    variables = frozenset((role, name) for role, dot, name in (each.partition(".") for each in names) if dot)
    facts = frozenset(FACT_NAMES[each] for each in names if each in FACT_NAMES)
    return Reads(facts, variables, None, any(not never_stops(role, model.protocol) for role, _ in variables))
