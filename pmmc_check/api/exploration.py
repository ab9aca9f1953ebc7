"""What `explore` found, as a value: verdicts, reports, counterexamples and witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pmmc_check.api.asked import AskedProperties, WitnessSearch, as_expected, expected_as_json, expected_as_text, overall, result_of_all
from pmmc_check.api.failure import CheckFailed
from pmmc_check.checker.result import Result, Violation
from pmmc_check.model.model import Model
from pmmc_check.report.layout import Layout
from pmmc_check.report.vacuity import vacuous
from pmmc_check.verdicts import HOLDS, VIOLATED

if TYPE_CHECKING:  # what shows a result is slow to load, and most searches have no use for it
    from pmmc_check.api.drawing import DrawnGraph
    from pmmc_check.api.exporting import RunFormatKey
    from pmmc_check.checker.any_slots.search import AnySlotsResult
    from pmmc_check.report.runs.run import Run
    from pmmc_check.report.witnesses import Witnessed
    from pmmc_check.spec.document import Spec

ShownRun = tuple[Violation, str | None, Model]
"""A run that a search shows, the name of what it is a witness of (None: it is a counterexample), and the model that it is a run of."""


@dataclass(frozen=True)
class Witness:
    """What the search for a witness found: `reached` is None where a limit stopped it; `result` is the search's own."""

    name: str
    reached: bool | None
    result: Result
    model: Model
    variants: tuple[str, ...] = ()

    @property
    def length(self) -> int | None:
        """How many steps the run to it takes; None where there is none."""
        return len(self.result.violation.trace) if self.result.violation else None

    def to_json(self) -> dict[str, Any]:
        """Its object in the JSON of `explore`, with the steps of the run."""
        from pmmc_check.report.witnesses import witnesses_as_json

        return witnesses_as_json([self._told()])[0]

    def trace(self) -> str | None:
        """The run as a trace for `validate`; None where there is none.

        Raises:
            NotWritable: a trace cannot record it.
        """
        return _as_trace(self.result, self.model, self.variants)

    def text(self, width: int = 80) -> str:
        """The run, as `explore` prints it."""
        from pmmc_check.report.witnesses import witnesses_text

        return witnesses_text([self._told()], Layout(width))

    def export(self, format: RunFormatKey) -> str | None:
        """The run for other tools (docs/exchange.md); None where there is none.

        Raises:
            UsageError: the format is unknown, or has no way to say something.
        """
        from pmmc_check.api.showing import export_of_run

        return export_of_run((self.result.violation, self.name, self.model) if self.result.violation else None, format)

    def _told(self) -> Witnessed:
        return self.name, WitnessSearch(self.name, self.result).verdict, self.result, self.model

    def _repr_html_(self) -> str:
        from pmmc_check.api.showing import witness_in_notebook

        return witness_in_notebook(self)


@dataclass(frozen=True)
class Exploration:
    """What `explore` found. `result` is the search's own, and `model` what it is about, None for every number of slots."""

    result: Result | AnySlotsResult
    model: Model | None = None
    notes: tuple[str, ...] = ()
    """Sentences about what was switched off or not checked, and why."""
    witnesses: tuple[Witness, ...] = ()
    """Those that the spec or `find` asked for."""
    spec: Spec | None = None
    variants: tuple[str, ...] = ()
    asked: AskedProperties | None = field(default=None, repr=False, compare=False)
    """What was checked, of one configuration."""

    @property
    def verdict(self) -> str:
        """`holds`, `violated` or `inconclusive`; a witness that no run reaches is violated."""
        if not self.witnesses or not isinstance(self.result, Result):
            return self.result.verdict
        searches = [WitnessSearch(each.name, each.result) for each in self.witnesses]
        return overall(self.result if self.result.invariants else None, searches)

    @property
    def holds(self) -> bool:
        """Whether every reachable state was checked and all is well."""
        return self.verdict == HOLDS

    @property
    def expected(self) -> str | None:
        """The verdict that the spec expects; None where it does not say."""
        return self.spec.expected[0] if self.spec else None

    @property
    def as_expected(self) -> bool | None:
        """Whether the verdict, and the number of states, are what the spec expects; None where it expects nothing."""
        return as_expected(self.spec, self.verdict, self._counted())

    @property
    def invariants(self) -> tuple[str, ...]:
        """The names of what was checked."""
        return self.result.invariants

    @property
    def violated(self) -> str | None:
        """The name of the invariant that a run breaks."""
        run = self.run
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
        """How long it took, the searches for witnesses included."""
        if not isinstance(self.result, Result):
            return sum(self.result.seconds.values())
        others = [each.result.seconds for each in self.witnesses]
        return sum(others) + (self.result.seconds if self.invariants or not others else 0)

    def to_json(self) -> dict[str, Any]:
        """The object that `explore --format json` prints, as dictionaries and lists."""
        told = expected_as_json(self.spec, self.verdict, self._counted())
        if not isinstance(self.result, Result):
            from pmmc_check.report.any_slots_json import any_slots_as_json

            return any_slots_as_json(self.result) | told
        from pmmc_check.report.explore_json import result_as_json

        assert self.model is not None
        answer = result_as_json(self.result, self.model) | {"verdict": self.verdict}
        if self.notes:
            answer["notes"] = list(self.notes)
        answer["properties"] += [{"name": name, "verdict": verdict} for name, verdict, *_ in self._told()]
        return answer | ({"witnesses": [each.to_json() for each in self.witnesses]} if self.witnesses else {}) | told

    def text(self, width: int = 80) -> str:
        """The report that `explore` prints, with the counterexample and the runs to witnesses."""
        return self.report(Layout(width))

    def report(self, layout: Layout) -> str:
        """The same in another layout."""
        told = expected_as_text(self.spec, self.verdict, self._counted())
        if not isinstance(self.result, Result):
            from pmmc_check.report.any_slots_text import any_slots_as_text

            return "\n".join([any_slots_as_text(self.result, layout), *told])
        assert self.model is not None
        parts = []
        if self.witnesses:
            from pmmc_check.report.witnesses import witnesses_text

            parts.append(witnesses_text(self._told(), layout))
        if self.result.invariants or not self.witnesses:
            from pmmc_check.report.explore_text import as_text

            parts.append(as_text(self.result, self.model, self.notes, layout))
        else:
            parts += [f"note: {note}\n" for note in self.notes]
        return "\n".join([*parts, *told])

    def explanation(self, width: int = 80) -> str:
        """The verdict and why, in a few lines."""
        from pmmc_check.report.short import short_text, short_text_of_every_slot
        from pmmc_check.report.witnesses import witnesses_summary

        told = expected_as_text(self.spec, self.verdict, self._counted())
        if not isinstance(self.result, Result):
            return "".join([short_text_of_every_slot(self.result, Layout(width)), *told])
        assert self.model is not None
        parts = [witnesses_summary(self._told(), Layout(width))] if self.witnesses else []
        if self.result.invariants or not self.witnesses:
            parts.append(short_text(self.result, self.model, Layout(width)))
        return "".join([*parts, *told])

    def trace(self) -> str | None:
        """The counterexample as a trace for `validate`; None where there is none. Witnesses have traces of their own.

        Raises:
            NotWritable: a trace cannot record it.
        """
        run = self.run
        return _as_trace(*run, self.variants) if run else None

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

    def assert_as_expected(self) -> Self:
        """For tests; returns itself. What is expected is what the spec says, and without that, that everything holds.

        Raises:
            CheckFailed: an AssertionError: something else came out; the text is the explanation.
        """
        if not (self.holds if self.as_expected is None else self.as_expected):
            raise CheckFailed(self.explanation().rstrip())
        return self

    @property
    def of_one_configuration(self) -> tuple[Result, Model]:
        """The search's own result, and its model.

        Raises:
            TypeError: it is about every number of slots.
        """
        if self.model is None or not isinstance(self.result, Result):
            raise TypeError("a result for every number of slots is about no single configuration")
        return self.result, self.model

    def _counted(self) -> int | None:
        return self.result.distinct_states if isinstance(self.result, Result) else None

    def _told(self) -> list[Witnessed]:
        return [each._told() for each in self.witnesses]

    @property
    def run(self) -> tuple[Result, Model] | None:
        """The result that has a counterexample, and the model of which it is a run: for every number of slots, those that confirm it."""
        if not isinstance(self.result, Result):
            shown = self.result.confirmation.shown if self.result.confirmation else None
            return shown[:2] if shown else None
        return (self.result, self.model) if self.model is not None and self.result.violation else None

    @property
    def shown(self) -> ShownRun | None:
        """The run that it shows: its counterexample, else that to the first witness which is reached, by its name; and its model."""
        run = self.run
        if run and run[0].violation:
            return run[0].violation, None, run[1]
        return next(((each.result.violation, each.name, each.model) for each in self.witnesses if each.result.violation), None)

    def shown_run(self) -> Run | None:
        """The same, as pages and exports take it."""
        from pmmc_check.api.showing import run_as_shown

        return run_as_shown(self.shown)

    def export(self, format: RunFormatKey) -> str | None:
        """The counterexample, else the run to the first witness, for other tools (docs/exchange.md); None where there is none.

        Raises:
            UsageError: the format is unknown, or has no way to say something.
        """
        from pmmc_check.api.showing import export_of_run

        return export_of_run(self.shown, format)

    def page(self, title: str | None = None) -> str:
        """All that was found, as one HTML page to look at in a browser (docs/seeing.md)."""
        from pmmc_check.api.showing import page_of

        return page_of(self, title or ("explore" if self.spec is None else self.spec.source.name))

    def graph(self, *, observe: Sequence[str] = (), states_max: int = 20_000, max_depth: int | None = None) -> DrawnGraph:
        """The graph of all reachable states, without reductions; with `observe` (names or expressions, docs/graphs.md), states that look
        the same are put together. `max_depth`: only the first levels.

        Raises:
            UsageError: there are more than `states_max` states, what is to be observed does not exist, or it is about every number of
                slots.
        """
        from pmmc_check.api.showing import drawing_of

        return drawing_of(self, observe, states_max, max_depth)

    def tla(self) -> dict[str, str]:
        """The configuration and the run for TLC, as texts of files by their names (docs/exchange.md). `expected.json` has counts only where
        the search has counted all states: with `reduce="none"`.

        Raises:
            UsageError: it has state constraints, or is about every number of slots.
        """
        from pmmc_check.api.showing import tla_of

        return tla_of(self)

    def _repr_html_(self) -> str:
        from pmmc_check.api.showing import exploration_in_notebook

        return exploration_in_notebook(self)


def exploration_of(
    result: Result | None,
    model: Model,
    notes: Sequence[str],
    searches: Sequence[tuple[WitnessSearch, Model]],
    *,
    asked: AskedProperties,
    spec: Spec | None,
    variants: Sequence[str],
) -> Exploration:
    """All searches of one configuration together; `result` is that of the invariants, if any were checked."""
    reached = {HOLDS: True, VIOLATED: False}
    found = tuple(Witness(each.name, reached.get(each.verdict), each.result, about, tuple(variants)) for each, about in searches)
    return Exploration(result_of_all(result, [each for each, _ in searches]), model, tuple(notes), found, spec, tuple(variants), asked)


def _as_trace(result: Result, model: Model, variants: Sequence[str]) -> str | None:
    from pmmc_check.report.violation_trace import trace_text

    return trace_text(result.violation, model, variants) if result.violation else None
