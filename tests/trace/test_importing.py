"""Other people's logs become traces by a mapping."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
from helpers import ROOT, assert_one_clear_line, in_process

from pmmc_check.protocol.values import CLIENT
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import Comment
from pmmc_check.trace.importing import importer as importing
from pmmc_check.trace.importing.conversion import imported_as_one
from pmmc_check.trace.importing.importer import Importer
from pmmc_check.trace.importing.mapping import read_mapping
from pmmc_check.trace.readers.reader import open_trace
from tests.trace.mappings import HEADER, P1A, P2B, SCHEMA, SET, mapped, text_of

# ---- what a mapping can say ----


def test_keys_may_lie_deep_and_templates_join_them(tmp_path: Path) -> None:
    rule = P1A.replace("{b}", "{fields.ballot.n}.{fields.ballot.0}").replace("{n}", "A{span.id}").replace("m =", "fields.message =")
    line = {"fields": {"message": "p", "ballot": {"n": 3, "0": "L2"}}, "span": {"id": 1}}
    assert text_of(tmp_path, rule, json.dumps(line)) == ["A1 < p1a b=3.L2"]


def test_a_key_may_have_dots_itself(tmp_path: Path) -> None:
    rule = P1A.replace("m =", '"log.message" =').replace("{b}", "{trace.b}")
    assert text_of(tmp_path, rule, '{"log.message":"p","trace.b":"0.L1","n":"A1"}') == ["A1 < p1a b=0.L1"]


@pytest.mark.parametrize(
    ("rest", "ballot", "becomes"),
    [
        ('[ballots]\n"none" = "-"\n', '"none"', "-"),
        ("[ballots]\n'/(\\d+)@node(\\d)/' = '\\1.L\\2'\n", '"7@node2"', "7.L2"),
        ('[processes]\n"10.0.0.1:7" = "L1"\n', '"4.10.0.0.1:7"', "4.L1"),
        ("[input]\nballot_stride = 2\n", "7", "3.L2"),
        ("[input]\nballot_stride = 10\n", "70", "7.L1"),
    ],
)
def test_ballots_are_renamed_and_numbers_taken_apart(tmp_path: Path, rest: str, ballot: str, becomes: str) -> None:
    rules = P2B.replace('to = { b = "{b}", s = "{s}" }', 'to = { b = "0.L1", s = "1" }')
    assert text_of(tmp_path, rules, f'{{"m":"q","n":"A1","b":{ballot}}}', rest=rest) == [f"A1 > p2b b={becomes} to=0.L1/1"]


@pytest.mark.parametrize(
    ("c", "line", "becomes"),
    [
        ('"{c}"', '"c":"C1:7:put"', "C1:7:put"),
        ('"{who}:{no}"', '"who":"C1","no":7', "C1:7"),
        ('"{who}:{no}:{op?}"', '"who":"C1","no":7', "C1:7"),
        ('"{c}"', '"c":"C1:7:put x 1"', 'C1:7:"put x 1"'),
        ('{ client = "{who}", number = "{no}", operation = "{op?}" }', '"who":"C1","no":7,"op":"a:b"', 'C1:7:"a:b"'),
        ('{ client = "{who}", number = "{no}", operation = "{op?}" }', '"who":"C1","no":7,"op":null', "C1:7"),
        ('{ client = "{who}", number = "{no}", reconfigure = "{to}" }', '"who":"C1","no":7,"to":["two","L1"]', "C1:7:reconfigure(L1,L2)"),
        ('"{c}"', '"c":"C1:7:reconfigure(two)"', "C1:7:reconfigure(L2)"),
        ('"{c}"', '"c":"NOP"', "noop"),
        ('"{c}"', '"c":"fill 3"', "noop"),
    ],
)
def test_commands_are_put_together(tmp_path: Path, c: str, line: str, becomes: str) -> None:
    rule = f'[[rule]]\nwhen = {{ m = "d" }}\ndo = "recv"\nmsg = "decision"\nat = "R1"\ns = "{{s}}"\nc = {c}\n'
    sets = [f'{{ leaders = [{each}], acceptors = ["A1", "A2", "A3"] }}' for each in ('"L1", "L2"', '"L2"')]
    rest = f"configurations = [{', '.join(sets)}]\n[input]\nfirst_slot = 0\n[processes]\ntwo = 'L2'\n"
    rest += "[commands]\nNOP = 'noop'\n'/fill \\d+/' = 'noop'\n"
    assert text_of(tmp_path, rule, f'{{"m":"d","s":0,{line}}}', rest=rest) == [f"R1 < decision s=1 c={becomes}"]


@pytest.mark.parametrize(
    ("more", "accepted", "becomes"),
    [
        ("", '[{"b":"0.L1","s":2,"c":"C1:1"},{"b":"1.L1","s":3,"c":"C1:2"}]', "{0.L1/2/C1:1,1.L1/3/C1:2}"),
        ("", "[]", "{}"),
        ("", "null", "{}"),
        (", delta = true", '[{"b":"0.L1","s":2,"c":"C1:1"}]', "+{0.L1/2/C1:1}"),
        (r""", match = '(?P<s>\d+)=(?P<b>[^/]+)/(?P<c>\S+?)(?:,|$)'""", '"2=0.L1/C1:1,3=1.L1/C1:2"', "{0.L1/2/C1:1,1.L1/3/C1:2}"),
        (r""", match = '(?P<s>\d+)=(?P<b>[^/]+)/(?P<c>\S+)'""", '["2=0.L1/C1:1"]', "{0.L1/2/C1:1}"),
    ],
)
def test_sets_are_lists_or_texts(tmp_path: Path, more: str, accepted: str, becomes: str) -> None:
    found = text_of(tmp_path, SET.replace(" MORE", more), f'{{"m":"p","n":"A1","b":"0.L1","acc":{accepted}}}')
    assert found == [f"A1 > p1b b=0.L1 accepted={becomes} to=0.L1"]


def test_a_set_may_be_an_object_by_slot_or_lists_of_three(tmp_path: Path) -> None:
    by_slot = SET.replace(" MORE", "").replace('s = "{s}", c = "{c}" }', 's = "{@key}", c = "{c}" }')
    line = '{"m":"p","n":"A1","b":"0.L1","acc":{"2":{"b":"0.L1","c":"C1:1"}}}'
    assert text_of(tmp_path, by_slot, line) == ["A1 > p1b b=0.L1 accepted={0.L1/2/C1:1} to=0.L1"]
    triples = SET.replace('each = "acc", b = "{b}", s = "{s}", c = "{c}" MORE', 'each = "acc", b = "{0}", s = "{1}", c = "{2}"')
    line = '{"m":"p","n":"A1","b":"0.L1","acc":[["0.L1",2,"C1:1"]]}'
    assert text_of(tmp_path, triples, line) == ["A1 > p1b b=0.L1 accepted={0.L1/2/C1:1} to=0.L1"]


def test_text_logs_are_read_by_expressions(tmp_path: Path) -> None:
    rest = "[input]\nformat = 'text'\nline = '^(?P<time>\\S+) \\[(?P<thread>[^\\]]+)\\] (?P<message>.*)$'\n"
    rule = "[[rule]]\nmatch = 'prepare (?P<b>\\S+)$'\ndo = 'recv'\nmsg = 'p1a'\nat = '{thread}'\nb = '{b}'\nt = '{time}'\n"
    lines = ("12:00:01,5 [A1] got prepare 0.L1", "    at paxos.Acceptor.main", "12:00:02,5 [A1] prepared 0.L1")
    found, importer = mapped(tmp_path, rule, *lines, rest=rest)
    assert found == ["A1 < p1a b=0.L1 t=12-00-01-5"]
    assert [error.line for error in importer.report.first_unmatched] == [2, 3]


def test_json_may_have_something_around_it_and_expressions_in_it(tmp_path: Path) -> None:
    rest = "[input]\nline = '^(?P<pod>\\S+) stdout F (?P<json>.*)$'\nmessage = 'm'\n"
    rule = "[[rule]]\nmatch = 'prepare (?P<b>\\S+)$'\ndo = 'recv'\nmsg = 'p1a'\nat = '{pod}'\nb = '{b}'\n"
    assert text_of(tmp_path, rule, 'A1 stdout F {"m":"prepare 0.L1"}', rest=rest) == ["A1 < p1a b=0.L1"]


def test_the_log_of_a_line_may_be_that_of_its_file(tmp_path: Path) -> None:
    rule = P1A.replace("{n}", "{@file}")
    assert text_of(tmp_path, rule, '{"m":"p","b":"0.L1"}', rest='[processes]\nnode = "A1"\n') == ["A1 < p1a b=0.L1"]


@pytest.mark.parametrize(
    ("rules", "good", "written"),
    [
        (SET.replace(" MORE", ""), '{"m":"p","n":"A1","b":"0.L1","acc":[]}', 'each = "acc?"'),
        (SET.replace(" MORE", ", delta = true"), '{"m":"p","n":"A1","b":"0.L1","acc":[]}', 'each = "acc?"'),
        (P1A.replace("when", 'for_each = "acc"\nwhen'), '{"m":"p","n":"A1","b":"0.L1","acc":[1]}', 'for_each = "acc?"'),
    ],
)
def test_a_list_that_is_not_there_is_an_error_unless_it_may_be_absent(tmp_path: Path, rules: str, good: str, written: str) -> None:
    lacking, empty = '{"m":"p","n":"A1","b":"0.L1","ac":[]}', '{"m":"p","n":"A1","b":"0.L1","acc":null}'
    with pytest.raises(TraceError, match=re.escape(f"where the list may be absent, and is then empty, write {written}")):
        text_of(tmp_path, rules, good, lacking)
    once = text_of(tmp_path, rules, good)
    for each, optional in ((lacking, rules.replace('"acc"', '"acc?"')), (empty, rules)):
        assert text_of(tmp_path, optional, good, each) == once * (1 if "for_each" in rules else 2)


def test_a_set_that_is_always_empty_is_written_as_such(tmp_path: Path) -> None:
    start, end = SET.index("accepted"), SET.index(" MORE }") + len(" MORE }")
    (line,) = text_of(tmp_path, SET[:start] + "accepted = []" + SET[end:], '{"m":"p","n":"A1","b":"0.L1"}')
    assert line == "A1 > p1b b=0.L1 accepted={} to=0.L1"


@pytest.mark.parametrize("key", ["replicas", "leaders", "acceptors", "network", "clients", "ignore"])
def test_a_list_of_one_in_the_header_may_be_written_without_brackets_in_the_reader_and_the_schema(tmp_path: Path, key: str) -> None:
    header = {"replicas": "R1", "leaders": "L1", "acceptors": "A1", "network": "lossy", "clients": "C1", "ignore": "span"}
    listed = {**{each: [value] for each, value in header.items()}, key: header[key]}
    text = "[header]\nwindow = 5\nlogs = { A1 = 'complete' }\n" + "".join(
        f"{each} = {json.dumps(value)}\n" for each, value in listed.items()
    )
    (file := tmp_path / "m.toml").write_text(text + P1A)
    jsonschema.validate(tomllib.loads(file.read_text()), SCHEMA)
    assert read_mapping(file).header.leaders == ("L1",)


def test_one_line_may_be_several_events_and_a_batch_some_for_each_member(tmp_path: Path) -> None:
    rule = (
        '[[rule]]\nwhen = { m = "batch" }\nfor_each = "slots"\nat = "A1"\nb = "0.L1"\n'
        '[[rule.emit]]\ndo = "recv"\nmsg = "p2a"\ns = "{slot}"\nc = "{c}"\n'
        '[[rule.emit]]\ndo = "send"\nmsg = "p2b"\nto = { b = "0.L1", s = "{slot}" }\n'
    )
    line = '{"m":"batch","slots":[{"slot":5,"c":"C1:5"},{"slot":6,"c":"C1:6"}]}'
    assert text_of(tmp_path, rule, line) == [
        "A1 < p2a b=0.L1 s=5 c=C1:5", "A1 > p2b b=0.L1 to=0.L1/5", "A1 < p2a b=0.L1 s=6 c=C1:6", "A1 > p2b b=0.L1 to=0.L1/6",
    ]  # fmt: skip


def test_the_first_rule_that_matches_counts_and_conditions_may_be_of_any_kind(tmp_path: Path) -> None:
    rules = '[[rule]]\nwhen = { m = ["p", "x"], n = { like = "^B" } }\ndrop = true\n'
    rules += "[[rule]]\nwhen = { err = { present = true } }\ndrop = true\n[[rule]]\nwhen = { retry = true, k = 3 }\ndrop = true\n" + P1A
    lines = [
        {"m": "p", "n": "B1"},
        {"m": "p", "n": "A1", "err": 0},
        {"m": "p", "n": "A1", "retry": True, "k": 3},
        {"m": "p", "n": "A1", "b": "0.L1"},
    ]
    found, importer = mapped(tmp_path, rules, *map(json.dumps, lines))
    assert found == ["A1 < p1a b=0.L1"]
    assert [each.lines for each in importer.report.rules] == [1, 1, 1, 1]


def test_faults_states_and_defaults(tmp_path: Path) -> None:
    rest = '[defaults]\nat = "{n}"\nt = "{time?}"\npost = { ballot = "{promised}" }\n'
    rules = '[[rule]]\nwhen = { m = "p" }\ndo = "recv"\nmsg = "p1a"\nb = "{b}"\n'
    rules += '[[rule]]\nwhen = { m = "up" }\ndo = "restart"\n[[rule]]\nwhen = { m = "down" }\ndo = "crash"\n'
    lines = ('{"m":"p","n":"A1","b":"0.L1","promised":"0.L1","time":5.5}', '{"m":"down","n":"A1"}', '{"m":"up","n":"A1","promised":"0.L1"}')
    assert text_of(tmp_path, rules, *lines, rest=rest) == ["A1 < p1a b=0.L1 t=5.5 | ballot=0.L1", "A1 crash", "A1 restart | ballot=0.L1"]


def test_repetitions_are_left_out_until_the_process_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = P1A.replace("recv", "send") + "once = true\n" + '[[rule]]\nwhen = { m = "up" }\ndo = "restart"\nat = "{n}"\n'
    one, two = '{"m":"p","n":"L1","b":"0.L1"}', '{"m":"p","n":"L1","b":"1.L1"}'
    found, importer = mapped(tmp_path, rule, one, one, two, one, '{"m":"up","n":"L1"}', one)
    assert found == ["L1 > p1a b=0.L1", "L1 > p1a b=1.L1", "L1 restart", "L1 > p1a b=0.L1"]
    assert importer.report.rules[0].repeated == 2
    monkeypatch.setattr(importing, "REPETITIONS_REMEMBERED", 1)
    assert text_of(tmp_path, rule, one, two, one, one) == ["L1 > p1a b=0.L1", "L1 > p1a b=1.L1", "L1 > p1a b=0.L1"]


def test_receives_that_nothing_follows_are_left_out(tmp_path: Path) -> None:
    rules = P1A + "needs_answer = true\n" + P2B
    got, sent = '{"m":"p","n":"A1","b":"0.L1"}', '{"m":"q","n":"A1","b":"0.L1","s":1}'
    found, importer = mapped(tmp_path, rules, got, got, '{"m":"p","n":"A2","b":"0.L1"}', sent, got, rest="")
    assert found == ["A1 < p1a b=0.L1", "A1 > p2b b=0.L1 to=0.L1/1"]
    assert importer.report.rules[0].unanswered == 3


# ---- the command ----


def files(folder: Path, rules: str = P1A, *lines: str, rest: str = "") -> tuple[str, str]:
    (mapping := folder / "m.toml").write_text(HEADER + rest + rules)
    (log := folder / "A1.log").write_text("".join(f"{line}\n" for line in lines or ('{"m":"p","n":"A1","b":"0.L1"}', '{"panic":"oh no"}')))
    return str(mapping), str(log)


def test_a_dry_run_counts_and_shows_what_nobody_matched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    junk = [f"junk {number}" for number in range(1, 13)]
    rules = P1A + '[[rule]]\nname = "beat"\nwhen = { mm = "beat" }\ndrop = true\n'
    ignore = '[input]\nunmatched = "ignore"\n'
    mapping, log = files(tmp_path, rules, '{"m":"p","n":"A1","b":"0.L1"}', *junk, '{"m":"p","n":"A1","b":"1.L1"}', rest=ignore)
    done = in_process(capsys, "convert", "--map", mapping, "--dry-run", log)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:6] == [
        "1 log, 14 lines, 2 events",
        "  rule       in line  lines  events",
        "  recv p1a         9      2       2",
        "  beat            15      0       0  dropped, never: no line has mm (did you mean m?)",
        "  (no rule)              12       0",
        "lines that no rule matched (the first 10 of 12):",
    ]
    assert done.stdout.splitlines()[6:8] == [
        f"  {log}:2: this line is no JSON: unexpected character, expected a JSON value",
        "      junk 1",
    ]
    assert len(done.stdout.splitlines()) == 6 + 2 * 10


def test_a_dry_run_shows_lines_that_make_no_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping, log = files(tmp_path, P1A, '{"m":"p","n":"A1","b":"0.L1"}', '{"m":"p","n":"A1"}')
    done = in_process(capsys, "convert", "--map", mapping, "--dry-run", log)
    assert done.returncode == 2
    assert f"lines that make no event:\n  {log}:2: the line has no 'b'; it has m, n ({mapping}:7, recv p1a)\n" in done.stdout


def test_logs_become_one_file_or_a_folder_of_parts_and_events_name_their_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping, log = files(tmp_path)
    done = in_process(capsys, "convert", "--map", mapping, log, "-")
    assert done.stdout.splitlines()[-1] == "A1 < p1a b=0.L1 id=A1.log+1"
    assert "1 line matches no rule, so no event was made of it; --dry-run shows it" in done.stderr
    in_process(capsys, "convert", "--map", mapping, "--no-origins", "--to", "jsonl", log, str(tmp_path / "parts/"))
    assert in_process(capsys, "convert", "--map", mapping, log, f"{tmp_path}/trace/").returncode == 0
    assert sorted(each.name for each in (tmp_path / "trace").iterdir()) == ["A1.pmmc", "config.pmmc"]
    assert (tmp_path / "trace" / "A1.pmmc").read_text() == "pmmc-trace 1 part\nA1 < p1a b=0.L1 id=A1.log+1\n"
    (tmp_path / "trace.jsonl").unlink(missing_ok=True)
    assert in_process(capsys, "convert", "--map", mapping, "--no-origins", log, f"{tmp_path}/trace.jsonl").returncode == 0
    assert (tmp_path / "trace.jsonl").read_text().splitlines()[-1] == '{"at":"A1","do":"recv","msg":"p1a","b":"0.L1"}'


def test_several_logs_in_one_file_are_in_the_order_of_their_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mapping := tmp_path / "m.toml").write_text(HEADER + P1A + 't = "{t}"\n')
    logs = []
    for name, times in (("A1", (1, 3, 10)), ("A2", (2, 4))):
        logs.append(tmp_path / f"{name}.log")
        logs[-1].write_text("".join(f'{{"m":"p","n":"A1","b":"{time}.L1","t":{time}}}\n' for time in times))
    done = in_process(capsys, "convert", "--map", str(mapping), "--no-origins", *map(str, logs), "-")
    assert [line.rpartition("=")[2] for line in done.stdout.splitlines() if " < " in line] == ["1", "2", "3", "4", "10"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--map", "M", "LOG"], "expected logs, then a target"),
        (["--map", "M", "LOG", "LOG"], "is a log that is read; write to another file"),
        (["--map", "M", "nowhere.log", "-"], "nowhere.log: no such file or directory"),
        (["--map", "nowhere.toml", "LOG", "-"], "nowhere.toml: cannot be read: No such file or directory"),
        (["--dry-run", "LOG", "-"], "--dry-run is about logs that a mapping reads; add --map FILE.toml"),
        (["LOG", "LOG", "-"], "expected a trace and a target, found 3 paths"),
        (["--map", "LOG", "LOG", "-"], "is no TOML"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str) -> None:
    mapping, log = files(tmp_path)
    given = [{"M": mapping, "LOG": log}.get(each, each) for each in arguments]
    assert_one_clear_line(in_process(capsys, "convert", *given), problem)


def test_a_mapping_may_ask_for_a_rule_for_every_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping, log = files(tmp_path, rest='[input]\nunmatched = "refuse"\n')
    done = in_process(capsys, "convert", "--map", mapping, log, "-")
    assert done.returncode == 2
    assert f'{log}:2: no rule matches this line; [input] unmatched = "refuse" asks for a rule for every line' in done.stderr


def test_nothing_that_matches_is_no_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping, log = files(tmp_path, P1A, '{"m":"other"}')
    assert_one_clear_line(
        in_process(capsys, "convert", "--map", mapping, log, str(tmp_path / "t.pmmc")), "no line of these logs is an event"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"m":"p","n":"A1","b":"0.', "A1.log:2: this line is no JSON: "),
        ("[1]", "A1.log:2: this line is no JSON object; mend the log"),
        ('{"m":"p","n":"L2","b":"0.L1"}', 'add L2 = "complete" under [header.logs] of the mapping'),
    ],
)
def test_a_damaged_log_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, problem: str
) -> None:
    mapping, log = files(tmp_path, P1A, '{"m":"p","n":"A1","b":"0.L1"}', line)
    assert_one_clear_line(in_process(capsys, "convert", "--map", mapping, log, f"{tmp_path}/out/"), problem)
    assert not (tmp_path / "out").exists()
    dry = in_process(capsys, "convert", "--map", mapping, "--dry-run", log)
    assert dry.returncode == 2 and problem in dry.stdout


def test_a_setting_of_one_member_needs_no_list(tmp_path: Path) -> None:
    (mapping := tmp_path / "m.toml").write_text(
        HEADER.replace('["R1"]', '"R1"').replace("[header]", '[header]\nnetwork = "reliable"') + P1A
    )
    header = read_mapping(mapping).header
    assert (header.replicas, header.network) == (("R1",), frozenset({"reliable"}))


def test_ids_and_times_are_written_as_they_can_be(tmp_path: Path) -> None:
    rule = P1A + 'id = "{id?}"\nt = "{t?}"\n'
    lines = ('{"m":"p","n":"A1","b":"0.L1","id":"a b","t":"12:00 Z"}', '{"m":"p","n":"A1","b":"0.L1"}')
    found = text_of(tmp_path, rule, *lines)
    assert found == ['A1 < p1a b=0.L1 id="a b" t=12-00-Z', "A1 < p1a b=0.L1"]
    (trace := tmp_path / "t.pmmc").write_text(
        f"pmmc-trace 1\nconfig replicas=R1 leaders=L1 acceptors=A1 window=1\nlog A1 complete\n{found[0]}\n"
    )
    event = next(next(open_trace(trace).events()))
    assert (event.id, event.time) == ("a b", "12-00-Z")
    for wrong in ("", "a\\u0007"):
        with pytest.raises(TraceError, match="id is"):
            text_of(tmp_path, rule, f'{{"m":"p","n":"A1","b":"0.L1","id":"{wrong}"}}')


def test_what_is_imported_reads_back_as_the_same_events(tmp_path: Path) -> None:
    """Whatever the quick way writes, the readers read as the event that was made."""
    logs = sorted((ROOT / "pmmc_check/examples/logs/go-slog/logs").iterdir())
    importer = Importer(read_mapping(ROOT / "pmmc_check/examples/logs/go-slog/mapping.toml"))
    (trace := tmp_path / "t.pmmc").write_text("\n".join(imported_as_one(importer, logs, "dsl")))
    again = Importer(read_mapping(ROOT / "pmmc_check/examples/logs/go-slog/mapping.toml"))
    made = {item.event.id: item.event for log in logs for item in again.events(log) if item.event.process.role != CLIENT}
    opened = open_trace(trace, names=again.names)
    read = [item for stream in opened.streams for item in stream if not isinstance(item, Comment)]
    assert len(read) == again.report.events
    for item in read:
        known = made[item.id]
        if (known.action, type(known)) == (item.action, type(item)):  # a line may stand for a send and a receive
            assert known._replace(file="", line=0) == item._replace(file="", line=0)
