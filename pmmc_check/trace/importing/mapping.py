"""Reads a mapping: the TOML file that says what the lines of somebody's logs mean. Its schema is `mapping.schema.json`.

All that is wrong in it is told at once, each at its line, with what was expected; nothing in it is ignored.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pmmc_check.errors import did_you_mean
from pmmc_check.trace.errors import TraceError, TraceErrors, Unfit
from pmmc_check.trace.events import Header
from pmmc_check.trace.header import HeaderBuilder
from pmmc_check.trace.importing.fields import FieldMakers, Made
from pmmc_check.trace.importing.rewriting import Numbering, Rewriting, TextRenaming
from pmmc_check.trace.importing.rules import EventPattern, ImportRule, LineCondition
from pmmc_check.trace.importing.templates import getter, list_getter
from pmmc_check.trace.importing.toml_places import TomlPath, lines_of_keys
from pmmc_check.trace.readers.json_reader import take_settings

JSON, TEXT = "json", "text"
_TABLES = ("header", "input", "processes", "ballots", "commands", "defaults", "rule")
_INPUT = ("format", "line", "message", "unmatched", "first_slot", "ballot_stride")
_OF_RULES = ("name", "when", "match", "drop", "once", "needs_answer", "for_each", "emit")


@dataclass(frozen=True)
class LineForm:
    """How a line becomes fields: JSON or text; `pattern` says what is around the JSON (its group `json`), or what the text consists of.
    Expressions of rules are about `message`, a path."""

    format: str
    pattern: re.Pattern[str] | None
    message: str
    refuses_unmatched: bool
    passes_unmatched: bool


@dataclass(frozen=True)
class LogMapping:
    """A mapping as it was read."""

    file: str
    header: Header
    form: LineForm
    rewriting: Rewriting
    rules: tuple[ImportRule, ...]


def read_mapping(path: Path) -> LogMapping:
    """Reads the file.

    Raises:
        TraceError: it cannot be read, is no TOML, or says what no mapping can: `TraceErrors` where more than one thing is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text)
    except OSError as error:
        raise TraceError(str(path), 0, 0, f"cannot be read: {error.strerror or error}; check the path and its permissions") from None
    except UnicodeDecodeError:
        raise TraceError(str(path), 0, 0, "is not UTF-8; save it as UTF-8, as TOML asks") from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        told = str(error).partition(" (at ")[0]
        number, column = (int(line[1]), int(line[2])) if line else (0, 0)
        raise TraceError(str(path), number, column, f"is no TOML: {told}") from None
    except RecursionError:
        raise TraceError(str(path), 0, 0, "tables or lists are nested too deeply for a mapping") from None
    return _MappingReader(str(path), lines_of_keys(text)).mapping(content)


class _MappingReader:
    """Turns what TOML says into a mapping. All methods raise `TraceError`.

    What is wrong is noted where the rest can be read all the same; what stands in its place is never used.
    """

    def __init__(self, file: str, places: dict[TomlPath, int]) -> None:
        self.file, self.places = file, places
        self.mistakes: list[TraceError] = []

    def mapping(self, content: dict[str, Any]) -> LogMapping:
        """The whole."""
        self.only((), content, _TABLES)
        if not self.mistakes:
            for key, example in (("header", "[header]"), ("rule", "[[rule]]")):
                if key not in content:
                    self.note((), f"{example} is missing; docs/import.md has whole mappings to begin with")
        header = self._header(self._table_of("header", content))
        form, numbering = self._input(self._table_of("input", content), header)
        processes, ballots, commands = (self._renaming(key, self._table_of(key, content)) for key in ("processes", "ballots", "commands"))
        rules = self._rules(content)
        if self.mistakes:
            raise TraceErrors(self.mistakes) if len(self.mistakes) > 1 else self.mistakes[0]
        return LogMapping(self.file, header, form, Rewriting(processes, ballots, commands, numbering), rules)

    def note(self, path: TomlPath, problem: str) -> None:
        """Something is wrong there; it is told with what else is."""
        self.mistakes.append(self.error(path, problem))

    def tried(self, make: Callable[[], Made], otherwise: Made) -> Made:
        """What `make` returns; where it raises, that is noted, and `otherwise` stands for it."""
        try:
            return make()
        except TraceError as error:
            self.mistakes.append(error)
            return otherwise

    def _table_of(self, key: str, content: dict[str, Any]) -> dict[str, Any]:
        """One of the tables of a mapping; empty where there is none."""
        return self.tried(lambda: self.table((key,), content.get(key, {})), {})

    # ---- parts ----

    def _header(self, fields: dict[str, Any]) -> Header:
        """The header: each setting by itself, then the logs, which are promises of processes that the settings name."""
        builder, before = HeaderBuilder(), len(self.mistakes)
        settings = {key: value for key, value in fields.items() if key != "logs"}
        logs = fields.get("logs", {})
        promised = [{"logs": {name: each}} for name, each in logs.items()] if isinstance(logs, dict) else [{"logs": logs}]
        for pieces in ([{key: value} for key, value in settings.items()], promised):
            for piece in pieces if len(self.mistakes) == before else ():
                try:
                    take_settings(builder, piece)
                except Unfit as unfit:
                    self.mistakes.append(self._header_error(unfit, fields))
        if len(self.mistakes) == before:
            try:
                return builder.finish()
            except Unfit as unfit:
                self.mistakes.append(self._header_error(unfit, fields))
        return Header()

    def _header_error(self, unfit: Unfit, fields: dict[str, Any]) -> TraceError:
        """The error at its setting; of a log, at that log's line."""
        key = "logs" if unfit.key == "log" else unfit.key.partition(".")[0]
        path: TomlPath = ("header", key) if key else ("header",)
        for name in fields.get("logs", ()) if key == "logs" and isinstance(fields["logs"], dict) else ():
            if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", unfit.problem.partition(";")[0]):
                path = ("header", "logs", name)
                break
        problem = f"{key} is no setting of [header]; it belongs under [input]" if key in _INPUT else unfit.problem
        return self.error(path if path in self.places else ("header",), problem)

    def _input(self, given: dict[str, Any], header: Header) -> tuple[LineForm, Numbering]:
        """How lines, slots and ballots are written."""
        self.only(("input",), given, _INPUT)
        form = self.tried(lambda: self._form(given), LineForm(JSON, None, "", False, False))
        first_slot = self.tried(lambda: self._number(given, "first_slot", 0), None)
        stride = self.tried(lambda: self._number(given, "ballot_stride", 1), None)
        return form, Numbering(header.leaders, 1 if first_slot is None else first_slot, stride)

    def _form(self, given: dict[str, Any]) -> LineForm:
        form = self.word(("input", "format"), given.get("format", JSON), (JSON, TEXT))
        pattern = self.pattern(("input", "line"), given["line"]) if "line" in given else None
        if pattern is not None and form == JSON and "json" not in pattern.groupindex:
            raise self.error(("input", "line"), "of logs in JSON, line = has a group (?P<json>...), in which the object is")
        usual = "message" if pattern is not None and "message" in pattern.groupindex else "@line" if form == TEXT else "message"
        message = self.text(("input", "message"), given.get("message", usual))
        unmatched = self.word(("input", "unmatched"), given.get("unmatched", "ignore"), ("ignore", "refuse"))
        return LineForm(form, pattern, message, unmatched == "refuse", "unmatched" in given and unmatched == "ignore")

    def _number(self, given: dict[str, Any], key: str, least: int) -> int | None:
        value = given.get(key)
        if value is not None and (type(value) is not int or value < least):
            raise self.error(("input", key), f"{key} = {value!r}: expected a number from {least}")
        return value

    def _renaming(self, key: str, given: dict[str, Any]) -> TextRenaming:
        whole: dict[str, str] = {}
        patterns: list[tuple[re.Pattern[str], str]] = []
        for old, new in given.items():
            text = self.tried(partial(self.text, (key, old), new), "")
            if len(old) > 1 and old.startswith("/") and old.endswith("/"):
                pattern = self.tried(partial(self.pattern, (key, old), old[1:-1]), None)
                if pattern is not None:
                    self._check_groups((key, old), pattern, text)
                    patterns.append((pattern, text))
            else:
                whole[old] = text
        return TextRenaming(whole, patterns)

    def _check_groups(self, path: TomlPath, pattern: re.Pattern[str], text: str) -> None:
        try:
            pattern.sub(text, "")
        except (re.error, IndexError) as error:
            self.note(path, f"{text!r} does not fit its expression: {error}; \\1 is its first group")

    def _rules(self, content: dict[str, Any]) -> tuple[ImportRule, ...]:
        tables = content.get("rule", ())
        if "rule" in content and (not isinstance(tables, list) or not tables):
            self.note(("rule",), "expected tables [[rule]], one for each kind of line")
            tables = ()
        makers = FieldMakers(self)
        defaults = self._table_of("defaults", content)
        makers.check_defaults(defaults)
        rules = (self.tried(partial(self._rule, number, table, makers, defaults), None) for number, table in enumerate(tables))
        return tuple(rule for rule in rules if rule is not None)

    def _rule(self, number: int, given: Any, makers: FieldMakers, defaults: dict[str, Any]) -> ImportRule:
        path: TomlPath = ("rule", number)
        table = self.table(path, given)
        drops = self._flag(path, "drop", table)
        shared = {key: value for key, value in table.items() if key not in _OF_RULES}
        if drops:
            self.only(path, table, ("name", "when", "match", "drop"))
        acts = "emit" in table or "do" in table
        if not drops and not acts:
            self.note(path, "a rule has do = and msg = (an event), emit = [...] (several), or drop = true")
        if "when" not in table and "match" not in table:
            self.note(path, "a rule has when = or match =, which say of what lines it speaks")
        events: tuple[EventPattern, ...] = ()
        if "emit" in table:
            emitted = table["emit"]
            if not isinstance(emitted, list) or not emitted:
                raise self.error((*path, "emit"), "expected a list of events, or tables [[rule.emit]]")
            inherited = [((*path,), shared), (("defaults",), defaults)]
            makers.check_shared(path, shared)
            made = (self.tried(partial(makers.event, (*path, "emit", index), each, inherited), None) for index, each in enumerate(emitted))
            events = tuple(event for event in made if event is not None)
        elif acts and not drops:
            event = self.tried(partial(makers.event, path, shared, [(("defaults",), defaults)]), None)
            events = (event,) if event is not None else ()
        name, for_each = (*path, "name"), (*path, "for_each")
        return ImportRule(
            self.tried(lambda: self.text(name, table.get("name", self._title(table))), ""),
            self.line(path),
            self.tried(lambda: self._conditions((*path, "when"), table.get("when", {})), ()),
            self.tried(lambda: self.pattern((*path, "match"), table["match"]), None) if "match" in table else None,
            drops,
            self._flag(path, "once", table),
            self._flag(path, "needs_answer", table),
            list_getter(self.tried(lambda: self.text(for_each, table["for_each"]), ""), "for_each") if "for_each" in table else None,
            events,
        )

    def _flag(self, path: TomlPath, key: str, table: dict[str, Any]) -> bool:
        return self.tried(lambda: self.truth((*path, key), table.get(key, False)), False)

    def _title(self, table: dict[str, Any]) -> str:
        """What a rule is called that has no name."""
        if table.get("drop"):
            return "dropped"
        events = table["emit"] if isinstance(table.get("emit"), list) else [table]
        return ", ".join(f"{each.get('do', '')} {each.get('msg', '')}".strip() for each in events if isinstance(each, dict)) or "rule"

    def _conditions(self, path: TomlPath, given: Any) -> tuple[LineCondition, ...]:
        """Tables within `when` are keys with dots, but for those that say `like` or `present`."""
        found: list[LineCondition] = []
        stack = [(path, "", self.table(path, given))]
        while stack:
            at, prefix, table = stack.pop()
            for key, value in table.items():
                inner, name = (*at, key), f"{prefix}{key}"
                if isinstance(value, dict) and not {"like", "present"} & set(value):
                    stack.append((inner, f"{name}.", value))
                else:
                    condition = self.tried(partial(self._condition, inner, name, value), None)
                    found += [condition] if condition is not None else []
        return tuple(found)

    def _condition(self, path: TomlPath, name: str, value: Any) -> LineCondition:
        if isinstance(value, dict):
            self.only(path, value, ("like", "present"))
            present = self.truth((*path, "present"), value["present"]) if "present" in value else None
            like = self.pattern((*path, "like"), value["like"]) if "like" in value else None
            if present is not None and like is not None:
                raise self.error(path, "like = and present = exclude each other; leave one")
            return LineCondition(name, getter(name), pattern=like, present=present)
        values = value if isinstance(value, list) else [value]
        for each in values:
            if not isinstance(each, str | int):
                raise self.error(
                    path, f"{name} = {each!r}: expected a text, a number, true, false, or a list of them; or {{ like = 'expression' }}"
                )
        texts = (each if isinstance(each, str) else str(each).lower() for each in values)
        return LineCondition(name, getter(name), frozenset(texts))

    # ---- values ----

    def line(self, path: TomlPath) -> int:
        """Where something is said, or what is around it."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def error(self, path: TomlPath, problem: str) -> TraceError:
        """That something is wrong there."""
        return TraceError(self.file, self.line(path), 0, problem)

    def only(self, path: TomlPath, table: dict[str, Any], known: Collection[str]) -> None:
        """Notes the keys of a table that are none of the known ones."""
        for key in table:
            if key not in known:
                where = ".".join(str(each) for each in path if isinstance(each, str))
                told = f"{key} is no key of {where}" if where else f"[{key}] is no table of a mapping"
                if where and key in _INPUT:
                    self.note((*path, key), f"{told}; it belongs under [input]")
                else:
                    self.note((*path, key), f"{told}{did_you_mean(key, known)}; expected some of {', '.join(known)}")

    def table(self, path: TomlPath, value: Any) -> dict[str, Any]:
        """A table."""
        if not isinstance(value, dict):
            raise self.error(path, f"{path[-1]}: expected a table, found {_kind(value)}")
        return value

    def text(self, path: TomlPath, value: Any) -> str:
        """A text."""
        if not isinstance(value, str):
            raise self.error(path, f"{path[-1]}: expected a text in quotes, found {_kind(value)}")
        return value

    def truth(self, path: TomlPath, value: Any) -> bool:
        """true or false."""
        if not isinstance(value, bool):
            raise self.error(path, f"{path[-1]}: expected true or false, found {_kind(value)}")
        return value

    def word(self, path: TomlPath, value: Any, known: Collection[str]) -> str:
        """One of some words."""
        text = self.text(path, value)
        if text not in known:
            raise self.error(path, f"{path[-1]} = {text!r}{did_you_mean(text, known)}; expected one of {', '.join(known)}")
        return text

    def pattern(self, path: TomlPath, value: Any) -> re.Pattern[str]:
        """A regular expression."""
        try:
            return re.compile(self.text(path, value))
        except (re.error, OverflowError, RecursionError) as error:
            raise self.error(
                path, f"{path[-1]}: no regular expression: {error}; TOML's 'single quotes' keep backslashes as they are"
            ) from None


def _kind(value: Any) -> str:
    return {dict: "a table", list: "a list", str: "a text", bool: "a truth value", int: "a number", float: "a number"}.get(
        type(value), "a date"
    )
