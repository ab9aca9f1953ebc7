"""A counterexample for people, in three views: a narrow list, a table of roles, and a lane for each process."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pmmc_check.checker.result import TraceStep, Violation
from pmmc_check.model.faults import Crash, Drop, Restart
from pmmc_check.model.model import Model, State, Step
from pmmc_check.protocol.messages import Instant, Message
from pmmc_check.protocol.values import ROLES, ProcessId
from pmmc_check.report.changes import changes
from pmmc_check.report.layout import Layout

_WRONG = "bold red"
_ROLE_STYLES = dict(zip(ROLES, ("", "green", "cyan", "magenta", "yellow", "blue"), strict=True))


@dataclass(frozen=True)
class Effect:
    """What one step does to one process, or makes it do: `changed` are its variables, `sends` what leaves it, with recipients."""

    process: ProcessId
    changed: tuple[str, ...]
    sends: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ShownStep:
    """One step, numbered from 1; `wrong` says that the paper's protocol would not have taken it, `repeated` that it is one of those at
    the end that are repeated for ever."""

    index: int
    step: Step
    effects: tuple[Effect, ...]
    wrong: bool
    repeated: bool = False

    @property
    def mark(self) -> str:
        """What stands behind its number."""
        return " ↻" * self.repeated + " !" * self.wrong

    @property
    def delivered(self) -> str:
        """What happened, in a few words."""
        return delivered_text(self.step)


def delivered_text(step: Step) -> str:
    """What a step is, in a few words."""
    message, process = step.message, step.process
    if isinstance(message, Drop):
        return f"{message.message} → {process} is lost"
    if isinstance(message, Crash | Restart):
        return f"{process} {message.kind}{'es' if isinstance(message, Crash) else 's'}"
    return f"{message} → {process}"


def shown_steps(violation: Violation, model: Model, wrong: Collection[int] = ()) -> list[ShownStep]:
    """All steps; `wrong` are the numbers of those that the paper's protocol would not have taken."""
    found, before = [], violation.initial
    for index, each in enumerate(violation.trace, 1):
        repeated = index > len(violation.trace) - violation.loop
        found.append(ShownStep(index, each.step, tuple(_effects(model, before, each)), index in wrong, repeated))
        before = each.after
    return found


def _effects(model: Model, before: State, taken: TraceStep) -> Iterator[Effect]:
    """The process that takes the step first, then those that it creates or stops."""
    changed: dict[ProcessId, list[str]] = {taken.step.process: []}
    for change in changes(model, before, taken.after):
        if change.process in model.roles and change.process.role in ROLES:
            changed.setdefault(change.process, []).append(str(change))
    sent: dict[ProcessId, dict[Message, list[ProcessId]]] = {}
    for to, sender, message in model.items(taken.step.process, taken.step.outcome.sends):
        if not isinstance(message, Instant):
            sent.setdefault(sender, {}).setdefault(message, []).append(to)
    for process in dict.fromkeys((*changed, *sent)):
        sends = tuple((str(message), _recipients(model, to)) for message, to in sent.get(process, {}).items())
        yield Effect(process, tuple(changed.get(process, ())), sends)


def _recipients(model: Model, to: Sequence[ProcessId]) -> str:
    everyone = [each for each in model.processes if each.role == to[0].role]
    return f"all {to[0].role}s" if len(to) > 1 and set(to) == set(everyone) else ", ".join(map(str, to))


_LANE_WIDTH_MIN = 14
"""A lane that is narrower, its space included, cuts words like request(c1) in two."""


def steps_view(steps: Sequence[ShownStep], layout: Layout) -> Iterator[RenderableType]:
    """The steps in the view that `layout` asks for."""
    views = {"list": list_view, "table": table_view, "lanes": lanes_view}
    yield from views[layout.chosen_view](steps, layout)


def list_view(steps: Sequence[ShownStep], layout: Layout) -> Iterator[RenderableType]:
    """One step below the other: the delivery, and indented what changes and what is sent."""
    number = len(str(len(steps)))
    loop = next((each.index for each in steps if each.repeated), None)
    for each in steps:
        if each.index == loop:
            yield Text(f"{'↻':>{number}}  from here on, for ever:", style="bold")
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(justify="right", min_width=number, style=_WRONG if each.wrong else "dim")
        grid.add_column(overflow="fold")
        grid.add_row(Text(str(each.index)), Text(each.delivered, style=_WRONG if each.wrong else "bold"))
        for line in _lines(each):
            grid.add_row("", Padding(line, (0, 0, 0, 2)))
        if each.wrong:
            grid.add_row("", Padding(Text("! the paper's protocol would not have taken this step", style=_WRONG), (0, 0, 0, 2)))
        yield grid
    if loop is not None:
        yield Text(f"{'↻':>{number}}  and again from step {loop}", style="bold")


def _lines(step: ShownStep) -> Iterator[Text]:
    nothing = True
    for effect in step.effects:
        name = (str(effect.process), _ROLE_STYLES[effect.process.role])
        for part in [*effect.changed, *(f"sends {message} to {to}" for message, to in effect.sends)]:
            nothing = False
            yield Text.assemble(name, f": {part}")
    if nothing:
        yield Text("nothing changes", style="dim")


def table_view(steps: Sequence[ShownStep], layout: Layout) -> Iterator[RenderableType]:
    """One row a step, one column a role; `!` marks a step that the paper's protocol would not have taken, `↻` one of those that are
    repeated for ever."""
    used = [role for role in ROLES if any(effect.process.role == role and _cell(effect).plain for s in steps for effect in s.effects)]
    columns = [[effect for effect in each.effects if effect.process.role == role] for each in steps for role in used]
    rows = [columns[start : start + len(used)] for start in range(0, len(columns), max(1, len(used)))]
    yield _grid(steps, used, [[Text("\n").join(filter(None, map(_cell, cell))) for cell in row] for row in rows])


def _cell(effect: Effect) -> Text:
    parts = ", ".join([*effect.changed, *(f"sends {message}" for message, _ in effect.sends)])
    return Text.assemble((str(effect.process), _ROLE_STYLES[effect.process.role]), f": {parts}") if parts else Text()


def lanes_view(steps: Sequence[ShownStep], layout: Layout) -> Iterator[RenderableType]:
    """One row a step, one column a process: what it receives (←), how it changes, what it sends (→). Where the lanes would be too narrow to
    be read, it is the list, and a sentence says so."""
    present = {effect.process for each in steps for effect in each.effects}
    lanes = sorted(present, key=lambda process: (ROLES.index(process.role), process[1:]))
    needed = len(lanes) * _LANE_WIDTH_MIN + len(str(len(steps))) + max((len(each.mark) for each in steps), default=0)
    if layout.width < needed:
        yield Text(f"As lanes these {len(lanes)} processes need {needed} columns, and there are {layout.width}; so this is the list.")
        yield ""
        yield from list_view(steps, layout)
        return
    rows = []
    for each in steps:
        effects = {effect.process: effect for effect in each.effects}
        rows.append([_lane(each, effects.get(process), process) for process in lanes])
    yield _grid(steps, [str(process) for process in lanes], rows, delivered=False)


def _lane(step: ShownStep, effect: Effect | None, process: ProcessId) -> Text:
    if effect is None:
        return Text("·", style="dim")
    received = [f"← {step.step.message}"] if process == step.step.process else []
    return Text("\n".join([*received, *effect.changed, *(f"→ {message}" for message, _ in effect.sends)]), style=_ROLE_STYLES[process.role])


def _grid(steps: Sequence[ShownStep], columns: Sequence[str], rows: Sequence[Sequence[Text]], delivered: bool = True) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False, header_style="bold")
    table.add_column("#", no_wrap=True)
    if delivered:
        table.add_column("delivered", overflow="fold", ratio=1)
    for name in columns:
        table.add_column(name, overflow="fold", ratio=1)
    for step, cells in zip(steps, rows, strict=True):
        number = Text(f"{step.index}{step.mark}", style=_WRONG if step.wrong else "dim")
        table.add_row(number, *([Text(step.delivered, style=_WRONG if step.wrong else "")] if delivered else []), *cells)
    return table
