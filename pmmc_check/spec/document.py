"""A spec file: its settings, the invariants that it names, and those and the witnesses that are written in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lark import Token, Tree
from lark.tree import Meta

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.properties.invariants import PROPERTIES, Invariant
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.role import System
from pmmc_check.spec.invariants import invariant_of, never
from pmmc_check.spec.parse import SourceText, Syntax, parsed_text
from pmmc_check.spec.place import SpecError, TextPlace
from pmmc_check.spec.resolve import Resolver
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED

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
    def expected(self) -> tuple[str | None, int | None]:
        """The verdict that is expected, and the number of states."""
        verdict, states = self.settings.get("expect"), self.settings.get("states")
        return verdict.values[0] if verdict else None, int(states.values[0]) if states else None


@dataclass(frozen=True)
class Written:
    """The properties that were written: invariants, and the negations of witnesses."""

    invariants: tuple[Invariant, ...]
    witnesses: tuple[Invariant, ...]


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
        syntax.append(part)
    return Spec(source, settings, tuple(named), tuple(syntax))


def written_in(spec: Spec, system: System, protocol: Protocol) -> Written:
    """The properties of `spec` for one system.

    Raises:
        SpecError: a name in it is unknown, or types do not fit.
    """
    resolver = Resolver(system, spec.source)
    invariants: list[Invariant] = []
    witnesses: list[Invariant] = []
    for part in spec.syntax:
        if part.data == "definition":
            resolver.scope = resolver.define(part)
            continue
        kind = str(part.children[0])
        if part.data == "written":
            name, body = part.children[1], part.children[-1]
            assert isinstance(name, Token)
            assert isinstance(body, Tree)
            _check_new(spec.source, name, [*invariants, *witnesses])
            found = [(name, resolver.boolean(body))]
        else:
            names = [each for each in part.children[1:] if isinstance(each, Token)]
            found = []
            for each in names:
                if kind == "INVARIANT" and str(each).lower() in {name.lower() for name in PROPERTIES}:
                    continue
                _check_new(spec.source, each, [*invariants, *witnesses])
                _check_defined(spec.source, each, resolver, kind)
                found.append((each, resolver.boolean(Tree("name", [each], _Meta(each)))))
        make, among = (invariant_of, invariants) if kind == "INVARIANT" else (never, witnesses)
        among += [make(str(name), term, system, protocol) for name, term in found]
    _check_rest(spec, resolver)
    return Written(tuple(invariants), tuple(witnesses))


def expression_as(  # noqa: PLR0917
    option: str, text: str, name: str, system: System, protocol: Protocol, spec: Spec | None = None
) -> Invariant:
    """The invariant that an option's expression states; of `--find` its negation. It may use the definitions of `spec`.

    Raises:
        SpecError: it cannot be read, a name in it is unknown, or types do not fit.
    """
    resolver = Resolver(system, spec.source if spec else SourceText(option, text))
    for part in spec.syntax if spec else ():
        if part.data == "definition":
            resolver.scope = resolver.define(part)
    resolver.source = SourceText(option, text)
    body = parsed_text(resolver.source, "only_expression").children[0]
    assert isinstance(body, Tree)
    make = never if option == "--find" else invariant_of
    return make(name, resolver.boolean(body), system, protocol)


class _Meta(Meta):
    """The place of a name that stands alone, in the form in which Lark gives places."""

    def __init__(self, token: Token) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.empty = False
        self.line, self.column = token.line or 1, token.column or 1
        self.start_pos, self.end_pos = token.start_pos or 0, token.end_pos or 0


def _check_new(source: SourceText, name: Token, known: Iterable[Invariant]) -> None:
    if str(name).lower() in {each.lower() for each in PROPERTIES} or any(each.name == str(name) for each in known):
        raise SpecError(source.place_of(name), f"there is another property called {name}; give this one another name")


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
    values = tuple("".join(map(str, word.children)) for word in words if isinstance(word, Tree))
    place, known = source.place_of(name), str(name).lower()
    if known not in SETTINGS:
        guess = did_you_mean(known, [*SETTINGS, "invariant", "witness"]).upper().replace("DID YOU MEAN", "did you mean")
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
