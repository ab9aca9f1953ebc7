"""No claim is believed: what the reductions use of a role's claims is checked on the role's own steps, while the search runs.

A false claim makes a reduced search pass over the very steps that would refute it. So it is not enough to look at the steps that the
search takes: for each claim that a reduction relies on, the role is asked for the steps that the reduction leaves out.

What is asked
-------------
All of it happens in a graph of **local** states (`checker.local_graph`): those of single processes that the search meets, joined by the
steps that it asks for. A delivery, a creation, a crash and a restart are steps. The graph is **closed**: it contains the image of each
of its steps under every renaming that symmetry uses.

symmetric
    For each step (process, state, message) of the graph and each generator of the renamings, the renamed process is asked for its
    answer to the renamed message in the renamed state. It must be the renamed answer: the same states, and for each recipient the
    same messages (in the same order, where the network keeps order). Since the images are steps of the graph themselves, and are
    checked in their turn, this holds of all renamings and not of the generators only. Creation and restart are steps, too.

ignores
    Where a message leaves a view because the role ignores it, the role is asked for its step in that state and in every state of the
    graph that follows, at once or when the search meets it later. The answer must be one outcome: the same state, nothing sent.

only_halts
    Likewise: in each of these states every outcome must be the same state or the end of the process, and all that is sent must be like
    what the claim says, and harmless: that is asked of the recipients' claims, of the message that is sent indeed. A claim with state
    None is checked in every state of the recipient; where the recipient itself creates the sender, from that step on.

starts_once
    Each creation must find a process that has never run; `LocalSteps.happened` sees to it, and costs nothing.

What this establishes
---------------------
If no check fails, every step of the unreduced model corresponds to a step of the reduced one, by induction on the length of a run: the
process's local state is one of the graph (up to a renaming, and but for processes that have stopped), so the message is either in the
reduced view, and its step was asked for; or it had left the view under a claim that has been checked in this state. Hence a search to
the end that HOLDS needs no claim to be true but those that were checked, and none is believed. (Tests have roles claim at random, and
compare with the unreduced search.)

What it does not establish: that a claim is true in a larger configuration, or of steps that nothing reachable asks for; and, when a limit
stopped the search or walks were taken at random, of anything that was not met. That a step is a function of its arguments is
checked elsewhere (`Model.outcomes`). The reference engine uses no claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmmc_check.checker.local_graph import LocalGraph
from pmmc_check.checker.reductions import Reductions, starts_once
from pmmc_check.checker.result import ClaimsUsed
from pmmc_check.checker.symmetry import generators
from pmmc_check.errors import ProtocolError
from pmmc_check.model.calls import name_of, shown
from pmmc_check.model.model import Model
from pmmc_check.protocol.messages import Instant, Message
from pmmc_check.protocol.role import CLAIMS, Outcome, Send, states_claim
from pmmc_check.protocol.values import COMMANDER, SCOUT, ProcessId
from pmmc_check.users_code import users_code


class Claims:
    """Asks roles for their claims on behalf of the reductions, and has those that are used checked unless they are `trusted`.

    `left_out` collects the kinds of messages that were let go before they arrived, and of steps that were left out, each with the role;
    `left_out_in_thought` those of steps that were only thought of (`checker.matching`), which perhaps no run has.
    """

    def __init__(self, model: Model, reductions: Reductions, *, symmetric: bool, trusted: bool = False) -> None:
        self.model = model
        self.reductions = reductions
        self.left_out: set[tuple[str, str]] = set()
        self.left_out_in_thought: set[tuple[str, str]] = set()
        self.stays_exited = starts_once(model)
        self._stated = {(role.role, claim): states_claim(role, claim) for role in model.protocol.values() for claim in CLAIMS}
        self._symmetric = symmetric
        self.trusted = trusted
        unused = not (symmetric or reductions.inert or reductions.halting)
        self._graph = None if trusted or unused else LocalGraph(model, generators(model.system) if symmetric else (), self.harmless)
        self.imagining = False
        """Whether what is asked is about steps that perhaps no run takes (`checker.matching`). There claims are believed: it is about roles
        of this package only, whose claims the tests check."""
        self._harmless: dict[tuple[ProcessId, Message, ProcessId, bool], bool] = {}
        self._being_asked: set[tuple[ProcessId, Message, ProcessId]] = set()

    def report(self) -> ClaimsUsed:
        """The claims that this search relies on, where a role states them, and how far they were checked."""
        relied_on = {
            "symmetric": self._symmetric,
            "ignores": self.reductions.inert,
            "only_halts": self.reductions.halting,
            "starts_once": self.reductions.inert,
        }
        stated = {claim for (_, claim), yes in self._stated.items() if yes}
        used = tuple(claim for claim in CLAIMS if relied_on[claim] and claim in stated)
        if self.trusted:
            return ClaimsUsed(used, None)
        return ClaimsUsed(used, self._graph.steps_checked if self._graph else 0)

    def lets_go(self, role: str, kind: str) -> None:
        """Notes that messages of a kind are let go before they arrive, or a kind of step is left out."""
        (self.left_out_in_thought if self.imagining else self.left_out).add((role, kind))

    def met(self, process: ProcessId, state: Any, message: Message, outcomes: Sequence[Outcome]) -> None:
        """Takes note of a step that the search has asked for.

        Raises:
            FalseClaim: a claim that was used is refuted by it, or by what follows from it.
        """
        if self._graph is not None:
            self._graph.met(process, state, message, outcomes)

    def ignores(self, process: ProcessId, state: Any, message: Message) -> bool:
        """Whether `message` may leave the view of a process in `state`, because it can have no effect from now on.

        Raises:
            FalseClaim: the role says so, and is wrong.
            ProtocolError: the claim raised, or answered twice differently.
        """
        if process.role in (SCOUT, COMMANDER) and not self.stays_exited:
            return False  # what the state ignores, the fresh state of a second creation need not ignore
        if not self.reductions.inert or not self._stated[process.role, "ignores"]:
            return False
        if not self._asked(process, "ignores", state, message):
            return False
        if self._graph is not None and not self.imagining:
            self._graph.ignored(process, state, message)
        return True

    def harmless(self, process: ProcessId, state: Any, message: Message, sender: ProcessId | None) -> bool:
        """Whether all that can come of `message` is that processes stop; asks the recipients of what it may send in turn.

        With `state` None it is asked of every state that the process may be in once `sender` exists.

        Raises:
            FalseClaim: the role says so, and is wrong.
            ProtocolError: the claim raised, answered twice differently, or returned what is no claim.
        """
        if not self.reductions.halting or isinstance(message, Instant) or not self._stated[process.role, "only_halts"]:
            return False
        answer = self._is_harmless(process, state, message, sender)
        if self._graph is not None and not self._being_asked:
            self._graph.settle()
        return answer

    def _is_harmless(self, process: ProcessId, state: Any, message: Message, sender: ProcessId | None) -> bool:
        if state is not None or sender is None:
            return self._only_halts(process, state, message, sender)
        asked = (process, message, sender)
        key = (*asked, self.imagining)
        if asked in self._being_asked:
            return False  # two claims that rest on each other are not taken
        if key not in self._harmless:
            self._being_asked.add(asked)
            self._harmless[key] = self._only_halts(process, None, message, sender)
            self._being_asked.remove(asked)
        return self._harmless[key]

    def _only_halts(self, process: ProcessId, state: Any, message: Message, sender: ProcessId | None) -> bool:
        sends: Sequence[Send] | None = self._asked(process, "only_halts", state, message, sender)
        if sends is None:
            return False
        claimed = self._sends(process, sends)
        if any(self.model.kept.includes(each) for _, each in claimed):
            return False  # that it was sent is observed
        if not all(self.harmless(to, None, each, process) for to, each in claimed):
            return False
        self.lets_go(process.role, message.kind)
        if self._graph is not None and not self.imagining:
            self._graph.only_halted(process, state, message, tuple(sends), sender)
        return True

    def _sends(self, process: ProcessId, answer: Any) -> Sequence[Send]:
        """The answer of `only_halts`, if it is one."""
        is_claim = isinstance(answer, list | tuple) and all(isinstance(each, Send) for each in answer)
        if not is_claim or not all(isinstance(message, Message) and to in self.model.index for to, message in answer):
            name = type(self.model.roles[process]).__name__
            raise ProtocolError(f"{name}.only_halts of {process} returned {answer!r}; expected None or a tuple of Send(to, message)")
        sends: Sequence[Send] = answer
        return sends

    def _asked(self, process: ProcessId, claim: str, *arguments: Any) -> Any:
        """The role's answer; it is asked twice, because a claim that answers at random would make a search that cannot be repeated. The
        paper's own roles need neither that nor a guard, unless they cannot deal with what others have sent them."""
        role = self.model.roles[process]
        ask = getattr(role, claim)
        if self.model.is_paper(process):
            try:
                return ask(*arguments)
            except Exception:
                pass
        with users_code(name_of(type(role).__name__, claim, process)):
            answer = ask(*arguments)
            same = ask(*arguments) == answer
        if not same:
            raise ProtocolError(
                f"{type(role).__name__}.{claim} is not deterministic: {process} answered ({shown(arguments)}) in two ways; "
                f"it must be a function of its arguments"
            )
        return answer
