"""Commuting: where a step gives nothing up, it is taken alone.

What is left out
----------------
Steps of different processes always commute in this model: a step reads and changes its own process's view, and only
adds to those of others. So what a step may spoil is what its own process could have done instead. A step t that
spoils nothing, because the process can afterwards do all that it could have done without, may be taken **alone**: in
the states where it is possible, all other steps are left out, those of other processes included. An acceptor that
takes a p2a of the highest ballot, a commander that decides, an acceptor that promises the lowest ballot: none of them
closes a door.

In the literature's words t is a persistent set of one step (Godefroid 1996), in a somewhat wider sense: it need not
commute with the process's other steps, if the state after it **simulates** the state before.

Why that is sound
-----------------
Say that a state s' of the whole system is **no poorer** than s if all processes but one are in the same local states,
have received no less, and the one, p, is ahead of where it is in s in the sense of `checker.matching`. The game is
played against every message that p ever receives, so whatever run begins in s, a run begins in s' that takes the same
steps of all other processes, and for each step of p the answer or none; it is no longer, and each of its states is no
poorer. (What the one ahead sends earlier, with t or with an answer, the others have received early. A process that was
created earlier is one that had done nothing. A process creates another once: the claim `starts_once`, without which the
reduction is off.) A state that is no poorer shows no fewer facts, and if a process breaks an invariant by itself in the
one run, it does so in the other: p, because the game is lost where the one behind does, and all others because they do
the same.

Facts **accumulate**, and what they break stays broken when more are added: Agreement, A4, A5, C1 and C2 say that
certain facts do not occur together. So if a run from s breaks an invariant, one from t(s) does. Now take a state that
the reduced search visits, and a shortest run from it to a violation. If all steps of the state are taken, then one of
them begins this run (up to deferral, see `checker.reductions`) and the rest is shorter. If t is taken alone, then
from t(s) there is a run that is no longer. Steps taken alone cannot follow each other for ever: where one changes the
process's state, it never leads back to one from which such a step has led (`_leads_back`), and where it changes
nothing, on a network that keeps what it has delivered, it adds a message that was not there. Only finitely many
states and messages exist, so a step is spent sooner or later, and the violation is found. This is what is called the
ignoring problem.

The same holds of facts: each combination that the search finds is reachable, and each that is reachable is contained
in one that it finds. Runs may be longer than necessary, as they contain steps that a shortest run does not need. So
when a violation is found, it is searched again without this reduction, no deeper than it was found
(`checker.commuting_search`): counterexamples are as short as ever.

Chains
------
A state that has a step to take alone is passed by: the step is taken at once, and the next, up to a state that has none
(`checker.chains`). Only that one is kept and looked at. It is no poorer than those on the way to it, so it shows all that
they show, and if one of them breaks an invariant, so does it, or a process by itself from there. (A run that is rebuilt
ends where it breaks something first.)

What a process receives
-----------------------
The game asks for all messages that a process ever receives in a run of the unreduced system, and leaves out those that cannot be received
in the same run: a process is created once, with one command, and exits once, so of two messages that it sends as it exits, each without
another to this recipient, one is never sent. What is known of them
are those that are sent in the steps of visited states, taken or not, with all their renamed images where states count
up to renaming. That is exact in the end. Suppose that an unreduced run from a visited state sends a process a message
that it is not known to receive, and let this run be a shortest one; up to its last step all games are valid, so the
argument above leads to a run that is no longer, begins at a later visited state, and sends the message; or the
message was sent with the step itself. So finally some step of a visited state sends it, and it is known. The same run
shows that messages which seem to exclude each other do: if some unreduced run has both, there is a visited state in which both were
received, in a run of visited states, so that the two steps that sent them are known, and one of them is no exit. While the
search runs it may turn out that a process receives more. Then the games are played on, and if a step has been taken
alone that is not allowed to any longer, the search begins anew with what it knows by then (`Retracted`). In practice
that happens a few times in the first hundred states. A step may also be taken alone on the condition that some scout
or commander has exited (which is for good): what it is sent then counts for nothing.

With the other reductions
-------------------------
inert, halting
    The games are played on the deliveries that these two leave: what they let go can be left undone by both sides.
deferral
    A step is a path of deliveries, and is taken alone as a whole. Where all steps are taken, deferral does what it
    does without.
symmetry
    Any step that may be taken alone is as good as another, so it does not matter which image of a state is visited;
    renamed messages count as received.

What switches it off
--------------------
Progress (a run's end is not visited before all is done, and a cycle may be missed); constraints, and invariants that a
user wrote where they need not accumulate (`spec.accumulates`); a fifo network, where a delivery makes way for others;
crashes, which share a budget and so do not commute; roles that are not of this package, which would be asked for steps
that no run takes.
Networks that lose messages, or deliver each only once, are no obstacle: there the game also counts which messages the
step has used up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmmc_check.checker.chains import ALONE, NOT_ALONE
from pmmc_check.checker.local_steps import MessageId, StateId
from pmmc_check.checker.matching import Matching, Position, SentBy
from pmmc_check.checker.symmetry import generators
from pmmc_check.checker.tables import Tables, ViewId
from pmmc_check.model.content import Images, Renaming
from pmmc_check.model.faults import FaultStep
from pmmc_check.protocol.messages import Instant, Message, Start
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.protocol.values import ProcessId

MessagesReceived = Sequence[Mapping[Message, Iterable[SentBy]]]
"""For each process, messages that it receives in some run, with their origins."""


class Retracted(Exception):
    """A step has been taken alone that must not be. `received` is what is known by now of the messages that processes receive."""

    def __init__(self, received: MessagesReceived) -> None:
        super().__init__("a step was taken alone that gives something up")
        self.received = received


class Commuting:
    """Decides which steps of the tables may be taken alone, and takes back what new messages refute."""

    def __init__(self, tables: Tables, received: MessagesReceived) -> None:
        self._tables = tables
        self._locals = tables.locals
        model = tables.model
        self._matching = [Matching(tables.locals, tables.reductions.halting) for _ in model.processes]
        renamed = generators(model.system) if tables.reductions.symmetry else []
        self._images = [(Images(each), [self._image(each, process) for process in model.processes]) for each in renamed]
        self._forgets = not model.network.keeps_delivered
        self._steps: dict[Position, list[int]] = {}
        self._leads_to: dict[StateId, dict[StateId, None]] = defaultdict(dict)
        for process, messages in enumerate(received):
            self._receive((process, self._locals.message_id(each), origin) for each, origins in messages.items() for origin in origins)

    def _image(self, renaming: Renaming, process: ProcessId) -> int:
        image: Any = renaming.get(process, process)
        return self._tables.model.index[image]

    def begin(self, vector: Iterable[ViewId]) -> None:
        """Takes note of what is in the inboxes of the initial state."""
        views = [(process, self._tables.views[view]) for process, view in enumerate(vector)]
        contents = self._tables.model.network.contents
        for process, view in views:
            self._receive((process, message, SentBy(process, None, as_it_exits=False)) for message, _ in contents(view.inbox))

    def received(self) -> MessagesReceived:
        """For each process, all messages that it is known to receive."""
        messages = self._locals.messages
        return [{messages[each]: origins for each, origins in matching.received.items()} for matching in self._matching]

    def decide(self, taken: Callable[[], NDArray[np.int64]]) -> None:
        """Decides on the steps of views that have been filled since it was last asked; `taken` counts how often each step was taken.

        Raises:
            Retracted: a step that must not be taken alone any longer has been taken, perhaps alone.
        """
        tables, views = self._tables, list(self._tables.undecided)
        tables.undecided.clear()
        steps = [step for view in views for step in range(*tables.step_range.data[view].tolist())]
        refuted = self._receive(sent for step in steps for sent in self._sent(step))
        tables.step_alone.data[refuted] = NOT_ALONE
        for view in views:
            alone = [self._alone(view, step) for step in range(*tables.step_range.data[view].tolist())]
            tables.step_alone.data[slice(*tables.step_range.data[view])] = alone
            tables.has_alone.data[view] = any(each != NOT_ALONE for each in alone)
        if refuted and taken()[refuted].any():
            raise Retracted(self.received())

    def _sent(self, step: int) -> Iterator[tuple[int, MessageId, SentBy]]:
        """What a step sends: to whom, and from whom. What a created process sends is part of it."""
        tables, messages = self._tables, self._locals.messages
        acting = int(tables.owner.data[tables.step_view.data[step]])
        exits = bool(tables.exited.data[tables.step_view.data[step]])
        items = [(to, *item) for to, bundle in tables.bundles_of(step) for item in self._locals.bundles[bundle]]
        recipients = Counter(to for to, _, _ in items)
        created = {to: start.command for to, _, message in items if isinstance(start := messages[message], Start)}
        for to, sender, message in items:
            if not isinstance(messages[message], Instant):
                if sender == acting:
                    yield to, message, SentBy(sender, None, as_it_exits=exits and recipients[to] == 1)
                else:
                    yield to, message, SentBy(sender, created.get(sender), as_it_exits=False)

    def _receive(self, messages: Iterable[tuple[int, MessageId, SentBy]]) -> list[int]:
        """Takes note of messages, with their images; returns the steps that may be taken alone no longer."""
        new: dict[int, dict[MessageId, dict[SentBy, None]]] = defaultdict(lambda: defaultdict(dict))
        pending = list(dict.fromkeys(messages))
        while pending:
            to, message, origin = pending.pop()
            if origin in self._matching[to].received.get(message, ()) or origin in new[to][message]:
                continue
            new[to][message][origin] = None
            for images, processes in self._images:
                image = origin._replace(sender=processes[origin.sender], created_with=images.of(origin.created_with))
                pending.append((processes[to], self._locals.message_id(images.of(self._locals.messages[message])), image))
        refuted: list[int] = []
        for process, added in sorted(new.items()):
            if not self._matching[process].receives({message: origins for message, origins in added.items() if origins}):
                refuted += self._refuted(process)
        return refuted

    def _refuted(self, process: int) -> list[int]:
        """Plays the games of a process anew; returns the steps whose games are now lost."""
        states, refuted = self._locals.states, []
        for start in [each for each in self._steps if states[each.behind][0] == process]:
            if not start.told.isdisjoint(self._matching[process].doubtful) or not self._matching[process].holds(start):
                refuted += self._steps.pop(start)
                self._leads_to[start.behind].pop(start.ahead, None)
        return refuted

    def _alone(self, view: ViewId, step: int) -> int:
        """What `Tables.step_alone` says of a step of a view."""
        tables = self._tables
        before, after = tables.views[view].state, tables.views[tables.step_view.data[step]].state
        process, state = self._locals.states[before]
        delivered = [each.message for each in tables.paths[step].deliveries]
        if isinstance(state, Lifecycle) or any(isinstance(self._locals.messages[each], FaultStep) for each in delivered):
            return NOT_ALONE
        if self._leads_back(before, after) if before != after else self._forgets:
            return NOT_ALONE
        start = self._matching[process].position(before, after, tables.bundles_of(step), delivered, self._inbox(view))
        start = start and self._matching[process].holding(start)
        if start is None:
            return NOT_ALONE
        self._steps.setdefault(start, []).append(step)
        self._leads_to[before][after] = None
        return ALONE if start.exited is None else start.exited

    def _inbox(self, view: ViewId) -> list[MessageId]:
        return [message for message, _ in self._tables.model.network.contents(self._tables.views[view].inbox)]

    def _leads_back(self, before: StateId, after: StateId) -> bool:
        """Whether steps taken alone lead from `after` to `before`."""
        reached, pending = {after}, [after]
        while pending:
            following = self._leads_to.get(pending.pop(), {})
            if before in following:
                return True
            pending += [each for each in following if each not in reached]
            reached.update(following)
        return False
