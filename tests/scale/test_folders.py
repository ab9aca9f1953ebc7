"""The folder of checkpoints: what is asked for, and what can be wrong with it."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest
from helpers import assert_one_clear_line, in_process, options

from pmmc_check import explore
from pmmc_check.checker.checkpoints import folder as folders
from scale.kept import REDUCED

SEARCH = ["explore", "--quiet", *options(acceptors=2, leaders=2, replicas=1, slots=1, commands=2)]


def test_the_report_says_from_where_it_went_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = str(tmp_path / "kept")
    stopped = in_process(capsys, *SEARCH, "--max-states", "60", "--checkpoint", kept)
    assert "checkpoint   1 checkpoint written, the last of 0." in stopped.stdout
    ended = in_process(capsys, *SEARCH, "--resume", kept)
    assert ended.returncode == 0
    assert "checkpoint   went on from depth " in ended.stdout
    answer = json.loads(in_process(capsys, *SEARCH, "--format", "json", "--resume", kept).stdout)
    assert answer["checkpoints"]["folder"] == kept
    assert 0 < answer["checkpoints"]["resumed"]["distinct_states"] <= 60
    assert answer["seconds"] > answer["checkpoints"]["resumed"]["seconds"]
    assert "checkpoints" not in json.loads(in_process(capsys, *SEARCH, "--format", "json").stdout)


def test_a_folder_that_holds_a_search_is_not_begun_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = str(tmp_path / "kept")
    assert in_process(capsys, *SEARCH, "--checkpoint", kept).returncode == 0
    assert_one_clear_line(in_process(capsys, *SEARCH, "--checkpoint", kept), "there is a search in it already", f"--resume {kept}")


def test_both_options_begin_where_there_is_nothing_and_else_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ["--checkpoint", str(tmp_path / "kept"), "--resume", str(tmp_path / "kept")]
    assert in_process(capsys, *SEARCH, "--max-states", "60", *both).returncode == 3
    assert "went on from" in in_process(capsys, *SEARCH, *both).stdout


def test_a_search_that_was_killed_before_its_first_checkpoint_begins_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = str(tmp_path / "kept")
    assert in_process(capsys, *SEARCH, "--checkpoint", kept).returncode == 0
    assert [each.name for each in (tmp_path / "kept").iterdir() if each.is_dir()] == []
    begun = in_process(capsys, *SEARCH, "--resume", kept)
    assert begun.returncode == 0
    assert "there was none of this search, so it began anew" in " ".join(begun.stdout.split())


@pytest.mark.parametrize(
    ("limit", "told"), [(["--max-states", "50"], "50 states (--max-states)"), (["--max-depth", "1"], "depth 1 (--max-depth)")]
)
def test_a_limit_that_had_been_reached_already_is_told_as_such(
    limit: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = str(tmp_path / "kept")
    in_process(capsys, *SEARCH, "--max-states", "60", "--checkpoint", kept)
    files = sorted(each.name for each in (tmp_path / "kept").rglob("*"))
    done = in_process(capsys, *SEARCH, *limit, "--resume", kept)
    assert done.returncode == 3
    assert f"{told} had been reached before the search went on" in " ".join(done.stdout.split())
    assert sorted(each.name for each in (tmp_path / "kept").rglob("*")) == files


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert_one_clear_line(in_process(capsys, *SEARCH, "--checkpoint", str(tmp_path)), "something else in it already (mine.txt)")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--resume", "nowhere"], ("there is no search in it", "begin one with --checkpoint")),
        (["--checkpoint", "file"], ("cannot be used", "a folder")),
        (["--checkpoint", "file/below"], ("cannot be used",)),
        (["--checkpoint", ""], ("give the name of a folder",)),
        (["--checkpoint", "one", "--resume", "two"], ("leave --checkpoint one out",)),
        (["--checkpoint-every", "5"], ("nothing is kept", "add --checkpoint DIR")),
        (["--checkpoint", "kept", "--checkpoint-every", "0"], ("--checkpoint-every", "positive number of minutes")),
        (["--checkpoint", "kept", "--engine", "symbolic"], ("--engine symbolic keeps no checkpoints",)),
        (["--checkpoint", "kept", "--engine", "reference"], ("--engine reference keeps no checkpoints",)),
        (["--checkpoint", "kept", "--slots", "any", "--acceptors", "3"], ("--slots any keeps no checkpoints",)),
        (["--checkpoint", "kept", "--serve"], ("leave --checkpoint out",)),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(
    given: list[str], expected: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    search = ["explore", "--quiet"] if "any" in given else SEARCH
    done = in_process(capsys, *search, *given)
    assert done.returncode == 2
    assert all(text in done.stderr for text in expected), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused_before_the_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)
    assert_one_clear_line(in_process(capsys, *SEARCH, "--checkpoint", str(tmp_path / "kept")), "cannot be used", "can be written")


def test_two_processes_do_not_write_to_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    assert in_process(capsys, *SEARCH, "--checkpoint", str(kept)).returncode == 0
    with open(kept / "lock", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert_one_clear_line(in_process(capsys, *SEARCH, "--resume", str(kept)), "another process is searching here")


def test_a_full_disk_does_not_stop_the_search_and_the_report_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "write_saved", full)
    done = in_process(capsys, *SEARCH, "--max-states", "60", "--checkpoint", str(tmp_path / "kept"))
    assert done.returncode == 3
    assert "the last one could not be written: No space left on device" in " ".join(done.stdout.split())


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    in_process(capsys, *SEARCH, "--max-states", "60", "--checkpoint", str(kept))
    (search,) = (each for each in kept.iterdir() if each.is_dir())
    (search / ".000002.unfinished").mkdir()
    assert in_process(capsys, *SEARCH, "--resume", str(kept)).returncode == 0
    assert [each.name for each in search.iterdir()] == ["000001"]


def test_every_search_of_a_command_goes_on_by_itself(tmp_path: Path) -> None:
    asked = {
        "reduce": REDUCED,
        "acceptors": 1,
        "leaders": 2,
        "replicas": 2,
        "slots": 1,
        "commands": 2,
        "find": ["\\E d1, d2 \\in decided : d1 /= d2"],
    }
    whole = explore(**asked)  # type: ignore[arg-type]
    stopped = explore(**asked, max_states=50, checkpoint=str(tmp_path / "kept"))  # type: ignore[arg-type]
    assert stopped.verdict == "inconclusive"
    ended = explore(**asked, resume=str(tmp_path / "kept"))  # type: ignore[arg-type]
    assert ended.verdict == whole.verdict
    assert [each.result.distinct_states for each in ended.witnesses] == [each.result.distinct_states for each in whole.witnesses]
    assert ended.witnesses[0].result.checkpoints is not None
    assert ended.witnesses[0].result.checkpoints.resumed is not None


def test_growing_configurations_and_all_violations_go_on_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, how in enumerate((["--strategy", "iterative"], ["--continue", "--variant", "ignore-pmax"])):
        search = [
            "explore",
            "--quiet",
            "--format",
            "json",
            "--reduce",
            REDUCED,
            *options(acceptors=1, leaders=2, replicas=2, slots=1, commands=2),
            *how,
        ]
        kept = str(tmp_path / f"kept{number}")
        whole = json.loads(in_process(capsys, *search).stdout)
        in_process(capsys, *search, "--max-states", "40", "--checkpoint", kept)
        ended = json.loads(in_process(capsys, *search, "--resume", kept).stdout)
        for varying in ("seconds", "states_per_second", "peak_memory_bytes", "checkpoints"):
            whole.pop(varying, None), ended.pop(varying, None)
        assert ended == whole
