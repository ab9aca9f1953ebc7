"""How many steps random walks take: `python benchmarks/walks.py [--seconds S] [--against FOLDER] [--rounds N]` prints one line a run.

`--against` names another copy of the repository, of an older version, say: both are run by turns, so that what else the machine does tells
little. Time is processor time, of a command without start-up; each run begins with empty tables, so short runs show how fast they fill.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

CONFIGURATIONS = {
    "1 slot, 1 round": ["--slots", "1", "--rounds", "1"],
    "2 slots, 1 round": ["--slots", "2", "--rounds", "1"],
    "3 slots, 3 rounds": ["--slots", "3", "--rounds", "3"],
}
HERE = Path(__file__).resolve().parent.parent


def run(folder: Path, options: list[str], seconds: float) -> tuple[int, int, float]:
    """Walks, steps, and processor seconds; that of a run of one walk is taken off."""
    answers = []
    for limit in (["--max-states", "1"], ["--time-limit", str(seconds)]):
        command = [sys.executable, "-m", "pmmc_check", "explore", "--strategy", "random", "--format", "json", "--quiet", *options, *limit]
        before = os.times()
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
        )
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        answers.append((json.loads(done.stdout), used))
    (_, start_up), (answer, used) = answers
    return answer["walks"]["count"], answer["generated_states"] - 1, max(used - start_up, 1e-3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run, by the clock")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is run")
    parser.add_argument("--against", type=Path, action="append", default=[], help="another copy of the repository; may be repeated")
    arguments = parser.parse_args()
    for name, options in CONFIGURATIONS.items():
        for _ in range(arguments.rounds):
            for folder in [*arguments.against, HERE]:
                walks, steps, seconds = run(folder, options, arguments.seconds)
                done = f"{walks:,} walks, {steps:,} steps in {seconds:.1f} s of processor time"
                print(f"{name}, {folder.name}: {done}: {round(steps / seconds):,}/s", flush=True)


if __name__ == "__main__":
    main()
