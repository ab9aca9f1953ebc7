"""`pmmc-check run`: a live cluster, or simulated ones, whose traces are judged."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from pmmc_check.cli.failures import say
from pmmc_check.cli.http_option import http_address
from pmmc_check.cli.outputs import print_results, prints_to_stderr, results_stream, write_results
from pmmc_check.cli.progress import progress_line
from pmmc_check.cli.run_faults import faults_asked_for
from pmmc_check.cli.run_options import check_options, configure, roles_named
from pmmc_check.cli.terminal import layout
from pmmc_check.cli.validate import EXITS
from pmmc_check.errors import UsageError
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.report.run_json import run_object
from pmmc_check.report.run_text import run_lines, run_text, seed_line, verdict_of
from pmmc_check.runtime.machines import loaded_machine
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.scenario import Scenario, read_scenario
from pmmc_check.runtime.simulated_faults import faults_named
from pmmc_check.users_code import exits_refused
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED
from pmmc_check.words import counted

__all__ = ["configure", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Runs it; the worst verdict is the exit code."""
    with ExitStack() as stack:
        if ":" in arguments.machine:
            stack.enter_context(prints_to_stderr())
            stack.enter_context(exits_refused())
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    check_options(arguments)
    roster = Roster(
        arguments.clients, arguments.replicas, arguments.leaders, arguments.acceptors, arguments.window, (("seed", str(arguments.seed)),)
    )
    roster = replace(roster, keep=arguments.keep)
    if arguments.reconfigure is not None:
        roster = roster.again(2)
    scenario = read_scenario(Path(arguments.scenario), roster) if arguments.scenario is not None else None
    if scenario is not None:
        roster = replace(roster, meta=(*roster.meta, ("scenario", scenario.name)))
    if faults := faults_asked_for(arguments):
        roster = replace(roster, meta=(*roster.meta, ("faults", faults)))
    return _simulated(arguments, roster, scenario) if arguments.simulated else _real(arguments, roster, scenario)


# ---- real processes ----


def _real(arguments: argparse.Namespace, roster: Roster, scenario: Scenario | None) -> int:
    from pmmc_check.cli.run_live import LiveWatch
    from pmmc_check.runtime.process_faults import ProcessFaults
    from pmmc_check.runtime.supervisor import RunPlan, run_cluster
    from pmmc_check.runtime.tcp import Disturbance
    from pmmc_check.trace.sources import sources
    from pmmc_check.validation.judge import judge

    faults = ProcessFaults(
        Disturbance(arguments.loss, arguments.duplication, arguments.delay),
        roles_named("kill", arguments.kill),
        roles_named("pause", arguments.pause),
        arguments.partition,
        arguments.every,
        seed=arguments.seed,
        scenario=scenario,
    )
    http = None
    if arguments.http is not None:
        http = http_address(arguments.http)
        roster = replace(roster, clients=roster.clients + 1)
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
            http,
            arguments.reconfigure,
            waits_for_disk=not arguments.no_sync,
        )
        tell = partial(say, "run")
        watch = LiveWatch(logs, report, tell) if arguments.live else None
        result = run_cluster(plan, report, tell, *([watch.has_enough] if watch is not None else []))
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


def _simulated(arguments: argparse.Namespace, roster: Roster, scenario: Scenario | None) -> int:
    from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
    from pmmc_check.trace.sources import sources
    from pmmc_check.validation.judge import judge

    protocol = protocol_with(arguments.variant)
    faults = faults_named(arguments.faults)
    verdicts: list[str] = []
    objects: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="pmmc-run-") as temporary, progress_line(arguments.quiet) as report:
        for seed in range(arguments.seed, arguments.seed + arguments.seeds):
            report(f"seed {seed}, {counted(len(verdicts), 'run')} done")
            plan = SimulationPlan(
                replace(roster, meta=(("seed", str(seed)), *roster.meta[1:]), timing=SIMULATED_TIMING),
                loaded_machine(arguments.machine),
                seed,
                arguments.requests,
                arguments.virtual_seconds,
                faults,
                protocol,
                arguments.answer_first,
                arguments.reconfigure,
                scenario,
                waits_for_disk=not arguments.no_sync,
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
