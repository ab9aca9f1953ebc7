"""A counterexample of the symbolic engine is its own: found by layers, a shortest one, and a run of the model."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import compiled, label, reference, small

from pmmc_check.checker.claims import Claims
from pmmc_check.checker.local_steps import LocalSteps
from pmmc_check.checker.matrix import config_of
from pmmc_check.checker.reductions import Reductions, applicable, reductions_named
from pmmc_check.checker.result import Control, Limits, Violation
from pmmc_check.checker.symbolic.events import Events
from pmmc_check.checker.symbolic.layers import Layers
from pmmc_check.checker.symbolic.messages import MessageSystem
from pmmc_check.checker.symbolic.notes import Notes
from pmmc_check.checker.symbolic.order import level_order, order_of_states
from pmmc_check.checker.symbolic.search import SymbolicSearch
from pmmc_check.checker.symbolic.views import ViewSystem
from pmmc_check.checker.tables import Tables
from pmmc_check.config import Config
from pmmc_check.model.content import Digest
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.variants.catalogue import VARIANTS, combined

WRONG = [
    ("promise-not-kept", "A2", {"replicas": 1, "commands": 1}),
    ("overwrite-proposal", "C1", {}),
    ("skip-hole", "R2", {}),
    ("ignore-window", "R5", {}),
    ("restart-loses-ballot", "A1", {}),
    ("restart-loses-decisions", "R4", {"replicas": 1}),
    ("reconfigure-late", "R5", {"replicas": 1}),
]
NETWORKS = ["duplicating", "reliable", "lossy", "fifo"]


def found_by(config: Config, protocol: Protocol, invariant: str, reduce: str) -> Violation:
    model, invariants = Model(config, protocol), invariants_named([invariant])
    reductions, _ = applicable(reductions_named(reduce), model, invariants)
    result = SymbolicSearch(model, invariants, Control(Limits()), reductions).run()
    assert (result.verdict, result.engine) == ("violated", "symbolic")
    assert result.violation is not None
    assert result.depth == len(result.violation.trace) + 1
    assert result.diagram is not None
    assert result.diagram.nodes > 0
    return result.violation


def assert_is_a_run(violation: Violation, model: Model) -> None:
    """Every step of it is one of the model's, and only the last state or step breaks the invariant."""
    checks = Checks(model, invariants_named([violation.invariant]))
    state = violation.initial
    assert state == model.initial()
    for number, each in enumerate(violation.trace, 1):
        assert (each.step, each.after) in list(model.steps(state))
        broken = checks.of_step(state, each.step) or checks.of_state(each.after)
        assert (broken is None) == (number < len(violation.trace))
        state = each.after


@pytest.mark.one_in(3)
@pytest.mark.parametrize("reduce", ["none", "all"])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("name", "invariant", "fewer"), WRONG, ids=[name for name, _, _ in WRONG])
def test_a_counterexample_is_as_short_as_that_of_the_reference_search(
    name: str, invariant: str, fewer: dict[str, int], network: str, reduce: str
) -> None:
    config, protocol = config_of(VARIANTS[name].smallest | fewer | {"network": network}), combined([VARIANTS[name]])
    expected = reference(config, protocol, invariants=[invariant]).violation
    found = found_by(config, protocol, invariant, reduce)
    assert expected is not None
    assert found.invariant == invariant
    assert_is_a_run(found, Model(config, protocol))
    if network == "fifo" and reduce != "none":  # messages without effect may stand before others: see checker.reductions
        assert len(found.trace) >= len(expected.trace)
    else:
        assert len(found.trace) == len(expected.trace)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("reduce", ["none", "inert"])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("counts", [{"leaders": 2}, {"slots": 2, "commands": 2}, {"crashes": 1, "restarts": 1}], ids=label)
def test_each_layer_has_the_states_that_so_many_deliveries_lead_to(counts: dict[str, Any], network: str, reduce: str) -> None:
    config = small(**counts, network=network)
    sizes = compiled(config, reduce=reduce)[1].level_sizes
    layers = layers_of(Model(config), reductions_named(reduce))
    for depth in range(1, min(len(sizes), LAYERS_MAX) + 1):
        assert layers.broken() is None
        assert layers.depth == depth
        if depth < len(sizes):
            layers.advance()
    reached, expanded = layers.measures()
    assert (expanded.states, reached.states) == (sum(sizes[: layers.depth - 1]), sum(sizes[: layers.depth]))


LAYERS_MAX = 12


def layers_of(model: Model, reductions: Reductions) -> Layers:
    checks, events = Checks(model, invariants_named(())), Events(closes=False)
    locals_ = LocalSteps(model, checks, Claims(model, reductions, symmetric=False), Digest(({},)))
    if not reductions.names:
        return Layers(MessageSystem(locals_, order_of_states(model.processes), events, Notes()), checks, lambda more_bytes: False)
    tables = Tables(locals_, reductions, model.config.slots)
    return Layers(ViewSystem(tables, level_order(model.processes, reductions.inert), events, Notes()), checks, lambda more_bytes: False)


def test_a_limit_on_the_way_to_a_run_leaves_what_is_violated(monkeypatch: pytest.MonkeyPatch) -> None:
    variant = VARIANTS["accept-lower-ballot"]
    control = Control(Limits())
    search = SymbolicSearch(
        Model(config_of(variant.smallest), combined([variant])), invariants_named(["A2"]), control, reductions_named("none")
    )
    advance = Layers.advance

    def stop_at_the_third(layers: Layers) -> None:
        control.stop = layers.depth == 3
        advance(layers)

    monkeypatch.setattr(Layers, "advance", stop_at_the_third)
    monkeypatch.setattr("pmmc_check.checker.symbolic.diagrams.FUEL_FULL", 10)
    result = search.run()
    assert (result.verdict, result.violation, result.depth) == ("inconclusive", None, 3)
    assert result.limit is not None
    assert result.limit.startswith("A2 is violated")
    assert result.limit.endswith("but the search for a run that shows it: interrupted")
    assert result.distinct_states == sum(compiled(config_of(variant.smallest), reduce="none")[1].level_sizes[:3])
