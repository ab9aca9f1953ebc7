"""`pmmc-check explore`: parses, calls a search, prints its result."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmmc_check.cli.machine import cores
from pmmc_check.cli.main import EXIT_HOLDS, EXIT_INCONCLUSIVE, EXIT_VIOLATED
from pmmc_check.errors import UsageError

if TYPE_CHECKING:
    from pmmc_check.checker.result import Control, Progress, Result
    from pmmc_check.model.model import Model

_THREADS_MAX = 256

_EPILOG = """\
examples:
  pmmc-check explore
      the default configuration, checked to the end
  pmmc-check explore --acceptors 3 --leaders 1 --replicas 1 --slots 1 --reduce none --format json
      every state counted one by one, for scripts
  pmmc-check explore --acceptors 1 --slots 1 --commands 2 --variant ignore-pmax
      a seeded fault, and a shortest run that shows it
  pmmc-check explore --acceptors 1 --slots 1 --protocol my_variant:MyAcceptor
      a role of your own (docs/your-own-role.md has a complete example)
  pmmc-check explore --slots 3 --time-limit 60
      as far as a minute goes: then "inconclusive", exit code 3

exit codes: 0 every reachable state was checked and all invariants hold; 1 violated, a shortest counterexample is printed;
            2 usage or bad input; 3 inconclusive, a limit stopped the search
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    size = parser.add_argument_group("configuration")
    for name, default, text in (
        ("acceptors", "3", "acceptors; a majority is more than half"),
        ("leaders", "2", "leaders"),
        ("replicas", "2", "replicas"),
        ("slots", "2", "replicas propose for slots 1 to N"),
        ("commands", "as many as slots", "client commands, each sent to every replica at the start"),
        ("rounds", "1", "ballot rounds 0 to N-1; a leader that needs a higher one retires"),
        ("window", "as many as slots", "the paper's WINDOW: slots that may be open at once"),
    ):
        size.add_argument(f"--{name}", type=_count, metavar="N", help=f"{text} (default: {default})")
    size.add_argument("--network", metavar="NAME", default="duplicating", help="duplicating (default), reliable, lossy or fifo")
    size.add_argument(
        "--reconfigurations", type=_count, metavar="N", help="N more commands, each to change to a further set of leaders and acceptors"
    )
    faults = parser.add_argument_group("faults; each kind bounded for a whole run")
    faults.add_argument("--crashes", type=_count, metavar="N", help="at most N crashes (default: none)")
    faults.add_argument("--restarts", type=_count, metavar="N", help="at most N restarts of crashed processes (default: none)")
    faults.add_argument("--faulty", type=_names, metavar="ROLE,...", help="who may crash: acceptor,replica,leader (default: all three)")
    what = parser.add_argument_group("what is checked")
    what.add_argument(
        "--invariant", metavar="NAME", action="append", default=[], help="check only this one; may be repeated (default: all, but Progress)"
    )
    what.add_argument(
        "--variant",
        metavar="NAME",
        action="append",
        default=[],
        help="a built-in variant, such as a seeded fault; may be repeated (pmmc-check variants lists them)",
    )
    what.add_argument("--protocol", metavar="MODULE:OBJECT", action="append", default=[], help="a role of your own in place of the paper's")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--engine", choices=("compiled", "reference"), default="compiled", help="compiled (default), or the plain reference search"
    )
    how.add_argument(
        "--strategy",
        choices=("exhaustive", "random", "iterative"),
        default="exhaustive",
        help="exhaustive (default); random walks, which find but never prove; or iterative: all smaller configurations first",
    )
    how.add_argument("--seed", type=_count, metavar="N", help="which random walks to take (default: 1)")
    how.add_argument("--walk-steps", type=_count, metavar="N", help="a random walk ends after so many steps (default: 200)")
    how.add_argument("--reduce", metavar="LIST", help="all (default), none, or some of inert,deferral,halting,symmetry")
    how.add_argument("--threads", type=_threads, metavar="N", help="threads (default: as many as there are cores); the result is the same")
    limits = parser.add_argument_group("limits; when one stops the search the verdict is inconclusive")
    limits.add_argument("--max-states", type=_count, metavar="N", help="distinct states")
    limits.add_argument("--max-depth", type=_count, metavar="N", help="states on a path, the initial one included")
    limits.add_argument("--time-limit", type=_seconds, metavar="SECONDS", help="wall-clock time")
    limits.add_argument("--max-memory", type=_count, metavar="MIB", help="memory of the whole process (default: most of what is free)")
    out = parser.add_argument_group("output")
    out.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or one JSON object")
    out.add_argument("--quiet", action="store_true", help="no progress line")
    out.add_argument(
        "--trace-out", metavar="FILE", help="also write the counterexample to FILE: a trace for validate, or JSON if it ends in .json"
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs the search and prints its result."""
    from pmmc_check.checker.result import HOLDS, VIOLATED
    from pmmc_check.model.model import Model

    model = Model(_config(arguments), _protocol(arguments))
    trace_out = _writable(arguments.trace_out)
    result, model, notes = _search(model, arguments)
    model.check_still_pure()
    _print(result, model, notes, arguments.format)
    if trace_out is not None:
        _write_trace(trace_out, result, model)
    return {HOLDS: EXIT_HOLDS, VIOLATED: EXIT_VIOLATED}.get(result.verdict, EXIT_INCONCLUSIVE)


def _config(arguments: argparse.Namespace) -> Any:
    from dataclasses import fields

    from pmmc_check.config import Config
    from pmmc_check.model.network import network_named
    from pmmc_check.protocol.variants import check_needs, variants_named

    network_named(arguments.network)
    names = [field.name for field in fields(Config)]
    config = Config(**{name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None})
    check_needs(variants_named(arguments.variant), vars(config))
    return config


def _protocol(arguments: argparse.Namespace) -> Any:
    from pmmc_check.cli.load import protocol_from
    from pmmc_check.protocol.variants import protocol_with

    protocol = protocol_with(arguments.variant)
    for reference in arguments.protocol:
        protocol = protocol_from(reference, protocol)
    return protocol


def _search(model: Model, arguments: argparse.Namespace) -> tuple[Result, Model, list[str]]:
    """Runs the search that was asked for; also returns the model that its result is about, and notes about what is off."""
    from pmmc_check.checker.iterative import grow
    from pmmc_check.checker.memory import affordable_bytes
    from pmmc_check.checker.reductions import applicable, reductions_named
    from pmmc_check.checker.result import Control, Limits
    from pmmc_check.properties.invariants import invariants_named
    from pmmc_check.protocol.variants import variants_named

    waivers = [each for each in variants_named(arguments.variant) if each.waives and not arguments.invariant]
    invariants = invariants_named(arguments.invariant, [name for each in waivers for name in each.waives])
    waived = [f"{', '.join(each.waives)} is not checked of {each.name}: {each.waiver}" for each in waivers]
    memory_bytes_max = arguments.max_memory * 2**20 if arguments.max_memory else affordable_bytes()
    limits = Limits(arguments.max_states, arguments.max_depth, arguments.time_limit, memory_bytes_max)
    if arguments.engine == "reference" and arguments.reduce not in (None, "none"):
        raise UsageError(
            f"--reduce {arguments.reduce}: the reference engine has no reductions; leave --reduce out or use --engine compiled"
        )
    _check_strategy(arguments)
    reductions, notes = applicable(reductions_named(arguments.reduce or "all"), model, invariants)
    with _progress(quiet=arguments.quiet) as report:
        control = Control(limits, report)
        with _interruptible(control):
            search = _engine(arguments, invariants, control, reductions)
            if arguments.strategy == "iterative":
                return *grow(model.config, model.protocol, search), notes + waived
            return search(model), model, (waived if arguments.engine == "reference" else notes + waived)


def _engine(arguments: argparse.Namespace, invariants: Any, control: Control, reductions: Any) -> Callable[[Model], Result]:
    """What searches one model."""
    if arguments.engine == "reference":
        from pmmc_check.checker.reference import ReferenceSearch

        return lambda model: ReferenceSearch(model, invariants, control).run()
    if arguments.strategy == "random":
        from pmmc_check.checker.walks import STEPS_MAX, RandomWalks

        seed, steps_max = arguments.seed or 1, arguments.walk_steps or STEPS_MAX
        return lambda model: RandomWalks(model, invariants, control, reductions, seed=seed, steps_max=steps_max).run()
    from pmmc_check.checker.compiled import CompiledSearch

    threads = arguments.threads or cores()
    return lambda model: CompiledSearch(model, invariants, control, reductions, threads).run()


def _check_strategy(arguments: argparse.Namespace) -> None:
    if arguments.strategy == "random":
        if arguments.engine == "reference":
            raise UsageError("--strategy random: walks need the tables of the compiled engine; leave --engine reference out")
        if arguments.time_limit is None and arguments.max_states is None:
            raise UsageError("--strategy random: walks never end by themselves; give --time-limit SECONDS or --max-states N")
        if arguments.max_depth is not None:
            raise UsageError(f"--max-depth {arguments.max_depth}: random walks are bounded by --walk-steps; give that instead")
    elif arguments.seed is not None or arguments.walk_steps is not None:
        option = "--seed" if arguments.seed is not None else "--walk-steps"
        raise UsageError(f"{option}: only random walks take it; add --strategy random")


def _print(result: Result, model: Model, notes: list[str], form: str) -> None:
    from pmmc_check.report.explore_json import as_json
    from pmmc_check.report.explore_text import as_text

    if form == "json":
        print(json.dumps(as_json(result, model), ensure_ascii=False, indent=1))
    else:
        print(as_text(result, model, notes), end="")


def _writable(name: str | None) -> Path | None:
    """The path, after making sure that it can be written: a search must not be lost to a typo."""
    if name is None:
        return None
    path = Path(name)
    try:
        existed = path.exists()
        with path.open("a"):
            pass
        if not existed:
            path.unlink()
    except OSError as error:
        raise UsageError(f"--trace-out {name}: cannot be written: {error.strerror}; give a file in a folder that exists") from error
    return path


def _write_trace(path: Path, result: Result, model: Model) -> None:
    """Writes the counterexample, whole or not at all: as JSON if the file's name says so, else as a trace."""
    from pmmc_check.report.explore_json import violation_as_json
    from pmmc_check.report.violation_trace import NotWritable, trace_lines

    if result.violation is None:
        print(f"pmmc-check explore: no counterexample, so {path} was not written", file=sys.stderr)
        return
    try:
        if path.suffix == ".json":
            text = json.dumps(violation_as_json(result.violation, model), ensure_ascii=False, indent=1) + "\n"
        else:
            text = "".join(f"{line.rstrip()}\n" for line in trace_lines(result.violation, model))
    except NotWritable as error:
        print(f"pmmc-check explore: {path} was not written: {error}; a file name that ends in .json always works", file=sys.stderr)
        return
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A line on stderr, from the third second on, when stderr is a terminal."""
    from tqdm import tqdm

    with tqdm(bar_format="{desc}", delay=2, leave=False, disable=quiet or not sys.stderr.isatty()) as bar:

        def report(progress: Progress) -> None:
            rate = progress.generated_states / max(bar.format_dict["elapsed"], 1e-9)
            bar.set_description_str(
                f"depth {progress.depth}, {progress.distinct_states:,} states, {rate:,.0f} generated/s, "
                f"frontier {progress.frontier_states:,}, {progress.memory_bytes / 2**20:,.0f} MiB"
            )

        yield report


@contextmanager
def _interruptible(control: Control) -> Iterator[None]:
    """Ctrl-C ends the search with what is known so far; a second one ends the program."""

    def stop(number: int, frame: object) -> None:
        if control.stop:
            raise KeyboardInterrupt
        control.stop = True

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _names(text: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",")))


def _count(text: str) -> int:
    """A whole number from 1."""
    try:
        count = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}") from None
    if count < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {count}")
    return count


def _threads(text: str) -> int:
    """A whole number from 1 to 256."""
    threads = _count(text)
    if threads > _THREADS_MAX:
        raise argparse.ArgumentTypeError(f"must be at most {_THREADS_MAX}, got {threads}; more threads than cores do not help")
    return threads


def _seconds(text: str) -> float:
    """A positive number."""
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, got {text!r}") from None
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a positive number of seconds, got {text}")
    return seconds
