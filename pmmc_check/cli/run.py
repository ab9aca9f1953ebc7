"""`pmmc-check run`: a live cluster, or simulated ones, whose traces are judged."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pmmc_check.cli.failures import say
from pmmc_check.cli.outputs import print_results, results_stream, write_results
from pmmc_check.cli.progress import progress_line
from pmmc_check.cli.terminal import layout
from pmmc_check.cli.validate import EXITS
from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import ACCEPTOR, LEADER, REPLICA
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.report.run_json import run_object
from pmmc_check.report.run_text import run_lines, run_text, seed_line, verdict_of
from pmmc_check.runtime.machines import MACHINES, loaded_machine
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.simulated_faults import FAULTS_BY_NAME, faults_named
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED

_EPILOG = """\
examples:
  pmmc-check run                                      5 clients, 3 replicas, 3 leaders, 3 acceptors, each a process of its own
  pmmc-check run --machine kv --requests 100 --trace-dir logs
  pmmc-check run --loss 0.2 --duplication 0.2 --delay 0.02 --kill acceptor,leader
                                                      a bad network, and kill -9 of an acceptor and of a leader every second
  pmmc-check run --simulated --seed 7 --faults all    the same nodes in virtual time; the same seed gives the same run
  pmmc-check run --simulated --seeds 100 --faults all --variant ignore-pmax
                                                      finds a seeded fault

exit codes: 0 all requests answered, replicas equal, history linearizable, trace accepted; 1 something of it is wrong; 2 usage;
            3 inconclusive, such as requests without an answer when the time was over
"""
_ROLES = (ACCEPTOR, LEADER, REPLICA)


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
        ("seed", 1, "of the requests and of all faults "),
    ):
        parser.add_argument(f"--{name}", type=int, default=count, metavar="N", help=f"{meaning}(default %(default)s)")
    parser.add_argument("--machine", default="integer", metavar="NAME", help=f"{', '.join(MACHINES)} (default %(default)s)")
    parser.add_argument(
        "--time-limit", type=float, default=60.0, metavar="S", help="requests are given up after so long (default %(default)g)"
    )
    parser.add_argument("--trace-dir", metavar="DIR", help="keep the trace here (default: kept only where something is wrong)")
    parser.add_argument("--data-dir", metavar="DIR", help="keep the nodes' data here (default: removed at the end)")
    parser.add_argument("--no-record", action="store_true", help="record no trace")
    parser.add_argument("--not-durable", action="store_true", help="keep nothing on a disk; then nothing can be killed")
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
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json prints one object on stdout (default text)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    real = parser.add_argument_group("faults of real processes")
    for name, meaning in (("loss", "of a message"), ("duplication", "of a message")):
        real.add_argument(f"--{name}", type=float, default=0.0, metavar="P", help=f"probability {meaning} (default 0)")
    real.add_argument(
        "--delay", type=float, default=0.0, metavar="S", help="messages take up to so many seconds longer, so they overtake each other"
    )
    for name, verb in (("kill", "kill -9"), ("pause", "SIGSTOP")):
        real.add_argument(
            f"--{name}", default="", metavar="ROLES", help=f"{verb} for one node of each role at a time; some of {','.join(_ROLES)}"
        )
    real.add_argument("--partition", action="store_true", help="nobody is heard by one node at a time")
    real.add_argument("--every", type=float, default=1.0, metavar="S", help="so often (default %(default)g s)")
    simulated = parser.add_argument_group("simulation")
    simulated.add_argument("--simulated", action="store_true", help="one process, virtual time; everything is decided by the seed")
    simulated.add_argument("--seeds", type=int, metavar="N", help="so many runs, with seeds from --seed on (default 1)")
    simulated.add_argument(
        "--faults", default="none", metavar="LIST", help=f"all, none, or some of {','.join(FAULTS_BY_NAME)} (default none)"
    )
    simulated.add_argument(
        "--virtual-seconds", type=float, default=60.0, metavar="S", help="clients ask, and faults happen, for so long (default %(default)g)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs it; the worst verdict is the exit code."""
    _check(arguments)
    roster = Roster(
        arguments.clients, arguments.replicas, arguments.leaders, arguments.acceptors, arguments.window, (("seed", str(arguments.seed)),)
    )
    return _simulated(arguments, roster) if arguments.simulated else _real(arguments, roster)


def _check(arguments: argparse.Namespace) -> None:
    if not arguments.simulated and arguments.seeds is not None:
        raise UsageError("--seeds: needs --simulated; of real processes one run is made at a time, with --seed")
    arguments.seeds = 1 if arguments.seeds is None else arguments.seeds
    for name in ("clients", "requests", "at_once", "seeds"):
        if getattr(arguments, name) < 1:
            raise UsageError(f"--{name.replace('_', '-')}: must be at least 1")
    for name in ("loss", "duplication"):
        if not 0 <= getattr(arguments, name) < 1:
            raise UsageError(f"--{name}: must be at least 0 and below 1")
    for name in ("time_limit", "virtual_seconds", "every"):
        if not getattr(arguments, name) > 0:
            raise UsageError(f"--{name.replace('_', '-')}: must be more than 0")
    if arguments.delay < 0:
        raise UsageError("--delay: must not be negative")
    if arguments.kill and arguments.not_durable:
        raise UsageError("--kill: a node that keeps nothing on a disk must not come back; leave out --not-durable")
    if not arguments.simulated and arguments.faults != "none":
        raise UsageError("--faults: needs --simulated; real processes have --loss, --duplication, --delay, --kill, --pause and --partition")
    loaded_machine(arguments.machine)
    protocol_with(arguments.variant)


def _roles(option: str, text: str) -> tuple[str, ...]:
    listed = tuple(filter(None, text.split(",")))
    for each in listed:
        if each not in _ROLES:
            raise UsageError(f"--{option} {each}: expected some of {', '.join(_ROLES)}")
    return listed


# ---- real processes ----


def _real(arguments: argparse.Namespace, roster: Roster) -> int:
    from pmmc_check.runtime.process_faults import ProcessFaults
    from pmmc_check.runtime.supervisor import RunPlan, run_cluster
    from pmmc_check.runtime.tcp import Disturbance
    from pmmc_check.trace.sources import sources
    from pmmc_check.validation.judge import judge

    faults = ProcessFaults(
        Disturbance(arguments.loss, arguments.duplication, arguments.delay),
        _roles("kill", arguments.kill),
        _roles("pause", arguments.pause),
        arguments.partition,
        arguments.every,
        seed=arguments.seed,
    )
    with _folders(arguments) as (logs, data), progress_line(arguments.quiet) as report:
        plan = RunPlan(
            roster,
            arguments.machine,
            arguments.requests,
            arguments.at_once,
            arguments.seed,
            arguments.time_limit,
            None if arguments.no_record else logs,
            None if arguments.not_durable else data,
            tuple(arguments.variant),
            arguments.answer_first,
            faults,
        )
        result = run_cluster(plan, report)
        report("judging the trace")
        verdict = judge(sources([str(logs)])[0]) if not arguments.no_record else None
        if verdict is not None and verdict_of(result, verdict) != ACCEPTED and arguments.trace_dir is None:
            kept = Path(tempfile.mkdtemp(prefix="pmmc-run-"))
            shutil.copytree(logs, kept, dirs_exist_ok=True)
            say("run", f"the trace is kept in {kept}")
    if arguments.format == "json":
        print_results(json.dumps(run_object(result, verdict, arguments.seed)))
    else:
        write_results([run_text(result, verdict, layout(results_stream(), "auto"))])
    return EXITS[verdict_of(result, verdict)]


@contextmanager
def _folders(arguments: argparse.Namespace) -> Iterator[tuple[Path, Path]]:
    """The folders for logs and data: those that were asked for, or some that are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pmmc-run-") as temporary:
        made = []
        for option, name, asked in (("--trace-dir", "logs", arguments.trace_dir), ("--data-dir", "data", arguments.data_dir)):
            folder = Path(asked).absolute() if asked else Path(temporary) / name
            try:
                folder.mkdir(parents=True, exist_ok=True)
                if any(folder.iterdir()):
                    raise UsageError(f"{option} {folder}: is not empty; a run needs a folder of its own")
            except OSError as error:
                raise UsageError(f"{option} {folder}: cannot be used: {error.strerror}") from None
            made.append(folder)
        yield made[0], made[1]


# ---- simulation ----


def _simulated(arguments: argparse.Namespace, roster: Roster) -> int:
    from dataclasses import replace

    from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
    from pmmc_check.trace.sources import sources
    from pmmc_check.validation.judge import judge

    protocol = protocol_with(arguments.variant)
    faults = faults_named(arguments.faults)
    verdicts: list[str] = []
    objects: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="pmmc-run-") as temporary, progress_line(arguments.quiet) as report:
        for seed in range(arguments.seed, arguments.seed + arguments.seeds):
            report(f"seed {seed}, {len(verdicts)} runs done")
            plan = SimulationPlan(
                replace(roster, meta=(("seed", str(seed)),), timing=SIMULATED_TIMING),
                loaded_machine(arguments.machine),
                seed,
                arguments.requests,
                arguments.virtual_seconds,
                faults,
                protocol,
                arguments.answer_first,
            )
            cluster = SimulatedCluster(plan)
            result = cluster.run()
            folder = Path(arguments.trace_dir or temporary) / f"seed-{seed}"
            trace = None if arguments.no_record else judge(sources([str(cluster.write_trace(folder))])[0])
            verdict = verdict_of(result, trace)
            verdicts.append(verdict)
            if arguments.trace_dir is None:
                shutil.rmtree(folder, ignore_errors=True)
            if arguments.format == "json":
                objects.append(run_object(result, trace, seed))
            elif arguments.seeds == 1:
                write_results([run_text(result, trace, layout(results_stream(), "auto"))])
            elif verdict != ACCEPTED:
                print_results(seed_line(seed, result, trace), *run_lines(result, trace))
    counts = {each: verdicts.count(each) for each in (ACCEPTED, REJECTED, INCONCLUSIVE)}
    worst = next(each for each in (REJECTED, INCONCLUSIVE, ACCEPTED) if counts[each])
    if arguments.format == "json":
        print_results(json.dumps(objects[0] if arguments.seeds == 1 else {"verdict": worst, "runs": objects}))
    elif arguments.seeds > 1:
        print_results(f"{len(verdicts)} runs: {', '.join(f'{count} {each}' for each, count in counts.items())}")
    return EXITS[worst]
