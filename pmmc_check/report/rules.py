"""The paper's rules in a sentence each, and what a step that broke one did instead."""

from __future__ import annotations

from typing import Any

from pmmc_check.properties.deviations import EXITING, ON_CREATION, ON_RESTART, SENDING, Deviation, Difference
from pmmc_check.protocol.messages import Message, Propose, Start, show, sorted_texts
from pmmc_check.protocol.role import Send
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, LEADER, REPLICA, SCOUT

_RULES: dict[tuple[str, str], str] = {
    (
        ACCEPTOR,
        "p1a",
    ): "on p1a(b) an acceptor raises its ballot to b if b is higher, and answers with its ballot and all that it has accepted",
    (ACCEPTOR, "p2a"): "on p2a(b, s, c) an acceptor accepts only if b is its ballot, and answers the commander of (b, s) with its ballot",
    (ACCEPTOR, ON_RESTART): "an acceptor keeps its ballot and all that it has accepted over a restart",
    (ACCEPTOR, ""): "an acceptor never forgets what it has accepted",
    (SCOUT, ON_CREATION): "a ballot is (round, leader), and a scout asks for its own leader's",
    (
        SCOUT,
        "",
    ): "a scout adopts its ballot once a quorum of different acceptors has promised it, and passes on all the pvalues that they report",
    (COMMANDER, ON_CREATION): "a ballot is (round, leader), and a commander proposes under its own leader's",
    (
        COMMANDER,
        "",
    ): "a commander decides once a quorum of different acceptors has answered with its own ballot, and exits on any other ballot",
    (
        LEADER,
        ON_CREATION,
    ): "a ballot is (round, leader), a leader owns only those with its own number, and it begins with a scout for its first ballot",
    (LEADER, "propose"): "a leader keeps the first command that is proposed for a slot",
    (LEADER, "adopted"): "a leader takes adopted(b, pvals) only if b is its ballot, and then pmax(pvals) overrides its own proposals",
    (
        LEADER,
        "preempted",
    ): "a preempted leader becomes passive and goes on with a higher round, if there is one, and with what was proposed to it",
    (LEADER, ON_RESTART): "a restarted leader goes on with a round that it has never used, without proposals",
    (REPLICA, ON_RESTART): "a replica keeps its decisions over a restart, and computes its state from them",
    (REPLICA, "slot_out"): "a replica performs slots in their order, and none before it is decided",
    (REPLICA, "application"): "a replica performs each command once, in slot order",
    (REPLICA, "window"): "a replica proposes for slots below slot_out + WINDOW only",
    (
        REPLICA,
        "leaders",
    ): "a reconfiguration takes effect WINDOW slots after its own, and each slot is proposed to the leaders of its configuration",
    (REPLICA, ""): "a replica proposes every request for a slot, and one that loses its slot goes back into the requests",
}


def rule_of(deviation: Deviation) -> str:
    """The rule that a step has missed, without a full stop; empty for a role that the paper does not have."""
    role, trigger = deviation.process.role, deviation.trigger
    kind = trigger.kind if isinstance(trigger, Message) else trigger
    if role == REPLICA and kind != ON_RESTART:
        kind = _replicas_rule(deviation)
    return rule_about(role, kind)


def rule_about(role: str, kind: str) -> str:
    """What a role does on a message of a kind, without a full stop; empty where no rule is about it."""
    return _RULES.get((role, kind), _RULES.get((role, ""), ""))


def _replicas_rule(deviation: Deviation) -> str:
    by_field = {each.field: each for each in deviation.differences}
    if "slot_out" in by_field or "application" in by_field:
        return "slot_out" if "slot_out" in by_field else "application"
    if "leaders" in by_field or (SENDING in by_field and _readdressed(by_field[SENDING])):
        return "leaders"
    slot_in = by_field.get("slot_in")
    return "window" if slot_in is not None and slot_in.here > slot_in.paper else ""


def _readdressed(sends: Difference) -> bool:
    """Whether the same proposals go to other leaders."""
    here, paper = ({each.message for each in sent if isinstance(each.message, Propose)} for sent in (sends.here, sends.paper))
    return bool(here) and here == paper


def done_instead(deviation: Deviation) -> str:
    """What the process did and the paper's would not have: `its ballot is ⊥ instead of 0.L1`."""
    variables = [each for each in deviation.differences if each.field not in (SENDING, EXITING)]
    sends = [each for each in deviation.differences if each.field == SENDING and not (variables and _only_creates(each))]
    exits = [each for each in deviation.differences if each.field == EXITING]
    told = [_variable(each) for each in variables[:2]] + [_exit(deviation, each) for each in exits] + [_sends(each) for each in sends]
    return ", and ".join(told)


def _only_creates(sends: Difference) -> bool:
    return all(isinstance(each.message, Start) for each in sends.here ^ sends.paper)


def _variable(difference: Difference) -> str:
    name, here, paper = difference.field, difference.here, difference.paper
    if isinstance(here, frozenset) and isinstance(paper, frozenset):
        gained, lost = (", ".join(sorted_texts(each)) for each in (here - paper, paper - here))
        if gained and lost:
            return f"has {gained} in {name} instead of {lost}"
        return f"has {gained} in {name}" if gained else f"lacks {lost} in {name}"
    return f"has {name} = {_value(here)} instead of {_value(paper)}"


def _value(value: Any) -> str:
    return "[" + ", ".join(map(str, value)) + "]" if type(value) is tuple else show(value)


def _exit(deviation: Deviation, difference: Difference) -> str:
    verb = "retire" if deviation.process.role == LEADER else "exit"
    return f"{verb}s instead of going on" if difference.here else f"goes on instead of {verb.removesuffix('e')}ing"


def _sends(difference: Difference) -> str:
    more, missing = difference.here - difference.paper, difference.paper - difference.here
    created = [_created(each) for each in (more, missing)]
    sent = [_sent(each) for each in (more, missing)]
    told = [f"{verb} {_instead(*each)}" for verb, each in (("starts", created), ("sends", sent)) if each[0]]
    told += [f"does not {verb} {each[1]}" for verb, each in (("start", created), ("send", sent)) if each[1] and not each[0]]
    return " and ".join(told)


def _instead(more: str, missing: str) -> str:
    return f"{more} instead of {missing}" if missing else more


def _created(sends: frozenset[Send]) -> str:
    """The scouts and commanders that are created."""
    started = [f"{to} with {message.command}" if message.command else str(to) for to, message in sends if isinstance(message, Start)]
    return " and ".join(sorted(started))


def _sent(sends: frozenset[Send]) -> str:
    """Each message once, with all that it goes to."""
    recipients: dict[str, list[str]] = {}
    for to, message in sorted(sends, key=lambda each: (str(each.message), each.to)):
        if not isinstance(message, Start):
            recipients.setdefault(str(message), []).append(str(to))
    return " and ".join(f"{what} to {', '.join(to)}" for what, to in recipients.items())
