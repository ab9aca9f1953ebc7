"""What a node has committed is there when it comes back; whatever else is found is said in one sentence."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import A1, B01, B12, C1, C2, pv

from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import SlotCommand
from pmmc_check.runtime.log_files import LogFile
from pmmc_check.runtime.storage import STORAGE_VERSION, SqliteStorage
from pmmc_check.runtime.surroundings import Commit


def storage(folder: Path, name: str = "A1", cluster: str = "c") -> SqliteStorage:
    return SqliteStorage(folder / "A1.sqlite", name, cluster)


def committed(folder: Path, *commits: Commit) -> SqliteStorage:
    opened, done = storage(folder), []
    for each in commits:
        opened.commit(each, lambda: done.append(1))
    assert len(done) == len(commits)
    return opened


def test_before_the_first_commit_there_is_nothing(tmp_path: Path) -> None:
    assert storage(tmp_path).load() is None


def test_all_commits_are_there_again_in_their_order(tmp_path: Path) -> None:
    records = [pv(B01, 1, C1), pv(B12, 2, C2), SlotCommand(3, C1)]
    committed(tmp_path, Commit(B01, records[:1], 10), Commit(None, (), 20), Commit(B12, records[1:], 30)).close()
    assert storage(tmp_path).load() == (B12, tuple(records), 30, 0, None)


def test_what_is_forgotten_is_gone_and_the_snapshot_is_there_instead(tmp_path: Path) -> None:
    records = [SlotCommand(slot, C1) for slot in range(1, 6)]
    committed(tmp_path, Commit(None, records, 10), Commit(None, [SlotCommand(6, C2)], 20, 4, b"all"), Commit(None, (), 30)).close()
    assert storage(tmp_path).load() == (None, (SlotCommand(5, C1), SlotCommand(6, C2)), 30, 4, b"all")


def test_the_file_stays_small_however_much_is_forgotten(tmp_path: Path) -> None:
    opened = storage(tmp_path)
    for slot in range(100, 20_000, 100):
        records = [SlotCommand(each, C1) for each in range(slot - 100, slot)]
        opened.commit(Commit(None, records, slot, slot - 200 if slot > 200 else None), lambda: None)
    size = sum(each.stat().st_size for each in tmp_path.iterdir())
    assert size < 6 * 2**20  # SQLite's journal grows to some 4 MiB before it is taken over
    assert (tmp_path / "A1.sqlite").stat().st_size < 200_000


def test_what_is_written_survives_kill_9(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from pmmc_check.protocol.values import Ballot
from pmmc_check.runtime.storage import SqliteStorage
from pmmc_check.runtime.surroundings import Commit
opened = SqliteStorage(Path({str(tmp_path)!r}) / "A1.sqlite", "A1", "c")
for number in range(100):
    opened.commit(Commit(Ballot(number, 1), (), number), lambda: None)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    stored = storage(tmp_path).load()
    assert stored is not None
    assert (stored.ballot, stored.mark) == ((99, 1), 99)


@pytest.mark.parametrize(("name", "cluster", "says"), [("A2", "c", "node A1, not A2"), ("A1", "d", "cluster c, not d")])
def test_the_data_of_another_node_or_cluster_are_refused(tmp_path: Path, name: str, cluster: str, says: str) -> None:
    committed(tmp_path, Commit(B01, (), 1)).close()
    with pytest.raises(UsageError, match=says):
        storage(tmp_path, name, cluster)


def test_so_are_those_of_another_version(tmp_path: Path) -> None:
    storage(tmp_path).close()
    with sqlite3.connect(tmp_path / "A1.sqlite") as database:
        database.execute("update about set value = '99' where name = 'version'")
    with pytest.raises(UsageError, match=f"version 99, not {STORAGE_VERSION}"):
        storage(tmp_path)


@pytest.mark.parametrize(
    "change", ["update record set value = x'00'", "update latest set value = x'31' where name = 'ballot'", "update record set crc = 1"]
)
def test_a_changed_record_is_found_by_its_check_sum(tmp_path: Path, change: str) -> None:
    committed(tmp_path, Commit(B01, [pv(B01, 1, C1)], 1)).close()
    with sqlite3.connect(tmp_path / "A1.sqlite") as database:
        database.execute(change)
    with pytest.raises(UsageError, match="check sum"):
        storage(tmp_path).load()


def test_a_corrupted_page_is_said_in_one_sentence(tmp_path: Path) -> None:
    committed(tmp_path, *[Commit(B01, [pv(B01, slot, C1)], 1) for slot in range(1, 300)]).close()
    file = tmp_path / "A1.sqlite"
    data = bytearray(file.read_bytes())
    data[100:] = b"\xff" * (len(data) - 100)
    file.write_bytes(data)
    with pytest.raises(UsageError, match="cannot be used"):
        storage(tmp_path).load()


def test_a_full_disk_commits_nothing_and_says_so(tmp_path: Path) -> None:
    opened = committed(tmp_path, Commit(B01, [pv(B01, 1, C1)], 1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    done: list[int] = []
    try:
        with pytest.raises(OSError, match="cannot be written"):
            for slot in range(2, 1000):
                opened.commit(Commit(None, [pv(B01, slot, C1)] * 20, slot), lambda: done.append(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    opened.close()
    stored = storage(tmp_path).load()
    assert stored is not None
    assert len(stored.records) == 1 + 20 * len(done)


def test_a_log_is_cut_where_the_last_commit_ended(tmp_path: Path) -> None:
    path = tmp_path / "A1.pmmc"
    log = LogFile(path)
    log.open(0)
    mark = log.write([f"{A1} < p1a b=0.L1"])
    log.write(["A1 > p1b b=0.L1 accepted={} to=0.L1"])
    log.close()
    again = LogFile(path)
    again.open(mark)
    again.write(["A1 crash"])
    assert path.read_text() == "pmmc-trace 1 part\nA1 < p1a b=0.L1\nA1 crash\n"
