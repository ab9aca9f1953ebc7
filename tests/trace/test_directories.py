"""Which files of a directory count, and that none is left out without a word."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pmmc_check.cli.main import main

CONFIG = "pmmc-trace 1\nconfig replicas=R1,R2 leaders=L1 acceptors=A1,A2,A3 window=2\nlog R1,R2 partial decision\n"
FIRST, SECOND = "R1 < decision s=1 c=C1:1\n", "R2 < decision s=1 c=C2:1\n"
PART = "pmmc-trace 1 part\n"
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.pmmc").write_text(CONFIG)
    (tmp_path / "R1.pmmc").write_text(PART + FIRST)
    return tmp_path


def test_the_two_parts_together_break_agreement(folder: Path, capsys: Captured) -> None:
    (folder / "R2.log").write_text(PART + SECOND)
    assert main(["validate", str(folder)]) == 1
    assert "Agreement is broken" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("R2.pmmc", "pmmc-trace 1 Part\n" + SECOND, ":1:14: "),
        ("R2.log", "pmmc-trace 1 prt\n" + SECOND, ":1:14: "),
        ("R2.trace", "# a comment\npmmc-trace 7 part\n" + SECOND, ":2:1: "),
        ("R2.jsonl", '{"at":"R2","do":"recv","msg":"decision","s":1,"c":"C2:1"}\n', ":1:1: "),
        ("R2.txt", '{"pmmc-trace":2,"part":true}\n', ":1:1: "),
        ("x.pmmc", "junk\n", ":1:1: "),
        ("empty.pmmc", "", ": "),
    ],
)
def test_a_file_that_is_neither_header_nor_part_is_bad_input(folder: Path, capsys: Captured, name: str, text: str, place: str) -> None:
    (folder / name).write_text(text)
    assert main(["validate", str(folder)]) == 2
    error = capsys.readouterr().err
    assert str(folder / name) + place in error
    assert "begin this file with 'pmmc-trace 1 part'" in error
    assert "or move it elsewhere" in error


def test_so_is_one_in_gzip(folder: Path) -> None:
    (folder / "R2.jsonl.gz").write_bytes(gzip.compress(SECOND.encode()))
    assert main(["validate", str(folder)]) == 2


@pytest.mark.parametrize(("name", "text"), [("README.txt", "notes on pmmc\n"), ("a.wal", "\x00\x01"), ("core", "{"), ("none.log", "")])
def test_other_files_do_not_count(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    assert main(["validate", str(folder)]) == 0


def test_without_parts_each_file_is_a_trace_and_must_be_one(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "a.pmmc").write_text(CONFIG + FIRST + SECOND.replace("C2", "C1"))
    assert main(["validate", str(tmp_path)]) == 0
    (tmp_path / "b.pmmc").write_text("junk\n")
    assert main(["validate", str(tmp_path)]) == 2
    assert "b.pmmc:1:1: is no trace" in capsys.readouterr().err


def test_a_promised_log_without_events_is_noted(folder: Path, capsys: Captured) -> None:
    assert main(["validate", str(folder)]) == 0
    assert "  note: R2 promises every decision but has no events" in capsys.readouterr().out
    assert main(["validate", str(folder), "--format", "json"]) == 0
    (trace,) = json.loads(capsys.readouterr().out)["traces"]
    assert [note.split(":")[0] for note in trace["notes"]] == ["R2 promises every decision but has no events"]


@pytest.mark.parametrize("events", [FIRST, FIRST.replace("decision", "propose"), "R1 > propose s=1 c=C1:1\n"])
def test_a_note_comes_with_every_verdict(tmp_path: Path, capsys: Captured, events: str) -> None:
    path = tmp_path / "run.pmmc"
    path.write_text(CONFIG.replace("log R1,R2 partial decision", "log R1,R2,A1 complete") + events)
    code = main(["validate", str(path)])
    assert ("  note: R2,A1 promise a complete log but have no events" in capsys.readouterr().out) == (code != 2)


def test_events_of_a_commanders_own_log_are_its_leaders(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "run.pmmc"
    path.write_text(CONFIG.replace("log R1,R2 partial decision", "log L1 complete") + "0.L1 > p1a b=0.L1\n")
    assert main(["validate", str(path)]) == 0
    assert "note" not in capsys.readouterr().out


def test_values_are_the_same_in_all_readings_of_a_directory(tmp_path: Path, capsys: Captured) -> None:
    """Clients that the header does not list are numbered as they appear, and a replay reads the files in turns."""
    (tmp_path / "config.pmmc").write_text(CONFIG.replace("R1,R2 partial decision", "L1,R1 complete"))
    (tmp_path / "L1.pmmc").write_text(
        PART
        + "L1 > p1a b=0.L1\nL1 < propose s=2 c=Zoe:1 from=R1\nL1 < p1b a=A1 b=0.L1 accepted={0.L1/2/Ann:1} to=0.L1\n"
        + "L1 < p1b a=A2 b=0.L1 accepted={} to=0.L1\n"
        + "".join(f"L1 {verb} adopted b=0.L1 pvalues={{0.L1/2/Ann:1}}\n" for verb in "><")
        + "L1 > p2a b=0.L1 s=2 c=Zoe:1\n"
    )
    requests = "".join(f"R1 < request c={name}:1\nR1 > propose s={slot} c={name}:1\n" for slot, name in ((1, "Bob"), (2, "Zoe")))
    (tmp_path / "R1.pmmc").write_text(PART + requests)
    assert main(["validate", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert "expected  p2a b=0.L1 s=2 c=Ann:1 to A1,A2,A3" in text
    assert "L1.pmmc:3: L1 < propose s=2 c=Zoe:1 from=R1" in text
    assert "accepted={0.L1/2/Ann:1}" in text


@pytest.mark.parametrize("place", [".git/x", "node_modules/a/b", ".venv", "env", "__pycache__"])
def test_what_nobody_records_traces_in_is_passed_by_unless_it_is_named(place: str, folder: Path, capsys: Captured) -> None:
    (folder / "run").mkdir()
    for name in ("config.pmmc", "R1.pmmc"):
        (folder / name).rename(folder / "run" / name)
    deep = folder / place
    deep.mkdir(parents=True)
    (folder / "env").mkdir(exist_ok=True)
    (folder / "env" / "pyvenv.cfg").touch()
    (deep / "broken.pmmc").write_text("junk\n")
    (deep / "wrong.spec").write_text("junk\n")
    assert main(["validate", str(folder)]) == 0
    assert main(["gate", str(folder)]) == 0
    assert main(["validate", str(deep)]) == 2
    assert "broken.pmmc:1:1: " in capsys.readouterr().err
