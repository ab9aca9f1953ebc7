"""What is wrong in a mapping, or in a log that it reads, is told at its place."""

from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import pytest

from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.importing.mapping import read_mapping
from pmmc_check.trace.importing.toml_places import lines_of_keys
from tests.trace.mappings import HEADER, P1A, P2B, SCHEMA, SET, mapped, text_of

# ---- what is wrong ----

WRONG = {
    "no table": ("[rules]\n", 8, "[rules] is no table of a mapping (did you mean rule?)"),
    "a key of a rule": (P1A + 'bb = "1"\n', 14, "bb is no field of p1a (did you mean b?); expected some of at, do, msg, b, to, from"),
    "a kind": (P1A.replace("p1a", "p1"), 11, "msg = 'p1' (did you mean p1"),
    "a verb": (P1A.replace("recv", "receive"), 10, "do = 'receive' (did you mean recv?); expected one of recv, send"),
    "a field that is missing": (P1A.replace('b = "{b}"\n', ""), 8, 'p1a needs b; add b = "{...}", or b = "?" where it was not recorded'),
    "no log": (P1A.replace('at = "{n}"\n', ""), 8, "at is missing"),
    "a brace": (P1A.replace("{b}", "{b"), 13, "expected {path}, a key of the log's lines in braces"),
    "an expression": (P1A + "match = '('\n", 14, "match: no regular expression: missing ), unterminated subpattern"),
    "a renaming": ("[processes]\n'/a(b)/' = '\\2'\n" + P1A, 9, "does not fit its expression: invalid group reference 2"),
    "no condition": (P1A.replace('when = { m = "p" }\n', ""), 8, "a rule has when = or match ="),
    "nothing to do": ('[[rule]]\nwhen = { m = "p" }\n', 8, "a rule has do = and msg = (an event), emit = [...] (several), or drop = true"),
    "dropped and an event": ('[[rule]]\nwhen = { m = "p" }\ndrop = true\ndo = "recv"\n', 11, "do is no key of rule"),
    "a number": (P1A.replace('b = "{b}"', "b = 1"), 13, "b: expected a text in quotes, found a number"),
    "a truth value": (P1A + 'once = "yes"\n', 14, "once: expected true or false, found a text"),
    "an input": ('[input]\nformat = "xml"\n' + P1A, 9, "format = 'xml'; expected one of json, text"),
    "in a list": (
        P1A + "[[rule]]\nwhen = { m = 'z' }\nemit = [\n  { do = 'crash', at = 'A1' },\n  { do = 'crash', at = 'A1', b = '1' },\n]\n",
        18,
        "b is no field of crash",
    ),
    "a set": (SET.replace(" MORE", ", delt = true"), 15, "delt is no key of rule.accepted (did you mean delta?)"),
    "a set as a text": (
        SET[: SET.index("accepted")] + 'accepted = "{acc?}"\n',
        15,
        'accepted: expected a table such as { each = "path of the list", b = ',
    ),
    "a setting elsewhere": ('[defaults]\nunmatched = "ignore"\n' + P1A, 9, "unmatched is no key of defaults; it belongs under [input]"),
    "a set without a list": (SET.replace('each = "acc", ', "").replace(" MORE", ""), 15, "each is missing"),
    "a scout": (P2B.replace('b = "{b}", s', "s"), 14, "b is missing: a scout is named by b, a commander by b and s"),
    "a condition": (P1A.replace('m = "p"', "m = 1.5"), 9, "m = 1.5: expected a text, a number, true, false, or a list of them"),
    "a stride": ("[input]\nballot_stride = 0\n" + P1A, 9, "ballot_stride = 0: expected a number from 1"),
    "JSON around": ("[input]\nline = '(.*)'\n" + P1A, 9, "line = has a group (?P<json>...)"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_a_mapping_is_told_at_its_line(tmp_path: Path, name: str) -> None:
    text, line, problem = WRONG[name]
    (file := tmp_path / "m.toml").write_text(f"{HEADER}\n{text}" if not text.startswith("[header") else text)
    with pytest.raises(TraceError) as error:
        read_mapping(file)
    assert str(error.value).startswith(f"{file}:{line}: "), str(error.value)
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_all_that_is_wrong_is_told_in_one_go(tmp_path: Path) -> None:
    text = HEADER.replace("window = 5", 'window = "5"').replace('["R1"]', '["R1", "L1"]') + "[input]\nfirst_slot = -1\nform = 'text'\n"
    text += (
        P1A.replace("{b}", "{b")
        + "match = '('\n"
        + P2B.replace('do = "send"', 'do = "sent"')
        + SET.replace("MORE", ", delt = true").replace("at =", "on =")
    )
    (file := tmp_path / "m.toml").write_text(text)
    with pytest.raises(TraceError) as error:
        read_mapping(file)
    told = str(error.value).splitlines()
    assert [int(each.removeprefix(f"{file}:").partition(":")[0]) for each in told] == [3, 5, 8, 9, 15, 16, 19, 24, 28, 31], str(error.value)
    assert "two processes are called L1" in told[0]
    assert told[-1].endswith("delt is no key of rule.accepted (did you mean delta?); expected some of each, b, s, c, match, delta")


def test_a_default_that_is_wrong_is_told_once_for_all_rules_and_no_more_than_twenty_mistakes_are_shown(tmp_path: Path) -> None:
    (file := tmp_path / "m.toml").write_text(HEADER + '[defaults]\nid = "{"\n' + P1A * 3)
    with pytest.raises(TraceError) as error:
        read_mapping(file)
    assert str(error.value).startswith(f"{file}:8: ")
    assert "\n" not in str(error.value)
    file.write_text(HEADER + P1A.replace("recv", "receive") * 25)
    with pytest.raises(TraceError) as error:
        read_mapping(file)
    assert str(error.value).endswith("\nand 5 more")


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ('window = 5\n', "", 1, "the configuration lacks window=; add window=5"),
        ('window = 5', 'window = "5"', 5, "'window' must be a number"),
        ('A1 = "complete"', 'A1 = "whole"', 6, "'logs' must be for each process"),
        ('A1 = "complete"', 'A7 = "complete"', 6, "A7 is no replica, leader or acceptor of the header (did you mean A1?)"),
        ('["p1a", "p2a"]', '["p1a", "p3a"]', 6, "'p3a' is no message kind (did you mean p"),
        ('window = 5', 'window = 5\nproposal = "lazy"', 6, "'proposal' is no setting"),
        ('window = 5', 'window = 5\nproposals = "lasy"', 6, "proposals=lasy is no setting (did you mean lazy?)"),
        ('["R1"]', '["R1", "L1"]', 3, "two processes are called L1"),
        ('window = 5', 'window = 5\nunmatched = "refuse"', 6, "unmatched is no setting of [header]; it belongs under [input]"),
        ("[header]\n", "[header]\n[header]\n", 2, "is no TOML: Cannot declare ('header',) twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_its_header_is_told_at_its_line(tmp_path: Path, old: str, new: str, line: int, problem: str) -> None:
    (file := tmp_path / "m.toml").write_text(HEADER.replace(old, new, 1) + P1A)
    with pytest.raises(TraceError) as error:
        read_mapping(file)
    assert str(error.value).startswith(f"{file}:{line}:"), str(error.value)
    assert problem in str(error.value)


MEANING = (
    "a brace",
    "an expression",
    "a renaming",
    "a kind",
    "JSON around",
    "a field that is missing",
    "no log",
    "a key of a rule",
    "in a list",
)
"""What is wrong in more than its form."""


@pytest.mark.parametrize("text", [name for name in WRONG if name not in MEANING])
def test_the_schema_refuses_them_as_well(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(HEADER + WRONG[text][0] + ("" if "[[rule" in WRONG[text][0] else P1A)), SCHEMA)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"m":"p","n":"A1"}', "the line has no 'b'; it has m, n (m.toml:7, recv p1a)"),
        ('{"m":"p","n":"A1","B":"0.L1"}', "the line has no 'b' (did you mean B?)"),
        (
            '{"m":"p","n":"A9","b":"0.L1"}',
            'A9 has events, but the header promises none; add A9 = "complete" under [header.logs] of the mapping',
        ),
        ('{"m":"p","n":"A1","b":"0.X"}', "'X' is no leader of the header; it has L1, L2"),
        ('{"m":"p","n":"A1","b":""}', "b is empty"),
        ('{"m":"p","n":"A1","b":[1]}', "'[1]' is no ballot"),
        ('{"m":"p","n":"A1","b":null}', "'b' is null in this line"),
        ('{"m":"p","n":"L1","b":"0.L1"}', "a leader never receives p1a"),
    ],
)
def test_a_line_that_makes_no_event_is_told_with_its_rule(tmp_path: Path, line: str, problem: str) -> None:
    good = '{"m":"p","n":"A1","b":"0.L1"}'
    with pytest.raises(TraceError) as error:
        text_of(tmp_path, P1A, good, line)
    told = str(error.value).replace(f"{tmp_path}/", "")
    assert told.startswith("node.log:2: ")
    assert problem in told
    _, importer = mapped(tmp_path, P1A, good, line, good, strict=False)
    assert (importer.report.events, importer.report.wrong) == (2, 1)


# ---- places in TOML ----


def test_every_key_has_its_line() -> None:
    text = (
        'a = 1  # [x]\n"b.c" = """\nd = 2\n"""\n[t."u v"]\n'
        "k = { x = [1,\n 2], y.z = '#' }\n"
        '[[r]]\n[[r.e]]\nq = [\n  { w = 1 },\n  { w = "]" },\n]\n'
        "[[r]]\np = '''\n[no]\n'''\ns = 1979-05-27 # date\n"
    )
    assert tomllib.loads(text)
    places = lines_of_keys(text)
    expected = {
        ("a",): 1, ("b.c",): 2, ("t", "u v", "k"): 6, ("t", "u v", "k", "x", 1): 7, ("t", "u v", "k", "y", "z"): 7, ("r",): 8, ("r", 0): 8,
        ("r", 0, "e", 0): 9, ("r", 0, "e", 0, "q", 1, "w"): 12, ("r", 1): 14, ("r", 1, "p"): 15, ("r", 1, "s"): 18,
    }  # fmt: skip
    assert {path: places.get(path) for path in expected} == expected
    assert ("d",) not in places
    assert ("no",) not in places
