"""Seeded faults of the acceptor. Each class states only the claims that are still true of it (see `protocol.role`)."""

from __future__ import annotations

from dataclasses import replace

from pmmc_check.protocol.acceptor import Acceptor, AcceptorState
from pmmc_check.protocol.messages import P1a, P1b, P2a, P2b
from pmmc_check.protocol.role import Outcome, Send
from pmmc_check.protocol.values import BOTTOM, Ballot, PValue, commander_id, scout_id


def answer(acceptor: Acceptor, asked: P2a, ballot: Ballot) -> Send:
    """A p2b with `ballot` to the commander that sent `asked`."""
    return Send(commander_id(asked.ballot, asked.slot), P2b(acceptor.me, ballot))


def pvalue(message: P2a) -> PValue:
    """What a p2a asks to accept."""
    return PValue(message.ballot, message.slot, message.command)


class AcceptLowerBallot(Acceptor):
    """Accepts a lower ballot than its own and answers with it, so a commander takes a broken promise for an acceptance."""

    symmetric = True

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        """`p2a(b, s, c)`: accepts whatever b is, up to its own ballot."""
        if message.ballot > state.ballot:
            return super().accept(state, message)
        after = replace(state, accepted=state.accepted | {pvalue(message)})
        return Outcome(after, (answer(self, message, message.ballot),))


class PromiseNotKept(Acceptor):
    """Answers a p1a as if it had raised its ballot, but does not; hence it accepts any ballot that is not lower."""

    symmetric = True

    def promise(self, state: AcceptorState, message: P1a) -> Outcome:
        """`p1a(b)`: promises without writing it down."""
        promised = max(state.ballot, message.ballot)
        return Outcome(state, (Send(scout_id(message.ballot), P1b(self.me, promised, state.accepted)),))

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        """`p2a(b, s, c)`: nothing tells it of a promise."""
        if message.ballot < state.ballot:
            return Outcome(state, (self.p2b(state, message),))
        after = replace(state, accepted=state.accepted | {pvalue(message)})
        return Outcome(after, (answer(self, message, message.ballot),))


class EchoBallot(Acceptor):
    """Answers every p2a with the p2a's own ballot, also when it has rejected it."""

    symmetric = True

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        """`p2a(b, s, c)`: accepts rightly, answers wrongly."""
        return Outcome(super().accept(state, message).state, (answer(self, message, message.ballot),))


class AcceptWithoutRaise(Acceptor):
    """Accepts b ≥ ballot without raising its ballot, and keeps what arrived last for each slot."""

    symmetric = True

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        """`p2a(b, s, c)`: a late p2a of a ballot in between overwrites a higher one."""
        if message.ballot < state.ballot:
            return Outcome(state, (self.p2b(state, message),))
        kept = {each for each in state.accepted if each.slot != message.slot}
        return Outcome(replace(state, accepted=frozenset(kept | {pvalue(message)})), (answer(self, message, message.ballot),))


class HideAccepted(Acceptor):
    """Answers p1a without its accepted pvalues, as an implementation does that fills the reply before the log is read."""

    symmetric = True

    def p1b(self, state: AcceptorState, asked: Ballot) -> Send:
        """An empty report."""
        return Send(scout_id(asked), P1b(self.me, state.ballot, frozenset()))


class ForgetBallot(Acceptor):
    """Comes back from a crash without its promise."""

    symmetric = True

    def restart(self, state: AcceptorState) -> Outcome:
        """Only accepted was durable."""
        return Outcome(replace(state, ballot=BOTTOM))


class ForgetAccepted(Acceptor):
    """Comes back from a crash without what it accepted."""

    symmetric = True
    only_halts = Acceptor.only_halts  # the ballot is durable, and that is all that the claim speaks of

    def restart(self, state: AcceptorState) -> Outcome:
        """Only the ballot was durable."""
        return Outcome(replace(state, accepted=frozenset()))


class AnswerEverySlot(Acceptor):
    """A p2b that is not matched on its slot: it reaches every commander of its ballot."""

    symmetric = True

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        """`p2a(b, s, c)`: the answer goes to all slots' commanders."""
        after = super().accept(state, message).state
        slots = range(1, (self.system.slots or message.slot) + 1)
        return Outcome(after, tuple(Send(commander_id(message.ballot, slot), P2b(self.me, after.ballot)) for slot in slots))
