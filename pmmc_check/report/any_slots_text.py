"""What a person reads after `explore --slots any`: the verdict, a run where there is one, then what holds for all and what is bounded."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from pmmc_check.checker.any_slots.replica_part import ReplicaViolation
from pmmc_check.checker.any_slots.search import AnySlotsResult
from pmmc_check.protocol.messages import show
from pmmc_check.report.any_slots_words import covered, faults, not_covered, of_slot, replica_bounds, still_bounded
from pmmc_check.report.claims import claims_line
from pmmc_check.report.explore_text import headline, runs_that_break_it, size_of
from pmmc_check.report.layout import Layout, labelled, rendered
from pmmc_check.verdicts import HOLDS, VIOLATED
from pmmc_check.words import counted

_LABEL = 11
"""Columns of the longest label."""


def any_slots_as_text(result: AnySlotsResult, layout: Layout | None = None) -> str:
    """The whole report. By default 80 columns without colour."""
    return rendered(_parts(result, layout or Layout()), layout or Layout())


def _parts(result: AnySlotsResult, layout: Layout) -> Iterator[RenderableType]:
    shown = result.confirmation.shown if result.confirmation else None
    yield headline(shown[0]) if shown else headline_of_every_slot(result)
    yield ""
    if shown:
        found, model, _ = shown
        yield from runs_that_break_it(found, model, layout)
    elif result.replica and result.replica.violation:
        yield from _replica_run(result.replica.violation)
    yield labelled(facts_for_every_slot(result), _LABEL)


def headline_of_every_slot(result: AnySlotsResult) -> Text:
    """The verdict in a sentence, where no ordinary search has confirmed a violation. It names the premises: all else rests on them."""
    whole = f"for {covered(result)}, with {still_bounded(result)}, by premises that were checked on small systems"
    bounded = f"{', '.join(_of_replica(result))} of a single replica, within the bounds below"
    if result.verdict == HOLDS:
        parts = [whole] if of_slot(result) else []
        parts += [bounded] if _of_replica(result) else []
        return Text.assemble(("HOLDS", "bold green"), f": {'; '.join(parts)}")
    said = f": {result.limit}"
    if _covers(result):
        said += f"; {', '.join(of_slot(result))} hold {whole}"
    return Text.assemble(("INCONCLUSIVE", "bold yellow"), said)


def _covers(result: AnySlotsResult) -> bool:
    """Whether the invariants of one slot are settled, whatever came after."""
    return result.one_slot.verdict == HOLDS and bool(of_slot(result)) and result.confirmation is None


def _replica_run(violation: ReplicaViolation) -> Iterator[RenderableType]:
    """What a replica does by itself; without a run of the whole system to confirm it, it is shown as it is."""
    yield Text(f"A replica with WINDOW {violation.window}, by itself, can break {violation.invariant}: {violation.how}", style="bold")
    yield ""
    for index, step in enumerate(violation.run, 1):
        yield labelled([(str(index), f"{step.message} → {violation.replica}: {show(step.outcome.state)}")], 3)
    yield ""


def facts_for_every_slot(result: AnySlotsResult) -> Iterator[tuple[str, str]]:
    """What is covered and what is not, and at what cost: label and text; without a label a line goes on with the one before."""
    if names := of_slot(result):
        yield "covers" if _covers(result) else "would cover", f"{', '.join(names)}: {covered(result)}"
        yield "bounded", still_bounded(result)
    yield "replica", f"{', '.join(_of_replica(result)) or 'only as a premise'}: {_replica(result)}"
    yield "not covered", not_covered()
    yield "faults", faults(result.scope.config, result.scope.ballotwise)
    yield from _premises(result)
    part = result.one_slot
    depth = f", depth {part.depth}" if part.depth else ""
    yield "one slot", f"{counted(part.distinct_states, 'state')}, {part.generated_states:,} generated{depth}: {part.verdict}"
    yield "", f"reductions: {', '.join(part.reductions) or 'none'}; engine: {part.engine}"
    yield from (("", note) for note in result.notes)
    yield "claims", claims_line(part.claims)
    if result.confirmation:
        yield from _confirmation(result)
    yield "time", f"{_seconds(result)}; peak memory {part.peak_memory_bytes / 2**20:,.0f} MiB"
    if part.engine == "compiled":
        yield "collisions", f"probability that a fingerprint collision hid a state: {part.collision_probability:.1e}"


def _premises(result: AnySlotsResult) -> Iterator[tuple[str, str]]:
    premises = result.premises
    for index, each in enumerate(premises.results):
        weaker = f", {each.weaker:,} of them in the weaker form" if each.weaker else ""
        yield "" if index else "premises", f"{each.name}: {each.statement} ({counted(each.steps, 'step')} compared{weaker})"
    if result.replica and not result.replica.violation:
        where = "in its surroundings, within the bounds of the replica's part"
        yield "", f"replicas only propose: they send no more than the environment does ({counted(result.replica.steps, 'step')} {where})"
    whole = "" if premises.complete else "; not all were searched to the end"
    yield "", f"checked on all {premises.local_steps:,} local steps of {premises.systems} small systems, not proved for larger ones{whole}"


def _replica(result: AnySlotsResult) -> str:
    if result.replica is None:
        return "not reached"
    part = result.replica
    counts = f"{counted(part.states, 'state')}, {counted(part.steps, 'step')}"
    return f"of a replica in any surroundings, within {replica_bounds(part.bounds)}: {counts}, {part.verdict}"


def _confirmation(result: AnySlotsResult) -> Iterator[tuple[str, str]]:
    assert result.confirmation is not None
    tried = result.confirmation.tried
    if result.verdict == VIOLATED:
        yield "confirmed", f"by an ordinary search with {size_of(tried[-1])}"
    else:
        yield "searched", f"in vain: {'; '.join(map(size_of, tried))}"


def _of_replica(result: AnySlotsResult) -> list[str]:
    return [name for name in result.invariants if name not in of_slot(result)]


def _seconds(result: AnySlotsResult) -> str:
    names = {"one_slot": "one slot"}
    return ", ".join(f"{names.get(part, part)} {seconds:.2f} s" for part, seconds in result.seconds.items())
