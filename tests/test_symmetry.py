"""The group of renamings: all of them where that is affordable, else a subgroup."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import pytest
from helpers import Config, compiled, small

from pmmc_check.checker.symmetry import ORDER_MAX, generators, renamings


def _after(first: Mapping[Hashable, Hashable], then: Mapping[Hashable, Hashable]) -> frozenset[tuple[Hashable, Hashable]]:
    """One renaming after the other, without what stays."""
    atoms = {*first, *then}
    images = {atom: then.get(first.get(atom, atom), first.get(atom, atom)) for atom in atoms}
    return frozenset((atom, image) for atom, image in images.items() if atom != image)


@pytest.mark.parametrize(("acceptors", "order"), [(3, 12), (5, 240), (7, 480), (9, 480)])
def test_of_many_acceptors_a_subgroup_is_used(acceptors: int, order: int) -> None:
    system = Config(acceptors=acceptors, leaders=2, replicas=1, slots=1, commands=2).system()
    group = renamings(system)
    assert len(group) == order <= ORDER_MAX
    members = {_after(each, {}) for each in group}
    assert len(members) == order
    assert all(_after(each, generator) in members for each in group for generator in generators(system)), "closed, so a group"


def test_a_subgroup_leaves_the_verdict_and_the_depth_as_they_are() -> None:
    config = small(acceptors=7)
    _, reduced = compiled(config)
    _, whole = compiled(config, reduce="inert,deferral,halting")
    assert (reduced.verdict, reduced.depth) == (whole.verdict, whole.depth)
    assert reduced.distinct_states * 10 < whole.distinct_states
