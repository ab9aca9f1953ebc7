"""Why a run broke an invariant, in a few sentences: what contradicts what, on whose promises and answers, and which step missed
which rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from pmmc_check.checker.result import Violation
from pmmc_check.model.model import Model
from pmmc_check.properties.deviations import ON_CREATION, Deviation, deviations
from pmmc_check.properties.progress import FAIR
from pmmc_check.properties.quorums import Quorums
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import ProcessId, PValue
from pmmc_check.report.chronicle import Chronicle, Decided, chronicle
from pmmc_check.report.rules import done_instead, rule_of
from pmmc_check.words import counted


@dataclass(frozen=True)
class Why:
    """The sentences, and the steps that the paper's protocol would not have taken, in the order of the run."""

    sentences: tuple[str, ...]
    deviations: tuple[Deviation, ...]


def why(violation: Violation, model: Model) -> Why:
    """Derived from the run alone, whoever wrote the roles."""
    told = chronicle(violation, model)
    left = tuple(deviations(model, violation.initial, ((each.step, each.after) for each in violation.trace)))
    teller = {"Agreement": _agreement, "C2": _chosen_overruled, "A5": _chosen_overruled, "C1": _asked_twice, "A4": _accepted_twice}
    sentences = [*teller.get(violation.invariant, _last_step)(violation, model, told), *_missed(left, model, told)]
    return Why(tuple(sentences), left)


Sentences = Iterator[str]


def _agreement(violation: Violation, model: Model, told: Chronicle) -> Sentences:
    by_slot = {each.slot: told.deciding(each.slot) for each in told.decided}
    conflict = next((by_command for _, by_command in sorted(by_slot.items()) if len(by_command) > 1), None)
    if conflict is None:
        yield from _last_step(violation, model, told)
        return
    pair = list(conflict.values())[:2]
    for each in pair:
        yield _decision(each, model, told)
    low, high = sorted(pair, key=lambda each: each.pvalue.ballot)
    if low.pvalue.ballot == high.pvalue.ballot:
        yield from _same_ballot(low.pvalue, high.pvalue, told)
    else:
        yield from _higher_ballot(high.pvalue, low.pvalue, told)


def _decision(each: Decided, model: Model, told: Chronicle) -> str:
    answers = " and ".join(dict.fromkeys(map(str, each.answers))) or "no p2b"
    decides = f"Step {each.index}: {each.commander} decides {each.command} for slot {each.slot}, having received {answers}"
    return f"{decides}; {_acceptance(each.pvalue, each.index, model, told)}."


def _acceptance(pvalue: PValue, until: int, model: Model, told: Chronicle) -> str:
    """Who has accepted `pvalue` by a step, and whether that is a quorum."""
    accepted = {who: index for who, index in told.accepted.get(pvalue, {}).items() if index <= until}
    if not accepted:
        return f"nobody has accepted {pvalue}"
    quorum = Quorums(model.protocol, model.system).include(pvalue.ballot, pvalue.slot, accepted.keys())
    return f"{pvalue} has been accepted by {_with_steps(accepted)}, {'a quorum' if quorum else 'no quorum'}"


def _with_steps(who: Mapping[ProcessId, int]) -> str:
    return _and(f"{process} (step {index})" for process, index in sorted(who.items()))


def _and(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _same_ballot(one: PValue, other: PValue, told: Chronicle) -> Sentences:
    steps = [told.asked.get(each) for each in (one, other)]
    if one != other and None not in steps:
        yield (
            f"Both decisions are made under ballot {one.ballot}: p2a{one} is sent in step {steps[0]}, p2a{other} in step {steps[1]}, "
            f"and a ballot may carry one command for a slot."
        )


def _higher_ballot(high: PValue, low: PValue, told: Chronicle) -> Sentences:
    """What the leader of the higher ballot could know of `low`."""
    sent = told.asked.get(high)
    adopted = told.adoption(high.ballot)
    if adopted is None or (sent is not None and adopted.index > sent):
        yield f"Ballot {high.ballot}, the higher one, is used without having been adopted."
        return
    promises = [each for each in adopted.answers if each.ballot == adopted.ballot]
    reporters = sorted({each.acceptor for each in promises if low in each.accepted})
    promised = _and(sorted({str(each.acceptor) for each in promises})) if promises else "nobody"
    late = {who: index for who, index in told.accepted.get(low, {}).items() if index > adopted.index and not reporters}
    reported = f"{_and(map(str, reporters))} reported {low}" if reporters else f"nobody reported {low}"
    reported += f", which {_with_steps(late)} accepted only later" if late else ""
    yield f"Ballot {high.ballot}, the higher one, is adopted in step {adopted.index} on the promise of {promised}; {reported}."


def _chosen_overruled(violation: Violation, model: Model, told: Chronicle) -> Sentences:
    later: Mapping[PValue, int]
    if violation.invariant == "A5":
        verb, later = "accepted", {pvalue: min(who.values()) for pvalue, who in told.accepted.items()}
    else:
        verb, later = "sent in p2a", told.asked
    quorums = Quorums(model.protocol, model.system)
    for chosen, accepted in sorted(told.accepted.items()):
        overruling = [each for each in later if each.slot == chosen.slot and each.ballot > chosen.ballot and each.command != chosen.command]
        if overruling and quorums.include(chosen.ballot, chosen.slot, accepted.keys()):
            high = max(overruling)
            yield f"A quorum has accepted {chosen}: {_with_steps(accepted)}."
            yield f"Step {later[high]}: {high} is {verb}, under a higher ballot and with another command."
            yield from _higher_ballot(high, chosen, told)
            return
    yield from _last_step(violation, model, told)


def _asked_twice(violation: Violation, model: Model, told: Chronicle) -> Sentences:
    yield from _twice(told.asked, "sent in p2a", violation, model, told)


def _accepted_twice(violation: Violation, model: Model, told: Chronicle) -> Sentences:
    yield from _twice({pvalue: min(who.values()) for pvalue, who in told.accepted.items()}, "accepted", violation, model, told)


def _twice(steps: Mapping[PValue, int], verb: str, violation: Violation, model: Model, told: Chronicle) -> Sentences:
    for one, other in combinations(sorted(steps, key=lambda each: steps[each]), 2):
        if one[:2] == other[:2]:
            yield f"{one} is {verb} in step {steps[one]}, {other} in step {steps[other]}: one ballot, two commands for slot {one.slot}."
            return
    yield from _last_step(violation, model, told)


def _last_step(violation: Violation, model: Model, told: Chronicle) -> Sentences:
    """Of invariants of one process: what it does last, and for an acceptor, where its ballot came from."""
    if not violation.trace or violation.invariant in ("Progress", FAIR.name):
        return
    step = violation.trace[-1].step
    yield f"{violation.invariant} breaks in step {len(violation.trace)}: {violation.how}."
    taken = [(index, ballot) for index, ballot in told.promised.get(step.process, ()) if index < len(violation.trace)]
    if taken and violation.invariant in ("A1", "A2"):
        index, ballot = taken[-1]
        yield f"{step.process} took ballot {ballot} in step {index}."


def _missed(left: Sequence[Deviation], model: Model, told: Chronicle) -> Sentences:
    """The first step that the paper's protocol would not have taken; without one, quorums that do not meet, or where the paper's own
    protocol gets stuck."""
    if not left:
        yield "Every step is one that the paper's protocol takes, too."
        if not model.config.quorums_meet:
            quorum1, quorum2 = model.config.quorums
            sizes = f"a quorum of phase 1 has {quorum1} of {counted(model.config.acceptors, 'acceptor')}, one of phase 2 has {quorum2}"
            yield f"But its quorums need not meet ({sizes}): what one of phase 2 has accepted, one of phase 1 need not report."
        for index, commander, answer in told.stuck[:1]:
            yield (
                f"{answer.acceptor} received p2a before the p1a of the same ballot, so it answered with a lower ballot ({answer.ballot}): "
                f"{commander} exits on that in step {index}, and its leader ignores a preemption by a lower ballot. This is an error of "
                f"the paper; --variant ignore-lower-p2b and --variant raise-on-accept each mend it."
            )
        return
    first = left[0]
    yield f"{_where(first)} {done_instead(first)}. The rule: {rule_of(first)}."
    others = sorted({each.index for each in left[1:]} - {first.index})
    if others:
        yield f"{'Steps' if len(others) > 1 else 'Step'} {_and(map(str, others))} {'leave' if len(others) > 1 else 'leaves'} it, too."


def _where(deviation: Deviation) -> str:
    process, trigger = deviation.process, deviation.trigger
    if deviation.index == 0:
        return f"The paper's protocol is left from the beginning: {process}"
    what = f"on {trigger} " if isinstance(trigger, Message) else "on its creation " if trigger == ON_CREATION else "on its restart "
    return f"Step {deviation.index} leaves the paper's protocol: {what}{process}"
