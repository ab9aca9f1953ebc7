"""The graph of local states and steps in which claims are checked; `checker.claims` tells what is checked, and why that is enough.

States, messages and processes are small integers here, of the graph's own: it contains images and later states that the search
itself has no numbers for. With symmetry it has, for each generator, arrays that say where it takes each of them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pmmc_check.checker.false_claim import asymmetric, not_ignored, not_only_halted
from pmmc_check.model.content import Images, Renaming
from pmmc_check.model.faults import Drop, FaultStep
from pmmc_check.model.model import Model
from pmmc_check.protocol.messages import Instant, Message, Start
from pmmc_check.protocol.role import Crashed, Lifecycle, Outcome, Send
from pmmc_check.protocol.values import FAULTS, Ballot, ProcessId

Harmless = Callable[[ProcessId, Any, Message, ProcessId | None], bool]
"""Whether a message to a process in a state (None: in whatever state) from a sender can only stop processes; see `Claims.harmless`."""

ProcessNumber = int
StateNumber = int
MessageNumber = int
ClaimNumber = int


GraphStep = tuple[StateNumber, MessageNumber]
"""A message is delivered in a local state, which is that of one process."""

SentItems = tuple[tuple[ProcessNumber, MessageNumber], ...]
LocalAnswer = tuple[tuple[StateNumber, SentItems], ...]
"""The outcomes of a step, in the role's order, each with what is sent, in the role's order."""


class HeldClaim(NamedTuple):
    """A claim about a message that holds from some state on: it is ignored (`sends` None), or all that it can do is to stop the process
    and to send the like of `sends`."""

    message: MessageNumber
    sends: SentItems | None


class Exists(NamedTuple):
    """The process has created another; no claim itself, but claims about every state "once the sender exists" hold from there on."""

    process: ProcessNumber


Claimed = HeldClaim | Exists
Origin = StateNumber | None
"""The state that a claim was made in; None: it was made about every state."""

_UNKNOWN = -1
"""In the place of an image: it has not been asked for yet."""


class LocalGraph:
    """The steps met so far and their images, and what is claimed where."""

    def __init__(self, model: Model, renamings: Sequence[Renaming], harmless: Harmless) -> None:
        self.model = model
        self.steps_checked = 0
        self._harmless = harmless
        self._renamings = renamings
        self._images = [Images(renaming) for renaming in renamings]
        self._keeps_order = not model.network.may_withhold
        self._states: list[tuple[ProcessNumber, Any]] = []
        self._state_numbers: dict[tuple[ProcessNumber, Any], StateNumber] = {}
        self._states_of: list[list[StateNumber]] = [[] for _ in model.processes]
        self._messages: list[Message] = []
        self._message_numbers: dict[Message, MessageNumber] = {}
        self._creations: set[MessageNumber] = set()
        self._process_images = [[model.index[_renamed(r, process)] for process in model.processes] for r in renamings]
        self._state_images: list[list[StateNumber]] = [[] for _ in renamings]
        self._message_images: list[list[MessageNumber]] = [[] for _ in renamings]
        self._answers: dict[GraphStep, LocalAnswer] = {}
        self._following: dict[StateNumber, dict[StateNumber, None]] = defaultdict(dict)
        self._claims: list[Claimed] = []
        self._claim_numbers: dict[Claimed, ClaimNumber] = {}
        self._claim_images: list[list[ClaimNumber]] = [[] for _ in renamings]
        self._held: dict[StateNumber, dict[ClaimNumber, Origin]] = defaultdict(dict)
        self._everywhere: dict[ProcessNumber, dict[ClaimNumber, None]] = defaultdict(dict)
        self._once_exists: dict[tuple[ProcessNumber, ClaimNumber], dict[ClaimNumber, None]] = defaultdict(dict)
        self._creators: dict[ProcessNumber, set[ProcessNumber]] = defaultdict(set)
        self._settling = False
        self._unexamined: deque[tuple[StateNumber, ClaimNumber, Origin]] = deque()
        for process, view in zip(model.processes, model.initial(), strict=True):
            if view.state is not Lifecycle.NOT_STARTED:
                self.met(process, Lifecycle.NOT_STARTED, Start(), (model.started(process, Start()),))

    def met(self, process: ProcessId, state: Any, message: Message, outcomes: Sequence[Outcome]) -> None:
        """Adds a step and its images; checks that they are alike, and in the states they lead to what is claimed already.

        Raises:
            FalseClaim: some claim is refuted.
        """
        if process.role == FAULTS or isinstance(message, Drop):
            return
        number = self.model.index[process]
        step = (self._state(number, state), self._message(message))
        if step not in self._answers:
            self._add(step, self._numbered(number, outcomes))
            self._close(step)
            self.settle()

    def _close(self, step: GraphStep) -> None:
        """Adds all images of a step; each must be answered by the image of the answer."""
        answers = self._answers
        pending = [step]
        while pending:
            step = pending.pop()
            state, message = step
            for g in range(len(self._renamings)):
                image = (self._state_image(g, state), self._message_image(g, message))
                known = answers.get(image)
                if known is None:
                    expected = self._answer_image(g, answers[step])
                    known = expected if self._answers_so(image, expected) else self._asked(image)
                    self._add(image, known)
                    pending.append(image)
                elif image < step:
                    continue  # a generator is its own inverse, so one of the two comparisons is enough
                else:
                    expected = self._answer_image(g, answers[step])
                if known != expected and self._unordered(known) != self._unordered(expected):
                    shown = (self._outcomes(answers[step]), self._outcomes(expected), self._outcomes(known))
                    raise asymmetric(self.model, self._renamings[g], self._shown(step), self._shown(image), shown)

    def ignored(self, process: ProcessId, state: Any, message: Message) -> None:
        """Notes that a reduction relies on `message` being ignored from `state` on; checks it.

        Raises:
            FalseClaim: it is not.
        """
        number = self._state(self.model.index[process], state)
        self._hold(number, {self._claim(HeldClaim(self._message(message), None)): number})
        self.settle()

    def only_halted(self, process: ProcessId, state: Any, message: Message, sends: Sequence[Send], sender: ProcessId | None) -> None:
        """The same of a claim that `message` can only stop the process, and send the like of `sends`; `state` None: in whatever state.
        It is checked by the next `settle`: when all claims on which it rests have been made.
        """
        claim = self._claim(HeldClaim(self._message(message), self._items(sends)))
        if state is not None:
            number = self._state(self.model.index[process], state)
            self._hold(number, {claim: number})
        else:
            self._hold_everywhere(self.model.index[process], claim, None if sender is None else self.model.index[sender])

    # The steps

    def _add(self, step: GraphStep, answer: LocalAnswer) -> None:
        self.steps_checked += bool(self._renamings)
        self._answers[step] = answer
        before = step[0]
        for after, items in answer:
            if after != before and after not in self._following[before]:
                self._following[before][after] = None
                self._hold(after, self._held[before])
            for to, message in items:
                if message in self._creations:
                    self._created(self._states[before][0], to)
                    self._hold(after, {self._claim(Exists(to)): None})

    def _answers_so(self, step: GraphStep, expected: LocalAnswer) -> bool:
        """Whether the role answers just so; False may also mean: in another order, or that it cannot be asked so quickly."""
        number, state = self._states[step[0]]
        message = self._messages[step[1]]
        if isinstance(message, Instant | FaultStep) or isinstance(state, Lifecycle):
            return False
        return self.model.answers(self.model.processes[number], state, message, [self._outcomes(expected)])

    def _asked(self, step: GraphStep) -> LocalAnswer:
        """What the role answers."""
        number, state = self._states[step[0]]
        process, message = self.model.processes[number], self._messages[step[1]]
        if not isinstance(message, Instant):
            return self._numbered(number, self.model.asked(process, state, message))
        outcome = self.model.happened(process, state, message)
        assert outcome is not None, "only the fault budget, which is never asked here, refuses"
        return self._numbered(number, (outcome,))

    # What is claimed

    def _hold(self, state: StateNumber, claims: Mapping[ClaimNumber, Origin]) -> None:
        """What is claimed of a state is claimed of all that follow it, and of their images."""
        pending: list[tuple[StateNumber, Mapping[ClaimNumber, Origin]]] = [(state, claims)]
        while pending:
            at, given = pending.pop()
            held = self._held[at]
            if given.keys() <= held.keys():
                continue
            new = {claim: given[claim] for claim in given if claim not in held}
            held.update(new)
            self._unexamined.extend((at, claim, origin) for claim, origin in new.items())
            pending.extend((later, new) for later in self._following[at])
            for g in range(len(self._renamings)):
                images = {
                    self._claim_image(g, claim): None if origin is None else self._state_image(g, origin) for claim, origin in new.items()
                }
                pending.append((self._state_image(g, at), images))

    def _hold_here(self, state: StateNumber, claim: ClaimNumber) -> None:
        """The same of one that is claimed of all states of the process, of those that follow and of the images in any case."""
        if claim not in self._held[state]:
            self._held[state][claim] = None
            self._unexamined.append((state, claim, None))

    def _hold_everywhere(self, process: ProcessNumber, claim: ClaimNumber, sender: ProcessNumber | None) -> None:
        """A claim about every state of a process, and its images; from the sender's creation on where the process alone creates it."""
        pending = [(process, claim, sender)]
        while pending:
            process, claim, sender = pending.pop()
            own = self._claim(Exists(sender)) if sender is not None and self._creators[sender] == {process} else None
            among = self._everywhere[process] if own is None else self._once_exists[process, own]
            if claim in among:
                continue
            among[claim] = None
            for state in list(self._states_of[process]):
                if own is None or own in self._held[state]:
                    self._hold_here(state, claim)
            for g, images in enumerate(self._process_images):
                pending.append((images[process], self._claim_image(g, claim), None if sender is None else images[sender]))

    def _created(self, creator: ProcessNumber, process: ProcessNumber) -> None:
        """Notes who creates whom. Where it is not one process alone, the sender's existence says nothing about its recipient's state."""
        creators = self._creators[process]
        if creator in creators:
            return
        creators.add(creator)
        if len(creators) > 1:
            for each in creators:
                for claim in self._once_exists.pop((each, self._claim(Exists(process))), {}):
                    self._hold_everywhere(each, claim, process)

    def settle(self) -> None:
        """Examines what has come to be claimed: once all images of a step have been asked for, so that every state which a role is asked
        about is one that some step of the role has led to.

        Raises:
            FalseClaim: some claim is refuted.
        """
        if self._settling:
            return
        self._settling = True
        while self._unexamined:
            self._examine(*self._unexamined.popleft())
        self._settling = False

    def _examine(self, at: StateNumber, which: ClaimNumber, origin: Origin) -> None:
        """Asks the role whether what is claimed of a state is true in it."""
        number, state = self._states[at]
        claim = self._claims[which]
        if isinstance(claim, Exists):
            for about_all in list(self._once_exists.get((number, which), ())):
                self._hold_here(at, about_all)
        elif not isinstance(state, Lifecycle | Crashed):
            self.steps_checked += 1
            process, message = self.model.processes[number], self._messages[claim.message]
            if self.model.answers(process, state, message, self._claimed_answers(state, claim)):
                return  # what is sent then was found harmless when the claim was made
            outcomes = self.model.asked(process, state, message)
            made_in = None if origin is None else self._states[origin][1]
            if claim.sends is None:
                raise not_ignored(self.model, process, made_in, state, message, outcomes)
            if wrong := self._more_than_halts(process, state, claim.sends, outcomes):
                raise not_only_halted(self.model, process, made_in, state, message, outcomes, wrong)

    def _claimed_answers(self, state: Any, claim: HeldClaim) -> list[tuple[Outcome, ...]]:
        """The answers that a claim describes word for word."""
        if claim.sends is None:
            return [(Outcome(state),)]
        sends = self._sends(claim.sends)
        return [(Outcome(state, sends),), (Outcome(Lifecycle.EXITED, sends),)]

    def _more_than_halts(self, process: ProcessId, state: Any, claimed: SentItems, outcomes: Sequence[Outcome]) -> str | None:
        """What an answer does beyond stopping the process and sending the like of what is claimed."""
        for after, sends in outcomes:
            if after is not Lifecycle.EXITED and after != state:
                return "the state changes"
            for to, sent in sends:
                index = self.model.index[to]
                if not any(index == each and _alike(sent, self._messages[message]) for each, message in claimed):
                    return f"{sent} to {to} is not like what the claim says is sent"
                if not self._harmless(to, None, sent, process):
                    return f"{to} does not claim that {sent} can only stop processes"
        return None

    # Numbers, and their images

    def _state(self, process: ProcessNumber, state: Any) -> StateNumber:
        key = (process, state)
        number = self._state_numbers.get(key)
        if number is None:
            number = self._state_numbers[key] = len(self._states)
            self._states.append(key)
            self._states_of[process].append(number)
            for images in self._state_images:
                images.append(_UNKNOWN)
            for claim in list(self._everywhere[process]):
                self._hold_here(number, claim)
        return number

    def _message(self, message: Message) -> MessageNumber:
        number = self._message_numbers.get(message)
        if number is None:
            number = self._message_numbers[message] = len(self._messages)
            self._messages.append(message)
            if isinstance(message, Start):
                self._creations.add(number)
            for images in self._message_images:
                images.append(_UNKNOWN)
        return number

    def _claim(self, claim: Claimed) -> ClaimNumber:
        number = self._claim_numbers.get(claim)
        if number is None:
            number = self._claim_numbers[claim] = len(self._claims)
            self._claims.append(claim)
            for images in self._claim_images:
                images.append(_UNKNOWN)
        return number

    def _items(self, sends: Iterable[Send]) -> SentItems:
        return tuple([(self.model.index[to], self._message(message)) for to, message in sends])

    def _numbered(self, process: ProcessNumber, outcomes: Iterable[Outcome]) -> LocalAnswer:
        return tuple([(self._state(process, after), self._items(sends)) for after, sends in outcomes])

    def _unordered(self, answer: LocalAnswer) -> frozenset[tuple[StateNumber, SentItems]]:
        """An answer without the orders that do not matter: of outcomes; of what goes to different recipients; and of messages to one
        recipient, where the network mixes them up anyway."""

        def key(item: tuple[ProcessNumber, MessageNumber]) -> tuple[int, int]:
            return item[0], -1 if self._keeps_order or isinstance(self._messages[item[1]], Instant) else item[1]

        return frozenset((after, tuple(sorted(items, key=key))) for after, items in answer)

    def _state_image(self, g: int, state: StateNumber) -> StateNumber:
        image = self._state_images[g][state]
        if image == _UNKNOWN:
            process, value = self._states[state]
            image = self._state_images[g][state] = self._state(self._process_images[g][process], self._images[g].of(value))
            self._state_images[g][image] = state
        return image

    def _message_image(self, g: int, message: MessageNumber) -> MessageNumber:
        image = self._message_images[g][message]
        if image == _UNKNOWN:
            image = self._message_images[g][message] = self._message(self._images[g].of(self._messages[message]))
            self._message_images[g][image] = message
        return image

    def _items_image(self, g: int, items: SentItems) -> SentItems:
        processes = self._process_images[g]
        return tuple([(processes[to], self._message_image(g, message)) for to, message in items])

    def _answer_image(self, g: int, answer: LocalAnswer) -> LocalAnswer:
        return tuple([(self._state_image(g, after), self._items_image(g, items)) for after, items in answer])

    def _claim_image(self, g: int, claim: ClaimNumber) -> ClaimNumber:
        image = self._claim_images[g][claim]
        if image == _UNKNOWN:
            match self._claims[claim]:
                case Exists(process):
                    image = self._claim(Exists(self._process_images[g][process]))
                case HeldClaim(message, sends):
                    sent = None if sends is None else self._items_image(g, sends)
                    image = self._claim(HeldClaim(self._message_image(g, message), sent))
            self._claim_images[g][claim] = image
        return image

    # Back to what people read

    def _shown(self, step: GraphStep) -> tuple[ProcessId, Any, Message]:
        process, state = self._states[step[0]]
        return self.model.processes[process], state, self._messages[step[1]]

    def _outcomes(self, answer: LocalAnswer) -> tuple[Outcome, ...]:
        return tuple([Outcome(self._states[after][1], self._sends(items)) for after, items in answer])

    def _sends(self, items: SentItems) -> tuple[Send, ...]:
        processes, messages = self.model.processes, self._messages
        return tuple([Send(processes[to], messages[message]) for to, message in items])


def _alike(sent: Message, claimed: Message) -> bool:
    """Whether `sent` is of the kind of `claimed`, with a ballot that is no lower."""
    one, other = getattr(sent, "ballot", None), getattr(claimed, "ballot", None)
    return sent.kind == claimed.kind and (one == other or (isinstance(one, Ballot) and isinstance(other, Ballot) and one >= other))


def _renamed(renaming: Renaming, process: ProcessId) -> Any:
    return renaming.get(process, process)
