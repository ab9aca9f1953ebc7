"""Small concrete systems of several slots, commands, leaders and rounds, and every local step that their processes take.

What is asked of the roles is what a search asks of them: each combination of a local state and a message that meet in some run. So no
premise fails on a combination that cannot happen. What the reductions `inert` and `halting` leave out changes nothing, or only stops a
process, by the roles' own claims, which the search checks. The environment stands in the replicas' place here, too: every leader may
be told everything, so a small system shows local states that otherwise only larger ones have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pmmc_check.checker.any_slots.environment import Crowded, Environment, in_environment
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Limits
from pmmc_check.config import QUORUMS, Config
from pmmc_check.model.faults import Restart
from pmmc_check.model.model import Model
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome, Role
from pmmc_check.protocol.values import CLIENT, FAULTS, REPLICA, ProcessId
from pmmc_check.verdicts import HOLDS

STATES_MAX = 100_000
"""A concrete system's search ends here; stock roles need 31,020 states. Roles that state no claims are not reduced and may need more."""


class Size(NamedTuple):
    """What is larger than one in a concrete system. `environment`: who proposes and preempts. `faults`: whether processes crash in it."""

    counts: Mapping[str, int]
    environment: type[Role] = Environment
    faults: bool = True


SIZES = (
    Size({"acceptors": 1, "leaders": 2, "slots": 2, "rounds": 2}, faults=False),
    Size({"acceptors": 1, "leaders": 2, "slots": 1, "rounds": 2}, Crowded),
    Size({"acceptors": 2, "leaders": 2, "slots": 2, "replicas": 2}),
    Size({"acceptors": 3, "leaders": 1, "slots": 2, "replicas": 2}),
    Size({"acceptors": 1, "leaders": 1, "slots": 2, "commands": 3}),
)
"""With one acceptor, leaders come far in little space: in two slots, and in all four ballots of two rounds. With two or three
acceptors, answers are counted. Each of the other counts is above one somewhere."""


class LocalStep(NamedTuple):
    """One step of one process."""

    process: ProcessId
    state: Any
    message: Message
    outcomes: tuple[Outcome, ...]


class Creation(NamedTuple):
    """The creation of a process."""

    process: ProcessId
    message: Message
    outcome: Outcome


class Concrete(NamedTuple):
    """A small system, what its processes did, how many global states were searched, and whether these are all."""

    model: Model
    steps: Sequence[LocalStep]
    creations: Sequence[Creation]
    states: int
    complete: bool


def concrete_systems(config: Config, protocol: Protocol) -> Iterator[Concrete]:
    """The systems that premises are checked on, with the quorums and faults of `config` and at most as many acceptors."""
    for size in SIZES:
        yield concrete(sized(config, size), protocol, size.environment)


def concrete(config: Config, protocol: Protocol, environment: type[Role] = Environment, states_max: int = STATES_MAX) -> Concrete:
    """Searches one system, without an invariant, and gathers what its roles were asked, the environment excepted."""
    from pmmc_check.checker.compiled import CompiledSearch  # noqa: PLC0415  # the kernels are slow to load, and other engines need none

    model = in_environment(config, protocol, environment)
    reductions, _ = applicable(reductions_named("all"), model)
    result = CompiledSearch(model, (), Control(Limits(states_max=states_max)), reductions).run()
    model.check_still_pure()
    own = [process for process in model.processes if process.role not in (CLIENT, REPLICA, FAULTS)]
    steps = [LocalStep(*each) for each in model.known_steps() if each[0] in own]
    creations = [Creation(*each) for each in model.known_creations() if each[0] in own]
    return Concrete(model, [*steps, *_restarts(model, steps)], creations, result.distinct_states, result.verdict == HOLDS)


def _restarts(model: Model, steps: Sequence[LocalStep]) -> Iterator[LocalStep]:
    """A restart from every local state of the processes that may restart."""
    for process, state in dict.fromkeys((step.process, step.state) for step in steps):
        if model.system.faults.may_restart(process.role) and not isinstance(state, Lifecycle):
            down = Crashed(state)
            yield LocalStep(process, down, Restart(), model.outcomes(process, down, Restart()))


def sized(config: Config, size: Size) -> Config:
    """The configuration of one concrete system. The environment, in the replicas' place, does not crash."""
    counts = {"commands": 2, "window": 2, "replicas": 1, "rounds": 1, **size.counts}
    counts["acceptors"] = min(counts["acceptors"], config.acceptors)
    counts |= {name: min(getattr(config, name), counts["acceptors"]) for name in QUORUMS}
    faulty = tuple(role for role in config.faulty if role != REPLICA) if size.faults else ()
    faults = {"faulty": faulty} if faulty else {"crashes": 0, "restarts": 0, "faulty": ()}
    return replace(config, **counts, **faults)  # type: ignore[arg-type]  # each name has its own type
