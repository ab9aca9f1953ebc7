"""Crash, restart, drop: the choice that is meant, or the sentence that says what would allow it."""

from __future__ import annotations

from pmmc_check.explorer.patterns import MessagePattern
from pmmc_check.explorer.session import CannotStep, Choice, Visit
from pmmc_check.explorer.why_not import why_not
from pmmc_check.model.faults import Crash, Drop, Restart
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import ProcessId


def crash_of(node: Visit, process: ProcessId) -> Choice:
    """The choice in which `process` crashes.

    Raises:
        CannotStep: it cannot; the text says why.
    """
    config = node.subject.model.config
    state = node.state[node.subject.model.index[process]].state
    if (found := _fault(node, process, Crash())) is not None:
        return found
    if process.role in ("scout", "commander"):
        raise CannotStep(f"{process} goes down with its leader; crash L{process.number}")
    if isinstance(state, Crashed):
        raise CannotStep(f"{process} is down already; restart {process} brings it back")
    if isinstance(state, Lifecycle):
        raise CannotStep(f"{process} has stopped; there is nothing left to crash")
    if not config.crashes:
        raise CannotStep("no process may crash in this configuration; begin with --crashes 1")
    if process.role not in config.faulty:
        wider = ",".join((*config.faulty, process.role))
        raise CannotStep(f"only these roles may crash here: {', '.join(config.faulty)}; begin with --faulty {wider}")
    raise CannotStep(f"a run may have {config.crashes} crashes, and has had them; begin with --crashes {config.crashes + 1}")


def restart_of(node: Visit, process: ProcessId) -> Choice:
    """The choice in which `process` comes back.

    Raises:
        CannotStep: it cannot; the text says why.
    """
    config = node.subject.model.config
    if (found := _fault(node, process, Restart())) is not None:
        return found
    if not isinstance(node.state[node.subject.model.index[process]].state, Crashed):
        raise CannotStep(f"{process} is not down; crash {process} comes first")
    if not config.restarts:
        raise CannotStep("no process may restart in this configuration; begin with --restarts 1")
    raise CannotStep(f"a run may have {config.restarts} restarts, and has had them; begin with --restarts {config.restarts + 1}")


def drop_of(node: Visit, pattern: MessagePattern) -> Choice:
    """The choice in which the network loses a message.

    Raises:
        CannotStep: it cannot, or several fit; the text says why.
    """
    network = node.subject.model.network
    if not network.may_lose:
        instead = " (here a message is lost by never delivering it)" if network.keeps_delivered else ""
        raise CannotStep(f"on the {network.name} network losing a message is no step{instead}; begin with --network lossy")
    found = [
        each
        for each in node.choices
        if isinstance(each.step.message, Drop) and pattern.matches(each.step.message.message, each.step.process)
    ]
    if not found:
        raise CannotStep(f"nothing to drop: {' '.join(why_not(node, pattern))}")
    if len(found) > 1:
        listed = "; ".join(f"{each.number} {getattr(each.step.message, 'message', '')} → {each.step.process}" for each in found)
        raise CannotStep(f"several messages fit; say more, or take one by its number: {listed}")
    return found[0]


def _fault(node: Visit, process: ProcessId, step: Crash | Restart) -> Choice | None:
    return next((each for each in node.choices if (each.step.process, each.step.message) == (process, step)), None)
