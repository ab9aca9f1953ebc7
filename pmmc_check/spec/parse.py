"""Text to syntax: a tree by the grammar, or one error that says what was expected where."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from pmmc_check.errors import did_you_mean
from pmmc_check.spec.layout import AlignedLists
from pmmc_check.spec.place import SpecError, TextPlace

Syntax = Tree[Token]

DEPTH_MAX = 60
"""Expressions may be nested so deep: deeper ones are no one's, and would exhaust Python's stack."""

_SHOWN = {
    "NAME": "a name",
    "NUMBER": "a number",
    "RPAR": "`)`",
    "RSQB": "`]`",
    "RBRACE": "`}`",
    "COLON": "`:`",
    "COMMA": "`,`",
    "IN_SET": r"`\in`",
    "EQUALS_BY_DEFINITION": "`==`",
    "THEN": "THEN",
    "ELSE": "ELSE",
    "IN": "IN",
    "MAPS_TO": "`|->`",
    "$END": "the end",
}
_BEGINS_EXPRESSION = {"FORALL", "EXISTS", "IF", "LET", "CHOOSE"}

_ENDS_EXPRESSION = {
    *("$END", "RPAR", "RSQB", "RBRACE", "COMMA", "AND", "OR", "IMPLIES", "IFF", "THEN", "ELSE", "IN"),
    *("CLOSE_LIST", "NEXT_AND", "NEXT_OR", "INVARIANT", "WITNESS", "CONSTRAINT"),
}


@dataclass(frozen=True)
class SourceText:
    """A text and where it comes from: a file's path, or an option."""

    name: str
    text: str

    def place(self, line: int, column: int) -> TextPlace:
        """A place in it."""
        lines = self.text.splitlines() or [""]
        at = min(max(line, 1), len(lines))
        return TextPlace(self.name, at, max(column, 1), lines[at - 1])

    def place_of(self, part: Syntax | Token) -> TextPlace:
        """Where a part begins."""
        if isinstance(part, Token):
            return self.place(part.line or 1, part.column or 1)
        return self.place(getattr(part.meta, "line", 1), getattr(part.meta, "column", 1))

    def excerpt(self, part: Syntax) -> str:
        """The text of a part, in one line."""
        start, end = getattr(part.meta, "start_pos", 0), getattr(part.meta, "end_pos", 0)
        return " ".join(self.text[start:end].split())


@functools.cache
def _grammar() -> Lark:
    text = files("pmmc_check.spec").joinpath("spec.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="basic", postlex=AlignedLists(), start=["start", "only_expression"], propagate_positions=True)


def parsed_text(source: SourceText, start: str = "start") -> Syntax:
    """The tree of a spec (`start`), or of a single expression (`only_expression`).

    Raises:
        SpecError: it does not follow the grammar.
    """
    try:
        tree: Syntax = _grammar().parse(source.text, start=start)
    except UnexpectedCharacters as error:
        raise SpecError(source.place(error.line, error.column), f"{error.char!r} has no meaning here") from None
    except UnexpectedToken as error:
        if (taken := _body_taken_for_arguments(error)) is not None:
            raise SpecError(
                source.place(taken.end_line or 1, taken.end_column or 1),
                f"expected `:` after {taken}, where the set ends: without it, what is in the brackets is read as arguments of {taken}",
            ) from None
        raise SpecError(_place(source, error.token), _problem(error)) from None
    except UnexpectedInput as error:
        raise SpecError(source.place(error.line, error.column), "this cannot be read") from None
    return tree


def _body_taken_for_arguments(error: UnexpectedToken) -> Token | None:
    r"""The name of the set in `\A s \in Slots (...)`, whose colon is missing: the text then seems to end too early, much later."""
    stack = error.interactive_parser.parser_state.value_stack if error.interactive_parser else []
    if error.token.type not in _ENDS_EXPRESSION or len(stack) < 2 or "COLON" not in (error.accepts or ()):
        return None
    before = [each for each in stack[:-1] if not (isinstance(each, Tree) or each.type in {"NAME", "COMMA"})]
    applied, quantified = stack[-1], [each.type for each in before[-2:]]
    if not (isinstance(applied, Tree) and applied.data == "applied" and isinstance(applied.children[0], Token)):
        return None
    return applied.children[0] if quantified in (["FORALL", "IN_SET"], ["EXISTS", "IN_SET"], ["CHOOSE", "IN_SET"]) else None


def _place(source: SourceText, token: Token) -> TextPlace:
    if token.type == "$END":
        lines = source.text.splitlines() or [""]
        return source.place(len(lines), len(lines[-1]) + 1)
    return source.place_of(token)


def _problem(error: UnexpectedToken) -> str:
    token = error.token
    accepted = {name for name in error.accepts or () if name in _SHOWN}
    if _BEGINS_EXPRESSION & (error.accepts or set()):
        wanted = ["an expression"]
    else:
        wanted = [shown for name, shown in _SHOWN.items() if name in accepted and name not in {"COMMA", "$END"}] or [
            "the next definition or setting"
        ]
    ends = token.type in {"$END", "CLOSE_LIST"}
    found = "the end of the text" if token.type == "$END" else "the end of this list" if ends else f"`{token}`"
    hint = ""
    if token.type in {"AND", "OR"}:
        hint = r"; put brackets where /\ and \/ are mixed"
    elif token.type == "NAME":
        hint = did_you_mean(str(token), ["INVARIANT", "WITNESS", "CONSTRAINT", "THEN", "ELSE", "IN"])
    return f"expected {' or '.join(wanted)}, found {found}{hint}"
