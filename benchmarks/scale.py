"""What each part of scaling costs or gains: the same search as a whole command without it and with it, by turns.

    python benchmarks/scale.py [PAIRS]

prints a row for each part: medians of the processor time of PAIRS (default 3) runs each, and the largest memory. Walks and workers have
benchmarks of their own (walks.py, workers.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

ALL_BUT_COMMUTING = ("--reduce", "inert,deferral,halting,symmetry")
LARGE = ("--acceptors", "1", "--replicas", "2", "--slots", "2", "--commands", "2", "--reduce", "none", "--max-depth", "16")
DUEL = ("--leaders", "2", "--acceptors", "1", "--replicas", "2", "--slots", "1", "--network", "reliable", "--invariant", "Progress")


class Part(NamedTuple):
    """A search without a part of scaling, and what is added or left out to have it. `{}` stands for a folder that is empty."""

    name: str
    without: tuple[str, ...]
    having: tuple[str, ...]


PARTS = (
    Part("commuting, default configuration", ALL_BUT_COMMUTING, ()),
    Part(
        "commuting, 2 acceptors, 2 rounds", ("--acceptors", "2", "--rounds", "2", *ALL_BUT_COMMUTING), ("--acceptors", "2", "--rounds", "2")
    ),
    Part("disk, 320 MiB allowed", LARGE, (*LARGE, "--max-memory", "320", "--disk", "{}")),
    Part("a checkpoint every 0.6 s", ALL_BUT_COMMUTING, (*ALL_BUT_COMMUTING, "--checkpoint", "{}", "--checkpoint-every", "0.01")),
    Part("fairness, the paper's leaders", DUEL, (*DUEL, "--fair")),
    Part("fairness, leaders that back off", (*DUEL, "--variant", "back-off"), (*DUEL, "--variant", "back-off", "--fair")),
)


class Run(NamedTuple):
    """One command: what it found, its processor seconds, and its largest memory in MiB."""

    found: str
    cpu_seconds: float
    peak_mib: int


def measured(arguments: tuple[str, ...]) -> Run:
    """Runs the command."""
    with tempfile.TemporaryDirectory() as folder:
        words = [each.format(folder) for each in arguments]
        command = [sys.executable, "-m", "pmmc_check", "explore", "--threads", "1", "--quiet", "--format", "json", *words]
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            answer = json.load(out)
    found = f"{answer['verdict']}, {answer['distinct_states']:,} states"
    return Run(found, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)


def cell(runs: list[Run]) -> str:
    """The runs of one side; all must have found the same."""
    (found,) = {each.found for each in runs}
    return f"{found}, {median(each.cpu_seconds for each in runs):.1f} s, {max(each.peak_mib for each in runs)} MiB"


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    os.chdir(Path(__file__).resolve().parents[1])
    print("| part | without | with |\n|---|---|---|")
    for part in PARTS:
        runs = [(measured(part.without), measured(part.having)) for _ in range(pairs)]
        without, having = (list(each) for each in zip(*runs, strict=True))
        print(f"| {part.name} | {cell(without)} | {cell(having)} |", flush=True)


if __name__ == "__main__":
    main()
