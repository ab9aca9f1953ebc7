"""A file that is replaced is the old one or the new one, at any time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pmmc_check.replacing import replace_text


def test_the_new_text_takes_the_place_of_the_old_one_whose_readers_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_text(path, "⊥" * 3)
    with path.open(encoding="utf-8") as reader:
        replace_text(path, "new")
        assert reader.read() == "⊥" * 3
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("durable", [True, False])
def test_it_is_on_the_disk_before_it_takes_its_place_and_the_folder_after(
    durable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    replaced, synced = os.replace, os.fsync
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replaced"), replaced(*paths)))
    monkeypatch.setattr(os, "fsync", lambda number: (done.append(Path(os.readlink(f"/proc/self/fd/{number}")).name), synced(number)))
    replace_text(tmp_path / "file", "text", durable=durable)
    beside = f".file.{os.getpid()}"
    assert done == ([beside, "replaced", tmp_path.name] if durable else ["replaced"])


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_where_it_fails_the_old_file_is_as_it_was_and_nothing_lies_beside_it(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fails(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, fails)
    with pytest.raises(OSError, match="No space left"):
        replace_text(path, "new", durable=True)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
