"""How fast traces are read and replayed, and in how much memory. Prints one JSON object.

    python benchmarks/validate.py [--events 200000] [--memory-events 5000000]

Times are CPU seconds of one process, so that a shared machine disturbs them little. `parts`: the same trace as a file for each process,
with one process and with two beside it; of those the busiest says how long it takes where each has a core.
`baselines`: reading by the Lark grammar alone, and
judging by brute force (the tests' oracle). Memory: the peak of a process that judges a trace of N events, for several N
and networks.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from pmmc_check.checker.memory import peak_memory_bytes
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.trace.convert import converted
from pmmc_check.trace.events import Event, Header
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.sources import Source, sources
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.simulate import Plan, Simulation, complete_logs
from pmmc_check.verdicts import ACCEPTED

ROOT = Path(__file__).resolve().parent.parent


def plan(events: int) -> Plan:
    header = Header(
        replicas=("R1", "R2"),
        leaders=("L1",),
        acceptors=("A1", "A2", "A3"),
        clients=("C1", "C2"),
        window=5,
        network=frozenset({"reliable"}),
    )
    return Plan(header=replace(header, logs=complete_logs(header)), seed=1, events=events, commands=10**9, post_rate=0.0)


def write(path: Path, events: int, network: str = "reliable", *, leaders: tuple[str, ...] = ("L1",), quoted: bool = False) -> None:
    """A run without loss, which any network allows: with loss PMMC, which sends nothing twice, would come to a stop.

    `quoted`: every command has an operation in quotes, with a blank in it.
    """
    planned = plan(events)
    header = replace(planned.header, leaders=leaders)
    walk = Simulation(replace(planned, header=replace(header, logs=complete_logs(header))))
    writer = DslWriter(walk.values)
    with path.open("w") as stream:
        for line in writer.header(replace(walk.header, network=frozenset(network.split(",")))):
            print(line, file=stream)
        for event in walk.events():
            line = writer.item(event)
            print(re.sub(r"(C\d:\d+)", r'\1:"add 5"', line) if quoted else line, file=stream)


def rate(work: Callable[[], int]) -> float:
    """Events per CPU second, the best of three."""
    best = 0.0
    for _ in range(3):
        started = time.process_time()
        count = work()
        best = max(best, count / (time.process_time() - started))
    return best


def read(path: Path, grammar_only: bool = False) -> int:
    return sum(1 for stream in open_trace(path, grammar_only=grammar_only).events() for _ in stream)


def replayed(path: Path, variant: str | None = None) -> int:
    """Under a variant the facts are judged, too."""
    options = JudgeOptions(protocol=protocol_with([variant]), variants=(variant,)) if variant else None
    verdict = judge(Source(path), options)
    assert verdict.verdict == ACCEPTED
    return verdict.events


def brute_force(events: int) -> dict[str, float]:
    sys.path.insert(0, str(ROOT))  # the oracle belongs to the tests, which are not installed
    from tests.validation.oracle import Oracle  # noqa: PLC0415  (only now can it be found)

    walk = Simulation(plan(events))
    found = list(walk.events())
    started = time.process_time()
    oracle = Oracle(replace(walk.header, application="log"), walk.names, [_without_results(event) for event in found], 10**6)
    legal = oracle.legal()
    return {"events": len(found), "seconds": time.process_time() - started, "legal": legal}


def _without_results(event: Event) -> Event:
    result: Any = getattr(event.message, "result", None)
    return event if result is None else event._replace(message=replace(event.message, result=result.removeprefix("r")))  # type: ignore[type-var]  # a message is a dataclass


def memory(folder: Path, events: int, network: str) -> dict[str, Any]:
    """Peak memory of a fresh process that judges a trace of so many events."""
    path = folder / "long.pmmc"
    write(path, events, network)
    answer = subprocess.run([sys.executable, __file__, "--judge-only", str(path)], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    return {"network": network, **found}


def parts(folder: Path, whole: Path) -> list[dict[str, Any]]:
    """One trace as a file for each log, judged in one process, and by two beside it; each in a fresh process."""
    folder.mkdir()
    files: dict[str, TextIO] = {}
    with ExitStack() as stack:
        for line in whole.open():
            word = line.split(" ", 1)[0].strip()
            name = "header" if word in ("pmmc-trace", "config", "log") else word
            if name not in files:
                files[name] = stack.enter_context((folder / f"{name}.pmmc").open("w"))
                files[name].write("pmmc-trace 1 part\n" if name != "header" else "")
            files[name].write(line)
    command = [sys.executable, __file__, "--judge-only", str(folder), "--processes"]
    return [
        json.loads(subprocess.run([*command, each], capture_output=True, text=True, check=True).stdout) for each in ("1", "2", "1", "2")
    ]


def decisions(folder: Path, slots: int) -> dict[str, Any]:
    """Logs of nothing but the decisions of two replicas."""
    path = folder / "decisions.pmmc"
    with path.open("w") as stream:
        print("pmmc-trace 1\nconfig replicas=R1,R2 leaders=L1 acceptors=A1,A2,A3 window=5\nlog R1,R2 partial decision", file=stream)
        for slot in range(1, slots + 1):
            print(f"R1 < decision s={slot} c=C1:{slot}\nR2 < decision s={slot} c=C1:{slot}", file=stream)
    found: dict[str, Any] = json.loads(
        subprocess.run([sys.executable, __file__, "--judge-only", str(path)], capture_output=True, text=True, check=True).stdout
    )
    return {"slots": slots, **found}


def judge_only(path: Path, processes: int) -> dict[str, float]:
    (source,) = sources([str(path)])
    started = time.process_time()
    verdict = judge(source, JudgeOptions(processes=processes))
    assert verdict.verdict == ACCEPTED
    spent = {"cpu_seconds": time.process_time() - started, "peak_memory_bytes": peak_memory_bytes()}
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    beside = {"processes": processes, "cpu_seconds_of_the_others": children.ru_utime + children.ru_stime} if processes > 1 else {}
    return {"events": verdict.events, **spent, **beside}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--memory-events", type=int, default=5_000_000)
    parser.add_argument("--judge-only", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.judge_only:
        print(json.dumps(judge_only(arguments.judge_only, arguments.processes)))
        return
    with tempfile.TemporaryDirectory() as folder:
        dsl, jsonl, small = Path(folder, "t.pmmc"), Path(folder, "t.jsonl"), Path(folder, "s.pmmc")
        write(dsl, arguments.events)
        write(small, 2000)
        write(Path(folder, "q.pmmc"), arguments.events, quoted=True)
        write(Path(folder, "d.pmmc"), arguments.events // 8, leaders=("L1", "L2"))
        jsonl.write_text("\n".join(converted(open_trace(dsl), "jsonl")) + "\n")
        result: dict[str, Any] = {
            "python": sys.version.split()[0],
            "events": arguments.events,
            "dsl_end_to_end_events_per_cpu_second": rate(lambda: replayed(dsl)),
            "dsl_end_to_end_with_a_variant_events_per_cpu_second": rate(lambda: replayed(dsl, "ignore-lower-p2b")),
            "dsl_end_to_end_quoted_operations_events_per_cpu_second": rate(lambda: replayed(Path(folder, "q.pmmc"))),
            "dsl_end_to_end_duelling_leaders_events_per_cpu_second": rate(lambda: replayed(Path(folder, "d.pmmc"))),
            "dsl_reading_events_per_cpu_second": rate(lambda: read(dsl)),
            "jsonl_reading_events_per_cpu_second": rate(lambda: read(jsonl)),
            "jsonl_end_to_end_events_per_cpu_second": rate(lambda: replayed(jsonl)),
            "baselines": {
                "lark_reading_events_per_cpu_second": rate(lambda: read(small, grammar_only=True)),
                "brute_force": [brute_force(n) for n in (10, 14, 18, 22)],
            },
        }
        write(Path(folder, "p.pmmc"), 2 * arguments.events)
        result["parts"] = parts(Path(folder, "parts"), Path(folder, "p.pmmc"))
        result["decisions_only"] = decisions(Path(folder), arguments.events // 2)
        sizes = (arguments.memory_events // 10, arguments.memory_events)
        result["memory"] = [memory(Path(folder), n, network) for network in ("reliable", "lossy,duplicating") for n in sizes]
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
