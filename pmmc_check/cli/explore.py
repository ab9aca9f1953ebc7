"""`pmmc-check explore`: parses, calls a search, prints its result."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pmmc_check.cli import specs
from pmmc_check.cli.controlled import controlled, options_given
from pmmc_check.cli.explore_files import SearchFiles
from pmmc_check.cli.explore_options import configure
from pmmc_check.cli.failures import EXIT_HOLDS, EXIT_INCONCLUSIVE, EXIT_VIOLATED, say
from pmmc_check.cli.graphs import GraphFile, write_graph
from pmmc_check.cli.interrupts import interrupts_deferred
from pmmc_check.cli.outputs import OutputFile, print_results, prints_to_stderr, results_stream
from pmmc_check.errors import UsageError
from pmmc_check.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pmmc_check.api.exploration import Exploration
    from pmmc_check.api.options import SearchOptions
    from pmmc_check.checker.result import Result
    from pmmc_check.model.model import Model
    from pmmc_check.spec.document import Spec


__all__ = ["configure", "run"]

_COUNT_SECONDS_MAX = 60.0
"""So long all states are counted for --export-tla, where the search has left some out."""


def run(arguments: argparse.Namespace) -> int:
    """Runs the search and prints its result."""
    if arguments.serve is not None:
        from pmmc_check.cli.serve import serve

        return serve(arguments)
    if arguments.load is not None:
        raise UsageError(f"--load {arguments.load}: it goes with --serve; in the terminal: pmmc-check step --load {arguments.load}")
    with ExitStack() as stack:
        stack.enter_context(interrupts_deferred())
        from pmmc_check.api.options import in_every_slot

        spec = specs.spec_of(arguments)
        files = SearchFiles.opened(arguments, stack)
        from pmmc_check.api.asked import functions_named

        options = _options(arguments)
        if arguments.protocol or functions_named(options, spec):
            from pmmc_check.users_code import exits_refused

            stack.enter_context(prints_to_stderr())
            stack.enter_context(exits_refused())
        every_slot = in_every_slot(options)
        if every_slot:
            return _exit_code(_run_every_slot(every_slot, arguments, files, spec))
        verdict = _run(options, arguments, files, spec)
        return _exit_code(verdict)


def _run(options: SearchOptions, arguments: argparse.Namespace, files: SearchFiles, spec: Spec | None) -> str:
    """The ordinary search, and one for each witness; returns the verdict."""
    from pmmc_check.api.exploring import explored
    from pmmc_check.api.searching import configured, protocol_of
    from pmmc_check.model.model import Model

    config = configured(options)
    model = Model(config, protocol_of(_with_roles(options, arguments)))
    _check_trace_out(arguments)
    asked = specs.asked_properties(arguments, spec, model)
    _check_bounded(arguments, asked)
    if files.drawing is not None:
        _write_graph(files.drawing, options, arguments, asked, model, spec)
    found = explored(options, asked, model, spec, lambda: controlled(options, arguments))
    try:
        print_results(_report(found, arguments))
    finally:
        if files.trace_out is not None:
            _write_found(files.trace_out, found)
        result, shown = found.of_one_configuration
        files.exports.write(found.shown_run)
        files.page.write_page(found.page)
        if files.tla is not None:
            files.tla.write(shown, found.shown, _tla_counts(options, arguments, result, shown))
    return _strictly(found) if arguments.strict else found.verdict


def _check_bounded(arguments: argparse.Namespace, asked: specs.AskedProperties) -> None:
    """TLC knows no state constraints of ours."""
    if asked.constraints and arguments.export_tla is not None:
        bound = "--constraint" if arguments.constraint else f"CONSTRAINT {asked.constraints[0].name}"
        remedy = "a configuration that TLC can check whole"
        raise UsageError(f"--export-tla: it takes no state constraint, and {bound} is one; take {remedy}, or leave {bound} out")


def _write_graph(  # noqa: PLR0917
    drawing: GraphFile, options: SearchOptions, arguments: argparse.Namespace, asked: specs.AskedProperties, model: Model, spec: Spec | None
) -> None:
    """Before the search: a graph that is too large is refused at once."""
    from pmmc_check.api.searching import built_in_invariants
    from pmmc_check.properties.quorums import judgeable

    invariants = built_in_invariants(options) if asked.built_in else asked.invariants
    with controlled(options, arguments, compiles=False) as control:
        write_graph(drawing, arguments, model, judgeable(model, invariants)[0], asked, spec, control)


def _strictly(found: Exploration) -> str:
    """The verdict that counts with --strict: what holds vacuously is inconclusive."""
    from pmmc_check.verdicts import INCONCLUSIVE

    if not found.holds or not found.vacuous:
        return found.verdict
    say("explore", f"--strict: what holds, holds vacuously: {'; '.join(found.vacuous)}")
    return INCONCLUSIVE


def _tla_counts(options: SearchOptions, arguments: argparse.Namespace, result: Result, model: Model) -> dict[str, Any] | None:
    """What TLC should find; None where it checks another protocol. A search with reductions has counted other states: then a symbolic
    one counts all, but finds no depth."""
    from pmmc_check.api.searching import result_of
    from pmmc_check.api.showing import counts_for_tlc
    from pmmc_check.verdicts import HOLDS

    expected = counts_for_tlc(result, model)
    if expected is None or expected["distinct_states"] is not None or result.verdict != HOLDS:
        return expected
    seconds = min(options.time_limit or _COUNT_SECONDS_MAX, _COUNT_SECONDS_MAX)
    unlimited = replace(options, max_states=None, max_depth=None, keep_going=False)
    counting = replace(unlimited, engine="symbolic", reduce="none", strategy="exhaustive", time_limit=seconds)
    with controlled(counting, arguments) as control:
        found, _, _ = result_of(replace(counting, seed=None, walk_steps=None), type(model)(model.config), control, (), judges=False)
    if found.verdict != HOLDS:
        say(
            "explore",
            f"--export-tla: all states could not be counted in {counted(seconds, 'second')}, "
            f"so expected.json does not say how many there are",
        )
        return expected
    return expected | {"distinct_states": found.distinct_states}


def _run_every_slot(options: SearchOptions, arguments: argparse.Namespace, files: SearchFiles, spec: Spec | None) -> str:
    """The same for every number of slots. A counterexample is that of the ordinary search that confirms it."""
    from pmmc_check.api.every_slot import scope_of
    from pmmc_check.api.exploring import explored_every_slot

    if arguments.strict:
        raise UsageError("--strict: --slots any reports what it does not cover; leave --strict out")
    scope_of(options)
    options = _with_roles(options, arguments)
    found = explored_every_slot(options, spec, lambda: controlled(options, arguments))
    try:
        print_results(_report(found, arguments))
    finally:
        if files.trace_out is not None:
            _write_found(files.trace_out, found)
        files.exports.write(found.shown_run)
        files.page.write_page(found.page)
    return found.verdict


def _exit_code(verdict: str) -> int:
    from pmmc_check.verdicts import HOLDS, VIOLATED

    return {HOLDS: EXIT_HOLDS, VIOLATED: EXIT_VIOLATED}.get(verdict, EXIT_INCONCLUSIVE)


def _options(arguments: argparse.Namespace) -> SearchOptions:
    """What was asked for, without the roles that were handed in, which are not loaded yet."""
    from pmmc_check.api.options import SearchOptions

    return SearchOptions(
        **options_given(arguments), variants=arguments.variant, invariants=arguments.invariant, constraints=arguments.constraint
    )


def _with_roles(options: SearchOptions, arguments: argparse.Namespace) -> SearchOptions:
    from pmmc_check.api.roles import all_roles_from

    return replace(options, roles=all_roles_from(arguments.protocol))


def _report(found: Exploration, arguments: argparse.Namespace) -> str:
    from pmmc_check.cli.terminal import layout

    if arguments.format == "json":
        return json.dumps(found.to_json(), indent=1)
    return found.report(layout(results_stream(), arguments.color, arguments.view)).removesuffix("\n")


def _write_found(trace_out: OutputFile, found: Exploration) -> None:
    """Writes the counterexample; where only witnesses were asked for, the run to the first."""
    run = found.run or next(((each.result, each.model) for each in found.witnesses), None)
    if run is None:
        say("explore", f"no counterexample, so {trace_out.path} was not written")
    else:
        _write_trace(trace_out, *run, found.variants)


def _check_trace_out(arguments: argparse.Namespace) -> None:
    """Refuses a trace that can never be written, before the search that it would be of."""
    name = arguments.trace_out
    if name is None or name.endswith(".json"):
        return
    from pmmc_check.protocol.variants.catalogue import variants_named
    from pmmc_check.report.violation_trace import never_writable

    if (reason := never_writable(variants_named(arguments.variant))) is not None:
        raise UsageError(f"--trace-out {name}: {reason}; give a name that ends in .json, for the counterexample as JSON")


def _write_trace(target: OutputFile, result: Result, model: Model, variants: Sequence[str]) -> None:
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
            text = trace_text(result.violation, model, variants)
    except NotWritable as error:
        say("explore", f"{target.path} was not written: {error}; a file name that ends in .json always works")
        return
    except OSError as error:
        why = f"to check it, the temporary folder is needed, which cannot be written: {error.strerror}"
        raise UsageError(f"--trace-out {target.path}: {why}; set TMPDIR, or give a name that ends in .json") from None
    target.write(text)
    target.commit()
    if result.violation.loop and target.path.suffix != ".json":
        last = f"the last {counted(result.violation.loop, 'step')} of the run"
        say("explore", f"{target.path} ends after {last}: that they are repeated for ever is nothing that a trace can record")
    if result.further:
        say("explore", f"{target.path} has the first of {len(result.violations)} counterexamples, that of {result.violation.invariant}")
