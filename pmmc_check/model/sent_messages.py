"""What histories keep of the messages that processes send: history variables, in the sense of TLA+."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from pmmc_check.config import Config
from pmmc_check.model.network import Lossy
from pmmc_check.protocol.messages import Addressed, Decision, Message, P1b, P2a, P2b, Preempted, Response
from pmmc_check.protocol.role import Send

_TO_ONE = (P1b, P2b, Preempted, Response)
"""Messages to one process, which their fields do not name: a history keeps them as `Addressed`."""


def always_kept(config: Config) -> tuple[type[Message], ...]:
    """What is kept in the sender's history, whatever is asked of a model.

    C1 and C2 speak of every p2a *ever sent*, and neither an exited commander nor a network that forgets still shows it. Agreement
    speaks of every decision ever sent: where nothing is lost it is in a replica's inbox or among its
    decisions, but a lossy network, or a replica that forgets, takes it out of sight.
    """
    loses = config.network == Lossy.name or config.crashes > 0
    return (P2a, Decision) if loses else (P2a,)


@dataclass(frozen=True)
class SentMessages:
    """What is kept: all messages of the kinds `always`; of the kinds `asked` those that matter, or all of them where `matters` is None."""

    always: tuple[type[Message], ...]
    asked: tuple[type[Message], ...] = ()
    matters: Callable[[Message], bool] | None = None

    def asked_of(self, kinds: Iterable[type[Message]], matters: Callable[[Message], bool] | None) -> SentMessages:
        """The same with other kinds in the place of those that are asked."""
        return replace(self, asked=tuple(each for each in kinds if each not in self.always), matters=matters)

    def includes(self, message: Message) -> bool:
        """Whether messages of this kind are kept, or some of them."""
        return isinstance(message, (*self.always, *self.asked))

    def remembers(self, kept: Message) -> bool:
        """Whether this message of such a kind is kept; it is given in the form in which it would be."""
        return self.matters is None or isinstance(kept, self.always) or self.matters(kept)

    def of(self, sends: Iterable[Send]) -> frozenset[Message]:
        """What is kept of `sends`."""
        kept = (Addressed(*each) if isinstance(each.message, _TO_ONE) else each.message for each in sends if self.includes(each.message))
        return frozenset(filter(self.remembers, kept))
