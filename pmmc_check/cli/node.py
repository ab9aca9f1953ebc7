"""`pmmc-check node`: one node of a cluster of several machines."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from pmmc_check.cli.failures import EXIT_HOLDS, say
from pmmc_check.cli.http_option import http_address
from pmmc_check.cli.outputs import prints_to_stderr
from pmmc_check.errors import UsageError
from pmmc_check.users_code import exits_refused

_EPILOG = """\
examples:
  pmmc-check node --config cluster.toml --id A1 --data-dir data
  pmmc-check node --config cluster.toml --id R2 --data-dir data --trace-dir logs
  pmmc-check node --config cluster.toml --http 8080

It runs until pmmc-check ctl stop, Ctrl-C or SIGTERM, and comes back from a
crash with what is in its data folder. Collect the logs of all nodes in one
folder, and pmmc-check validate judges them.

exit codes: 0 it was told to stop; 2 it cannot start, or cannot go on
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    parser.add_argument("--config", required=True, metavar="FILE", help="what the cluster is made of (docs/run.md)")
    parser.add_argument("--id", metavar="NAME", help="which of its nodes this is, such as A1; needs --data-dir")
    parser.add_argument("--http", metavar="[HOST:]PORT", help="instead of --id: a client that answers HTTP, for curl and Prometheus")
    parser.add_argument("--data-dir", metavar="DIR", help="where the node keeps what must outlive a crash; needed with --id")
    parser.add_argument("--trace-dir", metavar="DIR", help="record its log here")


def run(arguments: argparse.Namespace) -> int:
    """Runs it until it is told to stop."""
    from pmmc_check.runtime.cluster_file import read_cluster_file
    from pmmc_check.runtime.served_node import serve_front, serve_node

    tell = partial(say, "node")
    cluster = read_cluster_file(Path(arguments.config))
    if (arguments.id is None) == (arguments.http is None):
        raise UsageError("expected --id NAME and --data-dir DIR for a node, or --http PORT for an HTTP front")
    if (arguments.id is None) != (arguments.data_dir is None):
        if arguments.data_dir is not None:
            raise UsageError("--data-dir: not with --http: a front keeps nothing")
        raise UsageError(f"--data-dir is missing: --id {arguments.id} needs --data-dir DIR, where the node keeps what must outlive a crash")
    if arguments.http is not None:
        serve_front(cluster, http_address(arguments.http), tell)
        return EXIT_HOLDS
    logs = Path(arguments.trace_dir) if arguments.trace_dir else None
    with prints_to_stderr(), exits_refused():
        serve_node(cluster, cluster.node(arguments.id), Path(arguments.data_dir), logs, tell)
    return EXIT_HOLDS
