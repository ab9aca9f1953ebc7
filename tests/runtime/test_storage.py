"""What a node has committed is there when it comes back; whatever else is found is said in one sentence."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from random import Random

import pytest
from helpers import A1, B01, B12, C1, C2, pv

from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import SlotCommand
from pmmc_check.runtime.log_files import LogFile, NoLog
from pmmc_check.runtime.storage import STORAGE_VERSION, SqliteStorage
from pmmc_check.runtime.surroundings import Commit

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # children that only write


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
    killed(tmp_path)
    stored = storage(tmp_path).load()
    assert stored is not None
    assert (stored.ballot, stored.mark, stored.records) == (B12, LAST, WRITTEN)


@pytest.mark.parametrize("waits_for_disk", [True, False])
def test_whenever_it_is_killed_all_that_was_answered_is_there_and_it_starts_again(tmp_path: Path, waits_for_disk: bool) -> None:
    rng = Random(waits_for_disk)
    answered = 0
    for attempt in range(40):
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                _commit_for_ever(tmp_path, waits_for_disk, theirs)
            os._exit(1)
        os.close(theirs)
        began = b"" if attempt % 2 else os.read(ours, 4)  # so that each second time it is killed anywhere, and may still be opening
        time.sleep(rng.random() * 0.01)
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "it could not start, or could not go on"
        with os.fdopen(ours, "rb") as pipe:
            said = began + pipe.read()
        answered = int.from_bytes(said[-4:], "big") if said else answered
        opened = storage(tmp_path)
        stored = opened.load()
        opened.close()
        there = stored.mark if stored is not None else 0
        assert answered <= there <= answered + 1
        answered = there
    assert answered >= 20


def _commit_for_ever(folder: Path, waits_for_disk: bool, said: int) -> None:
    opened = SqliteStorage(folder / "A1.sqlite", "A1", "c", waits_for_disk)
    stored = opened.load()
    number = stored.mark if stored is not None else 0
    while True:
        number += 1
        records = [pv(B01, number, C1)] * 5
        forgotten = number - 20 if number % 50 == 0 else None  # so that the journal is taken over again and again
        opened.commit(Commit(None, records, number, forgotten, bytes(20_000), number % 2 == 0), lambda: None)
        os.write(said, number.to_bytes(4, "big"))


# ---- damage ----

LAST = 60
WRITTEN = tuple(pv(B01, number, C1) for number in range(21, LAST + 1))


def killed(folder: Path) -> None:
    """What a node leaves that has committed and was killed."""
    folder.mkdir(exist_ok=True)
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            opened = storage(folder)
            for number in range(1, LAST + 1):
                record, forgotten = pv(B01, number, C1), 20 if number == LAST else None
                opened.commit(Commit(B12 if number > 20 else B01, [record], number, forgotten), lambda: None)
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of such a node, to be copied."""
    folder = tmp_path_factory.mktemp("left")
    killed(folder)
    assert (folder / "A1.sqlite-wal").stat().st_size > 100_000
    return folder


def outcome(folder: Path) -> str:
    """`whole`, or why it is refused."""
    try:
        opened = storage(folder)
    except UsageError as error:
        return str(error)
    try:
        stored = opened.load()
    except UsageError as error:
        return str(error)
    finally:
        opened.close()
    assert stored == (B12, WRITTEN, LAST, 20, None), "less than was promised"
    return "whole"


def places(size: int, count: int) -> list[int]:
    """Some, with the first and the last."""
    return sorted({0, 1, size - 1, *(Random(size).randrange(size) for _ in range(count))})


def test_a_byte_changed_anywhere_in_the_journal_is_refused(tmp_path: Path, left: Path) -> None:
    whole = (left / "A1.sqlite-wal").read_bytes()
    for place in places(len(whole), 60):
        folder = Path(shutil.copytree(left, tmp_path / str(place)))
        data = bytearray(whole)
        data[place] ^= 0x10
        (folder / "A1.sqlite-wal").write_bytes(data)
        assert "commits are missing at its end" in (said := outcome(folder)), place
        assert "A1.sqlite-wal" in said and "only if this node has never promised anything" in said
        assert (folder / "A1.sqlite-wal").read_bytes() == data  # it is left as it was found
        assert outcome(folder) == said


def test_so_is_a_journal_that_was_cut_at_any_length_emptied_or_deleted(tmp_path: Path, left: Path) -> None:
    whole = (left / "A1.sqlite-wal").read_bytes()
    for length in places(len(whole), 60):
        folder = Path(shutil.copytree(left, tmp_path / str(length)))
        (folder / "A1.sqlite-wal").write_bytes(whole[:length])
        assert "commits are missing at its end" in outcome(folder), length
    folder = Path(shutil.copytree(left, tmp_path / "deleted"))
    (folder / "A1.sqlite-wal").unlink()
    assert "commits are missing at its end" in outcome(folder)


@pytest.mark.parametrize("name", ["A1.sqlite", "A1.commits"])
def test_the_file_and_its_counter_are_refused_when_one_is_gone_or_cut(tmp_path: Path, left: Path, name: str) -> None:
    whole = (left / name).read_bytes()
    for length in (None, *places(min(len(whole), 4096), 20)):
        folder = Path(shutil.copytree(left, tmp_path / str(length)))
        if length is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(whole[:length])
        assert "cannot be used" in outcome(folder), length


def test_a_byte_changed_anywhere_else_is_refused_or_changes_nothing(tmp_path: Path, left: Path) -> None:
    folder = Path(shutil.copytree(left, tmp_path / "closed"))
    assert outcome(folder) == "whole"
    assert not (folder / "A1.sqlite-wal").exists()
    for name in ("A1.sqlite", "A1.commits"):
        whole = (folder / name).read_bytes()
        said = []
        for place in places(len(whole), 150):
            damaged = Path(shutil.copytree(folder, tmp_path / f"{name}-{place}"))
            data = bytearray(whole)
            data[place] ^= 0x10
            (damaged / name).write_bytes(data)
            said.append(outcome(damaged))
        assert all(each == "whole" or "cannot be used" in each for each in said), said
        assert name == "A1.commits" or len(set(said)) > 1


def test_a_counter_of_another_file_and_an_older_copy_of_the_data_are_refused(tmp_path: Path, left: Path) -> None:
    folder = Path(shutil.copytree(left, tmp_path / "other"))
    killed(tmp_path / "one")
    shutil.copy(tmp_path / "one" / "A1.commits", folder)
    assert "counts the commits of another file" in outcome(folder)
    shutil.copy(left / "A1.commits", folder)
    assert outcome(folder) == "whole"
    shutil.copy(folder / "A1.sqlite", tmp_path)
    committed(folder, Commit(B12, (), LAST)).close()
    shutil.copy(tmp_path / "A1.sqlite", folder)
    assert f"1 of {LAST + 1} commits are missing" in outcome(folder)


def test_after_a_power_failure_only_what_the_disk_was_waited_for_must_be_there(
    tmp_path: Path, left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(tmp_path, Commit(B01, (), 1), Commit(None, (), 2, promises=False)).close()
    shutil.copytree(tmp_path, tmp_path / "copy")
    committed(tmp_path, Commit(None, (), 3, promises=False)).close()
    (tmp_path / "A1.commits").replace(tmp_path / "copy" / "A1.commits")
    with pytest.raises(UsageError, match="1 of 3 commits are missing"):
        storage(tmp_path / "copy")
    monkeypatch.setattr("pmmc_check.runtime.commit_counter.this_boot", lambda: b"started once more")
    assert storage(tmp_path / "copy").load() is not None


def test_a_file_is_used_by_one_process_at_a_time_and_free_as_soon_as_that_is_killed(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            opened = storage(tmp_path)
            log = LogFile(tmp_path / "A1.pmmc")
            os.write(theirs, b"x")
            time.sleep(60)
            opened.close()
            log.close()
        os._exit(1)
    os.read(ours, 1)
    try:
        with pytest.raises(UsageError, match=rf"A1.commits: is in use by another process( \(pid {child}\))?; stop that one first"):
            storage(tmp_path)
        with pytest.raises(UsageError, match=r"A1.pmmc: is in use by another process"):
            LogFile(tmp_path / "A1.pmmc")
    finally:
        os.kill(child, signal.SIGKILL)
    storage(tmp_path).close()  # at once; nobody has waited for it yet
    LogFile(tmp_path / "A1.pmmc").close()
    os.waitpid(child, 0)


@pytest.mark.parametrize(("name", "cluster", "says"), [("A2", "c", "node A1, not A2"), ("A1", "d", "cluster c, not d")])
def test_the_data_of_another_node_or_cluster_are_refused(tmp_path: Path, name: str, cluster: str, says: str) -> None:
    committed(tmp_path, Commit(B01, (), 1)).close()
    with pytest.raises(UsageError, match=says):
        storage(tmp_path, name, cluster)


SETTINGS = {"machine": "kv", "window": "3", "configurations": "L1/A1,A2", "replicas": "2"}


@pytest.mark.parametrize(
    ("name", "value"), [("machine", "integer"), ("window", "4"), ("configurations", "L1/A1"), ("configurations", "L2/A3,A4 L1/A1,A2")]
)
def test_so_are_those_of_another_state_machine_window_or_configuration(tmp_path: Path, name: str, value: str) -> None:
    path = tmp_path / "A1.sqlite"
    SqliteStorage(path, "A1", "c", settings=SETTINGS).close()
    with pytest.raises(UsageError, match=f"A1.sqlite: belongs to a cluster with {name} {SETTINGS[name]}, not {value}; "):
        SqliteStorage(path, "A1", "c", settings=SETTINGS | {name: value})
    SqliteStorage(path, "A1", "c", settings=SETTINGS).close()


def test_configurations_may_be_added_and_replicas_come_and_go(tmp_path: Path) -> None:
    path, more = tmp_path / "A1.sqlite", SETTINGS | {"configurations": "L1/A1,A2 L2/A3", "replicas": "3"}
    SqliteStorage(path, "A1", "c", settings=SETTINGS).close()
    SqliteStorage(path, "A1", "c", settings=more).close()
    SqliteStorage(path, "A1", "c", settings=more | {"replicas": "2"}).close()
    with pytest.raises(UsageError, match=r"configurations .*; others may only be added behind those as long as the data are used"):
        SqliteStorage(path, "A1", "c", settings=SETTINGS)


def test_so_are_those_of_another_version(tmp_path: Path) -> None:
    storage(tmp_path).close()
    with sqlite3.connect(tmp_path / "A1.sqlite") as database:
        database.execute("update about set value = '99' where name = 'version'")
    with pytest.raises(UsageError, match=f"version 99, not {STORAGE_VERSION}"):
        storage(tmp_path)


@pytest.mark.parametrize(
    "change", ["update record set value = x'00'", "update latest set value = x'31' where name = 'newest'", "update record set crc = 1"]
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


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """What a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_commits_nothing_and_says_so(tmp_path: Path) -> None:
    opened = committed(tmp_path, Commit(B01, [pv(B01, 1, C1)], 1))
    done: list[int] = []
    with no_file_longer_than(20_000):
        with pytest.raises(OSError, match="cannot be written: no room: the file cannot grow"):
            for slot in range(2, 1000):
                opened.commit(Commit(None, [pv(B01, slot, C1)] * 20, slot), lambda: done.append(1))
        opened.close()
        with pytest.raises(UsageError, match=r"A1.sqlite: no room: .*; nothing is damaged") as found:
            storage(tmp_path)
        assert "delete" not in str(found.value)
    stored = storage(tmp_path).load()
    assert stored is not None
    assert len(stored.records) == 1 + 20 * len(done)


# ---- creation that was cut short ----


@pytest.mark.parametrize("room", [0, 100, 512, 600, 1023, 1024, 4096, 6000, 9000, 13_000, 17_000, 20_000])
def test_a_disk_that_is_full_while_the_files_are_made_damages_nothing(tmp_path: Path, room: int) -> None:
    with no_file_longer_than(room):
        said = outcome_of_the_first_start(tmp_path)
    assert said == "nothing yet" or "cannot be written" in said or "nothing is damaged" in said
    assert outcome_of_the_first_start(tmp_path) == "nothing yet"


def outcome_of_the_first_start(folder: Path) -> str:
    try:
        opened = storage(folder)
    except UsageError as error:
        return str(error)
    assert opened.load() is None
    opened.close()
    return "nothing yet"


def test_the_new_file_is_whole_though_closing_it_writes_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []  # SQLite does not say that the checkpoint it makes when it closes found no room; here there is none

    def closing(database: sqlite3.Connection) -> AbstractContextManager[sqlite3.Connection]:
        kept.append(database)
        return nullcontext(database)

    with monkeypatch.context() as patched:
        patched.setattr("pmmc_check.runtime.storage.closing", closing)
        said = outcome_of_the_first_start(tmp_path)
    assert kept
    assert (said, outcome_of_the_first_start(tmp_path)) == ("nothing yet", "nothing yet")


def test_a_counter_to_which_a_power_failure_left_only_zeros_is_made_anew_unless_there_are_data(tmp_path: Path) -> None:
    for zeros in (0, 512, 1024):
        folder = tmp_path / str(zeros)
        folder.mkdir()
        counter = folder / "A1.commits"
        counter.write_bytes(bytes(zeros))
        committed(folder, Commit(B01, (), 1)).close()
        number = counter.read_bytes()
        counter.write_bytes(bytes(zeros))
        assert "is gone, empty or all zeros" in outcome(folder)
        (folder / "A1.sqlite").unlink()
        counter.write_bytes(number)
        assert "says that 1 commits are in it" in outcome(folder)


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


def test_a_log_that_lacks_what_was_committed_is_refused_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "A1.pmmc"
    log = LogFile(path)
    log.open(0)
    mark = log.write([f"{A1} < p1a b=0.L1"])
    log.close()
    for text in (path.read_text()[:-1], "pmmc-trace 1 part\n", ""):
        path.write_text(text)
        again = LogFile(path)
        with pytest.raises(UsageError, match=r"A1.pmmc: .* bytes that this node has recorded are missing"):
            again.open(mark)
        again.close()
        assert path.read_text() == text
    unrecorded = NoLog()
    unrecorded.open(mark)
    assert unrecorded.write(()) == mark  # so that the log is not cut when it is written again
