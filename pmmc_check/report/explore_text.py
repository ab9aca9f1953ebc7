"""What a person reads after `explore`: the verdict first, then what it covers, then the evidence."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from pmmc_check.checker.result import Action, Result, TraceStep, Violation
from pmmc_check.config import Config
from pmmc_check.model.model import Model, State
from pmmc_check.model.network import network_named
from pmmc_check.protocol.messages import Instant
from pmmc_check.protocol.role import Send
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, COMMANDER, LEADER, REPLICA, SCOUT, majority
from pmmc_check.report.changes import changes
from pmmc_check.report.coverage import coverage, never_taken
from pmmc_check.verdicts import HOLDS, VIOLATED

_WIDTH = 150
_COLUMNS = (CLIENT, REPLICA, LEADER, SCOUT, COMMANDER, ACCEPTOR)
_LABEL = 13


def as_text(result: Result, model: Model, notes: Sequence[str] = (), width: int = _WIDTH) -> str:
    """The whole report; `notes` are sentences about reductions that were switched off."""
    lines = [_headline(result), ""]
    if result.violation:
        lines += [*counterexample(result.violation, model, width, walked=result.walks is not None), ""]
    lines += [_field(label, text, width) for label, text in _facts(result, notes)]
    return "\n".join(lines) + "\n"


def _headline(result: Result) -> str:
    if result.violation:
        return f"VIOLATED: {result.violation.invariant}: {result.violation.how}"
    if result.verdict == HOLDS:
        return "HOLDS: in every reachable state of this configuration, all invariants checked hold"
    return f"INCONCLUSIVE: the search was stopped before the end: {result.limit}"


def _facts(result: Result, notes: Sequence[str]) -> Iterator[tuple[str, str]]:
    config = result.config
    yield "checked", _checked(config)
    if not config.quorums_meet:
        yield "", "a quorum of phase 1 and one of phase 2 need not have an acceptor in common, which safety depends on"
    rounds = f"ballot rounds 0 to {config.rounds - 1} (a leader that needs a higher round retires)"
    yield "bounds", f"slots 1 to {config.slots}, {rounds}, WINDOW {config.window}; nothing is said of larger configurations"
    if config.reconfigurations:
        yield "", _reconfigurations(config)
    yield "network", f"{config.network}: {network_named(config.network).explanation}"
    yield "faults", _faults(config)
    symmetry = f" (states that differ by one of {result.symmetry_order} renamings count once)" if "symmetry" in result.reductions else ""
    yield "reductions", (", ".join(result.reductions) or "none") + symmetry
    for note in notes:
        yield "", note
    yield "engine", result.engine
    if result.walks:
        walks = result.walks
        per_second = walks.count / max(result.seconds, 1e-9)
        yield (
            "walks",
            (
                f"{walks.count:,} random walks of at most {walks.steps_max} moves from seed {walks.seed}, {per_second:,.0f} a second, "
                f"{walks.mean_depth:.0f} states on average, {result.depth} at most; such walks prove nothing"
            ),
        )
    if result.smaller_completed:
        yield "before", f"{result.smaller_completed} smaller configurations were checked to the end, and hold"
    yield (
        "states",
        (
            f"{result.distinct_states:,} distinct, {result.generated_states:,} generated, depth {result.depth}"
            + ("" if result.verdict == HOLDS else " (so far: not all of them)")
        ),
    )
    rate = result.generated_states / max(result.seconds, 1e-9)
    yield "time", f"{result.seconds:.2f} s, {rate:,.0f} states generated a second, peak memory {result.peak_memory_bytes / 2**20:,.0f} MiB"
    if result.engine == "compiled" and not result.walks:
        yield "collisions", f"a state was missed by a fingerprint collision with probability {result.collision_probability:.1e}"
    yield from _coverage(result)
    yield "invariants", _verdicts(result)
    if result.violation and result.limit:
        yield "limit", f"{result.limit}: there may be a shorter counterexample"


def _checked(config: Config) -> str:
    counts = [(config.acceptors, "acceptor"), (config.leaders, "leader"), (config.replicas, "replica"), (config.commands, "command")]
    quorum1, quorum2 = config.quorums
    if quorum1 == quorum2 == majority(config.acceptors):
        return _plural(counts)
    return f"{_plural(counts[:1])} (quorums: {quorum1} in phase 1, {quorum2} in phase 2), {_plural(counts[1:])}"


def _faults(config: Config) -> str:
    if not config.crashes:
        return "no process crashes"
    restarts = f"{config.restarts} restart{'s' * (config.restarts != 1)}" if config.restarts else "no restart"
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
        others = [name for name in result.invariants if name != result.violation.invariant]
        rest = f"; not decided, because the search ends with the first violation: {', '.join(others)}" if others else ""
        return f"{result.violation.invariant} violated{rest}"
    return f"{names}: no violation so far"


def _coverage(result: Result) -> Iterator[tuple[str, str]]:
    taken = [f"{_name(action)} {count:,}" for action, count in coverage(result).items() if count]
    yield "steps taken", ", ".join(taken) or "none"
    left_out, never = never_taken(result)
    if left_out:
        yield "", f"left out by reductions, as nothing checked depends on them: {', '.join(map(_name, left_out))}"
    if never:
        yield "", f"NEVER taken, so nothing was checked about them: {', '.join(map(_name, never))}"


def _name(action: Action) -> str:
    return f"{action.role}:{action.message}"


def _plural(counts: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{count} {noun}{'s' if count != 1 else ''}" for count, noun in counts)


def _field(label: str, text: str, width: int) -> str:
    indent = " " * _LABEL
    return textwrap.fill(text, width, initial_indent=f"{label:<{_LABEL}}", subsequent_indent=indent, break_on_hyphens=False)


def counterexample(violation: Violation, model: Model, width: int = _WIDTH, *, walked: bool = False) -> list[str]:
    """A table: one row a step, one column a role, in each cell what changed there."""
    rows = [[str(index), f"{step.step.message} → {step.step.process}", *cells] for index, step, cells in _rows(violation, model)]
    used = [k for k in range(2, 2 + len(_COLUMNS)) if any(row[k] for row in rows)]
    header = ["#", "delivered", *_COLUMNS]
    keep = [0, 1, *used]
    number = max(2, len(str(len(rows))))
    each = max(16, (width - number) // max(1, len(keep) - 1) - 2)
    widths = [number] + [each] * (len(keep) - 1)
    how_short = "A run that breaks it, from which no step can be left out," if walked else "A shortest run that breaks it,"
    table = [f"{how_short} of {len(rows)} steps from the initial state:", ""]
    table += _cells([header[k] for k in keep], widths)
    table.append("  ".join("-" * each for each in widths))
    for row in rows:
        table += _cells([row[k] for k in keep], widths)
    return table


def _rows(violation: Violation, model: Model) -> Iterator[tuple[int, TraceStep, list[str]]]:
    before = violation.initial
    for index, each in enumerate(violation.trace, 1):
        yield index, each, [_cell(role, model, before, each) for role in _COLUMNS]
        before = each.after


def _cell(role: str, model: Model, before: State, step: TraceStep) -> str:
    by_process: dict[str, list[str]] = {}
    for change in changes(model, before, step.after):
        if change.process.role == role:
            by_process.setdefault(str(change.process), []).append(str(change))
    actor = step.step.process
    if actor.role == role and (sent := _sent(step.step.outcome.sends)):
        by_process.setdefault(str(actor), []).append(f"sends {sent}")
    return "; ".join(f"{process}: {', '.join(changed)}" for process, changed in by_process.items())


def _sent(sends: Sequence[Send]) -> str:
    """Each message once, however many processes it goes to."""
    return " ".join(dict.fromkeys(str(message) for _, message in sends if not isinstance(message, Instant)))


def _cells(texts: Sequence[str], widths: Sequence[int]) -> list[str]:
    wrapped = [textwrap.wrap(text, width, break_on_hyphens=False) or [""] for text, width in zip(texts, widths, strict=True)]
    height = max(map(len, wrapped))
    lines = []
    for k in range(height):
        cells = [lines_of[k] if k < len(lines_of) else "" for lines_of in wrapped]
        lines.append("  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip())
    return lines
