"""Is what a process does, seen through a projection, what the projected system's own process does?

For one local step this asks the role object of the projected system (`target`) to take the projected step, and compares: the projected
outcome must be among its outcomes. That is the local half of a simulation: where it holds of every step, each run of the larger system,
projected, is a run of the smaller one, because processes touch each other only through messages, and on the network `duplicating` a
message that was ever sent can be delivered at any time.

Three kinds of steps need more to be said.

- *A message of another slot* must change nothing that is left after projection, and nothing that it causes may be left but preemptions,
  which the environment sends anyway (E2). Weaker, and still sound: an acceptor may raise its ballot on a p2a of another slot as it would
  on a p1a of the same ballot. That p1a was sent before any p2a of its ballot, so the projected acceptor can take it; its answer to the
  scout is one message more, which nobody need deliver.
- *A commander of another slot* is not in the projected system. All that it sends must be gone after projection, or be a preemption (E2).
- *A leader, where ballots are mapped*, is another leader for each of its ballots. What it does within a ballot is compared as
  always. What its scouts of earlier ballots still tell it must change nothing. And when it enters a ballot it must be what the new ballot's
  own leader is after some proposals (E1), and send what that one sent when it began: then nothing else is left of its past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pmmc_check.checker.any_slots.concrete import Creation, LocalStep
from pmmc_check.checker.any_slots.projection import GONE, Projection
from pmmc_check.errors import ProtocolError
from pmmc_check.model.faults import FaultStep
from pmmc_check.model.model import Model
from pmmc_check.properties.observe import Fact, observe
from pmmc_check.protocol.messages import Adopted, P1a, P2a, Preempted, Propose, Start, show, sorted_texts
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome, Send
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, FAULTS, LEADER, SCOUT, ProcessId

_READ_OF = {ACCEPTOR: ("ballot",), LEADER: ("ballot", "active")}
Reason = str | None
"""Why a step is no step of the projected system; None when it is one."""


class Comparison:
    """Compares steps of any system with those of `target`, through `projection`. `raised` counts where the weaker form was needed."""

    def __init__(self, projection: Projection, target: Model) -> None:
        self.projection = projection
        self.target = target
        self.raised = 0
        self._fresh: dict[ProcessId, frozenset[Any]] = {}
        self._seen_alike: set[tuple[ProcessId, Any]] = set()

    def of_creation(self, creation: Creation) -> Reason:
        """A process that is created is and sends what its projection is and sends."""
        process, message, outcome = creation
        try:
            image = self._renamed(process, outcome.state)
        except ProtocolError as error:
            return str(error)
        if image is GONE:
            return self._foreign_sends(lambda: f"{process} begins", outcome)
        assert isinstance(message, Start)
        expected = self.target.started(image, self.projection.of(message))
        return self._compared(lambda: f"{process} begins", self._image(process, outcome), [expected])

    def of_step(self, step: LocalStep) -> Reason:
        """One step; see the module's text."""
        try:
            return self._states(step) or self._reason(step)
        except ProtocolError as error:
            return f"{_words(step)}, and what is left of that cannot be asked: {error}"

    def _reason(self, step: LocalStep) -> Reason:
        image = self._renamed(step.process, step.state)
        if image is GONE:
            return next(filter(None, (self._foreign_sends(lambda: _words(step), each) for each in step.outcomes)), None)
        if self.projection.renames_leaders and step.process.role in (LEADER, SCOUT, COMMANDER):
            return self._of_ballot(image, step)
        return self._projected(image, step)

    def _projected(self, image: ProcessId, step: LocalStep) -> Reason:
        """The step as the projected process takes it."""
        before, message = self.projection.of(step.state), self.projection.of(step.message)
        if message is GONE:
            return next(filter(None, (self._unmoved(image, before, step, each) for each in step.outcomes)), None)
        expected = self.target.outcomes(image, before, message)
        images = (self._image(step.process, each) for each in step.outcomes)
        return next(filter(None, (self._compared(lambda: _words(step), each, expected) for each in images)), None)

    def _unmoved(self, image: ProcessId, before: Any, step: LocalStep, outcome: Outcome) -> Reason:
        """A message of another slot."""
        after, sends = self._image(step.process, outcome)
        if left := [each for each in sends if not _preempts(each)]:
            return f"{_words(step)}, which is about another slot, and sends {_sent(left)}"
        if after == before:
            return None
        if image.role == ACCEPTOR and isinstance(step.message, P2a):
            asked = P1a(self.projection.of(step.message.ballot))
            if any(after == each.state for each in self.target.outcomes(image, before, asked)):
                self.raised += 1
                return None
        return f"{_words(step)}, which is about another slot, and seen from this slot changes to {_state(after)}"

    def _foreign_sends(self, words: Callable[[], str], outcome: Outcome) -> Reason:
        """A process of another slot."""
        left = [each for each in self.projection.sends(outcome.sends) if not _preempts(each)]
        return f"{words()} and sends {_sent(left)}, though it belongs to another slot" if left else None

    def _of_ballot(self, image: ProcessId, step: LocalStep) -> Reason:
        """A step of a leader, or of one of its scouts and commanders, where each ballot is a leader of its own."""
        if step.process.role != LEADER:
            others = [each for outcome in step.outcomes for each in outcome.sends if each.to.role == LEADER]
            if strangers := [each for each in others if each.to.number != step.process.number]:
                return f"{_words(step)} and sends {_sent(strangers)}: a leader of other ballots hears of it"
            return self._projected(image, step)
        return next(filter(None, self._of_leader(image, step)), None)

    def _of_leader(self, image: ProcessId, step: LocalStep) -> Iterator[Reason]:
        state, message = step.state, step.message
        within = isinstance(message, Propose | Preempted) or (isinstance(message, Adopted) and message.ballot == state.ballot)
        for outcome in step.outcomes:
            after = outcome.state
            retires = isinstance(after, Lifecycle) and isinstance(message, Preempted | FaultStep)
            if retires and all(each.to.role == FAULTS for each in outcome.sends):
                continue  # it needs no step to do nothing further; that it has no round left is the concrete system's bound
            if retires and isinstance(message, FaultStep):
                yield f"{_words(step)} and stops for good, sending {_sent(outcome.sends)}"
            elif isinstance(message, FaultStep) or (not isinstance(after, Lifecycle) and after.ballot != state.ballot):
                yield self._entered(step, outcome)
            elif within:
                yield self._projected(image, step._replace(outcomes=(outcome,)))
            elif outcome != Outcome(state):
                yield f"{_words(step)}, which is not about its ballot, and changes to {_state(after)}, sending {_sent(outcome.sends)}"

    def _entered(self, step: LocalStep, outcome: Outcome) -> Reason:
        """Entering a ballot leaves nothing behind but proposals."""
        leader, ballot = step.process, outcome.state.ballot
        before = step.state.state if isinstance(step.state, Crashed) else step.state
        if ballot <= before.ballot or ballot.leader != leader.number or ballot not in self.projection.ballots:
            return f"{_words(step)} and goes on with ballot {ballot}, which is no higher ballot of its own"
        image = self.projection.leader(leader, ballot)
        start = self.target.started(image, Start())
        if self.projection.of(outcome.state) not in self._after_proposals(image, start.state):
            return f"{_words(step)} and enters ballot {ballot} as {_state(outcome.state)}: more than its proposals is left of the past"
        sends = tuple(each for each in outcome.sends if each.to.role != FAULTS)
        if self.projection.sends(sends, ballot) != frozenset(start.sends):
            return f"{_words(step)} and enters ballot {ballot} by sending {_sent(sends)}"
        return None

    def _after_proposals(self, leader: ProcessId, start: Any) -> frozenset[Any]:
        """What a leader that has just begun may be after any proposals."""
        if leader not in self._fresh:
            system = self.target.system
            proposals = [Propose(slot, command) for slot in range(1, (system.slots or 1) + 1) for command in system.commands]
            reached, pending = {start}, [start]
            while pending:
                state = pending.pop()
                found = {each.state for message in proposals for each in self.target.outcomes(leader, state, message) if not each.sends}
                pending += found - reached
                reached |= found
            self._fresh[leader] = frozenset(reached)
        return self._fresh[leader]

    def _states(self, step: LocalStep) -> Reason:
        """Invariants observe of the projected state what they observe of the state, about the slot that is left; the user's read ballots,
        and whether leaders are active, too."""
        key = (step.process, step.state)
        if isinstance(step.state, Lifecycle) or key in self._seen_alike:
            return None
        self._seen_alike.add(key)
        image = self._renamed(step.process, step.state)
        if image is GONE:
            return None
        seen = {self._fact(each) for each in observe(step.process, step.state, (), ()) if self.projection.slot in (None, each.slot)}
        left = set(observe(image, self.projection.of(step.state), (), ()))
        if seen == left:
            return self.variables(step.process, step.state)
        return f"{step.process} with {_state(step.state)}: invariants would see {_listed(seen)}, but {_listed(left)} after projection"

    def variables(self, process: ProcessId, state: Any) -> Reason:
        """What may be read of a state, besides facts, is read of the projected state as well."""
        inner = state.state if isinstance(state, Crashed) else state
        after = self.projection.of(inner)
        for name in _READ_OF.get(process.role, ()):
            if hasattr(inner, name) and self.projection.of(getattr(inner, name)) != getattr(after, name):
                return f"{process} with {_state(state)}: its {name} would be read as {show(getattr(after, name))} after projection"
        return None

    def _fact(self, fact: Fact) -> Fact:
        slot = fact.slot if self.projection.slot is None else 1
        return fact._replace(slot=slot, ballot=self.projection.of(fact.ballot), command=self.projection.of(fact.command))

    def _renamed(self, process: ProcessId, state: Any) -> Any:
        """What a process is called after projection; `GONE` when it is of another slot."""
        if process.role != LEADER or not self.projection.renames_leaders or isinstance(state, Lifecycle):
            return self.projection.of(process)
        inner = state.state if isinstance(state, Crashed) else state
        if getattr(inner, "ballot", None) not in self.projection.ballots:
            raise ProtocolError(f"{process} uses no ballot of the paper's form; its state is {_state(inner)}")
        return self.projection.leader(process, inner.ballot)

    def _image(self, process: ProcessId, outcome: Outcome) -> tuple[Any, frozenset[Send]]:
        own = process.ballot if process.role in (SCOUT, COMMANDER) else None
        return self.projection.of(outcome.state), self.projection.sends(outcome.sends, own)

    def _compared(self, words: Callable[[], str], image: tuple[Any, frozenset[Send]], expected: Any) -> Reason:
        """Whether the projected outcome is one of those expected."""
        state, sends = image
        possible = [(each.state, frozenset(each.sends)) for each in expected]
        if image in possible:
            return None
        answers = " or ".join(_answer(*each) for each in possible)
        return f"{words()}; what is left of the outcome is {_answer(state, sends)}, but with only that in sight it would be {answers}"


def _words(step: LocalStep) -> str:
    return f"{step.process} with {_state(step.state)} receives {step.message}"


def _preempts(send: Send) -> bool:
    """Whether the environment sends it anyway (E2)."""
    return send.to.role == LEADER and isinstance(send.message, Preempted)


def _state(state: Any) -> str:
    return f"({show(state)})"


def _answer(state: Any, sends: frozenset[Send]) -> str:
    return f"{_state(state)}, sending {_sent(sends)}"


def _sent(sends: Any) -> str:
    return " and ".join(sorted(f"{message} → {to}" for to, message in sends)) or "nothing"


def _listed(facts: set[Fact]) -> str:
    return ", ".join(sorted_texts(f"{each.kind} ({each.ballot}, {each.slot}, {each.command})" for each in facts)) or "nothing"
