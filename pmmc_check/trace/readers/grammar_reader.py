"""Reads the DSL by its grammar: slowly, completely, and with all diagnostics.

Each line is parsed on its own (the grammar's `line`), so a trace is read as a stream. The fast reader hands over whatever it is not sure
of.
"""

from __future__ import annotations

import functools
import re
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from pmmc_check.trace.errors import TraceError, Unfit
from pmmc_check.trace.events import COMPLETE, KINDS, MIDDLE, NONE, PARTIAL, PERFORM, Event, Perform
from pmmc_check.trace.fields import ACTION_OF_VERB, ATTRIBUTE
from pmmc_check.trace.header import CONFIGURATIONS, IGNORE, NUMBER_SETTINGS, WORD_SETTINGS, HeaderBuilder
from pmmc_check.trace.readers.event_builder import EventBuilder
from pmmc_check.trace.values import NUMBER_MAX, plain_word

MAGIC, CONFIG, LOG, EVENT, EMPTY = "magic", "config", "log", "event", "empty"

_ACTIONS = {"receive" if verb == "recv" else verb: action for verb, action in ACTION_OF_VERB.items()}
_KEYS = {attribute: key for key, attribute in ATTRIBUTE.items()}
_TOO_MANY_DIGITS = re.compile(rf"[0-9]{{{len(str(NUMBER_MAX)) + 1},}}")
_SHOWN = {
    "NAME": "a process name",
    "INT": "a number",
    "BALLOT": "a ballot such as 0.L1",
    "BALLOT_SLOT": "a ballot and slot such as 0.L1/3",
    "PVALUE": "a pvalue such as 0.L1/3/C1:7",
    "COMMAND": "a command such as C1:7, or noop",
    "WORD": "a word",
    "STRING": 'a string in "quotes"',
    "META": "meta.NAME=",
    "KIND": "a message kind",
    "YES_NO": "yes or no",
    "REQUESTS": "once, resent or list",
    "PROPOSALS": "eager or lazy",
    "DECISIONS": "single or batched",
    "ANSWERS": "heeded or ignored",
    "SENDS": "once or repeated",
    "APPLICATION": "opaque or log",
    "RESTARTS": "logged or any",
    "BALLOTS": "next or any",
    "$END": "the end of the line",
    "_NEWLINE": "the end of the line",
    "COMMENT": "a comment",
}


@functools.cache
def grammar() -> Lark:
    """The grammar, read from the package and compiled once."""
    text = files("pmmc_check.trace").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", start=["start", "line"], propagate_positions=True)


class Line:
    """One parsed line: what it is, and the parts of it."""

    def __init__(self, file: str, number: int, text: str) -> None:
        self.file, self.number, self.text = file, number, text
        self.columns: dict[str, int] = {}
        self.tree = self._parse()
        self.form = EMPTY if self.tree is None else _head(self.tree)

    def _parse(self) -> Tree[Token] | None:
        if not self.text.strip(" \t") or self.text.lstrip(" \t").startswith("#"):
            return None
        try:
            whole: Tree[Token] = grammar().parse(self.text, start="line")
        except UnexpectedInput as error:
            raise self._syntax(error) from None
        inner = whole.children[0]
        assert isinstance(inner, Tree), "every line of the grammar is a rule"
        return inner

    @property
    def note(self) -> str | None:
        """The trailing comment: the grammar ignores it, conversion keeps it. No `#` can occur outside of strings."""
        in_string = escaped = False
        for index, character in enumerate(self.text):
            if escaped:
                escaped = False
            elif in_string:
                escaped, in_string = character == "\\", character != '"'
            elif character == "#":
                return self.text[index + 1 :].strip()
            else:
                in_string = character == '"'
        return None

    def error(self, unfit: Unfit) -> TraceError:
        """The error, placed at the field it names."""
        return TraceError(self.file, self.number, self.columns.get(unfit.key, 0), unfit.problem, self.text)

    def _syntax(self, error: UnexpectedInput) -> TraceError:
        if isinstance(error, UnexpectedCharacters):
            found, expected = f"unexpected {self.text[error.pos_in_stream or 0]!r}", error.allowed or set()
        elif isinstance(error, UnexpectedToken) and error.token.type != "$END":
            found, expected = f"unexpected {str(error.token)[:40]!r}", error.accepts or error.expected
        else:
            found, expected = "the line ends too early", set(getattr(error, "expected", ()))
        for digits in _TOO_MANY_DIGITS.finditer(self.text):
            if digits.start() < error.column <= digits.end() + 1:
                problem = f"a number of {len(digits[0])} digits; numbers go up to {NUMBER_MAX}"
                return TraceError(self.file, self.number, digits.start() + 1, problem, self.text)
        ended = isinstance(error, UnexpectedEOF) or getattr(getattr(error, "token", None), "type", "") == "$END"
        column = len(self.text) + 1 if ended else error.column
        listed = sorted({_terminal(name) for name in expected if name != "COMMENT"})
        problem = f"{found}; expected {' or '.join(listed) if listed else 'nothing more'}"
        return TraceError(self.file, self.number, column, problem, self.text)

    # ---- what the parts are ----

    def magic(self) -> tuple[int, bool]:
        """Version, and whether this file is one part of a trace."""
        children = self._children()
        return int(str(children[0])), len(children) > 1

    def configure(self, builder: HeaderBuilder) -> None:
        """Gives the settings of a `config` line to `builder`."""
        for setting in self._children():
            words = [str(each) if isinstance(each, Token) else _words(each) for each in setting.children]
            key = str(setting.data)
            self._mark(str(words[0])[:-1] if key == "meta" else key, setting)
            if key == "meta":
                builder.set_meta(str(words[0])[5:-1], plain_word(str(words[1])))
            elif key in NUMBER_SETTINGS:
                builder.set(key, int(str(words[0])))
            elif key in WORD_SETTINGS:
                builder.set(key, words[0])
            elif key == "network":
                builder.set(key, tuple(_words(each)[0] for each in setting.children))
            elif key == IGNORE:
                builder.set(key, tuple(plain_word(_words(each)[0]) for each in setting.children))
            elif key == CONFIGURATIONS:
                builder.set(key, tuple(tuple(tuple(_words(names)) for names in each.children) for each in setting.children))
            else:
                builder.set(key, tuple(words[1]))

    def contract(self, builder: HeaderBuilder) -> None:
        """Gives the contract of a `log` line to `builder`."""
        names, contract = self._children()
        self._mark("log", names)
        form = {"complete": COMPLETE, "none": NONE, "middle": MIDDLE}.get(str(contract.data), PARTIAL)
        builder.log(tuple(_words(names)), form, tuple(_words(contract)))

    def event(self, event_builder: EventBuilder) -> Event | Perform:
        """The event of an event line. Raises `Unfit`."""
        tree = self._children()[0] if self.tree is not None and self.tree.data == "event" else self.tree
        assert tree is not None, "only an event line is asked for its event"
        raw: dict[str, Any] = {}
        post: dict[str, Any] | None = None
        kind = None
        log = ""
        for part in tree.children:
            assert isinstance(part, Tree), "an event consists of rules"
            name = str(part.data)
            if name == "process":
                log = str(part.children[0])
                self._mark("process", part)
            elif name == "message":
                kind = self._message(part, raw)
            elif name in _KEYS:
                self._field(part, raw)
            elif name == "post":
                post = self._post(part)
            else:
                self._options(part, raw)
        if tree.data == PERFORM:
            return event_builder.perform(log, raw, self.note, self.file, self.number)
        action = _ACTIONS[str(tree.data)]
        return event_builder.event(log, action, kind, raw, post, self.note, self.file, self.number)

    def _message(self, tree: Tree[Token], raw: dict[str, Any]) -> str:
        start = tree.meta.column - 1
        for part in tree.children:
            assert isinstance(part, Tree), "a field is a rule"
            self._field(part, raw)
        return next(kind for kind in KINDS if self.text.startswith(kind, start))

    def _field(self, part: Tree[Token], raw: dict[str, Any]) -> None:
        key = _KEYS.get(str(part.data), str(part.data))
        self._mark(key, part)
        raw[key] = _value(part)

    def _options(self, tree: Tree[Token], raw: dict[str, Any]) -> None:
        for part in tree.children:
            assert isinstance(part, Tree), "an option is a rule"
            if part.data == "tags":
                self._options(part, raw)
            else:
                self._mark(str(part.data), part)
                text = ",".join(_words(part))
                raw[str(part.data)] = self._id(text) if part.data == "id" else text

    def _id(self, text: str) -> str:
        name = plain_word(text)
        if not name.isprintable():
            raise Unfit("an id has printable characters only", "id")
        return name

    def _post(self, tree: Tree[Token]) -> dict[str, Any]:
        self._mark("|", tree)
        post: dict[str, Any] = {}
        for part in tree.children:
            assert isinstance(part, Tree), "a recorded value is a rule"
            key = str(part.data).removeprefix("post_")
            self._mark(f"| {key}", part)
            if key in post:
                raise Unfit(f"{key}= is recorded twice; leave one", f"| {key}")
            post[key] = _value(part)
        return post

    def _children(self) -> list[Any]:
        assert self.tree is not None, "only a line with content has parts"
        return list(self.tree.children)

    def _mark(self, key: str, tree: Tree[Token]) -> None:
        if not tree.meta.empty:
            self.columns[key] = tree.meta.column


def _head(tree: Tree[Token]) -> str:
    return EVENT if str(tree.data) in _ACTIONS or tree.data == PERFORM else str(tree.data)


def _words(tree: Any) -> list[str]:
    return [str(each) for each in tree.children if each is not None]


def _value(tree: Tree[Token]) -> Any:
    """The text of a field, or (is it a delta, members) of a set."""
    child = tree.children[0]
    if isinstance(child, Token):
        return str(child)
    if child.data == "delta":
        return True, _words(child.children[0])
    return False, _words(child)


def _terminal(name: str) -> str:
    if name in _SHOWN:
        return _SHOWN[name]
    try:
        pattern = grammar().get_terminal(name).pattern
    except KeyError:
        return name.lower()
    return str(pattern.value) if pattern.type == "str" else name.lower()
