"""Count the states of PMMC.tla with TLC, to have golden counts that no engine of ours computed.

One configuration, one JSON line:

    python specs/run_tlc.py --jar tla2tools.jar --acceptors 3 --leaders 1

With `--record` the result also goes into golden.json. `--all` counts every configuration of
golden.json again and fails where a count differs. Every run checks all properties of PMMC.cfg.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

SPECS = Path(__file__).resolve().parent
GOLDEN = SPECS / "golden.json"
GOLDEN_FAULTS = SPECS / "golden-faults.json"


CONSTANTS = {
    "window": "Window",
    "network": "Network",
    "crashes": "CrashCount",
    "restarts": "RestartCount",
    "quorum1": "Quorum1",
    "quorum2": "Quorum2",
}
"""Constants that are not called after their option."""

BEYOND_PLAIN = ("network", "crashes", "restarts", "reconfigurations", "quorum1", "quorum2")
"""Options that golden.json does not have."""


@dataclass(frozen=True)
class Configuration:
    """The constants of PMMC.tla, under the names of pmmc-check's options; a quorum of 0 stands for a majority."""

    acceptors: int = 3
    leaders: int = 1
    replicas: int = 1
    slots: int = 1
    commands: int = 1
    rounds: int = 1
    window: int = 1
    network: str = "duplicating"
    crashes: int = 0
    restarts: int = 0
    reconfigurations: int = 0
    quorum1: int = 0
    quorum2: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether its count belongs into golden.json; those with any of `BEYOND_PLAIN` are in golden-faults.json."""
        return all(getattr(self, name) == getattr(Configuration, name) for name in BEYOND_PLAIN)

    def apply_to(self, cfg: str) -> str:
        """The text of PMMC.cfg with these numbers in the place of its own."""
        majority = self.acceptors // 2 + 1
        given_or_majority = asdict(self) | {"quorum1": self.quorum1 or majority, "quorum2": self.quorum2 or majority}
        for name, value in given_or_majority.items():
            constant = CONSTANTS.get(name, f"{name[:-1].capitalize()}Count")
            given = f'"{value}"' if isinstance(value, str) else value
            cfg, found = re.subn(rf'\b{constant}(\s*)= (\d+|"\w+")', rf"{constant}\1= {given}", cfg)
            if found != 1:
                raise TlcError(f"PMMC.cfg gives {constant} {found} times, expected once")
        return cfg


@dataclass(frozen=True)
class Counts:
    """What TLC found. The depth counts states, the initial one being 1."""

    distinct_states: int
    depth: int


class TlcError(Exception):
    """TLC did not explore the whole state space, or found a violation; carries its output."""


def count(configuration: Configuration, jar: Path, heap_gigabytes: int, seconds_max: float | None) -> Counts:
    """Explore the whole state space with one worker: with more, TLC's depth is not exact."""
    with tempfile.TemporaryDirectory(prefix="pmmc-tlc-") as name:
        folder = Path(name)
        # Older versions of TLC find a configuration only next to the module, in the current folder.
        shutil.copy(SPECS / "PMMC.tla", folder)
        cfg = configuration.apply_to((SPECS / "PMMC.cfg").read_text())
        (folder / "PMMC.cfg").write_text(cfg)
        java = ["java", f"-Xmx{heap_gigabytes}g", "-XX:+UseParallelGC", "-XX:ParallelGCThreads=1"]
        tlc = ["-jar", str(jar.resolve()), "-workers", "1", "-deadlock", "PMMC"]
        try:
            run = subprocess.run(
                java + tlc,
                cwd=folder,
                check=False,
                capture_output=True,
                text=True,
                timeout=seconds_max,
            )
        except subprocess.TimeoutExpired as expired:
            raise TlcError(f"no result within {seconds_max:g} seconds") from expired
    states = re.search(r"(\d+) distinct states found, 0 states left on queue", run.stdout)
    depth = re.search(r"depth of the complete state graph search is (\d+)", run.stdout)
    if run.returncode != 0 or states is None or depth is None:
        raise TlcError(run.stdout + run.stderr)
    return Counts(int(states[1]), int(depth[1]))


def read_golden() -> dict[Configuration, Counts]:
    """The recorded counts; none if there are no files yet."""
    entries = [entry for file in (GOLDEN, GOLDEN_FAULTS) if file.exists() for entry in json.loads(file.read_text())]
    golden = {}
    for entry in entries:
        counts = Counts(entry.pop("distinct_states"), entry.pop("depth"))
        golden[Configuration(**entry)] = counts
    return golden


def write_golden(golden: dict[Configuration, Counts]) -> None:
    """One object a line, the smallest state space first."""
    ordered = sorted(golden.items(), key=lambda item: item[1].distinct_states)
    for file, plain in ((GOLDEN, True), (GOLDEN_FAULTS, False)):
        options = [name for name in asdict(Configuration()) if not (plain and name in BEYOND_PLAIN)]
        entries = [(asdict(config), counts) for config, counts in ordered if config.is_plain == plain]
        lines = [json.dumps({name: given[name] for name in options} | asdict(counts)) for given, counts in entries]
        file.write_text("[\n  " + ",\n  ".join(lines) + "\n]\n")


def parse_arguments() -> argparse.Namespace:
    """Read the command line; --window is None where not given."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jar", type=Path, required=True, help="tla2tools.jar")
    for name, default in asdict(Configuration()).items():
        default_text = "as many as slots" if name == "window" else str(default)
        parser.add_argument(
            f"--{name}",
            type=type(default),
            default=None if name == "window" else default,
            help=f"default: {default_text}",
        )
    parser.add_argument("--all", action="store_true", help="count all of golden.json again")
    parser.add_argument("--record", action="store_true", help="put the result into golden.json")
    parser.add_argument("--heap", type=int, default=4, metavar="GB", help="default: 4")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS", help="for each run")
    return parser.parse_args()


def main() -> int:
    """Count what was asked for; exit code 1 if a run failed or differs from golden.json."""
    arguments = parse_arguments()
    golden = read_golden()
    if arguments.all:
        wanted = list(golden)
    else:
        numbers = {name: getattr(arguments, name) for name in asdict(Configuration())}
        if numbers["window"] is None:
            numbers["window"] = numbers["slots"]
        wanted = [Configuration(**numbers)]

    failed = False
    for configuration in wanted:
        begin = time.monotonic()
        try:
            counts = count(configuration, arguments.jar, arguments.heap, arguments.time_limit)
        except TlcError as error:
            print(f"{configuration}: {error}", file=sys.stderr)
            failed = True
            continue
        seconds = round(time.monotonic() - begin, 1)
        line = asdict(configuration) | asdict(counts) | {"seconds": seconds}
        print(json.dumps(line), flush=True)
        expected = golden.get(configuration, counts)
        if counts != expected:
            print(f"{configuration}: golden.json has {expected}", file=sys.stderr)
            failed = True
        elif arguments.record:
            # Read again: another run may have recorded its result meanwhile.
            write_golden(read_golden() | {configuration: counts})
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
