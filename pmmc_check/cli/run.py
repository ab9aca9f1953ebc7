"""`pmmc-check run`: a live cluster, or simulated ones, whose traces are judged."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

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
from pmmc_check.report.run_text import nothing_showed, run_lines, run_text, seed_line, verdict_of
from pmmc_check.runtime.machines import loaded_machine
from pmmc_check.runtime.results import RunResult
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.scenario import Scenario, read_scenario
from pmmc_check.runtime.simulated_faults import faults_named
from pmmc_check.users_code import exits_refused
from pmmc_check.validation.verdict import TraceVerdict
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
        if not arguments.simulated and arguments.time_limit <= scenario.seconds:
            raise UsageError(f"--time-limit: must be above {scenario.seconds:g}, when the last of {arguments.scenario} happens")
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
    with _folders(arguments) as folders, progress_line(arguments.quiet) as report:
        logs, data = folders.logs, folders.data
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
            folders.keeps_logs = True
            say("run", f"the trace is kept in {logs}")
    kept, seeded = folders.keeps_logs, _seeded(arguments)
    if arguments.format == "json":
        print_results(json.dumps(run_object(result, verdict, arguments.seed, kept, seeded)))
    else:
        write_results([run_text(result, verdict, layout(results_stream(), "auto"), kept, seeded)])
    return EXITS[verdict_of(result, verdict)]


def _seeded(arguments: argparse.Namespace) -> tuple[str, ...]:
    return (*arguments.variant, *(("answer-first",) if arguments.answer_first else ()))


@dataclass
class _Folders:
    logs: Path
    data: Path
    keeps_logs: bool


@contextmanager
def _folders(arguments: argparse.Namespace) -> Iterator[_Folders]:
    """The folders for logs and data: those that were asked for, or some that are gone afterwards, if the logs are not to be kept."""
    with tempfile.TemporaryDirectory(prefix="pmmc-run-") as temporary:
        logs = _empty_folder("--trace-dir", arguments.trace_dir) if arguments.trace_dir else Path(tempfile.mkdtemp(prefix="pmmc-run-"))
        folders = _Folders(logs, Path(temporary), bool(arguments.trace_dir))
        try:
            if arguments.data_dir:
                folders.data = _empty_folder("--data-dir", arguments.data_dir)
            yield folders
        finally:
            if not folders.keeps_logs:
                shutil.rmtree(logs, ignore_errors=True)


def _empty_folder(option: str, name: str) -> Path:
    folder = Path(name).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{option} {folder}: is not empty; a run needs a folder of its own")
    except OSError as error:
        raise UsageError(f"{option} {folder}: cannot be used: {error.strerror}") from None
    return folder


# ---- simulation ----


class _Judged(NamedTuple):
    """A simulated run and the verdict on its trace, if it was recorded."""

    seed: int
    result: RunResult
    trace: TraceVerdict | None

    @property
    def verdict(self) -> str:
        """The one on all of it."""
        return verdict_of(self.result, self.trace)


def _simulated(arguments: argparse.Namespace, roster: Roster, scenario: Scenario | None) -> int:
    verdicts: list[str] = []
    objects: list[dict[str, object]] = []
    wanted, kept, seeded = arguments.seeds, arguments.trace_dir is not None, _seeded(arguments)
    with suppress(KeyboardInterrupt) if wanted > 1 else nullcontext():
        for each in _simulated_runs(arguments, roster, scenario):
            verdicts.append(each.verdict)
            if arguments.format == "json":
                objects.append(run_object(each.result, each.trace, each.seed, kept, seeded))
            elif wanted == 1:
                write_results([run_text(each.result, each.trace, layout(results_stream(), "auto"), kept, seeded)])
            elif each.verdict != ACCEPTED:
                print_results(seed_line(each.seed, each.result, each.trace), *run_lines(each.result, each.trace))
    counts = {each: verdicts.count(each) for each in (ACCEPTED, REJECTED, INCONCLUSIVE)}
    missing = wanted - len(verdicts)
    worst = REJECTED if counts[REJECTED] else INCONCLUSIVE if counts[INCONCLUSIVE] or missing else ACCEPTED
    if arguments.format == "json":
        print_results(json.dumps(objects[0] if wanted == 1 else {"verdict": worst, "runs": objects, "not_made": missing}))
    elif wanted > 1:
        interrupted = f"; interrupted, so {missing:,} of {wanted:,} were not made" if missing else ""
        print_results(f"{counted(len(verdicts), 'run')}: {', '.join(f'{count} {each}' for each, count in counts.items())}{interrupted}")
        if seeded and worst == ACCEPTED:
            print_results(nothing_showed(seeded))
    return EXITS[worst]


def _simulated_runs(arguments: argparse.Namespace, roster: Roster, scenario: Scenario | None) -> Iterator[_Judged]:
    from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
    from pmmc_check.trace.sources import sources
    from pmmc_check.validation.judge import judge

    protocol, faults = protocol_with(arguments.variant), faults_named(arguments.faults)
    with tempfile.TemporaryDirectory(prefix="pmmc-run-") as temporary, progress_line(arguments.quiet) as report:
        folder = _empty_folder("--trace-dir", arguments.trace_dir) if arguments.trace_dir is not None else Path(temporary)
        for done, seed in enumerate(range(arguments.seed, arguments.seed + arguments.seeds)):
            report(f"seed {seed}, {counted(done, 'run')} done")
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
            logs = folder / f"seed-{seed}"
            yield _Judged(seed, result, None if arguments.no_record else judge(sources([str(cluster.write_trace(logs))])[0]))
            if arguments.trace_dir is None:
                shutil.rmtree(logs, ignore_errors=True)
