"""`pmmc-check explore`: parses, calls a search, prints its result."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from pmmc_check.cli import any_slots, specs
from pmmc_check.cli.explore_options import configure
from pmmc_check.cli.failures import EXIT_HOLDS, EXIT_INCONCLUSIVE, EXIT_VIOLATED, say
from pmmc_check.cli.interrupts import interruptible, interrupts_deferred
from pmmc_check.cli.machine import cores
from pmmc_check.cli.outputs import OutputFile, print_results, prints_to_stderr, results_stream
from pmmc_check.cli.progress import progress_line, search_progress
from pmmc_check.errors import UsageError

if TYPE_CHECKING:
    from pmmc_check.checker.result import Control, Engine, Result, Search
    from pmmc_check.model.model import Model
    from pmmc_check.spec.document import Spec


__all__ = ["configure", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Runs the search and prints its result."""
    with ExitStack() as stack:
        stack.enter_context(interrupts_deferred())
        from pmmc_check.model.model import Model

        trace_out = stack.enter_context(OutputFile("--trace-out", arguments.trace_out)) if arguments.trace_out is not None else None
        spec = specs.spec_of(arguments)
        if arguments.protocol:
            from pmmc_check.cli.load import exits_refused

            stack.enter_context(prints_to_stderr())
            stack.enter_context(exits_refused())
        if any_slots.wanted(arguments):
            specs.check_any_slots(arguments, spec)
            return _run_any_slots(arguments, trace_out, spec)
        model = Model(_config(arguments), _protocol(arguments))
        _check_trace_out(arguments, model.config)
        return _run_properties(arguments, trace_out, spec, model)


def _run_properties(arguments: argparse.Namespace, trace_out: OutputFile | None, spec: Spec | None, model: Model) -> int:
    """One search for the invariants, and one for each witness."""
    from pmmc_check.protocol.variants.catalogue import variants_named
    from pmmc_check.verdicts import HOLDS, VIOLATED

    waivers = [each for each in variants_named(arguments.variant) if each.waives and not arguments.invariant]
    asked = specs.asked_properties(arguments, spec, model, [name for each in waivers for name in each.waives])
    notes = [f"{', '.join(each.waives)} is not checked of {each.name}: {each.waiver}" for each in waivers if asked.invariants]
    result, shown = None, model
    if asked.invariants:
        result, shown, about = _search(model, arguments, asked.invariants)
        notes = about + notes
    witnesses = []
    for each in asked.witnesses:
        found, _, about = _search(model, arguments, (each,))
        notes += [note for note in about if note not in notes]
        witnesses.append(specs.Witness(each.name, found))
    model.check_still_pure()
    answer = specs.outcome(result, witnesses)
    try:
        print_results(_report(answer, shown, notes, arguments, spec, witnesses))
    finally:
        if trace_out is not None:
            _write_trace(trace_out, answer if answer.violation or not witnesses else witnesses[0].result, shown)
    return {HOLDS: EXIT_HOLDS, VIOLATED: EXIT_VIOLATED}.get(answer.verdict, EXIT_INCONCLUSIVE)


def _run_any_slots(arguments: argparse.Namespace, trace_out: OutputFile | None, spec: Spec | None) -> int:
    """The same for every number of slots. A counterexample is that of the ordinary search that confirms it."""
    from pmmc_check.checker.result import Control
    from pmmc_check.verdicts import HOLDS, VIOLATED

    def make_search(model: Model, invariants: Any, reductions: Any, control: Control) -> Search:
        return _engine(arguments, invariants, control, reductions)(model)

    scope, protocol = any_slots.scope(arguments), _protocol(arguments)
    with progress_line(quiet=arguments.quiet) as report:
        control = Control(_limits(arguments), search_progress(report))
        with interruptible(control):
            result = any_slots.search(scope, protocol, arguments, make_search, control)
    try:
        print_results(any_slots.report(result, arguments, spec))
    finally:
        shown = result.confirmation.shown if result.confirmation else None
        if trace_out is not None and shown is not None:
            _write_trace(trace_out, shown[0], shown[1])
        elif trace_out is not None:
            say("explore", f"no counterexample, so {trace_out.path} was not written")
    return {HOLDS: EXIT_HOLDS, VIOLATED: EXIT_VIOLATED}.get(result.verdict, EXIT_INCONCLUSIVE)


def _limits(arguments: argparse.Namespace) -> Any:
    from pmmc_check.checker.memory import affordable_bytes
    from pmmc_check.checker.result import Limits

    memory_bytes_max = arguments.max_memory * 2**20 if arguments.max_memory else affordable_bytes()
    return Limits(arguments.max_states, arguments.max_depth, arguments.time_limit, memory_bytes_max)


def _config(arguments: argparse.Namespace) -> Any:
    from dataclasses import fields

    from pmmc_check.config import Config
    from pmmc_check.model.network import network_named
    from pmmc_check.protocol.variants.catalogue import check_needs, variants_named

    network_named(arguments.network)
    names = [field.name for field in fields(Config)]
    config = Config(**{name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None})
    check_needs(variants_named(arguments.variant), vars(config))
    return config


def _protocol(arguments: argparse.Namespace) -> Any:
    from pmmc_check.cli.load import protocol_from
    from pmmc_check.protocol.variants.catalogue import protocol_with

    protocol = protocol_with(arguments.variant)
    for reference in arguments.protocol:
        protocol = protocol_from(reference, protocol)
    return protocol


def _search(model: Model, arguments: argparse.Namespace, invariants: Any) -> tuple[Result, Model, list[str]]:
    """Runs the search that was asked for; also returns the model that its result is about, and notes about what is off."""
    from pmmc_check.checker.iterative import grow
    from pmmc_check.checker.reductions import applicable, reductions_named
    from pmmc_check.checker.result import Control
    from pmmc_check.properties.quorums import judgeable

    if arguments.engine == "reference" and arguments.reduce not in (None, "none"):
        raise UsageError(
            f"--reduce {arguments.reduce}: the reference engine has no reductions; leave --reduce out or use --engine compiled"
        )
    if arguments.engine == "reference" and arguments.trust_claims:
        raise UsageError("--trust-claims: the reference engine uses no claims; leave --trust-claims out")
    _check_strategy(arguments)
    if arguments.engine == "symbolic":
        _check_symbolic(arguments, invariants)
    reductions, notes = applicable(reductions_named(arguments.reduce or "all"), model, invariants)
    if arguments.engine == "symbolic":
        notes = [each for each in notes if not each.startswith("symmetry")]
    judged, quorum_notes = judgeable(model, invariants)
    if arguments.invariant and len(judged) < len(invariants):
        raise UsageError(f"--invariant {arguments.invariant[0]}: {quorum_notes[0]}")
    with progress_line(quiet=arguments.quiet) as report:
        control = Control(_limits(arguments), search_progress(report))
        with interruptible(control):
            engine = _engine(arguments, invariants, control, reductions)
            if arguments.strategy == "iterative":
                return *grow(model.config, model.protocol, engine), notes + quorum_notes
            return engine(model).run(), model, ([] if arguments.engine == "reference" else notes) + quorum_notes


def _engine(arguments: argparse.Namespace, invariants: Any, control: Control, reductions: Any) -> Engine:
    """Makes searches for those of the invariants that can be judged of a model."""
    from pmmc_check.properties.quorums import judgeable

    if arguments.engine == "reference":
        from pmmc_check.checker.reference import ReferenceSearch

        return lambda model: ReferenceSearch(model, judgeable(model, invariants)[0], control)
    if arguments.strategy == "random":
        from pmmc_check.checker.walks import STEPS_MAX, RandomWalks

        seed, steps_max = arguments.seed or 1, arguments.walk_steps or STEPS_MAX
        walking = {"seed": seed, "steps_max": steps_max, "trust_claims": arguments.trust_claims}
        return lambda model: RandomWalks(model, judgeable(model, invariants)[0], control, reductions, **walking)
    threads, trust = arguments.threads or cores(), arguments.trust_claims
    if arguments.engine == "symbolic":
        from pmmc_check.checker.symbolic.search import SymbolicSearch

        return lambda model: SymbolicSearch(model, judgeable(model, invariants)[0], control, reductions, threads, trust_claims=trust)
    from pmmc_check.checker.compiled import CompiledSearch

    return lambda model: CompiledSearch(model, judgeable(model, invariants)[0], control, reductions, threads, trust_claims=trust)


def _check_symbolic(arguments: argparse.Namespace, invariants: Any) -> None:
    """What needs states one by one, or runs, is not for the symbolic engine."""
    if any(each.name == "Progress" for each in invariants):
        raise UsageError("--invariant Progress: the symbolic engine knows states, not runs; leave --engine symbolic out")
    for option, given in (("--max-states", arguments.max_states), ("--max-depth", arguments.max_depth)):
        if given is not None:
            raise UsageError(
                f"{option} {given}: the symbolic engine meets no states one by one; give --time-limit or --max-memory, "
                f"or leave --engine symbolic out"
            )


def _check_strategy(arguments: argparse.Namespace) -> None:
    if arguments.strategy == "random":
        if arguments.engine != "compiled":
            raise UsageError(f"--strategy random: walks need the tables of the compiled engine; leave --engine {arguments.engine} out")
        if arguments.time_limit is None and arguments.max_states is None:
            raise UsageError("--strategy random: walks never end by themselves; give --time-limit SECONDS or --max-states N")
        if arguments.max_depth is not None:
            raise UsageError(f"--max-depth {arguments.max_depth}: random walks are bounded by --walk-steps; give that instead")
    elif arguments.seed is not None or arguments.walk_steps is not None:
        option = "--seed" if arguments.seed is not None else "--walk-steps"
        raise UsageError(f"{option}: only random walks take it; add --strategy random")


def _report(  # noqa: PLR0917
    result: Result, model: Model, notes: list[str], arguments: argparse.Namespace, spec: Spec | None, witnesses: list[specs.Witness]
) -> str:
    from pmmc_check.cli.terminal import layout
    from pmmc_check.report.explore_json import result_as_json
    from pmmc_check.report.explore_text import as_text
    from pmmc_check.report.witnesses import witnesses_as_json, witnesses_text

    found = [(each.name, each.verdict, each.result) for each in witnesses]
    if arguments.format == "json":
        answer = result_as_json(result, model)
        answer["properties"] += [{"name": name, "verdict": verdict} for name, verdict, _ in found]
        answer |= {"witnesses": witnesses_as_json(found, model), **specs.as_json(spec, result.verdict, result.distinct_states)}
        return json.dumps(answer, indent=1)
    where = layout(results_stream(), arguments.color, arguments.view)
    parts = [witnesses_text(found, model, where)] if found else []
    if result.invariants or not found:
        parts.append(as_text(result, model, notes, where))
    else:
        parts += [f"note: {note}\n" for note in notes]
    return "\n".join([*parts, *specs.as_expected_text(spec, result.verdict, result.distinct_states)]).removesuffix("\n")


def _check_trace_out(arguments: argparse.Namespace, config: Any) -> None:
    """Refuses a trace that can never be written, before the search that it would be of."""
    from pmmc_check.protocol.variants.catalogue import variants_named
    from pmmc_check.report.violation_trace import never_writable

    name = arguments.trace_out
    reason = None if name is None or name.endswith(".json") else never_writable(config, variants_named(arguments.variant))
    if reason is not None:
        raise UsageError(f"--trace-out {name}: {reason}; give a name that ends in .json, for the counterexample as JSON")


def _write_trace(target: OutputFile, result: Result, model: Model) -> None:
    """Writes the counterexample: as JSON if the file's name says so, else as a trace."""
    from pmmc_check.report.explore_json import violation_as_json
    from pmmc_check.report.violation_trace import NotWritable, trace_text

    if result.violation is None:
        say("explore", f"no counterexample, so {target.path} was not written")
        return
    try:
        if target.path.suffix == ".json":
            text = json.dumps(violation_as_json(result.violation, model), indent=1) + "\n"
        else:
            text = trace_text(result.violation, model)
    except NotWritable as error:
        say("explore", f"{target.path} was not written: {error}; a file name that ends in .json always works")
        return
    except OSError as error:
        why = f"to check it, the temporary folder is needed, which cannot be written: {error.strerror}"
        raise UsageError(f"--trace-out {target.path}: {why}; set TMPDIR, or give a name that ends in .json") from None
    target.write(text)
    target.commit()
