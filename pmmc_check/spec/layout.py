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
        for token in stream:
            column, first_in_line = token.column or 1, token.line != last_line
            last_line = token.end_line or token.line or 0
            while stack and stack[-1].column and column <= stack[-1].column and not self._continues(stack[-1], token, first_in_line):
                stack.pop()
                yield self._made("CLOSE_LIST", token)
                last = "CLOSE_LIST"
            if token.type in {"AND", "OR"} and stack and first_in_line and self._continues(stack[-1], token, first_in_line):
                last = f"NEXT_{token.type}"
                yield self._made(last, token)
                continue
            if token.type in {"AND", "OR"} and last not in _ENDS_OPERAND:
                stack.append(_Open(token.type, column))
                last = f"OPEN_{token.type}"
                yield self._made(last, token)
                continue
            yield from self._bracketed(stack, token)
            last = token.type
            yield token
        yield from (Token("CLOSE_LIST", "") for each in stack if each.column)

    @staticmethod
    def _continues(top: _Open, token: Token, first_in_line: bool) -> bool:
        return first_in_line and token.type == top.kind and token.column == top.column

    def _bracketed(self, stack: list[_Open], token: Token) -> Iterator[Token]:
        """Opens and closes brackets; a closing one, and a comma outside of a quantifier's names, ends the lists within."""
        kind = token.type
        if kind in _CLOSERS and any(_OPENERS.get(each.kind) == kind for each in stack):
            while stack and _OPENERS.get(stack[-1].kind) != kind:
                if stack.pop().column:
                    yield self._made("CLOSE_LIST", token)
            if stack:
                stack.pop()
        elif kind == "COLON" and stack and stack[-1].kind in _BINDERS:
            stack.pop()
        elif kind in {"COMMA", "COLON"} and any(each.kind in _OPENERS for each in stack):
            while stack[-1].column:
                stack.pop()
                yield self._made("CLOSE_LIST", token)
        if kind in _OPENERS or kind in _BINDERS:
            stack.append(_Open(kind, 0))

    @staticmethod
    def _made(kind: str, near: Token) -> Token:
        return Token.new_borrow_pos(kind, str(near) if kind != "CLOSE_LIST" else "", near)
