"""Whatever is wrong with a file: exit code 2, its place, what to do about it; no traceback, no waiting, and nothing half-written."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmmc_check.cli.main import main
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import Comment, Event, Names
from pmmc_check.trace.readers.event_builder import EventBuilder
from pmmc_check.trace.readers.json_reader import JsonReader
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import JsonWriter
from tests.validation.runs import plan, run

SECONDS_MAX = 10.0
DSL = b"pmmc-trace 1\nconfig replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=1\nlog A1,L1,R1,C1 complete\n"
_HEADER = {"pmmc-trace": 1, "replicas": ["R1"], "leaders": ["L1"], "acceptors": ["A1"], "clients": ["C1"], "window": 1}
JSONL = json.dumps({**_HEADER, "logs": dict.fromkeys(("A1", "L1", "R1", "C1"), "complete")}).encode() + b"\n"
P1A = b'{"at":"L1","do":"send","msg":"p1a","b":"0.L1"}\n'


def dsl(line: bytes) -> bytes:
    return DSL + line + b"\n"


def response(cid: bytes, result: bytes = b'"x"') -> bytes:
    return JSONL + b'{"at":"R1","do":"send","msg":"response","cid":' + cid + b',"result":' + result + b',"to":"C1"}\n'


CASES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", ": is empty"),
    "only comments": (b"\n# nothing\n\n", ": is empty"),
    "other text": (b"hello world\n", ":1:1: is no trace"),
    "zero bytes": (bytes(5000), ":1:1: is no trace"),
    "noise": (bytes(range(128, 256)) * 50, ":1:1: byte 0x80 is not UTF-8"),
    "header only": (DSL, ": has a header but no events"),
    "header only, JSON": (JSONL, ": has a header but no events"),
    "no config": (b"pmmc-trace 1\nA1 < p1a b=0.L1\n", ": the configuration lacks replicas="),
    "no contract": (b"pmmc-trace 1\nconfig replicas=R1 leaders=L1 acceptors=A1 window=1\nA1 < p1a b=0.L1\n", ": no log line says"),
    "a process of nobody": (dsl(b"B9 < p1a b=0.L1"), ":4:1: 'B9' is no process of the header; it has R1, L1, A1, C1"),
    "a process of nobody, JSON": (JSONL + P1A.replace(b"L1", b"L9", 1), ":2:1: 'L9' is no process of the header"),
    "taken for a client": (
        b"pmmc-trace 1\nconfig replicas=R1 leaders=L1 acceptors=A1 window=1\nlog B1 complete\nB1 < p1a b=0.L1\n",
        ":4:1: a client never receives p1a (B1, which the header does not name, is taken for one)",
    ),
    "nothing promised": (DSL.replace(b"A1,L1,R1,C1", b"A1") + b"L1 > p1a b=0.L1\n", ":4:1: L1 has events, but the header promises none"),
    "another version": (b"pmmc-trace 2\n", ":1:1: version 2 of the trace format is not known here; expected 1"),
    "another version, JSON": (b'{"pmmc-trace":2}\n', ":1:1: version 2 of the trace format is not known here"),
    "a part without a whole": (b"pmmc-trace 1 part\nA1 < p1a b=0.L1\n", ": 0 files have a header"),
    "a name twice": (b"pmmc-trace 1\nconfig replicas=R1 leaders=R1 acceptors=A1 window=1\n", ":2:20: two processes are called R1"),
    "latin-1": (dsl(b"# caf\xe9"), ":4:6: byte 0xe9 is not UTF-8 text"),
    "latin-1, JSON": (JSONL + b'{"#":"caf\xe9"}\n', ":2:10: byte 0xe9 is not UTF-8 text"),
    "UTF-16": (DSL.decode().encode("utf-16"), ":1:1: byte 0xff is not UTF-8 text"),
    "cut short": (DSL + b"A1 < p1a b=0.", ":4:12: unexpected '0.'; expected - or ? or a ballot such as 0.L1"),
    "cut short, JSON": (JSONL + b'{"at":"A1","do":"re', ":2:20: no JSON: unexpected end of data"),
    "cut short, gzip": (gzip.compress(DSL * 100)[:80], ":1: the gzip file is damaged or cut short"),
    "cut short after two bytes, gzip": (gzip.compress(DSL)[:2], ":1: the gzip file is damaged or cut short"),
    "damaged, gzip": (gzip.compress(DSL)[:40] + b"x" * 40, ":1: the gzip file is damaged or cut short"),
    "10 MB on one line": (b"A" * (10 << 20), ":1: this line is longer than 4 MiB; end each event with a newline"),
    "10 MB in one event": (dsl(b"A1 < p1a b=" + b"9" * (10 << 20)), ":4: this line is longer than 4 MiB"),
    "10 MB in one event, JSON": (JSONL + b'{"at":"' + b"A" * (10 << 20) + b'"}\n', ":2: this line is longer than 4 MiB"),
    "3 MB in one event": (
        dsl(b"A1 < p1a b=" + b"9" * (3 << 20)),
        ":4:12: a number of 3145728 digits; numbers go up to 9223",
    ),
    "nested 100 times": (JSONL + b'{"at":' * 100 + b"1" + b"}" * 100 + b"\n", ':2:2: "at" must name the process'),
    "nested 1,000 times": (JSONL + b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"\n", ":2:1: objects or lists are nested too deeply"),
    "nested 100,000 times": (JSONL + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n", "no JSON: depth limit exceeded"),
    "lists nested 100,000 times": (JSONL + b"[" * 100_000 + b"]" * 100_000 + b"\n", "no JSON: depth limit exceeded"),
    "a nested header": (b'{"pmmc-trace":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", ":1:1039: no JSON: depth limit exceeded"),
    "braces in the DSL": (dsl(b"A1 < p1a b=" + b"{" * 100_000), ":4:12: unexpected '{'"),
    "a NUL": (dsl(b"A1 < p1a b=0.L1\0"), ":4:16: unexpected '\\x00'"),
    "a NUL, JSON": (JSONL + b'{"at":"A1\0"}\n', ":2:10: no JSON: unexpected control character"),
    "a huge cid": (dsl(b"R1 < request c=C1:" + b"9" * 5000), ":4:19: a number of 5000 digits; numbers go up to 9223372036854775807"),
    "a huge slot": (dsl(b"A1 < p2a b=0.L1 s=" + b"9" * 5000 + b" c=C1:1"), ":4:19: a number of 5000 digits; numbers go up to"),
    "a huge window": (b"pmmc-trace 1\nconfig replicas=R1 leaders=L1 acceptors=A1 window=" + b"9" * 5000 + b"\n", ":2:"),
    "a huge cid, JSON": (response(b"9" * 5000), "no JSON: number is infinity"),
    "a large cid, JSON": (response(b"9" * 19), ":2:41: 9999999999999999999 is too large; numbers go up to 9223372036854775807"),
    "a large ballot": (dsl(b"A1 < p1a b=9223372036854775808.L1"), ":4:10: 9223372036854775808 is too large; numbers go up to"),
    "a large slot": (dsl(b"A1 < p2a b=0.L1 s=9999999999999999999 c=C1:1"), ":4:17: 9999999999999999999 is too large"),
    "infinity": (response(b"1e400"), ":2:47: no JSON: number is infinity"),
    "no number": (response(b"NaN"), ":2:47: no JSON"),
    "a fraction": (response(b"1.5"), ":2:41: 'cid' must be a whole number"),
    "a negative number": (response(b"-3"), ":2:41: 'cid' must be a whole number, not below 0"),
    "a truth value": (response(b"true"), ":2:41: 'cid' must be a whole number"),
    "half a surrogate pair": (dsl(rb'R1 > response cid=1 result="\ud800" to=C1'), ":4:21: '\"\\\\ud800\"' has half a surrogate pair"),
    "half a surrogate pair, JSON": (response(b"1", rb'"\ud800"'), ":2:59: no JSON: no low surrogate"),
    "a name that is half a surrogate pair": (JSONL.replace(b'"R1"', rb'"\ud800"', 1), "no JSON: no low surrogate"),
    "an unprintable id": (dsl(rb'A1 < p1a b=0.L1 id="a\nb"'), ":4:17: an id has printable characters only"),
    "a key twice": (JSONL + b'{"at":"A1",' + P1A[1:], ":2:12: 'at' is set twice; leave one"),
    "a key twice in a state": (
        JSONL + b'{"at":"A1","do":"recv","msg":"p1a","b":"0.L1","post":{"ballot":"-","ballot":"0.L1"}}\n',
        "'ballot' is set twice; leave one",
    ),
    "a setting twice": (JSONL.replace(b"{", b'{"window":2,', 1), "'window' is set twice; leave one"),
    "a list for an object": (b"[1]\n", ":1:1: is no trace"),
    "a list for an event": (JSONL + b"[1]\n", ":2:1: expected an object {...}, found a list"),
    "an event without fields": (JSONL + b'{"at":"A1","do":"recv"}\n', 'needs "msg"'),
    "a number for a name": (JSONL.replace(b'["A1"]', b"[1]"), "'acceptors' must be a list of strings"),
}


def written(folder: Path, data: bytes) -> Path:
    path = folder / "broken.trace"
    path.write_bytes(data)
    return path


def in_time(command: list[str]) -> int:
    started = time.monotonic()
    code = main(command)
    assert time.monotonic() - started < SECONDS_MAX
    return code


@pytest.mark.parametrize("name", CASES)
def test_a_broken_file_is_bad_input_with_place_and_remedy(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, expected = CASES[name]
    path = written(tmp_path, data)
    assert in_time(["validate", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == f"{path}: bad input\n"
    assert f"{path}{expected}" in said.err if expected.startswith(":") else f"{path}:" in said.err and expected in said.err
    assert max(map(len, said.err.splitlines())) < len(str(path)) + 300
    assert main(["validate", "--format", "json", "--junit", str(tmp_path / "out.xml"), "--explain", str(tmp_path / "why"), str(path)]) == 2
    assert json.loads(capsys.readouterr().out)["verdict"] == "bad input"
    assert 'errors="1"' in (tmp_path / "out.xml").read_text()
    assert str(path) in (tmp_path / "why").read_text()


@pytest.mark.one_in(4)
@pytest.mark.parametrize("target", ["out.jsonl", "out.pmmc", "out.jsonl.gz"])
@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("header only")])
def test_a_broken_file_is_not_converted(name: str, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, CASES[name][0])
    assert in_time(["convert", str(path), str(tmp_path / target)]) == 2
    assert capsys.readouterr().err.startswith(f"pmmc-check convert: {path}:")
    assert not (tmp_path / target).exists()


def legal(newline: bytes, prefix: bytes = b"") -> list[bytes]:
    return [prefix + text.replace(b"\n", newline) for text in (dsl(b"L1 > p1a b=0.L1"), JSONL + P1A)]


LEGAL = [*legal(b"\r\n"), *legal(b"\n", b"\xef\xbb\xbf"), *map(gzip.compress, legal(b"\n")), legal(b"\n")[0].rstrip()]


@pytest.mark.parametrize("data", LEGAL)
def test_line_ends_a_byte_order_mark_and_compression_make_no_difference(data: bytes, tmp_path: Path) -> None:
    assert main(["validate", str(written(tmp_path, data))]) == 0


# ---- what is no file ----


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def circular(path: Path) -> None:
    path.symlink_to(path)


def folder_without_traces(path: Path) -> None:
    path.mkdir()
    (path / "readme.txt").write_text("nothing here")


def folder_of_parts_without_a_header(path: Path) -> None:
    path.mkdir()
    (path / "a.pmmc").write_text("pmmc-trace 1 part\nA1 < p1a b=0.L1\n")


def folder_with_two_headers(path: Path) -> None:
    folder_of_parts_without_a_header(path)
    for name in ("b.pmmc", "c.pmmc"):
        (path / name).write_bytes(dsl(b"A1 < p1a b=0.L1"))


PLACES: dict[str, tuple[Callable[[Path], None], str]] = {
    "nothing": (lambda path: None, "no such file or directory"),
    "a dangling link": (dangling, "no such file or directory"),
    "a link to itself": (circular, "no such file or directory"),
    "an empty folder": (Path.mkdir, "no traces in this directory; a trace begins with 'pmmc-trace 1'"),
    "a folder without traces": (folder_without_traces, "no traces in this directory"),
    "parts without a header": (folder_of_parts_without_a_header, "0 files have a header"),
    "parts with two headers": (folder_with_two_headers, "2 files have a header"),
    "a pipe": (os.mkfifo, "is a pipe or device; traces are read more than once, so write it to a file first"),
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("verb", ["validate", "convert"])
def test_what_is_no_trace_is_said_to_be_none(verb: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, expected = PLACES[name]
    path = tmp_path / "x.pmmc"
    make(path)
    assert in_time([verb, str(path), *(["-"] if verb == "convert" else [])]) == 2
    said = capsys.readouterr().err
    assert str(path) in said
    assert expected in said


def test_a_file_that_cannot_be_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, dsl(b"L1 > p1a b=0.L1"))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert main(["validate", str(path)]) == 2
    assert f"{path}: cannot be read: Permission denied; check the path and its permissions" in capsys.readouterr().err


def test_a_file_that_vanishes_while_it_is_judged(tmp_path: Path) -> None:
    trace = open_trace(written(tmp_path, dsl(b"L1 > p1a b=0.L1")))
    trace.path.unlink()
    assert [event for stream in trace.events() for event in stream]
    with pytest.raises(TraceError, match="cannot be read: No such file"):
        open_trace(trace.path)


@pytest.mark.parametrize("option", ["--junit", "--explain"])
@pytest.mark.parametrize("where", ["missing/out", "."])
def test_a_report_that_cannot_be_written_is_refused_before_any_work(
    option: str, where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, dsl(b"L1 > p1a b=0.L1"))
    assert main(["validate", str(path), option, str(tmp_path / where)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{option} {tmp_path / where}: cannot be written: " in said.err


# ---- fuzzing ----

HEADER = plan(3).header
RUNS = [run(plan(3, 60)), run(plan(3, 60, own_logs=True)), run(plan(2, 60))]


def damaged(data: bytes, draw: Callable[..., int]) -> bytes:
    """One change of a file: a byte, its end, two of its lines."""
    kind, at = draw(st.integers(0, 4)), draw(st.integers(0, max(0, len(data) - 1)))
    if kind == 0:
        return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data[:at] + data[at + draw(st.integers(0, 8)) :]
    lines = data.split(b"\n")
    first, second = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    if kind == 3:
        lines[first], lines[second] = lines[second], lines[first]
    else:
        lines.insert(first, lines[second])
    return b"\n".join(lines)


def items(path: Path, grammar_only: bool) -> tuple[list[Event | Comment], str]:
    """What is read until it is broken, and how it is broken."""
    found: list[Event | Comment] = []
    try:
        for stream in open_trace(path, grammar_only=grammar_only).streams:
            for item in stream:
                found.append(item)  # what was read before an error counts
    except TraceError as error:
        return found, str(error)
    return found, ""


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_of_a_damaged_file_the_fast_reader_reads_what_the_grammar_reads(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from(RUNS)).text().encode()
    for _ in range(data.draw(st.integers(1, 3))):
        text = damaged(text, data.draw)
    path = written(tmp_path_factory.mktemp("fuzz"), text)
    assert items(path, grammar_only=False) == items(path, grammar_only=True)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_of_damaged_json_the_quick_way_reads_what_the_long_way_reads(data: st.DataObject) -> None:
    walked = data.draw(st.sampled_from(RUNS[:2]))
    names, events = walked.read()
    lines = [JsonWriter(Values(names)).item(event) for event in events]
    quick = JsonReader(EventBuilder(Values(Names(walked.header))), "f")
    for line in lines:
        quick.item(1, line)
    broken = damaged(data.draw(st.sampled_from(lines)).encode(), data.draw).decode(errors="replace")
    assert outcome(quick, broken) == outcome(JsonReader(EventBuilder(Values(Names(walked.header))), "f"), broken)


def outcome(reader: JsonReader, text: str) -> object:
    try:
        return reader.item(1, text)
    except TraceError as error:
        return str(error)


@given(st.data(), st.sampled_from(["plain", "gzip"]), st.sampled_from(["validate", "convert"]))
@settings(max_examples=100, deadline=None)
def test_a_damaged_file_never_crashes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, form: str, verb: str) -> None:
    text = data.draw(st.sampled_from(RUNS)).text().encode()
    broken = damaged(gzip.compress(text), data.draw) if form == "gzip" else damaged(damaged(text, data.draw), data.draw)
    path = written(tmp_path_factory.mktemp("fuzz"), broken)
    command = ["--quiet", "--search-states", "50", str(path)] if verb == "validate" else [str(path), str(path.with_suffix(".jsonl"))]
    assert main([verb, *command]) in (0, 1, 2, 3)
