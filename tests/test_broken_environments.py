"""The machine may be broken in many ways. Each has its message and its exit code, which is never that of a verdict which is not there."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from helpers import ROOT, command, environment, heed_ctrl_c, options

from pmmc_check.api import judging
from pmmc_check.cli import failures, main
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import JudgeOptions
from pmmc_check.validation.verdict import TraceVerdict

TINY = options(acceptors=1, leaders=1, replicas=1, slots=1)
QUICK = [*TINY, "--engine", "reference"]
FAULTY = options(acceptors=1, leaders=2, replicas=1, slots=1, variant="accept-lower-ballot")
VERBS = {
    "help": ["--help"],
    "verb help": ["explore", "--help"],
    "version": ["--version"],
    "explore": ["explore", *QUICK],
    "explore json": ["explore", *QUICK, "--format", "json"],
    "variants": ["variants"],
    "validate": ["validate", "traces/good-one-command.pmmc"],
    "simulate": ["simulate", "--events", "20"],
    "convert": ["convert", "traces/good-one-command.pmmc", "-", "--to", "jsonl"],
    "examples": ["examples"],
}
every_verb = pytest.mark.parametrize("arguments", VERBS.values(), ids=VERBS)
NOBODY = 65534


def shell(redirection: str, *arguments: str, env: Mapping[str, str | None] | None = None) -> subprocess.CompletedProcess[str]:
    """The real command, with a redirection of the shell's."""
    line = f'exec "{sys.executable}" -m pmmc_check "$@" {redirection}'
    return subprocess.run(["sh", "-c", line, "sh", *arguments], cwd=ROOT, env=environment(env), capture_output=True, text=True, check=False)


@every_verb
def test_a_closed_stdout_is_said_at_once(arguments: list[str]) -> None:
    done = shell(">&-", *arguments)
    assert done.returncode == 2
    assert done.stderr.endswith("standard output is closed, so no result can be shown; to discard it, write > /dev/null\n")


@pytest.mark.one_in(2)
@every_verb
def test_a_full_disk_behind_stdout_is_said(arguments: list[str]) -> None:
    done = shell("> /dev/full", *arguments)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.one_in(3)
@every_verb
def test_a_reader_that_has_gone_is_said(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "pmmc_check", *arguments], cwd=ROOT, env=environment(), stdout=writing, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    os.close(writing)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("pmmc-check")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("redirection", ["2>&-", "<&-", "<&- 2>&-", "2> /dev/full"])
def test_nothing_else_needs_to_be_open(redirection: str) -> None:
    done = shell(redirection, "explore", *TINY, "--format", "json", "--engine", "reference")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "holds")
    assert shell(redirection, "explore", *FAULTY, "--engine", "reference").returncode == 1
    bad = shell(redirection, "explore", "--slots", "0")
    assert (bad.returncode, bad.stdout) == (2, "")


@pytest.mark.parametrize(
    "env",
    [
        {"HOME": None},
        {"HOME": ""},
        {"HOME": "/dev/null/home", "XDG_CACHE_HOME": "/dev/null/cache"},
        {"HOME": "/nonexistent", "TMPDIR": "/nonexistent"},
        {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "nowhere.UTF-8"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1:strict"},
        {"TERM": "nonsense", "COLUMNS": "-3"},
        {"TERM": None, "PATH": "/nonexistent"},
        {"PYTHONOPTIMIZE": "2"},
        {"PYTHONWARNINGS": "error"},
        {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
    ],
    ids=str,
)
def test_a_poor_environment_changes_no_verdict(env: dict[str, str | None]) -> None:
    found = command("explore", *FAULTY, "--engine", "reference", env=env)
    assert found.returncode == 1, found.stderr
    assert found.stdout.startswith("VIOLATED: A2")
    assert "Traceback" not in found.stderr


@pytest.mark.slow  # all kernels are compiled for it; test_kernel_cache.py compiles them where there is no folder at all
def test_a_kernel_cache_that_cannot_be_used_changes_no_verdict() -> None:
    nowhere = {"HOME": "/nonexistent", "XDG_CACHE_HOME": "/dev/null/cache", "NUMBA_CACHE_DIR": "/dev/null/cache"}
    assert command("explore", *FAULTY, env=nowhere).returncode == 1


def test_signs_that_a_stream_cannot_show_are_spelt() -> None:
    text = command("explore", *FAULTY, env={"PYTHONIOENCODING": "ascii"}).stdout
    assert text.isascii()
    assert "ballot _|_ -> 0.L1" in text.replace("\n", " ") or "_|_" in text
    assert "->" in text
    assert "?" not in text


def test_a_current_folder_that_is_gone_does_not_matter(tmp_path: Path) -> None:
    program = (
        f"import os, sys; os.mkdir({str(tmp_path / 'gone')!r}); os.chdir({str(tmp_path / 'gone')!r}); os.rmdir(os.getcwd())\n"
        f"os.execv(sys.executable, [sys.executable, '-m', 'pmmc_check', *sys.argv[1:]])"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = environment({"PYTHONPATH": str(ROOT)})
        return subprocess.run([sys.executable, "-c", program, *arguments], env=env, capture_output=True, text=True, check=False)

    assert run("explore", *QUICK).returncode == 0
    lost = run("explore", *QUICK, "--trace-out", "file")
    assert (lost.returncode, lost.stdout) == (2, "")
    assert "--trace-out file: cannot be written: No such file or directory" in lost.stderr
    assert "there is no module mine" in run("explore", *TINY, "--protocol", "mine:Mine").stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for other users")
def test_a_user_without_a_home_in_a_folder_that_nobody_can_write_gets_verdict_and_cache(tmp_path: Path) -> None:
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None or _as_nobody([python, "-c", "import numba, pmmc_check"]).returncode:
        pytest.skip("no Python with the libraries that everybody can execute: .ci/run does this in an environment of its own")
    env = environment({"HOME": "/nonexistent", "XDG_CACHE_HOME": None, "NUMBA_CACHE_DIR": None, "TMPDIR": str(tmp_path)})
    tmp_path.chmod(0o1777)
    done = _as_nobody([python, "-m", "pmmc_check", "explore", *TINY], env=env)
    assert done.returncode == 0
    assert (tmp_path / f"pmmc-check-{NOBODY}").is_dir()


def _as_nobody(arguments: list[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, cwd="/", env=env, user=NOBODY, group=NOBODY, capture_output=True, text=True, check=False)


def test_a_library_that_cannot_be_loaded_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('numba needs another numpy')")
    done = command("explore", *TINY, env={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert (done.returncode, done.stdout) == (2, "")
    remedy = "install pmmc-check again, in an environment of its own"
    assert done.stderr == f"pmmc-check explore: the installation is damaged: numba needs another numpy; {remedy}\n"


def test_a_full_disk_behind_the_kernel_cache_changes_no_verdict(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pmmc_check", "explore", *TINY], cwd=ROOT, env=environment({"NUMBA_CACHE_DIR": str(tmp_path)}),
        capture_output=True, text=True, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )  # fmt: skip
    assert (done.returncode, done.stdout[:5]) == (0, "HOLDS"), done.stderr


def test_an_internal_error_has_a_code_of_its_own_and_says_what_to_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pmmc_check.checker.compiled.CompiledSearch.run", lambda search: {}["nothing"])
    assert main.main(["explore", *TINY]) == failures.EXIT_INTERNAL == 70
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("pmmc-check explore: internal error: raised KeyError: 'nothing' (test_broken_environments.py, line ")
    assert "This is a bug of pmmc-check, and no verdict. Please report it" in said.err
    assert len(said.err.splitlines()) == 1
    monkeypatch.setenv("PMMC_CHECK_DEBUG", "1")
    assert main.main(["explore", *TINY]) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (MemoryError(), 3, "out of memory"),
        (OSError(5, "Input/output error", "file"), 2, "cannot read or write: file: Input/output error"),
        (RuntimeError("can't start new thread"), 2, "give --threads 1"),
        (RecursionError("deep"), 70, "internal error: raised RecursionError: deep"),
        (AssertionError(), 70, "internal error: raised AssertionError"),
        (SystemExit(0), 70, "internal error: tried to end the process"),
    ],
    ids=repr,
)
def test_whatever_ends_the_command_has_its_message_and_code(error: BaseException, code: int, text: str) -> None:
    found = failures.exit_for(error)
    assert (found.code, text in found.text) == (code, True), found.text


LONG = {
    "explore compiled": ["explore", "--rounds", "2", "--threads", "1"],
    "explore reference": ["explore", "--engine", "reference"],
    "explore random": ["explore", "--strategy", "random", "--time-limit", "1000"],
    "explore iterative": ["explore", "--strategy", "iterative", "--rounds", "2", "--threads", "1"],
    "variants": ["variants", "--matrix"],
    "simulate": ["simulate", "--events", "100000000", "--network", "duplicating", "--duplication-rate", "1", "--out", "{out}"],
}
FEW_SECONDS = ("explore compiled", "explore reference", "explore iterative")


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in FEW_SECONDS else pytest.mark.slow) for name in LONG])
def test_sigterm_does_what_ctrl_c_does(tmp_path: Path, name: str, number: signal.Signals) -> None:
    arguments = [each.format(out=tmp_path / "out") for each in LONG[name]]
    process = subprocess.Popen(
        [sys.executable, "-m", "pmmc_check", *arguments], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    _wait_for_numpy(process)
    process.send_signal(number)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 3, err
    assert "Traceback" not in err
    if name.startswith("explore"):
        assert out.startswith("INCONCLUSIVE: the search was stopped before the end: ")
        assert "interrupted" in out.splitlines()[0]
    else:
        assert err.splitlines()[-1].endswith("interrupted before there was a result")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["variants", "explore iterative"])
def test_who_interrupts_again_and_again_still_gets_exit_code_3(tmp_path: Path, name: str) -> None:
    for times in (2, 5, 20):
        process = subprocess.Popen(
            [sys.executable, "-m", "pmmc_check", *LONG[name]], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, preexec_fn=heed_ctrl_c,
        )  # fmt: skip
        _wait_for_numpy(process, 1 + times / 7)
        for i in range(times):
            process.send_signal(signal.SIGINT if i % 2 else signal.SIGTERM)
            time.sleep(0.02)
        _, err = process.communicate(timeout=100)
        assert process.returncode == 3, err
        assert "Traceback" not in err


def _wait_for_numpy(process: subprocess.Popen[str], seconds: float = 1.5) -> None:
    """Waits until the verb is at work: numpy is imported, or it has had time."""
    started = time.monotonic()
    while process.poll() is None and time.monotonic() - started < 60:
        time.sleep(0.05)
        with open(f"/proc/{process.pid}/maps", encoding="utf-8", errors="replace") as maps:
            if "_multiarray_umath" in maps.read():
                break
        if "simulate" in process.args and time.monotonic() - started > 5:  # type: ignore[operator]
            break
    time.sleep(seconds)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_validate_reports_what_it_knows_when_it_is_interrupted(tmp_path: Path, number: signal.Signals, jobs: str) -> None:
    short, hard = "traces/good-one-command.pmmc", str(tmp_path / "hard.pmmc")
    hardly_recorded = ["--events", "60", "--commands", "4", "--contract", "L*=none", "--contract", "R*=none", "--seed", "3"]
    assert main.main(["simulate", *hardly_recorded, "--out", hard]) == 0
    long = ["--search-seconds", "1000", "--search-states", "1000000000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pmmc_check", "validate", short, hard, *long, "--jobs", jobs, "--junit", str(tmp_path / "out.xml")],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    time.sleep(4)
    process.send_signal(number)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 3, err
    assert "Traceback" not in err
    assert f"{short}: accepted" in out
    assert "interrupted before it was judged" in out
    assert (tmp_path / "out.xml").read_text().startswith("<?xml")


def test_a_worker_that_is_killed_costs_only_its_own_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies_of(source: Source, options: JudgeOptions) -> TraceVerdict:
        if source.path.name == "large":
            os.kill(os.getpid(), signal.SIGKILL)
        return TraceVerdict(str(source.path), "accepted")

    monkeypatch.setattr(judging, "judge", dies_of)
    monkeypatch.setattr(dies_of, "__qualname__", "judge")
    monkeypatch.setattr(dies_of, "__module__", judging.__name__)
    found = [Source(Path(name)) for name in ("a", "b", "large", "c", "d", "e")]
    verdicts = {source.path.name: verdict for source, verdict in judging.judged(found, JudgeOptions(), 2, lambda text: None)}
    assert {name: verdict.verdict for name, verdict in verdicts.items()} == {
        "a": "accepted", "b": "accepted", "large": "inconclusive", "c": "accepted", "d": "accepted", "e": "accepted",
    }  # fmt: skip
    assert "the process that judged it was killed" in verdicts["large"].reason
