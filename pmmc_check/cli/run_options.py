"""The options of `run`."""

from __future__ import annotations

import argparse
from math import inf

from pmmc_check.cli.numbers import any_whole_number, number_from_one, number_of, positive_seconds, probability
from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import ACCEPTOR, LEADER, REPLICA
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.runtime.machines import MACHINES, loaded_machine
from pmmc_check.runtime.simulated_faults import FAULTS_BY_NAME

_EPILOG = """\
examples:
  pmmc-check run
      5 clients, 3 replicas, 3 leaders, 3 acceptors, each a process of its own
  pmmc-check run --machine kv --requests 100 --trace-dir logs
      a key-value store; the trace is kept
  pmmc-check run --loss 0.2 --duplication 0.2 --kill acceptor,leader
      a bad network, and kill -9 of an acceptor and of a leader every second
  pmmc-check run --machine kv --http 8080 --requests 0
      a store for curl: curl -X PUT -d green localhost:8080/kv/colour
  pmmc-check run --simulated --seed 7 --faults all
      the same nodes in virtual time; the same seed gives the same run
  pmmc-check run --simulated --seeds 100 --faults all --variant ignore-pmax
      finds a seeded fault

exit codes: 0 all requests answered, replicas equal, history linearizable,
            trace accepted; 1 something of it is wrong; 2 usage;
            3 inconclusive, such as requests without an answer at the end
"""
_ROLES = (ACCEPTOR, LEADER, REPLICA)
_SECONDS = number_of("seconds, from 0")
_DELAY_SECONDS_MAX = 3600.0
_DEFAULTS = {
    "loss": 0.0,
    "duplication": 0.0,
    "delay": 0.0,
    "every": 1.0,
    "at_once": 1,
    "seeds": 1,
    "faults": "none",
    "virtual_seconds": 60.0,
}
"""Of options that are refused where they would do nothing: so it must be known whether they were given."""
_ONLY_REAL = {
    **dict.fromkeys(("loss", "duplication", "delay", "kill", "pause", "partition"), "not with --simulated, which has --faults"),
    "every": "not with --simulated, where the seed decides",
    "at_once": "not with --simulated, where each client has one request under way",
    "not_durable": "not with --simulated, whose disks are part of the simulation",
    "data_dir": "not with --simulated, whose disks are part of the simulation",
    "time_limit": "not with --simulated, which has --virtual-seconds",
    "http": "virtual time does not wait for anybody; leave out --simulated",
    "live": "not with --simulated: there would be nothing to read",
}
_ONLY_SIMULATED = {
    "faults": "needs --simulated; real processes have --loss, --duplication, --delay, --kill, --pause and --partition",
    "seeds": "needs --simulated; of real processes one run is made at a time, with --seed",
    "virtual_seconds": "needs --simulated; real processes have --time-limit",
}
_CONTRADICTIONS = (
    ("live", "no_record", "there would be nothing to read"),
    ("trace_dir", "no_record", "there would be nothing to keep"),
    ("data_dir", "not_durable", "there would be nothing to keep"),
    ("no_sync", "not_durable", "nothing is written"),
    ("kill", "not_durable", "a node that keeps nothing on a disk must not come back"),
    ("scenario", "not_durable", "a node that keeps nothing on a disk must not come back"),
    ("partition", "scenario", "each would end what the other has cut off; a scenario has one_way"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    for name, count, meaning in (
        ("clients", 5, ""),
        ("replicas", 3, ""),
        ("leaders", 3, ""),
        ("acceptors", 3, ""),
        ("requests", 10, "each client makes so many "),
        ("at-once", 1, "each client has so many under way at a time "),
        ("window", 5, "the paper's WINDOW "),
        ("keep", 1000, "slots are forgotten that a majority of the replicas performed so many slots ago "),
        ("seed", 1, "of the requests and of all faults "),
    ):
        kind = any_whole_number if name in ("requests", "seed") else number_from_one
        default = None if name == "at-once" else count
        parser.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=f"{meaning}(default {count})")
    parser.add_argument(
        "--machine", default="integer", metavar="NAME", help=f"{', '.join(MACHINES)} or module:object (default %(default)s)"
    )
    parser.add_argument(
        "--time-limit", type=positive_seconds(), metavar="S", help="requests are given up after so long (default 60; with --http none)"
    )
    parser.add_argument(
        "--http",
        metavar="[HOST:]PORT",
        help="also answer HTTP there, until Ctrl-C: the key-value store for curl, /status, /metrics (0: any port)",
    )
    parser.add_argument("--trace-dir", metavar="DIR", help="keep the trace here (default: kept only where something is wrong)")
    parser.add_argument("--data-dir", metavar="DIR", help="keep the nodes' data here (default: removed at the end)")
    parser.add_argument("--live", action="store_true", help="judge the trace while the cluster runs; what is wrong ends it")
    parser.add_argument("--no-record", action="store_true", help="record no trace")
    parser.add_argument("--not-durable", action="store_true", help="keep nothing on a disk; then nothing can be killed")
    parser.add_argument(
        "--no-sync",
        action="store_true",
        help="write what is promised, but do not wait for the disk: a kill -9 loses nothing, a power failure may",
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME",
        help="run a seeded fault; the trace is still judged by the paper's protocol",
    )
    parser.add_argument(
        "--answer-first", action="store_true", help="a fault of the driver: answers leave before what they promise is on the disk"
    )
    parser.add_argument(
        "--reconfigure",
        type=_SECONDS,
        metavar="S",
        help="change to as many new leaders and acceptors after so long (virtual, if simulated)",
    )
    parser.add_argument("--scenario", metavar="FILE", help="what goes wrong, and when (docs/run.md); clients ask as long as it lasts")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json prints one object on stdout (default text)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    _of_processes(parser.add_argument_group("faults of real processes"))
    _of_simulations(parser.add_argument_group("simulation"))


def _of_processes(real: argparse._ArgumentGroup) -> None:
    for name, meaning in (("loss", "of a message"), ("duplication", "of a message")):
        real.add_argument(f"--{name}", type=probability, metavar="P", help=f"probability {meaning} (default 0)")
    real.add_argument("--delay", type=_SECONDS, metavar="S", help="messages take up to so many seconds longer, so they overtake each other")
    for name, verb in (("kill", "kill -9"), ("pause", "SIGSTOP")):
        real.add_argument(f"--{name}", metavar="ROLES", help=f"{verb} for one node of each role at a time; some of {','.join(_ROLES)}")
    real.add_argument("--partition", action="store_true", help="one node at a time hears nobody")
    real.add_argument("--every", type=positive_seconds(), metavar="S", help="so often (default 1 s)")


def _of_simulations(simulated: argparse._ArgumentGroup) -> None:
    simulated.add_argument("--simulated", action="store_true", help="one process, virtual time; everything is decided by the seed")
    simulated.add_argument("--seeds", type=number_from_one, metavar="N", help="so many runs, with seeds from --seed on (default 1)")
    simulated.add_argument("--faults", metavar="LIST", help=f"all, none, or some of {','.join(FAULTS_BY_NAME)} (default none)")
    simulated.add_argument(
        "--virtual-seconds",
        type=positive_seconds(),
        metavar="S",
        help="clients ask, and faults happen, for so long (default 60)",
    )


def check_options(arguments: argparse.Namespace) -> None:
    """Refuses what cannot be run, and fills in what was left out.

    Raises:
        UsageError: what is wrong, and what was expected.
    """
    _check_kind_of_run(arguments)
    _check_numbers(arguments)
    loaded_machine(arguments.machine)
    protocol_with(arguments.variant)


def _check_kind_of_run(arguments: argparse.Namespace) -> None:
    for name, why in (_ONLY_REAL if arguments.simulated else _ONLY_SIMULATED).items():
        if _given(arguments, name):
            raise UsageError(f"{_option(name)}: {why}")
    for name, other, why in _CONTRADICTIONS:
        if _given(arguments, name) and _given(arguments, other):
            raise UsageError(f"{_option(name)}: not with {_option(other)}: {why}")
    for name, value in _DEFAULTS.items():
        if not _given(arguments, name):
            setattr(arguments, name, value)
    if arguments.time_limit is None:
        arguments.time_limit = inf if arguments.http is not None else 60.0


def _given(arguments: argparse.Namespace, name: str) -> bool:
    return not any(getattr(arguments, name) is each for each in (None, False))


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _check_numbers(arguments: argparse.Namespace) -> None:
    if arguments.requests < (0 if arguments.http is not None else 1):
        raise UsageError("--requests: must be at least 1; 0 only with --http")
    if not 0 <= arguments.delay <= _DELAY_SECONDS_MAX:
        raise UsageError(f"--delay: must be from 0 to {_DELAY_SECONDS_MAX:g} seconds, got {arguments.delay:g}")
    seconds = arguments.reconfigure
    ends, option = (arguments.virtual_seconds, "--virtual-seconds") if arguments.simulated else (arguments.time_limit, "--time-limit")
    if seconds is not None and not (0 <= seconds < ends and seconds < inf):
        raise UsageError(f"--reconfigure: must be from 0 to below {option}, {ends:g} seconds, got {seconds:g}")


def roles_named(option: str, text: str | None) -> tuple[str, ...]:
    """The roles that an option lists, if it was given. Raises `UsageError` where it names another."""
    listed = tuple(text.split(",")) if text is not None else ()
    for each in listed:
        if each not in _ROLES:
            raise UsageError(f"--{option} {text!r}: expected some of {', '.join(_ROLES)}, with commas between them")
    return listed
