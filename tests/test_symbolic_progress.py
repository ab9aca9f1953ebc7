"""Progress with the symbolic engine: states without steps come from the diagram, and it knows whether all runs end."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import assert_one_clear_line, in_process, label, options, small

from pmmc_check.checker.matrix import config_of, searched
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Limits, Result
from pmmc_check.checker.symbolic.layers import Layers
from pmmc_check.checker.symbolic.search import SymbolicSearch
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.variants.catalogue import VARIANTS, protocol_with

WITHOUT_LOSS = ("reliable", "fifo")


def symbolic(config: Config, protocol: Protocol, reduce: str) -> Result:
    model, invariants = Model(config, protocol), invariants_named(["Progress"])
    reductions, _ = applicable(reductions_named(reduce), model, invariants)
    return SymbolicSearch(model, invariants, Control(), reductions).run()


@pytest.mark.parametrize("network", WITHOUT_LOSS)
@pytest.mark.parametrize("reduce", ["all", "none"])
@pytest.mark.parametrize(
    ("counts", "names"),
    [
        ({"acceptors": 3}, []),
        ({"acceptors": 3}, ["ignore-lower-p2b"]),
        ({"acceptors": 3}, ["raise-on-accept"]),
        ({"acceptors": 2, "leaders": 2}, []),
        ({"leaders": 2, "commands": 2}, []),
        ({"slots": 2, "commands": 2}, ["drop-loser"]),
    ],
    ids=lambda each: label(each) if isinstance(each, dict) else "+".join(each) or "paper",
)
def test_the_verdict_and_the_length_of_the_run_are_those_of_the_compiled_search(
    counts: dict[str, Any], names: list[str], network: str, reduce: str
) -> None:
    config, protocol = small(**counts, network=network), protocol_with(names)
    expected, found = searched(config, protocol, ["Progress"], reduce), symbolic(config, protocol, reduce)
    assert found.verdict == expected.verdict
    if expected.violation is None:
        assert found.violation is None
        return
    assert found.violation is not None
    assert (found.violation.invariant, len(found.violation.trace)) == ("Progress", len(expected.violation.trace))
    last = found.violation.trace[-1].after
    assert next(Model(config, protocol).steps(last), None) is None, "nothing can move in the last state"


@pytest.mark.parametrize("reduce", ["all", "none"])
def test_where_a_run_never_ends_it_says_so_and_no_more(reduce: str) -> None:
    variant = VARIANTS["no-ballot-bump"]
    result = symbolic(config_of(variant.smallest), protocol_with([variant.name]), reduce)
    assert (result.verdict, result.violation) == ("inconclusive", None)
    assert result.limit is not None
    assert result.limit.startswith("some run never ends")
    assert result.limit.endswith("take --engine compiled")


def test_a_limit_ends_the_look_for_endless_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control(Limits())
    model = Model(small(acceptors=2, network="reliable"))
    search = SymbolicSearch(model, invariants_named(["Progress"]), control, reductions_named("inert"))
    looked = Layers.all_runs_end

    def stopped_by_the_user(layers: Layers) -> bool:
        control.stop = True
        monkeypatch.setattr("pmmc_check.checker.symbolic.diagrams.FUEL_FULL", 10)
        return looked(layers)

    monkeypatch.setattr(Layers, "all_runs_end", stopped_by_the_user)
    result = search.run()
    assert (result.verdict, result.limit) == ("inconclusive", "interrupted")
    assert result.distinct_states == searched(model.config, model.protocol, ["Progress"], "inert").distinct_states


def test_it_is_refused_where_messages_may_be_lost(capsys: pytest.CaptureFixture[str]) -> None:
    for network in ("duplicating", "lossy"):
        done = in_process(capsys, "explore", *options(network=network), "--engine", "symbolic", "--invariant", "Progress")
        assert_one_clear_line(done, f"--invariant Progress: on the {network} network every message may be lost")
