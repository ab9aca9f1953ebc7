"""Whether a process that has taken a step can match all that it could have done without: the game behind `checker.commuting`.

A **position** is two states of one process: the one **behind**, where the step has not been taken, and the one **ahead**, where it has.
The one behind moves: it takes any message that the process ever receives, but for those that cannot be on their way in one
run: a commander is created once, with one command, and a scout that exits says one thing to its leader, not two. The one ahead answers with
the same message, or stays. What it has sent before the one behind sends it, with the step or with an answer, need not be sent again; what
goes to a process that has exited counts for nothing. If the one behind sends anything else that the answer does not send, or shows a fact
that the one ahead does not show, or breaks an invariant by itself, the game is lost.

A position **holds** if the one ahead can answer for ever. Positions that hold are collected: from each of them, every move leads to one of
them. So they are checked again, against the new messages only, when the process turns out to receive more.

Roles are asked for steps here that no run may ever take, so neither claims nor coverage hear of them; where a role cannot
answer, the game is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from pmmc_check.checker.local_steps import NO_MESSAGES, BundleId, LocalSteps, MessageId, StateId
from pmmc_check.errors import ProtocolError
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.protocol.values import COMMANDER, SCOUT, Command

POSITIONS_MAX = 100
"""How many new positions are looked at for one step before it is given up: longer games cost more than they save."""

ItemNumber = int


class SentBy(NamedTuple):
    """Who sends a message, and when: on its creation with `created_with` (else None); as it exits, and nothing else to this recipient."""

    sender: int
    created_with: Command | None
    as_it_exits: bool


class ToldOfSender(NamedTuple):
    """What a message tells of its sender: the command with which it was created, or (its number) the message with which it has exited."""

    sender: int
    created_with: Command | None
    exited_with: MessageId | None

    def excludes(self, other: ToldOfSender) -> bool:
        """Whether no run has both: a process is created once, and exits once."""
        return self != other and self.sender == other.sender and (self.exited_with is None) == (other.exited_with is None)


class LocalMove(NamedTuple):
    """What a process may do with a message: the state after, what it sends, and what its history then records."""

    after: StateId
    sends: frozenset[ItemNumber]
    recorded: frozenset[MessageId]


class Position(NamedTuple):
    """Two states of one process.

    `kept` are the messages that only the one behind still has, where delivery takes them away; `sent` is what only the one ahead has
    sent; `exited` is the process (its number) that must have exited, or None. `told` says of other processes with what they were
    created and have exited, as far as what the one behind has received tells it.
    """

    behind: StateId
    ahead: StateId
    kept: tuple[MessageId, ...]
    sent: frozenset[ItemNumber]
    exited: int | None
    told: frozenset[ToldOfSender]


class Matching:
    """The positions of one process that hold, as far as is known of the messages that it receives."""

    def __init__(self, locals_: LocalSteps, halting: bool) -> None:
        self._locals = locals_
        self._model = locals_.model
        self._halting = halting
        self._forgets = not self._model.network.keeps_delivered
        self.received: dict[MessageId, dict[SentBy, None]] = {}
        """All messages that the process is known to receive at some time, each with its origins."""
        self.doubtful: set[ToldOfSender] = set()
        """What messages seemed to tell of their senders, until they turned out to have another origin, too."""
        self._holding: dict[Position, None] = {}
        self._lost: set[Position] = set()
        self._conditional: dict[Position, Position | None] = {}
        self._moves: dict[tuple[StateId, MessageId], tuple[LocalMove, ...] | None] = {}
        self._items: dict[tuple[int, int, MessageId], ItemNumber] = {}
        self._recipients: list[int] = []
        self._sent_messages: list[MessageId] = []
        self._unanswered: frozenset[ItemNumber] = frozenset()

    def position(
        self,
        before: StateId,
        after: StateId,
        bundles: Iterable[tuple[int, BundleId]],
        delivered: Iterable[MessageId],
        inbox: Iterable[MessageId],
    ) -> Position | None:
        """Where the game of a step begins that takes `delivered` from `inbox` and sends `bundles`; None where it cannot be played."""
        sent = [number for to, bundle in bundles for number in self._numbers(to, bundle)]
        if self._forgets and len(set(sent)) < len(sent):
            return None  # two copies of one message: which of them is sent again would have to be told
        told = frozenset().union(*map(self._told_by, inbox))
        return Position(before, after, tuple(sorted(delivered)) if self._forgets else (), frozenset(sent), None, told)

    def holding(self, start: Position) -> Position | None:
        """`start` if it holds; or, if that is enough, with some scout or commander that must have exited. None if neither."""
        if start not in self._conditional:
            if self.holds(start):
                return start
            exited = {self._recipients[each] for each in self._unanswered}
            may_exit = len(exited) == 1 and all(self._model.processes[each].role in (SCOUT, COMMANDER) for each in exited)
            self._conditional[start] = start._replace(exited=exited.pop()) if may_exit else None
        conditional = self._conditional[start]
        return conditional if conditional and self.holds(conditional) else None

    def holds(self, start: Position) -> bool:
        """Whether the one ahead can answer for ever; False also where the game grows too long."""
        self._unanswered = frozenset()
        if start in self._lost:
            return False
        reached, pending = {start: None}, [start]
        while pending:
            position = pending.pop()
            if position in self._holding:
                continue
            following = self._after_all_moves(position, tuple(self.received))
            if following is None:
                self._lost.add(position)
            if following is None or len(reached) > POSITIONS_MAX or not self._lost.isdisjoint(following):
                self._lost.add(start)
                return False
            new = [each for each in dict.fromkeys(following) if each not in reached]
            reached.update(dict.fromkeys(new))
            pending += new
        self._holding.update(reached)
        return True

    def receives(self, messages: Mapping[MessageId, Iterable[SentBy]]) -> bool:
        """Takes note of more messages, or origins; whether all that held still holds. If not, nothing is known to hold any more."""
        seen_through = len(self.doubtful)
        for message, origins in messages.items():
            told = self._told_by(message)
            self.received.setdefault(message, {}).update(dict.fromkeys(origins))
            if not told <= self._told_by(message):
                self.doubtful |= told
                self._holding.clear()
        for position in list(self._holding):
            following = self._after_all_moves(position, tuple(messages))
            if following is None or not all(each in self._holding or self.holds(each) for each in following):
                self._lost.add(position)
                self._holding.clear()
                return False
        return len(self.doubtful) == seen_through

    def _after_all_moves(self, position: Position, messages: Collection[MessageId]) -> list[Position] | None:
        """The positions that follow, after each move with one of `messages` or with one that was kept; None when the game is lost."""
        behind, ahead, kept = position[:3]
        if behind == ahead and not kept:
            return []
        if not self._shows_no_less(position, messages):
            return None
        following: list[Position] = []
        given = [(message, self._moves_of(ahead, message), kept) for message in messages]
        given += [(message, (), (*kept[:place], *kept[place + 1 :])) for place, message in enumerate(kept)]
        for message, answers, kept_after in given:
            if not self._can_be_there(message, position.told):
                continue
            moves = self._moves_of(behind, message)
            if moves is None or answers is None:
                return None
            for choice, move in enumerate(moves):
                reached = self._answered(
                    position, move, (*answers[choice : choice + 1], *answers[:choice], *answers[choice + 1 :]), kept_after
                )
                if reached is None:
                    return None
                following.append(reached._replace(told=position.told | self._told_by(message)))
        return following

    def _told_by(self, message: MessageId) -> frozenset[ToldOfSender]:
        """What the message tells of its sender: something only if it has no other origin."""
        origins = self.received.get(message, {})
        if len(origins) != 1:
            return frozenset()
        ((sender, created_with, as_it_exits),) = origins
        if as_it_exits:
            return frozenset({ToldOfSender(sender, None, message)})
        return frozenset({ToldOfSender(sender, created_with, None)} if created_with is not None else ())

    def _can_be_there(self, message: MessageId, told: frozenset[ToldOfSender]) -> bool:
        """Whether the message may be received in a run of which that much is told."""
        return not any(one.excludes(other) for one in self._told_by(message) for other in told)

    def _answered(self, position: Position, move: LocalMove, answers: Sequence[LocalMove], kept: tuple[MessageId, ...]) -> Position | None:
        """The position after a move and an answer to it, or none; None when there is no good one."""
        wanted = frozenset(each for each in move.sends if self._recipients[each] != position.exited)
        missing = wanted - position.sent
        stays = not missing and self._records(position, move, frozenset())
        if stays and move.after in (position.behind, position.ahead):
            return self._following(position, move, None, kept, wanted)
        for answer in answers:
            if missing <= answer.sends and self._records(position, move, answer.recorded) and self._counts(position, wanted, answer):
                return self._following(position, move, answer, kept, wanted)
        if stays:
            return self._following(position, move, None, kept, wanted)
        self._unanswered = missing - (answers[0].sends if answers else frozenset())
        return None

    def _counts(self, position: Position, wanted: frozenset[ItemNumber], answer: LocalMove) -> bool:
        """Whether it can be told which copies of messages are sent again later: where delivery takes them away, one of each."""
        return not self._forgets or position.sent.isdisjoint(answer.sends - wanted)

    def _following(
        self, position: Position, move: LocalMove, answer: LocalMove | None, kept: tuple[MessageId, ...], wanted: frozenset[ItemNumber]
    ) -> Position:
        """The position after a move and its answer, or none: what the answer sends beside what is wanted, only the one ahead has sent."""
        ahead, sends = (answer.after, answer.sends) if answer else (position.ahead, frozenset())
        before = position.sent - (wanted - sends) if self._forgets else position.sent
        return position._replace(behind=move.after, ahead=ahead, kept=kept, sent=before | (sends - wanted))

    def _records(self, position: Position, move: LocalMove, recorded: frozenset[MessageId]) -> bool:
        """Whether the history of the one ahead has all that the move records."""
        return move.recorded - recorded <= {self._sent_messages[each] for each in position.sent}

    def _shows_no_less(self, position: Position, messages: Iterable[MessageId]) -> bool:
        """Whether the one ahead shows all that the one behind does, and the one behind breaks no invariant by itself."""
        behind, ahead, kept = position[:3]
        facts = self._locals.facts
        if self._locals.violated(behind):
            return False
        shown = facts(ahead, NO_MESSAGES, NO_MESSAGES)
        if not facts(behind, NO_MESSAGES, NO_MESSAGES) <= shown:
            return False
        if not self._locals.shows_inbox[behind]:
            return True
        gone = [*kept, *(message for message in messages if not self._moves_of(ahead, message))]
        return all(facts(behind, frozenset({message}), NO_MESSAGES) <= shown for message in gone)

    def _moves_of(self, state: StateId, message: MessageId) -> tuple[LocalMove, ...] | None:
        """What may come of a message that changes or sends something; None where that must not be passed over."""
        key = (state, message)
        if key not in self._moves:
            self._moves[key] = self._asked(state, message)
        return self._moves[key]

    def _asked(self, state: StateId, message: MessageId) -> tuple[LocalMove, ...] | None:
        if isinstance(self._locals.states[state][1], Lifecycle):
            return ()
        try:
            outcomes = self._locals.imagined(state, message)
        except ProtocolError:
            return None
        moves = []
        for outcome in outcomes:
            if outcome.violated or outcome.to_itself or self._locals.states[outcome.state][1] is Lifecycle.FAILED:
                return None  # what a process sends to itself is not among what it is known to receive
            sent = [number for to, bundle in outcome.bundles for number in self._numbers(to, bundle)]
            sends = frozenset(sent)
            if self._forgets and len(sends) < len(sent):
                return None  # as in `position`
            only_ends = self._halting and not sends and self._locals.exited[outcome.state]
            if not only_ends and (sends or outcome.state != state):
                moves.append(LocalMove(outcome.state, sends, outcome.recorded))
        return tuple(moves)

    def _numbers(self, to: int, bundle: BundleId) -> list[ItemNumber]:
        numbers = []
        for sender, message in self._locals.bundles[bundle]:
            number = self._items.setdefault((to, sender, message), len(self._items))
            if number == len(self._recipients):
                self._recipients.append(to)
                self._sent_messages.append(message)
            numbers.append(number)
        return numbers
