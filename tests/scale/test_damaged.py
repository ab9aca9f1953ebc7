"""Checkpoints that cannot be used: one clear message, exit code 2, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import assert_one_clear_line, command, in_process, options

SEARCH = ["explore", "--quiet", *options(acceptors=2, leaders=2, replicas=1, slots=1, commands=2)]
Damage = Callable[[Path, Path], None]


@pytest.fixture
def kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder with a search that a limit has stopped."""
    folder = tmp_path / "kept"
    assert in_process(capsys, *SEARCH, "--max-states", "60", "--checkpoint", str(folder)).returncode == 3
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def _header(checkpoint: Path) -> Path:
    return checkpoint / "checkpoint.json"


def _arrays(checkpoint: Path) -> Path:
    return checkpoint / "arrays.npy"


def _changed(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def _with_format(path: Path, number: int) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "pmmc-check-checkpoint": number}))


DAMAGES: dict[str, tuple[Damage, tuple[str, ...]]] = {
    "the header is cut": (lambda _, c: _changed(_header(c), lambda b: b[: len(b) // 2]), ("checkpoint.json", "damaged", "only a part")),
    "the header is empty": (lambda _, c: _changed(_header(c), lambda b: b""), ("checkpoint.json", "damaged")),
    "a count is changed": (
        lambda _, c: _changed(_header(c), lambda b: b.replace(b'"depth": ', b'"depth": 1')),
        ("checkpoint.json", "digest is not"),
    ),
    "it is something else": (lambda _, c: _changed(_header(c), lambda b: b'{"body": 1}'), ("it is no checkpoint",)),
    "a bit of an array": (
        lambda _, c: _changed(_arrays(c), lambda b: b[:-1] + bytes([b[-1] ^ 1])),
        ("arrays.npy", "damaged", "digest is not"),
    ),
    "the arrays are cut": (lambda _, c: _changed(_arrays(c), lambda b: b[:-100]), ("arrays.npy", "damaged")),
    "the arrays are gone": (lambda _, c: _arrays(c).unlink(), ("arrays.npy", "missing")),
    "a later format": (lambda _, c: _with_format(_header(c), 2), ("has format 2", "reads 1", "version of pmmc-check that wrote it")),
    "a later folder": (lambda f, _: _with_format(f / "search.json", 7), ("search.json", "has format 7")),
    "the folder's file is cut": (lambda f, _: _changed(f / "search.json", lambda b: b[:40]), ("search.json", "damaged")),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_checkpoint_is_refused(name: str, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage, expected = DAMAGES[name]
    (checkpoint,) = kept.glob("*/000001")
    damage(kept, checkpoint)
    before = _files(kept)
    assert_one_clear_line(in_process(capsys, *SEARCH, "--resume", str(kept)), str(kept), *expected)
    assert _files(kept) == before


OTHERS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "size": (options(acceptors=3), ("acceptors 2 there and 3 here",)),
    "network": (options(network="reliable"), ("network duplicating there and reliable here",)),
    "fault": (options(variant="ignore-pmax"), ("variants none there and ignore-pmax here",)),
    "invariant": (options(invariant="Agreement"), ("invariants all built-in ones there and Agreement here",)),
    "reductions": (options(reduce="inert"), ("--reduce all there and inert here",)),
    "continue": (["--continue"], ("--continue not given there and given here",)),
    "strategy": (options(strategy="iterative"), ("--strategy exhaustive there and iterative here",)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_search_is_refused(name: str, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other, expected = OTHERS[name]
    before = _files(kept)
    assert_one_clear_line(in_process(capsys, *SEARCH, *other, "--resume", str(kept)), "another search", *expected)
    assert _files(kept) == before


def test_a_search_begun_by_another_version_is_refused(
    kept: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pmmc_check.checker.checkpoints.folder.__version__", "99.0")
    assert_one_clear_line(in_process(capsys, *SEARCH, "--resume", str(kept)), "begun by pmmc-check", "this is 99.0")


ROLE = """
from dataclasses import replace
from helping import lowered
from pmmc_check.protocol import Acceptor, Outcome

class Mine(Acceptor):
    def step(self, state, message):
        for outcome in super().step(state, message):
            yield lowered(outcome)
"""


def test_roles_that_were_changed_are_refused_and_so_is_a_change_in_what_they_import(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(ROLE)
    helping = tmp_path / "helping.py"
    helping.write_text("def lowered(outcome):\n    return outcome\n")
    search = [*SEARCH, "--protocol", "mine:Mine"]
    assert command(*search, "--max-states", "200", "--checkpoint", "kept", cwd=tmp_path, env=_here()).returncode == 3
    helping.write_text("def lowered(outcome):\n    return outcome._replace(sends=())\n")
    assert_one_clear_line(command(*search, "--resume", "kept", cwd=tmp_path, env=_here()), "the roles answer otherwise")
    (tmp_path / "mine.py").write_text(ROLE + "\n# changed\n")
    assert_one_clear_line(command(*search, "--resume", "kept", cwd=tmp_path, env=_here()), "the text of Mine has been changed")
    (tmp_path / "mine.py").write_text(ROLE)
    helping.write_text("def lowered(outcome):\n    return outcome\n")
    assert command(*search, "--resume", "kept", cwd=tmp_path, env=_here()).returncode == 0


def _here() -> dict[str, str | None]:
    return {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
