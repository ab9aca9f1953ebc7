"""Syntax to terms: what each name means, whether arities and types fit. Nothing wrong is left for the search to find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from lark import Token, Tree

from pmmc_check.errors import did_you_mean
from pmmc_check.properties.invariants import PROPERTIES
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import COMMANDER
from pmmc_check.spec.names import FACT_OPERATORS, FACT_SETS, INDICES, OPERATORS, QUORUM_OPERATORS, STATE, constants
from pmmc_check.spec.outside import outsider
from pmmc_check.spec.parse import DEPTH_MAX, SourceText, Syntax
from pmmc_check.spec.place import SpecError
from pmmc_check.spec.terms import Term
from pmmc_check.spec.types import (
    A_DECISION,
    A_LEADER,
    A_PVALUE,
    AN_ACCEPTOR,
    ANYTHING,
    BALLOT,
    BOOLEAN,
    NUMBER,
    Type,
    common,
    sequence_of,
    set_of,
)

_SYMBOLS = {
    "/=": "#", "≠": "#", "≤": "<=", "=<": "<=", "\\leq": "<=", "≥": ">=", "\\geq": ">=", "∈": "\\in", "∉": "\\notin", "⊆": "\\subseteq",
    "∪": "\\cup", "∩": "\\cap", "∖": "\\", "⇔": "<=>", "\\equiv": "<=>", "⇒": "=>",
}  # fmt: skip
_TERMS_MAX = 20_000
_PARTIAL = (("operation", ".."), ("state", (COMMANDER, "command")))
"""What may have no value, beside items and choices."""


@dataclass(frozen=True)
class Operator:
    """A definition: its parameters and body, and where it stands among the names that it may use."""

    name: Token
    parameters: tuple[str, ...]
    body: Syntax
    scope: NameScope
    source: SourceText


@dataclass(frozen=True)
class NameScope:
    """The names that are known at a place, and how many variables are bound there."""

    names: Mapping[str, Term | Operator]
    depth: int = 0

    def binding(self, name: str, meaning: Term | Operator) -> NameScope:
        """With one more name, which hides an older one."""
        return NameScope({**self.names, name: meaning}, self.depth)

    def variable(self, name: str, type_: Type) -> tuple[NameScope, Term]:
        """With one more variable."""
        term = Term("variable", type_, value=self.depth, text=name)
        return NameScope({**self.names, name: term}, self.depth + 1), term


class Resolver:
    """Resolves the expressions of one spec for one system."""

    def __init__(self, system: System, source: SourceText) -> None:
        self.source = source
        self.scope = NameScope(dict(constants(system)))
        self._terms = 0
        self._nested = 0
        self._bound_depth = 0  # how many variables are bound where the resolver is

    def define(self, definition: Syntax, scope: NameScope | None = None) -> NameScope:
        """Takes note of a definition; it may use what is defined before it."""
        scope = scope or self.scope
        name = _token(definition.children[0])
        parameters = next((each for each in definition.children if isinstance(each, Tree) and each.data == "parameters"), None)
        if str(name) in scope.names or str(name) in OPERATORS or str(name) in FACT_SETS or str(name) in STATE:
            raise SpecError(self.source.place_of(name), f"{name} is defined already; give it another name")
        tokens = [] if parameters is None else [_token(each) for each in parameters.children]
        for i, each in enumerate(tokens):
            if each in tokens[:i]:
                raise SpecError(self.source.place_of(each), f"{name} has two parameters called {each}")
        return scope.binding(str(name), Operator(name, tuple(map(str, tokens)), _tree(definition.children[-1]), scope, self.source))

    def boolean(self, syntax: Syntax, scope: NameScope | None = None) -> Term:
        """A term that is true or false.

        Raises:
            SpecError: something in it is unknown or does not fit.
        """
        return self._typed(syntax, scope or self.scope, BOOLEAN)

    def term(self, syntax: Syntax, scope: NameScope) -> Term:
        """The term for an expression."""
        self._terms += 1
        self._nested += 1
        if self._nested > DEPTH_MAX or self._terms > _TERMS_MAX:
            raise SpecError(self.source.place_of(syntax), "this expression is too large; split it, or use fewer operators within operators")
        try:
            found: Term = getattr(self, f"_{syntax.data}")(syntax, scope)
        finally:
            self._nested -= 1
        partial = found.kind in ("item", "choose") or (found.kind, found.value) in _PARTIAL
        partial |= found.kind == "constant" and not found.names  # a slot that is no slot
        place = found.place or (self.source.place_of(syntax) if partial else None)
        return Term(found.kind, found.type, found.parts, found.value, self.source.excerpt(syntax), found.names, place)

    def _wrong(self, part: Syntax | Token, problem: str) -> NoReturn:
        raise SpecError(self.source.place_of(part), problem)

    def _typed(self, syntax: Syntax, scope: NameScope, wanted: Type, where: str = "") -> Term:
        found = self.term(syntax, scope)
        if common(found.type, wanted) is None:
            self._wrong(syntax, f"expected {wanted}{where}, found {found.type}")
        return found

    def _members(self, syntax: Syntax, scope: NameScope) -> tuple[Term, Type]:
        found = self._typed(syntax, scope, set_of(ANYTHING))
        return found, found.type.parts[0] if found.type.parts else ANYTHING

    def _name(self, syntax: Syntax, scope: NameScope) -> Term:
        name = _token(syntax.children[0])
        meaning = scope.names.get(str(name))
        if isinstance(meaning, Operator):
            return self._inlined(meaning, (), name)
        if meaning is not None:
            return meaning
        if str(name) in FACT_SETS:
            kind, members = FACT_SETS[str(name)]
            return Term("facts", set_of(members), value=kind)
        if str(name) in STATE:
            self._wrong(name, f"{name} is a function: write {_indexed_text(str(name))} for one {name}'s state")
        if str(name) in OPERATORS:
            self._wrong(name, f"{name} takes {_count(OPERATORS[str(name)])}: {name}(...)")
        if problem := outsider(str(name), self.scope.names):
            self._wrong(name, problem)
        if str(name) in PROPERTIES:
            how = f"{'--invariant' if self.source.name.startswith('--') else 'INVARIANT'} {name}"
            self._wrong(name, f"{name} is a built-in invariant, which is checked, and no part of an expression; write {how}")
        raise SpecError(
            self.source.place_of(name), f"unknown name {name}{did_you_mean(str(name), [*scope.names, *OPERATORS, *FACT_SETS, *STATE])}"
        )

    def _applied(self, syntax: Syntax, scope: NameScope) -> Term:
        name, arguments = _token(syntax.children[0]), [_tree(each) for each in syntax.children[1:]]
        meaning = scope.names.get(str(name))
        if isinstance(meaning, Operator):
            if len(arguments) != len(meaning.parameters):
                self._wrong(name, f"{name} takes {_count(len(meaning.parameters))}, found {len(arguments)}")
            return self._inlined(meaning, tuple(self.term(each, scope) for each in arguments), name)
        if meaning is not None:
            self._wrong(name, f"{name} is {meaning.type}, and no operator")
        if str(name) not in OPERATORS:
            known = [*OPERATORS, *(each for each, what in scope.names.items() if isinstance(what, Operator))]
            hint = f": write {_indexed_text(str(name))}" if str(name) in STATE else did_you_mean(str(name), known)
            self._wrong(name, f"there is no operator {name}{hint}")
        if len(arguments) != OPERATORS[str(name)]:
            self._wrong(name, f"{name} takes {_count(OPERATORS[str(name)])}, found {len(arguments)}")
        return self._built_in(str(name), arguments, scope)

    def _built_in(self, name: str, arguments: Sequence[Syntax], scope: NameScope) -> Term:
        if name in FACT_OPERATORS:
            kind, types = FACT_OPERATORS[name]
            return Term("fact", BOOLEAN, tuple(map(self._typed, arguments, [scope] * len(types), types)), kind)
        if name in QUORUM_OPERATORS:
            return Term("quorum", BOOLEAN, (self._typed(arguments[0], scope, set_of(AN_ACCEPTOR)),), name)
        wanted = set_of(ANYTHING) if name == "Cardinality" else sequence_of(ANYTHING)
        return Term("size", NUMBER, (self._typed(arguments[0], scope, wanted),))

    def _inlined(self, operator: Operator, arguments: tuple[Term, ...], at: Token) -> Term:
        if len(arguments) != len(operator.parameters):
            self._wrong(at, f"{at} takes {_count(len(operator.parameters))}: {at}({', '.join(operator.parameters)})")
        scope, bound = NameScope(operator.scope.names, self._depth_at(operator, arguments)), []
        for name, argument in zip(operator.parameters, arguments, strict=True):
            if argument.kind in ("variable", "constant"):
                scope = scope.binding(name, argument)
            else:
                scope, variable = scope.variable(name, argument.type)
                bound.append((variable, argument))
        outer, bound_outside = self.source, self._bound_depth
        self.source, self._bound_depth = operator.source, max(self._bound_depth, scope.depth)
        try:
            body = self.term(operator.body, scope)
        finally:
            self.source, self._bound_depth = outer, bound_outside
        for variable, argument in reversed(bound):
            body = Term("let", body.type, (argument, body), variable.value, body.text, (variable.text,))
        return body

    def _depth_at(self, operator: Operator, arguments: tuple[Term, ...]) -> int:
        """The first number for variables that neither the arguments nor the operator's surroundings use."""
        used = [each.value for argument in arguments for each in argument.all_parts() if each.kind == "variable"]
        depth: int = max([operator.scope.depth, self._bound_depth, *(number + 1 for number in used)])
        return depth

    def _number(self, syntax: Syntax, scope: NameScope) -> Term:
        token = _token(syntax.children[0])
        if len(token) > 9:
            self._wrong(token, "this number is too large")
        return Term("constant", NUMBER, value=int(token))

    def _conjunction(self, syntax: Syntax, scope: NameScope) -> Term:
        return Term("and", BOOLEAN, tuple(self._typed(each, scope, BOOLEAN) for each in _trees(syntax)))

    def _disjunction(self, syntax: Syntax, scope: NameScope) -> Term:
        return Term("or", BOOLEAN, tuple(self._typed(each, scope, BOOLEAN) for each in _trees(syntax)))

    def _negation(self, syntax: Syntax, scope: NameScope) -> Term:
        return Term("not", BOOLEAN, (self._typed(_trees(syntax)[0], scope, BOOLEAN),))

    def _binary(self, syntax: Syntax, scope: NameScope) -> Term:
        left, right = _trees(syntax)
        token = _token(syntax.children[1])
        operator = _SYMBOLS.get(str(token), str(token))
        if operator in ("=>", "<=>"):
            return Term("operation", BOOLEAN, (self._typed(left, scope, BOOLEAN), self._typed(right, scope, BOOLEAN)), operator)
        if operator in ("+", "-", "*", ".."):
            type_ = set_of(NUMBER) if operator == ".." else NUMBER
            return Term("operation", type_, (self._typed(left, scope, NUMBER), self._typed(right, scope, NUMBER)), operator)
        if operator in ("\\in", "\\notin"):
            one = self.term(left, scope)
            return Term("operation", BOOLEAN, (one, self._typed(right, scope, set_of(one.type))), operator)
        one = self.term(left, scope)
        other = self._typed(right, scope, one.type, f", as {syntax_text(self.source, left)} is")
        both = common(one.type, other.type) or one.type
        if operator in ("<", "<=", ">", ">=") and both not in (NUMBER, BALLOT):
            self._wrong(token, f"{token} compares numbers or ballots, found {one.type}")
        if operator in ("\\subseteq", "\\cup", "\\cap", "\\") and both.name not in ("set", "anything"):
            self._wrong(left, f"{token} is about sets, found {one.type}")
        return Term("operation", both if operator in ("\\cup", "\\cap", "\\") else BOOLEAN, (one, other), operator)

    def _field(self, syntax: Syntax, scope: NameScope) -> Term:
        whole, name = _tree(syntax.children[0]), _token(syntax.children[-1])
        if whole.data == "indexed" and (role := _role(_tree(whole.children[0]), scope)):
            index = self._index(role, whole, scope)
            if str(name) not in STATE[role]:
                listed = ", ".join(STATE[role])
                self._wrong(name, f"{_a(role)} has no variable {name}{did_you_mean(str(name), STATE[role])}; it has {listed}")
            return Term("state", STATE[role][str(name)].type, index, (role, str(name)))
        found = self.term(whole, scope)
        if found.type == BALLOT and str(name) in ("round", "leader"):
            return Term("ballot part", NUMBER if name == "round" else A_LEADER, (found,), str(name))
        type_ = found.type.field(str(name))
        if type_ is None:
            known = found.type.fields or (("round", "leader") if found.type == BALLOT else ())
            listed = f"; it has {', '.join(known)}" if found.type == BALLOT else ""
            self._wrong(name, f"{found.type} has no field {name}{did_you_mean(str(name), known)}{listed}")
        return Term("field", type_, (found,), str(name))

    def _index(self, role: str, syntax: Syntax, scope: NameScope) -> tuple[Term, ...]:
        """What names a process between brackets."""
        whole, *given = _trees(syntax)
        wanted = INDICES[role]
        if len(given) != len(wanted):
            self._wrong(whole, f"{role} takes its {' and '.join(wanted)}: write {_indexed_text(role)}")
        return tuple(self._typed(each, scope, type_) for each, type_ in zip(given, wanted.values(), strict=True))

    def _indexed(self, syntax: Syntax, scope: NameScope) -> Term:
        whole, index, *more = _trees(syntax)
        if role := _role(whole, scope):
            self._wrong(whole, f"take a variable of the state: {_indexed_text(role)}.{next(iter(STATE[role]))}, for example")
        found = self._typed(whole, scope, sequence_of(ANYTHING))
        if more:
            self._wrong(more[0], "a sequence has one index: write s[1]")
        return Term("item", found.type.parts[0], (found, self._typed(index, scope, NUMBER)))

    def _quantified(self, syntax: Syntax, scope: NameScope) -> Term:
        kind = "forall" if str(syntax.children[0]) in ("\\A", "∀") else "exists"
        bounds = [(name, _tree(each.children[-1])) for each in _trees(syntax)[:-1] for name in each.children[:-2]]
        return self._nested_quantifiers(kind, [(_token(name), members) for name, members in bounds], _trees(syntax)[-1], scope)

    def _nested_quantifiers(self, kind: str, bounds: list[tuple[Token, Syntax]], body: Syntax, scope: NameScope) -> Term:
        if not bounds:
            return self._typed(body, scope, BOOLEAN)
        (name, members), *rest = bounds
        found, type_ = self._members(members, scope)
        inner, variable = self._entered(name, type_, scope)
        body_term = self._nested_quantifiers(kind, rest, body, inner)
        self._bound_depth = scope.depth
        text = f"\\{'A' if kind == 'forall' else 'E'} {name} \\in {found.text} : {body_term.text}"
        return Term(kind, BOOLEAN, (found, body_term), variable.value, text, (str(name),))

    def _entered(self, name: Token, type_: Type, scope: NameScope) -> tuple[NameScope, Term]:
        """The scope in which one more variable is bound."""
        if str(name) in scope.names:
            self._wrong(name, f"{name} has a meaning already; give the variable another name")
        inner, variable = scope.variable(str(name), type_)
        self._bound_depth = max(self._bound_depth, inner.depth)
        return inner, variable

    def _choice(self, syntax: Syntax, scope: NameScope) -> Term:
        members, body = _trees(syntax)
        found, type_ = self._members(members, scope)
        inner, variable = self._entered(_token(syntax.children[1]), type_, scope)
        condition = self._typed(body, inner, BOOLEAN)
        self._bound_depth = scope.depth
        return Term("choose", type_, (found, condition), variable.value, names=(variable.text,))

    def _conditional(self, syntax: Syntax, scope: NameScope) -> Term:
        condition, yes, no = _trees(syntax)
        one = self.term(yes, scope)
        other = self._typed(no, scope, one.type, ", as after THEN")
        return Term("if", common(one.type, other.type) or one.type, (self._typed(condition, scope, BOOLEAN), one, other))

    def _local(self, syntax: Syntax, scope: NameScope) -> Term:
        *definitions, body = _trees(syntax)
        for each in definitions:
            scope = self.define(each, scope)
        return self.term(body, scope)

    def _union(self, syntax: Syntax, scope: NameScope) -> Term:
        found = self._typed(_trees(syntax)[0], scope, set_of(set_of(ANYTHING)))
        return Term("union", found.type.parts[0], (found,))

    def _set(self, syntax: Syntax, scope: NameScope) -> Term:
        type_, members = ANYTHING, []
        for each in _trees(syntax):
            members.append(self._typed(each, scope, type_, ", as the members before"))
            type_ = common(type_, members[-1].type) or type_
        return Term("set", set_of(type_), tuple(members))

    def _comprehension(self, syntax: Syntax, scope: NameScope) -> Term:
        first, *rest = _trees(syntax)
        if (bound := _as_bound(first)) and len(rest) == 1:
            name, members = bound
            found, type_ = self._members(members, scope)
            inner, variable = self._entered(name, type_, scope)
            condition = self._typed(rest[0], inner, BOOLEAN)
            self._bound_depth = scope.depth
            return Term("filter", set_of(type_), (found, condition), variable.value, names=(str(name),))
        bounds = [_as_bound(each) for each in rest]
        inner, variables = scope, []
        for each, bound in zip(rest, bounds, strict=True):
            if bound is None:
                self._wrong(each, r"expected x \in S: a set is written {x \in S : P} or {e : x \in S}")
            found, type_ = self._members(bound[1], inner)
            inner, variable = self._entered(bound[0], type_, inner)
            variables.append((variable, found))
        element = self.term(first, inner)
        self._bound_depth = scope.depth
        result = Term("set", set_of(element.type), (element,))
        for variable, found in reversed(variables):
            result = Term("collect", result.type, (found, result), variable.value, names=(variable.text,))
        return result

    def _record(self, syntax: Syntax, scope: NameScope) -> Term:
        fields: dict[str, Term] = {}
        for each in _trees(syntax):
            name = _token(each.children[0])
            if str(name) in fields:
                self._wrong(name, f"the field {name} is given twice")
            fields[str(name)] = self.term(_tree(each.children[-1]), scope)
        order = next((o for o in (A_DECISION.fields, A_PVALUE.fields) if set(o) == set(fields)), tuple(sorted(fields)))
        return Term("record", Type("record", tuple(fields[n].type for n in order), order), tuple(fields[n] for n in order), order)


def syntax_text(source: SourceText, syntax: Syntax) -> str:
    """How a part is written, cut to a readable length."""
    text = source.excerpt(syntax)
    return text if len(text) <= 40 else text[:37] + "..."


def _role(syntax: Syntax, scope: NameScope) -> str | None:
    """The role whose states `syntax` names, if it does."""
    name = str(syntax.children[0]) if syntax.data == "name" else ""
    return name if name in STATE and name not in scope.names else None


def _as_bound(syntax: Syntax) -> tuple[Token, Syntax] | None:
    """`x \\in S` as a name and a set."""
    if syntax.data != "binary" or str(syntax.children[1]) not in ("\\in", "∈"):
        return None
    left, right = _trees(syntax)
    return (_token(left.children[0]), right) if left.data == "name" else None


def _token(part: Any) -> Token:
    assert isinstance(part, Token)
    return part


def _tree(part: Any) -> Syntax:
    assert isinstance(part, Tree)
    return part


def _trees(syntax: Syntax) -> list[Syntax]:
    return [each for each in syntax.children if isinstance(each, Tree)]


def _count(arguments: int) -> str:
    return "no arguments" if arguments == 0 else "1 argument" if arguments == 1 else f"{arguments} arguments"


def _indexed_text(role: str) -> str:
    """How one process of a role is written."""
    return f"{role}[{', '.join('x' if each == 'name' else each[0] for each in INDICES[role])}]"


def _a(role: str) -> str:
    return f"an {role}" if role == "acceptor" else f"a {role}"
