"""Whatever roles claim: a search whose checks find no claim false sees what the unreduced search sees.

Roles claim at random what is seldom true, and act at random for some processes otherwise than for others. Most such claims are found
false. Where none is, because they happen to be true of all that can be reached, verdict and observed facts must be those of the
unreduced search. So the checks, and the argument in `checker.claims`, are tested where nobody has thought of the case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import pytest
from helpers import compiled, small

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.false_claim import FalseClaim
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.symmetry import renamings
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.protocol import (
    PMMC,
    Acceptor,
    Commander,
    Leader,
    Lifecycle,
    Message,
    Outcome,
    ProcessId,
    Protocol,
    Replica,
    Role,
    Scout,
    Send,
    variant,
)
from pmmc_check.protocol.messages import show
from pmmc_check.protocol.role import Outcomes

STOCK: tuple[type[Role], ...] = (Replica, Leader, Scout, Commander, Acceptor)
USUAL = small(leaders=2, commands=2)
CONFIGS = [
    pytest.param(USUAL, id="usual"),
    pytest.param(small(leaders=2, rounds=2), id="two-rounds", marks=pytest.mark.slow),
    pytest.param(small(leaders=2, commands=2, network="reliable"), id="reliable", marks=pytest.mark.slow),
    pytest.param(small(slots=2, commands=2, network="fifo"), id="fifo", marks=pytest.mark.slow),
    pytest.param(small(leaders=2, commands=2, crashes=1, restarts=1), id="restarts", marks=pytest.mark.slow),
]
every_config = pytest.mark.parametrize("config", CONFIGS)
every_role = pytest.mark.parametrize("stock", STOCK, ids=lambda each: each.__name__)
SEEDS = range(24)


def chosen(seed: int, one_in: int, *things: object) -> bool:
    """A coin that falls one way `one_in` times, the same for the same things."""
    text = "|".join([str(seed), *map(_text, things)])
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "little") % one_in == 0


def _text(thing: object) -> str:
    return str(thing) if isinstance(thing, Lifecycle) else show(thing)


def claiming(stock: type[Role], claim: str, seed: int, one_in: int) -> type[Role]:
    """The stock role with a claim that is made at random; those of the stock role are made, too."""

    def ignores(self: Role, state: Any, message: Message) -> bool:
        return stock.ignores(self, state, message) or (claim == "ignores" and chosen(seed, one_in, self.me, state, message))

    def only_halts(self: Role, state: Any, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        truly = stock.only_halts(self, state, message, sender)
        return () if truly is None and claim == "only_halts" and chosen(seed, one_in, self.me, state, message) else truly

    stated = {"symmetric": True, "starts_once": stock is Leader, "ignores": ignores, "only_halts": only_halts}
    return type(f"Claiming{stock.__name__}", (stock,), stated)


def partial(stock: type[Role], seed: int, one_in: int) -> type[Role]:
    """The stock role, but now and then deaf to a message, without regard to symmetry, which it claims."""

    def step(self: Role, state: Any, message: Message) -> Outcomes:
        return [Outcome(state)] if chosen(seed, one_in, self.me, state, message) else stock.step(self, state, message)

    return type(f"Partial{stock.__name__}", (stock,), {"symmetric": True, "starts_once": stock is Leader, "step": step})


@lru_cache(maxsize=1)
def _unreduced(config: Config, protocol: tuple[tuple[str, type[Role]], ...]) -> tuple[str, set[Any]]:
    search, result = compiled(config, dict(protocol), "none")
    return result.verdict, set(_closed(search))


def _closed(search: CompiledSearch) -> Iterator[Any]:
    """The combinations of observed facts, with all their images."""
    for observed in search.known.observed.values():
        for renaming in renamings(search.model.system):
            image = Counter(
                (renaming.get(process, process), frozenset(f._replace(command=renaming.get(f.command, f.command)) for f in facts))
                for process, facts in observed.items()
            )
            yield frozenset(image.items())


def _seen(config: Config, protocol: Protocol) -> tuple[str, set[Any]] | None:
    """Verdict and observed facts of the reduced search; None when it finds a claim false."""
    try:
        search, result = compiled(config, protocol, ",".join(applicable(reductions_named("all"), Model(config, protocol))[0].names))
    except FalseClaim:
        return None
    return result.verdict, set(_closed(search))


@pytest.mark.one_in(2)
@every_config
@every_role
@pytest.mark.parametrize("claim", ["ignores", "only_halts"])
def test_claims_made_at_random_are_found_false_or_do_no_harm(config: Config, stock: type[Role], claim: str) -> None:
    expected = _unreduced(config, tuple(PMMC.items()))
    seen = [_seen(config, variant(claiming(stock, claim, seed, one_in=5 + seed))) for seed in SEEDS]
    assert all(each in (None, expected) for each in seen)
    assert None in seen or config != USUAL, "no claim was ever found false"


@pytest.mark.one_in(2)
@every_config
@every_role
def test_roles_that_are_symmetric_but_for_some_steps_are_found_out_or_it_does_no_harm(config: Config, stock: type[Role]) -> None:
    found_false = 0
    for seed in SEEDS:
        protocol = variant(partial(stock, seed, one_in=5 + 2 * seed))
        seen = _seen(config, protocol)
        found_false += seen is None
        assert seen in (None, _unreduced(config, tuple(protocol.items()))), seed
    assert found_false or config != USUAL, "no claim was ever found false"
