"""Checks every variant in the smallest configuration that its entry names: which invariant it breaks, and how fast that is found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Limits, Result
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import INVARIANTS, PROPERTIES, invariants_named
from pmmc_check.properties.progress import Progress
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.variants.catalogue import VARIANTS, Options, Variant, combined

SECONDS_MAX = 120.0

Stoppable = Callable[[Control], AbstractContextManager[None]]
"""Within what it returns, something else may ask the search under this control to stop."""


def _unstoppable(control: Control) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Row:
    """What one search said of one variant. `invariant` is empty for "all safety invariants that the variant does not waive"."""

    variant: Variant
    config: Config
    invariant: str
    verdict: str
    distinct_states: int
    seconds: float
    steps: int | None

    @property
    def expected(self) -> bool:
        """Whether this is what the variant's entry claims."""
        return self.verdict == ("violated" if self.invariant in self.variant.breaks else "holds")


def config_of(options: Options) -> Config:
    """The configuration that a variant's entry names."""
    given: dict[str, Any] = dict(options)
    return Config(**given)


def searched(
    config: Config, protocol: Protocol, names: Collection[str], reduce: str = "all", *,
    seconds_max: float = SECONDS_MAX, stoppable: Stoppable = _unstoppable,
) -> Result:  # fmt: skip
    """The result of an exhaustive search for violations of the named invariants, with one thread.

    Raises:
        KeyboardInterrupt: it was asked to stop.
    """
    model, invariants = Model(config, protocol), invariants_named(names)
    reductions, _ = applicable(reductions_named(reduce), model, invariants)
    control = Control(Limits(seconds_max=seconds_max))
    with stoppable(control):
        result = CompiledSearch(model, invariants, control, reductions).run()
    if control.stop:
        raise KeyboardInterrupt
    return result


def rows(variant: Variant, reduce: str = "all", stoppable: Stoppable = _unstoppable) -> Iterator[Row]:
    """A row for each invariant that the variant breaks; one for a safe variant."""
    config, protocol = config_of(variant.smallest), combined([variant])
    for name in variant.breaks or ("", *variant.restores, *variant.promises):
        names = [name] if name else [each for each in INVARIANTS if each not in variant.waives]
        result = searched(config, protocol, names, reduce, stoppable=stoppable)
        steps = len(result.violation.trace) if result.violation else None
        yield Row(variant, config, name, result.verdict, result.distinct_states, result.seconds, steps)


def all_rows(report: Callable[[Row], None], stoppable: Stoppable = _unstoppable) -> list[Row]:
    """All variants; `report` is called after each row."""
    found = []
    for variant in VARIANTS.values():
        for row in rows(variant, stoppable=stoppable):
            report(row)
            found.append(row)
    return found


def unmodified(rows_: Iterable[Row], stoppable: Stoppable = _unstoppable) -> list[tuple[Config, Result]]:
    """The protocol as the paper has it, in each configuration in which a variant was checked; for progress where that was asked for.

    It holds everywhere, except where a fix restores what the paper's protocol breaks.
    """
    checked: dict[tuple[Config, str], Result] = {}
    for row in rows_:
        key = (row.config, row.invariant if isinstance(PROPERTIES.get(row.invariant), Progress) else "")
        if key not in checked:
            checked[key] = searched(row.config, PMMC, [key[1]] if key[1] else [], stoppable=stoppable)
    return [(config, result) for (config, _), result in checked.items()]


def as_published(rows_: Iterable[Row], config: Config, result: Result) -> bool:
    """Whether the unmodified protocol does what the entries say of it."""
    repaired = {(row.config, row.invariant) for row in rows_ if row.invariant in row.variant.restores}
    return result.verdict == ("violated" if (config, result.invariants[0]) in repaired else "holds")
