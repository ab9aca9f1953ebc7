"""Reads logs by a mapping: line by line, in memory that does not grow with them."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from pmmc_check.trace.errors import TraceError, Unfit
from pmmc_check.trace.events import PERFORM, RECEIVE, RESTART, SEND, Event, Names, Perform
from pmmc_check.trace.importing.mapping import JSON, LogMapping
from pmmc_check.trace.importing.rules import EventPattern, ImportRule, RawField, each_member
from pmmc_check.trace.importing.templates import NOT_THERE, Fields, getter, shown_plainly
from pmmc_check.trace.readers.event_builder import EventBuilder
from pmmc_check.trace.readers.fast_reader import FastReader
from pmmc_check.trace.readers.lines import lines
from pmmc_check.trace.values import Values, show_word
from pmmc_check.trace.writer import DslWriter

REPETITIONS_REMEMBERED = 65_536
"""Of one process: an event that comes again after so many others of rules with `once` is not known as a repetition."""
_LOG_LINE = re.compile(r"add a line: log (\S+) complete")
"""The advice for a trace in the DSL; whoever writes a mapping says the same in TOML."""
EXAMPLES_KEPT, KEYS_KEPT = 10, 1000
_NO_MEMBERS: Any = ({},)


class _NotJson(Unfit):
    """A line of a log in JSON that is none."""


class Imported(NamedTuple):
    """An event of a log, and its line in the DSL."""

    event: Event | Perform
    text: str


@dataclass
class RuleCount:
    """What came of the lines of one rule."""

    rule: ImportRule
    lines: int = 0
    events: int = 0
    repeated: int = 0
    unanswered: int = 0


@dataclass
class ImportReport:
    """What was read so far: lines, those of each rule, and the first of those that nobody matched or that made no event."""

    rules: list[RuleCount]
    lines: int = 0
    events: int = 0
    unmatched: int = 0
    wrong: int = 0
    first_unmatched: list[TraceError] = field(default_factory=list)
    first_wrong: list[TraceError] = field(default_factory=list)


class Importer:
    """Makes the events of logs. `strict`: the first line that makes no event ends it; otherwise such lines are counted.

    `origins`: each event has its file and line as its id, such as `A1.log+17`.
    """

    def __init__(self, mapping: LogMapping, *, strict: bool = True, origins: bool = True) -> None:
        self.mapping, self.strict, self.origins = mapping, strict, origins
        self.names = Names(mapping.header)
        self.values = Values(self.names)
        self.report = ImportReport([RuleCount(rule) for rule in mapping.rules])
        self._builder = EventBuilder(self.values)
        self.keys: set[str] = set()
        """The keys of lines; known where this is not strict."""
        self._message = getter(mapping.form.message)
        self._candidates = _dispatch(self.report.rules)

    def events(self, log: Path) -> Iterator[Imported]:
        """The events of one log.

        Raises:
            TraceError: it cannot be read; or, where this is strict, one of its lines makes no event.
        """
        return self._answered(self._once(self._events(log)))

    def _events(self, log: Path) -> Iterator[tuple[RuleCount, Imported]]:
        maker = _EventMaker(self, log)
        stem = log.name.partition(".")[0]
        report = self.report
        for number, text in lines(log):
            if not text or text.isspace():
                continue
            report.lines += 1
            try:
                fields = self._fields(text, stem)
                count, found = (None, None) if fields is None else self._rule(fields)
            except _NotJson as unfit:
                self._not_json(TraceError(str(log), number, 0, unfit.problem, text))
                continue
            except Unfit as unfit:
                self._unmatched(TraceError(str(log), number, 0, unfit.problem, text))
                continue
            if count is None or found is None:
                self._unmatched(TraceError(str(log), number, 0, "no rule matches this line", text))
                continue
            count.lines += 1
            if count.rule.drops:
                continue
            try:
                for imported in maker.made(count.rule, found, number):
                    count.events += 1
                    report.events += 1
                    yield count, imported
            except Unfit as unfit:
                rule = count.rule
                problem = _LOG_LINE.sub(r'add \1 = "complete" under [header.logs] of the mapping', unfit.problem)
                self._wrong(TraceError(str(log), number, 0, f"{problem} ({self.mapping.file}:{rule.line}, {rule.name})", text))

    def _once(self, events: Iterator[tuple[RuleCount, Imported]]) -> Iterator[tuple[RuleCount, Imported]]:
        """Without repetitions, of rules that ask for it; a process that restarts begins anew."""
        seen: dict[str, OrderedDict[Any, None]] = {}
        for count, imported in events:
            event = imported.event
            if event.action == RESTART:
                seen.pop(event.log, None)
            if count.rule.once:
                known = seen.setdefault(event.log, OrderedDict())
                key = event[: 5 if type(event) is Event else 4]
                if key in known:
                    count.repeated += 1
                    self._leave_out(count)
                    continue
                known[key] = None
                if len(known) > REPETITIONS_REMEMBERED:
                    known.popitem(last=False)
            yield count, imported

    def _answered(self, events: Iterator[tuple[RuleCount, Imported]]) -> Iterator[Imported]:
        """Without receives that their process did not answer, of rules that ask for it."""
        held: dict[str, tuple[RuleCount, Imported]] = {}
        for count, imported in events:
            log = imported.event.log
            waiting = held.pop(log, None)
            if waiting is not None:
                if imported.event.action in (SEND, PERFORM):
                    yield waiting[1]
                else:
                    waiting[0].unanswered += 1
                    self._leave_out(waiting[0])
            if count.rule.needs_answer and imported.event.action == RECEIVE:
                held[log] = count, imported
            else:
                yield imported
        for count, _ in held.values():
            count.unanswered += 1
            self._leave_out(count)

    def _leave_out(self, count: RuleCount) -> None:
        count.events -= 1
        self.report.events -= 1

    def _fields(self, text: str, stem: str) -> dict[str, Any] | None:
        """The fields of a line; None where it has not the form of this log's lines. Raises `Unfit`."""
        form = self.mapping.form
        around: dict[str, Any] = {}
        if form.pattern is not None:
            match = form.pattern.search(text)
            if match is None:
                raise Unfit("this line is not as [input] line = says")
            around = match.groupdict()
            text = around.pop("json", text) if form.format == JSON else text
        if form.format == JSON:
            try:
                fields = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                raise _NotJson(f"this line is no JSON: {error.msg}") from None
            if not isinstance(fields, dict):
                raise _NotJson("this line is no JSON object")
            fields.update(around)
        else:
            fields = {key: each for key, each in around.items() if each is not None}
            fields["@line"] = text
        if not self.strict and len(self.keys) < KEYS_KEPT:
            self.keys.update(fields)
        fields["@file"] = stem
        return fields

    def _rule(self, fields: dict[str, Any]) -> tuple[RuleCount | None, Fields | None]:
        for count in self._candidates(fields):
            found = count.rule.matches(fields, self._message)
            if found is not None:
                return count, found
        return None, None

    def _not_json(self, error: TraceError) -> None:
        """A line that may be damaged; only a mapping that says so passes it by."""
        if self.mapping.form.passes_unmatched:
            self._unmatched(error)
            return
        error.problem += '; mend the log, or write unmatched = "ignore" under [input] if lines of another form belong in it'
        self._wrong(error)

    def _unmatched(self, error: TraceError) -> None:
        if self.strict and self.mapping.form.refuses_unmatched:
            error.problem += '; [input] unmatched = "refuse" asks for a rule for every line'
            raise error
        self.report.unmatched += 1
        if len(self.report.first_unmatched) < EXAMPLES_KEPT:
            self.report.first_unmatched.append(error)

    def _wrong(self, error: TraceError) -> None:
        if self.strict:
            raise error
        self.report.wrong += 1
        if len(self.report.first_wrong) < EXAMPLES_KEPT:
            self.report.first_wrong.append(error)


class _EventMaker:
    """The events of one log's lines."""

    def __init__(self, importer: Importer, log: Path) -> None:
        self.file, self.origins = str(log), importer.origins
        self.origin = "".join(each if each.isascii() and (each.isalnum() or each in "_.-") else "_" for each in log.name)
        self.rewriting, self.builder = importer.mapping.rewriting, importer._builder
        self.fast = FastReader(importer._builder, self.file).event
        self.writer = DslWriter(importer.values)

    def made(self, rule: ImportRule, fields: Fields, number: int) -> Iterator[Imported]:
        """The events of a line. Raises `Unfit`."""
        members = _NO_MEMBERS
        if rule.members is not None:
            value = rule.members(fields)
            members = () if value is NOT_THERE else each_member(value)
        for member in members:
            whole = {**fields, **member} if member else fields
            for pattern in rule.events:
                yield self._event(pattern, whole, number)

    def _event(self, pattern: EventPattern, fields: Fields, number: int) -> Imported:
        at = pattern.at(fields)
        if at is None:
            raise Unfit("the line does not say whose log this is (at)")
        log, rewriting = self.rewriting.process(at), self.rewriting
        words = [log, pattern.action] if pattern.kind is None else [log, pattern.action, pattern.kind]
        raw: dict[str, RawField] = {}
        for key, make in pattern.fields:
            value = make(fields, rewriting)
            if value is not None:
                raw[key] = value
                if key not in _TAGS:
                    words.append(f"{key}={value if type(value) is str else _set_text(value)}")
        if self.origins and "id" not in raw:
            raw["id"] = f"{self.origin}+{number}"
        time, name = (None if (tag := raw.get(key)) is None else str(tag) for key in ("time", "id"))
        tagged = time != "" and name != "" and (name is None or name.isprintable())
        if tagged and not pattern.post and (pattern.kind is not None or pattern.action == PERFORM):
            text = " ".join(words)
            event = self.fast(number, text)
            if event is not None:
                if name is not None:
                    text = f"{text} id={show_word(name)}"
                if time is not None:
                    text = f"{text} t={time}"
                return Imported(event._replace(time=time, id=name), text)
        return self._slowly(log, pattern, raw, fields, number)

    def _slowly(self, log: str, pattern: EventPattern, raw: dict[str, RawField], fields: Fields, number: int) -> Imported:
        """The same with all that may be unusual, or wrong. Raises `Unfit`."""
        for key, value in raw.items():
            if value == "" or (isinstance(value, str) and not value.isprintable()):
                raise Unfit(f"{key} is {'empty' if not value else 'not printable'}")
        if pattern.action == PERFORM:
            performed = self.builder.perform(log, raw, None, self.file, number)
            return Imported(performed, self.writer.item(performed))
        post = {key: value for key, make in pattern.post if (value := make(fields, self.rewriting)) is not None} or None
        built = self.builder.event(log, pattern.action, pattern.kind, raw, post, None, self.file, number)
        return Imported(built, self.writer.item(built))


_TAGS = ("id", "time")


def _set_text(value: Any) -> str:
    """A set as the DSL writes it."""
    delta, members = value
    return f"{'+' * delta}{{{','.join(members)}}}"


def _dispatch(counts: Sequence[RuleCount]) -> Callable[[Fields], Sequence[RuleCount]]:
    """The rules that can match a line, in their order: told by the key that most of them name."""
    named = Counter(condition.path for count in counts for condition in count.rule.when if condition.texts)
    if not named:
        return lambda fields: counts
    path = named.most_common(1)[0][0]
    texts = [{text for each in count.rule.when if each.path == path for text in each.texts} for count in counts]
    rest = [count for count, each in zip(counts, texts, strict=True) if not each]
    by_text = {text: [count for count, each in zip(counts, texts, strict=True) if not each or text in each] for text in set().union(*texts)}
    get = getter(path)

    def candidates(fields: Fields) -> Sequence[RuleCount]:
        value = get(fields)
        return rest if value is NOT_THERE else by_text.get(value if type(value) is str else shown_plainly(value), rest)

    return candidates
