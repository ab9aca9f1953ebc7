"""Specs in the gate: what they expect, where a difference is shown, what makes an outcome void, and which change affects them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest
from helpers import ROOT, in_process
from junitparser import JUnitXml

from pmmc_check.gating.checks import DEFAULT_LIMITS, Check
from pmmc_check.gating.configuration import GateConfiguration
from pmmc_check.gating.discovery import checks_of
from pmmc_check.gating.inputs import input_digest, modules_of
from pmmc_check.gating.selection import affected

TINY = "ACCEPTORS 1 LEADERS 1 REPLICAS 1 SLOTS 1\n"
MINE = "INVARIANT Mine ==\n  \\A c \\in Commands : ~Decided(1, c)\n"
SPECS = {
    "plain": TINY,
    "fault": f"{TINY}{MINE}EXPECT violated\n",
    "regression": f"{TINY}{MINE}EXPECT holds\n",
    "counted": f"{TINY}EXPECT holds\nSTATES 6\n",
    "unreached": f"{TINY}\nWITNESS Never == acceptor[A1].ballot.round > 5\n",
    "typo": f"{TINY}INVARIANT Agrement\n",
    "stopped": f"{TINY}MAX_STATES 2\nEXPECT inconclusive\n",
}
REFERENCE = '[[check]]\nname = "without compiled kernels"\nfiles = ["specs/*.spec"]\nexplore = {engine = "reference"}\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "specs" / "deeper").mkdir(parents=True)
    for name, text in SPECS.items():
        (tmp_path / "specs" / f"{name}.spec").write_text(text)
    (tmp_path / "specs" / "plain.spec").rename(tmp_path / "specs" / "deeper" / "plain.spec")
    (tmp_path / "pmmc-check.toml").write_text(f'[gate]\npaths = ["specs"]\n{REFERENCE}')
    return tmp_path


def found_in(path: str) -> dict[str, Check]:
    return {Path(each.name).stem: each for each in checks_of([path], GateConfiguration(), DEFAULT_LIMITS)}


def test_a_spec_says_what_is_expected_and_one_that_does_not_should_hold(project: Path) -> None:
    found = found_in("specs")
    assert {name: (each.expected, each.states) for name, each in found.items()} == {
        "plain": ("holds", None),
        "fault": ("violated", None),
        "regression": ("holds", None),
        "counted": ("holds", 6),
        "unreached": ("holds", None),
        "typo": ("holds", None),
        "stopped": ("inconclusive", None),
    }
    assert (found["fault"].line, found["regression"].property_lines) == (4, {"Mine": 2})


def test_the_gate_compares_and_shows_each_difference_at_its_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "gate", "--format", "github", "--json", "out.json", "--sarif", "out.sarif", "--junit", "out.xml")
    assert done.returncode == 2, done.stdout + done.stderr
    told = {Path(each["name"]).stem: each for each in json.loads(Path("out.json").read_text())["checks"]}
    assert {name: (each["verdict"], each["as_expected"]) for name, each in told.items()} == {
        "plain": ("holds", True),
        "fault": ("violated", True),
        "regression": ("violated", False),
        "counted": ("holds", True),  # another engine finds other numbers, so those of the spec do not count
        "unreached": ("violated", False),
        "typo": ("bad input", False),
        "stopped": ("inconclusive", True),
    }
    for place, message in [
        ("regression.spec,line=2", "violated, expected holds: Mine: ~Decided(1, c) is false for c = c1"),
        ("unreached.spec,line=3", "violated, expected holds: Never: reached in none of "),
        ("typo.spec,line=2", "bad input, expected holds: specs/typo.spec:2:11: Agrement is neither built in nor defined above"),
    ]:
        (line,) = [each for each in done.stdout.splitlines() if each.startswith(f"::error file=specs/{place},")]
        assert message in line
    log = json.loads(Path("out.sarif").read_text())
    jsonschema.validate(log, json.loads((ROOT / "tests" / "gate" / "sarif-2.1.0-rtm.5.json").read_text()))
    places = [each["locations"][0]["physicalLocation"] for each in log["runs"][0]["results"]]
    assert sorted((each["artifactLocation"]["uri"], each["region"]["startLine"]) for each in places) == [
        ("specs/regression.spec", 2),
        ("specs/typo.spec", 2),
        ("specs/unreached.spec", 3),
    ]
    (suite,) = JUnitXml.fromfile("out.xml")
    assert (suite.tests, suite.failures, suite.errors) == (7, 2, 1)


def test_another_number_of_states_is_not_as_expected_and_an_unchanged_spec_is_not_executed_again(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = in_process(capsys, "gate", "specs/counted.spec", "--format", "github")
    assert first.returncode == 0  # the configuration's entry overrides the spec's engine, and with it the number
    Path("pmmc-check.toml").unlink()
    second = in_process(capsys, "gate", "specs/counted.spec", "--format", "github")
    assert second.returncode == 1
    assert "::error file=specs/counted.spec,line=2," in second.stdout
    assert "holds: 6 states expected, " in second.stdout
    assert "1 remembered, unchanged" in in_process(capsys, "gate", "specs/counted.spec").stdout


def test_what_a_spec_says_and_what_it_names_void_a_remembered_outcome(project: Path) -> None:
    role = project / "mine" / "roles.py"
    role.parent.mkdir()
    role.write_text("import helper\n")
    (project / "helper.py").write_text("x = 1\n")
    spec = project / "specs" / "own.spec"
    spec.write_text(f"{TINY}\\* not unrelated:Thing\nPROTOCOL mine.roles:Acceptor\n")
    (project / "unrelated.py").write_text("")
    (check,) = found_in("specs/own.spec").values()
    assert {each.name for each in modules_of(check)} == {"roles.py", "helper.py"}
    digests = [input_digest(check)]
    for path, text in ((spec, f"{TINY}PROTOCOL mine.roles:Other\n"), (role, "import helper\n\n"), (project / "helper.py", "x = 2\n")):
        path.write_text(text)
        digests.append(input_digest(check))
    assert None not in digests
    assert len(set(digests)) == 4
    (project / "unrelated.py").write_text("x = 1\n")
    assert input_digest(check) == digests[-1]


def test_an_installed_package_that_a_spec_names_counts_as_a_whole(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = project / "site-packages" / "bought"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    (installed / "roles.py").write_text("from bought import inner\n")
    (installed / "inner.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(installed.parent))
    (project / "specs" / "own.spec").write_text(f"{TINY}PROTOCOL bought.roles:Acceptor\n")
    (check,) = found_in("specs/own.spec").values()
    before = input_digest(check)
    (installed / "inner.py").write_text("x = 2\n")
    assert before is not None
    assert input_digest(check) != before


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("specs/fault.spec", ["fault"]),
        ("roles.py", ["own"]),
        ("-roles.py", ["own"]),
        ("unrelated.py", []),
        ("specs/new.spec", ["new"]),
    ],
)
def test_a_change_affects_the_specs_that_it_is_in_and_those_that_name_it(project: Path, changed: str, expected: list[str]) -> None:
    (project / "roles.py").write_text("x = 1\n")
    (project / "specs" / "own.spec").write_text(f"{TINY}PROTOCOL roles:Acceptor\n")
    for arguments in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"]):
        subprocess.run(["git", *arguments], check=True)
    if changed.startswith("-"):
        (project / changed[1:]).unlink()
    else:
        (project / changed).write_text(f"{TINY}EXPECT holds\n" if changed.endswith(".spec") else "y = 1\n")
    assert [Path(each.name).stem for each in affected(list(found_in("specs").values()), "HEAD", "")] == expected
