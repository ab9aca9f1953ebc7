"""Growing configurations: every smaller configuration first, the smallest first, so that a counterexample is one of the smallest.

A fault that shows in a small configuration is found there in milliseconds, with a counterexample that fits on a page, where
the configuration that was asked for may be out of reach. All counts grow from 1 to what was asked for; all else that is
given (network, faults, reconfigurations) stays; a quorum larger than there are acceptors becomes all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

from pmmc_check.checker.result import Result, Search
from pmmc_check.config import QUORUMS, Config
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model
from pmmc_check.protocol import Protocol
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE

GROWING = ("acceptors", "leaders", "replicas", "slots", "commands", "rounds")


def smaller(config: Config) -> Iterator[Config]:
    """All configurations with no count above that of `config`, fewer processes first; `config` itself is the last."""
    found = []
    for counts in product(*(range(1, getattr(config, name) + 1) for name in GROWING)):
        sizes: dict[str, Any] = dict(zip(GROWING, counts, strict=True))
        sizes |= {name: min(getattr(config, name), sizes["acceptors"]) for name in QUORUMS}
        try:
            found.append(replace(config, **sizes, window=min(config.window, sizes["slots"])))
        except UsageError:
            continue  # such as a window as large as the slots, with reconfigurations
    return iter(sorted(found, key=lambda each: (each.process_count, [getattr(each, name) for name in GROWING])))


def grow(config: Config, protocol: Protocol, engine: Callable[[Model], Search | None]) -> tuple[Result, Model]:
    """Searches one configuration after another, until one is violated, a limit stops the search, or all have been checked. A smaller one
    of which `engine` makes no search is left out.

    Returns the last result, and the model that it is about.
    """
    completed = 0
    for each in smaller(config):
        model = Model(each, protocol)
        search = engine(model)
        if search is None:
            assert each != config, "what was asked for is searched"
            continue
        result = replace(search.run(), smaller_completed=completed)
        completed += 1
        if result.verdict == INCONCLUSIVE and each != config:
            result = replace(result, limit=f"{result.limit}, before the configuration that was asked for")
        if result.verdict != HOLDS:
            break
    return result, model
