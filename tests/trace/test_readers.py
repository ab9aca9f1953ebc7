"""The readers agree with each other and with the writers, and whatever is broken is said to be, with its place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pmmc_check.trace
from pmmc_check.cli.main import main
from pmmc_check.trace.convert import converted
from pmmc_check.trace.errors import TraceError, Unfit
from pmmc_check.trace.events import Names
from pmmc_check.trace.readers.event_builder import EventBuilder
from pmmc_check.trace.readers.fast_reader import FastReader
from pmmc_check.trace.readers.grammar_reader import EVENT, Line
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.values import Values
from tests.validation.runs import Run, plan, run

HEADER = plan(3).header
SAMPLE = run(plan(3, 120)).lines + run(plan(3, 120, own_logs=True)).lines
QUOTED = [re.sub(r"(C\d:\d+)", r'\1:"add (1, 2) # of {3} | t=4"', line) for line in SAMPLE if re.search(r"C\d:\d+", line)]
PIECES = st.sampled_from(
    [
        " ",
        "<",
        ">",
        "p2a",
        "p1b",
        "b=0.L1",
        "b=-",
        "b=?",
        "s=1",
        "s=0",
        "c=C1:1",
        "c=C1:1:put",
        "c=noop",
        "c=noop:1",
        "accepted={0.L1/1/noop,0.L1/2/C1:1}",
        "c=?",
        "to=0.L1",
        "to=*",
        "accepted={}",
        "=",
        "|",
        "A1",
        "L1",
        "R1",
        "C1",
        "0.L1",
        "0.L1/1",
        "drop",
        "crash",
        "ballot=0.L1",
        "{",
        "}",
        '"',
        "#",
        "t=1",
        "id=x",
        "accepted=+{0.L1/1/C1:1}",
        "\t",
        "é",
        'c=C1:1:"a b"',
        'c=C1:1:"x, y" # "z"',
        'c=C1:1:"(#|="',
        'c=C1:1:"\\u00e9"',
        'c=C1:1:"\\""',
        'c=C1:1:"é\u200b\x01"',
        'accepted={0.L1/1/C1:1:"a, b",0.L1/2/C1:2:"c}"}',
        'id="x y"',
        'result="a b"',
        "\x00",
        "\x05",
    ]
)


def by_lark(text: str) -> object:
    event_builder = EventBuilder(Values(Names(HEADER)))
    try:
        line = Line("f", 1, text)
        return line.event(event_builder) if line.form == EVENT else line.form
    except (TraceError, Unfit):
        return None


def by_fast(text: str) -> object:
    return FastReader(EventBuilder(Values(Names(HEADER))), "f").event(1, text)


def agree(text: str) -> None:
    fast = by_fast(text)
    if fast is not None:
        assert fast == by_lark(text), text


@given(st.sampled_from(SAMPLE), st.integers(0, 80), st.integers(0, 4), PIECES)
@settings(max_examples=400, deadline=None)
def test_the_fast_reader_agrees_with_the_grammar_on_broken_lines(line: str, at: int, cut: int, piece: str) -> None:
    agree(line[:at] + piece + line[at + cut :])


@given(st.lists(PIECES, max_size=8))
@settings(max_examples=300, deadline=None)
def test_the_fast_reader_agrees_with_the_grammar_on_any_words(words: list[str]) -> None:
    agree(" ".join(words))


def test_the_fast_reader_reads_what_simulation_writes() -> None:
    reader = FastReader(EventBuilder(Values(Names(HEADER))), "f")
    read = sum(reader.event(1, line) is not None for line in SAMPLE)
    assert read > 0.9 * len(SAMPLE)


@given(st.sampled_from(QUOTED), st.integers(0, 120), st.integers(0, 4), PIECES)
@settings(max_examples=400, deadline=None)
def test_the_fast_reader_agrees_with_the_grammar_on_broken_strings(line: str, at: int, cut: int, piece: str) -> None:
    agree(line[:at] + piece + line[at + cut :])


def test_operations_in_quotes_are_read_fast() -> None:
    reader = FastReader(EventBuilder(Values(Names(HEADER))), "f")
    assert len(QUOTED) > 10
    for line in QUOTED:
        event = reader.event(1, line)
        assert event is None or event == by_lark(line)
        assert (event is None) == (reader.event(1, re.sub(r':"[^"]*"', ":x", line)) is None), line


def write(path: Path, walked: Run) -> Path:
    from pmmc_check.trace.writer import DslWriter  # noqa: PLC0415

    header = DslWriter(Values(Names(walked.header))).header(walked.header)
    path.write_text("\n".join([*header, "# a comment", *walked.lines, 'A1 crash id="x y" t=3 # a note']) + "\n")
    return path


@pytest.mark.parametrize("seed", range(7))
def test_conversion_loses_nothing(seed: int, tmp_path: Path) -> None:
    dsl = write(tmp_path / "a.pmmc", run(plan(seed, 80)))
    assert main(["convert", str(dsl), str(tmp_path / "b.jsonl.gz")]) == 0
    assert main(["convert", str(tmp_path / "b.jsonl.gz"), str(tmp_path / "c.pmmc")]) == 0
    assert (tmp_path / "c.pmmc").read_text() == dsl.read_text()


def test_json_lines_obey_the_published_schema(tmp_path: Path) -> None:
    schema = json.loads((Path(pmmc_check.trace.__file__).parent / "trace.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    for seed in range(4):
        trace = open_trace(write(tmp_path / "a.pmmc", run(plan(seed, 60))))
        for line in converted(trace, "jsonl"):
            validator.validate(json.loads(line))


def test_a_diagnostic_says_what_was_expected() -> None:
    with pytest.raises(TraceError) as caught:
        Line("run.pmmc", 7, "A1 < p2a b=0.L1 c=C1:1")
    text = str(caught.value)
    assert text.startswith("run.pmmc:7:17: ")
    assert "expected s=" in text
    assert text.splitlines()[-1].index("^") == 4 + 16


CONFIG = "config replicas=R1 leaders=L1 acceptors=A1,A2,A3 window=5"
OBJECT = {"pmmc-trace": 1, "replicas": ["R1"], "leaders": ["L1"], "acceptors": ["A1"], "window": 5}


@pytest.mark.parametrize(
    ("setting", "column"),
    [
        ("quorum1=4", 59),
        ("quorum1=0", 59),
        ("window=0", 59),
        ("configurations={L1;A1,A9}", 59),
        ("meta.seed=1 meta.expect=rejectd", 71),
        ("proposals=lazy network=fifo", 59),
    ],
)
@pytest.mark.parametrize("rest", ["log A1 complete\n", "A1 crash\n"])
def test_a_wrong_setting_is_shown_where_it_stands(setting: str, column: int, rest: str, tmp_path: Path) -> None:
    (tmp_path / "a.pmmc").write_text(f"pmmc-trace 1\n{CONFIG} {setting}\n{rest}")
    with pytest.raises(TraceError) as caught:
        open_trace(tmp_path / "a.pmmc")
    assert (caught.value.line, caught.value.column) == (2, column)
    assert str(caught.value).endswith("^")


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"quorum1": 4}, "quorum1"), ({"window": 0}, "window"), ({"meta": {"seed": "1", "expect": "rejectd"}}, "expect")],
)
@pytest.mark.parametrize("logs", [{}, {"A1": "complete"}])
def test_a_wrong_setting_of_a_header_object_is_shown_too(
    settings: dict[str, object], key: str, logs: dict[str, str], tmp_path: Path
) -> None:
    text = json.dumps(OBJECT | settings | {"logs": logs})
    (tmp_path / "a.jsonl").write_text(f"{text}\n")
    with pytest.raises(TraceError) as caught:
        open_trace(tmp_path / "a.jsonl")
    assert (caught.value.line, caught.value.column) == (1, text.index(f'"{key}"') + 1)


def test_conversion_without_a_target_asks_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "run.pmmc"]) == 2
    assert "expected a trace and a target, found one path" in capsys.readouterr().err
