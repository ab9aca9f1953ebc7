"""A state graph, or what one sees of it, as a graph of networkx. Attributes are texts, numbers and truth values: all formats have them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import networkx as nx

from pmmc_check import __version__
from pmmc_check.checker.state_graph import Crossing, Quotient, StateGraph
from pmmc_check.model.model import Model, State
from pmmc_check.protocol.messages import show
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.report.changes import changes
from pmmc_check.report.counterexample import delivered_text
from pmmc_check.words import counted

Appearance = tuple[str, ...]
"""What is seen of a state, one text for each thing to see."""


def graph_of_states(graph: StateGraph, model: Model) -> nx.MultiDiGraph:
    """A node for each state and an edge for each transition, as the reference search counts them."""
    drawn = nx.MultiDiGraph(
        **_about(graph, model, f"{counted(len(graph.states), 'state')}, {counted(len(graph.transitions), 'transition')}")
    )
    for number, state in enumerate(graph.states):
        broken = graph.violations.get(number)
        drawn.add_node(
            number,
            label=str(number),
            state=plain(state_text(state, model)),
            depth=graph.depths[number],
            initial=number == 0,
            violated=plain(broken.invariant) if broken else "",
            how=plain(broken.how) if broken else "",
            reached=plain(", ".join(graph.reached.get(number, ()))),
            ended=number in graph.ended,
            outside=number in graph.outside,
            expanded=number < graph.expanded,
        )
    for each in graph.transitions:
        before, after = graph.states[each.source], graph.states[each.target]
        drawn.add_edge(
            each.source,
            each.target,
            label=plain(delivered_text(each.step)),
            process=str(each.step.process),
            action=each.step.message.kind,
            changes=plain("; ".join(f"{change.process}: {change}" for change in changes(model, before, after))),
            violated=plain(each.broken.invariant) if each.broken else "",
            how=plain(each.broken.how) if each.broken else "",
        )
    return drawn


def graph_of_classes(seen: Quotient[Appearance], graph: StateGraph, model: Model, names: Sequence[str]) -> nx.DiGraph:
    """A node for each class of states that look the same, an edge where some state of one class has a step to the other."""
    classes = f"{len(seen.observations):,} {'class' if len(seen.observations) == 1 else 'classes'}"
    title = f"{classes} of {counted(len(graph.states), 'state')}, told apart by {', '.join(names)}"
    drawn = nx.DiGraph(**_about(graph, model, title), observe=json.dumps(list(names)), unseen_transitions=seen.unseen)
    for number, (observation, members) in enumerate(zip(seen.observations, seen.members, strict=True)):
        broken = [graph.violations[each] for each in members if each in graph.violations]
        drawn.add_node(
            number,
            label=plain("\n".join(f"{name}: {text}" for name, text in zip(names, observation, strict=True))),
            states=len(members),
            depth=min(graph.depths[each] for each in members),
            initial=0 in members,
            violated=plain(", ".join(sorted({each.invariant for each in broken}))),
            violating_states=len(broken),
            reached=plain(", ".join(sorted({name for each in members for name in graph.reached.get(each, ())}))),
            ended_states=len(graph.ended.intersection(members)),
            outside_states=len(graph.outside.intersection(members)),
            expanded=members[-1] < graph.expanded,
        )
    for each in seen.crossings:
        drawn.add_edge(each.source, each.target, label=_crossing_text(each), transitions=sum(each.steps.values()), violating=each.broken)
    return drawn


def state_text(state: State, model: Model) -> str:
    """A global state in lines: each process that has a state, with what is on its way to it."""
    lines = []
    for process, view in zip(model.processes, state, strict=True):
        if view.state is Lifecycle.NOT_STARTED:
            continue
        local = view.state.state if isinstance(view.state, Crashed) else view.state
        lines.append(f"{process}{' (down)' if isinstance(view.state, Crashed) else ''}: {show(local)}")
        inbox = sorted(f"{message}{_place(place)}" for message, place in model.network.contents(view.inbox))
        lines += [f"    on its way: {', '.join(inbox)}"] if inbox else []
    return "\n".join(lines)


def plain(text: str) -> str:
    """`text` without what a file in one of the formats cannot hold: other control characters than the end of a line."""
    return "".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in text)


def _about(graph: StateGraph, model: Model, title: str) -> dict[str, Any]:
    """What the graph as a whole is; a truncated one says so wherever it is read."""
    cut = []
    if graph.limit:
        left = len(graph.states) - graph.expanded
        was = "was" if left == 1 else "were"
        cut.append(f"NOT THE WHOLE GRAPH: {graph.limit}; {counted(left, 'state')} {was} not looked into")
    if graph.outside:
        lie = "lies" if len(graph.outside) == 1 else "lie"
        outside = counted(len(graph.outside), "state")
        cut.append(f"NOT THE WHOLE GRAPH: {outside} {lie} outside the constraint, and no step was taken from there")
    return {
        "title": "\n".join([title, *cut]),
        "complete": not cut,
        "limit": graph.limit or "",
        "states": len(graph.states),
        "transitions": len(graph.transitions),
        "violating_states": len(graph.violations),
        "config": json.dumps(model.config.as_dict()),
        "roles": ", ".join(f"{role} {cls.__name__}" for role, cls in model.protocol.items()),
        "made_by": f"pmmc-check {__version__}",
    }


def _crossing_text(crossing: Crossing) -> str:
    """Kinds of steps, the most frequent first; by name who takes them, where it is one process only."""
    grouped: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for (process, kind), count in crossing.steps.items():
        grouped.setdefault((kind, process.role), []).append((str(process), count))
    lines = []
    for (kind, role), made in grouped.items():
        who, count = made[0][0] if len(made) == 1 else f"{role}s", sum(each for _, each in made)
        lines.append((-count, f"{kind} → {who}{f' ×{count:,}' if count > 1 else ''}"))
    return "\n".join(text for _, text in sorted(lines))


def _place(place: object) -> str:
    """How many of a message are on their way; from whom, and how far behind in its queue."""
    if isinstance(place, tuple):
        return f" from {place[0]}" + (f", {place[1]} before it" if place[1] else "")
    return f" ×{place}" if isinstance(place, int) and place > 1 else ""
