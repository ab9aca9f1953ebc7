"""`validate`: are recorded traces legal runs?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Self

from pmmc_check.api.failure import CheckFailed
from pmmc_check.api.judging import judged
from pmmc_check.api.options import Roles, any_number, strings, whole_numbers
from pmmc_check.api.roles import role_classes
from pmmc_check.checker.memory import affordable_bytes, resident_bytes
from pmmc_check.errors import UsageError
from pmmc_check.model.calls import checked
from pmmc_check.protocol import PMMC, Protocol, Role, variant
from pmmc_check.protocol.variants.catalogue import VARIANTS, protocol_with, variants_named
from pmmc_check.report.trace_json import as_object
from pmmc_check.report.trace_text import explanation, summary
from pmmc_check.trace.sources import Source, sources
from pmmc_check.validation.corpus import CorpusCoverage, coverage_of
from pmmc_check.validation.judge import JudgeOptions
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.validation.verdict import TraceVerdict, worst
from pmmc_check.verdicts import ACCEPTED, BAD_INPUT

if TYPE_CHECKING:  # what shows a result is slow to load
    from pmmc_check.api.exporting import RunFormatKey

SEARCH_STATES, SEARCH_SECONDS, SEARCH_EVENTS = SearchBudget().states_max, SearchBudget().seconds_max, JudgeOptions().search_events_max
"""Where the search of a partial log gives up, unless something else is asked for."""


@dataclass(frozen=True)
class Validation:
    """What `validate` says of each trace, in the order of the paths."""

    traces: tuple[TraceVerdict, ...]
    sources: tuple[Source, ...] = field(default=(), repr=False)
    """Where the traces are, for pages and exports."""
    protocol: Protocol | None = field(default=None, repr=False)
    """What they were judged by, where that is not the paper's."""

    @property
    def verdict(self) -> str:
        """The worst of `accepted`, `inconclusive`, `rejected` and `bad input`."""
        return worst(list(self.traces))

    @property
    def accepted(self) -> bool:
        """Whether every trace is accepted."""
        return self.verdict == ACCEPTED

    @property
    def coverage(self) -> CorpusCoverage:
        """Which branches of the protocol the accepted traces reach, where `validate` was asked to count them."""
        return coverage_of(self.traces)

    def to_json(self) -> dict[str, Any]:
        """The object that `validate --format json` prints, as dictionaries and lists."""
        return as_object(self.traces)

    def text(self) -> str:
        """The report that `validate --explain` writes: whole explanations."""
        return _lines(self.traces, whole=True)

    def explanation(self) -> str:
        """The traces that are not accepted, and why, in at most about thirty lines each."""
        return _lines([each for each in self.traces if each.verdict != ACCEPTED], whole=False)

    def page(self, title: str | None = None) -> str:
        """The runs as one HTML page to look at in a browser, those that are not accepted first (docs/seeing.md)."""
        from pmmc_check.report.page.contents import sheets_of_traces
        from pmmc_check.report.page.page import page_html

        sheets = sheets_of_traces(self.sources, self.traces, self.protocol)
        return page_html(title or ", ".join(each.file for each in self.traces), sheets, index=len(self.traces) > 1)

    def export(self, format: RunFormatKey) -> str:
        """The run of a single trace for other tools (docs/exchange.md).

        Raises:
            UsageError: there are several traces, one cannot be read, the format is unknown or has no way to say something.
        """
        from pmmc_check.api.exporting import exported
        from pmmc_check.report.runs.of_trace import run_of_trace

        if len(self.traces) != 1:
            raise UsageError(f"export: it writes one run, and there are {len(self.traces)} traces")
        if self.verdict == BAD_INPUT:
            raise UsageError(self.traces[0].reason or f"{self.traces[0].file}: cannot be read")
        return exported(run_of_trace(self.sources[0], self.traces[0], self.protocol), format)

    def assert_accepted(self) -> Self:
        """For tests; returns itself.

        Raises:
            CheckFailed: an AssertionError: a trace is rejected, inconclusive, or cannot be read; the text is the explanation.
        """
        if not self.accepted:
            raise CheckFailed(self.explanation().rstrip())
        return self

    def _repr_html_(self) -> str:
        from pmmc_check.report.notebook import TableOfHtml, summary_html

        rows = [(each.file, each.verdict, f"{each.events:,}", summary(each)) for each in self.traces]
        table = TableOfHtml("traces", ("trace", "verdict", "events", ""), rows, open=len(rows) > 1)
        return summary_html(self.verdict, self.explanation() or self.text(), [table], self.text())


def validate(
    *paths: str | PathLike[str],
    variants: Sequence[str] = (),
    search_states: int = SEARCH_STATES,
    search_seconds: float = SEARCH_SECONDS,
    search_events: int = SEARCH_EVENTS,
    jobs: int = 1,
    max_memory: int | None = None,
    roles: Roles = (),
    coverage: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Validation:
    """Judges traces: files, and folders of traces or of the parts of one; the options are the command's (docs/validate.md).

    With `jobs` above 1 traces are judged in so many processes; one alone, if its logs are files of their own, is replayed by so many.
    `progress` is told now and then how far it is, in a few words.
    `max_memory` is what judging one trace may take, in MiB (default: its share of what is free); `roles` are role classes that stand for
    the paper's; with `coverage` the branches of the protocol that accepted runs take are counted. A trace that cannot be read has the
    verdict `bad input`.

    Raises:
        UsageError: no path is given, a path does not exist, a folder has no traces, or an option is wrong.
        ProtocolError: a role of `roles` breaks its contract.
    """
    if not paths:
        raise UsageError("no path: expected a trace, or a folder of traces")
    whole_numbers({"search_states": search_states, "search_events": search_events, "jobs": jobs, "max_memory": max_memory})
    any_number("search_seconds", search_seconds)
    if jobs < 1:
        raise UsageError("--jobs: must be at least 1")
    options = judge_options(strings("variants", variants), search_states, search_seconds, search_events)
    options = with_roles(with_memory(options, max_memory, jobs), role_classes("roles", roles))
    options, jobs = replace(options, coverage=coverage), 1 if roles else jobs
    found = sources([fspath(each) for each in paths])
    verdicts = dict(judged(found, options, jobs, progress or (lambda text: None)))
    return Validation(tuple(verdicts[each] for each in found), tuple(found), options.protocol)


def judge_options(variants: Sequence[str], search_states: int, search_seconds: float, search_events: int) -> JudgeOptions:
    """How to judge.

    Raises:
        UsageError: a bound is too low, a variant is unknown, or its runs are nothing that a trace can record.
    """
    for option, value in (("--search-states", search_states), ("--search-events", search_events)):
        if value < 1:
            raise UsageError(f"{option}: must be at least 1")
    if not search_seconds > 0:
        raise UsageError("--search-seconds: must be more than 0")
    chosen = variants_named(variants)
    for each in chosen:
        if each.own_messages:
            raise UsageError(f"--variant {each.name}: it sends what traces cannot record; expected one of {', '.join(recordable())}")
    return JudgeOptions(
        SearchBudget(search_states, search_seconds),
        search_events,
        protocol=protocol_with(variants) if chosen else None,
        variants=tuple(variants),
        waived=frozenset(name for each in chosen for name in each.waives),
    )


def with_memory(options: JudgeOptions, max_memory: int | None, jobs: int) -> JudgeOptions:
    """The options with a limit on memory: `max_memory` MiB for each trace, or the share of each of `jobs` processes of what is free.

    Raises:
        UsageError: the limit is below 1.
    """
    if max_memory is not None and max_memory < 1:
        raise UsageError("--max-memory: must be at least 1")
    limit = max_memory * 2**20 if max_memory is not None else (affordable_bytes() - resident_bytes()) // jobs
    return replace(options, memory_bytes_max=limit)


def with_roles(options: JudgeOptions, roles: Sequence[type[Role]], names: Sequence[str] = ()) -> JudgeOptions:
    """The options with roles of the user's own in the protocol, each call of them checked; `names` are how a report calls them."""
    if not roles:
        return options
    stock = options.protocol or PMMC
    changed = variant(*roles, base=stock)
    protocol = {name: role if role is stock[name] else checked(role) for name, role in changed.items()}
    called = tuple(names) or tuple(each.__name__ for each in roles)
    return replace(options, protocol=protocol, variants=(*options.variants, *called))


def recordable() -> list[str]:
    """The variants whose runs a trace can record."""
    return [each.name for each in VARIANTS.values() if not each.own_messages]


def _lines(verdicts: Sequence[TraceVerdict], *, whole: bool) -> str:
    return "".join(f"{line}\n" for each in verdicts for line in (summary(each), *explanation(each, whole=whole)))
