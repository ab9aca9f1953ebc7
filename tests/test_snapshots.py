"""What people read, word for word. PMMC_UPDATE_SNAPSHOTS=1 rewrites the files in tests/snapshots; read the difference."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from helpers import command, options

FOLDER = Path(__file__).parent / "snapshots"
COMMANDS: dict[str, list[str]] = {
    "help": ["--help"],
    "explore-help": ["explore", "--help"],
    "explore-holds": ["explore", *options(acceptors=2, leaders=1, replicas=2, slots=1, commands=2)],
    "explore-holds-unreduced": ["explore", *options(acceptors=1, leaders=1, replicas=1, slots=1, network="reliable", reduce="none")],
    "explore-violated": ["explore", *options(acceptors=1, replicas=2, slots=1, commands=2, variant="ignore-pmax", invariant="Agreement")],
    "explore-inconclusive": ["explore", *options(max_states=5000)],
}
VARIES = [
    (
        re.compile(r"[\d.]+ s, [\d,]+ states generated a second, peak\s+memory [\d,]+ MiB"),
        "<seconds> s, <rate> states generated a second, peak memory <memory> MiB",
    ),
]


def _normalised(text: str) -> str:
    for pattern, replacement in VARIES:
        text = pattern.sub(replacement, text)
    return text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_text_is_as_it_was(name: str) -> None:
    shown = _normalised(command(*COMMANDS[name], env={"COLUMNS": "120", "PYTHONHASHSEED": "0"}).stdout)
    assert shown
    file = FOLDER / f"{name}.txt"
    if os.environ.get("PMMC_UPDATE_SNAPSHOTS") == "1":
        FOLDER.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text(encoding="utf-8")


def test_no_snapshot_is_left_over() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*")) == sorted(COMMANDS)
