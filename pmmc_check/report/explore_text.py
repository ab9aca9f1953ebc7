"""What a person reads after `explore`: the verdict first, then the evidence, then what it covers. One function a paragraph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from pmmc_check.checker.result import CheckpointsUsed, Diagram, DiskUsed, Result, Violation
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.model.network import network_named
from pmmc_check.properties.progress import FAIR
from pmmc_check.protocol.values import majority
from pmmc_check.report.claims import claims_line
from pmmc_check.report.coverage import coverage_lines
from pmmc_check.report.layout import Layout, labelled, rendered
from pmmc_check.report.vacuity import vacuous
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED
from pmmc_check.words import counted

if TYPE_CHECKING:
    from pmmc_check.report.why import Why

_LABEL = 11
"""Columns of the longest label."""


def as_text(result: Result, model: Model, notes: Sequence[str] = (), layout: Layout | None = None) -> str:
    """The whole report; `notes` are sentences about reductions that were switched off. By default 80 columns without colour."""
    return rendered(_parts(result, model, notes, layout or Layout()), layout or Layout())


def _parts(result: Result, model: Model, notes: Sequence[str], layout: Layout) -> Iterator[RenderableType]:
    yield headline(result)
    yield ""
    yield from runs_that_break_it(result, model, layout)
    yield labelled(facts_of(result, notes), _LABEL)


def runs_that_break_it(result: Result, model: Model, layout: Layout) -> Iterator[RenderableType]:
    """Why it went wrong, and the counterexample; of further violations the same. Nothing where there is none."""
    if not result.violations:
        return
    from pmmc_check.report.why import why  # noqa: PLC0415  # most searches find nothing to explain

    for number, violation in enumerate(result.violations):
        if number:
            yield _violated(violation)
            yield ""
        reasons = why(violation, model)
        yield from reasons_why(reasons)
        yield from _counterexample(violation, model, reasons, layout, walked=result.walks is not None)
        yield ""


def headline(result: Result) -> Text:
    """The verdict in a sentence: of violations the first."""
    if result.violation:
        return _violated(result.violation)
    if result.verdict == HOLDS:
        which = "every reachable state of this configuration"
        if result.constraints:
            which = "every state that can be reached within the constraint" + "s" * (len(result.constraints) > 1)
        empty = "" if result.exercised.decided else ", but no command is ever decided"
        return Text.assemble(("HOLDS", "bold green" if not empty else "bold yellow"), f": {which} satisfies all invariants checked{empty}")
    return Text.assemble(("INCONCLUSIVE", "bold yellow"), f": the search was stopped before the end: {result.limit}")


def _violated(violation: Violation) -> Text:
    return Text.assemble(("VIOLATED", "bold red"), f": {violation.invariant}: {violation.how}")


def reasons_why(reasons: Why) -> Iterator[RenderableType]:
    """The sentences, one below the other."""
    yield Text("Why:", style="bold")
    yield labelled((("-", sentence) for sentence in reasons.sentences), 1)
    yield ""


def _counterexample(violation: Violation, model: Model, reasons: Why, layout: Layout, *, walked: bool = False) -> Iterator[RenderableType]:
    shortest = "A shortest run that breaks it," if violation.shortest else "A run that breaks it,"
    kind = "A run that breaks it, from which no step can be left out," if walked else shortest
    if violation.loop:
        stem = len(violation.trace) - violation.loop
        repeated = f"the {counted(violation.loop, 'step')} that {'is' if violation.loop == 1 else 'are'} repeated for ever"
        yield Text(f"{kind} {counted(stem, 'step')} from the initial state, then {repeated}:", style="bold")
    else:
        yield Text(f"{kind} in {counted(len(violation.trace), 'step')} from the initial state:", style="bold")
    yield ""
    from pmmc_check.report.counterexample import shown_steps, steps_view  # noqa: PLC0415  # likewise

    yield from steps_view(shown_steps(violation, model, {each.index for each in reasons.deviations}), layout)


def facts_of(result: Result, notes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What was checked, under which bounds, and at what cost: label and text; without a label a line goes on with the one before."""
    config = result.config
    yield "checked", _checked(config)
    yield from _bounds(result)
    yield "network", f"{config.network}: {network_named(config.network).explanation}"
    yield "faults", _faults(config)
    if FAIR.name in result.invariants:
        yield "fairness", "what stays possible happens some time: the delivery of each message, and some step of each process"
    symmetry = (
        f" (states that differ only by one of {result.symmetry_order} renamings count once)" if "symmetry" in result.reductions else ""
    )
    yield "reductions", (", ".join(result.reductions) or "none") + symmetry
    for note in notes:
        yield "", note
    yield "claims", claims_line(result.claims)
    yield "engine", result.engine
    if result.walks:
        walks = result.walks
        per_second = walks.count / max(result.seconds, 1e-9)
        yield (
            "walks",
            (
                f"{counted(walks.count, 'random walk')} of at most {counted(walks.steps_max, 'move')} from seed {walks.seed}, "
                f"{per_second:,.0f} a second, {walks.mean_depth:.0f} states on average, {result.depth} at most; such walks prove nothing"
            ),
        )
    if result.continued and result.violations:
        yield "continued", "after each violation the search began anew without its invariant; the counts are those of the last search"
    if result.smaller_completed:
        yield "before", _completed(result.smaller_completed)
    yield (
        "states",
        (
            ("about " if result.walks and result.walks.estimated else "")
            + f"{result.distinct_states:,} distinct, {result.generated_states:,} generated"
            + (f", depth {result.depth}" if result.depth else "")
            + (f"; {result.outside_states:,} of them outside the constraint, checked but not expanded" if result.constraints else "")
            + ("" if result.complete else " (so far: not all of them)")
        ),
    )
    yield from _effort(result)
    yield from _kept_on_disk(result)
    if result.diagram:
        yield "diagram", _diagram(result.diagram)
    if result.engine == "compiled" and not result.walks:
        yield "collisions", f"probability that a fingerprint collision hid a state: {result.collision_probability:.1e}"
    yield from coverage_lines(result)
    yield "invariants", _verdicts(result)
    for number, sentence in enumerate(vacuous(result)):
        yield "" if number else "vacuous", sentence
    if result.violation and result.limit:
        shorter = "there may be a shorter counterexample" if not result.violations[-1].shortest else "it was not searched to the end"
        yield "limit", f"{result.limit}: {shorter}"
    yield from _hints(result)


def _kept_on_disk(result: Result) -> Iterator[tuple[str, str]]:
    if result.disk:
        yield "disk", disk_line(result.disk)
    if result.checkpoints:
        yield "checkpoint", checkpoints_line(result.checkpoints)


def _hints(result: Result) -> Iterator[tuple[str, str]]:
    """What else may end."""
    if result.verdict != INCONCLUSIVE or result.walks:
        return
    if not result.config.reconfigurations and not _of_progress(result):
        yield "hint", "if it is too large to end, try --slots any: it covers every number of slots, often in seconds"
    if result.engine == "compiled" and (result.limit or "").startswith("memory") and not _of_progress(result):
        yield "hint", "with --disk DIR it goes on with the states on disk when memory gets short"


def disk_line(used: DiskUsed) -> str:
    """What was on disk."""
    return f"from {used.states_before:,} states on, when memory was short; {used.bytes / 2**20:,.0f} MiB at most, in {used.folder}"


def _effort(result: Result) -> Iterator[tuple[str, str]]:
    """Time and memory, and who took part."""
    rate = result.generated_states / max(result.seconds, 1e-9)
    yield (
        "time",
        f"{result.seconds:.2f} s, {rate:,.0f} states generated per second, peak memory {result.peak_memory_bytes / 2**20:,.0f} MiB",
    )
    if result.crew:
        died = f"; {counted(result.crew.replaced, 'time')} the search went back a level, because workers had died"
        yield "workers", f"{result.crew.workers}, each with a part of the states{died * bool(result.crew.replaced)}"


def checkpoints_line(used: CheckpointsUsed) -> str:
    """Where a search is kept, and from where it went on."""
    parts = []
    if used.resumed:
        resumed = used.resumed
        at = f"depth {resumed.depth} with {resumed.distinct_states:,} states after {resumed.seconds:.2f} s"
        parts.append(f"went on from {at}, written {resumed.written_at}")
    if used.began_anew:
        parts.append("there was none of this search, so it began anew")
    if used.written:
        parts.append(f"{counted(used.written, 'checkpoint')} written, the last of {used.bytes / 2**20:,.1f} MiB")
    if used.failed:
        parts.append(f"the last one could not be written: {used.failed}")
    return f"{'; '.join(parts) or 'none was due'}; in {used.folder}"


def _of_progress(result: Result) -> bool:
    """Whether runs to their very end are asked for."""
    return not {"Progress", FAIR.name}.isdisjoint(result.invariants)


def _completed(smaller: int) -> str:
    told = "was checked to the end, and holds" if smaller == 1 else "were checked to the end, and hold"
    return f"{counted(smaller, 'smaller configuration')} {told}"


def _bounds(result: Result) -> Iterator[tuple[str, str]]:
    """What larger systems, and states, are not covered."""
    config = result.config
    if not config.quorums_meet:
        yield "", "a quorum of phase 1 and one of phase 2 need not have an acceptor in common, which safety depends on"
    yield (
        "bounds",
        f"{slots_of(config)}, {rounds_of(config)} (a leader that needs a higher round retires), WINDOW {config.window}; "
        "larger ones are not covered",
    )
    for constraint in result.constraints:
        named = "" if constraint.name == constraint.statement else f" {constraint.name}"
        yield "", f"bounded by constraint{named}: {constraint.statement}; no step is taken from a state in which it is false"
    if config.reconfigurations:
        yield "", _reconfigurations(config)


def slots_of(config: Config) -> str:
    """`slot 1`, `slots 1 to 2`."""
    return f"slots 1 to {config.slots}" if config.slots > 1 else "slot 1"


def rounds_of(config: Config) -> str:
    """`ballot round 0`, `ballot rounds 0 to 1`."""
    return f"ballot rounds 0 to {config.rounds - 1}" if config.rounds > 1 else "ballot round 0"


def size_of(config: Config) -> str:
    """The counts of a configuration in a line."""
    slots, rounds = _plural([(config.slots, "slot")]), _plural([(config.rounds, "round")])
    return f"{_checked(config)}, {slots}, {rounds}, WINDOW {config.window}"


def _checked(config: Config) -> str:
    counts = [(config.acceptors, "acceptor"), (config.leaders, "leader"), (config.replicas, "replica"), (config.commands, "command")]
    quorum1, quorum2 = config.quorums
    if quorum1 == quorum2 == majority(config.acceptors):
        return _plural(counts)
    return f"{_plural(counts[:1])} (quorums: {quorum1} in phase 1, {quorum2} in phase 2), {_plural(counts[1:])}"


def _diagram(diagram: Diagram) -> str:
    return (
        f"{diagram.nodes:,} nodes, {diagram.edges:,} edges; at most {diagram.peak_nodes:,} nodes on the way, "
        f"{diagram.memory_bytes / 2**20:,.0f} MiB with all tables"
    )


def _faults(config: Config) -> str:
    if not config.crashes:
        return "no process crashes"
    restarts = counted(config.restarts, "restart") if config.restarts else "no restart"
    roles = " or ".join(config.faulty)
    return f"at most {config.crashes} crash{'es' * (config.crashes != 1)} and {restarts} in a run, of any {roles}"


def _reconfigurations(config: Config) -> str:
    changes = (f"{each} = {each.operation}" for each in config.system().commands[config.commands :])
    return f"{config.sets} sets of so many leaders and acceptors, and {', '.join(changes)}, to change between them"


def _verdicts(result: Result) -> str:
    names = ", ".join(result.invariants)
    if result.verdict == HOLDS:
        return f"{names} hold{'s' if len(result.invariants) == 1 else ''}"
    if result.verdict == VIOLATED and result.violation:
        broken = [each.invariant for each in result.violations]
        others = [name for name in result.invariants if name not in broken]
        return f"{', '.join(broken)} violated{f'; {_others(result, others)}' if others else ''}"
    return f"{names}: no violation so far"


def _others(result: Result, names: Sequence[str]) -> str:
    """What is known of the invariants that are not violated, where one is."""
    if result.complete:
        return f"{', '.join(names)} hold{'s' if len(names) == 1 else ''}"
    ends = "a limit stopped the search" if result.continued else "the search ends with the first violation"
    return f"not decided, because {ends}: {', '.join(names)}"


def _plural(counts: Sequence[tuple[int, str]]) -> str:
    return ", ".join(counted(*each) for each in counts)
