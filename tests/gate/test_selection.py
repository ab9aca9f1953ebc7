"""Which checks a change can affect, which share a machine has, and what makes a remembered outcome void."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from helpers import ROOT

from pmmc_check.gating.answers import outcome_of
from pmmc_check.gating.checks import CRASHED, SEARCH, SPEC, TRACE, Check, CheckResult, gate_exit_code
from pmmc_check.gating.inputs import input_digest, modules_of
from pmmc_check.gating.selection import affected, share
from pmmc_check.report.gate_github import workflow_commands


def check(kind: str, folder: Path, *arguments: str, files: tuple[str, ...] = (), expected: str = "holds", name: str = "a") -> Check:
    return Check(name, kind, arguments, folder, tuple(map(Path, files)), expected, "pmmc-check.toml")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with a role that imports another module, a package of its own, and a trace."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "roles.py").write_text("import helper\nfrom package.inner import thing\n")
    (tmp_path / "helper.py").write_text("x = 1\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "inner.py").write_text("from . import leaf\nthing = 1\n")
    (tmp_path / "package" / "leaf.py").write_text("")
    (tmp_path / "unrelated.py").write_text("")
    (tmp_path / "run.pmmc").write_text((ROOT / "traces" / "good-one-command.pmmc").read_text())
    for arguments in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"]):
        subprocess.run(["git", *arguments], check=True)
    return tmp_path


def test_a_role_depends_on_all_that_it_imports_from_the_project(project: Path) -> None:
    found = {each.relative_to(project).as_posix() for each in modules_of(check(SEARCH, project, "--protocol=roles:Mine"))}
    assert found == {"roles.py", "helper.py", "package/__init__.py", "package/inner.py", "package/leaf.py"}


@pytest.mark.parametrize("changed", ["roles.py", "helper.py", "package/leaf.py", "unrelated.py"])
def test_a_change_voids_what_depends_on_it(project: Path, changed: str) -> None:
    search = check(SEARCH, project, "--protocol=roles:Mine")
    before = input_digest(search)
    (project / changed).write_text("y = 2\n" + (project / changed).read_text())
    assert before is not None
    assert (input_digest(search) == before) == (changed == "unrelated.py")
    assert (affected([search], "HEAD", "") == []) == (changed == "unrelated.py")


def test_a_role_that_reads_what_its_text_does_not_show_is_always_executed(project: Path) -> None:
    (project / "helper.py").write_text("table = open('table.txt').read()\n")
    assert input_digest(check(SEARCH, project, "--protocol=roles:Mine")) is None


def test_other_options_and_another_trace_are_another_check(project: Path) -> None:
    one, other = (input_digest(check(TRACE, project, *more, files=("run.pmmc",))) for more in ((), ("--variant=x",)))
    (project / "run.pmmc").write_text("")
    assert len({one, other, input_digest(check(TRACE, project, files=("run.pmmc",)))}) == 3


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("run.pmmc", ["trace"]),
        ("pmmc-check.toml", ["trace", "roles", "plain"]),
        ("requirements.txt", ["trace", "roles", "plain"]),
        ("new.txt", []),
        ("-helper.py", ["roles"]),
    ],
)
def test_what_a_change_can_affect(project: Path, change: str, expected: list[str]) -> None:
    checks = [
        check(TRACE, project, files=("run.pmmc",), name="trace"),
        check(SEARCH, project, "--protocol=roles:Mine", name="roles"),
        check(SEARCH, project, "--slots=1", name="plain"),
    ]
    if change.startswith("-"):
        (project / change[1:]).unlink()
    else:
        (project / change).write_text("changed\n")
    assert [each.name for each in affected(checks, "HEAD", "pmmc-check.toml")] == expected


def test_shards_share_all_checks(tmp_path: Path) -> None:
    checks = [check(SEARCH, tmp_path, name=str(number)) for number in range(7)]
    shares = [share(checks, part, 3) for part in (1, 2, 3)]
    assert sorted(each.name for part in shares for each in part) == [each.name for each in checks]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(
    ("code", "answer", "exit_code"),
    [
        (0, {"verdict": "holds"}, 0),
        (1, {"verdict": "violated", "violation": {"property": "C2", "message": "no"}}, 1),
        (3, {"verdict": "inconclusive", "limit": "1 state"}, 3),
        (2, None, 2),
        (70, None, 1),
        (-11, None, 1),
        (0, None, 1),
        (0, {"verdict": "violated"}, 1),
        (1, {"verdict": "holds"}, 1),
    ],
)
def test_an_answer_counts_only_with_its_exit_code(tmp_path: Path, code: int, answer: dict[str, object] | None, exit_code: int) -> None:
    spec = check(SPEC, tmp_path)
    outcome = outcome_of(spec, code, json.dumps(answer) if answer else "", "pmmc-check explore: a message\n")
    assert gate_exit_code([CheckResult(spec, outcome)]) == exit_code
    if answer is None and code not in (2, 3):
        assert outcome.verdict == CRASHED


def test_annotations_are_one_line_whatever_is_in_them(tmp_path: Path) -> None:
    odd = Check("50%, a:b\nc", SEARCH, (), tmp_path, (), "holds", "a,b.toml", 3)
    (line,) = workflow_commands(CheckResult(odd, outcome_of(odd, 2, "", "100% wrong")))
    assert line == "::error file=a%2Cb.toml,line=3,title=pmmc-check%3A 50%25%2C a%3Ab%0Ac::bad input, expected holds: 100%25 wrong"
