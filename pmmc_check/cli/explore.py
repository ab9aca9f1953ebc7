"""`pmmc-check explore`: parses, calls a search, prints its result."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from pmmc_check.cli.explore_options import configure
from pmmc_check.cli.failures import EXIT_HOLDS, EXIT_INCONCLUSIVE, EXIT_VIOLATED, say
from pmmc_check.cli.interrupts import interruptible, interrupts_deferred
from pmmc_check.cli.outputs import OutputFile, print_results, prints_to_stderr, results_stream
from pmmc_check.cli.progress import progress_line, search_progress
from pmmc_check.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pmmc_check.api.options import SearchOptions
    from pmmc_check.checker.result import Control, Result
    from pmmc_check.model.model import Model


__all__ = ["configure", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Runs the search and prints its result."""
    with ExitStack() as stack:
        stack.enter_context(interrupts_deferred())
        from pmmc_check.api.options import in_every_slot

        trace_out = stack.enter_context(OutputFile("--trace-out", arguments.trace_out)) if arguments.trace_out is not None else None
        if arguments.protocol:
            from pmmc_check.cli.load import exits_refused

            stack.enter_context(prints_to_stderr())
            stack.enter_context(exits_refused())
        options = _options(arguments)
        every_slot = in_every_slot(options)
        verdict = _run_every_slot(every_slot, arguments, trace_out) if every_slot else _run(options, arguments, trace_out)
        return _exit_code(verdict)


def _run(options: SearchOptions, arguments: argparse.Namespace, trace_out: OutputFile | None) -> str:
    """The ordinary search; returns the verdict."""
    from pmmc_check.api.searching import configured, protocol_of, result_of
    from pmmc_check.model.model import Model

    config = configured(options)
    model = Model(config, protocol_of(_with_roles(options, arguments)))
    _check_trace_out(arguments, config)
    with _controlled(options, arguments) as control:
        result, model, notes = result_of(options, model, control)
    try:
        print_results(_report(result, model, notes, arguments))
    finally:
        if trace_out is not None:
            _write_trace(trace_out, result, model)
    return _strictly(result) if arguments.strict else result.verdict


def _strictly(result: Result) -> str:
    """The verdict that counts with --strict: what holds vacuously is inconclusive."""
    from pmmc_check.report.vacuity import vacuous
    from pmmc_check.verdicts import HOLDS, INCONCLUSIVE

    if result.verdict != HOLDS or not (reasons := vacuous(result)):
        return result.verdict
    say("explore", f"--strict: what holds, holds vacuously: {'; '.join(reasons)}")
    return INCONCLUSIVE


def _run_every_slot(options: SearchOptions, arguments: argparse.Namespace, trace_out: OutputFile | None) -> str:
    """The same for every number of slots. A counterexample is that of the ordinary search that confirms it."""
    from pmmc_check.api.every_slot import scope_of, searched_every_slot

    if arguments.strict:
        raise UsageError("--strict: --slots any reports what it does not cover; leave --strict out")
    scope_of(options)
    options = _with_roles(options, arguments)
    with _controlled(options, arguments) as control:
        result = searched_every_slot(options, control)
    try:
        print_results(_every_slot_report(result, arguments))
    finally:
        shown = result.confirmation.shown if result.confirmation else None
        if trace_out is not None and shown is not None:
            _write_trace(trace_out, shown[0], shown[1])
        elif trace_out is not None:
            say("explore", f"no counterexample, so {trace_out.path} was not written")
    return result.verdict


def _exit_code(verdict: str) -> int:
    from pmmc_check.verdicts import HOLDS, VIOLATED

    return {HOLDS: EXIT_HOLDS, VIOLATED: EXIT_VIOLATED}.get(verdict, EXIT_INCONCLUSIVE)


@contextmanager
def _controlled(options: SearchOptions, arguments: argparse.Namespace) -> Iterator[Control]:
    """Within, a search under this control shows its progress, and Ctrl-C ends it."""
    from pmmc_check.api.searching import limits_of
    from pmmc_check.checker.result import Control

    with progress_line(quiet=arguments.quiet) as report:
        control = Control(limits_of(options), search_progress(report))
        with interruptible(control):
            if options.engine != "reference":
                from pmmc_check.checker.compilation import announce_compilation

                announce_compilation()
            yield control


def _options(arguments: argparse.Namespace) -> SearchOptions:
    """What was asked for, without the roles that were handed in, which are not loaded yet."""
    from pmmc_check.api.options import SearchOptions

    given = {each.name: getattr(arguments, each.name) for each in fields(SearchOptions) if hasattr(arguments, each.name)}
    return SearchOptions(**given, variants=arguments.variant, invariants=arguments.invariant)


def _with_roles(options: SearchOptions, arguments: argparse.Namespace) -> SearchOptions:
    from pmmc_check.cli.load import roles_from

    return replace(options, roles=[each for reference in arguments.protocol for each in roles_from(reference)])


def _every_slot_report(result: Any, arguments: argparse.Namespace) -> str:
    from pmmc_check.cli.terminal import layout
    from pmmc_check.report.any_slots_json import any_slots_as_json
    from pmmc_check.report.any_slots_text import any_slots_as_text

    if arguments.format == "json":
        return json.dumps(any_slots_as_json(result), indent=1)
    return any_slots_as_text(result, layout(results_stream(), arguments.color, arguments.view)).removesuffix("\n")


def _report(result: Result, model: Model, notes: list[str], arguments: argparse.Namespace) -> str:
    from pmmc_check.cli.terminal import layout
    from pmmc_check.report.explore_json import result_as_json
    from pmmc_check.report.explore_text import as_text

    if arguments.format == "json":
        return json.dumps(result_as_json(result, model), indent=1)
    return as_text(result, model, notes, layout(results_stream(), arguments.color, arguments.view)).removesuffix("\n")


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
