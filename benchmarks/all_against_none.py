"""Whether a reduction hides a fault: `python benchmarks/all_against_none.py [OPTIONS] [VARIANT ...] > FILE`.

Each seeded fault is searched for with `--reduce all` and with `--reduce none`, one thread each, every search in a process
of its own so that memory is given back. With one replica instead of two where the fault shows with one, which keeps more unreduced
searches within the limits. Prints a Markdown table row by row; exit code 1 when two searches that ended disagree."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.matrix import config_of
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Limits, Result
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol.variants.catalogue import VARIANTS, combined
from pmmc_check.report.variants import size
from pmmc_check.verdicts import INCONCLUSIVE, VIOLATED


@dataclass(frozen=True)
class Search:
    """One search for one fault."""

    variant: str
    invariant: str
    config: Config
    reduce: str
    limits: Limits


def searched(search: Search) -> Result:
    """Its result, from a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_searched, search).result()


def _searched(search: Search) -> Result:
    model, invariants = Model(search.config, combined([VARIANTS[search.variant]])), invariants_named([search.invariant])
    reductions, _ = applicable(reductions_named(search.reduce), model, invariants)
    return CompiledSearch(model, invariants, Control(search.limits), reductions).run()


def smaller(variant: str, invariant: str, network: str | None, limits: Limits) -> Config:
    """The variant's configuration, on another network if one is given; with one replica, if that shows the fault."""
    config = config_of(VARIANTS[variant].smallest)
    config = replace(config, network=network or config.network)
    alone = replace(config, replicas=1)
    return alone if searched(Search(variant, invariant, alone, "all", limits)).verdict == VIOLATED else config


def rows(names: list[str], network: str | None, limits: Limits) -> Iterator[tuple[str, bool]]:
    """A row for each fault and invariant, and whether the two searches agree as far as they ended."""
    for name in names:
        for invariant in VARIANTS[name].breaks:
            config = smaller(name, invariant, network, limits)
            reduced, plain = (searched(Search(name, invariant, config, reduce, limits)) for reduce in ("all", "none"))
            ended = INCONCLUSIVE not in (reduced.verdict, plain.verdict)
            agree = not ended or (reduced.verdict, _steps(reduced)) == (plain.verdict, _steps(plain))
            told = "did not end" if not ended else "agree" if agree else "DIFFER"
            cells = [f"`{name}`", invariant, size(config), *_cells(reduced), *_cells(plain), told]
            yield f"| {' | '.join(cells)} |", agree


def _steps(result: Result) -> int:
    return len(result.violation.trace) if result.violation else 0


def _cells(result: Result) -> list[str]:
    return [f"{_steps(result) or result.verdict}", f"{result.distinct_states:,}", f"{result.seconds:.1f}"]


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help="default: every seeded fault")
    parser.add_argument("--seconds", type=float, default=300, help="for each search (default: 300)")
    parser.add_argument("--gibibytes", type=float, default=10, help="for each search (default: 10)")
    parser.add_argument("--network", help="instead of the one of each variant's configuration: without duplicates there are fewer states")
    given = parser.parse_args()
    unknown = [name for name in given.variants if name not in VARIANTS]
    if unknown:
        parser.error(f"{unknown[0]}: no such variant; pmmc-check variants lists them")
    limits = Limits(seconds_max=given.seconds, memory_bytes_max=int(given.gibibytes * 2**30))
    print("| variant | invariant | configuration | all: steps | states | seconds | none: steps | states | seconds | |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    good = True
    for row, agree in rows(given.variants or [name for name, each in VARIANTS.items() if not each.safe], given.network, limits):
        print(row, flush=True)
        good &= agree
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
