"""An acceptor that clears its memory whenever it promises a new ballot."""

from dataclasses import replace

from pmmc_check.protocol import Acceptor, AcceptorState, Outcome, P1a


class TidyAcceptor(Acceptor):
    """Breaks A3 in 7 steps, and Agreement in 14."""

    symmetric = True  # it treats all acceptors, replicas and commands alike

    def promise(self, state: AcceptorState, message: P1a) -> Outcome:
        """As the paper's acceptor, but for the memory."""
        if message.ballot > state.ballot:
            state = replace(state, accepted=frozenset())
        return super().promise(state, message)
