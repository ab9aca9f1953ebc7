"""What people read, word for word, at the width that a name ends in (else 80 columns).

PMMC_UPDATE_SNAPSHOTS=1 rewrites the files in tests/snapshots; read the difference."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from helpers import in_process, options

FOLDER = Path(__file__).parent / "snapshots"
_VIOLATED = ["explore", *options(acceptors=1, replicas=2, slots=1, commands=2, variant="ignore-pmax", invariant="Agreement")]
COMMANDS: dict[str, list[str]] = {
    "help": ["--help"],
    "explore-help": ["explore", "--help"],
    "explore-holds": ["explore", *options(acceptors=2, leaders=1, replicas=2, slots=1, commands=2)],
    "explore-holds-unreduced": ["explore", *options(acceptors=1, leaders=1, replicas=1, slots=1, network="reliable", reduce="none")],
    "explore-violated-80": _VIOLATED,
    "explore-violated-120": _VIOLATED,
    "explore-violated-200": _VIOLATED,
    "explore-violated-lanes-200": [*_VIOLATED, "--view", "lanes"],
    "explore-violated-table-80": [*_VIOLATED, "--view", "table"],
    "explore-stuck-80": ["explore", *options(leaders=1, replicas=1, slots=1, network="fifo", invariant="Progress")],
    "explore-any-slots": ["explore", *options(slots="any", acceptors=1, ballots=2, replica_slots=2)],
    "explore-any-slots-violated": [
        "explore",
        *options(slots="any", acceptors=1, ballots=2, variant="ignore-pmax", invariant="Agreement"),
    ],
    "explore-inconclusive": ["explore", *options(max_states=5000)],
}
VARIES = [
    (
        re.compile(r"[\d.]+ s,\s+[\d,]+\s+states generated per second,\s+peak\s+memory [\d,]+ MiB"),
        "<seconds> s, <rate> states generated per second, peak memory <memory> MiB",
    ),
    (re.compile(r"time( +)premises [^;]*; peak\s+memory\s+[\d,]+\s+MiB"), r"time\1<seconds of each part>; peak memory <memory> MiB"),
]


def _normalised(text: str) -> str:
    for pattern, replacement in VARIES:
        text = pattern.sub(replacement, text)
    return text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_text_is_as_it_was(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", name.rpartition("-")[2] if name[-1].isdigit() else "80")
    shown = _normalised(in_process(capsys, *COMMANDS[name]).stdout)
    assert shown
    file = FOLDER / f"{name}.txt"
    if os.environ.get("PMMC_UPDATE_SNAPSHOTS") == "1":
        FOLDER.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text(encoding="utf-8")


def test_no_snapshot_is_left_over() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*")) == sorted(COMMANDS)
