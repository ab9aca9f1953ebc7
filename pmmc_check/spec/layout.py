"""Aligned lists of conjuncts and disjuncts: turns `/\\` and `\\/` at the beginning of an expression into tokens that open, continue and
close a list, by the rule of TLA+: a list goes on while what follows stands to the right of its bullets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lark import Token

_ENDS_OPERAND = {"NAME", "NUMBER", "RPAR", "RSQB", "RBRACE", "CLOSE_LIST"}
_OPENERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE", "IF": "THEN", "THEN": "ELSE", "LET": "IN"}
_CLOSERS = set(_OPENERS.values())
_BINDERS = {"FORALL", "EXISTS"}


class _Open(NamedTuple):
    """Something that is open: a list with its bullet's column, or a bracket (column 0)."""

    kind: str
    column: int


class AlignedLists:
    """In the form in which Lark takes a filter of tokens."""

    always_accept = ()

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The same tokens, with those of lists."""
        stack: list[_Open] = []
        last = ""
        last_line = 0
        before: Token | None = None
        for token in stream:
            column, first_in_line = token.column or 1, token.line != last_line
            last_line = token.end_line or token.line or 0
            while stack and stack[-1].column and column <= stack[-1].column and not self._continues(stack[-1], token, first_in_line):
                stack.pop()
                yield _closing(token, before)
                last = "CLOSE_LIST"
            if token.type in {"AND", "OR"} and stack and first_in_line and self._continues(stack[-1], token, first_in_line):
                last = f"NEXT_{token.type}"
                yield Token.new_borrow_pos(last, str(token), token)
                continue
            if token.type in {"AND", "OR"} and last not in _ENDS_OPERAND:
                stack.append(_Open(token.type, column))
                last = f"OPEN_{token.type}"
                yield Token.new_borrow_pos(last, str(token), token)
                continue
            yield from self._bracketed(stack, token, before)
            last, before = token.type, token
            yield token
        yield from (Token("CLOSE_LIST", "") for each in stack if each.column)

    @staticmethod
    def _continues(top: _Open, token: Token, first_in_line: bool) -> bool:
        return first_in_line and token.type == top.kind and token.column == top.column

    @staticmethod
    def _bracketed(stack: list[_Open], token: Token, before: Token | None) -> Iterator[Token]:
        """Opens and closes brackets; a closing one, and a comma outside of a quantifier's names, ends the lists within."""
        kind = token.type
        if kind in _CLOSERS and any(_OPENERS.get(each.kind) == kind for each in stack):
            while stack and _OPENERS.get(stack[-1].kind) != kind:
                if stack.pop().column:
                    yield _closing(token, before)
            if stack:
                stack.pop()
        elif kind == "COLON" and stack and stack[-1].kind in _BINDERS:
            stack.pop()
        elif kind in {"COMMA", "COLON"} and any(each.kind in _OPENERS for each in stack):
            while stack[-1].column:
                stack.pop()
                yield _closing(token, before)
        if kind in _OPENERS or kind in _BINDERS:
            stack.append(_Open(kind, 0))


def _closing(following: Token, before: Token | None) -> Token:
    """The end of a list: it stands at the token that ends it, but what is in the list ends with the token before."""
    closing = Token.new_borrow_pos("CLOSE_LIST", "", following)
    if before is not None:
        closing.end_line, closing.end_column, closing.end_pos = before.end_line, before.end_column, before.end_pos
    return closing
