"""Graphs as files: DOT and SVG for looking at, GraphML and JSON for programs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable

import graphviz
import networkx as nx
from networkx.readwrite import json_graph

DRAWN_MAX = 500
"""Of more nodes than this `dot` makes no picture that anyone could read, in no time that anyone would wait."""

_GREEN, _RED, _GREY, _YELLOW = "#2e7d32", "#c62828", "#757575", "#fff59d"


class NotDrawable(Exception):
    """No picture can be made; the text says why, and what to do."""


def graph_as_dot(graph: nx.Graph) -> str:
    """DOT: the initial state has a double border, what violates is red, what was to be found yellow, states without a
    step are grey, and those that were not looked into dashed."""
    text: str = _dot(graph).source
    return text


def graph_as_graphml(graph: nx.Graph) -> str:
    """GraphML, for Gephi, yEd, Cytoscape and networkx."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + "\n".join(nx.generate_graphml(graph)) + "\n"


def graph_as_json(graph: nx.Graph) -> str:
    """The node-link form of networkx, which D3 reads, too."""
    return json.dumps(json_graph.node_link_data(graph, edges="edges"), ensure_ascii=False, indent=1) + "\n"


def graph_as_svg(graph: nx.Graph) -> str:
    """The picture that Graphviz makes; pointing at a state shows it in full.

    Raises:
        NotDrawable: Graphviz is not installed, or the graph is too large for a picture.
    """
    check_drawable(graph.number_of_nodes())
    try:
        drawn: str = _dot(graph).pipe(format="svg", encoding="utf-8", quiet=True)
    except (graphviz.ExecutableNotFound, subprocess.CalledProcessError) as error:
        raise NotDrawable(f"Graphviz's `dot` could not draw it: {error}") from None
    return drawn


def check_dot_installed() -> None:
    """Asks Graphviz for its version.

    Raises:
        NotDrawable: it is not installed.
    """
    try:
        graphviz.version()
    except (graphviz.ExecutableNotFound, subprocess.CalledProcessError, RuntimeError):
        raise NotDrawable(
            "a picture needs Graphviz, whose command `dot` was not found; install it (apt install graphviz, brew install graphviz), "
            "or give a name that ends in .dot, .graphml or .json"
        ) from None


def check_drawable(nodes: int) -> None:
    """Refuses what is too large for a picture.

    Raises:
        NotDrawable: it is.
    """
    if nodes > DRAWN_MAX:
        raise NotDrawable(
            f"a picture of {nodes:,} nodes could not be read (at most {DRAWN_MAX}); say with --observe what is to be seen of a state, "
            f"or give a name that ends in .dot, .graphml or .json"
        )


GRAPH_WRITERS: dict[str, Callable[[nx.Graph], str]] = {
    ".dot": graph_as_dot,
    ".gv": graph_as_dot,
    ".graphml": graph_as_graphml,
    ".json": graph_as_json,
    ".svg": graph_as_svg,
}
"""What writes a file, by the end of its name."""


def _dot(graph: nx.Graph) -> graphviz.Digraph:
    about = graph.graph
    title = _lines(about["title"].split("\n"))
    dot = graphviz.Digraph(
        "states",
        comment="; ".join(f"{name} {about[name]}" for name in ("complete", "states", "transitions", "config", "made_by")),
        graph_attr={"label": title, "labelloc": "t", "fontname": "Helvetica", "fontcolor": "black" if about["complete"] else _RED},
        node_attr={"fontname": "Helvetica", "fontsize": "10", "shape": "box", "style": "rounded"},
        edge_attr={"fontname": "Helvetica", "fontsize": "9", "color": _GREY},
    )
    for number, node in graph.nodes(data=True):
        dot.node(str(number), **_node(node))
    for source, target, edge in graph.edges(data=True):
        broken = bool(edge.get("violated") or edge.get("violating"))
        tip = edge.get("changes") or edge["label"]
        colours = {"color": _RED, "fontcolor": _RED, "penwidth": "2"} if broken else {}
        how = [edge["how"]] if edge.get("how") else []
        dot.edge(str(source), str(target), label=_lines(edge["label"].split("\n")), tooltip=_lines([*how, tip]), **colours)
    return dot


def _node(node: dict[str, object]) -> dict[str, str]:
    """How a node looks. In a graph of classes its text is what is seen, and the number of its states."""
    lines, styles = str(node["label"]).split("\n"), ["rounded"]
    if "states" in node:
        lines.append(f"{node['states']:,} state{'s' * (node['states'] != 1)}")
    some = f"{node['violating_states']:,} of them violate" if "states" in node else "violates"
    if node["violated"]:
        lines.append(f"{some} {node['violated']}")
    if node["reached"]:
        lines.append(f"reached: {node['reached']}")
        styles.append("filled")
    outside = node.get("outside_states", node.get("outside"))
    if outside:
        lines.append("outside the constraint" if outside is True else f"{outside:,} of them outside the constraint")
    if not node["expanded"]:
        lines.append("not looked into")
    if outside or not node["expanded"]:
        styles.append("dashed")
    looks = {"style": ",".join(styles)}
    if node["violated"]:
        all_of_them = node.get("violating_states") == node.get("states")
        looks |= {"color": _RED, "penwidth": "2", **({"fontcolor": _RED} if all_of_them else {})}
    elif node["initial"]:
        looks |= {"color": _GREEN, "penwidth": "2"}
    elif node.get("ended"):
        looks |= {"color": _GREY, "fontcolor": _GREY}
    if node["reached"]:
        looks["fillcolor"] = _YELLOW
    if node["initial"]:
        looks |= {"peripheries": "2"}
    tip = [f"depth {node['depth']}", *([str(node["how"])] if node.get("how") else []), *str(node.get("state", node["label"])).split("\n")]
    return {"label": _lines(lines), "tooltip": _lines(tip), **looks}


def _lines(lines: Iterable[str]) -> str:
    """Lines in DOT's notation, to the left; what they hold means nothing else, neither an escape nor an entity nor HTML."""
    text: str = graphviz.nohtml("".join(graphviz.escape(line.replace("&", "&amp;")) + "\\l" for line in lines))
    return text
