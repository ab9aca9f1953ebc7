"""`pmmc-check ctl`: orders to the nodes of a running cluster."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pmmc_check.cli.failures import EXIT_HOLDS, EXIT_INCONCLUSIVE, say
from pmmc_check.cli.numbers import positive_seconds
from pmmc_check.cli.outputs import print_results, results_stream, write_results
from pmmc_check.cli.terminal import layout
from pmmc_check.errors import did_you_mean

if TYPE_CHECKING:
    from pmmc_check.protocol.values import ProcessId
    from pmmc_check.runtime.cluster_file import ClusterFile
    from pmmc_check.runtime.control import Answers

_EPILOG = """\
examples:
  pmmc-check ctl status --config cluster.toml
  pmmc-check ctl pause --config cluster.toml --id L1
  pmmc-check ctl reconfigure --config cluster.toml --to L4,L5,L6
  pmmc-check ctl stop --config cluster.toml

A node that is paused takes nothing in until ctl resume. A reconfiguration
takes effect WINDOW slots after it is decided.

exit codes: 0 all nodes that were asked have answered; 2 usage; 3 some have not
"""
ORDERS = ("status", "pause", "resume", "stop", "reconfigure")


def _order(text: str) -> str:
    if text not in ORDERS:
        raise argparse.ArgumentTypeError(f"there is no order {text}{did_you_mean(text, ORDERS)}; expected one of {', '.join(ORDERS)}")
    return text


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    parser.add_argument("order", type=_order, metavar="ORDER", help=", ".join(ORDERS))
    parser.add_argument("--config", required=True, metavar="FILE", help="what the cluster is made of (docs/run.md)")
    parser.add_argument("--id", action="append", default=[], metavar="NAME", help="only this node; may be given several times")
    parser.add_argument("--to", default="", metavar="LEADERS", help="with reconfigure: the leaders of the configuration to change to")
    parser.add_argument(
        "--time-limit",
        type=positive_seconds(),
        default=30.0,
        metavar="S",
        help="with reconfigure: give up after so long (default %(default)g)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json prints one object on stdout (default text)")


def run(arguments: argparse.Namespace) -> int:
    """Gives the order, and shows what the nodes say."""
    from pmmc_check.report.cluster_text import cluster_text
    from pmmc_check.runtime.cluster_file import read_cluster_file

    cluster = read_cluster_file(Path(arguments.config))
    nodes = tuple(map(cluster.node, arguments.id)) or tuple(cluster.addresses)
    answers = asyncio.run(_answers(cluster, arguments, nodes))
    if arguments.format == "json":
        print_results(json.dumps({str(node): answer for node, answer in answers.items()}))
    else:
        write_results([cluster_text({str(node): answer for node, answer in answers.items()}, layout(results_stream(), "auto"))])
    silent = [f"{node}: {answer}" for node, answer in answers.items() if isinstance(answer, str)]
    for each in silent:
        say("ctl", each)
    return EXIT_INCONCLUSIVE if silent else EXIT_HOLDS


async def _answers(cluster: ClusterFile, arguments: argparse.Namespace, nodes: tuple[ProcessId, ...]) -> Answers:
    from pmmc_check.errors import UsageError
    from pmmc_check.runtime.control import leaders_named, order_all, stop_all
    from pmmc_check.runtime.reconfiguring import reconfigure

    if (arguments.order == "reconfigure") != bool(arguments.to):
        raise UsageError("ctl reconfigure needs --to LEADERS, and no other order does")
    if arguments.order == "reconfigure":
        return await reconfigure(cluster, leaders_named(cluster, arguments.to), arguments.time_limit)
    if arguments.order == "stop":
        return await stop_all(cluster, nodes)
    return await order_all(cluster, arguments.order, nodes)
