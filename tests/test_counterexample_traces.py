"""`explore --trace-out FILE` writes a trace that `validate` reads: what the checker finds, the validator judges."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import command

FAULT = ["--acceptors", "1", "--slots", "1", "--commands", "2"]


@pytest.mark.parametrize(("variant", "broken"), [("accept-lower-ballot", "A2"), ("ignore-pmax", "C2")])
@pytest.mark.parametrize("network", ["duplicating", "reliable"])
def test_the_run_of_a_faulty_role_is_rejected_where_it_leaves_the_protocol(variant: str, broken: str, network: str, tmp_path: Path) -> None:
    file = tmp_path / "found.pmmc"
    assert command("explore", *FAULT, "--variant", variant, "--network", network, "--trace-out", str(file)).returncode == 1
    judged = command("validate", str(file))
    assert judged.returncode == 1
    assert broken in judged.stdout.splitlines()[0].partition("breaks")[2]


def test_a_stuck_run_of_the_papers_protocol_is_a_legal_run(tmp_path: Path) -> None:
    file = tmp_path / "stuck.pmmc"
    options = ["--leaders", "1", "--replicas", "1", "--slots", "1", "--network", "reliable", "--invariant", "Progress"]
    assert command("explore", *options, "--trace-out", str(file)).returncode == 1
    judged = command("validate", str(file))
    assert (judged.returncode, "accepted" in judged.stdout) == (0, True)


def test_what_a_trace_cannot_show_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    file = tmp_path / "found.pmmc"
    found = command("explore", *FAULT, "--variant", "ballot-without-leader", "--trace-out", str(file))
    assert found.returncode == 1
    assert "was not written" in found.stderr
    assert "ends in .json" in found.stderr
    assert list(tmp_path.iterdir()) == []
