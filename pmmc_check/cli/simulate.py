"""`pmmc-check simulate`: random runs of the protocol, written as traces."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pmmc_check.api.roles import protocol_from
from pmmc_check.api.simulating import LETTERS, check_plan, protocol_to_simulate, simulated_header
from pmmc_check.cli.exports import ExportFiles, configure_export
from pmmc_check.cli.failures import say
from pmmc_check.cli.outputs import OutputFile, check_apart, make_folder, prints_to_stderr, write_results
from pmmc_check.cli.pages import PageFile, configure_html, sheet_of_run
from pmmc_check.cli.programs import configure_deadline
from pmmc_check.errors import UsageError
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.variants.catalogue import VARIANTS, protocol_with
from pmmc_check.trace.convert import WRITERS, format_of
from pmmc_check.trace.events import NETWORK_FLAGS, Event, Header
from pmmc_check.users_code import exits_refused
from pmmc_check.validation.simulate import Plan, Simulation, complete_logs, thinned
from pmmc_check.words import counted

if TYPE_CHECKING:
    from pmmc_check.report.runs.run import Run

_EPILOG = """\
examples:
  pmmc-check simulate --seed 7
      a complete trace on stdout
  pmmc-check simulate --seed 7 --contract 'L1=p1a,p2a' --contract 'R*=none' \\
    --out run.pmmc
      a trace of logs with gaps
  pmmc-check simulate --network lossy,fifo --crash-rate 0.01 --traces 100 \\
    --out runs/
      many, with crashes
  pmmc-check simulate --variant ignore-pmax
      a protocol with a fault

The trace's meta.command= writes it again, byte for byte.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    for name, count in (("acceptors", 3), ("leaders", 2), ("replicas", 2), ("clients", 2), ("commands", 8), ("window", 5)):
        parser.add_argument(f"--{name}", type=int, default=count, metavar="N", help="(default %(default)s)")
    for name, role in (("quorum1", "a scout"), ("quorum2", "a commander")):
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{role} waits for N acceptors (default: a majority)")
    parser.add_argument("--events", type=int, default=1000, metavar="N", help="stop after so many events (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the random walk (default %(default)s)")
    parser.add_argument("--traces", type=int, default=1, metavar="N", help="so many, with seeds from --seed on, into the directory --out")
    parser.add_argument("--network", default="lossy", metavar="LIST", help=f"some of {','.join(NETWORK_FLAGS)} (default %(default)s)")
    parser.add_argument(
        "--contract", action="append", default=[], metavar="NAMES=LOG", help="what is recorded of some processes: complete, none or kinds"
    )
    parser.add_argument("--own-logs", action="store_true", help="scouts and commanders have logs of their own, not their leader's")
    for name, rate in (("loss", 0.1), ("duplication", 0.2), ("crash", 0.0), ("reconfiguration", 0.0)):
        parser.add_argument(f"--{name}-rate", type=float, default=rate, metavar="P", help="a step (default %(default)s)")
    parser.add_argument("--variant", action="append", default=[], metavar="NAME", help=f"a seeded fault: {', '.join(VARIANTS)}")
    parser.add_argument("--protocol", metavar="MODULE:OBJECT|exec:COMMAND", help="roles of your own in place of the paper's")
    configure_deadline(parser)
    parser.add_argument("--out", metavar="FILE|DIR", default="-", help="(default: stdout)")
    configure_html(parser, "the whole run, whatever its trace leaves out,")
    configure_export(parser, "the whole run, of one trace,")
    parser.add_argument("--format", choices=tuple(WRITERS), help="of the trace (default: by the name of --out, else dsl)")


def run(arguments: argparse.Namespace) -> int:
    """Writes the traces."""
    header = _header(arguments)
    rates = ("loss_rate", "duplication_rate", "crash_rate", "reconfiguration_rate")
    counts = ("events", "commands", "traces")
    check_plan({each: getattr(arguments, each) for each in rates}, {each: getattr(arguments, each) for each in counts})
    if arguments.traces > 1 and arguments.out == "-":
        raise UsageError("--traces needs a directory: --out DIR")
    if arguments.traces > 1 and arguments.export:
        raise UsageError(f"--export {arguments.export[0]}: it writes one run; leave --traces out")
    if arguments.traces > 1 and arguments.html is not None:
        raise UsageError(f"--html {arguments.html}: it shows one run; leave --traces out")
    out_file = ("--out", arguments.out if arguments.out != "-" else None)
    check_apart([out_file, ("--html", arguments.html), *(("--export", name) for name in arguments.export)])
    out = Path(arguments.out).absolute()  # code of the user may change the current folder
    with ExitStack() as stack:
        single = arguments.traces == 1 and arguments.out != "-"
        target = stack.enter_context(OutputFile("--out", arguments.out)) if single else None
        if arguments.protocol:
            stack.enter_context(prints_to_stderr())
            stack.enter_context(exits_refused())
        protocol = _protocol(arguments)
        if arguments.traces == 1:
            exports = stack.enter_context(ExportFiles("simulate", arguments.export))
            page = stack.enter_context(PageFile(arguments.html))
            made = _one(arguments, header, protocol, arguments.seed, target, (exports, page))
            if made < arguments.events:
                _note(f"nothing can happen any more after {made} of {counted(arguments.events, 'event')}")
        else:
            _many(arguments, header, protocol, out)
    return 0


def _protocol(arguments: argparse.Namespace) -> Protocol:
    stock = protocol_with(arguments.variant)
    if not arguments.protocol:
        return stock
    return protocol_to_simulate(stock, protocol_from(arguments.protocol, stock))


def _many(arguments: argparse.Namespace, header: Header, protocol: Protocol, directory: Path) -> None:
    """Writes `--traces` traces into a directory."""
    make_folder("--out", directory)
    short = 0
    for seed in range(arguments.seed, arguments.seed + arguments.traces):
        suffix = "jsonl" if arguments.format == "jsonl" else "pmmc"
        with OutputFile("--out", str(directory / f"seed-{seed}.{suffix}")) as target:
            short += _one(arguments, header, protocol, seed, target) < arguments.events
    if short:
        _note(f"in {short} of {counted(arguments.traces, 'run')} nothing can happen any more before {counted(arguments.events, 'event')}")


def _note(text: str) -> None:
    say("simulate", f"{text}; PMMC sends nothing twice, so losses may end a run")


def _one(  # noqa: PLR0917
    arguments: argparse.Namespace,
    header: Header,
    protocol: Protocol,
    seed: int,
    target: OutputFile | None,
    pictures: tuple[ExportFiles, PageFile] | None = None,
) -> int:
    """Writes one trace; returns how many events the run has, thinned or not."""
    header = replace(header, meta=(("seed", str(seed)), ("command", _command(arguments, seed))))
    plan = Plan(
        header=replace(header, logs=complete_logs(header)),
        seed=seed,
        events=arguments.events,
        commands=arguments.commands,
        own_logs=arguments.own_logs,
        loss_rate=arguments.loss_rate,
        duplication_rate=arguments.duplication_rate,
        crash_rate=arguments.crash_rate,
        reconfiguration_rate=arguments.reconfiguration_rate,
        protocol=protocol,
    )
    walk = Simulation(plan)
    kept: list[Event] = []
    whole = _keeping(walk.events(), kept) if arguments.export or arguments.html else walk.events()
    events = thinned(whole, header.contract, walk.names)
    writer = WRITERS[arguments.format or (format_of(target.path) if target else "dsl")](walk.values)
    lines = _lines(writer.header(header), events, writer.item)
    if target is None:
        write_results(lines)
    else:
        for line in lines:
            target.write(line)
    if pictures is not None:
        exports, page = pictures
        exports.write(lambda: _run_of(plan, walk, kept))
        page.write(f"simulated run, seed {seed}", lambda: [sheet_of_run(f"seed {seed}", _run_of(plan, walk, kept))])
    return walk.made


def _keeping(events: Iterator[Event], kept: list[Event]) -> Iterator[Event]:
    """The same events; `kept` has them afterwards."""
    for event in events:
        kept.append(event)
        yield event


def _run_of(plan: Plan, walk: Simulation, events: list[Event]) -> Run:
    """The whole run, whatever its trace leaves out."""
    from pmmc_check.report.runs.of_trace import run_of_events

    return run_of_events(plan.header, walk.names, events, plan.protocol)


def _command(arguments: argparse.Namespace, seed: int) -> str:
    """The command that writes this trace again, options with their default value left out."""
    parser = argparse.ArgumentParser()
    configure(parser)
    words = ["pmmc-check", "simulate", "--seed", str(seed)]
    for name, default in vars(parser.parse_args([])).items():
        value = getattr(arguments, name)
        if name in ("seed", "traces", "out", "format", "export", "html") or value == default:
            continue
        option = "--" + name.replace("_", "-")
        words += (
            [option]
            if value is True
            else [word for each in (value if isinstance(value, list) else [value]) for word in (option, str(each))]
        )
    return shlex.join(words)


def _lines(header: Iterator[str], events: Iterator[Event], show: Callable[[Event], str]) -> Iterator[str]:
    for line in header:
        yield f"{line}\n"
    for event in events:
        yield f"{show(event)}\n"


def _header(arguments: argparse.Namespace) -> Header:
    sizes = {each: getattr(arguments, each) for each in LETTERS}
    network = arguments.network.split(",")
    quorums = {name: getattr(arguments, name) for name in ("quorum1", "quorum2")}
    return simulated_header(
        sizes,
        quorums,
        arguments.window,
        network,
        arguments.contract,
        silent_crashes=arguments.crash_rate > 0,
        reconfigures=arguments.reconfiguration_rate > 0,
    )
