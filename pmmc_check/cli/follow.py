"""`pmmc-check validate --follow`: judges a trace while it is being written."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from pmmc_check.api.following import LAG_SECONDS, NOTICE, Follower, LiveRemark
from pmmc_check.api.validating import judge_options, with_memory
from pmmc_check.cli.interrupts import interrupted, interrupts_deferred
from pmmc_check.cli.numbers import number_of
from pmmc_check.cli.outputs import OutputFile, print_results
from pmmc_check.cli.progress import progress_line
from pmmc_check.errors import UsageError
from pmmc_check.report.trace_json import as_object
from pmmc_check.report.trace_junit import as_xml
from pmmc_check.report.trace_text import explanation, summary
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.readers.growing_trace import STANDARD_INPUT
from pmmc_check.validation.memory_limit import MemoryLimitReached
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import BAD_INPUT, INCONCLUSIVE
from pmmc_check.words import counted

_SECONDS_BETWEEN_POLLS = 0.1


def configure_follow(parser: argparse.ArgumentParser) -> None:
    """Declares the options for traces that are being written."""
    group = parser.add_argument_group("while it is being written")
    group.add_argument("--follow", action="store_true", help="read on as the trace grows: a file, a directory of part files, or - (stdin)")
    group.add_argument("--fail-fast", action="store_true", help="with --follow: exit with 1 at the first rejection")
    group.add_argument(
        "--lag",
        type=number_of("seconds, such as 0.5"),
        default=LAG_SECONDS,
        metavar="S",
        help="with --follow: a send may be so much later in its log than its receipt elsewhere (default %(default)g)",
    )
    group.add_argument(
        "--idle",
        type=number_of("seconds, more than 0"),
        metavar="S",
        help="with --follow: it is complete when nothing was written for so long",
    )


def check_follow(arguments: argparse.Namespace) -> None:
    """Whether the options go together. Raises `UsageError` if they do not."""
    if not arguments.follow:
        for option, given in (("--fail-fast", arguments.fail_fast), ("--lag", arguments.lag != LAG_SECONDS), ("--idle", arguments.idle)):
            if given:
                raise UsageError(f"{option}: needs --follow")
        return
    if len(arguments.paths) != 1:
        raise UsageError(f"--follow: expected one path, a file, a directory of part files or -, not {len(arguments.paths)}")
    for option in ("html", "export", "jobs", "protocol", "coverage"):
        if getattr(arguments, option):
            raise UsageError(f"--{option}: not with --follow; judge the trace once more when it is complete")
    if arguments.idle is not None and not arguments.idle > 0:
        raise UsageError("--idle: must be more than 0")
    path = arguments.paths[0]
    if path != STANDARD_INPUT and not Path(path).exists():
        raise UsageError(f"{path}: no such file or directory")


def follow(arguments: argparse.Namespace) -> TraceVerdict:
    """Follows until the trace ends, or somebody wants no more; the verdict."""
    options = judge_options(arguments.variant, arguments.search_states, arguments.search_seconds, arguments.search_events)
    follower = Follower(arguments.paths[0], with_memory(options, arguments.max_memory, 1), arguments.lag)
    shown = _Shown(arguments)
    with interrupts_deferred(), progress_line(arguments.quiet) as report:
        try:
            while not _is_over(follower, arguments):
                before = follower.events
                shown.remarks(follower.poll())
                report(f"{counted(follower.events, 'event')}")
                if arguments.fail_fast and follower.rejected:
                    break
                if follower.events == before:
                    time.sleep(_SECONDS_BETWEEN_POLLS)
            verdict = follower.finish(stopped=interrupted())
        except TraceError as error:
            return shown.last(TraceVerdict(arguments.paths[0], BAD_INPUT, follower.events, reason=str(error)))
        except MemoryLimitReached as reached:
            return shown.last(TraceVerdict(arguments.paths[0], INCONCLUSIVE, follower.events, reason=str(reached)))
    return shown.last(verdict)


def _is_over(follower: Follower, arguments: argparse.Namespace) -> bool:
    idle = arguments.idle is not None and time.monotonic() - follower.last_event_at > arguments.idle
    return interrupted() or follower.ended or idle


class _Shown:
    """What has been printed, and where: alarms and the verdict on stdout, notices on stderr."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.json, self.quiet = arguments.format == "json", arguments.quiet
        self.files = [
            (OutputFile(option, name), content)
            for option, name, content in (("--junit", arguments.junit, as_xml), ("--explain", arguments.explain, _explained))
            if name is not None
        ]
        self.explained: set[object] = set()

    def remarks(self, remarks: list[LiveRemark]) -> None:
        """Shows what has shown since."""
        for kind, text, verdict in remarks:
            if kind == NOTICE:
                print(f"pmmc-check validate: {text}", file=sys.stderr, flush=True)
            elif self.json and verdict is not None:
                print_results(json.dumps({"alarm": kind, "text": text, "trace": as_object([verdict])["traces"][0]}))
            elif verdict is not None:
                print_results(
                    f"{verdict.file}: {kind} ({counted(verdict.events, 'event')} so far)", *(() if self.quiet else explanation(verdict))
                )
                self.explained.add(verdict.failure or verdict.violations)

    def last(self, verdict: TraceVerdict) -> TraceVerdict:
        """Shows the verdict, which it returns."""
        if self.json:
            print_results(json.dumps(as_object([verdict])))
        else:
            print_results(summary(verdict))
            self._explain(verdict)
        for file, content in self.files:
            file.write(content([verdict]))
            file.commit()
        return verdict

    def _explain(self, verdict: TraceVerdict) -> None:
        if verdict.verdict == BAD_INPUT:
            print(*explanation(verdict), sep="\n", file=sys.stderr)
        elif (verdict.failure or verdict.violations) in self.explained:
            print_results(*(f"  note: {note}" for note in verdict.notes))
        elif not self.quiet:
            print_results(*explanation(verdict))


def _explained(verdicts: list[TraceVerdict]) -> str:
    return "".join(f"{line}\n" for each in verdicts for line in (summary(each), *explanation(each, whole=True)))
