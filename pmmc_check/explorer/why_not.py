"""Why a message cannot be delivered, or why a delivery would change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pmmc_check.explorer.origins import SENT_WHEN, obstacle
from pmmc_check.explorer.patterns import MessagePattern
from pmmc_check.explorer.session import Visit
from pmmc_check.model.faults import Drop
from pmmc_check.model.model import Item, Model
from pmmc_check.protocol.messages import Instant, Message, Start
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, LEADER, SCOUT, ProcessId
from pmmc_check.report.rules import rule_about

ANSWERS_MAX = 6
"""So many messages that fit are answered for; the others are counted."""


class Underway(NamedTuple):
    """A message to one process, and the number of the step that sent it (0: at the start)."""

    to: ProcessId
    message: Message
    step: int


def why_not(node: Visit, pattern: MessagePattern) -> list[str]:
    """Sentences that answer why no message that `pattern` means is among the choices; or where it is."""
    enabled = [each for each in node.choices if not each.is_fault and pattern.matches(each.step.message, each.step.process)]
    if enabled:
        numbers = ", ".join(str(each.number) for each in enabled)
        return [f"It can be delivered now: {'steps' if len(enabled) > 1 else 'step'} {numbers}."]
    sent = [each for each in sendings(node) if pattern.matches(each.message, each.to)]
    if not sent:
        return list(_never_sent(node, pattern))
    distinct = list({(each.to, each.message): each for each in sent}.values())
    answers = [sentence for each in distinct[:ANSWERS_MAX] for sentence in _of_one(node, each)]
    if len(distinct) > ANSWERS_MAX:
        answers.append(f"{len(distinct) - ANSWERS_MAX} more messages fit; say more of the one that is meant.")
    return answers


def sendings(node: Visit) -> Iterator[Underway]:
    """All that was sent from the start to here."""
    model = node.subject.model
    for process in model.processes:
        if process.role not in (SCOUT, COMMANDER):
            yield from _messages(model.items(process, model.started(process, Start()).sends), 0)
    for each in node.trail:
        if each.choice is not None:
            yield from _messages(model.items(each.choice.step.process, each.choice.step.outcome.sends), each.depth)


def _messages(items: Iterable[Item], step: int) -> Iterator[Underway]:
    return (Underway(to, message, step) for to, _, message in items if not isinstance(message, Instant))


def _never_sent(node: Visit, pattern: MessagePattern) -> Iterator[str]:
    yield f"Nobody has sent {pattern} yet."
    yield f"The rule: {SENT_WHEN[pattern.kind]}."
    if told := obstacle(node, pattern):
        yield told
    alike = MessagePattern(pattern.kind, (), pattern.to)
    others = sorted({f"{each.message} → {each.to}" for each in sendings(node) if alike.matches(each.message, each.to)})
    if pattern.fields and others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        yield f"Sent so far: {', '.join(others[:3])}{more}."


def _of_one(node: Visit, sent: Underway) -> Iterator[str]:
    model = node.subject.model
    index = model.index[sent.to]
    view = node.state[index]
    what = f"{sent.message} → {sent.to}, sent {_when(sent.step)},"
    there = [message for message, _ in model.network.contents(view.inbox)]
    if sent.message not in there:
        yield f"{what} {_gone(node, sent)}"
    elif isinstance(view.state, Crashed):
        down = _since(node, index, lambda each: isinstance(each[index].state, Crashed))
        yield f"{what} waits: {sent.to} has crashed in step {down}, and nothing is delivered to a process that is down."
    elif sent.message not in [each.message for each in model.network.deliverable(view.inbox)]:
        yield f"{what} must wait its turn: {_ahead(model, view.inbox, sent.message)} before it, and a fifo network keeps the order."
    else:
        yield from _without_effect(node, sent, index, what)


def _ahead(model: Model, inbox: Any, message: Message) -> str:
    for sender, queue in inbox:
        if message in queue:
            ahead = [str(each) for each in queue[: queue.index(message)]]
            return f"{', '.join(ahead)} of {sender} {'is' if len(ahead) == 1 else 'are'}"
    return "others are"


def _gone(node: Visit, sent: Underway) -> str:
    """What became of a message that is on its way no more."""
    for each in reversed(node.trail):
        if each.choice is None:
            continue
        step = each.choice.step
        if step.process == sent.to and step.message == sent.message:
            return f"was delivered in step {each.depth}, and this network delivers it once."
        if step.process == sent.to and step.message == Drop(sent.message):
            return f"was lost in step {each.depth}."
    return "is on its way no more."


def _without_effect(node: Visit, sent: Underway, index: int, what: str) -> Iterator[str]:
    """A message that could be delivered, and would change nothing."""
    model = node.subject.model
    state = node.state[index].state
    since = _since(node, index, lambda each: _is_idle(model, each, index, sent.message))
    after = "from the start" if since == 0 else f"since step {since}"
    if state is Lifecycle.NOT_STARTED:
        yield f"{what} finds nobody: {sent.to} does not exist yet."
        return
    if state is Lifecycle.EXITED:
        exits = "retired" if sent.to.role == "leader" else "exited"
        yield f"{what} is ignored {after}: {sent.to} has {exits}, and keeps no state."
        return
    delivered = [each.depth for each in node.trail if each.choice and each.choice.step[:2] == (sent.to, sent.message)]
    again = f" It was delivered in step {delivered[-1]}; a second time it has nothing new to say." if delivered else ""
    yield f"{what} would change nothing {after}.{again}{_reason(sent, state)}"
    if rule := rule_about(sent.to.role, sent.message.kind):
        yield f"The rule: {rule}."


def _reason(sent: Underway, state: Any) -> str:
    """What in the receiver's state makes the message say nothing new."""
    message: Any = sent.message
    role, kind = sent.to.role, message.kind
    try:
        if (role, kind) == (LEADER, "propose"):
            proposed = ", ".join(str(command) for slot, command in state.proposals if slot == message.slot)
            return f" {sent.to} already proposes {proposed} for slot {message.slot}."
        if (role, kind) == (LEADER, "adopted"):
            return f" {sent.to} {'is active in' if state.active else 'waits for'} ballot {state.ballot}."
        if (role, kind) == (LEADER, "preempted"):
            return f" The ballot of {sent.to}, {state.ballot}, is not below {message.ballot}."
        if role in (SCOUT, COMMANDER):
            return f" {message.acceptor} has answered {sent.to} already."
        if role == ACCEPTOR:
            return f" The ballot of {sent.to} is {state.ballot}, and what it would answer is on its way already."
    except AttributeError:  # a state of the user's own
        pass
    return ""


def _is_idle(model: Model, state: Any, index: int, message: Message) -> bool:
    """Whether delivering `message`, which is there, is no step in a global state."""
    view = state[index]
    if message not in [each for each, _ in model.network.contents(view.inbox)]:
        return False
    deliveries = [each for each in model.deliveries(model.processes[index], view) if each.message == message]
    return all(model.taken(state, index, each) == state for each in deliveries)


def _since(node: Visit, index: int, holds: Any) -> int:
    """The number of the step since which something has held up to here."""
    depth = node.depth
    for each in reversed(node.trail):
        if not holds(each.state):
            break
        depth = each.depth
    return depth


def _when(step: int) -> str:
    return f"in step {step}" if step else "at the start"
