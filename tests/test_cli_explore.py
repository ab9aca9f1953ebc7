"""The real command: output, exit codes, bad input, and what it does to the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT, assert_one_clear_line, command, environment, explored, in_process, options

TINY = options(acceptors=1, leaders=1, replicas=1, slots=1)
FAULTY = options(acceptors=1, replicas=2, slots=1, commands=2, variant="ignore-pmax")
KEYS = [
    "verdict", "config", "engine", "reductions", "distinct_states", "generated_states", "depth", "seconds", "states_per_second",
    "peak_memory_bytes", "claims", "collision_probability", "properties", "action_coverage",
    "coverage", "vacuous", "violation", "limit", "version", "seed",
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "verdict"), [(TINY, 0, "holds"), (FAULTY, 1, "violated"), ([*TINY, "--max-states", "3"], 3, "inconclusive")]
)
def test_json_is_one_object_with_the_keys_of_the_contract_and_the_exit_code_follows_the_verdict(
    arguments: list[str], code: int, verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = in_process(capsys, "explore", "--format", "json", *arguments)
    answer = json.loads(done.stdout)
    assert sorted(answer) == sorted(KEYS)
    assert (done.returncode, answer["verdict"]) == (code, verdict)
    assert (answer["violation"] is not None) == (verdict == "violated")
    assert (answer["limit"] is not None) == (verdict == "inconclusive")


def test_a_violation_has_the_keys_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    violation = explored(capsys, *FAULTY)["violation"]
    assert sorted(violation) == ["loop", "message", "property", "steps", "why"]
    assert [step["index"] for step in violation["steps"]] == list(range(1, len(violation["steps"]) + 1))
    for step in violation["steps"]:
        assert sorted(step) == ["action", "changes", "index", "message", "process", "sends"]
        assert step["message"].startswith(step["action"] + "(")
        assert all(sorted(send) == ["message", "to"] for send in step["sends"])
        assert all(sorted(change) == ["after", "before", "field", "process"] for change in step["changes"])


def test_each_property_has_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    answer = explored(capsys, *FAULTY, "--invariant", "agreement", "--invariant", "R4")
    assert answer["properties"] == [{"name": "Agreement", "verdict": "violated"}, {"name": "R4", "verdict": "inconclusive"}]


def test_the_defaults_are_those_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    answer = explored(capsys, "--max-states", "1")
    assert answer["config"] == {
        "acceptors": 3, "leaders": 2, "replicas": 2, "slots": 2, "commands": 2, "rounds": 1, "window": 2, "network": "duplicating",
        "crashes": 0, "restarts": 0, "faulty": [], "reconfigurations": 0, "quorum1": 2, "quorum2": 2,
    }  # fmt: skip
    assert answer["engine"] == "compiled"
    assert sorted(answer["reductions"]) == ["commuting", "deferral", "halting", "inert", "symmetry"]
    assert [each["name"] for each in answer["properties"]][:2] == ["Agreement", "Validity"]
    assert len(answer["properties"]) == 13


def test_commands_and_window_follow_slots(capsys: pytest.CaptureFixture[str]) -> None:
    config = explored(capsys, "--slots", "3", "--max-states", "1")["config"]
    assert (config["commands"], config["window"]) == (3, 3)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (name, value)
        for name in ("acceptors", "leaders", "replicas", "slots", "commands", "rounds", "window")
        for value in ("0", "-1", "two", "1.5")
    ]
    + [(name, value) for name in ("threads", "max-states", "max-depth", "max-memory") for value in ("0", "-3", "many")]
    + [("time-limit", value) for value in ("0", "-1", "soon", "nan", "inf")]
    + [
        ("network", "tcp"),
        ("invariant", "Liveness"),
        ("variant", "nonsense"),
        ("reduce", "everything"),
        ("reduce", "inert,,x"),
        ("engine", "fast"),
    ]
    + [("format", "xml"), ("trace-out", "/nonexistent/folder/file"), ("trace-out", "/"), ("trace-out", "")],
)
def test_a_bad_value_is_one_sentence_that_names_the_option(capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    assert_one_clear_line(in_process(capsys, "explore", *TINY, f"--{option}={value}"), f"--{option}")


@pytest.mark.parametrize("option", ["acceptors", "leaders", "replicas", "slots", "commands", "rounds"])
@pytest.mark.parametrize("count", ["1000", "99999999999999999999"])
def test_a_configuration_larger_than_the_engines_hold_is_refused_with_a_remedy(
    capsys: pytest.CaptureFixture[str], option: str, count: str
) -> None:
    assert_one_clear_line(in_process(capsys, "explore", f"--{option}={count}"), f"lower --{option}", "at most")


@pytest.mark.parametrize(
    "arguments", [["--acceptors", "0"], ["--network", "tcp"], ["--trace-out", "/nonexistent/folder/file"]], ids=" ".join
)
def test_the_real_command_ends_with_2_and_no_traceback(arguments: list[str]) -> None:
    assert_one_clear_line(command("explore", *TINY, *arguments), arguments[0])


def test_the_reference_engine_refuses_reductions(capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_clear_line(
        in_process(capsys, "explore", *TINY, "--engine", "reference", "--reduce", "all"), "--reduce all", "--engine compiled"
    )


@pytest.mark.parametrize("arguments", [["nonsense"], ["explore", "--nonsense"], ["explore", "--accept", "3"], ["explore", "--slots"]])
def test_what_is_no_verb_or_option_is_refused_in_one_line_that_points_to_help(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert_one_clear_line(in_process(capsys, *arguments), "--help")


def test_two_variants_of_one_role_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_clear_line(
        in_process(capsys, "explore", *TINY, "--variant", "ignore-pmax", "--variant", "ignore-pmax"), "--variant ignore-pmax"
    )


def test_trace_out_writes_the_counterexample_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "trace.json"
    done = in_process(capsys, "explore", *FAULTY, "--format", "json", "--trace-out", str(target))
    assert json.loads(target.read_text(encoding="utf-8")) == json.loads(done.stdout)["violation"]
    assert [each.name for each in tmp_path.iterdir()] == ["trace.json"]


def test_trace_out_leaves_no_file_where_there_is_no_counterexample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text("old")
    for target in (tmp_path / "new.json", kept):
        done = in_process(capsys, "explore", *TINY, "--trace-out", str(target))
        assert done.returncode == 0
        assert "no counterexample" in done.stderr
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("kept.json", "old")]


def test_there_is_no_progress_on_stderr_when_it_is_no_terminal() -> None:
    lines = command("explore", "--max-states", "50000").stderr.splitlines()
    assert [line for line in lines if "compiling the search kernels" not in line] == []


def _imported_by(*arguments: str) -> set[str]:
    program = (
        "import sys\nfrom pmmc_check.cli.main import main\n"
        f"try:\n    main({list(arguments)!r})\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["explore", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_none_of_the_heavy_libraries(arguments: list[str]) -> None:
    modules = _imported_by(*arguments)
    assert "pmmc_check.cli.main" in modules
    assert not modules & {"numpy", "numba", "llvmlite", "psutil", "rich", "shtab", "networkx"}


def test_the_search_for_imported_modules_sees_them() -> None:
    assert "numba" in _imported_by("explore", *TINY)


@pytest.mark.slow  # all kernels are compiled for it; test_kernel_cache.py compiles them where there is no folder at all
def test_it_works_where_no_cache_folder_can_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    blocked = {"HOME": str(file), "XDG_CACHE_HOME": str(file), "NUMBA_CACHE_DIR": None}
    done = command("explore", *TINY, "--format", "json", env=blocked)
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "holds"), done.stderr
    assert "Traceback" not in done.stderr


def test_the_installed_command_is_the_same_program() -> None:
    script = Path(sys.executable).with_name("pmmc-check")
    if not script.exists():
        pytest.skip("the package is not installed beside this interpreter")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == command("--version").stdout
