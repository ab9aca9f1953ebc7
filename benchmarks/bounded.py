"""What a cluster of processes takes of memory and disk while it runs for long. Prints a table, a row for each sample.

    PYTHONPATH=. python benchmarks/bounded.py [--minutes 10] [--keep 200] [--clients 2]

The clients ask without a pause. No trace is recorded: it tells all that happened, and so grows with it. Memory is what only that
process has (USS), the most of any node of a role; the disk is the folder with the data of all nodes.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil

from pmmc_check.protocol.values import ACCEPTOR, LEADER, REPLICA
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.supervisor import RunPlan, Supervisor

SAMPLES = 20


class Watch:
    """Samples at equal intervals, and says when the time is over."""

    def __init__(self, data: Path, seconds: float) -> None:
        self.data, self.seconds, self.every = data, seconds, seconds / SAMPLES
        self.supervisor: Supervisor
        self.began = self.next = time.monotonic()

    def has_enough(self) -> bool:
        """Prints a row when one is due."""
        now = time.monotonic()
        if now >= self.next:
            self.next += self.every
            self._row(now - self.began)
        return now - self.began >= self.seconds

    def _row(self, seconds: float) -> None:
        memory = dict.fromkeys((ACCEPTOR, LEADER, REPLICA), 0)
        decided = 0
        for me, child in self.supervisor.children.by_id.items():
            if me.role in memory and child.process is not None and child.process.pid is not None:
                memory[me.role] = max(memory[me.role], psutil.Process(child.process.pid).memory_full_info().uss)
            decided = max(decided, child.report.decided if child.report is not None else 0)
        disk = sum(each.stat().st_size for each in self.data.iterdir())
        cells = [f"{seconds:.0f}", f"{decided:,}", *(f"{each / 2**20:.1f}" for each in memory.values()), f"{disk / 2**20:.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    for name, count in (("keep", 200), ("clients", 2)):
        parser.add_argument(f"--{name}", type=int, default=count)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch(Path(folder), arguments.minutes * 60)
        roster = replace(Roster(clients=arguments.clients), keep=arguments.keep)
        plan = RunPlan(roster, "kv", requests=10**9, seconds_max=arguments.minutes * 60 + 60, data=Path(folder))
        print("| seconds | slots | an acceptor, MiB | a leader, MiB | a replica, MiB | disk, MiB |\n|---|---|---|---|---|---|")
        watch.supervisor = Supervisor(plan, has_enough=watch.has_enough)
        result = asyncio.run(watch.supervisor.run())
    print(f"{result.answered:,} answered, replicas {'agree' if result.replicas_agree else 'differ'}; {result.errors or 'no errors'}")


if __name__ == "__main__":
    main()
