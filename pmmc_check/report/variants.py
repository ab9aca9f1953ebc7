"""The variants as a list, as JSON, and as the page of the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from pmmc_check.checker.matrix import Row
from pmmc_check.checker.result import Result
from pmmc_check.config import Config
from pmmc_check.properties.invariants import INVARIANTS
from pmmc_check.protocol.variants.catalogue import VARIANTS, Options, Variant
from pmmc_check.report.layout import Layout, rendered

_HEAD = """\
# Variants

This page is written by `pmmc-check variants --matrix`; do not edit it. Every row is a search that was run to write it, with one
thread and all reductions that are sound for it. A seeded fault must be *violated*: the row gives the states that took and the
length of the shortest counterexample, in the smallest configuration that we know. A fix or an optimisation must *hold*, and so
must the unmodified protocol in every configuration of this page, but for the paper's stuck slot, which the two fixes remove.
As always, a bounded search proves nothing about larger configurations.

Configurations are written as acceptors, leaders, replicas, slots, commands and ballot rounds: 3a 2l 2r 1s 2c 1b. "all" are all
invariants but Progress and FairProgress ([liveness.md](liveness.md)).

"""

_NOTES = """
## Where this page differs from the protocol page's table

- `no-ballot-bump` shows with less than 2 acceptors, 2 rounds and 2 commands, and by a run that never ends: from 1 acceptor, 1 round
  and 1 command on, the leader with the lower ballot tries it again and again. A run that *ends* stuck does not exist: nothing
  preempts the highest ballot, so its leader decides, if it gets to run; that is why FairProgress holds.
- `reconfigure-late` and `reconfigure-at-once` show with less: 1 acceptor in each configuration, 2 slots and 1 command besides the
  reconfiguration.
- `collect-silently` breaks C2 in the sense of what a quorum *has* accepted: acceptors that forget carry a ghost variable.
"""


def as_list(layout: Layout | None = None, variants: Iterable[Variant] = VARIANTS.values()) -> str:
    """What a person reads after `pmmc-check variants`."""
    return rendered(_list(variants), layout or Layout())


def _list(variants: Iterable[Variant]) -> Iterator[RenderableType]:
    for title, safe in (("Seeded faults, and the invariants they break:", False), ("Fixes and optimisations, which must stay safe:", True)):
        yield Text(title, style="bold")
        yield ""
        for each in variants:
            if each.safe == safe:
                breaks = f" (breaks {', '.join(each.breaks)})" if each.breaks else ""
                yield Padding(Text(each.name, style="cyan"), (0, 0, 0, 2))
                yield Padding(Text(f"{each.summary}{breaks}. Try:"), (0, 0, 0, 4))
                whole = [name for name in (*each.breaks, *each.restores, *each.promises) if name not in INVARIANTS]
                asked = "".join(f" --invariant {name}" for name in whole)
                command = f"      pmmc-check explore --variant {each.name} {options_text(each.smallest)}{asked}"
                yield Text(command, no_wrap=True)  # whole, so that it can be copied
        yield ""


def catalogue_as_json(variants: Iterable[Variant] = VARIANTS.values()) -> dict[str, Any]:
    """The catalogue as one JSON object."""
    return {
        "variants": [
            {
                "name": each.name,
                "summary": each.summary,
                "roles": list(each.concerns),
                "safe": each.safe,
                "breaks": list(each.breaks),
                "configuration": {name: list(value) if isinstance(value, tuple) else value for name, value in each.smallest.items()},
                "networks": list(each.networks),
                "waives": list(each.waives),
                "promises": [*each.restores, *each.promises],
            }
            for each in variants
        ]
    }


def options_text(options: Options) -> str:
    """Options as they are typed."""
    return " ".join(f"--{name} {','.join(value) if isinstance(value, tuple) else value}" for name, value in options.items())


def as_page(rows: Sequence[Row], unmodified: Sequence[tuple[Config, Result]]) -> str:
    """The page of the documentation, in Markdown."""
    faults = [row for row in rows if not row.variant.safe]
    safe = [row for row in rows if row.variant.safe]
    lines = ["## Seeded faults", "", *_table(faults), "", "## Fixes and optimisations", "", *_table(safe), ""]
    lines += ["## The unmodified protocol in the same configurations", "", "| configuration | asked | verdict | states | seconds |"]
    lines += ["|---|---|---|---|---|"]
    for config, result in unmodified:
        asked = "all" if len(result.invariants) > 1 else result.invariants[0]
        lines.append(f"| {size(config)} | {asked} | {result.verdict} | {result.distinct_states:,} | {result.seconds:.2f} |")
    return _HEAD + "\n".join(lines) + "\n" + _NOTES


def _table(rows: Sequence[Row]) -> list[str]:
    lines = [
        "| variant | what it does | invariant | configuration | verdict | states | seconds | steps |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        invariant = row.invariant or ("all" if not row.variant.waives else f"all but {', '.join(row.variant.waives)}")
        cells = [f"`{row.variant.name}`", row.variant.summary, invariant, size(row.config), row.verdict]
        cells += [f"{row.distinct_states:,}", f"{row.seconds:.2f}", "" if row.steps is None else str(row.steps)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def size(config: Config) -> str:
    """A configuration in short: acceptors, leaders, replicas, slots, commands, rounds; then what is not the default."""
    counts = (config.acceptors, config.leaders, config.replicas, config.slots, config.commands, config.rounds)
    text = "{}a {}l {}r {}s {}c {}b".format(*counts)
    rest = [f"window {config.window}"] * (config.window != config.slots) + [config.network] * (config.network != "duplicating")
    rest += [f"{config.crashes} crash, {config.restarts} restart of {' or '.join(config.faulty)}"] * bool(config.crashes)
    rest += [f"{config.reconfigurations} reconfiguration"] * bool(config.reconfigurations)
    return ", ".join([text, *rest])
