"""`pmmc-check node`: one node of a cluster of several machines."""

from __future__ import annotations

import argparse
from pathlib import Path

from pmmc_check.cli.failures import EXIT_HOLDS, say

_EPILOG = """\
examples:
  pmmc-check node --config cluster.toml --id A1 --data-dir data
  pmmc-check node --config cluster.toml --id R2 --data-dir data --trace-dir logs

It runs until pmmc-check ctl stop, Ctrl-C or SIGTERM, and comes back from a crash with what is in its data folder. Collect the logs of all
nodes in one folder, and pmmc-check validate judges them.

exit codes: 0 it was told to stop; 2 it cannot start, or cannot go on
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    parser.add_argument("--config", required=True, metavar="FILE", help="what the cluster is made of (docs/run.md)")
    parser.add_argument("--id", required=True, metavar="NAME", help="which of its nodes this is, such as A1")
    parser.add_argument("--data-dir", required=True, metavar="DIR", help="where it keeps what must outlive a crash")
    parser.add_argument("--trace-dir", metavar="DIR", help="record its log here")


def run(arguments: argparse.Namespace) -> int:
    """Runs it until it is told to stop."""
    from pmmc_check.runtime.cluster_file import read_cluster_file
    from pmmc_check.runtime.served_node import serve_node

    cluster = read_cluster_file(Path(arguments.config))
    logs = Path(arguments.trace_dir) if arguments.trace_dir else None
    serve_node(cluster, cluster.node(arguments.id), Path(arguments.data_dir), logs, lambda text: say("node", text))
    return EXIT_HOLDS
