"""Programs that play roles, in specs and in the gate; and the published schema of what they are asked and answer."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from helpers import ROOT, explore, in_process

from external.test_step_servers import SERVERS, server
from pmmc_check.gating.checks import SEARCH, SPEC, Check
from pmmc_check.gating.inputs import input_digest
from pmmc_check.gating.selection import affected

SCHEMA = ROOT / "pmmc_check" / "external" / "step-protocol.schema.json"


def search(folder: Path, command: str) -> Check:
    return Check("mine", SEARCH, ("explore", f"--protocol=exec:{command}"), folder, (), "holds", "pmmc-check.toml")


def spec(folder: Path, command: str) -> Check:
    (folder / "mine.spec").write_text(f'PROTOCOL "exec:{command}"\n')
    return Check("mine", SPEC, ("explore", "mine.spec"), folder, (Path("mine.spec"),), "holds", "mine.spec")


@pytest.mark.parametrize("check_of", [search, spec])
def test_a_compiled_program_counts_by_its_content(check_of: object, tmp_path: Path) -> None:
    program = tmp_path / "acceptor-step"
    program.write_bytes(b"\x7fELF one")
    before = input_digest(check_of(tmp_path, "./acceptor-step --quick"))  # type: ignore[operator]
    assert before is not None
    assert input_digest(check_of(tmp_path, "./acceptor-step --quick")) == before  # type: ignore[operator]
    assert input_digest(check_of(tmp_path, "./acceptor-step")) != before  # type: ignore[operator]
    program.write_bytes(b"\x7fELF two")
    assert input_digest(check_of(tmp_path, "./acceptor-step --quick")) != before  # type: ignore[operator]


@pytest.mark.parametrize(
    "command", ["./script", "java -cp classes Acceptor", "python3 acceptor.py", "./missing", "./compiled script", "/bin/sh", "it's"]
)
def test_of_any_other_program_nothing_is_remembered(command: str, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "compiled").write_bytes(b"\x7fELF")
    assert input_digest(search(tmp_path, command)) is None
    assert input_digest(spec(tmp_path, command)) is None


def test_any_change_may_affect_a_check_with_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unrelated.rs").write_text("")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    (tmp_path / "unrelated.rs").write_text("fn main() {}")
    monkeypatch.chdir(tmp_path)
    check = search(tmp_path, "./acceptor-step")
    assert affected([check, replace(check, name="stock", arguments=("explore",))], "HEAD", "") == [check]


def test_a_spec_names_a_program(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings = "ACCEPTORS 1\nLEADERS 1\nREPLICAS 1\nSLOTS 1\nCOMMANDS 1\nEXPECT violated\n"
    (tmp_path / "mine.spec").write_text(f'{settings}PROTOCOL "exec:{server("acceptor", "asserts")}"\n')
    done = in_process(capsys, "explore", str(tmp_path / "mine.spec"), "--engine", "reference")
    assert done.returncode == 1
    assert "VIOLATED: Assertion: A1 fails on p1a(0.L1): ballot must not be 0.L1" in done.stdout


def recorded(tmp_path: Path, *arguments: str) -> list[dict[str, object]]:
    """All lines that go either way between a search and the stock roles in another process."""
    tee, log = tmp_path / "tee.sh", tmp_path / "lines"
    tee.write_text(f'tee "{log}-$$-in" | {sys.executable} {SERVERS / "stock.py"} "$@" | tee "{log}-$$-out"\n')
    found = explore("--acceptors", "1", "--slots", "1", "--commands", "2", "--protocol", f"exec:sh {tee} {' '.join(arguments)}")
    assert found["verdict"] == "holds"
    return [json.loads(line) for each in tmp_path.glob("lines-*") for line in each.read_text().splitlines()]


@pytest.mark.parametrize("way", ["", "--memory"])
def test_every_line_fits_the_published_schema(way: str, tmp_path: Path) -> None:
    lines = recorded(tmp_path, "--claims", "acceptor", "leader", "scout", "commander", *filter(None, [way, "" if way else "replica"]))
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert len(lines) > 100
    for kind in ("hello", "start", "step"):
        assert any(each.get("ask") == kind for each in lines)
    for each in lines[:200] + lines[-50:]:
        validator.validate(each)


@pytest.mark.parametrize(
    "line",
    [
        {"id": 1},
        {"id": 1, "outcomes": []},
        {"id": 1, "outcomes": [{"sends": []}]},
        {"id": 1, "outcomes": [{"state": 1}]},
        {"id": 1, "outcomes": [{"state": 1, "sends": [{"to": "acceptor 1", "msg": "p1a", "b": "0.L1"}]}]},
        {"id": 1, "outcomes": [{"state": 1, "sends": [{"to": "A1", "msg": "p1a"}]}]},
        {"id": 1, "outcomes": [{"state": 1, "sends": []}], "error": "both"},
        {"id": 1, "role": "aceptor"},
        {"pmmc-role": 1, "id": 2, "ask": "step", "me": "A1"},
    ],
)
def test_the_schema_refuses_what_is_refused(line: dict[str, object]) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert not validator.is_valid(line)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))
