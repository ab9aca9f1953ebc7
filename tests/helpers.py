"""What several test modules share: small configurations, running searches and the command, renaming values."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pmmc_check.checker.commuting_search import CommutingSearch
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.matrix import config_of, searched
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.reference import ReferenceSearch
from pmmc_check.checker.result import Control, Limits, Result
from pmmc_check.cli.main import main
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import PMMC, Ballot, Command, ProcessId, Protocol, PValue, SlotCommand, System
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, LEADER, REPLICA
from pmmc_check.protocol.variants.catalogue import VARIANTS, protocol_with

os.environ["COLUMNS"] = "200"  # so that the sentences that tests look for stay on one line
for _colour in ("NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(_colour, None)

ROOT = Path(__file__).resolve().parent.parent
GOLDEN: list[dict[str, int]] = json.loads((ROOT / "specs" / "golden.json").read_text())
NETWORKS = ("duplicating", "reliable")
REDUCTIONS = ("inert", "halting", "deferral", "symmetry")
"""Those that roles of a user's own have, too: all but commuting."""
COUNTS = ("acceptors", "leaders", "replicas", "slots", "commands", "rounds")
VARYING = ("seconds", "states_per_second", "peak_memory_bytes")
"""Keys of the JSON that may differ between two runs of one search."""

A1, A2, A3 = (ProcessId(ACCEPTOR, n) for n in (1, 2, 3))
R1, R2 = (ProcessId(REPLICA, n) for n in (1, 2))
L1, L2 = (ProcessId(LEADER, n) for n in (1, 2))
C1, C2, C3 = (Command(ProcessId(CLIENT, n), 1, f"op{n}") for n in (1, 2, 3))
B01, B02, B11, B12 = Ballot(0, 1), Ballot(0, 2), Ballot(1, 1), Ballot(1, 2)


def small(**counts: Any) -> Config:
    """A configuration with one of everything but for `counts`."""
    return Config(**{**dict.fromkeys(COUNTS, 1), **counts})


def system(**counts: Any) -> System:
    """The same as roles see it; 3 acceptors, 2 leaders, 2 replicas, 2 slots, 2 commands, 2 rounds but for `counts`."""
    default = {"acceptors": 3, "leaders": 2, "replicas": 2, "slots": 2, "commands": 2, "rounds": 2}
    return Config(**{**default, **counts}).system()


def pv(ballot: Ballot, slot: int, command: Command) -> PValue:
    return PValue(ballot, slot, command)


def entries(*pairs: tuple[int, Command]) -> frozenset[SlotCommand]:
    return frozenset(SlotCommand(*pair) for pair in pairs)


def compiled(  # noqa: PLR0917
    config: Config,
    protocol: Protocol = PMMC,
    reduce: str = "all",
    invariants: Sequence[str] = (),
    limits: Limits | None = None,
    threads: int = 1,
) -> tuple[CompiledSearch, Result]:
    """Runs the compiled search; returns it, for its tables, and its result."""
    control = Control(limits or Limits())
    search = CompiledSearch(Model(config, protocol), invariants_named(invariants), control, reductions_named(reduce), threads)
    return search, search.run()


def commuting(  # noqa: PLR0917
    config: Config,
    protocol: Protocol = PMMC,
    reduce: str = "all",
    invariants: Sequence[str] = (),
    limits: Limits | None = None,
    threads: int = 1,
) -> tuple[CommutingSearch, Result]:
    """The same with steps taken alone, where `reduce` says so and that is sound."""
    model, asked = Model(config, protocol), invariants_named(invariants)
    reductions, _ = applicable(reductions_named(reduce), model, asked)
    search = CommutingSearch(model, asked, Control(limits or Limits()), reductions, threads)
    return search, search.run()


def reference(config: Config, protocol: Protocol = PMMC, invariants: Sequence[str] = (), limits: Limits | None = None) -> Result:
    """Runs the reference search."""
    return ReferenceSearch(Model(config, protocol), invariants_named(invariants), Control(limits or Limits())).run()


@cache
def counterexample_of(variant: str, broken: str) -> Result:
    """What a search for violations of `broken` finds in the smallest configuration that shows the fault; searched once in a process."""
    result = searched(config_of(VARIANTS[variant].smallest), protocol_with([variant]), [broken])
    assert result.violation is not None
    return result


def rename(value: Any, renaming: Mapping[Hashable, Hashable]) -> Any:
    """`value` with every atom that `renaming` names replaced; written without regard to how digests do it."""
    if isinstance(value, Hashable) and value in renaming:
        return renaming[value]
    if isinstance(value, frozenset):
        return frozenset(rename(part, renaming) for part in value)
    if isinstance(value, tuple):
        parts = [rename(part, renaming) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{f.name: rename(getattr(value, f.name), renaming) for f in dataclasses.fields(value)})
    return value


def label(counts: Mapping[str, Any]) -> str:
    """A configuration as a test's name: acceptors-leaders-replicas-slots-commands-rounds, and what else is given."""
    rest = [f"{name}{value}" for name, value in counts.items() if name not in COUNTS]
    return "-".join([*(str(counts.get(name, 1)) for name in COUNTS), *rest])


def options(**given: Any) -> list[str]:
    """Command line options from keywords."""
    return [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def command(*arguments: str, env: Mapping[str, str | None] | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the real command. `env` is laid over the environment; None takes a variable away."""
    return subprocess.run(
        [sys.executable, "-m", "pmmc_check", *arguments], env=environment(env), cwd=cwd or ROOT, capture_output=True, text=True, check=False
    )


def in_process(capsys: pytest.CaptureFixture[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same without a new process, which is a second faster: for what does not look at the process itself."""
    capsys.readouterr()
    try:
        code = main(arguments)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())


def explored(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What `explore` says, without a new process."""
    done = in_process(capsys, "explore", "--format", "json", *arguments)
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def set_environment(monkeypatch: pytest.MonkeyPatch, changed: Mapping[str, str | None]) -> None:
    """What `command` does with its `env`, for the rest of this test: None takes a variable away."""
    for name, value in changed.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


def heed_ctrl_c() -> None:
    """For a child process: a shell that has started the tests in the background has told them to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def environment(changed: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """The environment of a child process."""
    merged: dict[str, str | None] = {**os.environ, **(changed or {})}
    return {name: value for name, value in merged.items() if value is not None}


def explore(*arguments: str, env: Mapping[str, str | None] | None = None) -> dict[str, Any]:
    """The JSON object that `pmmc-check explore` prints."""
    done = command("explore", "--format", "json", *arguments, env=env)
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def assert_one_clear_line(done: subprocess.CompletedProcess[str], *expected: str) -> None:
    """Bad input: exit 2, nothing on stdout, one line on stderr that contains `expected`."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "compiling the search kernels" not in line]
    assert len(lines) == 1, done.stderr
    for text in expected:
        assert text in lines[0]
