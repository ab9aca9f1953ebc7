"""From a mismatch to an explanation: what would have matched, what was possible instead, and the events that led there.

The causal past of the failing event is walked backwards through the replayed events (which are in an order that the protocol allows):
an event belongs to it if its process is already in it, or if it sends what one of them receives. Of that past only events are kept
that speak of the same slot or ballot as the failing event, or by which its process last changed what it is willing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import ProcessId
from pmmc_check.trace.events import DROP, RECEIVE, SEND, Event
from pmmc_check.trace.fields import ATTRIBUTE, FIELDS
from pmmc_check.validation.citation import cut, place_of, sets_apart
from pmmc_check.validation.replay.diagnosis import Mismatch
from pmmc_check.validation.replay.replay import Replay
from pmmc_check.validation.verdict import Failure

_NEAREST, _ENABLED, _PAST, _LED = 3, 5, 9, 12


def failure_of(replay: Replay, mismatch: Mismatch, evidence: Sequence[Event] = ()) -> Failure:
    """The explanation of a rejected replay; `evidence` are earlier events by which the process came to its state."""
    event, process, diagnosis = mismatch.event, mismatch.process, replay.diagnosis
    slot = next(iter(_subjects(event)[0]), None)
    return Failure(
        at=place_of(event, diagnosis.writer, slot),
        rule=mismatch.rule,
        expected=cut(mismatch.expected),
        observed=cut(mismatch.observed),
        state=f"{diagnosis.show(process.me)}: {process.show_state(diagnosis.show)}" if process is not None else "",
        nearest=tuple(_nearest(replay, event)) if mismatch.awaited else (),
        enabled=tuple(_enabled(replay, event)) if not mismatch.cycle else (),
        past=tuple(place_of(each, diagnosis.writer, slot) for each in _led_here(replay.recent, event, evidence)),
        cycle=mismatch.cycle,
    )


def _nearest(replay: Replay, event: Event) -> Iterable[str]:
    """The messages of the same kind that were sent to the same process, the most similar first."""
    wanted: Any = event.message
    candidates: dict[Message, Event | None] = dict(replay.deliveries.network.to(event.process))
    for each in replay.recent:
        if each.action == SEND and type(each.message) is type(wanted) and (each.peers is None or event.process in each.peers):
            candidates.setdefault(each.message, each)  # type: ignore[arg-type]
    scored = [
        (_differences(wanted, message, replay.diagnosis.show), message, at)
        for message, at in candidates.items()
        if type(message) is type(wanted)
    ]
    scored.sort(key=lambda each: (len(each[0]), str(each[1])))
    for differences, message, at in scored[:_NEAREST]:
        where = f" ({at.place})" if at is not None else ""
        apart = "; ".join(differences) if differences else "the same message: already received, or sent later"
        yield f"{cut(replay.diagnosis.brief(message))}{where}: {cut(apart)}"


def _differences(wanted: Any, message: Any, show: Callable[[Any], str]) -> list[str]:
    found = []
    for key in FIELDS[wanted.kind]:
        sent, received = getattr(message, ATTRIBUTE[key]), getattr(wanted, ATTRIBUTE[key])
        if sent == received:
            continue
        if isinstance(sent, frozenset) and isinstance(received, frozenset):
            texts = sets_apart(sent, received, show)
            found.append(f"{key}={texts[0]} was sent, {key}={texts[1]} received")
        else:
            found.append(f"{key}={show(sent)} was sent, {key}={show(received)} received")
    return found


def _enabled(replay: Replay, event: Event) -> Iterable[str]:
    """What the process could have done at this point: finish its step, or receive what is in flight to it."""
    process = replay.processes.running.get(event.process)
    if process is not None and process.pending:
        shown = replay.diagnosis.shown_pending(process)
        yield from (cut(f"send {text}") for text in shown[:_ENABLED])
        if len(shown) > _ENABLED:
            yield f"and {len(shown) - _ENABLED} more"
        return
    waiting = replay.deliveries.network.to(event.process)
    for message, at in waiting[:_ENABLED]:
        yield cut(f"receive {replay.diagnosis.brief(message)}") + (f" (sent at {at.place})" if at is not None else "")
    if len(waiting) > _ENABLED:
        yield f"and {len(waiting) - _ENABLED} more"


def _led_here(recent: Iterable[Event], event: Event, evidence: Sequence[Event]) -> list[Event]:
    """The evidence, and as much of the causal past as there is room for, in the order of the replay."""
    past = [each for each in _past(recent, event) if each not in evidence]
    order = {each.at: number for number, each in enumerate(recent)}
    together = [*evidence, *past[max(0, len(evidence) + len(past) - _LED) :]]
    return sorted(together, key=lambda each: order.get(each.at, -1))


def _past(recent: Iterable[Event], event: Event) -> list[Event]:
    """The causal past, cut to what concerns `event`."""
    processes: set[ProcessId] = {event.process}
    messages: set[Message] = {event.message} if event.message is not None and event.action in (RECEIVE, DROP) else set()
    slots, ballots = _subjects(event)
    kept: list[Event] = []
    last_own = True
    for each in reversed(list(recent)):
        own = each.process in processes
        if not own and not (each.action == SEND and each.message in messages):
            continue
        processes.add(each.process)
        if each.action == RECEIVE and each.message is not None:
            messages.add(each.message)
        about = _subjects(each)
        concerns = bool(slots & about[0]) if slots and about[0] else bool(ballots & about[1])
        if concerns or (last_own and each.process == event.process):
            kept.append(each)
        if each.process == event.process and each.action == RECEIVE:
            last_own = False
        if len(kept) >= _PAST:
            break
    return kept[::-1]


def _subjects(event: Event) -> tuple[set[int], set[Any]]:
    """The slots and ballots that an event speaks of."""
    message: Any = event.message
    slot, ballot = getattr(message, "slot", None), getattr(message, "ballot", None)
    slots = {slot} if slot is not None else set()
    ballots = {ballot} if ballot is not None else set()
    for process in (event.process, *(event.peers or ())):
        if process.slot:
            slots.add(process.slot)
    return slots, ballots
