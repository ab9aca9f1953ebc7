"""`pmmc-check simulate` over all variants and networks: it writes a trace that can be read, or says in a sentence why there is none."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pmmc_check.cli.main import main
from pmmc_check.protocol.variants.catalogue import VARIANTS
from pmmc_check.trace.events import Event
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.values import plain_word

NETWORKS = ("reliable", "lossy", "duplicating", "fifo", "fifo,lossy", "fifo,duplicating")
FAULTS = (
    [],
    ["--crash-rate", "0.02"],
    ["--reconfiguration-rate", "0.2"],
    ["--own-logs", "--crash-rate", "0.05", "--reconfiguration-rate", "0.3", "--window", "1", "--clients", "1"],
)
WITH_MESSAGES_OF_THEIR_OWN = {"collect-silently", "garbage-collection", "back-off", "send-back", "after-you", "waits-for-work"}
INEXPRESSIBLE = WITH_MESSAGES_OF_THEIR_OWN | {"ballot-without-leader", "informed-leaders"}
"""Variants with messages of their own, or to others than the paper's, or with ballots that no leader owns."""


def simulate(path: Path, *options: str) -> int:
    return main(["simulate", "--out", str(path), *options])


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_written_or_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = 0
    for network in NETWORKS:
        for faults in FAULTS:
            path = tmp_path / "run.pmmc"
            code = simulate(path, "--variant", name, "--network", network, "--events", "100", *faults)
            said = capsys.readouterr().err
            if code == 0:
                assert sum(isinstance(item, Event) for stream in open_trace(path).streams for item in stream) > 10
            else:
                assert code == 2
                assert re.fullmatch("pmmc-check simulate: this protocol .*, which traces cannot record; use explore to check it\n", said)
                assert not path.exists()
                refused += 1
            path.unlink(missing_ok=True)
    assert bool(refused) == (name in INEXPRESSIBLE)


@pytest.mark.parametrize("faults", FAULTS, ids=" ".join)
def test_the_command_in_the_header_writes_the_same_file_again(faults: list[str], tmp_path: Path) -> None:
    options = ["--seed", "11", "--events", "300", "--acceptors", "2", "--network", "lossy,fifo", "--contract", "R*=none", *faults]
    assert simulate(tmp_path / "first.pmmc", *options) == 0
    written = (tmp_path / "first.pmmc").read_text()
    command = re.search(r'meta\.command=("(?:[^"\\]|\\.)*")', written)
    assert command is not None
    words = shlex.split(plain_word(command[1]))
    assert words[:2] == ["pmmc-check", "simulate"]
    assert simulate(tmp_path / "second.pmmc", *words[2:]) == 0
    assert (tmp_path / "second.pmmc").read_text() == written


def test_each_of_several_traces_names_its_own_seed(tmp_path: Path) -> None:
    assert simulate(tmp_path, "--traces", "3", "--seed", "5", "--events", "20") == 0
    assert simulate(tmp_path / "one.pmmc", "--seed", "6", "--events", "20") == 0
    assert (tmp_path / "seed-6.pmmc").read_text() == (tmp_path / "one.pmmc").read_text()


def test_a_run_that_comes_to_an_end_early_says_so(tmp_path: Path) -> None:
    """Losses can bring PMMC to a stop; a short trace must not look like the one that was asked for."""
    command = [sys.executable, "-m", "pmmc_check", "simulate", "--events", "5000"]
    lossy = subprocess.run([*command, "--network", "lossy", "--out", str(tmp_path / "a.pmmc")], capture_output=True, text=True, check=True)
    assert re.search(r"nothing can happen any more after \d+ of 5,000 events", lossy.stderr)
    several = subprocess.run([*command, "--traces", "3", "--out", str(tmp_path / "b")], capture_output=True, text=True, check=True)
    assert re.search(r"in [123] of 3 runs nothing can happen any more", several.stderr)
