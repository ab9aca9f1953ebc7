"""`pmmc-check explore`: parses, calls a search, prints its result."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from pmmc_check.cli import specs
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
    from pmmc_check.spec.document import Spec


__all__ = ["configure", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Runs the search and prints its result."""
    with ExitStack() as stack:
        stack.enter_context(interrupts_deferred())
        from pmmc_check.api.options import in_every_slot

        trace_out = stack.enter_context(OutputFile("--trace-out", arguments.trace_out)) if arguments.trace_out is not None else None
        spec = specs.spec_of(arguments)
        if arguments.protocol:
            from pmmc_check.cli.load import exits_refused

            stack.enter_context(prints_to_stderr())
            stack.enter_context(exits_refused())
        options = _options(arguments)
        every_slot = in_every_slot(options)
        if every_slot:
            every_slot = replace(every_slot, invariants=specs.for_every_slot(arguments, spec))
            return _exit_code(_run_every_slot(every_slot, arguments, trace_out, spec))
        verdict = _run(options, arguments, trace_out, spec)
        return _exit_code(verdict)


def _run(options: SearchOptions, arguments: argparse.Namespace, trace_out: OutputFile | None, spec: Spec | None) -> str:
    """The ordinary search, and one for each witness; returns the verdict."""
    from pmmc_check.api.searching import configured, protocol_of, result_of
    from pmmc_check.model.model import Model

    config = configured(options)
    model = Model(config, protocol_of(_with_roles(options, arguments)))
    _check_trace_out(arguments, config)
    asked = specs.asked_properties(arguments, spec, model)
    notes, result, shown, witnesses = list[str](), None, model, []
    if asked.invariants or asked.built_in:
        with _controlled(options, arguments) as control:
            result, shown, notes = result_of(options, model, control, None if asked.built_in else asked.invariants)
    for each in asked.witnesses:
        with _controlled(options, arguments) as control:
            found, _, about = result_of(options, model, control, (each,))
        notes += [note for note in about if note not in notes]
        witnesses.append(specs.WitnessSearch(each.name, found))
    answer = specs.outcome(result, witnesses)
    try:
        print_results(_report(answer, shown, notes, arguments, spec, witnesses))
    finally:
        if trace_out is not None:
            _write_trace(trace_out, answer if answer.violation or not witnesses else witnesses[0].result, shown)
    return _strictly(answer) if arguments.strict else answer.verdict


def _strictly(result: Result) -> str:
    """The verdict that counts with --strict: what holds vacuously is inconclusive."""
    from pmmc_check.report.vacuity import vacuous
    from pmmc_check.verdicts import HOLDS, INCONCLUSIVE

    if result.verdict != HOLDS or not (reasons := vacuous(result)):
        return result.verdict
    say("explore", f"--strict: what holds, holds vacuously: {'; '.join(reasons)}")
    return INCONCLUSIVE


def _run_every_slot(options: SearchOptions, arguments: argparse.Namespace, trace_out: OutputFile | None, spec: Spec | None) -> str:
    """The same for every number of slots. A counterexample is that of the ordinary search that confirms it."""
    from pmmc_check.api.every_slot import scope_of, searched_every_slot

    if arguments.strict:
        raise UsageError("--strict: --slots any reports what it does not cover; leave --strict out")
    scope_of(options)
    options = _with_roles(options, arguments)
    with _controlled(options, arguments) as control:
        result = searched_every_slot(options, control)
    try:
        print_results(_every_slot_report(result, arguments, spec))
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


def _every_slot_report(result: Any, arguments: argparse.Namespace, spec: Spec | None) -> str:
    from pmmc_check.cli.terminal import layout
    from pmmc_check.report.any_slots_json import any_slots_as_json
    from pmmc_check.report.any_slots_text import any_slots_as_text

    if arguments.format == "json":
        return json.dumps(any_slots_as_json(result) | specs.as_json(spec, result.verdict, None), indent=1)
    text = any_slots_as_text(result, layout(results_stream(), arguments.color, arguments.view))
    return "\n".join([text, *specs.as_expected_text(spec, result.verdict, None)]).removesuffix("\n")


def _report(  # noqa: PLR0917
    result: Result, model: Model, notes: list[str], arguments: argparse.Namespace, spec: Spec | None, witnesses: list[specs.WitnessSearch]
) -> str:
    from pmmc_check.cli.terminal import layout
    from pmmc_check.report.explore_json import result_as_json
    from pmmc_check.report.explore_text import as_text
    from pmmc_check.report.witnesses import witnesses_as_json, witnesses_text

    found = [(each.name, each.verdict, each.result) for each in witnesses]
    if arguments.format == "json":
        answer = result_as_json(result, model)
        answer["properties"] += [{"name": name, "verdict": verdict} for name, verdict, _ in found]
        answer |= {
            **({"witnesses": witnesses_as_json(found, model)} if found else {}),
            **specs.as_json(spec, result.verdict, result.distinct_states),
        }
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
