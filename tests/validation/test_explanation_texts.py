"""What a rejection says, word for word: each trace in `explained/` with the text beside it. PMMC_UPDATE_SNAPSHOTS=1 rewrites the texts."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pmmc_check.cli.main import main

FOLDER = Path(__file__).parent / "explained"
TRACES = sorted(path.name for path in FOLDER.glob("*.pmmc"))


@pytest.mark.parametrize("name", TRACES)
def test_the_text_is_as_it_was(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(FOLDER)
    main(["validate", name])
    shown = re.sub(r"[\d.]+ s\)", "<seconds> s)", capsys.readouterr().out)
    file = Path(name).with_suffix(".txt")
    if os.environ.get("PMMC_UPDATE_SNAPSHOTS") == "1":
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text(encoding="utf-8")
    assert " object at 0x" not in shown
    assert "C0:" not in shown


def test_no_text_is_left_over() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == sorted(Path(name).stem for name in TRACES)
