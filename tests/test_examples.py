"""The examples come with the package, are listed and copied by a verb, and do what the documentation says of them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from helpers import ROOT, assert_one_clear_line, command, in_process, options

EXAMPLES = ROOT / "pmmc_check" / "examples"
FILES = sorted(each.relative_to(EXAMPLES).as_posix() for each in EXAMPLES.rglob("*") if each.is_file() and "__pycache__" not in each.parts)
LISTED = [
    name
    for name in FILES
    if name.endswith((".py", ".pmmc", "mapping.toml", "servers/rust/src/main.rs", "acceptor.go", "AcceptorStep.java", ".cpp"))
]


def test_all_are_listed_with_what_they_show(capsys: pytest.CaptureFixture[str]) -> None:
    listed = in_process(capsys, "examples").stdout.splitlines()
    assert [line.split()[0] for line in listed[: len(LISTED)]] == LISTED
    assert any(line.startswith("traces/bad-two-decisions.pmmc ") and "rejected: Agreement" in line for line in listed)


def test_all_are_copied_and_the_documented_commands_work_on_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "examples", str(tmp_path))
    assert done.stdout == f"{len(FILES)} files are in {tmp_path}; next: pmmc-check validate {tmp_path / 'traces'}\n"
    assert all((tmp_path / name).read_bytes() == (EXAMPLES / name).read_bytes() for name in FILES)
    bad = str(tmp_path / "traces" / "bad-two-decisions.pmmc")
    assert in_process(capsys, "validate", bad).returncode == 1
    role = [*options(acceptors=1, slots=1, commands=2), "--protocol", "tidy_acceptor:TidyAcceptor", "--format", "json"]
    found = command("explore", *role, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    violation = json.loads(found.stdout)["violation"]
    assert (found.returncode, violation["property"], len(violation["steps"])) == (1, "A3", 7)


def test_copying_again_changes_nothing_and_nothing_else_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert in_process(capsys, "examples", str(tmp_path)).returncode == 0
    assert in_process(capsys, "examples", str(tmp_path)).returncode == 0
    (tmp_path / FILES[0]).write_text("mine")
    (tmp_path / FILES[1]).unlink()
    assert_one_clear_line(in_process(capsys, "examples", str(tmp_path)), f"{tmp_path / FILES[0]} exists and is another file")
    assert (tmp_path / FILES[0]).read_text() == "mine"
    assert not (tmp_path / FILES[1]).exists()


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str) -> None:
    (tmp_path / "file").write_text("")
    assert_one_clear_line(in_process(capsys, "examples", str(tmp_path / folder)), f"{tmp_path / 'file'}: is a file; give a folder")


def test_the_package_carries_every_example_and_its_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    carried = {file for pattern in project["tool"]["setuptools"]["package-data"]["pmmc_check"] for file in EXAMPLES.parent.glob(pattern)}
    assert {EXAMPLES / name for name in FILES} <= carried
    assert project["project"]["license"] == "MIT"
    assert all((ROOT / name).exists() for name in project["project"]["license-files"])
    assert project["project"]["scripts"] == {"pmmc-check": "pmmc_check.cli.main:entry"}
