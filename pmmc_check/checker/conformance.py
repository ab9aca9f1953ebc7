"""Where a role answers otherwise than the paper's, on each local state and message that a search meets: the shortest way there first.

A search asks a role for all steps that some run takes, up to renaming, and, to check its claims, for those that reductions leave out. These
answers are followed from each process's start on, with the paper's role beside it. Where a state has all fields of the paper's, the paper's
role is asked in that very state, so that one difference does not show again in all that follows. Where it has not, the paper's state goes
its own way along the same messages, up to the first difference."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pmmc_check.checker.symmetry import renamings
from pmmc_check.model.content import Digest
from pmmc_check.model.deviations import Deviations
from pmmc_check.model.faults import Restart
from pmmc_check.model.model import Model
from pmmc_check.properties.deviations import ON_CREATION, ON_RESTART, Deviation, differences
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.messages import Message, Start
from pmmc_check.protocol.role import Lifecycle, Outcome, states_claim
from pmmc_check.protocol.values import ProcessId

Received = tuple[Message, ...]
"""What a process has received since its creation, that included where it says something."""


class DifferingStep(NamedTuple):
    """A step in which a role differs from the paper's: in `state`, after `received`, on `message`.

    `told` is the difference as it is told of runs, of the outcome that is nearest; None where the step fails: `failed` says why.
    """

    process: ProcessId
    received: Received
    state: Any
    message: Message
    paper: tuple[Outcome, ...]
    yours: tuple[Outcome, ...]
    told: Deviation | None
    failed: str | None = None


class AnswersKept(Deviations):
    """Keeps every answer of a role that is not the paper's, by process, state and message; put in the place of a model's `deviations`."""

    def __init__(self, model: Model) -> None:
        super().__init__(model.roles, model.system)
        self.starts: dict[ProcessId, dict[Message, tuple[Outcome, ...]]] = {}
        self.steps: dict[ProcessId, dict[Any, dict[Message, tuple[Outcome, ...]]]] = {}

    def note(self, process: ProcessId, method: str, arguments: Sequence[Any], outcomes: Iterable[Outcome]) -> None:
        """Keeps an answer."""
        if process.role not in self.comparing:
            return
        if method == "start":
            self.starts.setdefault(process, {})[Start(arguments[0])] = tuple(outcomes)
        else:
            message = Restart() if method == "restart" else arguments[1]
            self.steps.setdefault(process, {}).setdefault(arguments[0], {})[message] = tuple(outcomes)

    @property
    def count(self) -> int:
        """How many answers there are."""
        return sum(map(len, self.starts.values())) + sum(len(each) for states in self.steps.values() for each in states.values())


@dataclass(frozen=True)
class _At:
    """A process of the search, and the paper's beside it."""

    mine: Any
    paper: Any
    received: Received


def differing_steps(model: Model, answers: AnswersKept) -> list[DifferingStep]:
    """All differences, the shortest first. Where roles claim symmetry, those that renaming makes of another are not told again."""
    found = [each for process in answers.starts for each in _of_process(model, answers, process)]
    found.sort(key=lambda each: (len(each.received), each.process, str(each.message), str(each.state)))
    alike = Digest(renamings(model.system))
    told: dict[Any, DifferingStep] = {}
    for each in found:
        key: Any = (each.process, each.state, each.message)
        if states_claim(model.protocol[each.process.role], "symmetric"):
            key = tuple(sorted(alike.of(key).tolist()))
        told.setdefault(key, each)
    return list(told.values())


def _of_process(model: Model, answers: AnswersKept, process: ProcessId) -> Iterator[DifferingStep]:
    paper: Any = PMMC[process.role](process, model.system)
    kind = type(paper.start(model.system.commands[0]).state)
    pending: deque[_At] = deque()
    seen: set[tuple[Any, Any]] = set()
    compared: set[tuple[Any, Message]] = set()

    def reached(outcome: Outcome, beside: Outcome | None, received: Received) -> None:
        """Goes on from an outcome, if there is something to compare it with."""
        own = _as_papers(kind, outcome.state)
        state = own if own is not None else beside.state if beside is not None else None
        if state is None or isinstance(state, Lifecycle) or isinstance(outcome.state, Lifecycle):
            return
        if (outcome.state, state) not in seen:
            seen.add((outcome.state, state))
            pending.append(_At(outcome.state, state, received))

    def compare(at: _At, message: Message, trigger: Message | str, given: Sequence[Outcome]) -> Iterator[DifferingStep]:
        expected = tuple(_papers_answer(paper, at.paper, message))
        received = (*at.received, message) if message != Start() else ()
        for outcome in given:
            found = [(differences(process.role, outcome, each), each) for each in expected]
            nearest, beside = min(found, key=lambda each: len(each[0]), default=((), None))
            fails = outcome.state is Lifecycle.FAILED
            reached(outcome, None if nearest else beside, received)
            if (nearest or fails) and (at.mine, message) not in compared:
                compared.add((at.mine, message))
                failed = model.failed_steps[(process, at.mine, *([] if trigger == ON_RESTART else [message]))].why if fails else None
                told = None if fails else Deviation(len(received), process, trigger, nearest)
                yield DifferingStep(process, at.received, at.mine, message, expected, tuple(given), told, failed)

    for start, outcomes in answers.starts[process].items():
        yield from compare(_At(Lifecycle.NOT_STARTED, None, ()), start, ON_CREATION, outcomes)
    while pending:
        at = pending.popleft()
        for message, outcomes in answers.steps.get(process, {}).get(at.mine, {}).items():
            yield from compare(at, message, ON_RESTART if isinstance(message, Restart) else message, outcomes)


def _papers_answer(paper: Any, state: Any, message: Message) -> Iterable[Outcome]:
    if isinstance(message, Start):
        return [paper.start(message.command)]
    if isinstance(message, Restart):
        restarted = paper.restart(state)
        return [] if restarted is None else [restarted]
    answer: Iterable[Outcome] = paper.step(state, message)
    return answer


def _as_papers(kind: type, state: Any) -> Any:
    """The paper's state with the same fields; None where some of them are missing."""
    if type(state) is kind or isinstance(state, Lifecycle):
        return state
    names = [each.name for each in dataclasses.fields(kind)]
    try:
        values = {name: getattr(state, name) for name in names}
    except AttributeError:
        return None
    return kind(**values)
