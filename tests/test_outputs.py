"""Every file that the command writes: opened before the work, written whole or not at all, and what is no plain file stays what it is."""

from __future__ import annotations

import gzip
import json
import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ROOT, assert_one_clear_line, command, environment, in_process, options

VIOLATED = [*options(acceptors=1, replicas=2, slots=1, commands=2, variant="ignore-pmax"), "--invariant", "Agreement"]
TRACE = "traces/good-one-command.pmmc"
as_other = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for other users")

WRITERS: dict[str, Callable[[Path], tuple[list[str], int]]] = {
    "explore --trace-out": lambda target: (["explore", *VIOLATED, "--trace-out", str(target)], 1),
    "validate --junit": lambda target: (["validate", TRACE, "--junit", str(target)], 0),
    "validate --explain": lambda target: (["validate", TRACE, "--explain", str(target)], 0),
    "simulate --out": lambda target: (["simulate", "--events", "20", "--out", str(target)], 0),
    "convert": lambda target: (["convert", TRACE, str(target)], 0),
}
every_writer = pytest.mark.parametrize("writer", WRITERS)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path], subprocess.CompletedProcess[str]]:
    """Runs one of the writers; the exit code has to be its verdict's, or 2."""
    monkeypatch.chdir(ROOT)

    def run_(writer: str, target: Path) -> subprocess.CompletedProcess[str]:
        arguments, verdict = WRITERS[writer](target)
        done = in_process(capsys, *arguments)
        assert done.returncode in (verdict, 2), done.stderr
        return done

    return run_


def _only(folder: Path, *names: str) -> bool:
    return sorted(each.name for each in folder.iterdir()) == sorted(names)


@every_writer
def test_a_new_file_has_the_mode_of_any_new_file(run, tmp_path: Path, writer: str) -> None:  # type: ignore[no-untyped-def]
    plain = tmp_path / "plain"
    plain.touch()
    assert run(writer, tmp_path / "new").returncode != 2
    assert (tmp_path / "new").stat().st_mode == plain.stat().st_mode
    assert (tmp_path / "new").read_text()
    assert _only(tmp_path, "new", "plain")


@every_writer
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755], ids=oct)
def test_a_file_is_replaced_in_one_step_and_keeps_its_mode(run, tmp_path: Path, writer: str, mode: int) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "old"
    target.write_text("old" * 10_000)
    target.chmod(mode)
    with target.open() as reader:
        assert run(writer, target).returncode != 2
        assert reader.read() == "old" * 10_000
    assert "old" not in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert _only(tmp_path, "old")


@every_writer
def test_a_link_stays_a_link_and_what_it_leads_to_is_written(run, tmp_path: Path, writer: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("old" * 10_000)
    (tmp_path / "link").symlink_to("file")
    assert run(writer, tmp_path / "link").returncode != 2
    assert (tmp_path / "link").is_symlink()
    assert "old" not in (tmp_path / "file").read_text()
    assert _only(tmp_path, "file", "link")


@every_writer
def test_a_link_that_leads_nowhere_makes_the_file(run, tmp_path: Path, writer: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "link").symlink_to("file")
    assert run(writer, tmp_path / "link").returncode != 2
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text()


@every_writer
def test_both_names_of_a_file_still_name_one_file(run, tmp_path: Path, writer: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "one").write_text("old" * 10_000)
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert run(writer, tmp_path / "one").returncode != 2
    assert (tmp_path / "one").samefile(tmp_path / "two")
    assert "old" not in (tmp_path / "two").read_text()


@every_writer
def test_a_named_pipe_stays_one_and_its_reader_gets_the_text(run, tmp_path: Path, writer: str) -> None:  # type: ignore[no-untyped-def]
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    assert run(writer, tmp_path / "pipe").returncode != 2
    reader.join(10)
    assert read[0]
    assert (tmp_path / "pipe").is_fifo()


@every_writer
def test_a_device_stays_one(run, writer: str) -> None:  # type: ignore[no-untyped-def]
    assert run(writer, Path("/dev/null")).returncode != 2
    assert Path("/dev/null").is_char_device()


@every_writer
def test_a_full_device_is_named_and_the_verdict_is_printed_all_the_same(run, writer: str) -> None:  # type: ignore[no-untyped-def]
    done = run(writer, Path("/dev/full"))
    assert done.returncode == 2
    assert done.stderr.endswith("/dev/full: cannot be written: No space left on device\n")
    assert bool(done.stdout) == writer.startswith(("explore", "validate"))


@every_writer
@pytest.mark.parametrize(
    ("target", "why"), [("missing/file", "No such file or directory; give a file in a folder that exists"), (".", "Is a directory")]
)
def test_what_cannot_be_opened_is_refused_before_the_work(run, tmp_path: Path, writer: str, target: str, why: str) -> None:  # type: ignore[no-untyped-def]
    done = run(writer, tmp_path / target)
    assert_one_clear_line(done, f"{tmp_path / target}: cannot be written: {why}")
    assert _only(tmp_path)


@every_writer
def test_a_full_disk_leaves_the_old_file_as_it_was(tmp_path: Path, writer: str) -> None:
    target = tmp_path / "old"
    target.write_text("old")
    arguments, _ = WRITERS[writer](target)
    done = subprocess.run(
        [sys.executable, "-m", "pmmc_check", *arguments], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)),
    )  # fmt: skip
    assert done.returncode == 2
    assert str(target) in done.stderr.splitlines()[-1]
    assert "cannot be written: File too large" in done.stderr.splitlines()[-1]
    assert target.read_text() == "old"
    assert _only(tmp_path, "old")


@as_other
@every_writer
def test_a_file_of_another_user_stays_theirs(run, tmp_path: Path, writer: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("old" * 10_000)
    os.chown(tmp_path / "file", 65534, 65534)
    assert run(writer, tmp_path / "file").returncode != 2
    assert (tmp_path / "file").stat().st_uid == 65534
    assert "old" not in (tmp_path / "file").read_text()


def test_standard_output_by_its_name_gets_both_one_after_the_other(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "pmmc_check", "explore", *VIOLATED, "--trace-out", "/dev/stdout"],
            cwd=ROOT, env=environment(), stdout=out, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    text = (tmp_path / "out").read_text()
    assert text.startswith("VIOLATED: Agreement")
    assert text.index("invariants ") < text.index("pmmc-trace 1")


def test_a_pipe_of_the_shell_gets_the_trace(tmp_path: Path) -> None:
    line = f'{sys.executable} -m pmmc_check explore "$@" --trace-out >(cat > {tmp_path}/read); sleep 0.5'
    subprocess.run(["bash", "-c", line, "bash", *VIOLATED], cwd=ROOT, env=environment(), capture_output=True, check=False)
    assert (tmp_path / "read").read_text().startswith("pmmc-trace 1")


def test_a_search_without_a_counterexample_leaves_the_file_alone(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "old").write_text("old")
    for name in ("old", "new"):
        done = in_process(capsys, "explore", *options(acceptors=1, slots=1), "--trace-out", str(tmp_path / name))
        assert (done.returncode, "no counterexample" in done.stderr) == (0, True)
    assert (tmp_path / "old").read_text() == "old"
    assert _only(tmp_path, "old")


def test_bad_input_leaves_the_file_alone(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "old").write_text("old")
    for arguments in (
        ["explore", "--protocol", "nowhere:Mine", "--trace-out"],
        ["simulate", "--protocol", "nowhere:Mine", "--out"],
        ["convert", "traces/parts/A1.pmmc"],
    ):
        assert in_process(capsys, *arguments, str(tmp_path / "old")).returncode == 2
    assert (tmp_path / "old").read_text() == "old"
    assert _only(tmp_path, "old")


def test_a_name_that_ends_in_gz_compresses_everywhere_and_always_alike(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for writer in WRITERS:
        plain, first, second = tmp_path / "plain", tmp_path / "first.gz", tmp_path / "second.gz"
        for target in (plain, first, second):
            assert run(writer, target).returncode != 2
        if writer.startswith("validate"):
            continue  # times differ
        assert gzip.decompress(first.read_bytes()).decode() == plain.read_text(), writer
        assert first.read_bytes() == second.read_bytes()


def test_two_reports_in_one_file_are_refused(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    target = str(tmp_path / "both")
    assert_one_clear_line(in_process(capsys, "validate", TRACE, "--junit", target, "--explain", target), "give each a file of its own")
    assert _only(tmp_path)


def test_json_is_ascii_whatever_the_locale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for encoding in ("ascii", "latin-1"):
        done = command("explore", *VIOLATED, "--format", "json", env={"PYTHONIOENCODING": encoding})
        assert done.stdout.isascii()
        assert "→" not in done.stdout
        assert json.loads(done.stdout)["violation"]["steps"][2]["changes"][0]["before"] == "⊥"
    assert in_process(capsys, "variants", "--format", "json").stdout.isascii()
    in_process(capsys, "explore", *VIOLATED, "--trace-out", str(tmp_path / "out.json"))
    assert (tmp_path / "out.json").read_text(encoding="utf-8").isascii()


def test_each_step_says_what_it_sends_and_creations_send_too(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", *VIOLATED, "--format", "json")
    steps = json.loads(done.stdout)["violation"]["steps"]
    sends = {(step["process"], step["action"]): [f"{each['message']} to {each['to']}" for each in step["sends"]] for step in steps}
    assert sends["R1", "request"] == ["propose(1, c2) to L1", "propose(1, c2) to L2"]
    assert sends["L1", "propose"] == ["p2a(0.L1, 1, c2) to A1"]  # from the commander that it creates
    assert sends["A1", "p2a"] == ["p2b(A1, 0.L2) to commander(0.L2,1)"]


def test_results_carry_the_version_and_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    version = in_process(capsys, "--version").stdout.split()[1]
    walks = ["--strategy", "random", "--max-states", "50", "--seed", "7"]
    for arguments, seed in ((["explore", *options(acceptors=1, slots=1)], None), (["explore", *walks], 7)):
        answer = json.loads(in_process(capsys, *arguments, "--format", "json").stdout)
        assert (answer["version"], answer["seed"]) == (version, seed)
    assert json.loads(in_process(capsys, "validate", str(ROOT / TRACE), "--format", "json").stdout)["version"] == version


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("verb", ["simulate", "export-tla"])
def test_a_file_where_a_folder_is_needed_is_told_with_what_to_do(
    verb: str, below: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    target = str(file / "deeper" if below else file)
    asked = {"simulate": ["simulate", "--traces", "2", "--out", target], "export-tla": ["explore", *VIOLATED, "--export-tla", target]}[verb]
    done = in_process(capsys, *asked)
    assert_one_clear_line(done, f"a folder is needed here, but {file if below else 'it'} is a file; give the name of a folder")
    assert file.read_text() == "mine"


@pytest.mark.parametrize(("name", "remedy"), [("", "give the name of a file"), ("file/run.pmmc", "give a file in a folder that exists")])
def test_a_folder_where_a_file_is_needed_is_told_with_what_to_do(
    name: str, remedy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    done = in_process(capsys, "simulate", "--events", "20", "--out", str(tmp_path / name))
    assert_one_clear_line(done, remedy)
