"""What is ready to use in CI (action.yml, the hooks of pre-commit, the snippets of docs/gate.md, the Dockerfile): each against its
schema or linter, and its commands really run. Nothing here starts a GitHub runner, a GitLab runner or a container engine."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import ROOT

TOOLS = Path(sys.executable).parent
GOOD, BAD = "good-one-command.pmmc", "bad-window.pmmc"


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "NUMBA_CACHE_DIR", "GIT_DIR")}
    return subprocess.run(command, cwd=cwd, env=clean | (env or {}), capture_output=True, text=True, check=False)


def tool(name: str) -> str:
    """A tool that is installed beside this Python, or skips."""
    found = shutil.which(name, path=f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        pytest.skip(f"{name} is not installed: pip install -e '.[dev]'")
    return found


def assert_fits(schema: str, path: Path) -> None:
    done = run(tool("check-jsonschema"), "--builtin-schema", f"vendor.{schema}", path)
    assert done.returncode == 0, done.stdout + done.stderr


def snippet(begins: str) -> str:
    """The YAML of docs/gate.md that begins so."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "gate.md").read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [each for each in blocks if each.startswith(begins)]
    return str(found)


def test_the_action_fits_the_schema_of_actions() -> None:
    assert_fits("github-actions", ROOT / "action.yml")


def test_the_snippets_fit_the_schemas_of_their_hosts(tmp_path: Path) -> None:
    (tmp_path / "workflow.yml").write_text("name: a\non: push\n" + snippet("jobs:"))
    assert_fits("github-workflows", tmp_path / "workflow.yml")
    (tmp_path / "gitlab.yml").write_text(snippet("paxos:"))
    assert_fits("gitlab-ci", tmp_path / "gitlab.yml")


def test_the_snippet_gives_the_action_inputs_that_it_has() -> None:
    steps = yaml.safe_load(snippet("jobs:"))["jobs"]["paxos"]["steps"]
    (used,) = [each for each in steps if "pmmc-check@" in each["uses"]]
    assert set(used["with"]) <= set(yaml.safe_load((ROOT / "action.yml").read_text())["inputs"])


def test_the_hooks_fit_the_schema_of_pre_commit_and_the_snippet_names_them(tmp_path: Path) -> None:
    done = run(tool("pre-commit"), "validate-manifest", ROOT / ".pre-commit-hooks.yaml")
    assert done.returncode == 0, done.stdout
    (tmp_path / "config.yaml").write_text(snippet("repos:"))
    done = run(tool("pre-commit"), "validate-config", tmp_path / "config.yaml")
    assert done.returncode == 0, done.stdout
    hooks = {each["id"] for each in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert {each["id"] for repo in yaml.safe_load(snippet("repos:"))["repos"] for each in repo["hooks"]} <= hooks


def test_the_linter_has_nothing_to_say_of_the_dockerfile() -> None:
    done = run(tool("hadolint"), "--no-color", "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository of somebody who uses pmmc-check: an accepted trace, a rejected one, a spec."""
    folder = tmp_path / "project"
    (folder / "runs").mkdir(parents=True)
    shutil.copy(ROOT / "traces" / GOOD, folder / "runs")
    (folder / "small.spec").write_text("ACCEPTORS 1 LEADERS 1 REPLICAS 1 SLOTS 1\nEXPECT holds\n")
    (folder / "pmmc-check.toml").write_text('[gate]\npaths = ["runs", "small.spec"]\n')
    for arguments in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"]):
        subprocess.run(["git", *arguments], check=True, cwd=folder)
    return folder


def run_steps(project: Path, temporary: Path, inputs: dict[str, str]) -> list[subprocess.CompletedProcess[str]]:
    """The action's own shell steps, as a runner runs them; what is known of the host is filled in, and nothing else."""
    action: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
    known = {"github.action_path": str(ROOT), "runner.temp": str(temporary), "runner.os": "Linux", "github.sha": "0"}
    known |= {f"inputs.{name}": inputs.get(name, each.get("default", "")) for name, each in action["inputs"].items()}
    done = []
    for step in action["runs"]["steps"]:
        if "run" not in step:
            continue
        assert "${{" not in step["run"], "an input in the text of a script could be executed"
        env = {name: re.sub(r"\$\{\{ *(.*?) *\}\}", lambda each: known[each[1]], text) for name, text in step["env"].items()}
        env |= {"RUNNER_TEMP": str(temporary), "GITHUB_STEP_SUMMARY": str(temporary / "summary.md")}
        env["PATH"] = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
        script = temporary / "step.sh"
        script.write_text(step["run"])
        done.append(run("bash", "--noprofile", "--norc", "-eo", "pipefail", script, cwd=project, env=env))
    return done


@pytest.mark.slow  # it installs the package into an environment of its own
def test_the_steps_of_the_action_do_what_they_say(project: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "runner temp"
    temporary.mkdir()
    installed, passed = run_steps(project, temporary, {"sarif": "out.sarif", "junit": "out.xml"})
    assert installed.returncode == 0, installed.stderr
    assert (passed.returncode, "2 checks: 2 ok" in passed.stdout) == (0, True), passed.stdout + passed.stderr
    assert (project / "out.sarif").exists() and (project / "out.xml").exists()
    assert "## pmmc-check gate" in (temporary / "summary.md").read_text()
    shutil.copy(ROOT / "traces" / BAD, project / "runs")
    changed = {"changed-since": "HEAD", "arguments": "--shard 1/1 --jobs 1", "paths": "runs small.spec"}
    _, failed = run_steps(project, temporary, changed)
    assert failed.returncode == 1
    assert "::error file=runs/bad-window.pmmc,line=" in failed.stdout
    assert "1 check: 1 NOT AS EXPECTED" in failed.stdout


@pytest.mark.slow  # it installs the package into an environment of its own
def test_the_hooks_of_pre_commit_let_pass_what_is_as_expected_and_nothing_else(project: Path, tmp_path: Path) -> None:
    commit = run("git", "rev-parse", "HEAD").stdout.strip()
    hooks = "".join(f"      - id: {each}\n" for each in ("pmmc-check-gate", "pmmc-check-traces"))
    (project / ".pre-commit-config.yaml").write_text(f"repos:\n  - repo: {ROOT}\n    rev: {commit}\n    hooks:\n{hooks}")
    env = {"PRE_COMMIT_HOME": str(tmp_path / "hooks"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run(["git", "add", "."], check=True, cwd=project)
    passed = run(tool("pre-commit"), "run", "--all-files", "--verbose", cwd=project, env=env)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert passed.stdout.count("Passed") == 2
    shutil.copy(ROOT / "traces" / BAD, project / "runs")
    subprocess.run(["git", "add", "."], check=True, cwd=project)
    failed = run(tool("pre-commit"), "run", cwd=project, env=env)
    assert failed.returncode == 1
    assert failed.stdout.count("NOT AS EXPECTED: runs/bad-window.pmmc: rejected, expected accepted: R5") == 2


@pytest.mark.slow  # it installs the package into an environment of its own
def test_what_the_dockerfile_runs_makes_a_command_that_works(tmp_path: Path) -> None:
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    copied = [part for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line for part in line.split()[1:-1]]
    for name in copied:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    commands = [line.removeprefix("RUN ") for line in text.splitlines() if line.startswith("RUN ") and "apt-get" not in line]
    assert len(commands) == 2
    home = str(tmp_path / "opt")
    env = {"PATH": f"{home}/bin{os.pathsep}{TOOLS}{os.pathsep}{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for each in commands:
        done = run("sh", "-c", each.replace("/opt/pmmc-check", shlex.quote(home)), cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
    entry = run(f"{home}/bin/pmmc-check", "gate", ROOT / "traces" / GOOD, cwd=tmp_path, env=env)
    assert (entry.returncode, "1 check: 1 ok" in entry.stdout) == (0, True)
