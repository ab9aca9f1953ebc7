"""The graph of all states of a configuration, or of what one chooses to see of it, as a value that can be written in several formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from pmmc_check.checker.result import Control
from pmmc_check.checker.state_graph import quotient, state_graph
from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.model.model import Model, State
from pmmc_check.properties.invariants import Invariant
from pmmc_check.properties.observables import observables_named
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.report.graphs.build import graph_of_classes, graph_of_states
from pmmc_check.report.graphs.files import GRAPH_WRITERS, NotDrawable
from pmmc_check.spec.document import Spec
from pmmc_check.spec.values import value_seen

GRAPH_STATES_MAX = 20_000
"""How large a graph may be unless something else is asked for."""


@dataclass(frozen=True)
class DrawnGraph:
    """A graph: `nx` is it in networkx, with the attributes that docs/graphs.md lists. `limit`: why it is not the whole graph, where it is
    not."""

    nx: Any
    limit: str | None = None

    @property
    def nodes(self) -> int:
        """How many states, or classes of states, it has."""
        return int(self.nx.number_of_nodes())

    def text(self, form: str) -> str:
        """The graph as `dot`, `graphml`, `json` or `svg`.

        Raises:
            UsageError: there is no such form, or for a picture it is too large, or Graphviz is not installed.
        """
        writer = GRAPH_WRITERS.get(f".{form}")
        if writer is None:
            known = [each.removeprefix(".") for each in GRAPH_WRITERS]
            raise UsageError(f"form={form!r}: expected one of {', '.join(known)}{did_you_mean(form, known)}")
        try:
            return writer(self.nx)
        except NotDrawable as error:
            raise UsageError(str(error)) from None

    def write(self, path: str | PathLike[str]) -> Path:
        """Writes it in the form that the name's end says, and returns the path.

        Raises:
            UsageError: as `text`.
        """
        target = Path(path)
        target.write_text(self.text(target.suffix.removeprefix(".").lower()), encoding="utf-8")
        return target


def drawn_graph(  # noqa: PLR0917  (each is something else: what is drawn, what is checked and seen of it, how far)
    model: Model,
    checked: tuple[Sequence[Invariant], Sequence[Invariant], Sequence[WrittenInvariant]],
    spec: Spec | None,
    observe: Sequence[str],
    states_max: int,
    control: Control,
) -> DrawnGraph:
    """The graph of `model`, with what `observe` tells apart; `checked` are invariants, negations of witnesses, and constraints.

    Raises:
        TooManyStates: there are more than `states_max`.
        UsageError, SpecError: what is to be observed does not exist.
    """
    seen, observed = _observed(observe, model, spec)
    graph = state_graph(model, checked[0], control, states_max, checked[1], checked[2], observed)
    if not seen:
        return DrawnGraph(graph_of_states(graph, model), graph.limit)
    classes = quotient(graph, lambda state: tuple(see(state) for _, see in seen))
    return DrawnGraph(graph_of_classes(classes, graph, model, [name for name, _ in seen]), graph.limit)


def _observed(asked: Sequence[str], model: Model, spec: Spec | None) -> tuple[list[tuple[str, Callable[[State], str]]], set[str]]:
    """What is to be seen, by name: a list of observables, or an expression; and the kinds of facts that expressions read."""
    seen: dict[str, Callable[[State], str]] = {}
    observed: set[str] = set()
    for text in asked:
        names = [each.strip() for each in text.split(",")]
        if all(re.fullmatch(r"[\w-]*", each) for each in names):
            seen |= {each.name: _on(each.see, model) for each in observables_named(names)}
        else:
            seen[text], read = value_seen("--observe", text, model, spec)
            observed |= read
    return list(seen.items()), observed


def _on(see: Callable[[Model, State], str], model: Model) -> Callable[[State], str]:
    return lambda state: see(model, state)
