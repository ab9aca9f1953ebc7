"""A spec file: its settings, the invariants that it names, and those and the witnesses that are written in it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lark import Token, Tree
from lark.tree import Meta

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.properties.invariants import PROPERTIES, Invariant
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.role import System
from pmmc_check.spec.invariants import constraint_of, invariant_of, never
from pmmc_check.spec.outside import check_within
from pmmc_check.spec.parse import SourceText, Syntax, parsed_text
from pmmc_check.spec.place import SpecError, TextPlace
from pmmc_check.spec.resolve import Operator, Resolver
from pmmc_check.spec.terms import Term
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED

SPEC_SUFFIX = ".spec"
COUNTED = (
    "acceptors", "quorum1", "quorum2", "leaders", "replicas", "slots", "commands", "rounds", "window", "reconfigurations", "ballots",
    "crashes", "restarts", "max_states", "max_depth", "states",
)  # fmt: skip
SINGLE = ("network", "time_limit", "reduce", "symmetry", "expect")
LISTED = ("faulty", "variant", "protocol")
SETTINGS = (*COUNTED, *SINGLE, *LISTED)
"""What a spec can set; all but `states`, `symmetry` and `expect` are options of `explore`, too."""


@dataclass(frozen=True)
class SpecSetting:
    """One setting, as it is written."""

    name: str
    values: tuple[str, ...]
    place: TextPlace


@dataclass(frozen=True)
class Spec:
    """What a file says. `named` are built-in invariants; `syntax` are its definitions and properties, for `Written`."""

    source: SourceText
    settings: dict[str, SpecSetting]
    named: tuple[str, ...]
    syntax: tuple[Syntax, ...]

    @property
    def writes_expressions(self) -> bool:
        """Whether anything in it is more than a setting or the name of a built-in invariant."""
        return bool(self.syntax)

    @property
    def functions(self) -> tuple[str, ...]:
        """The Python functions that it names as invariants, as `module:function`."""
        parts = [part for part in self.syntax if part.data == "named"]
        return tuple(_reference(each) for part in parts for each in part.children if isinstance(each, Tree))

    def named_by(self, kind: str) -> tuple[Token, ...]:
        """The names of its properties of a kind, INVARIANT, WITNESS or CONSTRAINT; not built-in ones, nor functions."""
        parts = [part for part in self.syntax if part.data in ("written", "named") and str(part.children[0]) == kind]
        built_in = {each.lower() for each in PROPERTIES}
        return tuple(name for part in parts for name, body in _written_by(part) if body is not None or str(name).lower() not in built_in)

    @property
    def expected(self) -> tuple[str | None, int | None]:
        """The verdict that is expected, and the number of states."""
        verdict, states = self.settings.get("expect"), self.settings.get("states")
        return verdict.values[0] if verdict else None, int(states.values[0]) if states else None

    @property
    def property_lines(self) -> dict[str, int]:
        """The lines in which its invariants and witnesses are written, or named."""
        lines: dict[str, int] = {}
        for part in self.syntax:
            if part.data in ("written", "named"):
                names = part.children[1:2] if part.data == "written" else part.children[1:]
                lines |= {str(each): each.line or 1 for each in names if isinstance(each, Token)}
                lines |= {_reference(each): each.meta.line for each in names if isinstance(each, Tree)}
        return lines


@dataclass(frozen=True)
class Written:
    """The properties that were written: invariants, the negations of witnesses, and state constraints."""

    invariants: tuple[Invariant, ...] = ()
    witnesses: tuple[Invariant, ...] = ()
    constraints: tuple[WrittenInvariant, ...] = ()


def read_spec(path: str) -> Spec:
    """The spec in a file.

    Raises:
        SpecError: something in it cannot be read, or is unknown.
        UsageError: the file cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: this is no text in UTF-8; a spec is a text file") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    return spec_from(SourceText(path, text))


def spec_from(source: SourceText) -> Spec:
    """The spec in a text."""
    settings: dict[str, SpecSetting] = {}
    named: list[str] = []
    syntax: list[Syntax] = []
    for part in parsed_text(source).children:
        assert isinstance(part, Tree)
        if part.data == "setting":
            setting = _setting(source, part)
            if setting.name in settings:
                raise SpecError(setting.place, f"{setting.name.upper()} is set twice")
            settings[setting.name] = setting
            continue
        if part.data == "named" and str(part.children[0]) == "INVARIANT":
            built_in = [str(each) for each in part.children[1:] if str(each).lower() in {name.lower() for name in PROPERTIES}]
            named += built_in
            if len(built_in) == len(part.children) - 1:
                continue
        _check_references(source, part)
        syntax.append(part)
    if not (settings or named or syntax):
        told = "expected a setting such as SLOTS 2, or a property such as INVARIANT Agreement"
        raise SpecError(source.place(1, 1), f"the spec says nothing; {told}")
    if "reduce" in settings and "symmetry" in settings:
        raise SpecError(
            settings["symmetry"].place, "REDUCE says which reductions are used, and SYMMETRY another thing; leave one of them out"
        )
    return Spec(source, settings, tuple(named), tuple(syntax))


def written_in(spec: Spec, system: System, protocol: Protocol) -> Written:
    """The properties of `spec` for one system.

    Raises:
        SpecError: a name in it is unknown, types do not fit, or it names a slot that there is not.
    """
    made: dict[str, list[Any]] = {kind: [] for kind in _MAKERS}
    for kind, name, term in terms_in(spec, system):
        check_within(term, system)
        made[kind].append(_MAKERS[kind](str(name), term, system, protocol))
    return Written(*(tuple(made[kind]) for kind in _MAKERS))


def terms_in(spec: Spec, system: System) -> list[tuple[str, Token, Term]]:
    """The properties of `spec`, but built-in ones: the kind of each, its name and what it says of one system.

    Raises:
        SpecError: a name in it is unknown, or types do not fit.
    """
    resolver = Resolver(system, spec.source)
    found: list[tuple[str, Token, Term]] = []
    for part in spec.syntax:
        if part.data == "definition":
            resolver.scope = resolver.define(part)
            continue
        kind = str(part.children[0])
        for name, body in _written_by(part):
            if body is None and kind == "INVARIANT" and str(name).lower() in {each.lower() for each in PROPERTIES}:
                continue
            _check_new(spec.source, name, {str(known) for _, known, _ in found})
            if body is None:
                _check_defined(spec.source, name, resolver, kind)
            found.append((kind, name, resolver.boolean(body) if body else _as_defined(name, resolver)))
    _check_rest(spec, resolver)
    return found


_MAKERS: dict[str, Callable[[str, Term, System, Protocol], Any]] = {
    "INVARIANT": invariant_of,
    "WITNESS": never,
    "CONSTRAINT": constraint_of,
}
"""What becomes of each kind of property, in the order of the fields of `Written`."""
OPTIONS = {"--invariant": "INVARIANT", "--find": "WITNESS", "--constraint": "CONSTRAINT", "until": "WITNESS"}
"""The options (and the command of `step`) that take an expression, with the kind of property that each states."""


def _as_defined(name: Token, resolver: Resolver) -> Term:
    """What is defined under `name`, which reports show as it is written there."""
    term, meaning = resolver.boolean(Tree("name", [name], _Meta(name))), resolver.scope.names[str(name)]
    return replace(term, text=meaning.source.excerpt(meaning.body)) if isinstance(meaning, Operator) else term


def _written_by(part: Syntax) -> list[tuple[Token, Syntax | None]]:
    """The names of properties, and what each is; None: what is defined under that name, or built in."""
    names = [each for each in part.children[1:] if isinstance(each, Token) and each.type == "NAME"]
    body = part.children[-1]
    return [(names[0], body)] if part.data == "written" and isinstance(body, Tree) else [(each, None) for each in names]


def expression_as(  # noqa: PLR0917
    option: str, text: str, name: str, system: System, protocol: Protocol, spec: Spec | None = None
) -> Invariant:
    """The invariant or constraint that an option's expression states; of `--find` its negation. It may use what `spec` defines and states.

    Raises:
        SpecError: it cannot be read, a name in it is unknown, or types do not fit.
    """
    term = expression_term(option, text, system, spec)
    check_within(term, system)
    found: Invariant = _MAKERS[OPTIONS[option]](name, term, system, protocol)
    return found


def expression_term(option: str, text: str, system: System, spec: Spec | None = None) -> Term:
    """What an option's expression says; it may use what `spec` defines and states.

    Raises:
        SpecError: as `expression_as`.
    """
    resolver = resolver_for(option, text, system, spec)
    body = parsed_text(resolver.source, "only_expression").children[0]
    assert isinstance(body, Tree)
    return resolver.boolean(body)


def resolver_for(option: str, text: str, system: System, spec: Spec | None) -> Resolver:
    """What resolves an option's expression; it knows the definitions and properties of `spec`."""
    resolver = Resolver(system, spec.source if spec else SourceText(option, text))
    for part in spec.syntax if spec else ():
        if part.data == "definition":
            resolver.scope = resolver.define(part)
        elif part.data == "written" and isinstance(part.children[-1], Tree):
            resolver.scope = resolver.define(Tree("definition", part.children[1:], part.meta))
    resolver.source = SourceText(option, text)
    return resolver


class _Meta(Meta):
    """The place of a name that stands alone, in the form in which Lark gives places."""

    def __init__(self, token: Token) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.empty = False
        self.line, self.column = token.line or 1, token.column or 1
        self.start_pos, self.end_pos = token.start_pos or 0, token.end_pos or 0


def _check_new(source: SourceText, name: Token, known: Collection[str]) -> None:
    if str(name).lower() in {each.lower() for each in PROPERTIES} or str(name) in known:
        raise SpecError(source.place_of(name), f"there is another property called {name}; give this one another name")


def _reference(part: Syntax) -> str:
    return "".join(map(str, part.children))


def _check_references(source: SourceText, part: Syntax) -> None:
    if part.data == "named" and str(part.children[0]) != "INVARIANT":
        for each in part.children:
            if isinstance(each, Tree):
                raise SpecError(
                    source.place_of(each), f"{_reference(each)}: a Python function states an INVARIANT; write an expression here"
                )


def _check_defined(source: SourceText, name: Token, resolver: Resolver, kind: str) -> None:
    if str(name) not in resolver.scope.names:
        known = [*resolver.scope.names, *(PROPERTIES if kind == "INVARIANT" else ())]
        built_in = "is neither built in nor defined above" if kind == "INVARIANT" else "is not defined above"
        raise SpecError(source.place_of(name), f"{name} {built_in}{did_you_mean(str(name), known)}")


def _check_rest(spec: Spec, resolver: Resolver) -> None:
    """Looks into definitions without parameters, used or not: what is wrong in them is wrong."""
    for part in spec.syntax:
        if part.data == "definition" and not any(isinstance(each, Tree) and each.data == "parameters" for each in part.children):
            name = part.children[0]
            assert isinstance(name, Token)
            resolver.term(Tree("name", [name], _Meta(name)), resolver.scope)


def _setting(source: SourceText, part: Syntax) -> SpecSetting:
    name, words = part.children[0], part.children[1:]
    assert isinstance(name, Token)
    values = tuple("".join(map(str, word.children)).strip('"') for word in words if isinstance(word, Tree))
    place, known = source.place_of(name), str(name).lower()
    if known not in SETTINGS:
        guess = did_you_mean(known, [*SETTINGS, "invariant", "witness", "constraint"]).upper().replace("DID YOU MEAN", "did you mean")
        raise SpecError(place, f"there is no setting {name}{guess}; a definition is written {name} == ...")
    if len(values) > 1 and known not in LISTED:
        raise SpecError(place, f"{name} takes one value, found {len(values)}")
    _check_value(SpecSetting(known, values, source.place_of(words[0]) if isinstance(words[0], Tree) else place))
    return SpecSetting(known, values, place)


def _check_value(setting: SpecSetting) -> None:
    value = setting.values[0]
    if setting.name in COUNTED and not (value.isdecimal() and int(value) > 0) and (setting.name, value) != ("slots", "any"):
        raise SpecError(setting.place, f"{setting.name.upper()} takes a whole number from 1, found {value}")
    choices = {"expect": (HOLDS, VIOLATED, INCONCLUSIVE), "symmetry": ("on", "off")}.get(setting.name)
    if choices and value not in choices:
        raise SpecError(setting.place, f"{setting.name.upper()} is {' or '.join(choices)}, found {value}{did_you_mean(value, choices)}")
    if setting.name == "time_limit":
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if seconds <= 0:
            raise SpecError(setting.place, f"TIME_LIMIT takes a number of seconds, found {value}")
