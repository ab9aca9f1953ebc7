"""`pmmc-check explore --graph FILE`: the graph of all reachable states, or what one chooses to see of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmmc_check.cli.failures import say
from pmmc_check.cli.outputs import OutputFile
from pmmc_check.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from pmmc_check.checker.result import Control
    from pmmc_check.cli.specs import AskedProperties
    from pmmc_check.model.model import Model
    from pmmc_check.spec.document import Spec

_STATES_MAX_BY_DEFAULT = "20,000"
"""As `api.drawing` has it, which is slow to load."""


def configure_graph(out: argparse._ArgumentGroup, count: Callable[[str], int]) -> None:
    """Declares the options; `count` reads a whole number from 1."""
    out.add_argument(
        "--graph",
        metavar="FILE",
        help="also write the graph of all reachable states, without reductions: .dot, .graphml, .json, .svg (docs/graphs.md)",
    )
    out.add_argument(
        "--observe",
        metavar="NAME,...|EXPR",
        action="append",
        default=[],
        help="with --graph: put states together in which this is the same: decided,decisions,ballots,... or an expression; may be repeated",
    )
    out.add_argument(
        "--graph-states",
        type=count,
        metavar="N",
        help=f"with --graph: refuse a graph of more than N states (default: {_STATES_MAX_BY_DEFAULT})",
    )


@dataclass(frozen=True)
class GraphFile:
    """A file that is to hold a graph, opened, and what writes it."""

    file: OutputFile
    write: Callable[[Any], str]


def graph_file(arguments: argparse.Namespace) -> GraphFile | None:
    """The file that --graph asks for.

    Raises:
        UsageError: it cannot be written, its name tells no format, or other options do not go with it.
    """
    name = arguments.graph
    if name is None:
        for option, given in (("--observe", arguments.observe), ("--graph-states", arguments.graph_states)):
            if given:
                raise UsageError(f"{option}: it says what a graph shows; add --graph FILE")
        return None
    if arguments.slots == "any" or arguments.strategy == "compositional":
        raise UsageError(f"--graph {name}: a graph has the states of one configuration; give a number of --slots")
    from pmmc_check.report.graphs.files import GRAPH_WRITERS, NotDrawable, check_dot_installed

    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    if suffix not in GRAPH_WRITERS:
        guess = did_you_mean(suffix, GRAPH_WRITERS) if suffix else ""
        raise UsageError(f"--graph {name}: the name's end says what is written, one of {', '.join(GRAPH_WRITERS)}{guess}")
    if suffix == ".svg":
        try:
            check_dot_installed()
        except NotDrawable as error:
            raise UsageError(f"--graph {name}: {error}") from None
    return GraphFile(OutputFile("--graph", name), GRAPH_WRITERS[suffix])


def write_graph(  # noqa: PLR0917
    to: GraphFile,
    arguments: argparse.Namespace,
    model: Model,
    invariants: Sequence[Any],
    asked: AskedProperties,
    spec: Spec | None,
    control: Control,
) -> None:
    """Makes the graph and writes it.

    Raises:
        UsageError: it is too large, or what is to be observed does not exist.
    """
    from pmmc_check.api.drawing import GRAPH_STATES_MAX, drawn_graph
    from pmmc_check.checker.state_graph import TooManyStates
    from pmmc_check.report.graphs.files import NotDrawable

    states_max = arguments.graph_states or GRAPH_STATES_MAX
    checked = invariants, asked.witnesses, asked.constraints
    try:
        graph = drawn_graph(model, checked, spec, arguments.observe, states_max, control)
        to.file.write(to.write(graph.nx))
    except TooManyStates:
        raise UsageError(
            f"--graph {arguments.graph}: there are more than {states_max:,} states, without reductions; take a smaller configuration, "
            f"raise --graph-states, or give --max-depth N for the first N levels, marked as such; nothing was searched"
        ) from None
    except NotDrawable as error:
        raise UsageError(f"--graph {arguments.graph}: {error}") from None
    to.file.commit()
    if graph.limit is not None:
        say("explore", f"{to.file.path} is not the whole graph, and says so: {graph.limit}")
