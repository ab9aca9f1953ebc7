"""What people read while they step, as rich renderables: what happened, what can happen, states beside what changed, the branches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pmmc_check.checker.result import TraceStep, Violation
from pmmc_check.explorer.session import Choice, Session, Visit, path_text
from pmmc_check.properties.deviations import deviations
from pmmc_check.protocol.messages import show
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import FAULTS, ProcessId
from pmmc_check.report.changes import changes
from pmmc_check.report.counterexample import ShownStep, list_view, shown_steps
from pmmc_check.report.layout import Layout
from pmmc_check.words import counted

_GOOD, _BAD, _FAINT = "green", "bold red", "dim"


def shown_choice(node: Visit, choice: Choice) -> ShownStep:
    """A choice of `node` with all that it changes and sends, numbered by its depth."""
    run = Violation("", "", node.state, (TraceStep(choice.step, choice.after),))
    left = [each for each in deviations(node.subject.model, node.state, [(choice.step, choice.after)]) if each.index]
    return replace(shown_steps(run, node.subject.model, [1] if left else [])[0], index=node.depth + 1)


def step_parts(node: Visit, layout: Layout) -> Iterator[RenderableType]:
    """The step that led to `node`."""
    if node.before is not None and node.choice is not None:
        yield from list_view([shown_choice(node.before, node.choice)], layout)


def status_parts(node: Visit) -> Iterator[RenderableType]:
    """Where we are, and what is broken or reached."""
    where = path_text(node.path)
    line = Text(f"After {counted(node.depth, 'step')}" if node.depth else "At the start", style="bold")
    if where and len(where) <= 50:
        line.append(f"  (path {where})", style=_FAINT)
    yield line
    for name, how in node.broken.items():
        yield Text.assemble(("BROKEN", _BAD), f": {name}: {how}")
    earlier = {name: each.depth for each in reversed(node.trail[:-1]) for name in each.broken}
    for name, depth in earlier.items():
        if name not in node.broken:
            yield Text.assemble(("broken before", "red"), f": {name}, in step {depth}")
    for name in sorted(node.reached):
        yield Text.assemble(("REACHED", "bold green"), f": {name}")


def choice_parts(session: Session, layout: Layout, only: Iterable[ProcessId] = ()) -> Iterator[RenderableType]:
    """The steps that can be taken, by number; with `only`, those of some processes."""
    node, entered, wanted = session.here, session.entered(session.here), frozenset(only)
    choices = [each for each in node.choices if not wanted or each.step.process in wanted]
    if not choices:
        yield Text("Nothing can happen any more." if not wanted else "Nothing can happen to it now.")
        return
    deliveries = [each for each in choices if not each.is_fault]
    faults = [each for each in choices if each.is_fault]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", style="bold", no_wrap=True)
    widest = max((len(shown_choice(node, each).delivered) for each in deliveries), default=0)
    grid.add_column(overflow="fold", max_width=max(24, layout.width * 45 // 100), min_width=min(widest, layout.width * 45 // 100))
    grid.add_column(overflow="fold", style=_FAINT)
    for each in deliveries:
        grid.add_row(str(each.number), _delivered(node, each, each.number in entered), effect_text(node, each))
    if deliveries:
        yield grid
    if faults:
        listed = [f"{each.number} {shown_choice(node, each).delivered}" for each in faults]
        yield Text("faults: " + "; ".join(listed), style=_FAINT)


def _delivered(node: Visit, choice: Choice, entered: bool) -> Text:
    text = Text(shown_choice(node, choice).delivered)
    if entered:
        text.append(" ✓", style=_GOOD)
    return text


def effect_text(node: Visit, choice: Choice) -> str:
    """What a choice would do, in a line."""
    parts = []
    for effect in shown_choice(node, choice).effects:
        who = "" if effect.process == choice.step.process else f"{effect.process} "
        parts += [f"{who}{each}" for each in effect.changed if not each.startswith("starts ")]
        parts += [f"{who}sends {message.partition('(')[0]}" for message, _ in effect.sends]
    return "; ".join(parts) or "only taken off the network"


def process_rows(node: Visit, only: Sequence[ProcessId] = ()) -> list[tuple[ProcessId, str, str, str | None]]:
    """Process, variable, value, and what the last step changed it from (None: it did not)."""
    model, rows = node.subject.model, []
    before: dict[tuple[ProcessId, str], str] = {}
    if node.before is not None:
        before = {(each.process, each.field): show(each.before) for each in changes(model, node.before.state, node.state)}
    for process, view in zip(model.processes, node.state, strict=True):
        if only and process not in only:
            continue
        if not only and (process.role in ("client", FAULTS) or view.state is Lifecycle.NOT_STARTED):
            continue
        for name, value in state_fields(view.state):
            was = before.get((process, name), before.get((process, "")))
            rows.append((process, name, value, was))
    return rows


def state_fields(state: Any) -> list[tuple[str, str]]:
    """A local state as pairs of variable and value; one that is no record is a single pair without a name."""
    if isinstance(state, Crashed):
        return [("", "down; it was in"), *state_fields(state.state)]
    if isinstance(state, Lifecycle) or not is_dataclass(state):
        return [("", show(state))]
    return [(each.name, show(getattr(state, each.name))) for each in fields(state)] or [("", "has no variables")]


def state_parts(node: Visit, only: Sequence[ProcessId] = ()) -> Iterator[RenderableType]:
    """Full states, with what the last step changed beside them."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False, header_style="bold")
    table.add_column("process", no_wrap=True)
    table.add_column("variable", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("before the last step", overflow="fold", style="yellow")
    last = None
    for process, name, value, was in process_rows(node, only):
        changed = "yellow" if was is not None else ""
        table.add_row(str(process) if process != last else "", name, Text(value, style=changed), was or "")
        last = process
    yield table


def inbox_parts(node: Visit, only: Sequence[ProcessId]) -> Iterator[RenderableType]:
    """What is on its way to some processes."""
    model = node.subject.model
    for process in only:
        there = sorted(str(message) for message, _ in model.network.contents(node.state[model.index[process]].inbox))
        yield Text(f"on its way to {process}: {'; '.join(there) if there else 'nothing'}")


def history_parts(node: Visit, layout: Layout) -> Iterator[RenderableType]:
    """All steps from the start, one a line."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", style="dim")
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold", style=_BAD)
    for each in node.trail[1:]:
        assert each.before is not None
        assert each.choice is not None
        grid.add_row(str(each.depth), shown_choice(each.before, each.choice).delivered, ", ".join(f"breaks {name}" for name in each.broken))
    yield grid if node.depth else Text("No step has been taken yet.")


def tree_parts(session: Session) -> Iterator[RenderableType]:
    """The branches that were taken: a path for each end, and where we are."""
    ends = [each for each in session.visited if not session.entered(each)] or [session.subject.root]
    if session.here not in ends:
        ends.append(session.here)
    yield Text(f"{counted(len(session.visited), 'state')} visited. The ends of the branches, to go to by `goto PATH`:")
    for each in ends:
        last = shown_choice(each.before, each.choice).delivered if each.before and each.choice else "the start"
        mark = "*" if each is session.here else " "
        yield Text(f"{mark} {path_text(each.path) or 'start'}  {last}", overflow="fold")


def property_parts(node: Visit) -> Iterator[RenderableType]:
    """Each invariant and witness: whether it is broken or reached here, or was before."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for each in node.subject.invariants:
        grid.add_row(each.name, *_judged(node, each.name), Text(node.broken.get(each.name, each.statement)))
    for each in node.subject.witnesses:
        depth = next((one.depth for one in node.trail if each.name in one.reached), None)
        told = Text("reached here", style=_GOOD) if each.name in node.reached else Text("not yet" if depth is None else f"in step {depth}")
        grid.add_row(each.name, told, Text(f"witness: {each.statement.removeprefix('~')}"))
    yield grid


def _judged(node: Visit, name: str) -> tuple[Text]:
    if name in node.broken:
        return (Text("BROKEN here", style=_BAD),)
    depth = next((each.depth for each in node.trail if name in each.broken), None)
    return (Text(f"broken in step {depth}", style="red"),) if depth is not None else (Text("holds", style=_GOOD),)
