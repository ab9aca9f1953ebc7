"""Expressions of any type, evaluated on global states: what a user may want to see of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lark import Tree

from pmmc_check.model.model import Model, State
from pmmc_check.properties.observe import OF_STATES, Fact, observe, state_fact
from pmmc_check.protocol.messages import show
from pmmc_check.protocol.values import ProcessId
from pmmc_check.spec.document import Spec, resolver_for
from pmmc_check.spec.evaluate import compiled_term, frame_size
from pmmc_check.spec.observes import reads_of
from pmmc_check.spec.parse import SourceText, parsed_text
from pmmc_check.spec.worlds import Worlds


def value_seen(option: str, text: str, model: Model, spec: Spec | None = None) -> tuple[Callable[[State], str], frozenset[str]]:
    """What the expression `text`, given to `option`, is in a state, as the paper writes values; and the kinds of facts that states must
    show for that. It may use the definitions of `spec`.

    Raises:
        SpecError: it cannot be read, a name in it is unknown, or types do not fit.
    """
    resolver = resolver_for(option, text, model.system, spec)
    body = parsed_text(SourceText(option, text), "only_expression").children[0]
    assert isinstance(body, Tree)
    term = resolver.term(body, resolver.scope)
    reads = reads_of(term, model.protocol)
    variables = {role: tuple(sorted(name for each, name in reads.variables if each == role)) for role, _ in reads.variables}
    value, size, worlds = compiled_term(term, model.system), frame_size(term), Worlds(reads, model.system)
    kinds = OF_STATES | reads.facts

    def facts_of(state: State) -> Iterator[tuple[ProcessId, frozenset[Fact]]]:
        for process, view in zip(model.processes, state, strict=True):
            facts = observe(process, view.state, [message for message, _ in model.network.contents(view.inbox)], view.history, kinds)
            yield process, facts | ({state_fact(view.state, variables[process.role])} if process.role in variables else set())

    def see(state: State) -> str:
        return _text(value(worlds.of(dict(facts_of(state))), [None] * size))

    return see, reads.facts


def _text(value: Any) -> str:
    return str(value).upper() if isinstance(value, bool) else show(value)
