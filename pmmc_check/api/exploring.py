"""`explore`: a search and its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Self

from pmmc_check.api.every_slot import searched_every_slot
from pmmc_check.api.failure import CheckFailed
from pmmc_check.api.options import Engines, Roles, SearchOptions, Slots, Strategies, in_every_slot
from pmmc_check.api.searching import configured, limits_of, protocol_of, result_of
from pmmc_check.checker.any_slots.search import AnySlotsResult
from pmmc_check.checker.result import Control, Result, Snapshot
from pmmc_check.model.model import Model
from pmmc_check.report.any_slots_json import any_slots_as_json
from pmmc_check.report.any_slots_text import any_slots_as_text
from pmmc_check.report.explore_json import result_as_json
from pmmc_check.report.explore_text import as_text
from pmmc_check.report.layout import Layout
from pmmc_check.report.short import short_text, short_text_of_every_slot
from pmmc_check.report.vacuity import vacuous
from pmmc_check.report.violation_trace import trace_text
from pmmc_check.verdicts import HOLDS


@dataclass(frozen=True)
class Exploration:
    """What `explore` found. `result` is the search's own, and `model` what it is about, None for every number of slots."""

    result: Result | AnySlotsResult
    model: Model | None = None
    notes: tuple[str, ...] = ()
    """Sentences about what was switched off or not checked, and why."""

    @property
    def verdict(self) -> str:
        """`holds`, `violated` or `inconclusive`."""
        return self.result.verdict

    @property
    def holds(self) -> bool:
        """Whether every reachable state was checked and all is well."""
        return self.verdict == HOLDS

    @property
    def invariants(self) -> tuple[str, ...]:
        """The names of what was checked."""
        return self.result.invariants

    @property
    def violated(self) -> str | None:
        """The name of the invariant that a run breaks."""
        run = self._run()
        return run[0].violation.invariant if run and run[0].violation else None

    @property
    def vacuous(self) -> tuple[str, ...]:
        """Sentences about what never happened in the search, so that what holds says less than it seems to."""
        return tuple(vacuous(self.result)) if isinstance(self.result, Result) else ()

    @property
    def limit(self) -> str | None:
        """Which limit stopped the search, as a sentence."""
        return self.result.limit

    @property
    def distinct_states(self) -> int:
        """How many states were searched; for every number of slots, those of the one-slot system."""
        return self.result.distinct_states if isinstance(self.result, Result) else self.result.one_slot.distinct_states

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.result.seconds if isinstance(self.result, Result) else sum(self.result.seconds.values())

    def to_json(self) -> dict[str, Any]:
        """The object that `explore --format json` prints, as dictionaries and lists."""
        if isinstance(self.result, AnySlotsResult):
            return any_slots_as_json(self.result)
        assert self.model is not None
        return result_as_json(self.result, self.model)

    def text(self, width: int = 80) -> str:
        """The report that `explore` prints, with the counterexample."""
        if isinstance(self.result, AnySlotsResult):
            return any_slots_as_text(self.result, Layout(width))
        assert self.model is not None
        return as_text(self.result, self.model, self.notes, Layout(width))

    def explanation(self, width: int = 80) -> str:
        """The verdict and why, in a few lines."""
        if isinstance(self.result, AnySlotsResult):
            return short_text_of_every_slot(self.result, Layout(width))
        assert self.model is not None
        return short_text(self.result, self.model, Layout(width))

    def trace(self) -> str | None:
        """The counterexample as a trace for `validate`; None where there is none.

        Raises:
            NotWritable: a trace cannot record it.
        """
        run = self._run()
        return trace_text(run[0].violation, run[1]) if run and run[0].violation else None

    def assert_holds(self, *, strict: bool = False) -> Self:
        """For tests; returns itself. With `strict`, what holds must not hold vacuously.

        Raises:
            CheckFailed: an AssertionError: it is violated or inconclusive; the text is the explanation.
        """
        if not self.holds:
            raise CheckFailed(self.explanation().rstrip())
        if strict and self.vacuous:
            raise CheckFailed(f"what holds, holds vacuously: {'; '.join(self.vacuous)}")
        return self

    def _run(self) -> tuple[Result, Model] | None:
        """The ordinary result that has a counterexample, and its model."""
        if isinstance(self.result, AnySlotsResult):
            shown = self.result.confirmation.shown if self.result.confirmation else None
            return shown[:2] if shown else None
        return (self.result, self.model) if self.model is not None and self.result.violation else None

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text(120))}</pre>"


def explore(  # the command's options, in its order
    *,
    acceptors: int | None = None,
    leaders: int | None = None,
    replicas: int | None = None,
    slots: Slots | None = None,
    commands: int | None = None,
    rounds: int | None = None,
    window: int | None = None,
    quorum1: int | None = None,
    quorum2: int | None = None,
    network: str = "duplicating",
    crashes: int | None = None,
    restarts: int | None = None,
    faulty: Sequence[str] | None = None,
    reconfigurations: int | None = None,
    ballots: int | None = None,
    replica_slots: int | None = None,
    replica_commands: int | None = None,
    variants: Sequence[str] = (),
    roles: Roles = (),
    invariants: Sequence[str] = (),
    keep_going: bool = False,
    engine: Engines = "compiled",
    strategy: Strategies = "exhaustive",
    seed: int | None = None,
    walk_steps: int | None = None,
    reduce: str | None = None,
    trust_claims: bool = False,
    threads: int | None = None,
    max_states: int | None = None,
    max_depth: int | None = None,
    time_limit: float | None = None,
    max_memory: int | None = None,
    progress: Callable[[Snapshot], None] | None = None,
) -> Exploration:
    """Searches all runs of a configuration; every option is the command's (docs/explore.md), `roles` are role classes of your own.

    `progress` is called now and then, in the thread that called; what it raises ends the search and is passed on.

    Raises:
        UsageError: an option is wrong, or options contradict each other.
        ProtocolError: a role breaks its contract.
    """
    options = {name: value for name, value in locals().items() if name != "progress"}
    return _explored(SearchOptions(**options), progress)


def _explored(options: SearchOptions, progress: Callable[[Snapshot], None] | None) -> Exploration:
    control = Control(limits_of(options), progress) if progress else Control(limits_of(options))
    every_slot = in_every_slot(options)
    if every_slot is not None:
        result = searched_every_slot(every_slot, control)
        return Exploration(result, None, result.notes)
    found, model, notes = result_of(options, Model(configured(options), protocol_of(options)), control)
    return Exploration(found, model, tuple(notes))
