"""States in sorted runs, in memory or on disk: the same result, whatever fits into memory."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from helpers import GOLDEN, assert_one_clear_line, compiled, in_process, options

from pmmc_check.checker import frontier, visited
from pmmc_check.checker.delayed import frontier as delayed_frontier
from pmmc_check.checker.delayed import places, runs
from pmmc_check.checker.delayed.places import InMemory, OnDisk
from pmmc_check.checker.delayed.runs import SortedRuns
from pmmc_check.checker.result import Limits
from pmmc_check.config import Config
from scale.kept import searched
from scale.test_going_on import SEARCHES

KEPT = {name: search for name, search in SEARCHES.items() if "walks" not in search[1] and "names" not in search[1]}
UNREDUCED = KEPT["reliable"]
SEARCH = ["explore", "--quiet", *options(acceptors=1, leaders=2, replicas=1, slots=1, commands=1, reduce="none")]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that there are many batches, and ranges that are cut."""
    monkeypatch.setattr(frontier, "BATCH_STATES", 100)
    monkeypatch.setattr(runs, "RANGE_MAX", 50)
    monkeypatch.setattr(delayed_frontier, "_SETTLING_BYTES", 1 << 20)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("filtered", [0.4, 0.0], ids=["filter", "no filter"])
@pytest.mark.parametrize("name", KEPT)
def test_on_disk_the_result_is_the_same(name: str, filtered: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, how = KEPT[name]
    monkeypatch.setattr(visited, "_OF_FILTER", filtered)
    assert searched(config, disk=tmp_path, memory=1, **how) == searched(config, **how)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("states", [1, 100, 1_000, 3_000])
def test_it_may_become_short_at_any_time(states: int, monkeypatch: pytest.MonkeyPatch) -> None:
    config, how = UNREDUCED
    whole = searched(config, **how)
    monkeypatch.setattr(visited.VisitedStates, "_is_short", lambda self, used, limit: self.store.states >= states)
    assert searched(config, memory=1 << 40, **how) == whole


@pytest.mark.parametrize("entry", [each for each in GOLDEN if each["distinct_states"] < 1_000], ids=str)
def test_golden_counts_on_disk(entry: dict[str, int], tmp_path: Path) -> None:
    counts = {name: value for name, value in entry.items() if name not in ("distinct_states", "depth")}
    result = searched(Config(**counts), disk=tmp_path, memory=1, reduce="none")  # type: ignore[arg-type]
    assert (result.verdict, result.distinct_states, result.depth) == ("holds", entry["distinct_states"], entry["depth"])


@pytest.mark.parametrize("name", ["reliable", "violated", "crashes"])
def test_a_search_on_disk_goes_on_from_a_checkpoint(name: str, tmp_path: Path) -> None:
    config, how = KEPT[name]
    whole = searched(config, **how)
    stops = sorted(random.Random(name).sample(range(1, whole.distinct_states), 4))
    assert searched(config, tmp_path / "kept", [*stops, None], disk=tmp_path / "disk", memory=1, **how) == whole


def test_a_search_that_was_kept_in_memory_goes_on_on_disk_and_the_other_way_round(tmp_path: Path) -> None:
    config, how = UNREDUCED
    whole = searched(config, **how)
    for number, first in enumerate((None, 1)):
        kept, disk = tmp_path / f"kept{number}", tmp_path / "disk"
        searched(config, kept, [2_000], disk=disk if first else None, memory=first, **how)
        assert searched(config, kept, [2_000, None], resume_at=1, disk=None if first else disk, memory=None if first else 1, **how) == whole


def test_the_report_says_what_was_on_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk = [*SEARCH, "--max-memory", "1", "--disk", str(tmp_path)]
    assert f"when memory was short; 0 MiB at most, in {tmp_path}" in " ".join(in_process(capsys, *disk).stdout.split())
    told = json.loads(in_process(capsys, *disk, "--format", "json").stdout)
    plain = json.loads(in_process(capsys, *SEARCH, "--format", "json").stdout)
    assert told["disk"]["bytes"] > 10_000
    assert (told["distinct_states"], told["generated_states"]) == (plain["distinct_states"], plain["generated_states"])
    assert "disk" not in plain
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_made_for_the_search_goes_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert in_process(capsys, *SEARCH, "--max-memory", "1", "--disk", str(tmp_path / "disk")).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_the_report_tells_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, *SEARCH, "--max-memory", "1")
    assert done.returncode == 3
    assert "--disk DIR" in done.stdout


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--disk", "file"], ("--disk", "cannot be used", "a folder is needed")),
        (["--disk", "file/below"], ("cannot be used",)),
        (["--disk", "nowhere/below"], ("cannot be used", "No such file or directory")),
        (["--disk", ""], ("give the name of a folder",)),
        (["--disk", "d", "--engine", "symbolic"], ("--engine symbolic keeps no states on disk",)),
        (["--disk", "d", "--strategy", "random", "--max-states", "9"], ("--strategy random keeps no states on disk",)),
        (["--disk", "d", "--network", "reliable", "--invariant", "Progress"], ("Progress needs the graph",)),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(
    given: list[str], expected: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    search = [each for each in SEARCH if "symbolic" not in given or each not in ("--reduce", "none")]
    assert_one_clear_line(in_process(capsys, *search, *given), *expected)


def test_a_full_disk_ends_the_search_with_what_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0

    def full(self: object, array: object) -> int:
        nonlocal written
        written += 1
        if written > 40:
            raise places.DiskFull(f"{tmp_path}: No space left on device")
        return appended(self, array)  # type: ignore[arg-type]

    appended = places._FileStrip.append
    monkeypatch.setattr(places._FileStrip, "append", full)
    done = in_process(capsys, *SEARCH, "--max-memory", "1", "--disk", str(tmp_path))
    assert done.returncode == 3
    assert "stopped before the end: disk: " in " ".join(done.stdout.split())
    assert "No space left on device" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_system_becomes_one_of_the_disk(tmp_path: Path) -> None:
    place = OnDisk(tmp_path)
    strip = place.strip()
    (place.folder / "1").mkdir()
    with pytest.raises(places.DiskFull, match="Is a directory"):
        strip.append(np.zeros(3))
    place.close()


def test_what_a_killed_search_left_behind_is_removed_and_what_another_uses_is_not(tmp_path: Path) -> None:
    (tmp_path / "pmmc-check-search-dead").mkdir()
    used = OnDisk(tmp_path)
    other = OnDisk(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {used.folder.name, other.folder.name}
    used.close(), other.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_sorted_runs_hold_what_was_added_to_them(place: str, tmp_path: Path) -> None:
    numbers = np.random.default_rng(16)
    where = InMemory() if place == "memory" else OnDisk(tmp_path)
    sorted_runs = SortedRuns(where)
    sorted_runs.begin(0, np.zeros(0, np.uint64), np.zeros(0, np.uint32))
    known: set[int] = set()
    for _ in range(20):
        keys = np.unique(numbers.integers(0, 1 << 64, 40, np.uint64) >> np.uint64(int(numbers.integers(0, 60))))
        new = sorted_runs.add_new(keys, (keys >> np.uint64(32)).astype(np.uint32))
        assert set(keys[new].tolist()) == set(keys.tolist()) - known
        known.update(keys.tolist())
    assert sorted_runs.states == len(known)
    assert [key for _, keys, _ in sorted_runs.runs() for key in keys.tolist()] == sorted(known)
    assert sorted_runs.bytes_per_state == 12
    assert where.bytes_now == 12 * len(known)
    where.close()


def test_a_state_takes_twelve_bytes_beside_the_frontier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visited.VisitedStates, "_is_short", lambda self, used, limit: True)
    _, result = compiled(UNREDUCED[0], reduce="none")
    assert result.bytes_per_state > 20
    search, result = compiled(UNREDUCED[0], reduce="none", limits=Limits(memory_bytes_max=1 << 40))
    assert result.bytes_per_state == 12
    assert search.visited.delayed is not None


def test_two_states_with_the_same_32_bits_are_told_apart_on_the_way_back() -> None:
    """The initial state is 1; a predecessor is known by 32 bits, which two states have in common here."""
    one, mine, other, last = 1, (7 << 32) + 5, (7 << 32) + 9, 9 << 32
    sorted_runs = SortedRuns(InMemory())
    keys = np.array([one, mine, other, last], np.uint64)
    sorted_runs.begin(0, keys, np.array([0, 0, 0, 7], np.uint32))
    assert next(sorted_runs.chains(last, one)) == [[mine, other], [last]]
    assert next(sorted_runs.chains(one, one)) == []
